"""What one frame of a clip is worth: sharpness, light and colours of the face in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask.geometry import srgb_to_linear
from lifemask.tracking import FACE_OVAL, FACE_POINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.tracking import FaceLandmarks

CROP: Final = 256
"""Longer side, pixels, of the face that is scored, so that scores do not depend on its size."""

_MARGIN: Final = 0.05
_BLUR: Final = 3.0
_DARKEST: Final = 1.0 / 255.0
DARK_FRAME: Final = 12.0
"""Largest value (99th percentile, of 255) of a frame in which no face is looked for."""

_PROBE_STEP: Final = 8


class FrameScores(NamedTuple):
    """Measures of one frame that need its pixels.

    Attributes:
        sharpness: Variance of the Laplacian of the face at `CROP` pixels, divided by its squared
            mean brightness.
        luminance: Mean linear luminance of the face, 0 to 1.
        colours: `(468, 3)` natural logarithm of the linear colour at each face point.
    """

    sharpness: float
    luminance: float
    colours: NDArray[np.float32]


def is_dark(image: NDArray[np.uint8]) -> bool:
    """Whether a frame is black, so that looking for a face would be a waste of time."""
    return bool(np.percentile(image[::_PROBE_STEP, ::_PROBE_STEP], 99) < DARK_FRAME)


def score_frame(image: NDArray[np.uint8], face: FaceLandmarks) -> FrameScores | None:
    """Measure the face in one frame.

    Args:
        image: `(height, width, 3)` uint8 sRGB.
        face: Landmarks in it.

    Returns:
        None where the face lies outside of the picture.
    """
    import cv2

    left, top, right, bottom = face.box
    margin = _MARGIN * face.size
    x0, y0 = max(0, int(left - margin)), max(0, int(top - margin))
    crop = image[y0 : max(0, int(bottom + margin)), x0 : max(0, int(right + margin))]
    if min(crop.shape[:2]) < 8:
        return None
    scale = min(1.0, CROP / max(crop.shape[:2]))
    size = (max(1, round(scale * crop.shape[1])), max(1, round(scale * crop.shape[0])))
    small = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA))
    places = ((face.pixels[:FACE_POINTS] - (x0, y0)) * scale).astype(np.int32)
    inside = np.zeros(small.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(places[list(FACE_OVAL)]), 1)
    if not inside.any():
        return None
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)
    edges = np.asarray(cv2.Laplacian(grey, cv2.CV_32F))[inside > 0]
    mean = float(grey[inside > 0].mean())
    soft = np.asarray(cv2.GaussianBlur(small, (0, 0), _BLUR))
    column = np.clip(places[:, 0], 0, size[0] - 1)
    row = np.clip(places[:, 1], 0, size[1] - 1)
    colours = srgb_to_linear(soft[row, column].astype(np.float32) / 255.0)
    luminance = srgb_to_linear(np.float32(mean / 255.0))
    return FrameScores(
        float(edges.var() / max(mean, 1.0) ** 2),
        float(luminance),
        np.log(np.maximum(colours, _DARKEST)).astype(np.float32),
    )
