"""What synthetic people do in front of the camera: the capture protocol's clips, and test motions.

All motions are smooth functions of time and a seed; expressions are truth by construction.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.capture import DOUBT, SMILE, SURPRISE, VISEMES
from lifemask.evaluation.synthetic._acts import ACTS
from lifemask.evaluation.synthetic._noise import drift, ease
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX
from lifemask.tracking import gaze_coefficients

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_DEGREE: Final = np.pi / 180
_HELD_GAZE: Final = 0.45
"""Radians that the eyes turn against the head to keep the camera; beyond, they follow it."""
_VERGENCE: Final = 0.06
_DOWN: Final = -0.06
"""Eyes lie above the middle of the face, where the camera is."""
_SPEECH_SHARE: Final = 0.4
"""Last part of Clip B that is speech."""
_SYLLABLE: Final = 0.17
"""Seconds."""

YAW_A: Final = ((0, 0), (0.1, 0), (0.3, -60), (0.34, -60), (0.66, 60), (0.7, 60), (0.84, 0), (1, 0))
PITCH_A: Final = ((0, 0), (0.84, 0), (0.9, 18), (0.93, 18), (0.98, -14), (1, -10))
"""Clip A's turn: share of the clip, degrees."""


@dataclass(frozen=True)
class Motion:
    """A motion, frame by frame.

    Attributes:
        times: `(n,)` seconds.
        coefficients: `(n, 52)` in [0, 1].
        gaze: `(n, 4)` rad: left yaw, left pitch, right yaw, right pitch.
        angles: `(n, 3)` rad: yaw toward +X, pitch up, roll of the head.
        sway: `(n, 3)` m, camera frame.
    """

    times: NDArray[np.float64]
    coefficients: NDArray[np.float32]
    gaze: NDArray[np.float32]
    angles: NDArray[np.float64]
    sway: NDArray[np.float64]


def turning(seed: int, seconds: float, rate_hz: float) -> Motion:
    """Return Clip A: neutral, with natural blinks and micro-motion, the head turning ±60°."""
    times = _times(seconds, rate_hz)
    share = times / seconds
    angles = np.stack([_knots(share, YAW_A), _knots(share, PITCH_A), 0 * times], 1) * _DEGREE
    angles += _wander(times, seed, np.array([1.0, 1.2, 1.5]) * _DEGREE)
    values = _resting(times, seed)
    gaze = _held_gaze(angles) + _glances(times, seed, 0.03)
    return _motion(times, values, gaze, angles, _sway(times, seed, angles), seed)


def acting(seed: int, seconds: float, rate_hz: float) -> Motion:
    """Return Clip B: each expression once, region by region, then speech; moderate head motion."""
    times = _times(seconds, rate_hz)
    rng = np.random.default_rng([seed, 0xAC7])
    values = _resting(times, seed)
    looks = np.zeros((len(times), 4))
    start, stop = 0.02 * seconds, (1 - _SPEECH_SHARE) * seconds
    step = (stop - start) / len(ACTS)
    for number, (shape, look) in enumerate(ACTS):
        strength = rng.uniform(0.75, 1.0)
        amount = strength * _pulse(times, start + number * step, step, 0.3 * step)
        for name, value in shape.items():
            values[:, COEFFICIENT_INDEX[name]] += amount * value * rng.uniform(0.85, 1.0)
        looks += amount[:, None] * np.tile(look, 2)
    loud = ease((times - stop) / 0.3) * (0.85 + 0.25 * drift(times, 0.7, seed + 3))
    _speak(values, times, loud, seed)
    for shape, first, last in ((SMILE, 0.72, 0.8), (SURPRISE, 0.82, 0.88), (DOUBT, 0.9, 0.97)):
        amount = _pulse(times, first * seconds, (last - first) * seconds, 0.02 * seconds)
        _add(values, shape, amount)
    lively = 0.5 + 0.5 * ease((times - stop) / 1.0)
    sizes = np.array([14.0, 8.0, 6.0]) * _DEGREE
    angles = lively[:, None] * _wander(times, seed, sizes, period=2.2)
    gaze = looks + _held_gaze(angles) + _glances(times, seed, 0.10)
    return _motion(times, values, gaze, angles, _sway(times, seed, angles), seed)


