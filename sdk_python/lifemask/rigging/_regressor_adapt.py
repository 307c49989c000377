"""Fitting the landmark model to a person, from a clip that the solver has solved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_NAMES
from lifemask.rigging._onnx_weights import add_metadata, read_weight, replace_weights
from lifemask.rigging._regressor import BlendshapeRegressor, regression_model_bytes
from lifemask.tracking import LANDMARK_COUNT

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FEWEST_FRAMES: Final = 30
"""Frames of a clip below which a person is not adapted to."""

_REST_SHARE: Final = 0.05
_MOST_AT_REST: Final = 20
_LAST: Final = ("weight2", "bias2")
"""Weights of the network's last layer."""

_SHRINKAGE: Final = 0.3
"""Weight of staying with the generic layer, in units of the features' own sum of squares."""

_FOLLOWED: Final = np.array(
    [name.startswith(("browInnerUp", "browOuterUp", "mouthPucker")) for name in COEFFICIENT_NAMES]
)
"""Channels on which the solver is nearer to the truth of synthetic people than the calibrated
network and the adapted network gains from it; on the others following the solver would harm.
`tools/regression/compare.py` prints all three."""

_SLEEPY: Final = np.array(
    [name.startswith(("eyeBlink", "eyeLookDown")) for name in COEFFICIENT_NAMES]
)
_AWAKE: Final = 3.0
"""How much more lids and lowered eyes count against rest than other coefficients."""

_LOOKS: Final = np.array([name.startswith("eyeLook") for name in COEFFICIENT_NAMES])


def adapt_regressor(
    landmarks: ArrayLike, coefficients: ArrayLike, model: bytes | None = None
) -> bytes:
    """Fit the landmark model to a person, from a clip that the solver has solved.

    The calmest frames tell the person's face at rest; then the last layer is moved, by ridge
    regression on its features with shrinkage to the generic layer, toward what the solver says of
    raised brows and puckered lips, which it sees better than the network.
    The result is a complete network with the same inputs and outputs, which an engine runs in
    place of the generic one; `BlendshapeRegressor` takes the face at rest from its metadata.

    Args:
        landmarks: `(n, 478, 2)` or more columns, pixels. Rows with values that are not finite
            are frames without a face and left out.
        coefficients: `(n, 52)` in [0, 1] of the same frames.
        model: The network to start from; the one that ships with lifemask when left out.

    Returns:
        The network as an ONNX file; the unchanged one where fewer than 30 frames show a face.

    Raises:
        ValueError: Shapes that do not go together.
        ModelFileError: `model` is no such network.
    """
    points = np.asarray(landmarks, np.float64)
    wanted = np.asarray(coefficients, np.float64)
    if points.ndim != 3 or points.shape[1] != LANDMARK_COUNT or points.shape[2] < 2:
        raise ValueError(f"landmarks have shape {points.shape}, expected (n, {LANDMARK_COUNT}, 2)")
    if wanted.shape != (len(points), COEFFICIENT_COUNT):
        raise ValueError(f"coefficients have shape {wanted.shape} for {len(points)} frames")
    data = regression_model_bytes() if model is None else model
    seen = np.isfinite(points[..., :2]).all(axis=(1, 2)) & np.isfinite(wanted).all(axis=1)
    if seen.sum() < FEWEST_FRAMES:
        return data
    points, wanted = points[seen][..., :2], wanted[seen]
    regressor = BlendshapeRegressor(data)
    neutral = regressor.normalizer.neutral_offset(points[resting(wanted)]).mean(axis=0)
    neutral = np.round(neutral, 5)
    inputs = regressor.normalizer(points, neutral)
    features = np.stack([regressor.run_features(one) for one in inputs]).astype(np.float64)
    weight, bias = (read_weight(data, name).copy() for name in _LAST)
    rows = np.flatnonzero(regressor.validity & _FOLLOWED)
    step, shift = _correction(features, wanted[:, rows], weight[rows], bias[rows])
    weight[rows] += step.astype(np.float32)
    bias[rows] += shift.astype(np.float32)
    changed = replace_weights(data, dict(zip(_LAST, (weight, bias), strict=True)))
    text = json.dumps([[float(f"{x:.5g}") for x in row] for row in neutral])
    return add_metadata(changed, "person_neutral", text)


def resting(coefficients: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the frames that show the least expression, with eyes that are open and look ahead.

    Who looks down has half closed lids, which are no expression and no rest either.

    Args:
        coefficients: `(n, 52)`.
    """
    total = coefficients[:, ~_LOOKS].sum(axis=1) + _AWAKE * coefficients[:, _SLEEPY].sum(axis=1)
    count = int(np.clip(_REST_SHARE * len(total), 1, _MOST_AT_REST))
    return np.sort(np.argsort(total, kind="stable")[:count])


def _correction(
    features: NDArray[np.float64],
    wanted: NDArray[np.float64],
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what to add to weight `(k, m)` and bias `(k,)`.

    Minimises `|F dW' + db - E|² + s |F|² / m |dW|²` with E what is missing to the solver's answer;
    an answer beyond 0 or 1 that is cut to the right one misses nothing.
    """
    raw = features @ weight.T.astype(np.float64) + bias
    missing = wanted - raw
    missing[(wanted <= 0) & (missing > 0)] = 0.0
    missing[(wanted >= 1) & (missing < 0)] = 0.0
    mean, middle = features.mean(axis=0), missing.mean(axis=0)
    centred = features - mean
    gram = centred.T @ centred
    firm = _SHRINKAGE * np.trace(gram) / len(gram) + 1e-6  # a face may hold perfectly still
    step = np.linalg.solve(gram + firm * np.eye(len(gram)), centred.T @ (missing - middle)).T
    return step, middle - step @ mean
