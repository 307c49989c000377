"""Play recorded frames at the speed at which they were captured."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from lifemask._errors import SourceError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from lifemask.capture import PerformanceFrame, PerformanceSource

_NAP_SECONDS = 0.05
"""Longest sleep without a look at the stop signal."""

_HEAD_START_SECONDS = 0.001
"""Rest after each frame: work on the next one at once would keep the interpreter from those who
send this one."""


class Timed(Protocol):
    """Anything with a capture time: a frame, or the message made of it."""

    @property
    def capture_time_nanos(self) -> int:
        """Nanoseconds, from any origin."""
        ...


_Item = TypeVar("_Item", bound=Timed)


def paced(
    items: Iterator[_Item], rate_hz: float, stop: threading.Event
) -> Iterator[tuple[_Item, int]]:
    """Yield each item when it is due, with the instant at which it was due.

    Items keep the distances of their capture times. When one comes more than a period late,
    because the producer could not keep up, the schedule moves with it: nothing is left out and
    nothing is rushed.

    Args:
        items: In order of capture time.
        rate_hz: Nominal rate, items a second.
        stop: Ends the iteration when set.

    Yields:
        The item, and nanoseconds since the Unix epoch.
    """
    period = round(1e9 / rate_hz)
    head_start = min(_HEAD_START_SECONDS, period / 8e9)
    shift: int | None = None
    for item in items:
        now = time.perf_counter_ns()
        if shift is None or now - (item.capture_time_nanos + shift) > period:
            shift = now - item.capture_time_nanos
        due = item.capture_time_nanos + shift
        if not sleep_until(due, stop):
            return
        late = max(0, time.perf_counter_ns() - due)
        yield item, time.time_ns() - late
        time.sleep(head_start)


def repeated(source: PerformanceSource) -> Iterator[PerformanceFrame]:
    """Yield the frames of a source again and again, with capture times that keep growing.

    Raises:
        SourceError: If the source has no frame.
    """
    period = round(1e9 / source.rate_hz)
    shift = 0
    while True:
        first = last = None
        for frame in source.frames():
            first = frame.capture_time_nanos if first is None else first
            last = frame.capture_time_nanos
            yield dataclasses.replace(frame, capture_time_nanos=last + shift)
        if first is None or last is None:
            raise SourceError(f"the source {source.name!r} has no frames")
        shift += last - first + period


def sleep_until(due_nanos: int, stop: threading.Event) -> bool:
    """Sleep until an instant of `time.perf_counter_ns`; return False if stopped before."""
    # `time.sleep` is exact on all systems; waiting on an event with a timeout is not on Windows.
    while not stop.is_set():
        left = due_nanos - time.perf_counter_ns()
        if left <= 0:
            return True
        time.sleep(min(left / 1e9, _NAP_SECONDS))
    return False
