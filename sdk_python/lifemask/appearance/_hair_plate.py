"""Smooth values on the rings of a hair grid: thin plates with tension through data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lifemask.appearance._hair_grid import AROUND, DOME, ROWS
from lifemask.appearance._pyramid import blur

if TYPE_CHECKING:
    from numpy.typing import NDArray


def blurred(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Blur ring values `(ROWS, AROUND)`; rings close on themselves."""
    return blur(np.tile(values, (1, 3)), sigma)[:, AROUND : 2 * AROUND].astype(np.float64)


def smoothness(stiffness: float, tension: float) -> Any:
    """Return the matrix of the smoothness energy over the ring values."""
    from scipy import sparse

    count = ROWS * AROUND
    index = np.arange(count).reshape(ROWS, AROUND)
    # Rings are small about the crown: neighbours on them are near.
    size = np.minimum(np.sin(np.minimum((np.arange(ROWS) + 1) / DOME, 1.0) * np.pi / 2), 1.0)
    along = np.repeat((1.0 / np.maximum(size, 0.15))[:, None], AROUND, axis=1)
    down = np.repeat(size[:-1, None], AROUND, axis=1)
    pairs = [
        (index.ravel(), np.roll(index, -1, axis=1).ravel(), along.ravel()),
        (index[:-1].ravel(), index[1:].ravel(), down.ravel()),
        # Across the crown.
        (index[0, : AROUND // 2], index[0, AROUND // 2 :], np.full(AROUND // 2, 0.5)),
    ]
    first, second, weight = (np.concatenate([p[k] for p in pairs]) for k in range(3))
    links = sparse.coo_matrix((weight, (first, second)), (count, count))
    links = (links + links.T).tocsr()
    degree = np.asarray(links.sum(axis=1)).ravel()
    laplacian = sparse.diags(degree) - links
    umbrella = sparse.diags(1.0 / degree) @ laplacian
    return (stiffness * (umbrella.T @ umbrella) + tension * laplacian).tocsc()


def solve(
    smooth: Any,
    wanted: NDArray[np.float64],
    weight: NDArray[np.float64],
    prior: NDArray[np.float64],
    prior_weight: float | NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the values `(ROWS, AROUND)` that follow data smoothly.

    Args:
        smooth: Energy of `smoothness`.
        wanted: `(ROWS, AROUND)` data.
        weight: `(ROWS, AROUND)` of the data.
        prior: `(ROWS, AROUND)` where nothing tells more.
        prior_weight: Of the prior.
    """
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    data = weight.ravel()
    doubt = np.broadcast_to(prior_weight, weight.shape).ravel()
    matrix = smooth + sparse.diags(data + doubt)
    right = data * wanted.ravel() + doubt * prior.ravel()
    return np.asarray(spsolve(matrix.tocsc(), right)).reshape(wanted.shape)