def still(seconds: float, rate_hz: float) -> Motion:
    """Return a motion in which nothing moves: what a tracker shows then is its jitter."""
    times = _times(seconds, rate_hz)
    nothing = np.zeros((len(times), COEFFICIENT_COUNT), np.float32)
    gaze = np.tile([-_VERGENCE, _DOWN, _VERGENCE, _DOWN], (len(times), 1)).astype(np.float32)
    zeros = np.zeros((len(times), 3))
    return Motion(times, nothing, gaze, zeros, zeros.copy())


def waving(seed: int, seconds: float, rate_hz: float) -> Motion:
    """Return jaw, brows and head that swing faster and faster, 1 to 5 Hz: shows a tracker's lag."""
    times = _times(seconds, rate_hz)
    # The phase of a sweep whose frequency rises evenly from 1 to 5 Hz.
    phase = 2 * np.pi * (times + 2.0 * times**2 / seconds) + seed
    swing = 0.5 - 0.5 * np.cos(phase)
    values = np.zeros((len(times), COEFFICIENT_COUNT))
    for name, size in (("jawOpen", 0.5), ("browInnerUp", 0.7)):
        values[:, COEFFICIENT_INDEX[name]] = size * swing
    angles = np.zeros((len(times), 3))
    angles[:, 0] = 6.0 * _DEGREE * np.sin(phase)
    gaze = _held_gaze(angles)
    return _motion(times, values, gaze, angles, np.zeros((len(times), 3)), None)


def posing(expression: Mapping[str, float], yaw: float, pitch: float) -> Motion:
    """Return one instant of an expression; the eyes look at the camera as far as they can."""
    angles = np.array([[yaw, pitch, 0.0]])
    values = np.zeros((1, COEFFICIENT_COUNT))
    _add(values, expression, np.ones(1))
    return _motion(np.zeros(1), values, _held_gaze(angles), angles, np.zeros((1, 3)), None)


def _motion(
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    gaze: NDArray[np.float64],
    angles: NDArray[np.float64],
    sway: NDArray[np.float64],
    blinks: int | None,
) -> Motion:
    """Let lids follow the eyes and close, keep everything in bounds."""
    gaze = np.clip(gaze, -0.6, 0.6)
    values = np.clip(values, 0.0, 1.0)
    lids = np.zeros(COEFFICIENT_COUNT)
    for row, look in zip(values, gaze, strict=True):
        lids[:] = 0.0
        gaze_coefficients(look, lids)
        np.maximum(row, lids, out=row)
    if blinks is not None:
        closed = _blinks(times, blinks)
        for side in ("Left", "Right"):
            lid = COEFFICIENT_INDEX[f"eyeBlink{side}"]
            values[:, lid] = np.maximum(values[:, lid], closed)
            values[:, COEFFICIENT_INDEX[f"eyeWide{side}"]] *= 1 - closed
    return Motion(times, values.astype(np.float32), gaze.astype(np.float32), angles, sway)


def _times(seconds: float, rate_hz: float) -> NDArray[np.float64]:
    if seconds <= 0 or rate_hz <= 0:
        raise ValueError("a clip needs a positive length and frame rate")
    return np.arange(max(1, round(seconds * rate_hz))) / rate_hz


def _knots(
    share: NDArray[np.float64], knots: tuple[tuple[float, float], ...]
) -> NDArray[np.float64]:
    """Return eased steps from knot to knot."""
    value = np.full(len(share), float(knots[0][1]))
    for (start, first), (stop, last) in itertools.pairwise(knots):
        value += (last - first) * ease((share - start) / (stop - start))
    return value


def _wander(
    times: NDArray[np.float64], seed: int, sizes: NDArray[np.float64], period: float = 1.7
) -> NDArray[np.float64]:
    """Return independent smooth noise on three axes."""
    columns = [drift(times, period * (1 + 0.15 * k), seed + 50 + k) for k in range(3)]
    return np.stack(columns, axis=1) * sizes


