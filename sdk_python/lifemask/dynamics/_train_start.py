"""The closed-form start of a texture network: ridge regression, reduced to a few maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.dynamics._train_data import shuffled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.dynamics._network import NetworkSpec
    from lifemask.dynamics._train_data import TrainingSet

_PENALTIES: Final = (0.003, 0.03, 0.3, 3.0)
"""Tried; over the number of samples, for inputs of unit variance."""
_FOLDS: Final = 4
_MOST: Final = 480
"""Samples that are fitted; of more, every second, third, …"""


def linear_start(
    data: TrainingSet, cells: NDArray[np.int64], spec: NetworkSpec
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Fit the basis maps and their linear weights to the training samples.

    Ridge regression for each texel and, in each region by itself, the principal directions of
    what it predicts, weighted by how much the texels count. The penalty is the one with the
    smallest error on blocks of frames held out in turn.

    Args:
        data: Only its training samples are read.
        cells: Regions by cell, see `region_cells`.
        spec: How many maps, and how large.

    Returns:
        Weights `(rank regions, 59)` and biases `(rank regions,)`, region by region within each
        rank, and the maps `(rank, 3, side, side)`, scaled so that weights have unit variance.
    """
    chosen = np.arange(0, data.train, -(-data.train // _MOST))
    known, root = _pooled(data, chosen, spec.basis_size)
    ones = np.ones((len(chosen), 1), np.float32)
    inputs = np.concatenate([data.inputs[chosen], ones], axis=1).astype(np.float64)
    solution = _ridge(inputs, known, _best_penalty(inputs, known))
    gram = inputs.T @ inputs
    factor = np.linalg.cholesky(gram + 1e-9 * np.trace(gram) * np.eye(len(gram)))
    weights = np.zeros((spec.rank, spec.regions, inputs.shape[1]))
    maps = np.zeros((spec.rank, known.shape[1]), np.float32)
    region = np.tile(cells.repeat(2, axis=0).repeat(2, axis=1).ravel(), 3)
    for number in range(spec.regions):
        own = np.flatnonzero((region == number) & (root > 0))
        if not len(own):
            continue
        # The directions of the predictions, found through the small side of the solution.
        part = solution[:, own]
        found = np.linalg.svd(factor.T @ part, full_matrices=False)[2][: spec.rank]
        toward = part @ found.T
        spread = np.maximum((inputs @ toward).std(axis=0), 1e-6)
        weights[: len(found), number] = (toward / spread).T
        maps[: len(found), own] = found * spread[:, None] / root[own]
    flat = weights.reshape(-1, inputs.shape[1]).astype(np.float32)
    side = spec.basis_size
    return flat[:, :-1], flat[:, -1], maps.reshape(spec.rank, 3, side, side)


def _pooled(
    data: TrainingSet, chosen: NDArray[np.int64], side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return samples `(n, 3 side side)` and the root of what each value counts.

    What was not seen is filled with the mean of what was; samples come multiplied with the root.
    """
    shape = (*data.importance.shape, 3)
    total, weight = np.zeros(shape, np.float32), np.full((*shape[:2], 1), 1e-6, np.float32)
    for index in chosen:
        share = _share(data, index)
        total += shuffled(data.targets[index : index + 1])[0] * share
        weight += share
    mean = total / weight
    root = np.sqrt(_block_means(data.importance[..., None], side)[..., 0])
    known = np.empty((len(chosen), 3, side, side), np.float32)
    for row, index in enumerate(chosen):
        target = shuffled(data.targets[index : index + 1])[0]
        filled = mean + _share(data, index) * (target - mean)
        known[row] = _block_means(filled, side).transpose(2, 0, 1) * root
    return known.reshape(len(chosen), -1), np.tile(root.ravel(), 3)


def _share(data: TrainingSet, index: int) -> NDArray[np.float32]:
    return shuffled(data.seen[index : index + 1])[0] / np.float32(255)


def _block_means(picture: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    factor, channels = picture.shape[0] // side, picture.shape[2]
    parts = picture.reshape(side, factor, side, factor, channels)
    return parts.mean(axis=(1, 3))


def _ridge(
    inputs: NDArray[np.float64], targets: NDArray[np.float32], penalty: float
) -> NDArray[np.float32]:
    """Return `(60, m)`, the weights of inputs `(n, 60)` whose last column is constant.

    The constant is not penalised.
    """
    diagonal = np.full(inputs.shape[1], penalty * len(inputs))
    diagonal[-1] = 1e-9
    inverse = np.linalg.solve(inputs.T @ inputs + np.diag(diagonal), inputs.T)
    return inverse.astype(np.float32) @ targets


def _best_penalty(inputs: NDArray[np.float64], targets: NDArray[np.float32]) -> float:
    blocks = np.arange(len(inputs)) * 2 * _FOLDS // len(inputs)
    errors = dict.fromkeys(_PENALTIES, 0.0)
    for fold in range(_FOLDS):
        held = blocks % _FOLDS == fold
        for penalty in _PENALTIES:
            solution = _ridge(inputs[~held], targets[~held], penalty)
            rest = targets[held] - inputs[held].astype(np.float32) @ solution
            errors[penalty] += float(np.square(rest).sum())
    return min(_PENALTIES, key=errors.__getitem__)
