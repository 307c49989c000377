"""Who performs and who listens: one slot per listener, holding the newest frame and no other.

Everything here runs on one event loop and nothing here blocks, so that a listener that is slow,
or gone, costs the others nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeAlias

from lifemask.v1 import frame_pb2 as pb
from lifemask.v1 import performance_service_pb2 as service_pb

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_CREDITS: Final = 8
"""Most credits that a stream may hold unused."""

MAX_STREAMS: Final = 256
"""Most streams of frames that one hub serves."""

_GRACE_BEATS = 2
"""Heartbeats for which the last frame of a session waits for credit."""


class HeartbeatDue:
    """What `Subscription.next` returns when a heartbeat is due."""


Item: TypeAlias = pb.PerformanceHeader | pb.PerformanceFrame | pb.StreamEnd | HeartbeatDue


class CreditError(Exception):
    """A listener granted a number of credits that the contract forbids."""


class TooManyStreamsError(Exception):
    """The hub serves as many streams as it can."""


class Subscription:
    """One listener of one subject.

    Args:
        header: Sent first.
        credits: Frames that may be sent before `grant`; None for a listener without credits.
        min_interval: Least time between two frames, seconds.

    Attributes:
        dropped: Frames that were replaced by a newer one before they could be sent.
    """

    def __init__(
        self, header: pb.PerformanceHeader, *, credits: int | None, min_interval: float
    ) -> None:
        if credits is not None and not 0 <= credits <= MAX_CREDITS:
            raise CreditError(f"initial_credits is {credits}, allowed are 0 to {MAX_CREDITS}")
        self.dropped = 0
        self._header: pb.PerformanceHeader | None = header
        self._frame: pb.PerformanceFrame | None = None
        self._end: pb.StreamEnd | None = None
        self._beat_due = False
        self._grace = _GRACE_BEATS
        self._credits = credits
        self._closed = False
        self._min_interval = min_interval
        self._not_before = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()

    def offer(self, frame: pb.PerformanceFrame) -> None:
        """Put the newest frame into the slot."""
        if self._frame is not None:
            self.dropped += 1
        self._frame = frame
        self._wake.set()

    def beat(self) -> None:
        """Ask for a heartbeat; several requests that nobody took are one."""
        self._beat_due = True
        if self._end is not None:
            self._grace -= 1
        self._wake.set()

    def finish(self, end: pb.StreamEnd) -> None:
        """End the stream after the frame in the slot, or at once if the server stops."""
        self._end = end
        if end.reason == pb.STREAM_END_REASON_SERVER_STOPPING:
            self._frame = None
        self._wake.set()

    def grant(self, count: int) -> None:
        """Allow `count` more frames.

        Raises:
            CreditError: If `count` is not positive, or more than `MAX_CREDITS` would be unused.
        """
        unused = self._credits or 0
        if count < 1 or unused + count > MAX_CREDITS:
            raise CreditError(
                f"credit of {count} with {unused} unused; at most {MAX_CREDITS} may be unused"
            )
        self._credits = unused + count
        self._wake.set()

    def close(self) -> None:
        """Note that no more credit will come; `next` returns None when the rest is used up."""
        self._closed = True
        self._wake.set()

    async def next(self) -> Item | None:
        """Wait for what is to be sent next; None when the listener wants no more."""
        while (item := self._take()) is None and not self._is_exhausted():
            self._wake.clear()
            await self._wake.wait()
        return item

    def release(self) -> None:
        """Cancel the timer; the subscription is not used again."""
        if self._timer is not None:
            self._timer.cancel()

    def _take(self) -> Item | None:
        if self._header is not None:
            header, self._header = self._header, None
            return header
        if self._beat_due:
            self._beat_due = False
            return HeartbeatDue()
        if self._frame is not None and self._may_send():
            frame, self._frame = self._frame, None
            return frame
        if self._end is not None and (self._frame is None or self._grace <= 0):
            return self._end
        return None

    def _may_send(self) -> bool:
        """Use up credit, or set a timer for when the rate limit allows the next frame."""
        if self._credits == 0:
            return False
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now < self._not_before:
            self.release()
            self._timer = loop.call_at(self._not_before, self._wake.set)
            return False
        # A little late must not push all later frames back, a long pause must not cause a burst.
        self._not_before = max(self._not_before, now - self._min_interval) + self._min_interval
        if self._credits is not None:
            self._credits -= 1
        return True

    def _is_exhausted(self) -> bool:
        return self._closed and self._credits == 0


class Subject:
    """One performer, its newest frame and its listeners.

    Args:
        header: What every stream begins with; `max_rate_hz` is filled in per stream.
        changed: Called whenever something that clients list has changed.
        wanted: Called at the first listener, for sources that wait for one.
    """

    def __init__(
        self,
        header: pb.PerformanceHeader,
        *,
        changed: Callable[[], None],
        wanted: Callable[[], None] | None = None,
    ) -> None:
        self.header = header
        self.latest: pb.PerformanceFrame | None = None
        self.end: pb.StreamEnd | None = None
        self.state = service_pb.SUBJECT_STATE_WAITING if wanted else service_pb.SUBJECT_STATE_LIVE
        self._subscriptions: set[Subscription] = set()
        self._changed = changed
        self._wanted = wanted

    @property
    def name(self) -> str:
        """Unique on the server."""
        return self.header.subject

    @property
    def latest_sequence(self) -> int:
        """Number of the newest frame; 0 before the first."""
        return self.latest.sequence if self.latest else 0

    @property
    def stream_count(self) -> int:
        """Open streams of frames."""
        return len(self._subscriptions)

    def publish(self, frame: pb.PerformanceFrame) -> None:
        """Hand the newest frame to every listener."""
        self.latest = frame
        for subscription in self._subscriptions:
            subscription.offer(frame)

    def finish(self, reason: pb.StreamEndReason, message: str = "") -> None:
        """End the performance for every listener; the first call counts."""
        if self.end is not None:
            return
        failed = reason == pb.STREAM_END_REASON_SOURCE_FAILED
        self.state = service_pb.SUBJECT_STATE_FAILED if failed else service_pb.SUBJECT_STATE_ENDED
        self._finish_all(self._end(reason, message))

    def stop(self) -> None:
        """End all streams at once because the server stops."""
        self._finish_all(self.end or self._end(pb.STREAM_END_REASON_SERVER_STOPPING))

    def subscribe(self, *, credits: int | None = None, max_rate_hz: float = 0.0) -> Subscription:
        """Add a listener: it gets the header, then the newest frame there is.

        Raises:
            CreditError: If `credits` is out of range.
        """
        header = pb.PerformanceHeader()
        header.CopyFrom(self.header)
        header.max_rate_hz = max_rate_hz
        interval = 1.0 / max_rate_hz if max_rate_hz > 0 else 0.0
        subscription = Subscription(header, credits=credits, min_interval=interval)
        self._subscriptions.add(subscription)
        if self.end is not None:
            subscription.finish(self.end)
        elif self.latest is not None:
            subscription.offer(self.latest)
        if self._wanted is not None:
            self.state = service_pb.SUBJECT_STATE_LIVE
            wanted, self._wanted = self._wanted, None
            wanted()
        self._changed()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Remove a listener."""
        subscription.release()
        self._subscriptions.discard(subscription)
        self._changed()

    def beat(self) -> None:
        """Ask every listener's stream for a heartbeat."""
        for subscription in self._subscriptions:
            subscription.beat()

    def _end(self, reason: pb.StreamEndReason, message: str = "") -> pb.StreamEnd:
        return pb.StreamEnd(reason=reason, message=message, last_sequence=self.latest_sequence)

    def _finish_all(self, end: pb.StreamEnd) -> None:
        self.end = end
        for subscription in self._subscriptions:
            subscription.finish(end)
        self._changed()