def _sway(
    times: NDArray[np.float64], seed: int, angles: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the motion of the body: breath, balance, a hand-held camera."""
    out = _wander(times, seed + 7, np.array([0.004, 0.003, 0.006]), period=2.3)
    out += _wander(times, seed + 9, np.full(3, 0.0006), period=0.35)
    out[:, 1] += 0.0012 * np.sin(2 * np.pi * 0.25 * times)
    out[:, 0] += 0.01 * angles[:, 0]
    return out


def _resting(times: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return the small motions of a face that does nothing."""
    values = np.zeros((len(times), COEFFICIENT_COUNT))
    for k, (name, size) in enumerate(
        (("browInnerUp", 0.05), ("mouthPressLeft", 0.05), ("mouthPressRight", 0.05),
         ("jawOpen", 0.012), ("mouthSmileLeft", 0.03), ("mouthSmileRight", 0.03))
    ):  # fmt: skip
        move = 0.5 + 0.5 * drift(times, 1.5 + 0.2 * k, seed + 20 + k)
        values[:, COEFFICIENT_INDEX[name]] = size * move
    return values


def _held_gaze(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return eyes that keep the camera while the head turns beneath them."""
    yaw = np.clip(-0.9 * angles[:, 0], -_HELD_GAZE, _HELD_GAZE)
    pitch = np.clip(_DOWN - 0.9 * angles[:, 1], -_HELD_GAZE, _HELD_GAZE)
    return np.stack([yaw - _VERGENCE, pitch, yaw + _VERGENCE, pitch], axis=1)


def _glances(times: NDArray[np.float64], seed: int, size: float) -> NDArray[np.float64]:
    """Return jumps of both eyes between places near the camera; a jump takes 50 ms."""
    rng = np.random.default_rng([seed, 0x6A2E])
    jumps = np.cumsum(rng.uniform(0.5, 1.6, int(times[-1] / 0.5) + 4))
    places = np.concatenate([np.zeros((1, 2)), rng.normal(0, size, (len(jumps), 2))])
    places[::2] *= 0.3
    offset = np.zeros((len(times), 2))
    for when, step in zip(jumps, np.diff(places, axis=0), strict=True):
        offset += ease((times - when) / 0.05)[:, None] * step
    return np.tile(offset, 2)


def _blinks(times: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return how far the lids are closed: 80 ms down, 40 ms shut, 180 ms up."""
    rng = np.random.default_rng([seed, 0xB11])
    starts = np.cumsum(rng.uniform(1.8, 4.6, int(times[-1] / 1.8) + 2)) - 1.2
    closed = np.zeros(len(times))
    for start in starts:
        age = times - start
        closed = np.maximum(closed, ease(age / 0.08) * ease((0.30 - age) / 0.18))
    return closed


def _pulse(
    times: NDArray[np.float64], start: float, length: float, edge: float
) -> NDArray[np.float64]:
    return ease((times - start) / edge) * ease((start + length - times) / edge)


def _speak(
    values: NDArray[np.float64], times: NDArray[np.float64], loud: NDArray[np.float64], seed: int
) -> None:
    """Add mouth shapes in random order, each blended into its neighbours as lips do."""
    rng = np.random.default_rng([seed, 0x5BEA])
    for number in range(-1, int(times[-1] / _SYLLABLE) + 2):
        viseme = VISEMES[int(rng.integers(len(VISEMES)))]
        amount = rng.uniform(0.85, 1.25)
        away = np.abs(times / _SYLLABLE - number)
        near = away < 1.5
        if not (near & (loud > 0)).any():
            continue
        _add(values, viseme, np.where(near, np.cos(np.pi * away / 3) ** 4, 0) * amount * loud)


def _add(
    values: NDArray[np.float64], shape: Mapping[str, float], amount: NDArray[np.float64]
) -> None:
    for name, value in shape.items():
        values[:, COEFFICIENT_INDEX[name]] += amount * value
