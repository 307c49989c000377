"""Repeatable noise in space and time: what procedural skins, rooms and motions are made of."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_LATTICE = 48
"""Cells after which noise in space repeats."""


def space_noise(points: NDArray[np.floating], cell: ArrayLike, seed: int) -> NDArray[np.float32]:
    """Return smooth value noise `(n,)`, about zero mean and unit variance.

    Args:
        points: `(n, 3)` in any unit.
        cell: Size of a cell in that unit: a number, or `(3,)` for stretched noise.
        seed: Which noise.
    """
    from scipy.ndimage import map_coordinates

    places = np.asarray(points, np.float32) / np.asarray(cell, np.float32)
    values = map_coordinates(_lattice(seed), places.T, order=1, mode="grid-wrap")
    # Linear interpolation averages eight independent values, 0.3 of their variance is left.
    return np.asarray(values * np.float32(1.84), np.float32)


@functools.lru_cache(maxsize=4)
def _lattice(seed: int) -> NDArray[np.float32]:
    random = np.random.default_rng([seed, 0x5EED])
    return random.standard_normal((_LATTICE,) * 3).astype(np.float32)


def drift(times: NDArray[np.floating], period: float, seed: int) -> NDArray[np.float64]:
    """Return smooth noise `(n,)` in [-1, 1] over time, twice differentiable.

    Args:
        times: `(n,)` seconds.
        period: Seconds in which it wanders once.
        seed: Which noise.
    """
    from scipy.interpolate import BSpline

    places = np.asarray(times, np.float64) / period
    count = int(np.ceil(places.max(initial=0.0))) + 8
    values = np.random.default_rng([seed, 0xD21F7]).uniform(-1, 1, count)
    return np.asarray(BSpline(np.arange(-3, count + 1), values, 3)(places), np.float64)


def ease(x: ArrayLike) -> NDArray[np.float64]:
    """Return the minimum-jerk step: 0 below 0, 1 above 1, smooth between."""
    x = np.clip(np.asarray(x, np.float64), 0.0, 1.0)
    return x**3 * (10.0 + x * (6.0 * x - 15.0))
