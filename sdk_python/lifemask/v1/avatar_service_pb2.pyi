from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Consent(_message.Message):
    __slots__ = ("subject", "purpose", "date", "expiry")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    DATE_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_FIELD_NUMBER: _ClassVar[int]
    subject: str
    purpose: str
    date: str
    expiry: str
    def __init__(self, subject: _Optional[str] = ..., purpose: _Optional[str] = ..., date: _Optional[str] = ..., expiry: _Optional[str] = ...) -> None: ...

class AvatarSummary(_message.Message):
    __slots__ = ("avatar_id", "display_name", "size_bytes", "sha256", "consent")
    AVATAR_ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    avatar_id: str
    display_name: str
    size_bytes: int
    sha256: str
    consent: Consent
    def __init__(self, avatar_id: _Optional[str] = ..., display_name: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ..., consent: _Optional[_Union[Consent, _Mapping]] = ...) -> None: ...

class ListAvatarsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListAvatarsResponse(_message.Message):
    __slots__ = ("avatars",)
    AVATARS_FIELD_NUMBER: _ClassVar[int]
    avatars: _containers.RepeatedCompositeFieldContainer[AvatarSummary]
    def __init__(self, avatars: _Optional[_Iterable[_Union[AvatarSummary, _Mapping]]] = ...) -> None: ...

class GetAvatarRequest(_message.Message):
    __slots__ = ("avatar_id",)
    AVATAR_ID_FIELD_NUMBER: _ClassVar[int]
    avatar_id: str
    def __init__(self, avatar_id: _Optional[str] = ...) -> None: ...

class GetAvatarResponse(_message.Message):
    __slots__ = ("avatar",)
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    avatar: AvatarSummary
    def __init__(self, avatar: _Optional[_Union[AvatarSummary, _Mapping]] = ...) -> None: ...

class DownloadAvatarRequest(_message.Message):
    __slots__ = ("avatar_id",)
    AVATAR_ID_FIELD_NUMBER: _ClassVar[int]
    avatar_id: str
    def __init__(self, avatar_id: _Optional[str] = ...) -> None: ...

class DownloadAvatarResponse(_message.Message):
    __slots__ = ("avatar", "chunk")
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    avatar: AvatarSummary
    chunk: bytes
    def __init__(self, avatar: _Optional[_Union[AvatarSummary, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...
