"""Repeatable smooth noise for what no picture shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.appearance._atlas import sample_bilinear

if TYPE_CHECKING:
    from numpy.typing import NDArray


def periodic_noise(
    around: NDArray[np.floating],
    across: NDArray[np.floating],
    cells: tuple[int, int],
    seed: int,
) -> NDArray[np.float32]:
    """Return value noise `(n,)`, zero mean, unit variance over its cells.

    Args:
        around: `(n,)` position in [0, 1) of the coordinate that wraps.
        across: `(n,)` position in [0, 1] of the other one.
        cells: Number of cells in each direction.
        seed: Which noise.
    """
    table = np.random.default_rng(seed).standard_normal((cells[1] + 1, cells[0]))
    wrapped = np.concatenate([table, table[:, :1]], axis=1).astype(np.float32)
    x = (np.mod(around, 1.0) * cells[0]) + 0.5
    y = np.clip(across, 0, 1) * cells[1] + 0.5
    return sample_bilinear(wrapped[..., None], np.stack([x, y], axis=1))[:, 0]
