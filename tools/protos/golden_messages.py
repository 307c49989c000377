"""The encoded messages of the golden files: what a decoder must read, and what it must refuse."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from lifemask.capture import ScriptedPerformance
from lifemask.heads import COEFFICIENT_NAMES
from lifemask.streaming._messages import channels, encode_frame, layout_id
from lifemask.v1 import avatar_service_pb2 as avatar_pb
from lifemask.v1 import frame_pb2 as frame_pb
from lifemask.v1 import performance_service_pb2 as pb
from lifemask.v1 import server_service_pb2 as server_pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

CAPTURE_TIME = 1_700_000_000_123_456_789
FRAME = "lifemask.v1.PerformanceFrame"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Case:
    """One encoded message.

    Attributes:
        name: File name without suffix.
        note: What a decoder shows with it.
        data: The bytes.
        message: What they mean; None if they mean nothing.
        type_name: Full name of the message type.
        canonical: Whether an encoder must write exactly these bytes.
    """

    name: str
    note: str
    data: bytes
    message: Message | None
    type_name: str
    canonical: bool = True

    def to_json(self) -> Any:
        """Return the canonical JSON form of protobuf."""
        assert self.message is not None
        return json_format.MessageToDict(self.message)


def valid_cases() -> Iterator[Case]:
    """Yield all messages that must be understood."""
    for name, note, message in _plain_messages():
        data = message.SerializeToString(deterministic=True)
        yield Case(name, note, data, message, message.DESCRIPTOR.full_name)
    for name, note, data, message in _unusual_encodings():
        yield Case(name, note, data, message, message.DESCRIPTOR.full_name, canonical=False)


def invalid_cases() -> Iterator[Case]:
    """Yield byte strings that a decoder must refuse."""
    whole = _typical_frame().SerializeToString(deterministic=True)
    values = struct.pack("<3f", 0.1, 0.2, 0.3)
    cases = [
        ("truncated_frame", "cut off inside the values", whole[:100]),
        ("truncated_varint", "ends inside the sequence number", _tag(1, _VARINT) + b"\x80"),
        ("endless_varint", "a varint of eleven bytes", _tag(1, _VARINT) + b"\xff" * 10 + b"\x01"),
        ("length_beyond_end", "values longer than the message", _tag(4, _BYTES) + b"\x40" + values),
        ("ragged_values", "a packed length that four does not divide",
         _tag(4, _BYTES) + b"\x0b" + values[:11]),
        ("field_zero", "field number 0", b"\x00\x01"),
        ("wire_type_six", "a wire type that does not exist", bytes([(1 << 3) | 6, 1])),
        ("stray_group_end", "the end of a group that did not begin", bytes([(9 << 3) | 4])),
        ("nested_beyond_end", "a quaternion longer than the message",
         _tag(5, _BYTES) + b"\x0a" + _tag(1, _FIXED32) + values[:4]),
    ]  # fmt: skip
    for name, note, data in cases:
        yield Case(name, note, data, None, FRAME)
    text = _tag(3, _BYTES) + b"\x02\xc3\x28"
    yield Case("not_utf8", "text that is not UTF-8", text, None, "lifemask.v1.PerformanceHeader")


def _plain_messages() -> Iterator[tuple[str, str, Message]]:
    yield from _frames()
    yield from _stream_messages()
    yield from _list_messages()


def _frames() -> Iterator[tuple[str, str, Message]]:
    neutral = frame_pb.PerformanceFrame(
        sequence=1,
        capture_time_nanos=CAPTURE_TIME,
        layout_id=layout_id(COEFFICIENT_NAMES),
        values=[0.0] * 52,
        head_rotation=frame_pb.Quaternion(w=1.0),
        tracking_state=frame_pb.TRACKING_STATE_TRACKED,
    )
    extremes = frame_pb.PerformanceFrame(
        sequence=2**63 - 1,
        capture_time_nanos=-(2**63),
        layout_id=2**31 - 1,
        values=[0.0, 1.0, 1e-45, 1.1754944e-38, 0.33333334, 0.99999994],
        head_rotation=frame_pb.Quaternion(x=-1.0),
        head_translation=frame_pb.Vector3(x=2.0**127, y=-(2.0**127), z=-1e-45),
        gaze=frame_pb.Gaze(left_yaw=-0.0, left_pitch=-1.5, right_yaw=1.5, right_pitch=0.25),
        tracking_state=frame_pb.TRACKING_STATE_LOST,
    )
    longest = frame_pb.PerformanceFrame(
        sequence=3, layout_id=7, values=[index / 255.0 for index in range(256)]
    )
    yield "frame_empty", "no field at all: 0 bytes", frame_pb.PerformanceFrame()
    yield "frame_neutral", "52 zeros; a head that faces the camera", neutral
    yield "frame_typical", "a frame of the built-in performance", _typical_frame()
    yield "frame_extremes", "largest, smallest and negative numbers; negative zero", extremes
    yield "frame_256_values", "as many values as a receiver must accept", longest


def _typical_frame() -> frame_pb.PerformanceFrame:
    frame = ScriptedPerformance().sample(5.5)
    # Sines differ in the last bit between machines; the files must not.
    rounded = {
        name: (getattr(frame, name) * 4096).round() / 4096
        for name in ("coefficients", "head_rotation", "head_translation", "gaze")
    }
    return encode_frame(
        replace(frame, capture_time_nanos=CAPTURE_TIME, **rounded),
        sequence=331,
        layout=layout_id(COEFFICIENT_NAMES),
        values=rounded["coefficients"],
    )


def _header() -> frame_pb.PerformanceHeader:
    return frame_pb.PerformanceHeader(
        session_id="0f8fad5bd9cb469fa16570867728950e",
        layout_id=layout_id(COEFFICIENT_NAMES),
        subject="ada — 測試",
        avatar_id="ada",
        channels=channels(COEFFICIENT_NAMES, [True] * 51 + [False]),
        source_rate_hz=59.94,
        max_rate_hz=30.0,
        filter=frame_pb.FilterState(name="one-euro", min_cutoff_hz=1.5, speed_coefficient=0.3),
        capture_clock=frame_pb.CAPTURE_CLOCK_SENSOR,
    )


def _stream_messages() -> Iterator[tuple[str, str, Message]]:
    heartbeat = frame_pb.Heartbeat(
        server_time_nanos=CAPTURE_TIME, latest_sequence=600, dropped_count=12
    )
    end = frame_pb.StreamEnd(
        reason=frame_pb.STREAM_END_REASON_SOURCE_FAILED,
        message="the camera was unplugged",
        last_sequence=600,
        dropped_count=12,
    )
    response, request = pb.StreamFramesResponse, pb.StreamFramesRequest
    yield "response_header", "header with 52 channels", response(header=_header())
    yield "response_frame", "frame inside a response", response(frame=_typical_frame())
    yield "response_heartbeat", "heartbeat", response(heartbeat=heartbeat)
    yield "response_end", "end with a reason", response(end=end)
    yield (
        "response_empty_frame",
        "a frame that is chosen but empty",
        response(frame=frame_pb.PerformanceFrame()),
    )
    yield (
        "watch_response_frame",
        "frame of WatchFrames",
        pb.WatchFramesResponse(frame=_typical_frame()),
    )
    yield (
        "request_start",
        "first request",
        request(start=pb.StreamStart(subject="script", initial_credits=2)),
    )
    yield "request_credit", "later request", request(credit=pb.StreamCredit(count=1))
    yield (
        "request_negative_credit",
        "a negative int32 takes ten bytes",
        request(credit=pb.StreamCredit(count=-1)),
    )
    yield "request_watch", "request of WatchFrames", pb.WatchFramesRequest(max_rate_hz=30.0)
    yield "clock_request", "t0", pb.SynchronizeClockRequest(client_send_time_nanos=CAPTURE_TIME)
    yield (
        "clock_response",
        "t0, t1, t2; a client clock before 1970",
        pb.SynchronizeClockResponse(
            client_send_time_nanos=-5,
            server_receive_time_nanos=CAPTURE_TIME,
            server_send_time_nanos=CAPTURE_TIME + 1,
        ),
    )


def _list_messages() -> Iterator[tuple[str, str, Message]]:
    subjects = [
        pb.Subject(name="script", state=pb.SUBJECT_STATE_LIVE, source_rate_hz=60, stream_count=3),
        pb.Subject(name="webcam-0", state=pb.SUBJECT_STATE_FAILED, avatar_id="ada"),
    ]
    avatar = avatar_pb.AvatarSummary(
        avatar_id="ada",
        display_name="Ada",
        size_bytes=7_340_032,
        sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        consent=avatar_pb.Consent(subject="Ada", purpose="tests", date="2025-03-31"),
    )
    yield "subjects", "two subjects", pb.ListSubjectsResponse(subjects=subjects)
    yield "avatars", "one avatar with consent", avatar_pb.ListAvatarsResponse(avatars=[avatar])
    yield (
        "download_start",
        "description of a package",
        avatar_pb.DownloadAvatarResponse(avatar=avatar),
    )
    yield (
        "download_chunk",
        "bytes of a package",
        avatar_pb.DownloadAvatarResponse(chunk=bytes(range(256))),
    )
    yield (
        "server_info",
        "answer of GetServerInfo",
        server_pb.GetServerInfoResponse(
            name="lifemask",
            version="0.1.0",
            api_versions=["lifemask.v1"],
            features=["performance", "avatars"],
            start_time_nanos=CAPTURE_TIME,
            max_credits=8,
        ),
    )


def _unusual_encodings() -> Iterator[tuple[str, str, bytes, Message]]:
    """Yield encodings that no encoder writes but every decoder must read."""
    values = [0.125, 0.25, 0.5]
    plain = frame_pb.PerformanceFrame(sequence=9, values=values)
    sequence = _tag(1, _VARINT) + b"\x09"
    single = b"".join(_tag(4, _FIXED32) + struct.pack("<f", value) for value in values)
    split = _packed(values[:1]) + _packed([]) + _packed(values[1:])
    unknown = (
        _tag(1000, _VARINT) + b"\x01" + _tag(1001, _FIXED64) + bytes(8)
        + _tag(1002, _BYTES) + b"\x03abc" + _tag(1003, _FIXED32) + bytes(4)
        + bytes([0xA3, 0x06, 0x08, 0x01, 0xA4, 0x06])  # a group, number 100
    )  # fmt: skip
    yield "frame_unpacked", "values one by one", sequence + single, plain
    yield "frame_split", "values in three packed runs, one empty", sequence + split, plain
    yield "frame_reversed", "fields in falling order", _packed(values) + sequence, plain
    yield (
        "frame_unknown_fields",
        "fields of a later version",
        unknown + sequence + (_packed(values)),
        plain,
    )
    yield (
        "frame_wrong_type",
        "a known number with another wire type is an unknown field",
        (_tag(1, _BYTES) + b"\x02hi" + sequence + _packed(values)),
        plain,
    )
    yield (
        "frame_repeated_scalar",
        "the last of several values counts",
        (_tag(1, _VARINT) + b"\x05" + sequence + _packed(values)),
        plain,
    )
    yield (
        "frame_long_varint",
        "a varint with needless zeros",
        (_tag(1, _VARINT) + b"\x89\x80\x80\x00" + _packed(values)),
        plain,
    )
    yield from _unusual_nesting()


def _unusual_nesting() -> Iterator[tuple[str, str, bytes, Message]]:
    merged = frame_pb.PerformanceFrame(head_rotation=frame_pb.Quaternion(x=0.5, w=0.5))
    halves = [
        frame_pb.PerformanceFrame(head_rotation=frame_pb.Quaternion(x=0.5)),
        frame_pb.PerformanceFrame(head_rotation=frame_pb.Quaternion(w=0.5)),
    ]
    yield (
        "frame_merged",
        "a nested message in two parts is merged",
        b"".join(half.SerializeToString() for half in halves),
        merged,
    )
    state = frame_pb.PerformanceFrame()
    state.MergeFromString(_tag(8, _VARINT) + b"\x63")
    yield (
        "frame_unknown_state",
        "an enum value of a later version is kept",
        (_tag(8, _VARINT) + b"\x63"),
        state,
    )
    last = pb.StreamFramesResponse(heartbeat=frame_pb.Heartbeat(latest_sequence=4))
    first = pb.StreamFramesResponse(frame=frame_pb.PerformanceFrame(sequence=3))
    yield (
        "response_two_choices",
        "the last member of a oneof counts",
        (first.SerializeToString() + last.SerializeToString()),
        last,
    )


def _packed(values: list[float]) -> bytes:
    data = struct.pack(f"<{len(values)}f", *values)
    return _tag(4, _BYTES) + bytes([len(data)]) + data


def _tag(number: int, wire_type: int) -> bytes:
    value, data = (number << 3) | wire_type, bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])
