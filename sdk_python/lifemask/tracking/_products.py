"""Matrix products that stay on the calling thread.

A threaded BLAS shares out products of these sizes, a tenth of a millisecond of work, and then
waits for its threads: on a machine that is busy, and a game is running on it, that wait takes
tens of milliseconds. Products of small blocks stay below the size from which threads are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST_BLOCK = 240_000
"""Multiplications in one block; OpenBLAS uses threads from 262,144 on."""


def gram(
    rows: NDArray[np.float64], right: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `A' A` and `A' b`.

    Args:
        rows: A, `(n, m)`.
        right: b, `(n,)`.
    """
    count, width = rows.shape
    height = max(1, _LARGEST_BLOCK // (width + 1) ** 2)
    blocks = -(-count // height)
    padded = np.zeros((blocks * height, width + 1))
    padded[:count, :width] = rows
    padded[:count, width] = right
    total, one = np.zeros((width + 1, width + 1)), np.empty((width + 1, width + 1))
    # One after the other: all at once would be tens of megabytes to write and to read again.
    for start in range(0, blocks * height, height):
        block = padded[start : start + height]
        total += np.matmul(block.T, block, out=one)
    return total[:width, :width], total[:width, width]


def product(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `A B` of `(n, k)` and `(k, m)`."""
    height = max(1, _LARGEST_BLOCK // max(1, right.size))
    if height >= len(left):
        return left @ right
    return np.concatenate(
        [left[start : start + height] @ right for start in range(0, len(left), height)]
    )
