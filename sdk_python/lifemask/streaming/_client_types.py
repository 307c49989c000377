"""What a client gets from a server, free of the wire's own types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lifemask.streaming._messages import check_header
from lifemask.v1 import avatar_service_pb2 as avatar_pb
from lifemask.v1 import frame_pb2 as frame_pb
from lifemask.v1 import performance_service_pb2 as pb

if TYPE_CHECKING:
    from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

    from lifemask.capture import PerformanceFrame


@dataclass(frozen=True)
class ServerInfo:
    """What a server says about itself.

    Attributes:
        name: Program, `"lifemask"` for this project's own.
        version: Its version.
        api_versions: Protobuf packages that it speaks.
        features: What it can do.
        start_time_nanos: When it started, nanoseconds since the Unix epoch, its own clock.
        max_credits: Most credits that a stream may hold unused.
    """

    name: str
    version: str
    api_versions: tuple[str, ...]
    features: tuple[str, ...]
    start_time_nanos: int
    max_credits: int


@dataclass(frozen=True)
class SubjectInfo:
    """One performer of a server.

    Attributes:
        name: Unique on the server.
        state: `"waiting"` (starts with the first listener), `"live"`, `"ended"`, `"failed"`.
        avatar_id: Avatar that it drives; empty when there is none.
        source_rate_hz: Nominal rate.
        stream_count: Streams that are open.
    """

    name: str
    state: str
    avatar_id: str
    source_rate_hz: float
    stream_count: int


@dataclass(frozen=True)
class RemoteAvatar:
    """One avatar that a server offers.

    Attributes:
        avatar_id: Key on the server.
        display_name: Name for people.
        size_bytes: Size of the package file.
        sha256: Of the package file, 64 hexadecimal digits.
        consent: Fields of the recorded agreement; empty when there is none.
    """

    avatar_id: str
    display_name: str
    size_bytes: int
    sha256: str
    consent: dict[str, str]


@dataclass(frozen=True)
class ClockOffset:
    """How far the server's clock is ahead of this machine's.

    Attributes:
        offset_nanos: Server time minus client time; wrong by at most half of the round trip.
        round_trip_nanos: Of the exchange that the offset was taken from, the fastest one.
    """

    offset_nanos: int
    round_trip_nanos: int


@dataclass(frozen=True)
class StreamHeader:
    """What holds for the frames of a stream.

    Attributes:
        session_id: Changes when the source starts anew.
        subject: Name of the performer.
        avatar_id: Avatar that the values are meant for; empty when there is none.
        channel_names: Names of the values on the wire.
        channel_validity: Which of them the source measures.
        source_rate_hz: Nominal rate of the source; 0 when it is not known.
        capture_clock: `"sensor"`, `"synchronized"` or `"received"`.
        filter_name: Smoothing applied by the server, `"none"` without.
    """

    session_id: str
    subject: str
    avatar_id: str
    channel_names: tuple[str, ...]
    channel_validity: tuple[bool, ...]
    source_rate_hz: float
    capture_clock: str
    filter_name: str


@dataclass(frozen=True)
class ReceivedFrame:
    """A frame, and when it came.

    Attributes:
        frame: The performance; capture times are the server's clock.
        sequence: Number in the session, from 1; gaps are frames that were left out.
        receive_time_nanos: This machine's clock, nanoseconds since the Unix epoch.
    """

    frame: PerformanceFrame
    sequence: int
    receive_time_nanos: int


@dataclass(frozen=True)
class StreamEnd:
    """Why a stream is over.

    Attributes:
        reason: `"source_ended"`, `"source_failed"`, `"server_stopping"`; `"unspecified"` when the
            server gives none that this version knows.
        message: One sentence, or empty.
    """

    reason: str
    message: str


def subject_info(message: pb.Subject) -> SubjectInfo:
    """Read a subject."""
    return SubjectInfo(
        name=message.name,
        state=_word(pb.SubjectState, "SUBJECT_STATE_", message.state),
        avatar_id=message.avatar_id,
        source_rate_hz=_rate(message.source_rate_hz),
        stream_count=message.stream_count,
    )


def remote_avatar(message: avatar_pb.AvatarSummary) -> RemoteAvatar:
    """Read the summary of an avatar."""
    consent = {field.name: value for field, value in message.consent.ListFields()}
    return RemoteAvatar(
        avatar_id=message.avatar_id,
        display_name=message.display_name,
        size_bytes=message.size_bytes,
        sha256=message.sha256,
        consent=consent,
    )


def stream_header(message: frame_pb.PerformanceHeader) -> StreamHeader:
    """Read a header.

    Raises:
        StreamError: If its channel list breaks the contract.
    """
    return StreamHeader(
        session_id=message.session_id,
        subject=message.subject,
        avatar_id=message.avatar_id,
        channel_names=check_header(message),
        channel_validity=tuple(
            channel.validity == frame_pb.CHANNEL_VALIDITY_MEASURED for channel in message.channels
        ),
        source_rate_hz=_rate(message.source_rate_hz),
        capture_clock=_word(frame_pb.CaptureClock, "CAPTURE_CLOCK_", message.capture_clock),
        filter_name=message.filter.name or "none",
    )


def stream_end(message: frame_pb.StreamEnd) -> StreamEnd:
    """Read the end of a stream."""
    reason = _word(frame_pb.StreamEndReason, "STREAM_END_REASON_", message.reason)
    return StreamEnd(reason, message.message)


def _rate(number: float) -> float:
    """Return a rate that can be computed with; 0 stands for one that is not known."""
    return number if 0.0 < number <= 1000.0 else 0.0


def _word(enum_type: EnumTypeWrapper, prefix: str, number: int) -> str:
    """Return the name of an enum value without prefix; unknown numbers are unspecified."""
    known = number if number in enum_type.values() else 0
    return enum_type.Name(known).removeprefix(prefix).lower()
