"""One table between status codes of the wire and the errors of the product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

import grpc

from lifemask._errors import LifemaskError, StreamError, SubjectNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

REASON_KEY: Final = "lifemask-reason"
"""Trailing metadata that says in one word what went wrong."""

_CODES: Final[Mapping[str, grpc.StatusCode]] = {
    "SUBJECT_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "AMBIGUOUS_SUBJECT": grpc.StatusCode.INVALID_ARGUMENT,
    "CREDIT_LIMIT": grpc.StatusCode.INVALID_ARGUMENT,
    "INVALID_REQUEST": grpc.StatusCode.INVALID_ARGUMENT,
    "START_TIMEOUT": grpc.StatusCode.DEADLINE_EXCEEDED,
    "TOO_MANY_STREAMS": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "AVATAR_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "TOKEN_REQUIRED": grpc.StatusCode.UNAUTHENTICATED,
}
"""Status code that goes with each reason."""

_HINTS: Final[Mapping[grpc.StatusCode, str]] = {
    grpc.StatusCode.UNAVAILABLE: "Check the address, and that `lifemask serve` is running there.",
    grpc.StatusCode.UNAUTHENTICATED: "Give the token that `lifemask serve` printed.",
    grpc.StatusCode.UNIMPLEMENTED: "That program is no lifemask server, or an old one.",
    grpc.StatusCode.DEADLINE_EXCEEDED: "The server is busy or hung; try again.",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "Close other clients of this server.",
}
_REASON_HINTS: Final[Mapping[str, str]] = {
    "SUBJECT_NOT_FOUND": "`Client.subjects` lists the names that the server knows.",
    "AMBIGUOUS_SUBJECT": "Name one of the subjects.",
    "AVATAR_NOT_FOUND": "`Client.avatars` lists what the server offers.",
}
_TRANSIENT: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNKNOWN}
)
"""Codes after which the same call may succeed later."""


async def abort(context: grpc.aio.ServicerContext, reason: str, message: str) -> NoReturn:
    """End a call with the status code of a reason; never returns."""
    await context.abort(_CODES[reason], message, trailing_metadata=((REASON_KEY, reason),))
    raise AssertionError("abort raises")


def client_error(error: grpc.RpcError, address: str) -> LifemaskError:
    """Return the product's error for a failed call to `address`."""
    code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
    details = (error.details() if isinstance(error, grpc.Call) else "") or code.name.lower()
    reason = _reason(error)
    hint = _REASON_HINTS.get(reason, "") or _HINTS.get(code, "")
    if reason == "SUBJECT_NOT_FOUND":
        return SubjectNotFoundError(details, hint=hint)
    if code is grpc.StatusCode.UNAVAILABLE:
        details = f"there is no connection to {address}: {details}"
    return StreamError(details, hint=hint)


def is_transient(error: grpc.RpcError) -> bool:
    """Return whether the same call may succeed later."""
    return isinstance(error, grpc.Call) and error.code() in _TRANSIENT


def _reason(error: grpc.RpcError) -> str:
    if not isinstance(error, grpc.Call):
        return ""
    metadata: Any = error.trailing_metadata() or ()
    return next((str(value) for key, value in metadata if key == REASON_KEY), "")
