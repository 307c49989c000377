"""Video files, read with true timestamps and written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lifemask._errors import ExportError, VideoError
from lifemask._files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from types import TracebackType

    from numpy.typing import NDArray

FALLBACK_RATE_HZ = 30.0
_CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".webm": "VP90"}


class TruncatedVideoWarning(UserWarning):
    """A video ended before the number of frames that its header promises."""


class VideoFrame(NamedTuple):
    """One picture of a video.

    Attributes:
        image: `(height, width, 3)` uint8, sRGB, upright.
        time_seconds: Presentation time, seconds from the start of the video; strictly rising.
    """

    image: NDArray[np.uint8]
    time_seconds: float


class VideoReader:
    """A video file whose frames are iterated in order; each iteration starts from the front.

    Made by `open_video`.

    Attributes:
        path: The file.
        width: Upright width, pixels.
        height: Upright height, pixels.
        rate_hz: Mean frame rate that the file states; true times are those of the frames.
        frame_count: Number of frames that the header promises, 0 when it does not say.
        truncated: Whether the last iteration ended well before `frame_count`.
    """

    def __init__(self, path: Path) -> None:
        import cv2

        self.path = path
        self.truncated = False
        with contextlib.closing(_Capture(path)) as capture:
            first = capture.image() if capture.advance() is not None else None
            if first is None:
                raise VideoError(
                    f"{path.name!r} has no frame that can be decoded",
                    hint="Play it in a video player; convert it to H.264 MP4 if it plays there.",
                )
            self.height, self.width = first.shape[:2]
            rate = capture.number(cv2.CAP_PROP_FPS)
            self.rate_hz = rate if 0 < rate < 1000 else FALLBACK_RATE_HZ
            self.frame_count = max(int(capture.number(cv2.CAP_PROP_FRAME_COUNT)), 0)

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield every frame; warn with `TruncatedVideoWarning` when the file ends early."""
        for _, frame in self.numbered():
            yield frame

    def numbered(
        self, wanted: Container[int] | None = None, *, first: int = 0, seek: bool = False
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Yield frames with their numbers, counted from 0; those not wanted cost less.

        Warns with `TruncatedVideoWarning` when the file ends early.

        Args:
            wanted: Numbers of the frames; all of them when left out.
            first: Where to begin.
            seek: Jump to `first` instead of decoding what comes before. Files with a variable
                frame rate or without an index may land on another frame.
        """
        previous = -1.0
        with contextlib.closing(_Capture(self.path)) as capture:
            number = capture.seek(first) if seek and first else 0
            while (time := capture.advance()) is not None:
                # Some containers carry no time stamps; a rising clock is what callers rely on.
                if previous >= 0.0 and time <= previous:
                    time = previous + 1.0 / self.rate_hz
                previous = time
                if number >= first and (wanted is None or number in wanted):
                    image = capture.image()
                    if image is None:
                        break
                    yield number, VideoFrame(image, time)
                number += 1
        self._note_end(number)

    def _note_end(self, count: int) -> None:
        # Containers that store a duration instead of a count are off by a frame or two.
        self.truncated = count < self.frame_count - max(2, 0.02 * self.frame_count)
        if self.truncated:
            warnings.warn(
                f"{self.path.name!r} ends after {count} of {self.frame_count} frames",
                TruncatedVideoWarning,
                stacklevel=3,
            )


class VideoWriter:
    """Writes a video; the file appears under its name when the block ends without an error.

    The suffix chooses the codec: `.mp4` (MPEG-4, quick to write) or `.webm` (VP9, plays in
    browsers, about 0.15 s a frame at 512²). Both store frames of even size, so an odd row or
    column is doubled.

        with VideoWriter("turn.mp4", 512, 512, 30.0) as video:
            for image in images:
                video.write(image)

    Args:
        path: Where to write.
        width: Width of the frames, pixels.
        height: Height of the frames, pixels.
        rate_hz: Frame rate.

    Raises:
        VideoError: A suffix that names no codec, or no frame was written.
        ExportError: The file cannot be written.
    """

    def __init__(
        self, path: str | os.PathLike[str], width: int, height: int, rate_hz: float
    ) -> None:
        self.path = Path(path)
        if width < 1 or height < 1 or not 0 < rate_hz < float("inf"):
            raise ValueError(f"a video of {width} x {height} pixels at {rate_hz} Hz")
        if self.path.suffix.lower() not in _CODECS:
            raise VideoError(
                f"{self.path.suffix!r} names no video format",
                hint="Use a name that ends in .mp4 or .webm.",
            )
        self.width, self.height, self.rate_hz = width, height, rate_hz
        self.frame_count = 0
        self._stack = contextlib.ExitStack()
        self._encoder: Any = None

    def __enter__(self) -> VideoWriter:
        with contextlib.ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self.path))
            self._encoder = self._open_encoder(temporary)
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def write(self, image: NDArray[np.uint8]) -> None:
        """Append a frame.

        Args:
            image: `(height, width, 3)` uint8, sRGB.
        """
        if image.shape != (self.height, self.width, 3) or image.dtype != np.uint8:
            raise ValueError(
                f"frame has shape {image.shape} and type {image.dtype}, "
                f"expected ({self.height}, {self.width}, 3) uint8"
            )
        if self._encoder is None:
            raise ValueError("frames are written inside the with block")
        if self.width % 2 or self.height % 2:
            image = np.pad(image, ((0, self.height % 2), (0, self.width % 2), (0, 0)), "edge")
        self._encoder.write(np.ascontiguousarray(image[..., ::-1]))
        self.frame_count += 1

    def _open_encoder(self, path: Path) -> Any:
        import cv2

        code = cv2.VideoWriter.fourcc(*_CODECS[path.suffix.lower()])
        size = (self.width + self.width % 2, self.height + self.height % 2)
        # The WebM muxer finds fault with the codec's tag on the error stream, then ignores it.
        with quiet_opencv(), _silent_error_stream():
            encoder = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, self.rate_hz, size)
        if not encoder.isOpened():
            raise ExportError(
                f"{self.path.name!r} cannot be encoded as {_CODECS[path.suffix.lower()]}",
                hint="Check that the folder may be written to, or write .mp4 instead.",
            )
        return encoder

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        self._encoder.release()
        self._encoder = None
        if kind is None and not self.frame_count:
            raise VideoError("a video without frames was not written")


def open_video(path: str | os.PathLike[str]) -> VideoReader:
    """Open a video file.

    Rotation that a phone stored beside the pictures is applied.

    Raises:
        VideoError: No such file, not a video, or no frame that can be decoded.
    """
    path = Path(path)
    if not path.is_file():
        raise VideoError(f"there is no file {path.name!r}", hint=f"Looked in {str(path.parent)!r}.")
    return VideoReader(path)


class _Capture:
    """OpenCV's reader with RGB frames and without its messages."""

    def __init__(self, path: Path) -> None:
        import cv2

        with quiet_opencv():
            self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise VideoError(
                f"{path.name!r} is not a video, or it is cut off before its index",
                hint="Play it in a video player; copy or record it again if it does not play.",
            )

    def number(self, name: int) -> float:
        """Return a property, 0 where the file does not state it."""
        value = float(self._capture.get(name))
        return value if np.isfinite(value) else 0.0

    def seek(self, number: int) -> int:
        """Make frame `number` the next one, as far as the file allows; return `number`."""
        import cv2

        self._capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        return number

    def advance(self) -> float | None:
        """Decode the next frame; return its time in seconds, None behind the last one."""
        import cv2

        if not self._capture.grab():
            return None
        return self.number(cv2.CAP_PROP_POS_MSEC) / 1000.0

    def image(self) -> NDArray[np.uint8] | None:
        """Return the frame that was decoded last, upright sRGB."""
        import cv2

        good, image = self._capture.retrieve()
        if not good or image is None:
            return None
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)

    def close(self) -> None:
        self._capture.release()


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's own messages off the error stream while a file or camera is tried."""
    import cv2

    # FFmpeg's level is read once, when OpenCV opens its first file.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    logging = cv2.utils.logging
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(level)


@contextlib.contextmanager
def _silent_error_stream() -> Iterator[None]:
    """Send what native code prints to the error stream nowhere."""
    try:
        saved = os.dup(2)
    except OSError:
        # A program without a console has no such stream.
        yield
        return
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
