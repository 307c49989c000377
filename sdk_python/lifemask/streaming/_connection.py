"""The channel of a client: address, token, keepalive, and errors in the product's own types."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc

from lifemask._errors import StreamError
from lifemask.streaming._address import parse_address
from lifemask.streaming._status import client_error
from lifemask.streaming._token import check_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Response = TypeVar("_Response")

_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # A proxy for web pages does not reach a server on the desk.
    ("grpc.enable_http_proxy", 0),
)


class Connection:
    """One channel to one server; opened by the first call.

    Args:
        address: `host:port`.
        token: Sent with every call.
        timeout_seconds: Longest time for a single answer.

    Raises:
        StreamError: If the address or the token is malformed.
    """

    def __init__(self, address: str, *, token: str | None, timeout_seconds: float) -> None:
        self.address = str(parse_address(address))
        self.timeout_seconds = timeout_seconds
        self.metadata = (
            () if token is None else (("authorization", f"Bearer {check_token(token)}"),)
        )
        self.channel = grpc.insecure_channel(self.address, options=_OPTIONS)
        self._closed = False

    def ask(self, method: Callable[..., _Response], request: Any) -> _Response:
        """Make a call with one answer.

        Raises:
            StreamError: If the server does not answer, or refuses.
        """
        with self.errors():
            return method(request, timeout=self.timeout_seconds, metadata=self.metadata)

    def iterate(self, method: Callable[..., Any], request: Any) -> Iterator[Any]:
        """Make a call with a stream of answers; leaving the loop cancels it.

        Raises:
            StreamError: If the server does not answer, or refuses.
        """
        with self.errors():
            call = method(request, metadata=self.metadata)
            try:
                yield from call
            finally:
                call.cancel()

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Turn failed calls into the product's errors."""
        try:
            yield
        except grpc.RpcError as error:
            raise client_error(error, self.address) from error
        except ValueError as error:
            if self._closed:
                raise StreamError("the client is closed") from error
            raise

    def close(self) -> None:
        """Close the channel; calls that are open end."""
        self._closed = True
        self.channel.close()
