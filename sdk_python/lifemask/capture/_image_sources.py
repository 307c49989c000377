"""Pictures from files and cameras: photo, video file, webcam."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lifemask._errors import SourceError
from lifemask.capture._frames import ImageFrame
from lifemask.geometry import open_video, quiet_opencv, read_image

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

FALLBACK_RATE_HZ = 30.0
NANOS = 1_000_000_000
_FIRST_FRAME_SECONDS = 10.0
_FAILED_READS = 30


class PhotoSource:
    """One photo as a source of pictures.

    Implements `ImageSource`.

    Args:
        path: Picture file, see `lifemask.geometry.read_image`.
        count: How often the picture is yielded, without end when `None`.
        rate_hz: Pictures a second of capture time.
        start_time_nanos: Capture time of the first picture, Unix epoch; when left out, the time
            the file was last changed.

    Raises:
        ImageError: The file cannot be read as a picture.
    """

    live = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        count: int | None = 1,
        rate_hz: float = FALLBACK_RATE_HZ,
        start_time_nanos: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.name = self.path.stem
        self.rate_hz = rate_hz
        self._image = read_image(self.path)
        self._count = count
        self._start = _start_time(self.path, start_time_nanos)

    def frames(self) -> Iterator[ImageFrame]:
        """Yield the picture `count` times."""
        indices = itertools.count() if self._count is None else range(self._count)
        for index in indices:
            yield ImageFrame(self._image, self._start + round(index * NANOS / self.rate_hz))

    def close(self) -> None:
        """Do nothing: the file is read already."""


class VideoSource:
    """A video file as a source of pictures.

    Implements `ImageSource`. Capture times are the file's own time stamps, counted from
    `start_time_nanos`; a file is not paced, its frames come as fast as they are asked for.

    Args:
        path: Video file, see `lifemask.geometry.open_video`.
        start_time_nanos: Capture time of the video's start, Unix epoch; when left out, the time
            the file was last changed, because containers seldom say when they were recorded.

    Attributes:
        frame_count: Number of frames that the file promises, 0 when it does not say.
        truncated: Whether the file ended early in the last run of `frames`; a
            `TruncatedVideoWarning` says so too.

    Raises:
        VideoError: Not a video, or no frame that can be decoded.
    """

    live = False

    def __init__(
        self, path: str | os.PathLike[str], *, start_time_nanos: int | None = None
    ) -> None:
        self._reader = open_video(path)
        self.path = self._reader.path
        self.name = self.path.stem
        self.rate_hz = self._reader.rate_hz
        self.frame_count = self._reader.frame_count
        self._start = _start_time(self.path, start_time_nanos)
        self._closed = threading.Event()

    @property
    def truncated(self) -> bool:
        """Whether the last run of `frames` ended before the promised number."""
        return self._reader.truncated

    def frames(self) -> Iterator[ImageFrame]:
        """Yield the frames from the start of the file."""
        for frame in self._reader:
            if self._closed.is_set():
                return
            yield ImageFrame(frame.image, self._start + round(frame.time_seconds * NANOS))

    def close(self) -> None:
        """End a running iteration; the file is open only during one."""
        self._closed.set()


class WebcamSource:
    """The newest picture of a camera.

    Implements `ImageSource`. A thread empties the camera's queue, so a slow consumer sees fewer
    pictures, never old ones.

    Args:
        index: Number of the camera, 0 is the first.

    Raises:
        SourceError: No such camera, or one that delivers nothing.
    """

    live = True

    def __init__(self, index: int = 0) -> None:
        self.name = f"webcam {index}"
        self._camera = _open_camera(index)
        self.rate_hz = _camera_rate(self._camera)
        self._changed = threading.Condition()
        self._latest: ImageFrame | None = None
        self._failure: SourceError | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._grab_forever, name=self.name, daemon=True)
        self._thread.start()

    def frames(self) -> Iterator[ImageFrame]:
        """Yield each newest picture once, until `close`.

        Raises:
            SourceError: The camera stopped delivering.
        """
        while (frame := self._take()) is not None:
            yield frame

    def close(self) -> None:
        """Release the camera; a running iteration ends."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=5.0)

    def _take(self) -> ImageFrame | None:
        with self._changed:
            arrived = self._changed.wait_for(
                lambda: self._latest or self._failure or self._closed, _FIRST_FRAME_SECONDS
            )
            if self._closed:
                return None
            if not arrived or self._latest is None:
                raise self._failure or _stopped(self.name)
            frame, self._latest = self._latest, None
            return frame

    def _grab_forever(self) -> None:
        failures = 0
        try:
            while not self._closed and failures < _FAILED_READS:
                grabbed = self._camera.grab()
                # Stamped before the picture is decoded, which takes milliseconds.
                now = time.time_ns()
                image = self._camera.retrieve()[1] if grabbed else None
                failures = failures + 1 if image is None else 0
                if image is not None:
                    self._publish(ImageFrame(np.ascontiguousarray(image[..., ::-1]), now))
                else:
                    time.sleep(0.01)
        finally:
            self._camera.release()
            with self._changed:
                self._failure = _stopped(self.name)
                self._changed.notify_all()

    def _publish(self, frame: ImageFrame) -> None:
        with self._changed:
            self._latest = frame
            self._changed.notify_all()


def _start_time(path: Path, start_time_nanos: int | None) -> int:
    return path.stat().st_mtime_ns if start_time_nanos is None else start_time_nanos


def _open_camera(index: int) -> Any:
    import cv2

    with quiet_opencv():
        camera = cv2.VideoCapture(index)
    if not camera.isOpened():
        raise SourceError(
            f"camera {index} cannot be opened",
            hint="Check that it is plugged in, that no other program uses it and that camera "
            "access is allowed; another camera has another number.",
        )
    return camera


def _camera_rate(camera: Any) -> float:
    import cv2

    rate = float(camera.get(cv2.CAP_PROP_FPS))
    return rate if 0 < rate < 1000 else FALLBACK_RATE_HZ


def _stopped(name: str) -> SourceError:
    return SourceError(
        f"{name} stopped delivering pictures",
        hint="Check the cable, and that no other program took the camera.",
    )
