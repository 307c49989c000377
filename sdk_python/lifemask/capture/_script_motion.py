"""Building blocks of the scripted performance: repeatable chance, soft pulses, mouth shapes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Shape = dict[str, float]
"""Weights in [0, 1] by coefficient name; absent names are 0."""

VISEMES: Final[tuple[Mapping[str, float], ...]] = (
    # ah, as in "father"
    {"jawOpen": 0.42, "mouthLowerDownLeft": 0.18, "mouthLowerDownRight": 0.18,
     "mouthUpperUpLeft": 0.12, "mouthUpperUpRight": 0.12},
    # ee, as in "see"
    {"jawOpen": 0.12, "mouthStretchLeft": 0.3, "mouthStretchRight": 0.28,
     "mouthSmileLeft": 0.2, "mouthSmileRight": 0.2, "mouthLowerDownLeft": 0.22,
     "mouthLowerDownRight": 0.22, "mouthUpperUpLeft": 0.14, "mouthUpperUpRight": 0.14},
    # oo, as in "food"
    {"jawOpen": 0.14, "mouthPucker": 0.62, "mouthFunnel": 0.2},
    # oh, as in "go"
    {"jawOpen": 0.3, "mouthPucker": 0.28, "mouthFunnel": 0.42},
    # m, b, p: closed lips
    {"jawOpen": 0.04, "mouthClose": 0.04, "mouthPressLeft": 0.32, "mouthPressRight": 0.32,
     "mouthRollLower": 0.2, "mouthRollUpper": 0.16},
    # f, v: lower lip under the upper teeth
    {"jawOpen": 0.05, "mouthRollLower": 0.42, "mouthUpperUpLeft": 0.18,
     "mouthUpperUpRight": 0.18, "mouthShrugUpper": 0.12},
    # s, t, n: teeth together
    {"jawOpen": 0.06, "mouthStretchLeft": 0.16, "mouthStretchRight": 0.16,
     "mouthLowerDownLeft": 0.28, "mouthLowerDownRight": 0.28, "mouthUpperUpLeft": 0.1,
     "mouthUpperUpRight": 0.1},
    # sh, ch, r
    {"jawOpen": 0.09, "mouthFunnel": 0.4, "mouthPucker": 0.2, "mouthUpperUpLeft": 0.12,
     "mouthUpperUpRight": 0.12},
)  # fmt: skip
"""Mouth shapes of speech; neighbours in time are blended, as lips do."""

SMILE: Final[Mapping[str, float]] = {
    "mouthSmileLeft": 0.72, "mouthSmileRight": 0.66, "mouthDimpleLeft": 0.16,
    "mouthDimpleRight": 0.14, "cheekSquintLeft": 0.42, "cheekSquintRight": 0.4,
    "eyeSquintLeft": 0.3, "eyeSquintRight": 0.28, "mouthUpperUpLeft": 0.12,
    "mouthUpperUpRight": 0.12, "mouthLowerDownLeft": 0.06, "mouthLowerDownRight": 0.06,
    "jawOpen": 0.05,
}  # fmt: skip
SURPRISE: Final[Mapping[str, float]] = {
    "browInnerUp": 0.62, "browOuterUpLeft": 0.55, "browOuterUpRight": 0.5,
    "eyeWideLeft": 0.35, "eyeWideRight": 0.35,
}  # fmt: skip
DOUBT: Final[Mapping[str, float]] = {
    "browDownLeft": 0.55, "browDownRight": 0.38, "browOuterUpRight": 0.2,
    "eyeSquintLeft": 0.25, "eyeSquintRight": 0.18, "mouthLeft": 0.18, "mouthPressLeft": 0.2,
    "noseSneerLeft": 0.14,
}  # fmt: skip


def chance(seed: int, index: int) -> float:
    """Return a number in [0, 1) that looks random and depends on the arguments only."""
    mixed = (seed * 0x9E3779B97F4A7C15 + index * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) % 2**64
    for multiplier in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
        mixed = ((mixed ^ (mixed >> 30)) * multiplier) % 2**64
    return ((mixed ^ (mixed >> 31)) >> 11) / 2**53


def spline_weights(fraction: float) -> tuple[float, float, float, float]:
    """Return the four weights of a uniform cubic B-spline at `fraction` in [0, 1); sum 1."""
    t = fraction
    return (
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    )


def drift(seed: int, seconds: float, period: float) -> float:
    """Return smooth noise in [-1, 1], twice differentiable, that wanders once a `period`."""
    index = math.floor(seconds / period)
    weights = spline_weights(seconds / period - index)
    return sum(w * (2 * chance(seed, index + k) - 1) for k, w in enumerate(weights))


def ease(x: float) -> float:
    """Return the minimum-jerk step: 0 below 0, 1 above 1, smooth between."""
    x = min(max(x, 0.0), 1.0)
    return x * x * x * (10 + x * (6 * x - 15))


def pulse(seconds: float, start: float, end: float, rise: float, fall: float) -> float:
    """Return 0 outside `start`..`end` and 1 in between, with soft edges inside the interval."""
    return ease((seconds - start) / rise) * ease((end - seconds) / fall)


def blink(seconds: float) -> float:
    """Return how far the lids are closed, 0 to 1; one blink in each 3.2 s, sometimes two."""
    slot = 3.2
    index = math.floor(seconds / slot)
    closed = 0.0
    for k in (index - 1, index):
        first = k * slot + 0.3 + 2.2 * chance(11, k)
        closed = max(closed, _single_blink(seconds - first))
        if chance(12, k) < 0.2:
            closed = max(closed, _single_blink(seconds - first - 0.36))
    return closed


def speech(seconds: float, syllables_hz: float = 6.5) -> Shape:
    """Return the mouth of somebody who speaks without pause."""
    position = seconds * syllables_hz
    index = math.floor(position)
    mouth: Shape = {}
    for k, weight in enumerate(spline_weights(position - index)):
        viseme = VISEMES[int(chance(21, index + k) * len(VISEMES))]
        # The spline flattens single shapes, so the loudness lies a little above 1.
        loudness = weight * (1.1 + 0.5 * chance(22, index + k))
        for name, value in viseme.items():
            mouth[name] = mouth.get(name, 0.0) + loudness * value
    return mouth


def fixation(seconds: float) -> tuple[float, float]:
    """Return where the eyes rest, radians `(yaw, pitch)` seen from the head; jumps take 60 ms.

    Two thirds of the fixations are the viewer at (0, 0).
    """
    slot = 1.15
    index = math.floor(seconds / slot)
    start = index * slot + 0.5 * chance(31, index)
    done = ease((seconds - start) / 0.06)
    (yaw0, pitch0), (yaw1, pitch1) = _target(index - 1), _target(index)
    return yaw0 + (yaw1 - yaw0) * done, pitch0 + (pitch1 - pitch0) * done


def _single_blink(age: float) -> float:
    """Lids close in 80 ms, rest 40 ms and open in 180 ms."""
    return pulse(age, 0.0, 0.3, 0.08, 0.18)


def _target(index: int) -> tuple[float, float]:
    if chance(32, index) < 0.66:
        return 0.0, 0.0
    return 0.5 * (chance(33, index) - 0.5), 0.24 * (chance(34, index) - 0.5)
