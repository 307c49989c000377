"""Mouth cavity, tongue and teeth: plausible colours where a closed mouth shows nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._noise import periodic_noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.appearance._atlas import Texels
    from lifemask.heads import Head
    from lifemask.tracking import PhotoFit

_FLESH: Final = np.array([0.55, 0.24, 0.23], np.float32)
_DEEP: Final = np.array([0.10, 0.03, 0.03], np.float32)
_TONGUE: Final = np.array([0.68, 0.36, 0.35], np.float32)
_GUM: Final = np.array([0.66, 0.34, 0.34], np.float32)
_INNER_LIPS: Final = (
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
_PARTED: Final = 0.05
"""Gap between the lips, in distances of the outer eye corners, from which teeth may show."""
_FEWEST: Final = 25
_LEAST_COLOUR: Final = 0.36
"""Saturation below which something in the mouth is no flesh."""
_ENAMEL_LEVELS: Final = (0.70, 0.90)
_ENAMEL_TINTS: Final = ((1.0, 0.93, 0.74), (1.12, 1.04, 1.0))
_OWN_SHADE: Final = 0.75
"""Share of what was measured against the plain shade."""
_OWN_FLESH: Final = 0.4
"""Share of the person's lips in the colour of gums and tongue."""
_ENAMEL: Final = np.array([0.93, 0.90, 0.83], np.float32)


def enamel_shade(
    images: Sequence[NDArray[np.uint8]], fits: Sequence[PhotoFit]
) -> tuple[NDArray[np.float32], bool]:
    """Read the colour of the teeth, `(3,)` sRGB in [0, 1], from pictures that show them.

    Teeth are what is bright and hardly coloured between parted lips. How bright they are, the
    shadow of the lips decides, so their tint counts more than their brightness.

    Returns:
        The colour, and whether it was measured; a plain one where lips stay closed.
    """
    found = [
        colours
        for image, fit in zip(images, fits, strict=True)
        if len(colours := _tooth_pixels(image, fit.landmarks.pixels)) >= _FEWEST
    ]
    if not found:
        return _ENAMEL, False
    shade = np.median([np.median(colours, axis=0) for colours in found], axis=0)
    level = float(np.clip(1.12 * shade.mean(), *_ENAMEL_LEVELS))
    tint = np.clip(shade / shade.mean(), *_ENAMEL_TINTS)
    own = level * tint / tint.mean()
    return (_OWN_SHADE * own + (1 - _OWN_SHADE) * _ENAMEL).astype(np.float32), True


def _tooth_pixels(image: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the pixels `(n, 3)` of teeth between parted lips."""
    import cv2

    empty = np.zeros((0, 3), np.float32)
    gap = float(np.linalg.norm(points[13] - points[14]))
    if gap < max(_PARTED * float(np.linalg.norm(points[33] - points[263])), 3.0):
        return empty
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points[list(_INNER_LIPS)]).astype(np.int32)], 1)
    steps = max(1, round(0.15 * gap))
    inside = image[cv2.erode(mask, np.ones((steps, steps), np.uint8)) > 0].astype(np.float32) / 255
    cheeks = image[tuple(np.clip(np.round(points[[50, 280], ::-1]), 0, None).astype(int).T)]
    if not len(inside):
        return empty
    bright, range_ = inside.mean(axis=1), np.ptp(inside, axis=1)
    chosen = bright > 0.7 * float(cheeks.mean()) / 255
    chosen &= range_ < _LEAST_COLOUR * np.maximum(inside.max(axis=1), 1e-3)
    teeth = np.asarray(inside[chosen], np.float32)
    if len(teeth) < _FEWEST or chosen.mean() < 0.1:
        return empty
    bright = teeth.mean(axis=1)
    return teeth[(bright >= np.percentile(bright, 40)) & (bright <= np.percentile(bright, 95))]


def paint_cavity(texels: Texels, head: Head, lips: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cavity's texels `(n, 3)` sRGB, from the lips' colour to darkness.

    Args:
        texels: Of the part `mouth`.
        head: Whose vertices give the depth.
        lips: `(3,)` sRGB of the inner lips.
    """
    inside = texels.mask("mouth")
    depth = texels.spread(head.neutral[:, 2])
    front = float(depth[inside < 0.5].mean())
    deep = np.clip((front - depth) / 0.045, 0, 1)[:, None]
    near = np.clip(inside, 0, 1)[:, None]
    flesh = lips * (1 - near) + (0.5 * lips + 0.5 * _FLESH) * near
    return (flesh * (1 - deep) ** 1.5 + _DEEP * (1 - (1 - deep) ** 1.5)).astype(np.float32)


def paint_tongue(
    texels: Texels, head: Head, lips: NDArray[np.float32], seed: int = 0
) -> NDArray[np.float32]:
    """Return the tongue's texels `(n, 3)` sRGB with fine papillae, darker toward the root."""
    points = texels.spread(head.neutral)
    along = (points[:, 2] - points[:, 2].min()) / np.ptp(points[:, 2])
    across = points[:, 0] / np.ptp(points[:, 0])
    noise = periodic_noise(across, along, (70, 90), seed)
    shade = (0.45 + 0.55 * along) * (1 + 0.05 * noise)
    return np.clip(_flesh(_TONGUE, lips) * shade[:, None], 0, 1).astype(np.float32)


def paint_teeth(
    texels: Texels, head: Head, shade: NDArray[np.float32], lips: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the teeth's texels `(n, 3)` sRGB: gums, crowns, dark gaps, shade to the back.

    Args:
        texels: Of one row of teeth.
        head: Whose vertices give the depth.
        shade: `(3,)` sRGB of the crowns, see `enamel_shade`.
        lips: `(3,)` sRGB of the lips, whose blood the gums have.
    """
    enamel = np.clip((texels.mask("enamel") - 0.1) / 0.15, 0, 1)
    gap = np.clip((texels.mask("tooth_gap") - 0.72) / 0.28, 0, 1) * enamel
    depth = texels.spread(head.neutral[:, 2])
    back = np.clip((depth.max() - depth) / 0.05, 0, 1)
    colour = _flesh(_GUM, lips) * (1 - enamel[:, None]) + shade * enamel[:, None]
    colour = colour * (1 - 0.22 * gap[:, None])
    return (colour * (1 - 0.5 * back[:, None])).astype(np.float32)


def _flesh(usual: NDArray[np.float32], lips: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mix a usual colour of flesh with the person's lips, at the usual brightness."""
    own = lips * (usual.mean() / max(float(lips.mean()), 0.05)) ** 0.6
    return np.asarray((1 - _OWN_FLESH) * usual + _OWN_FLESH * own, np.float32)
