"""The network that turns landmarks into expression coefficients, and its file."""

from __future__ import annotations

import functools
import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._errors import MissingExtraError, ModelFileError
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_NAMES
from lifemask.rigging._normalize import LandmarkNormalizer
from lifemask.tracking import LANDMARK_COUNT

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from onnxruntime import InferenceSession

REGRESSION_SCHEMA: Final = "1"
"""Version of the model's inputs, outputs and metadata."""

REGRESSION_UNSEEN: Final = frozenset({"tongueOut"})
"""Coefficients that landmarks do not tell: the network leaves them at 0."""

REGRESSION_VALIDITY: Final[NDArray[np.bool_]] = np.array(
    [name not in REGRESSION_UNSEEN for name in COEFFICIENT_NAMES]
)
"""`(52,)` whether a coefficient is estimated at all; order `COEFFICIENT_NAMES`."""
REGRESSION_VALIDITY.flags.writeable = False


def regression_model_bytes() -> bytes:
    """Return the ONNX file that ships with lifemask, for embedding into avatar packages."""
    return resources.files("lifemask").joinpath("data", "blendshape_regression.onnx").read_bytes()


def normalize_landmarks(points: ArrayLike) -> NDArray[np.float32]:
    """Turn landmarks in a picture into what the shipped network takes.

    See `LandmarkNormalizer`; its template and weights are those in the model's metadata.

    Args:
        points: `(478, 2)` or more columns, the first two pixels: x right, y down.

    Returns:
        `(478, 2)` float32.

    Raises:
        ValueError: Wrong shape, a value that is not finite, or points that span no face.
    """
    return _default_regressor().normalizer(_one_face(points))


class BlendshapeRegressor:
    """Estimates the 52 coefficients from the landmarks of one picture.

    Quicker than the solver and stateless, with the same meaning of each coefficient; less exact,
    because it knows neither the person nor the camera. `calibrate` tells it the person.

    Args:
        model: An ONNX file or its content; the one that ships with lifemask when left out.
        threads: Of ONNX Runtime; the network is too small for more than one to help.

    Attributes:
        normalizer: What is done to landmarks before the network sees them.

    Raises:
        ModelFileError: The file is no such network.
        MissingExtraError: The package onnxruntime is missing.
    """

    def __init__(self, model: bytes | str | Path | None = None, *, threads: int = 1) -> None:
        self._session = _open(_content(model), threads)
        meta = self._session.get_modelmeta().custom_metadata_map
        self.normalizer = _normalizer(meta)
        self._input = self._session.get_inputs()[0].name
        self._neutral: NDArray[np.float64] | None = None

    @property
    def validity(self) -> NDArray[np.bool_]:
        """`(52,)` whether a coefficient is estimated at all."""
        return REGRESSION_VALIDITY

    def coefficients(self, points: ArrayLike) -> NDArray[np.float32]:
        """Estimate the expression.

        Args:
            points: `(478, 2)` or more columns, the first two pixels: x right, y down, as in
                `FaceLandmarks.points`. The size of the picture and of the face do not matter.

        Returns:
            `(52,)` float32 in [0, 1], order `COEFFICIENT_NAMES`; 0 where `validity` is false.

        Raises:
            ValueError: Wrong shape, a value that is not finite, or points that span no face.
        """
        return self.run_normalized(self.normalizer(_one_face(points), self._neutral))

    def run_normalized(self, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network alone on landmarks `(478, 2)` that are normalised already."""
        return np.asarray(self._session.run(None, {self._input: landmarks[None]})[0])[0]

    def calibrate(self, points: ArrayLike | None) -> None:
        """Remember how this person's neutral face differs from the average one.

        Args:
            points: Landmarks of the face without expression, looking at the camera; None
                forgets the person.

        Raises:
            ValueError: As for `coefficients`.
        """
        self._neutral = None
        if points is not None:
            self._neutral = self.normalizer.neutral_offset(_one_face(points))


@functools.cache
def _default_regressor() -> BlendshapeRegressor:
    return BlendshapeRegressor()


def _one_face(points: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(points, np.float64)
    if array.ndim != 2:
        raise ValueError(f"landmarks have shape {array.shape}, expected ({LANDMARK_COUNT}, 2)")
    return array


def _content(model: bytes | str | Path | None) -> bytes:
    if model is None:
        return regression_model_bytes()
    if isinstance(model, bytes):
        return model
    try:
        return Path(model).read_bytes()
    except OSError as error:
        raise _refused(f"{model} cannot be read: {error.strerror}") from error


def _open(data: bytes, threads: int) -> InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(
            "the regression needs the package onnxruntime", hint="pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common base of their own
        raise _refused(f"it does not load: {str(error).splitlines()[0]}") from error
    shapes = [session.get_inputs()[0].shape, session.get_outputs()[0].shape]
    if shapes != [[1, LANDMARK_COUNT, 2], [1, COEFFICIENT_COUNT]]:
        raise _refused(f"its tensors have the shapes {shapes[0]} and {shapes[1]}")
    return session


def _normalizer(meta: dict[str, str]) -> LandmarkNormalizer:
    if meta.get("schema_version") != REGRESSION_SCHEMA:
        raise _refused(f"its schema version is {meta.get('schema_version')!r}")
    if meta.get("coefficients") != ",".join(COEFFICIENT_NAMES):
        raise _refused("its outputs are not the 52 coefficients in their order")
    try:
        table = np.array(json.loads(meta["normalization_template"]), np.float64)
        table = table.reshape(LANDMARK_COUNT, 4)
        return LandmarkNormalizer(table[:, :3], table[:, 3])
    except (KeyError, ValueError, IndexError) as error:
        raise _refused("it carries no template face") from error


def _refused(reason: str) -> ModelFileError:
    return ModelFileError(
        f"the file is no blendshape regression of lifemask: {reason}",
        hint="Use the one that ships with lifemask, or train one with tools/regression/train.py.",
    )
