"""Bounds and priors of the expression coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES
from lifemask.tracking._settings import EXCLUSIVE_PAIRS, prior_factors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.tracking._settings import SolveSettings

SOLVED: Final = np.array(
    [
        index
        for index, name in enumerate(COEFFICIENT_NAMES)
        if name != "tongueOut" and not name.startswith("eyeLook")
    ]
)
"""Coefficients that are unknowns: `eyeLook*` follow from the gaze, `tongueOut` is not seen."""

_OPPOSITES = (
    ("jawLeft", "jawRight"),
    ("mouthLeft", "mouthRight"),
    ("eyeBlinkLeft", "eyeWideLeft"),
    ("eyeBlinkRight", "eyeWideRight"),
)
_JAW_OPEN = COEFFICIENT_INDEX["jawOpen"]
_MOUTH_CLOSE = COEFFICIENT_INDEX["mouthClose"]
_SLACK = 1e-3
_ONE_WAY, _OTHER_WAY = (
    np.array([COEFFICIENT_INDEX[pair[side]] for pair in _OPPOSITES]) for side in (0, 1)
)
_FIRST, _SECOND = (np.array(side) for side in zip(*EXCLUSIVE_PAIRS, strict=True))


class CoefficientPrior:
    """Sparsity, ridge, exclusive pairs and bounds of the solved coefficients.

    Args:
        settings: Weights of the terms.
    """

    def __init__(self, settings: SolveSettings) -> None:
        factors = prior_factors()
        self._sparsity = settings.sparsity * factors
        self._ridge = settings.ridge * factors
        self._fade = settings.fade
        self._exclusive = settings.exclusive

    def gradient(self, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `(n_solved,)`.

        A pair's product is linearised about the present values, so that each coefficient pays
        for what its opponent does: the Hessian stays positive definite.
        """
        slope = self._sparsity / (1.0 + coefficients / self._fade) + self._ridge * coefficients
        np.add.at(slope, _FIRST, self._exclusive * coefficients[_SECOND])
        np.add.at(slope, _SECOND, self._exclusive * coefficients[_FIRST])
        return slope[SOLVED]

    def curvature(self) -> NDArray[np.float64]:
        """Return the diagonal of the Hessian, `(n_solved,)`."""
        return self._ridge[SOLVED]

    def _sparse(self, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values whose slope is `1 / (1 + c / fade)`."""
        if np.isinf(self._fade):
            return coefficients
        return self._fade * np.log1p(coefficients / self._fade)

    def energy(self, coefficients: NDArray[np.float64]) -> float:
        """Return the prior's value."""
        pairs = self._exclusive * np.sum(coefficients[_FIRST] * coefficients[_SECOND])
        sparse = self._sparsity[SOLVED] @ self._sparse(coefficients[SOLVED])
        return float(sparse + 0.5 * self._ridge[SOLVED] @ coefficients[SOLVED] ** 2 + pairs)


def highest(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the most `(52,)` that each coefficient may be, given the others.

    `mouthClose` brings the lips together against an open jaw, so it never exceeds `jawOpen`. Of
    two coefficients that move the same tissue to opposite sides the smaller one stays away:
    together they would imitate a third motion.
    """
    caps = np.ones(len(coefficients))
    caps[_MOUTH_CLOSE] = coefficients[_JAW_OPEN]
    first, second = coefficients[_ONE_WAY], coefficients[_OTHER_WAY]
    caps[_ONE_WAY[first < second]] = 0.0
    caps[_OTHER_WAY[second < first]] = 0.0
    # Bounds that coincide would leave the quadratic program without an inside.
    return np.maximum(caps, _SLACK)


def step_bounds(
    coefficients: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest change `(n_solved,)` of coefficients within `highest`."""
    return -coefficients[SOLVED], (highest(coefficients) - coefficients)[SOLVED]
