from lifemask.v1 import frame_pb2 as _frame_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubjectState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUBJECT_STATE_UNSPECIFIED: _ClassVar[SubjectState]
    SUBJECT_STATE_WAITING: _ClassVar[SubjectState]
    SUBJECT_STATE_LIVE: _ClassVar[SubjectState]
    SUBJECT_STATE_ENDED: _ClassVar[SubjectState]
    SUBJECT_STATE_FAILED: _ClassVar[SubjectState]
SUBJECT_STATE_UNSPECIFIED: SubjectState
SUBJECT_STATE_WAITING: SubjectState
SUBJECT_STATE_LIVE: SubjectState
SUBJECT_STATE_ENDED: SubjectState
SUBJECT_STATE_FAILED: SubjectState

class Subject(_message.Message):
    __slots__ = ("name", "state", "avatar_id", "source_rate_hz", "stream_count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    AVATAR_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    STREAM_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: SubjectState
    avatar_id: str
    source_rate_hz: float
    stream_count: int
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[SubjectState, str]] = ..., avatar_id: _Optional[str] = ..., source_rate_hz: _Optional[float] = ..., stream_count: _Optional[int] = ...) -> None: ...

class ListSubjectsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSubjectsResponse(_message.Message):
    __slots__ = ("subjects",)
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    subjects: _containers.RepeatedCompositeFieldContainer[Subject]
    def __init__(self, subjects: _Optional[_Iterable[_Union[Subject, _Mapping]]] = ...) -> None: ...

class WatchSubjectsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchSubjectsResponse(_message.Message):
    __slots__ = ("subjects",)
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    subjects: _containers.RepeatedCompositeFieldContainer[Subject]
    def __init__(self, subjects: _Optional[_Iterable[_Union[Subject, _Mapping]]] = ...) -> None: ...

class StreamStart(_message.Message):
    __slots__ = ("subject", "initial_credits")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    INITIAL_CREDITS_FIELD_NUMBER: _ClassVar[int]
    subject: str
    initial_credits: int
    def __init__(self, subject: _Optional[str] = ..., initial_credits: _Optional[int] = ...) -> None: ...

class StreamCredit(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class StreamFramesRequest(_message.Message):
    __slots__ = ("start", "credit")
    START_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    start: StreamStart
    credit: StreamCredit
    def __init__(self, start: _Optional[_Union[StreamStart, _Mapping]] = ..., credit: _Optional[_Union[StreamCredit, _Mapping]] = ...) -> None: ...

class StreamFramesResponse(_message.Message):
    __slots__ = ("header", "frame", "heartbeat", "end")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    header: _frame_pb2.PerformanceHeader
    frame: _frame_pb2.PerformanceFrame
    heartbeat: _frame_pb2.Heartbeat
    end: _frame_pb2.StreamEnd
    def __init__(self, header: _Optional[_Union[_frame_pb2.PerformanceHeader, _Mapping]] = ..., frame: _Optional[_Union[_frame_pb2.PerformanceFrame, _Mapping]] = ..., heartbeat: _Optional[_Union[_frame_pb2.Heartbeat, _Mapping]] = ..., end: _Optional[_Union[_frame_pb2.StreamEnd, _Mapping]] = ...) -> None: ...

class WatchFramesRequest(_message.Message):
    __slots__ = ("subject", "max_rate_hz")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    MAX_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    subject: str
    max_rate_hz: float
    def __init__(self, subject: _Optional[str] = ..., max_rate_hz: _Optional[float] = ...) -> None: ...

class WatchFramesResponse(_message.Message):
    __slots__ = ("header", "frame", "heartbeat", "end")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    header: _frame_pb2.PerformanceHeader
    frame: _frame_pb2.PerformanceFrame
    heartbeat: _frame_pb2.Heartbeat
    end: _frame_pb2.StreamEnd
    def __init__(self, header: _Optional[_Union[_frame_pb2.PerformanceHeader, _Mapping]] = ..., frame: _Optional[_Union[_frame_pb2.PerformanceFrame, _Mapping]] = ..., heartbeat: _Optional[_Union[_frame_pb2.Heartbeat, _Mapping]] = ..., end: _Optional[_Union[_frame_pb2.StreamEnd, _Mapping]] = ...) -> None: ...

class SynchronizeClockRequest(_message.Message):
    __slots__ = ("client_send_time_nanos",)
    CLIENT_SEND_TIME_NANOS_FIELD_NUMBER: _ClassVar[int]
    client_send_time_nanos: int
    def __init__(self, client_send_time_nanos: _Optional[int] = ...) -> None: ...

class SynchronizeClockResponse(_message.Message):
    __slots__ = ("client_send_time_nanos", "server_receive_time_nanos", "server_send_time_nanos")
    CLIENT_SEND_TIME_NANOS_FIELD_NUMBER: _ClassVar[int]
    SERVER_RECEIVE_TIME_NANOS_FIELD_NUMBER: _ClassVar[int]
    SERVER_SEND_TIME_NANOS_FIELD_NUMBER: _ClassVar[int]
    client_send_time_nanos: int
    server_receive_time_nanos: int
    server_send_time_nanos: int
    def __init__(self, client_send_time_nanos: _Optional[int] = ..., server_receive_time_nanos: _Optional[int] = ..., server_send_time_nanos: _Optional[int] = ...) -> None: ...
