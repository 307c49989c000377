"""Groups of landmarks: facial regions, lid and lip pairs, irises.

Numbers are vertices of MediaPipe's canonical face mesh. Left and right are the subject's.
"""

from __future__ import annotations

from typing import Final

import numpy as np

LANDMARK_COUNT: Final = 478
"""468 points of MediaPipe's face mesh, then five for each iris."""

FACE_POINTS: Final = 468
"""Points without the irises: errors are means over these."""

OUTER_EYE_CORNERS: Final = (33, 263)
"""Right and left; their distance on the fitted head is the unit of all errors."""

IRIS_LEFT: Final = np.arange(473, 478)
IRIS_RIGHT: Final = np.arange(468, 473)

EYE_CORNERS_LEFT: Final = np.array([362, 263])
EYE_CORNERS_RIGHT: Final = np.array([33, 133])
"""Of each eye, in the order of x in a picture that is not mirrored."""

_LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398)
_RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173)
_LEFT_BROW = (276, 283, 282, 295, 285, 300, 293, 334, 296, 336)
_RIGHT_BROW = (46, 53, 52, 65, 55, 70, 63, 105, 66, 107)
# fmt: off
_LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
)
_NOSE = (
    168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 98, 97, 326, 327, 294, 278, 344, 440, 275, 45, 220,
    115, 48, 64,
)
FACE_OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
# fmt: on
"""MediaPipe's face oval in order, from the middle of the forehead over the subject's left."""

REGIONS: Final = {
    "brows": np.array(_LEFT_BROW + _RIGHT_BROW),
    "eyes": np.array(_LEFT_EYE + _RIGHT_EYE),
    "nose": np.array(_NOSE),
    "lips": np.array(_LIPS),
    "contour": np.array(FACE_OVAL),
}
"""Landmark numbers by region, for weights and reports; most of the 468 are in none of them."""

LID_PAIRS_LEFT: Final = np.array(
    [(386, 374), (385, 380), (387, 373), (384, 381), (388, 390), (398, 382), (466, 249)]
)
LID_PAIRS_RIGHT: Final = np.array(
    [(159, 145), (158, 153), (160, 144), (157, 154), (161, 163), (173, 155), (246, 7)]
)
"""`(7, 2)` upper and lower lid points that meet when the eye closes; the first is the middle."""

LIP_PAIRS: Final = np.array(
    [
        (13, 14), (312, 317), (82, 87), (311, 402), (81, 178), (310, 318), (80, 88),
        (415, 324), (191, 95),
    ]
)  # fmt: skip
"""`(9, 2)` points of the inner upper and lower lip that meet when the mouth closes."""


def lid_opening(pixels: np.ndarray, pairs: np.ndarray, corners: np.ndarray) -> float:
    """Return the gap of one eye's lids divided by the width of the eye.

    Args:
        pixels: `(478, 2)`.
        pairs: `LID_PAIRS_LEFT` or `LID_PAIRS_RIGHT`.
        corners: The eye's corners.
    """
    middle = pixels[pairs[:3]]
    gap = np.linalg.norm(middle[:, 0] - middle[:, 1], axis=1).mean()
    width = np.linalg.norm(pixels[corners[0]] - pixels[corners[1]])
    return float(gap / max(width, 1e-6))
