"""Mouth cavity, tongue and teeth: plausible colours where a closed mouth shows nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._noise import periodic_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.appearance._atlas import Texels
    from lifemask.heads import Head

_FLESH: Final = np.array([0.55, 0.24, 0.23], np.float32)
_DEEP: Final = np.array([0.10, 0.03, 0.03], np.float32)
_TONGUE: Final = np.array([0.68, 0.36, 0.35], np.float32)
_GUM: Final = np.array([0.66, 0.34, 0.34], np.float32)
_ENAMEL: Final = np.array([0.93, 0.90, 0.83], np.float32)


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


def paint_tongue(texels: Texels, head: Head, seed: int = 0) -> NDArray[np.float32]:
    """Return the tongue's texels `(n, 3)` sRGB with fine papillae, darker toward the root."""
    points = texels.spread(head.neutral)
    along = (points[:, 2] - points[:, 2].min()) / np.ptp(points[:, 2])
    across = points[:, 0] / np.ptp(points[:, 0])
    noise = periodic_noise(across, along, (70, 90), seed)
    shade = (0.45 + 0.55 * along) * (1 + 0.05 * noise)
    return np.clip(_TONGUE * shade[:, None], 0, 1).astype(np.float32)


def paint_teeth(texels: Texels, head: Head) -> NDArray[np.float32]:
    """Return the teeth's texels `(n, 3)` sRGB: gums, crowns, dark gaps, shade to the back."""
    enamel = np.clip((texels.mask("enamel") - 0.1) / 0.15, 0, 1)
    gap = np.clip((texels.mask("tooth_gap") - 0.72) / 0.28, 0, 1) * enamel
    depth = texels.spread(head.neutral[:, 2])
    back = np.clip((depth.max() - depth) / 0.05, 0, 1)
    colour = _GUM * (1 - enamel[:, None]) + _ENAMEL * enamel[:, None]
    colour = colour * (1 - 0.22 * gap[:, None])
    return (colour * (1 - 0.5 * back[:, None])).astype(np.float32)
