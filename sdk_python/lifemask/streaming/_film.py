"""Draw received frames into a video that keeps the timing of their capture."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from lifemask._progress import no_progress
from lifemask.dynamics import dynamic_input, view_direction
from lifemask.geometry import Pose, VideoWriter
from lifemask.rendering import Renderer, frame_head, pose_vertices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lifemask._progress import ProgressCallback
    from lifemask.avatar import Avatar
    from lifemask.capture import PerformanceFrame

SIZE = 512
"""Width and height of the pictures, pixels."""

_DEFAULT_RATE_HZ = 30.0
_LONGEST_PAUSE_SECONDS = 5.0
_DROP = 0.02
"""How far the end of the neck lies below the picture, metres, so that sway does not show it."""


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
    with VideoWriter(path, SIZE, SIZE, rate) as video:
        draw = functools.lru_cache(maxsize=1)(artist(avatar, frames))
        for count, index in enumerate(order.tolist()):
            video.write(draw(index))
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


def artist(
    avatar: Avatar, frames: Sequence[PerformanceFrame]
) -> Callable[[int], NDArray[np.uint8]]:
    """Return a function that draws the frame of an index as `(SIZE, SIZE, 3)` uint8.

    The camera stands still, as far from the head as the performer's typically was, and shows
    the performer's typical place in the middle. The shoulders stay upright while the head turns.
    """
    places = np.array([frame.head_translation for frame in frames], np.float64)
    typical = np.median(places, axis=0)
    distance = float(np.clip(-typical[2], 0.3, 3.0))
    camera, rest = frame_head(avatar.head, SIZE, SIZE, distance=distance, hair=avatar.hair)
    offset = rest.translation - typical - [0.0, _DROP, 0.0]
    texture = avatar.best_dynamic()
    layout = None if texture is None else texture.layout
    renderer = Renderer(avatar.head, avatar.textures, hair=avatar.hair, layout=layout)

    def draw(index: int) -> NDArray[np.uint8]:
        frame = frames[index]
        vertices, _ = pose_vertices(avatar.head, frame)
        pose = Pose.from_quaternion(frame.head_rotation, frame.head_translation + offset)
        look = None
        if texture is not None:
            inputs = dynamic_input(frame.coefficients, frame.gaze, view_direction(pose))
            look = texture.evaluate(inputs)
        return renderer.render(vertices, pose=pose, camera=camera, dynamic=look)

    return draw
