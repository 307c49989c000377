"""The two frame types that flow through the product: camera images and tracked performance."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lifemask.heads import COEFFICIENT_COUNT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


class TrackingState(enum.IntEnum):
    """Whether a frame shows a face that was measured; the numbers are those of the wire."""

    UNSPECIFIED = 0
    TRACKED = 1
    """Measured in this frame."""
    LOST = 2
    """No face in this frame: values are held from the last one that had a face."""


@dataclass(frozen=True)
class ImageFrame:
    """One picture from a camera, a photo or a video.

    Attributes:
        image: `(height, width, 3)` uint8, sRGB, origin top left.
        capture_time_nanos: Unix epoch, nanoseconds, when the sensor delivered the frame.
    """

    image: NDArray[np.uint8]
    capture_time_nanos: int


@dataclass(frozen=True)
class PerformanceFrame:
    """What a performer's face did at one instant.

    Attributes:
        capture_time_nanos: Unix epoch, nanoseconds, when the sensor delivered the frame.
        coefficients: `(52,)` float32 in [0, 1], order `COEFFICIENT_NAMES`.
        head_rotation: `(4,)` float32 unit quaternion x y z w, head frame to camera frame; the
            identity faces the camera.
        head_translation: `(3,)` float32, metres, camera frame.
        gaze: `(4,)` float32 radians: left yaw, left pitch, right yaw, right pitch in the head
            frame; yaw is positive toward +X, pitch is positive up.
        tracking_state: Whether the values were measured in this frame.
    """

    capture_time_nanos: int
    coefficients: NDArray[np.float32]
    head_rotation: NDArray[np.float32] = field(
        default_factory=lambda: np.array([0, 0, 0, 1], np.float32)
    )
    head_translation: NDArray[np.float32] = field(default_factory=lambda: np.zeros(3, np.float32))
    gaze: NDArray[np.float32] = field(default_factory=lambda: np.zeros(4, np.float32))
    tracking_state: TrackingState = TrackingState.TRACKED


class ImageSource(Protocol):
    """Anything that yields pictures: photo, video file, webcam."""

    name: str
    rate_hz: float

    def frames(self) -> Iterator[ImageFrame]:
        """Yield frames in order of capture time; end when the source ends."""
        ...

    def close(self) -> None:
        """Release the camera or file; safe to call twice."""
        ...


class PerformanceSource(Protocol):
    """Anything that yields tracked frames: a tracker over images, a script, a capture app.

    Attributes:
        name: Subject name shown to clients.
        rate_hz: Nominal frame rate.
        channel_names: Names of the values, in the order of `PerformanceFrame.coefficients`.
        channel_validity: `(n,)` bool, which channels the source can measure at all.
        live: Whether frames arrive in real time by themselves (camera) or must be paced (file).
    """

    name: str
    rate_hz: float
    channel_names: tuple[str, ...]
    channel_validity: NDArray[np.bool_]
    live: bool

    def frames(self) -> Iterator[PerformanceFrame]:
        """Yield frames in order of capture time; end when the performance ends."""
        ...

    def close(self) -> None:
        """Release what the source holds; safe to call twice."""
        ...


def all_channels_valid() -> NDArray[np.bool_]:
    """Return `(52,)` of true."""
    return np.ones(COEFFICIENT_COUNT, bool)
