"""Kernel regression of textures: what a network is taught before it sees pictures.

Each region predicts its texels as a weighted mean of the training frames; weights follow from the
distance of the inputs, measured along those that move the region. On held-out stretches of real
clips this is better than a linear texture and than a network of the same size trained from
nothing, and where no frame is near it falls back to the mean instead of running away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WIDTHS: Final = (0.5, 1.0, 2.0, 4.0)
"""Of the kernel, tried; over the median squared distance of two frames."""
_RIDGES: Final = (0.03, 0.1, 0.3, 1.0)
"""Noise over signal, tried."""
_SENSITIVITY_RIDGE: Final = 0.1
_FLOOR: Final = 0.1
"""Least weight of an input in the distance, against that of the most telling one."""
_FOLDS: Final = 4
_TRIED_VALUES: Final = 6000


@dataclass(frozen=True)
class RegionTeacher:
    """Kernel regression of one region.

    Attributes:
        metric: `(59,)` what normalised inputs are multiplied with before distances are taken.
        centres: `(n, 59)` training inputs, multiplied with it.
        width: Squared distance at which a frame's influence falls to 1 / e.
        ridge: Noise over signal.
    """

    metric: NDArray[np.float64]
    centres: NDArray[np.float64]
    width: float
    ridge: float

    def kernel(self, inputs: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return `(m, n)`, how near inputs `(m, 59)`, normalised, are to the training frames."""
        near = np.asarray(inputs, np.float64) * self.metric
        return np.exp(_squared_distances(near, self.centres) / -self.width)

    def solve(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return `(n, k)`, with which `kernel(inputs) @ solved` predicts values `(n, k)`."""
        own = np.exp(_squared_distances(self.centres, self.centres) / -self.width)
        own[np.diag_indices(len(own))] += self.ridge
        return np.asarray(np.linalg.solve(own, np.asarray(values, np.float64)), np.float64)


def sensitivity(
    inputs: NDArray[np.float32], deviations: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return `(59,)` in [0.1, 1], how much each input moves a region, by ridge regression.

    Args:
        inputs: `(n, 59)` normalised.
        deviations: `(n, m)` from the mean, each value multiplied with what it counts.
    """
    centred = inputs.astype(np.float64) - inputs.mean(axis=0)
    gram = centred.T @ centred
    gram[np.diag_indices(len(gram))] += _SENSITIVITY_RIDGE * len(inputs)
    slopes = np.linalg.solve(gram, centred.T).astype(np.float32) @ deviations
    strength = np.sqrt(np.square(slopes).sum(axis=1, dtype=np.float64))
    return _FLOOR + (1.0 - _FLOOR) * strength / max(float(strength.max()), 1e-12)


def fit_teacher(
    inputs: NDArray[np.float32], deviations: NDArray[np.float32], shown: NDArray[np.floating]
) -> RegionTeacher:
    """Choose width and ridge by the error on stretches of the clip held out in turn.

    Args:
        inputs: `(n, 59)` normalised, in the order of time.
        deviations: `(n, m)` from the mean, each value multiplied with the root of what it counts
            and with `shown`.
        shown: `(n, m)` in [0, 1], how well each frame shows each value.
    """
    metric = sensitivity(inputs, deviations)
    centres = inputs.astype(np.float64) * metric
    distances = _squared_distances(centres, centres)
    scale = max(float(np.median(distances)), 1e-9)
    tried = slice(None, None, max(deviations.shape[1] // _TRIED_VALUES, 1))
    some, seen = deviations[:, tried], shown[:, tried].astype(np.float32)
    fold = np.arange(len(inputs)) * 2 * _FOLDS // len(inputs) % _FOLDS
    errors = np.zeros((len(_WIDTHS), len(_RIDGES)))
    for row, width in enumerate(_WIDTHS):
        near = np.exp(distances / (-width * scale))
        for number in range(_FOLDS):
            held = fold == number
            values, vectors = np.linalg.eigh(near[np.ix_(~held, ~held)])
            left = (near[np.ix_(held, ~held)] @ vectors).astype(np.float32)
            right = vectors.T.astype(np.float32) @ some[~held]
            for column, ridge in enumerate(_RIDGES):
                found = (left / (values + ridge).astype(np.float32)) @ right
                errors[row, column] += float(np.square(some[held] - seen[held] * found).sum())
    row, column = np.unravel_index(np.argmin(errors), errors.shape)
    return RegionTeacher(metric, centres, _WIDTHS[row] * scale, _RIDGES[column])


def _squared_distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None] - 2.0 * a @ b.T
    return np.maximum(squares, 0.0)
