"""Work on recorded sources ahead of time, so that a slow frame does not delay the stream."""

from __future__ import annotations

import queue
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from lifemask._errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lifemask.capture import PerformanceFrame, PerformanceSource

_AHEAD_SECONDS = 3.0
_START_SECONDS = 0.5
_KEPT_FRAMES = 20_000
"""About 30 MB."""


class ReadAhead:
    """A recorded source that is read by a thread of its own, up to three seconds ahead.

    The first frame comes out when half a second is ready. A pass that was read to its end is kept
    in memory, up to 20,000 frames, so that playing it again costs nothing. Implements
    `PerformanceSource`.

    Args:
        source: What is read; `close` closes it too.
    """

    live = False

    def __init__(self, source: PerformanceSource) -> None:
        self.name = source.name
        self.rate_hz = source.rate_hz
        self.channel_names = source.channel_names
        self.channel_validity = source.channel_validity
        self._source = source
        self._kept: list[PerformanceFrame] | None = None
        self._reader: _Reader | None = None

    def prepare(self) -> None:
        """Begin to read, so that the first frame is there when it is asked for."""
        if self._reader is None and self._kept is None:
            depth = max(2, round(_AHEAD_SECONDS * self.rate_hz))
            self._reader = _Reader(self._source, depth)

    def frames(self) -> Iterator[PerformanceFrame]:
        """Yield the frames of the source; may be called again after the end."""
        if self._kept is not None:
            yield from self._kept
            return
        self.prepare()
        reader, self._reader = self._reader, None
        assert reader is not None
        seen: list[PerformanceFrame] = []
        try:
            reader.wait_for(max(1, round(_START_SECONDS * self.rate_hz)))
            for frame in reader:
                if len(seen) <= _KEPT_FRAMES:
                    seen.append(frame)
                yield frame
        finally:
            reader.stop()
        if len(seen) <= _KEPT_FRAMES:
            self._kept = seen

    def close(self) -> None:
        """Stop reading and close the source."""
        if self._reader is not None:
            self._reader.stop()
        self._source.close()


class Still:
    """One tracked picture, held: the same frame again and again. Implements `PerformanceSource`.

    Args:
        source: A source whose first frame is shown; `close` closes it too.
        rate_hz: Frames a second.
    """

    live = False

    def __init__(self, source: PerformanceSource, rate_hz: float = 30.0) -> None:
        self.name = source.name
        self.rate_hz = rate_hz
        self.channel_names = source.channel_names
        self.channel_validity = source.channel_validity
        self._source = source

    def frames(self) -> Iterator[PerformanceFrame]:
        """Yield the frame without end, capture times one period apart.

        Raises:
            SourceError: If the source has no frame.
        """
        frame = next(iter(self._source.frames()), None)
        if frame is None:
            raise SourceError(f"the source {self.name!r} has no frames")
        step = round(1e9 / self.rate_hz)
        while True:
            yield frame
            frame = replace(frame, capture_time_nanos=frame.capture_time_nanos + step)

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class _Reader:
    """Iterates over a source in a thread; errors come out where the frames come out."""

    def __init__(self, source: PerformanceSource, depth: int) -> None:
        self._queue: queue.Queue[PerformanceFrame | Exception | None] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._enough = threading.Condition()
        self._count = 0
        self._done = False
        self._thread = threading.Thread(
            target=self._run, args=(source,), name="lifemask-read-ahead", daemon=True
        )
        self._thread.start()

    def wait_for(self, count: int) -> None:
        """Wait until `count` frames are ready, or all there are."""
        limit = min(count, self._queue.maxsize)
        with self._enough:
            self._enough.wait_for(lambda: self._done or self._count >= limit)

    def __iter__(self) -> Iterator[PerformanceFrame]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def stop(self) -> None:
        """Stop reading; the frame in work is finished first."""
        self._stopped.set()
        self._thread.join()

    def _run(self, source: PerformanceSource) -> None:
        last: Exception | None = None
        try:
            for frame in source.frames():
                if not self._put(frame):
                    break
        except Exception as error:
            last = error
        self._put(last)
        with self._enough:
            self._done = True
            self._enough.notify_all()

    def _put(self, item: PerformanceFrame | Exception | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            with self._enough:
                self._count += 1
                self._enough.notify_all()
            return True
        return False
