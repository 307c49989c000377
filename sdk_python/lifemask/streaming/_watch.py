"""The public function `lifemask.watch`."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lifemask._errors import ExportError, StreamError
from lifemask._progress import ProgressCallback, no_progress
from lifemask.capture import TrackingState
from lifemask.streaming._address import DEFAULT_ADDRESS
from lifemask.streaming._client import Client

if TYPE_CHECKING:
    from lifemask.avatar import Avatar
    from lifemask.streaming._client_types import ClockOffset, ReceivedFrame, StreamHeader
    from lifemask.streaming._frame_stream import FrameStream

STATUS_SECONDS = 1.0

_CREDITS = 4
"""Taking a frame is quick here, so more may be under way: a hiccup then loses none."""
_FETCH = "download the avatar"
_WAIT = "wait for the first frame"


@dataclass(frozen=True)
class WatchReport:
    """What came through a stream, so far or in all.

    Attributes:
        subject: Name of the performer.
        frames: Frames received.
        seconds: From the first frame to the last, by this machine's clock.
        rate_hz: Frames received a second; 0 with fewer than two.
        source_rate_hz: Nominal rate of the source; 0 when it is not known.
        latency_p50_seconds: Median of capture to receive. Capture times are translated to this
            machine's clock; the error is at most half of the round trip.
        latency_p99_seconds: 99th percentile of the same.
        dropped: Frames between the first and the last that did not come.
        without_face: Frames on which the source saw no face.
        clock_offset_seconds: The server's clock minus this machine's.
        clock_round_trip_seconds: Of the exchange that the offset was taken from.
        capture_clock: `"sensor"`, `"synchronized"` or `"received"`: what capture means here.
        reconnects: Times that the connection was lost and restored.
        end: Why it ended: `"source_ended"`, `"source_failed"`, `"server_stopping"`, `"limit"`
            (frames or duration), `"interrupted"`; `"running"` before.
        video: The video that was drawn, or None.
        consent: What the server says about consent for the avatar that was drawn, or None.
    """

    subject: str
    frames: int
    seconds: float
    rate_hz: float
    source_rate_hz: float
    latency_p50_seconds: float
    latency_p99_seconds: float
    dropped: int
    without_face: int
    clock_offset_seconds: float
    clock_round_trip_seconds: float
    capture_clock: str
    reconnects: int
    end: str
    video: Path | None = None
    consent: str | None = None


def watch(
    address: str = DEFAULT_ADDRESS,
    subject: str = "",
    *,
    token: str | None = None,
    duration: float | None = None,
    frames: int | None = None,
    render: str | Path | None = None,
    reconnect_seconds: float = 0.0,
    status: Callable[[WatchReport], None] | None = None,
    progress: ProgressCallback = no_progress,
) -> WatchReport:
    """Receive a performance, measure it, and draw it if wanted.

    Ends with the stream, at a limit, or at Ctrl-C.

    Args:
        address: `host:port` of a server.
        subject: Name of the performer; the only one when empty.
        token: What the server printed, if it wants a token.
        duration: Longest time from the first frame, seconds.
        frames: Largest number of frames.
        render: Video to write (`.mp4` or `.webm`): the server's avatar is downloaded and drawn
            with what was received. Drawing begins when receiving has ended, so that it does not
            disturb what is measured.
        reconnect_seconds: How long a lost connection is tried again.
        status: Called about once a second with the state so far.
        progress: Told when the first frame is there, and how far the drawing is.

    Returns:
        The measurements.

    Raises:
        SubjectNotFoundError: If the server has no such subject.
        StreamError: If there is no server, or no frame came, or no avatar to draw.
        ExportError: If the video cannot be written.
    """
    path = None if render is None else _video_path(render)
    with Client(address, token=token) as client:
        # Before the stream, because a server may stop when the stream has ended.
        avatar = None if path is None else _fetch_avatar(client, subject, progress)
        record = _Record(client.synchronize_clock())
        stream = client.frames(subject, credits=_CREDITS, reconnect_seconds=reconnect_seconds)
        progress(_WAIT, 0.0)
        with stream:
            end = _receive(
                stream, record, _Limits(duration, frames), status or _no_status, progress
            )
    report = record.report(stream, end)
    if path is None or avatar is None:
        return report
    return _draw(avatar, record, report, path, progress)


@dataclass(frozen=True)
class _Limits:
    duration: float | None
    frames: int | None

    def reached(self, record: _Record) -> bool:
        if self.frames is not None and len(record.received) >= self.frames:
            return True
        return self.duration is not None and record.seconds >= self.duration


class _Record:
    """All frames so far, and the clock that their capture times are read by."""

    def __init__(self, clock: ClockOffset) -> None:
        self.received: list[ReceivedFrame] = []
        self.missed = 0
        self._clock = clock
        self._session = ""

    def add(self, received: ReceivedFrame, header: StreamHeader) -> None:
        if self.received and header.session_id == self._session:
            self.missed += max(0, received.sequence - self.received[-1].sequence - 1)
        self._session = header.session_id
        self.received.append(received)

    @property
    def seconds(self) -> float:
        if not self.received:
            return 0.0
        first, last = self.received[0], self.received[-1]
        return (last.receive_time_nanos - first.receive_time_nanos) / 1e9

    def latencies(self) -> list[float]:
        """Capture to receive in seconds, by this machine's clock."""
        offset = self._clock.offset_nanos
        return [
            (one.receive_time_nanos + offset - one.frame.capture_time_nanos) / 1e9
            for one in self.received
        ]

    def report(self, stream: FrameStream, end: str) -> WatchReport:
        header = stream.header
        if header is None or not self.received:
            raise StreamError(
                f"no frame came ({end})", hint="Check the source with `lifemask serve`."
            )
        p50, p99 = np.percentile(self.latencies(), [50, 99])
        count, seconds = len(self.received), self.seconds
        lost = sum(one.frame.tracking_state != TrackingState.TRACKED for one in self.received)
        return WatchReport(
            subject=header.subject,
            frames=count,
            seconds=seconds,
            rate_hz=(count - 1) / seconds if seconds > 0 else 0.0,
            source_rate_hz=header.source_rate_hz,
            latency_p50_seconds=float(p50),
            latency_p99_seconds=float(p99),
            dropped=self.missed,
            without_face=lost,
            clock_offset_seconds=self._clock.offset_nanos / 1e9,
            clock_round_trip_seconds=self._clock.round_trip_nanos / 1e9,
            capture_clock=header.capture_clock,
            reconnects=stream.reconnects,
            end=end,
        )


