"""Bearer tokens of listeners that other machines can reach."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, NoReturn

import grpc

from lifemask._errors import StreamError
from lifemask.streaming._status import abort

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


def check_token(token: str) -> str:
    """Return the token if it can travel as metadata.

    Raises:
        StreamError: If it is empty or holds anything but printable ASCII without spaces.
    """
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise StreamError(
            "the token holds characters that no token can have",
            hint="Use letters, digits, - and _, as in the token that `lifemask serve` prints.",
        )
    return token


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Refuses every call, health checks included, that does not carry the token.

    Args:
        token: What must follow `Bearer ` in the metadata key `authorization`.
    """

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: Any,
    ) -> Any:
        """Pass a call on, or answer it with UNAUTHENTICATED."""
        handler = await continuation(handler_call_details)
        if handler is None or self._is_valid(handler_call_details.invocation_metadata):
            return handler
        return _refusal(handler)

    def _is_valid(self, metadata: Any) -> bool:
        given = [value for key, value in metadata or () if key == "authorization"]
        text = given[0] if len(given) == 1 else ""
        data = text if isinstance(text, bytes) else text.encode()
        return hmac.compare_digest(data, self._expected)


def _refusal(handler: Any) -> Any:
    """Return a handler of the same shape that refuses, so that no request is awaited first."""
    if not handler.response_streaming:
        make = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make(_refuse)
    make = (
        grpc.stream_stream_rpc_method_handler
        if handler.request_streaming
        else grpc.unary_stream_rpc_method_handler
    )
    return make(_refuse_stream)


async def _refuse(request: object, context: grpc.aio.ServicerContext) -> NoReturn:
    await abort(context, "TOKEN_REQUIRED", "this server wants a token")


async def _refuse_stream(
    request: object, context: grpc.aio.ServicerContext
) -> AsyncIterator[bytes]:
    await abort(context, "TOKEN_REQUIRED", "this server wants a token")
    yield b""
