"""Smoothing that gives way to fast motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lifemask.capture import PerformanceFrame, TrackingState
from lifemask.heads import COEFFICIENT_NAMES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class OneEuroFilter:
    """The 1 Euro filter (Casiez, Roussel and Vogel 2012) on many values at once.

    An exponential low-pass whose cutoff rises with the speed of each value:
    `cutoff = minimum_cutoff_hz + beta * |speed|`.

    Args:
        minimum_cutoff_hz: Cutoff at rest; lower is smoother and later. A number, or one per
            value.
        beta: Rise of the cutoff, hertz per unit of the value per second. A number, or one per
            value.
        derivative_cutoff_hz: Cutoff of the speed itself.
        settle: Whether the first values are averaged, so that noise in the very first one does
            not linger for as long as a low cutoff remembers.
    """

    def __init__(
        self,
        minimum_cutoff_hz: ArrayLike = 1.0,
        beta: ArrayLike = 0.0,
        derivative_cutoff_hz: float = 1.0,
        *,
        settle: bool = False,
    ) -> None:
        self._minimum = np.asarray(minimum_cutoff_hz, np.float64)
        self._beta = np.asarray(beta, np.float64)
        self._derivative_cutoff = derivative_cutoff_hz
        self._settle = settle
        if np.any(self._minimum <= 0) or derivative_cutoff_hz <= 0 or np.any(self._beta < 0):
            raise ValueError("cutoffs must be positive and beta must not be negative")
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next values pass unchanged."""
        self._time = 0.0
        self._count = 1
        self._values: NDArray[np.float64] | None = None
        self._speed: NDArray[np.float64] = np.zeros(0)

    def __call__(self, values: ArrayLike, time_seconds: float) -> NDArray[np.float64]:
        """Filter the values of one instant.

        Args:
            values: `(n,)`.
            time_seconds: From any origin; values at a time that does not increase replace
                nothing and return the last result.

        Returns:
            `(n,)`.
        """
        new = np.asarray(values, np.float64)
        if self._values is None:
            self._time, self._values, self._speed = time_seconds, new.copy(), np.zeros_like(new)
            return new.copy()
        elapsed = time_seconds - self._time
        if elapsed <= 0:
            return self._values.copy()
        # The speed is counted from the filtered signal, as in the authors' implementations.
        speed = (new - self._values) / elapsed
        share = _share(self._derivative_cutoff, elapsed)
        self._speed = share * speed + (1.0 - share) * self._speed
        share = _share(self._minimum + self._beta * np.abs(self._speed), elapsed)
        self._count += 1
        if self._settle:
            share = np.maximum(share, 1.0 / self._count)
        self._values = share * new + (1.0 - share) * self._values
        self._time = time_seconds
        return self._values.copy()


def _share(cutoff_hz: ArrayLike, elapsed: float) -> NDArray[np.float64]:
    """Return the weight of the new value."""
    time_constant = 1.0 / (2.0 * np.pi * np.asarray(cutoff_hz, np.float64))
    return np.asarray(1.0 / (1.0 + time_constant / elapsed))


@dataclass(frozen=True)
class Smoothing:
    """How a live performance is smoothed; files are not.

    Attributes:
        expression_cutoff_hz: Of coefficients at rest.
        expression_beta: Hertz per unit of a coefficient per second.
        lid_cutoff_hz: Of `eyeBlink*`, which must not come late.
        jaw_cutoff_hz: Of `jaw*` and `mouthClose`, which are seen best and must not come late.
        jaw_beta: Of the same.
        rotation_cutoff_hz: Of the rotation at rest.
        rotation_beta: Hertz per unit of the quaternion per second.
        place_cutoff_hz: Of the translation across the view at rest.
        place_beta: Hertz per metre per second.
        depth_cutoff_hz: Of the distance from the camera, which one picture shows ten times worse
            than the place across.
        depth_beta: Hertz per metre per second.
        gaze_cutoff_hz: Of the gaze at rest.
        gaze_beta: Hertz per radian per second.
    """

    expression_cutoff_hz: float = 2.0
    expression_beta: float = 0.8
    lid_cutoff_hz: float = 8.0
    jaw_cutoff_hz: float = 5.0
    jaw_beta: float = 6.0
    rotation_cutoff_hz: float = 0.4
    rotation_beta: float = 30.0
    place_cutoff_hz: float = 0.4
    place_beta: float = 100.0
    depth_cutoff_hz: float = 0.05
    depth_beta: float = 4.0
    gaze_cutoff_hz: float = 1.5
    gaze_beta: float = 4.0


class PerformanceSmoother:
    """Applies `Smoothing` to frames; frames without a face pass and start it afresh.

    Args:
        smoothing: Cutoffs.
    """

    def __init__(self, smoothing: Smoothing) -> None:
        lids, jaw = (
            np.array([name.startswith(group) for name in COEFFICIENT_NAMES])
            for group in ("eyeBlink", ("jaw", "mouthClose"))
        )
        cutoffs = np.where(lids, smoothing.lid_cutoff_hz, smoothing.expression_cutoff_hz)
        self._expression = OneEuroFilter(
            np.where(jaw, smoothing.jaw_cutoff_hz, cutoffs),
            np.where(jaw, smoothing.jaw_beta, smoothing.expression_beta),
        )
        self._rotation = OneEuroFilter(smoothing.rotation_cutoff_hz, smoothing.rotation_beta)
        self._translation = OneEuroFilter(
            np.array([smoothing.place_cutoff_hz] * 2 + [smoothing.depth_cutoff_hz]),
            np.array([smoothing.place_beta] * 2 + [smoothing.depth_beta]),
            settle=True,
        )
        self._gaze = OneEuroFilter(smoothing.gaze_cutoff_hz, smoothing.gaze_beta)
        self._rotation_before: NDArray[np.float64] | None = None

    def reset(self) -> None:
        """Forget the past."""
        for one in (self._expression, self._rotation, self._translation, self._gaze):
            one.reset()
        self._rotation_before = None

    def __call__(self, frame: PerformanceFrame) -> PerformanceFrame:
        """Return the smoothed frame."""
        if frame.tracking_state is not TrackingState.TRACKED:
            self.reset()
            return frame
        seconds = frame.capture_time_nanos / 1e9
        coefficients = self._expression(frame.coefficients, seconds)
        return PerformanceFrame(
            capture_time_nanos=frame.capture_time_nanos,
            coefficients=np.clip(coefficients, 0.0, 1.0).astype(np.float32),
            head_rotation=self._turned(frame.head_rotation, seconds),
            head_translation=self._translation(frame.head_translation, seconds).astype(np.float32),
            gaze=self._gaze(frame.gaze, seconds).astype(np.float32),
            tracking_state=frame.tracking_state,
        )

    def _turned(self, rotation: NDArray[np.float32], seconds: float) -> NDArray[np.float32]:
        quaternion = np.asarray(rotation, np.float64)
        # A quaternion and its negative are one rotation; neighbours must have the same sign.
        if self._rotation_before is not None and quaternion @ self._rotation_before < 0:
            quaternion = -quaternion
        smooth = self._rotation(quaternion, seconds)
        self._rotation_before = smooth
        unit = smooth / np.linalg.norm(smooth)
        return (unit if unit[3] >= 0 else -unit).astype(np.float32)