def _receive(
    stream: FrameStream,
    record: _Record,
    limits: _Limits,
    status: Callable[[WatchReport], None],
    progress: ProgressCallback,
) -> str:
    """Fill the record; return why it ended."""
    next_status = time.monotonic() + STATUS_SECONDS
    with contextlib.suppress(KeyboardInterrupt):
        for received in stream:
            assert stream.header is not None
            if not record.received:
                progress(_WAIT, 1.0)
            record.add(received, stream.header)
            if limits.reached(record):
                return "limit"
            if time.monotonic() >= next_status:
                next_status += STATUS_SECONDS
                status(record.report(stream, "running"))
        return stream.end.reason if stream.end else "unspecified"
    return "interrupted"


def _video_path(render: str | Path) -> Path:
    """Return the path if a video can be written there; found out before minutes of streaming."""
    from lifemask.geometry import VideoWriter

    path = VideoWriter(render, 2, 2, 1.0).path
    if not path.parent.is_dir():
        raise ExportError(
            f"the folder of {path.name!r} does not exist",
            hint=f"Create {str(path.parent)!r} first.",
        )
    return path


def _fetch_avatar(client: Client, subject: str, progress: ProgressCallback) -> Avatar | None:
    """Download the avatar that a subject drives; None if the subject's name is wrong."""
    from lifemask.avatar import Avatar

    chosen = [one for one in client.subjects() if subject in ("", one.name)]
    if len(chosen) != 1:
        return None  # the stream says what is wrong
    if not chosen[0].avatar_id:
        raise StreamError(
            f"the subject {chosen[0].name!r} has no avatar to draw",
            hint="Start the server with a package: lifemask serve FILE.lifemask.",
        )
    progress(_FETCH, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        avatar = Avatar.load(client.download_avatar(chosen[0].avatar_id, folder))
    progress(_FETCH, 1.0)
    return avatar


def _draw(
    avatar: Avatar, record: _Record, report: WatchReport, path: Path, progress: ProgressCallback
) -> WatchReport:
    from lifemask.streaming._film import film

    performance = [received.frame for received in record.received]
    film(avatar, performance, path, rate_hz=report.source_rate_hz, progress=progress)
    return replace(report, video=path, consent=avatar.manifest.consent.report())


def _no_status(report: WatchReport) -> None:
    """Ignore the state."""
