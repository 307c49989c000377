"""Every error that lifemask raises on purpose.

LifemaskError
├── InputError            the user's photo, video or argument cannot be used
│   ├── ImageError        not an image, or one that cannot be decoded
│   ├── VideoError        not a video, or one that ends before its first frame
│   ├── NoFaceError       the landmarker found no face
│   ├── SeveralFacesError more than one face and no word which one is meant
│   ├── FaceCutError      the face reaches over the border of the frame
│   └── AnotherPersonError the inputs show different people
├── PackageError          an avatar package that is damaged, hostile or too new
├── ModelFileError        a model file that was not found or has the wrong hash
├── MissingExtraError     an optional dependency that is not installed
├── CacheError            a result that cannot be kept for the next run
├── ExportError           a format that cannot hold the avatar, or a file that cannot be written
├── StreamError           the connection, the server or the contract
│   ├── AddressInUseError the port is taken
│   └── SubjectNotFoundError
└── SourceError           a camera or recording that cannot be opened

    try:
        lifemask.build(["ada.jpg"], "ada.lifemask")
    except lifemask.NoFaceError as error:
        print(error, error.hint)
"""

from __future__ import annotations

from typing import ClassVar


class LifemaskError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: What happened, in one sentence.
        hint: What the user can do about it; empty when there is nothing to do.

    Attributes:
        code: Stable lower-case identifier, a heading of `docs/errors.md`.
        retryable: Whether the same call may succeed later without a change.
        exit_code: What the command line returns (see `docs/errors.md`).
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class InputError(LifemaskError):
    """The user's input cannot be used."""

    code = "input"
    exit_code = 3


class ImageError(InputError):
    """A file that is not an image, or one that cannot be decoded."""

    code = "image"


class VideoError(InputError):
    """A file that is not a video, or one that ends before its first frame."""

    code = "video"


class NoFaceError(InputError):
    """The landmarker found no face."""

    code = "no-face"


class SeveralFacesError(InputError):
    """More than one face, and nothing says which one is meant."""

    code = "several-faces"


class FaceCutError(InputError):
    """The face reaches over the border of the frame."""

    code = "face-cut"


class AnotherPersonError(InputError):
    """The inputs do not show one and the same person."""

    code = "another-person"


class PackageError(LifemaskError):
    """An avatar package that is damaged, hostile or from a newer version."""

    code = "package"
    exit_code = 3


class ModelFileError(LifemaskError):
    """A model file that was not found, or whose SHA-256 is wrong."""

    code = "model-file"
    exit_code = 4


class MissingExtraError(LifemaskError):
    """An optional dependency that is not installed."""

    code = "missing-extra"
    exit_code = 4


class CacheError(LifemaskError):
    """A result that cannot be kept in the user's cache."""

    code = "cache"


class ExportError(LifemaskError):
    """A format that cannot hold the avatar, or a file that cannot be written."""

    code = "export"


class StreamError(LifemaskError):
    """The connection, the server, or a breach of the contract."""

    code = "stream"
    retryable = True


class AddressInUseError(StreamError):
    """The port is taken by another process."""

    code = "address-in-use"
    retryable = False


class SubjectNotFoundError(StreamError):
    """The server has no subject of that name."""

    code = "subject-not-found"
    retryable = False


class SourceError(LifemaskError):
    """A camera or recording that cannot be opened."""

    code = "source"
