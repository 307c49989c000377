"""Taking the tremble out of a solved clip's head without delaying its motion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.geometry import Pose, axis_angle_matrix, matrix_axis_angle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_WIDTHS: Final = (0.03, 0.06, 0.12, 0.25, 0.5, 1.0)
"""Seconds, one standard deviation of the windows that compete."""

_CONFIDENCE: Final = 1.5
"""Half of a confidence interval in standard deviations of its estimate."""

_WANDER: Final = (0.0003, 0.0003, 0.0003, 0.00003, 0.00003, 0.0002)
"""How far landmarks let a still head wander slowly: turns, rad, and the place across and away,
shares of the distance. Less is not believed to be motion, however long it lasts."""

_TREMBLE: Final = 2.0
"""Most noise from frame to frame, in units of the wandering."""

_REACH: Final = 3.0
"""Standard deviations after which a window ends."""

_STEADY: Final = 5
"""Frames around each whose narrowest window counts; then the choice is averaged over as many, so
that it does not jump."""


def calm_poses(poses: Sequence[Pose], middle: NDArray[np.float64], rate_hz: float) -> list[Pose]:
    """Smooth the poses of consecutive frames as far as the head holds still.

    Landmarks tremble by a fraction of a pixel, and one picture tells the distance from the camera
    ten times worse than the place across. Each of the six motions is fitted by a line through a
    window around every frame; the window is the widest one whose estimate still agrees with those
    of all narrower ones (intersection of confidence intervals, Goldenshluger and Nemirovski
    1997). So a still head is averaged over seconds and a turning one hardly at all, and windows
    that reach both ways cause no delay. Depth is smoothed along the line of sight: the head stays
    where it is in the picture.

    Args:
        poses: Head frame to camera frame.
        middle: `(3,)` m, head frame, of the face: turns about it and its place are seen apart.
        rate_hz: Frames per second.

    Returns:
        As many poses.
    """
    if len(poses) < 2 * _STEADY:
        return list(poses)
    before = poses[len(poses) // 2].rotation
    turns = np.array([matrix_axis_angle(pose.rotation @ before.T) for pose in poses])
    places = np.array([pose.apply(middle) for pose in poses])
    sight = places[:, :2] / places[:, 2:]
    calm = calm_values(
        np.concatenate([turns, sight, np.log(-places[:, 2:])], axis=1), np.array(_WANDER), rate_hz
    )
    found = []
    for row in calm:
        rotation, depth = axis_angle_matrix(row[:3]) @ before, -np.exp(row[5])
        place = np.array([row[3] * depth, row[4] * depth, depth])
        found.append(Pose(rotation, place - rotation @ middle))
    return found


def calm_values(
    values: NDArray[np.float64], wander: NDArray[np.float64], rate_hz: float
) -> NDArray[np.float64]:
    """Return `(n, m)` with noise of every column averaged out where nothing else changes.

    Args:
        values: `(n, m)`, one row for each frame.
        wander: `(m,)`, slow change of each column that is no motion.
        rate_hz: Frames per second.
    """
    # Second differences of white noise have six times its variance.
    bends = np.diff(values, 2, axis=0)
    noise = np.median(np.abs(bends), axis=0) / 0.6745 / np.sqrt(6.0)
    # A head that never rests bends all the time: more than landmarks tremble is motion.
    noise = np.minimum(noise, _TREMBLE * wander)
    fits, spreads = [values], [np.ones(len(values))]
    for width in _WIDTHS:
        fit, spread = _line_fits(values, width * rate_hz)
        fits.append(fit)
        spreads.append(spread)
    low, high = np.full(values.shape, -np.inf), np.full(values.shape, np.inf)
    chosen, agrees = np.zeros(values.shape), np.ones(values.shape, bool)
    for number, (fit, spread) in enumerate(zip(fits, spreads, strict=True)):
        half = _CONFIDENCE * np.maximum(spread[:, None] * noise, wander)
        low, high = np.maximum(low, fit - half), np.minimum(high, fit + half)
        agrees &= low <= high
        chosen[agrees] = number
    return _between(np.stack(fits), _averaged(chosen))


def _line_fits(
    values: NDArray[np.float64], width: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lines through Gaussian windows of `width` frames, read at their middles.

    Returns:
        `(n, m)`, and their standard deviation `(n,)` for noise of one.
    """
    reach = max(1, min(round(_REACH * width), len(values) - 1))
    away = np.arange(-reach, reach + 1, dtype=np.float64)
    window = np.exp(-0.5 * (away / width) ** 2)

    def summed(rows: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
        # A convolution turns the kernel round: its odd powers have to be turned before.
        return np.convolve(rows, kernel[::-1])[reach : reach + len(rows)]

    ones = np.ones(len(values))
    s0, s1, s2 = (summed(ones, window * away**k) for k in range(3))
    q0, q1, q2 = (summed(ones, window**2 * away**k) for k in range(3))
    det = s0 * s2 - s1**2
    fit = np.stack(
        [
            (s2 * summed(column, window) - s1 * summed(column, window * away)) / det
            for column in values.T
        ],
        axis=1,
    )
    return fit, np.sqrt(s2**2 * q0 - 2 * s1 * s2 * q1 + s1**2 * q2) / det


def _averaged(chosen: NDArray[np.float64]) -> NDArray[np.float64]:
    half = _STEADY // 2

    def around(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        padded = np.pad(rows, ((half, half), (0, 0)), mode="edge")
        return np.stack([padded[i : i + len(rows)] for i in range(_STEADY)])

    return around(around(chosen).min(axis=0)).mean(axis=0)


def _between(fits: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return fits `(k, n, m)` read between two of them at `(n, m)` in [0, k - 1]."""
    first = np.minimum(place.astype(int), len(fits) - 2)
    share = place - first
    rows, columns = np.indices(place.shape)
    return (1 - share) * fits[first, rows, columns] + share * fits[first + 1, rows, columns]