class Hub:
    """All subjects of a server."""

    def __init__(self) -> None:
        self.subjects: dict[str, Subject] = {}
        self.stopped = False
        self._change = asyncio.Event()

    def add(
        self, header: pb.PerformanceHeader, *, wanted: Callable[[], None] | None = None
    ) -> Subject:
        """Add a subject; its name must be new."""
        if header.subject in self.subjects:
            raise ValueError(f"there is a subject {header.subject!r} already")
        subject = Subject(header, changed=self._changed, wanted=wanted)
        self.subjects[subject.name] = subject
        self._changed()
        return subject

    def find(self, name: str) -> Subject | None:
        """Return the subject of that name; the only one there is for an empty name."""
        if name == "" and len(self.subjects) == 1:
            return next(iter(self.subjects.values()))
        return self.subjects.get(name)

    def check_room(self) -> None:
        """Raise TooManyStreamsError when no further stream can be served."""
        if sum(subject.stream_count for subject in self.subjects.values()) >= MAX_STREAMS:
            raise TooManyStreamsError(f"the server already serves {MAX_STREAMS} streams")

    @property
    def change(self) -> asyncio.Event:
        """Set at the next change of a subject; take it before reading the list."""
        return self._change

    async def beat_forever(self, period_seconds: float) -> None:
        """Ask all streams for heartbeats, once each period."""
        while True:
            await asyncio.sleep(period_seconds)
            for subject in self.subjects.values():
                subject.beat()

    def stop(self) -> None:
        """Tell every stream that the server stops."""
        self.stopped = True
        for subject in self.subjects.values():
            subject.stop()
        self._changed()

    def _changed(self) -> None:
        # Whoever waits holds the old event; the next waiter gets a new one.
        event, self._change = self._change, asyncio.Event()
        event.set()
