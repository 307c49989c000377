"""A performance that needs no camera: blinks, smiles, speech, brows, glances and head turns."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from lifemask.capture._frames import PerformanceFrame, all_channels_valid
from lifemask.capture._script_motion import (
    DOUBT,
    SMILE,
    SURPRISE,
    blink,
    drift,
    fixation,
    pulse,
    speech,
)
from lifemask.geometry import axis_angle_matrix, matrix_quaternion
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX, COEFFICIENT_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

CYCLE_SECONDS = 12.0
"""Acts repeat after this time; chance makes each cycle a little different."""

_DISTANCE = 0.55
_LARGEST_GAZE = 0.5
_LID_RANGE = 0.45
"""Gaze angle, radians, at which an `eyeLook*` coefficient reaches 1."""


class ScriptedPerformance:
    """A built-in performer: a smooth function of time, the same on every machine.

    Implements `PerformanceSource`. The head sits 0.55 m in front of the camera. Capture times
    count from the start of the performance; a server that plays it stamps its own.

    Args:
        name: Subject name.
        duration_seconds: Length; without end when left out.
        rate_hz: Frames a second.

    Raises:
        ValueError: If a duration or rate is not positive.
    """

    live = False

    def __init__(
        self, name: str = "script", *, duration_seconds: float | None = None, rate_hz: float = 60.0
    ) -> None:
        if rate_hz <= 0 or (duration_seconds is not None and duration_seconds <= 0):
            raise ValueError("a scripted performance needs a positive rate and duration")
        self.name = name
        self.rate_hz = float(rate_hz)
        self.duration_seconds = duration_seconds
        self.channel_names = COEFFICIENT_NAMES
        self.channel_validity = all_channels_valid()

    def frames(self) -> Iterator[PerformanceFrame]:
        """Yield frames from the start of the performance; may be called again."""
        for index in itertools.count():
            seconds = index / self.rate_hz
            if self.duration_seconds is not None and seconds >= self.duration_seconds:
                return
            yield self.sample(seconds)

    def sample(self, seconds: float) -> PerformanceFrame:
        """Return the performance at one instant, `seconds` >= 0 from the start."""
        rotation = _head_angles(seconds)
        gaze = _gaze(seconds, rotation)
        return PerformanceFrame(
            capture_time_nanos=round(seconds * 1e9),
            coefficients=_coefficients(seconds, gaze),
            head_rotation=_quaternion(rotation),
            head_translation=_head_position(seconds, rotation),
            gaze=gaze,
        )

    def close(self) -> None:
        """Do nothing: a script holds no resource."""


def _coefficients(seconds: float, gaze: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add up all acts, then let the lids close and follow the eyes."""
    values = np.zeros(COEFFICIENT_COUNT, np.float32)
    act = seconds % CYCLE_SECONDS
    _add(values, SMILE, pulse(act, 0.5, 3.0, 0.5, 0.8) + 0.5 * pulse(act, 10.6, 12.0, 0.5, 0.7))
    _add(values, SURPRISE, pulse(act, 3.4, 4.5, 0.22, 0.5) + 0.5 * pulse(act, 8.2, 9.0, 0.2, 0.4))
    _add(values, DOUBT, pulse(act, 6.3, 7.7, 0.35, 0.5))
    _add(values, speech(seconds), _voice(seconds))
    _add(values, {"browInnerUp": 0.12, "browOuterUpLeft": 0.08}, 0.5 + 0.5 * drift(41, seconds, 2))
    _add(values, _lids(gaze), 1.0)
    closed = blink(seconds)
    for side in ("Left", "Right"):
        lid = COEFFICIENT_INDEX[f"eyeBlink{side}"]
        values[lid] = max(values[lid], closed)
        values[COEFFICIENT_INDEX[f"eyeWide{side}"]] *= 1.0 - closed
    return np.clip(values, 0.0, 1.0)


def _add(values: NDArray[np.float32], shape: Mapping[str, float], amount: float) -> None:
    if amount > 0:
        for name, value in shape.items():
            values[COEFFICIENT_INDEX[name]] += amount * value


def _voice(seconds: float) -> float:
    """Return how much of the mouth belongs to speech, 0 in pauses."""
    act = seconds % CYCLE_SECONDS
    loud = pulse(act, 2.7, 6.4, 0.25, 0.3) + pulse(act, 7.6, 10.7, 0.25, 0.3)
    return loud * (0.85 + 0.25 * drift(42, seconds, 0.7))


def _head_angles(seconds: float) -> NDArray[np.float64]:
    """Return yaw (toward +X), pitch (down) and roll, radians `(3,)`."""
    act = seconds % CYCLE_SECONDS
    turn = 0.42 * pulse(act, 4.6, 7.4, 0.7, 0.8) - 0.38 * pulse(act, 7.8, 10.4, 0.7, 0.8)
    nod = 0.05 * _voice(seconds) * math.sin(2 * math.pi * 1.3 * seconds)
    return np.array(
        [
            turn + 0.06 * drift(51, seconds, 1.3),
            nod + 0.07 * drift(52, seconds, 1.1) - 0.05 * pulse(act, 3.4, 4.5, 0.25, 0.5),
            0.05 * drift(53, seconds, 1.6) + 0.07 * pulse(act, 6.3, 7.7, 0.4, 0.5),
        ]
    )


def _quaternion(angles: NDArray[np.float64]) -> NDArray[np.float32]:
    yaw, pitch, roll = angles
    rotation = (
        axis_angle_matrix([0.0, yaw, 0.0])
        @ axis_angle_matrix([pitch, 0.0, 0.0])
        @ axis_angle_matrix([0.0, 0.0, roll])
    )
    return matrix_quaternion(rotation).astype(np.float32)


def _head_position(seconds: float, angles: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return metres in the camera frame: breathing, sway, and the neck that leans into a turn."""
    yaw, pitch, roll = angles
    breath = 0.0015 * math.sin(2 * math.pi * 0.25 * seconds)
    return np.array(
        [
            0.004 * drift(61, seconds, 1.9) + 0.015 * yaw - 0.05 * roll,
            0.003 * drift(62, seconds, 2.3) + breath - 0.02 * abs(pitch),
            -_DISTANCE + 0.008 * drift(63, seconds, 2.7) + 0.04 * pitch,
        ],
        np.float32,
    )


def _gaze(seconds: float, angles: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return `(4,)` radians: the eyes hold their target while the head turns beneath them."""
    yaw, pitch = fixation(seconds)
    look_yaw = min(max(yaw - 0.85 * angles[0], -_LARGEST_GAZE), _LARGEST_GAZE)
    look_pitch = min(max(pitch + 0.85 * angles[1], -_LARGEST_GAZE), _LARGEST_GAZE)
    # Both eyes meet at the viewer: half an eye distance over the distance of the head.
    vergence = 0.031 / _DISTANCE
    return np.array([look_yaw - vergence, look_pitch, look_yaw + vergence, look_pitch], np.float32)


def _lids(gaze: NDArray[np.float32]) -> dict[str, float]:
    """Return the `eyeLook*` coefficients that go with a gaze."""
    shape = {}
    for side, outward, (yaw, pitch) in (("Left", 1.0, gaze[:2]), ("Right", -1.0, gaze[2:])):
        out = outward * float(yaw) / _LID_RANGE
        up = float(pitch) / _LID_RANGE
        shape[f"eyeLookOut{side}"] = max(out, 0.0)
        shape[f"eyeLookIn{side}"] = max(-out, 0.0)
        shape[f"eyeLookUp{side}"] = max(up, 0.0)
        shape[f"eyeLookDown{side}"] = max(-up, 0.0)
    return shape
