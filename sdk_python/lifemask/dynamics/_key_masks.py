"""Many activation masks as sums of a few that fit into the channels of two pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.dynamics._key import MASK_CHANNELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS: Final = 80
_TEXELS: Final = 1000
_TINY: Final = 1e-8


def factor_masks(
    activation: NDArray[np.floating],
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Write masks as sums of at most six, none negative (Lee and Seung 2001).

    Args:
        activation: `(65, height, width)`, not negative; drivers that count for nothing are 0.

    Returns:
        `(65, 6)` float32 and `(height, width, 6)` uint8: a mask is the sum over the channels of
        the first times the second / 255.
    """
    drivers, height, width = activation.shape
    flat = np.asarray(activation, np.float64).reshape(drivers, -1)
    strong = flat.max(axis=1) > 1e-3
    channels = np.zeros((drivers, MASK_CHANNELS), np.float32)
    masks = np.zeros((height, width, MASK_CHANNELS), np.uint8)
    if not strong.any():
        return channels, masks
    rows = flat[strong]
    some = rows[:, :: max(1, rows.shape[1] // _TEXELS)]
    starts = _different(rows)
    parts = some[starts] + 1e-3 * some.max()
    shares = np.full((len(rows), len(starts)), 1.0 / len(starts))
    for _ in range(_ROUNDS):
        shares *= (some @ parts.T) / (shares @ (parts @ parts.T) + _TINY)
        parts *= (shares.T @ some) / ((shares.T @ shares) @ parts + _TINY)
    whole = rows[starts] + 1e-3 * rows.max()
    for _ in range(_ROUNDS):
        whole *= (shares.T @ rows) / ((shares.T @ shares) @ whole + _TINY)
    peaks = np.maximum(whole.max(axis=1), _TINY)
    channels[np.flatnonzero(strong), : len(starts)] = shares * peaks
    masks.reshape(-1, MASK_CHANNELS)[:, : len(starts)] = np.rint(255 * (whole / peaks[:, None]).T)
    return channels, masks


def _different(rows: NDArray[np.float64]) -> list[int]:
    """Return up to six rows that point into the most different directions, strongest first."""
    length = np.linalg.norm(rows, axis=1)
    left = rows.copy()
    chosen: list[int] = []
    while len(chosen) < MASK_CHANNELS:
        rest = np.linalg.norm(left, axis=1)
        best = int(np.argmax(rest))
        if rest[best] < 0.02 * length.max():
            break
        chosen.append(best)
        direction = left[best] / rest[best]
        left = left - np.outer(left @ direction, direction)
    return chosen
