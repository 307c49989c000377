"""Draw received frames into a video that keeps the timing of their capture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lifemask._progress import no_progress
from lifemask.geometry import Camera, Pose, VideoWriter, matrix_axis_angle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lifemask._progress import ProgressCallback
    from lifemask.avatar import Avatar
    from lifemask.capture import PerformanceFrame
    from lifemask.heads import Head

SIZE = 512
"""Width and height of the pictures, pixels."""

_DEFAULT_RATE_HZ = 30.0
_LONGEST_PAUSE_SECONDS = 5.0
_VIEW_HEIGHT = 0.40
"""Height of what the picture shows at the distance of the head, metres."""


@dataclass(frozen=True)
class Framing:
    """A fixed camera, and the offset that puts the head before it.

    Attributes:
        camera: The view.
        offset: `(3,)` metres, added to the head's translation.
    """

    camera: Camera
    offset: NDArray[np.float64]


def film(
    avatar: Avatar,
    frames: Sequence[PerformanceFrame],
    path: Path,
    *,
    rate_hz: float = 0.0,
    progress: ProgressCallback = no_progress,
) -> int:
    """Draw frames into a video.

    Pictures of the video are `1 / rate_hz` apart; each shows the frame whose capture time is
    nearest. A frame that was left out by the stream thus becomes one that stands, and the video
    lasts as long as the performance.

    Args:
        avatar: Who is drawn.
        frames: At least one, in order of capture time.
        path: `.mp4` or `.webm`.
        rate_hz: Pictures a second; 30 when 0.
        progress: Told how far the drawing is.

    Returns:
        Number of pictures written.

    Raises:
        ExportError: If the video cannot be written.
        VideoError: If the suffix names no video format.
    """
    rate = rate_hz or _DEFAULT_RATE_HZ
    order = video_order([frame.capture_time_nanos for frame in frames], rate)
    framing = frame_head(avatar.head, frames)
    drawn: tuple[int, NDArray[np.uint8]] | None = None
    with VideoWriter(path, SIZE, SIZE, rate) as video:
        for count, index in enumerate(order):
            if drawn is None or drawn[0] != index:
                drawn = index, draw(avatar, frames[index], framing)
            video.write(drawn[1])
            progress("draw the video", (count + 1) / len(order))
    return len(order)


def video_order(capture_times: Sequence[int], rate_hz: float) -> NDArray[np.intp]:
    """Return which frame each picture of a video shows; pauses are cut to five seconds.

    Args:
        capture_times: `(n,)` nanoseconds, growing, n >= 1.
        rate_hz: Pictures a second.

    Returns:
        `(m,)` indices into the frames: the one nearest to each instant of the video.
    """
    steps = np.diff(np.asarray(capture_times, np.int64)) / 1e9
    seconds = np.concatenate([[0.0], np.cumsum(np.clip(steps, 0.0, _LONGEST_PAUSE_SECONDS))])
    instants = np.arange(round(float(seconds[-1]) * rate_hz) + 1) / rate_hz
    middles = (seconds[1:] + seconds[:-1]) / 2.0
    return np.searchsorted(middles, instants, side="right")


def frame_head(head: Head, frames: Sequence[PerformanceFrame]) -> Framing:
    """Return a camera at the performer's typical distance that shows the head in the middle."""
    place = np.median([frame.head_translation for frame in frames], axis=0).astype(np.float64)
    skin = head.neutral[head.topology.parts["skin"].vertices]
    middle = (skin.min(axis=0) + skin.max(axis=0)) / 2.0
    distance = max(0.2, -float(place[2]))
    offset = np.array([-place[0], -place[1] - middle[1], -distance - place[2]])
    return Framing(Camera(SIZE, SIZE, SIZE * distance / _VIEW_HEIGHT), offset)


def draw(avatar: Avatar, frame: PerformanceFrame, framing: Framing) -> NDArray[np.uint8]:
    """Return one picture `(SIZE, SIZE, 3)` uint8; the shoulders stay while the head turns."""
    from lifemask.rendering import render

    pose = Pose.from_quaternion(frame.head_rotation, frame.head_translation + framing.offset)
    vertices = avatar.head.vertices(
        frame.coefficients, gaze=frame.gaze, neck_rotation=matrix_axis_angle(pose.rotation)
    )
    return render(avatar.head, avatar.textures, vertices=vertices, pose=pose, camera=framing.camera)
