"""The network that turns landmarks into expression coefficients, and its file."""

from __future__ import annotations

import functools
import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask._errors import MissingExtraError, ModelFileError
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_NAMES
from lifemask.rigging._normalize import LandmarkNormalizer
from lifemask.tracking import LANDMARK_COUNT

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from onnxruntime import InferenceSession

REGRESSION_SCHEMA: Final = "2"
"""Version of the model's inputs, outputs and metadata."""

REGRESSION_UNSEEN: Final = frozenset(
    {"tongueOut", "jawForward", "jawLeft", "jawRight", "cheekPuff"}
)
"""Coefficients that landmarks do not tell: the network leaves them at 0. The landmarker hardly
follows a jaw that moves sideways or forward, nor puffed cheeks: a network that tries is worse than
one that always answers 0."""

REGRESSION_UNSURE: Final = frozenset({"mouthClose", "noseSneerLeft", "noseSneerRight"})
"""Coefficients of which the network says something that is no better than always 0, so that
`BlendshapeRegressor` answers 0."""

REGRESSION_VALIDITY: Final[NDArray[np.bool_]] = np.array(
    [name not in REGRESSION_UNSEEN | REGRESSION_UNSURE for name in COEFFICIENT_NAMES]
)
"""`(52,)` whether a coefficient is estimated at all; order `COEFFICIENT_NAMES`."""
REGRESSION_VALIDITY.flags.writeable = False


class LandmarkAnswer(NamedTuple):
    """What the landmark model says about one picture.

    Attributes:
        coefficients: `(52,)` float32 in [0, 1], order `COEFFICIENT_NAMES`.
        gaze: `(4,)` float32 rad: left yaw, left pitch, right yaw, right pitch, head frame.
        features: `(128,)` float32 of the network's layer before, see `adapt_regressor`.
    """

    coefficients: NDArray[np.float32]
    gaze: NDArray[np.float32]
    features: NDArray[np.float32]


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

    Quicker and steadier than the solver and stateless, with the same meaning of each coefficient;
    weak expressions come out weaker. `calibrate` tells it the person. The tables are in
    `docs/regression.md`.

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
        self._session, meta = open_network(model_content(model), threads)
        _check_shapes(self._session)
        self.normalizer = _normalizer(meta)
        self._input = self._session.get_inputs()[0].name
        self._neutral = _person(meta)

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
        return self.estimate(points).coefficients

    def estimate(self, points: ArrayLike) -> LandmarkAnswer:
        """Estimate expression and gaze; arguments and errors as for `coefficients`."""
        return self._run(self.normalizer(_one_face(points), self._neutral))

    def run_normalized(self, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network alone on landmarks `(478, 2)` that are normalised already."""
        return self._run(landmarks).coefficients

    def run_features(self, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the features `(128,)` of landmarks `(478, 2)` that are normalised already."""
        return self._run(landmarks).features

    def calibrate(self, points: ArrayLike | None) -> None:
        """Remember how this person's neutral face differs from the average one.

        Args:
            points: Landmarks of the face without expression, looking at the camera: of one
                picture or, steadier, of several, `(n, 478, 2)`; None forgets the person.

        Raises:
            ValueError: As for `coefficients`.
        """
        self._neutral = None
        if points is not None:
            array = np.asarray(points, np.float64)
            faces = array if array.ndim == 3 else _one_face(array)[None]
            self._neutral = self.normalizer.neutral_offset(faces).mean(axis=0)

    def _run(self, landmarks: NDArray[np.float32]) -> LandmarkAnswer:
        coefficients, gaze, features = run_network(self._session, {self._input: landmarks[None]})
        return LandmarkAnswer(coefficients * REGRESSION_VALIDITY, gaze, features)


@functools.cache
def shipped_normalizer() -> LandmarkNormalizer:
    """Return the normaliser of the shipped networks."""
    return _default_regressor().normalizer


@functools.cache
def _default_regressor() -> BlendshapeRegressor:
    return BlendshapeRegressor()


def _one_face(points: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(points, np.float64)
    if array.ndim != 2:
        raise ValueError(f"landmarks have shape {array.shape}, expected ({LANDMARK_COUNT}, 2)")
    return array


def model_content(model: bytes | str | Path | None) -> bytes:
    """Return the content of a network; that of the landmark model when left out."""
    if model is None:
        return regression_model_bytes()
    if isinstance(model, bytes):
        return model
    try:
        return Path(model).read_bytes()
    except OSError as error:
        raise refused(f"{model} cannot be read: {error.strerror}") from error


def open_network(data: bytes, threads: int) -> tuple[InferenceSession, dict[str, str]]:
    """Return a session and the metadata of a network.

    Raises:
        ModelFileError: The file does not load.
        MissingExtraError: The package onnxruntime is missing.
    """
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
        raise refused(f"it does not load: {str(error).splitlines()[0]}") from error
    return session, dict(session.get_modelmeta().custom_metadata_map)


def run_network(
    session: InferenceSession, inputs: dict[str, NDArray[np.float32]]
) -> list[NDArray[np.float32]]:
    """Return all outputs of one picture, without the batch's axis."""
    return [np.asarray(output, np.float32)[0] for output in session.run(None, inputs)]


def _check_shapes(session: InferenceSession) -> None:
    shapes = [one.shape for one in (*session.get_inputs(), *session.get_outputs())]
    if shapes[:3] != [[1, LANDMARK_COUNT, 2], [1, COEFFICIENT_COUNT], [1, 4]] or len(shapes) != 4:
        raise refused(f"its tensors have the shapes {shapes}")


def _normalizer(meta: dict[str, str]) -> LandmarkNormalizer:
    if meta.get("schema_version") != REGRESSION_SCHEMA:
        raise refused(f"its schema version is {meta.get('schema_version')!r}")
    if meta.get("coefficients") != ",".join(COEFFICIENT_NAMES):
        raise refused("its outputs are not the 52 coefficients in their order")
    try:
        table = np.array(json.loads(meta["normalization_template"]), np.float64)
        table = table.reshape(LANDMARK_COUNT, 4)
        return LandmarkNormalizer(table[:, :3], table[:, 3])
    except (KeyError, ValueError, IndexError) as error:
        raise refused("it carries no template face") from error


def _person(meta: dict[str, str]) -> NDArray[np.float64] | None:
    """Return the neutral face `(478, 3)` that `adapt_regressor` put into the file."""
    if "person_neutral" not in meta:
        return None
    try:
        return np.array(json.loads(meta["person_neutral"]), np.float64).reshape(LANDMARK_COUNT, 3)
    except ValueError as error:
        raise refused("its person's neutral face is damaged") from error


def refused(reason: str) -> ModelFileError:
    """Return the error of a file that is not what it should be."""
    return ModelFileError(
        f"the file is no blendshape regression of lifemask: {reason}",
        hint="Use the one that ships with lifemask, or train one with tools/regression/train.py.",
    )
