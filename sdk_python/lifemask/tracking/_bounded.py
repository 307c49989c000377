"""Strictly convex quadratic programs with box bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_TRIES = 3
"""Block exchanges that may fail to improve before single exchanges take over."""

_TOLERANCE = 1e-9


def minimise_in_box(
    hessian: NDArray[np.float64],
    gradient: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    *,
    iterations: int = 100,
) -> NDArray[np.float64]:
    """Minimise `x' H x / 2 + g' x` over `low <= x <= high`.

    Block principal pivoting with Murty's rule as a fallback (Júdice and Pires 1994), which ends
    after finitely many exchanges for a positive definite matrix.

    Args:
        hessian: `(n, n)` symmetric positive definite.
        gradient: `(n,)`, the gradient at zero.
        low: `(n,)`, may hold `-inf`.
        high: `(n,)`, may hold `inf`; not below `low`.
        iterations: Most exchanges; the projection of the last iterate is returned after them.

    Returns:
        `(n,)` the minimiser.
    """
    side = np.zeros(len(gradient), np.int8)  # -1 at the lower bound, 1 at the upper, 0 free
    fewest, tries = len(gradient) + 1, _BLOCK_TRIES
    x = gradient
    for _ in range(iterations):
        x = _with_fixed(hessian, gradient, side, low, high)
        change = _violations(x, hessian @ x + gradient, side, low, high)
        count = int(np.count_nonzero(change != side))
        if count == 0:
            break
        if count < fewest:
            fewest, tries = count, _BLOCK_TRIES
        else:
            tries -= 1
        if tries > 0:
            side = change
        else:
            last = int(np.flatnonzero(change != side)[-1])
            side[last] = change[last]
    return np.clip(x, low, high)


def _with_fixed(
    hessian: NDArray[np.float64],
    gradient: NDArray[np.float64],
    side: NDArray[np.int8],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Minimise over the free variables with the others at their bounds."""
    free = np.flatnonzero(side == 0)
    x = np.where(side < 0, low, np.where(side > 0, high, 0.0))
    x[free] = 0.0
    right = -(gradient + hessian @ x)[free]
    x[free] = np.linalg.solve(hessian[np.ix_(free, free)], right)
    return x


def _violations(
    x: NDArray[np.float64],
    slope: NDArray[np.float64],
    side: NDArray[np.int8],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> NDArray[np.int8]:
    """Return the side each variable wants to be on."""
    wanted = side.copy()
    wanted[(side == 0) & (x < low - _TOLERANCE)] = -1
    wanted[(side == 0) & (x > high + _TOLERANCE)] = 1
    wanted[(side < 0) & (slope < -_TOLERANCE)] = 0
    wanted[(side > 0) & (slope > _TOLERANCE)] = 0
    return wanted
