"""The thread that runs a source and hands its frames to the event loop."""

from __future__ import annotations

import contextlib
import logging
import threading
import uuid
from typing import TYPE_CHECKING

from lifemask._errors import LifemaskError
from lifemask.heads import COEFFICIENT_NAMES
from lifemask.streaming._messages import channels, encode_frame, layout_id, wire_text
from lifemask.streaming._pacing import paced, repeated
from lifemask.streaming._retarget import Retarget
from lifemask.v1 import frame_pb2 as pb

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from lifemask.capture import PerformanceFrame, PerformanceSource

log = logging.getLogger(__name__)

_JOIN_SECONDS = 2.0


class Producer:
    """Runs one source, retargets its channels and builds the messages of the wire.

    Args:
        source: Live, or recorded: a recorded one is paced in real time.
        repeat: Whether a recorded source starts again at its end.
        avatar_id: Avatar that the values are meant for.
        target_names: Channels of that avatar.

    Attributes:
        header: What streams of this source begin with.
    """

    def __init__(
        self,
        source: PerformanceSource,
        *,
        repeat: bool = False,
        avatar_id: str = "",
        target_names: tuple[str, ...] = COEFFICIENT_NAMES,
    ) -> None:
        self.source = source
        self._repeat = repeat and not source.live
        self._retarget = Retarget(source.channel_names, target_names, source.channel_validity)
        self._layout = layout_id(target_names)
        self.header = pb.PerformanceHeader(
            session_id=uuid.uuid4().hex,
            layout_id=self._layout,
            subject=wire_text(source.name),
            avatar_id=avatar_id,
            channels=channels(target_names, self._retarget.validity),
            source_rate_hz=source.rate_hz,
            filter=_filter_state(source),
            capture_clock=(pb.CAPTURE_CLOCK_SENSOR if source.live else pb.CAPTURE_CLOCK_RECEIVED),
        )
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(
        self,
        loop: asyncio.AbstractEventLoop,
        publish: Callable[[pb.PerformanceFrame], None],
        finish: Callable[[pb.StreamEndReason, str], None],
    ) -> None:
        """Start the thread; both functions are called on `loop`."""
        self._thread = threading.Thread(
            target=self._run, args=(loop, publish, finish), name="lifemask-source", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and close the source; waits for the frame that is in work."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_JOIN_SECONDS)
        if self._thread is None or self._thread.is_alive():
            # A live source may wait for a frame that never comes; closing it lets go.
            self.source.close()

    def _run(
        self,
        loop: asyncio.AbstractEventLoop,
        publish: Callable[[pb.PerformanceFrame], None],
        finish: Callable[[pb.StreamEndReason, str], None],
    ) -> None:
        reason, text = pb.STREAM_END_REASON_SOURCE_ENDED, ""
        try:
            with contextlib.closing(self.source):
                for message in self._messages():
                    if not _post(loop, publish, message):
                        break
        except Exception as error:
            reason, text = pb.STREAM_END_REASON_SOURCE_FAILED, _explain(error)
            expected = isinstance(error, LifemaskError)
            log.error("%s: %s", self.source.name, text, exc_info=None if expected else error)
        _post(loop, finish, reason, wire_text(text))

    def _messages(self) -> Iterator[pb.PerformanceFrame]:
        """Yield messages at the time at which they are to be sent."""
        last = 0
        for message, stamp in self._stamped():
            if self._stop.is_set():
                return
            # The wall clock may be set back while a performance runs.
            last = max(last + 1, stamp)
            message.capture_time_nanos = last
            yield message

    def _stamped(self) -> Iterator[tuple[pb.PerformanceFrame, int]]:
        """Yield messages with their capture times; recorded ones are made before they are due."""
        if self.source.live:
            for message in self._encoded(self.source.frames()):
                yield message, message.capture_time_nanos
            return
        recorded = repeated(self.source) if self._repeat else self.source.frames()
        yield from paced(self._encoded(recorded), self.source.rate_hz, self._stop)

    def _encoded(self, frames: Iterator[PerformanceFrame]) -> Iterator[pb.PerformanceFrame]:
        for sequence, frame in enumerate(frames, start=1):
            yield encode_frame(
                frame,
                sequence=sequence,
                layout=self._layout,
                values=self._retarget.apply(frame.coefficients),
            )


def _post(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *values: object) -> bool:
    """Call a function on the loop; return False if the loop is closed."""
    try:
        loop.call_soon_threadsafe(function, *values)
    except RuntimeError:
        return False
    return True


def _explain(error: Exception) -> str:
    """Return a sentence for clients; details of unexpected errors stay in the server's log."""
    if isinstance(error, LifemaskError):
        return str(error)
    return f"the source failed with {type(error).__name__}"


def _filter_state(source: PerformanceSource) -> pb.FilterState:
    smoothing = getattr(source, "smoothing", None)
    if smoothing is None:
        return pb.FilterState(name="none")
    return pb.FilterState(
        name="one-euro",
        min_cutoff_hz=smoothing.expression_cutoff_hz,
        speed_coefficient=smoothing.expression_beta,
    )
