"""Fine folds where skin is compressed: noise whose stripes lie across the compression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LONG = 2.2
_SHORT = 0.8
"""Reach of one stripe along and across itself, in wavelengths."""
_DENSITY = 1.6
"""Stripes that overlap at each point."""
_THRESHOLD = 0.25
_SEED = 20181


def fold_lines(
    across: NDArray[np.floating], wavelength: NDArray[np.floating], seed: int = 0
) -> NDArray[np.float32]:
    """Return irregular lines that run at right angles to a direction field.

    Sparse Gabor noise (Lagae et al. 2009): short waves at random places, each turned to the
    local direction, added up and cut so that narrow lines remain.

    Args:
        across: `(height, width, 2)` unit direction across the lines, x right, y down; its sign
            means nothing; 0 where there is no skin.
        wavelength: `(height, width)` distance of lines, texels.
        seed: For other lines with the same field.

    Returns:
        `(height, width)` float32: 1 in the middle of a fold, 0 beside it, slightly negative on
        the bulges between folds.
    """
    height, width = wavelength.shape
    random = np.random.default_rng(_SEED + seed)
    total, energy = np.zeros((height, width)), np.full((height, width), 1e-3)
    typical = float(np.median(wavelength))
    area = np.pi * _LONG * _SHORT * typical**2
    count = int(_DENSITY * 4 * height * width / max(area, 1))
    places = random.uniform(0, 1, (count, 2)) * [width, height]
    phases = random.uniform(-0.5, 0.5, count)
    for (x, y), phase in zip(places, phases, strict=True):
        column, row = min(int(x), width - 1), min(int(y), height - 1)
        turn = across[row, column]
        if not turn.any():
            continue
        wave = float(wavelength[row, column])
        reach = int(np.ceil(2.5 * _LONG * wave))
        rows = slice(max(row - reach, 0), min(row + reach + 1, height))
        columns = slice(max(column - reach, 0), min(column + reach + 1, width))
        dy, dx = np.mgrid[rows, columns] + 0.5
        dx, dy = dx - x, dy - y
        beside = dx * turn[0] + dy * turn[1]
        along = -dx * turn[1] + dy * turn[0]
        bell = np.exp(-0.5 * ((along / (_LONG * wave)) ** 2 + (beside / (_SHORT * wave)) ** 2))
        total[rows, columns] += bell * np.cos(2 * np.pi * (beside / wave + 0.15 * phase))
        energy[rows, columns] += bell * bell
    noise = total / np.sqrt(energy)
    sharp = np.clip((noise - _THRESHOLD) / (1.2 - _THRESHOLD), 0, 1)
    line = sharp * sharp * (3 - 2 * sharp)
    return (line - 0.12 * np.clip(-noise, 0, 1)).astype(np.float32)
