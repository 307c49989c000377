"""The network that turns a face crop into expression coefficients and gaze."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask._errors import ImageError
from lifemask.heads import COEFFICIENT_NAMES
from lifemask.rigging._regressor import (
    model_content,
    open_network,
    refused,
    run_network,
    shipped_normalizer,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

IMAGE_SCHEMA: Final = "1"
"""Version of the image model's inputs, outputs and metadata."""

IMAGE_UNSEEN: Final = frozenset({"tongueOut"})
"""Coefficients that the network leaves at 0: no picture of it showed them."""

IMAGE_UNSURE: Final = frozenset(
    {"jawForward", "jawLeft", "jawRight", "cheekPuff", "mouthClose", "mouthLeft", "mouthRight",
     "noseSneerLeft", "noseSneerRight"}
)  # fmt: skip
"""Coefficients of which the network says something that is no better than always 0, so that
`ImageRegression` answers 0."""

IMAGE_VALIDITY: Final[NDArray[np.bool_]] = np.array(
    [name not in IMAGE_UNSEEN | IMAGE_UNSURE for name in COEFFICIENT_NAMES]
)
"""`(52,)` whether a coefficient is estimated at all; order `COEFFICIENT_NAMES`."""
IMAGE_VALIDITY.flags.writeable = False

IMAGE_CROP_SIZE: Final = 128
"""Side of the crop that the network sees, pixels."""

IMAGE_FEATURES: Final = 208
"""Numbers that the network makes of a crop before it judges the expression."""

_LUMA: Final = (77, 150, 29)


class ImageAnswer(NamedTuple):
    """What the image model says about one picture.

    Attributes:
        coefficients: `(52,)` float32 in [0, 1], order `COEFFICIENT_NAMES`.
        gaze: `(4,)` float32 rad: left yaw, left pitch, right yaw, right pitch, head frame.
        features: `(208,)` float32, of which those of a face at rest calibrate the model.
    """

    coefficients: NDArray[np.float32]
    gaze: NDArray[np.float32]
    features: NDArray[np.float32]


def image_model_bytes() -> bytes:
    """Return the ONNX file of the image model that ships with lifemask."""
    return resources.files("lifemask").joinpath("data", "image_regression.onnx").read_bytes()


class ImageRegression:
    """Estimates coefficients and gaze from a small upright picture of the face.

    It sees what landmarks show badly: lids, the direction of the eyes, rolled and pressed lips.
    Stateless but for `calibrate`.

    Args:
        model: An ONNX file or its content; the one that ships with lifemask when left out.
        threads: Of ONNX Runtime.

    Attributes:
        metadata: Of the file, by key.

    Raises:
        ModelFileError: The file is no such network.
        MissingExtraError: The package onnxruntime is missing.
    """

    def __init__(self, model: bytes | str | Path | None = None, *, threads: int = 1) -> None:
        data = image_model_bytes() if model is None else model_content(model)
        self._session, meta = open_network(data, threads)
        size = IMAGE_CROP_SIZE
        inputs = [one.shape for one in self._session.get_inputs()]
        if inputs != [[1, 1, size, size], [1, IMAGE_FEATURES], [1, 1]]:
            raise refused(f"its inputs have the shapes {inputs}")
        if meta.get("schema_version") != IMAGE_SCHEMA:
            raise refused(f"its schema version is {meta.get('schema_version')!r}")
        if meta.get("coefficients") != ",".join(COEFFICIENT_NAMES):
            raise refused("its outputs are not the 52 coefficients in their order")
        self.metadata = meta
        self._rest: NDArray[np.float32] = np.zeros((1, IMAGE_FEATURES), np.float32)
        self._known: NDArray[np.float32] = np.zeros((1, 1), np.float32)

    @property
    def validity(self) -> NDArray[np.bool_]:
        """`(52,)` whether a coefficient is estimated at all."""
        return IMAGE_VALIDITY

    def estimate(self, picture: NDArray[np.uint8], points: ArrayLike) -> ImageAnswer:
        """Estimate the expression of a face in a picture.

        Args:
            picture: `(height, width, 3)` uint8 sRGB.
            points: `(478, 2)` or more columns, landmarks in its pixels; those of the picture
                before will do, the network was trained on crops that are a little off.

        Raises:
            ValueError: Landmarks as in `BlendshapeRegressor.coefficients`.
            ImageError: The array is not a picture.
        """
        return self.run(face_crop(picture, points))

    def run(self, crop: NDArray[np.uint8]) -> ImageAnswer:
        """Estimate the expression in a crop `(128, 128)` uint8 of `face_crop`."""
        inputs = {"crop": _tensor(crop), "rest": self._rest, "known": self._known}
        coefficients, gaze, features = run_network(self._session, inputs)
        return ImageAnswer(coefficients * IMAGE_VALIDITY, gaze, features)

    def calibrate(self, crops: NDArray[np.uint8] | None) -> None:
        """Remember what this person looks like at rest.

        Args:
            crops: `(n, 128, 128)` uint8 of `face_crop`, the face without expression; None
                forgets the person.
        """
        self._rest = np.zeros((1, IMAGE_FEATURES), np.float32)
        self._known = np.zeros((1, 1), np.float32)
        if crops is not None:
            features = np.mean([self.run(crop).features for crop in crops], axis=0)
            self._rest, self._known = features[None], np.ones((1, 1), np.float32)


def face_crop(picture: NDArray[np.uint8], points: ArrayLike) -> NDArray[np.uint8]:
    """Cut out what the image model looks at: `(128, 128)` uint8, upright, grey.

    Args:
        picture: `(height, width, 3)` uint8 sRGB.
        points: `(478, 2)` or more columns, landmarks in its pixels.

    Raises:
        ValueError: Wrong shape of the landmarks, a value that is not finite, or no face.
        ImageError: The array is not a picture.
    """
    array = np.asarray(picture)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        raise ImageError(
            f"a picture of shape {array.shape} and type {array.dtype} is not one",
            hint="give (height, width, 3) uint8 sRGB",
        )
    colours = shipped_normalizer().crop(array, points, IMAGE_CROP_SIZE)
    luma = (colours.astype(np.uint16) * np.array(_LUMA, np.uint16)).sum(axis=-1, dtype=np.uint16)
    return (luma >> 8).astype(np.uint8)


def _tensor(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    side = IMAGE_CROP_SIZE
    if crop.shape != (side, side) or crop.dtype != np.uint8:
        raise ValueError(f"a crop has shape {crop.shape} and type {crop.dtype}, expected "
                         f"({side}, {side}) uint8")  # fmt: skip
    return crop[None, None].astype(np.float32) / np.float32(255)
