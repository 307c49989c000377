from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrackingState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRACKING_STATE_UNSPECIFIED: _ClassVar[TrackingState]
    TRACKING_STATE_TRACKED: _ClassVar[TrackingState]
    TRACKING_STATE_LOST: _ClassVar[TrackingState]

class CaptureClock(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAPTURE_CLOCK_UNSPECIFIED: _ClassVar[CaptureClock]
    CAPTURE_CLOCK_SENSOR: _ClassVar[CaptureClock]
    CAPTURE_CLOCK_SYNCHRONIZED: _ClassVar[CaptureClock]
    CAPTURE_CLOCK_RECEIVED: _ClassVar[CaptureClock]

class ChannelValidity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANNEL_VALIDITY_UNSPECIFIED: _ClassVar[ChannelValidity]
    CHANNEL_VALIDITY_MEASURED: _ClassVar[ChannelValidity]
    CHANNEL_VALIDITY_NOT_MEASURED: _ClassVar[ChannelValidity]

class StreamEndReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STREAM_END_REASON_UNSPECIFIED: _ClassVar[StreamEndReason]
    STREAM_END_REASON_SOURCE_ENDED: _ClassVar[StreamEndReason]
    STREAM_END_REASON_SOURCE_FAILED: _ClassVar[StreamEndReason]
    STREAM_END_REASON_SERVER_STOPPING: _ClassVar[StreamEndReason]
TRACKING_STATE_UNSPECIFIED: TrackingState
TRACKING_STATE_TRACKED: TrackingState
TRACKING_STATE_LOST: TrackingState
CAPTURE_CLOCK_UNSPECIFIED: CaptureClock
CAPTURE_CLOCK_SENSOR: CaptureClock
CAPTURE_CLOCK_SYNCHRONIZED: CaptureClock
CAPTURE_CLOCK_RECEIVED: CaptureClock
CHANNEL_VALIDITY_UNSPECIFIED: ChannelValidity
CHANNEL_VALIDITY_MEASURED: ChannelValidity
CHANNEL_VALIDITY_NOT_MEASURED: ChannelValidity
STREAM_END_REASON_UNSPECIFIED: StreamEndReason
STREAM_END_REASON_SOURCE_ENDED: StreamEndReason
STREAM_END_REASON_SOURCE_FAILED: StreamEndReason
STREAM_END_REASON_SERVER_STOPPING: StreamEndReason

class Quaternion(_message.Message):
    __slots__ = ("x", "y", "z", "w")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    W_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    z: float
    w: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., z: _Optional[float] = ..., w: _Optional[float] = ...) -> None: ...

class Vector3(_message.Message):
    __slots__ = ("x", "y", "z")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    z: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., z: _Optional[float] = ...) -> None: ...

class Gaze(_message.Message):
    __slots__ = ("left_yaw", "left_pitch", "right_yaw", "right_pitch")
    LEFT_YAW_FIELD_NUMBER: _ClassVar[int]
    LEFT_PITCH_FIELD_NUMBER: _ClassVar[int]
    RIGHT_YAW_FIELD_NUMBER: _ClassVar[int]
    RIGHT_PITCH_FIELD_NUMBER: _ClassVar[int]
    left_yaw: float
    left_pitch: float
    right_yaw: float
    right_pitch: float
    def __init__(self, left_yaw: _Optional[float] = ..., left_pitch: _Optional[float] = ..., right_yaw: _Optional[float] = ..., right_pitch: _Optional[float] = ...) -> None: ...

class Channel(_message.Message):
    __slots__ = ("name", "validity")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALIDITY_FIELD_NUMBER: _ClassVar[int]
    name: str
    validity: ChannelValidity
    def __init__(self, name: _Optional[str] = ..., validity: _Optional[_Union[ChannelValidity, str]] = ...) -> None: ...

class FilterState(_message.Message):
    __slots__ = ("name", "min_cutoff_hz", "speed_coefficient")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MIN_CUTOFF_HZ_FIELD_NUMBER: _ClassVar[int]
    SPEED_COEFFICIENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    min_cutoff_hz: float
    speed_coefficient: float
    def __init__(self, name: _Optional[str] = ..., min_cutoff_hz: _Optional[float] = ..., speed_coefficient: _Optional[float] = ...) -> None: ...

class PerformanceHeader(_message.Message):
    __slots__ = ("session_id", "layout_id", "subject", "avatar_id", "channels", "source_rate_hz", "max_rate_hz", "filter", "capture_clock")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    AVATAR_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    MAX_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_CLOCK_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    layout_id: int
    subject: str
    avatar_id: str
    channels: _containers.RepeatedCompositeFieldContainer[Channel]
    source_rate_hz: float
    max_rate_hz: float
    filter: FilterState
    capture_clock: CaptureClock
    def __init__(self, session_id: _Optional[str] = ..., layout_id: _Optional[int] = ..., subject: _Optional[str] = ..., avatar_id: _Optional[str] = ..., channels: _Optional[_Iterable[_Union[Channel, _Mapping]]] = ..., source_rate_hz: _Optional[float] = ..., max_rate_hz: _Optional[float] = ..., filter: _Optional[_Union[FilterState, _Mapping]] = ..., capture_clock: _Optional[_Union[CaptureClock, str]] = ...) -> None: ...

class PerformanceFrame(_message.Message):
    __slots__ = ("sequence", "capture_time_nanos", "layout_id", "values", "head_rotation", "head_translation", "gaze", "tracking_state")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_TIME_NANOS_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_ID_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    HEAD_ROTATION_FIELD_NUMBER: _ClassVar[int]
    HEAD_TRANSLATION_FIELD_NUMBER: _ClassVar[int]
    GAZE_FIELD_NUMBER: _ClassVar[int]
    TRACKING_STATE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    capture_time_nanos: int
    layout_id: int
    values: _containers.RepeatedScalarFieldContainer[float]
    head_rotation: Quaternion
    head_translation: Vector3
    gaze: Gaze
    tracking_state: TrackingState
    def __init__(self, sequence: _Optional[int] = ..., capture_time_nanos: _Optional[int] = ..., layout_id: _Optional[int] = ..., values: _Optional[_Iterable[float]] = ..., head_rotation: _Optional[_Union[Quaternion, _Mapping]] = ..., head_translation: _Optional[_Union[Vector3, _Mapping]] = ..., gaze: _Optional[_Union[Gaze, _Mapping]] = ..., tracking_state: _Optional[_Union[TrackingState, str]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("server_time_nanos", "latest_sequence", "dropped_count")
    SERVER_TIME_NANOS_FIELD_NUMBER: _ClassVar[int]
    LATEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    DROPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    server_time_nanos: int
    latest_sequence: int
    dropped_count: int
    def __init__(self, server_time_nanos: _Optional[int] = ..., latest_sequence: _Optional[int] = ..., dropped_count: _Optional[int] = ...) -> None: ...

class StreamEnd(_message.Message):
    __slots__ = ("reason", "message", "last_sequence", "dropped_count")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    DROPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    reason: StreamEndReason
    message: str
    last_sequence: int
    dropped_count: int
    def __init__(self, reason: _Optional[_Union[StreamEndReason, str]] = ..., message: _Optional[str] = ..., last_sequence: _Optional[int] = ..., dropped_count: _Optional[int] = ...) -> None: ...
