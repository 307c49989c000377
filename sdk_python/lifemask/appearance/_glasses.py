"""Telling whether a person wears glasses, and where rims and glare cover the skin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.tracking import FaceLandmarks

_WIDTH, _HEIGHT = 256, 192
_EYES: Final = ((48.0, 80.0), (208.0, 80.0))
"""Where the outer corners of the right and the left eye come to lie in the aligned patch."""
_CORNERS: Final = (33, 263)
_BRIDGE: Final = (slice(50, 110), slice(116, 140))
"""Rows and columns of the patch between the eyes, where a bridge would be."""
_BRIDGE_USUAL: Final = 0.030
_RIM_USUAL: Final = 0.042
"""Contrast of a bar across the nose and of a line below an eye that only glasses have."""
_RIM: Final = 0.045
"""Contrast (logarithm) of a thin line from which it counts as rim or glare."""
_THIN: Final = 9
"""Patch pixels: what is wider is skin, shadow or hair."""
_LIDS: Final = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
_BROWS: Final = (
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
)


def glasses_score(image: NDArray[np.uint8], face: FaceLandmarks) -> float:
    """Return how much a picture looks as if the person wore glasses; 1 is the border.

    Two things have to be there: a bar across the bridge of the nose, and a continuous thin line
    below each eye. Folds of the skin give one of them, not both.

    Args:
        image: `(h, w, 3)` uint8 sRGB.
        face: Landmarks in it.
    """
    log = _patch(image, face.pixels)
    rows, columns = _BRIDGE
    steps = np.abs(np.gradient(log, axis=0)[rows, columns].mean(axis=1))
    bridge = float(np.sort(steps)[-3:].mean())
    rim = min(_line_below(log, x) for x in (_EYES[0][0] + 30.0, _EYES[1][0] - 30.0))
    return min(bridge / _BRIDGE_USUAL, rim / _RIM_USUAL)


def wears_glasses(images: Sequence[NDArray[np.uint8]], faces: Sequence[FaceLandmarks]) -> bool:
    """Whether most of the pictures show glasses."""
    scores = [glasses_score(image, face) for image, face in zip(images, faces, strict=True)]
    return bool(np.median(scores) >= 1.0)


def glasses_mask(image: NDArray[np.uint8], face: FaceLandmarks) -> NDArray[np.float32]:
    """Return `(h, w)` in [0, 1]: 1 where a rim, its bridge or glare covers the skin.

    Thin lines and spots, darker or brighter than what is around them, in the zone of glasses;
    eyes and brows, which have such lines of their own, are left out.
    """
    import cv2

    log = _patch(image, face.pixels)
    box = np.ones((_THIN, _THIN), np.uint8)
    lines = np.maximum(
        cv2.morphologyEx(log, cv2.MORPH_TOPHAT, box), cv2.morphologyEx(log, cv2.MORPH_BLACKHAT, box)
    )
    found = (np.asarray(lines, np.float32) > _RIM) & _zone(face.pixels)
    found = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    wide = cv2.dilate(found, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
    wide = wide * _open(face.pixels)
    soft = cv2.GaussianBlur(wide.astype(np.float32), (0, 0), 1.0)
    size = (image.shape[1], image.shape[0])
    mask = cv2.warpAffine(soft, _placement(face.pixels), size, flags=cv2.INTER_LINEAR)
    return np.asarray(mask, np.float32)


def _placement(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the affine map `(2, 3)` from the patch to the picture."""
    right, left = points[list(_CORNERS)].astype(np.float64)
    along = (left - right) / (_EYES[1][0] - _EYES[0][0])
    down = np.array([-along[1], along[0]])
    origin = right - _EYES[0][0] * along - _EYES[0][1] * down
    return np.stack([along, down, origin], axis=1)


def _patch(image: NDArray[np.uint8], points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the logarithmic luminance around the eyes, upright and at one size."""
    import cv2

    placement = _placement(points)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    shrunk = float(np.linalg.norm(placement[:, 0]))
    if shrunk > 1.2:
        grey = cv2.GaussianBlur(grey, (0, 0), 0.5 * shrunk)
    patch = cv2.warpAffine(
        grey,
        placement,
        (_WIDTH, _HEIGHT),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    smooth = cv2.GaussianBlur(np.asarray(patch, np.float32), (0, 0), 1.0)
    return np.log(np.asarray(smooth, np.float32) + np.float32(8.0))


def _line_below(log: NDArray[np.float32], centre: float) -> float:
    """Return the contrast of the strongest unbroken line around the lower half of an eye."""
    import cv2

    angle = np.deg2rad(np.arange(30, 151, 2))[:, None]
    radius = np.arange(26, 64, 1.0)
    x = (centre + np.cos(angle) * radius).astype(np.float32)
    y = (_EYES[0][1] + 0.95 * np.sin(angle) * radius).astype(np.float32)
    polar = np.asarray(cv2.remap(log, x, y, cv2.INTER_LINEAR), np.float32)
    ridge = np.abs(polar - 0.5 * (np.roll(polar, 3, 1) + np.roll(polar, -3, 1)))[:, 4:-4]
    total = ridge.copy()
    for row in range(1, len(total)):
        before = np.pad(total[row - 1], 1, constant_values=-1.0)
        total[row] += np.maximum(np.maximum(before[:-2], before[1:-1]), before[2:])
    return float(total[-1].max()) / len(total)


def _zone(points: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return `(_HEIGHT, _WIDTH)` where glasses may be, without eyes and brows."""
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    middle, level = 0.5 * (_EYES[0][0] + _EYES[1][0]), _EYES[0][1]
    # Two lenses and the bars to the ears; the nose's own edges below the bridge are left out.
    lens = np.minimum(
        *(((columns - x) / 62.0) ** 2 + ((rows - level - 6) / 52.0) ** 2 for x in (80.0, 176.0))
    )
    nose = (np.abs(columns - middle) < 26) & (rows > level + 34)
    bars = np.abs(rows - level) < 22
    return ((lens < 1.0) | bars) & ~nose & (_open(points) > 0)


def _open(points: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return 0 on the eyes with their lashes and on the brows, 1 elsewhere."""
    import cv2

    placement = _placement(points)
    inverse = np.linalg.inv(np.vstack([placement, [0, 0, 1]]))[:2]
    local = points @ inverse[:, :2].T + inverse[:, 2]
    shut = np.zeros((_HEIGHT, _WIDTH), np.uint8)
    for outline in (*_LIDS, *_BROWS):
        cv2.fillPoly(shut, [np.round(local[list(outline)]).astype(np.int32)], 1)
    shut = cv2.dilate(shut, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15)))
    return np.asarray(1 - shut, np.uint8)
