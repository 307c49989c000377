"""Whether a picture shows the same person, by a freely licensed face embedding."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask._errors import MissingExtraError
from lifemask.evaluation._weights import FACE_EMBEDDING
from lifemask.tracking import find_model

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NAME: Final = "dlib ResNet, 128 dimensions"
SAME_PERSON: Final = 0.6
"""Distance below which dlib's authors call two pictures the same person."""

CHIP: Final = 150
_PADDING: Final = 0.25
_POINTS: Final = (263, 362, 33, 133, 2)
"""Landmarks at the outer and inner corners of both eyes and below the nose."""
_TEMPLATE: Final = np.array(
    [
        [0.8595674595992, 0.2134981538014],
        [0.6460604764104, 0.2289674387677],
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.4901123135679, 0.6277975316475],
    ]
)
"""Where dlib's five points lie on the unit square that the network was trained with."""


class FaceEmbedding:
    """Embeds aligned faces; distances are Euclidean.

    Args:
        path: The weights; looked for as the landmarker's model when left out.

    Raises:
        MissingExtraError: The `eval` extra is not installed.
        ModelFileError: The weights are not on this machine.
    """

    def __init__(self, path: Path | None = None) -> None:
        if importlib.util.find_spec("dlib") is None:
            raise MissingExtraError(
                "identity needs dlib",
                hint="pip install 'lifemask[eval]'",
            )
        weights = find_model(FACE_EMBEDDING, path)
        dlib: Any = importlib.import_module("dlib")
        self._network = dlib.face_recognition_model_v1(str(weights))

    def __call__(
        self, picture: NDArray[np.uint8], pixels: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Return the embedding `(128,)` of a face.

        Args:
            picture: `(height, width, 3)` sRGB.
            pixels: `(478, 2)` landmarks in it.
        """
        chip = face_chip(picture, pixels)
        return np.array(self._network.compute_face_descriptor(chip), np.float64)


def face_chip(picture: NDArray[np.uint8], pixels: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return the upright face `(150, 150, 3)` as the network was trained to see it."""
    import cv2

    target = CHIP * (_TEMPLATE + _PADDING) / (1 + 2 * _PADDING)
    source = np.asarray(pixels, np.float64)[list(_POINTS)] - 0.5
    matrix = similarity(source, target)
    scale = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    if scale < 0.5:
        # Warping samples single pixels; the picture is softened first so that it does not alias.
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.4 / scale), np.uint8)
    return np.ascontiguousarray(
        cv2.warpAffine(picture, matrix, (CHIP, CHIP), flags=cv2.INTER_LINEAR), np.uint8
    )


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the least-squares similarity `(2, 3)` that moves points onto others (Umeyama 1991).

    Args:
        source: `(n, 2)`.
        target: `(n, 2)`.
    """
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    spread = float(np.square(a).sum())
    cosine = float((a * b).sum()) / spread
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.c_[turn, target.mean(axis=0) - turn @ source.mean(axis=0)]
