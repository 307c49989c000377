"""Receive the frames of one subject."""

from __future__ import annotations

import queue
import random
import threading
import time
from typing import TYPE_CHECKING, Protocol, Self

import grpc

from lifemask._errors import StreamError
from lifemask.heads import COEFFICIENT_NAMES
from lifemask.streaming._client_types import (
    ReceivedFrame,
    StreamEnd,
    StreamHeader,
    stream_end,
    stream_header,
)
from lifemask.streaming._messages import contract_breach, decode_frame
from lifemask.streaming._retarget import Retarget
from lifemask.streaming._status import client_error, is_transient
from lifemask.v1 import performance_service_pb2 as pb
from lifemask.v1.performance_service_pb2_grpc import PerformanceServiceStub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lifemask.streaming._connection import Connection
    from lifemask.v1 import frame_pb2 as frame_pb

SILENCE_SECONDS = 5.0
"""A connection on which not even a heartbeat comes for so long is dead."""

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 3.0


class FrameCall(Protocol):
    """One call that yields responses with header, frame, heartbeat or end."""

    def receive(self) -> pb.StreamFramesResponse | pb.WatchFramesResponse:
        """Wait for the next response; raises `grpc.RpcError` or `StopIteration`."""
        ...

    def consumed(self) -> None:
        """Note that the consumer is done with one frame."""
        ...

    def cancel(self) -> None:
        """End the call."""
        ...


class CreditedCall:
    """StreamFrames: every consumed frame grants the next."""

    def __init__(self, connection: Connection, subject: str, credits: int) -> None:
        self._requests: queue.SimpleQueue[pb.StreamFramesRequest | None] = queue.SimpleQueue()
        start = pb.StreamStart(subject=subject, initial_credits=credits)
        self._requests.put(pb.StreamFramesRequest(start=start))
        stub = PerformanceServiceStub(connection.channel)
        self._call = stub.StreamFrames(iter(self._requests.get, None), metadata=connection.metadata)

    def receive(self) -> pb.StreamFramesResponse:
        """Wait for the next response."""
        return next(self._call)

    def consumed(self) -> None:
        """Grant one more frame."""
        self._requests.put(pb.StreamFramesRequest(credit=pb.StreamCredit(count=1)))

    def cancel(self) -> None:
        """End the call and the thread that sends its requests."""
        self._requests.put(None)
        self._call.cancel()


class PlainCall:
    """WatchFrames: the server sends without asking."""

    def __init__(self, connection: Connection, subject: str, max_rate_hz: float) -> None:
        stub = PerformanceServiceStub(connection.channel)
        request = pb.WatchFramesRequest(subject=subject, max_rate_hz=max_rate_hz)
        self._call = stub.WatchFrames(request, metadata=connection.metadata)

    def receive(self) -> pb.WatchFramesResponse:
        """Wait for the next response."""
        return next(self._call)

    def consumed(self) -> None:
        """Do nothing."""

    def cancel(self) -> None:
        """End the call."""
        self._call.cancel()


class FrameStream:
    """Iterates over the frames of one subject until the stream ends or is closed.

    Args:
        open_call: Makes the call; again after a lost connection.
        connection: Over which it is made.
        reconnect_seconds: How long a lost connection is tried again before the error is raised;
            0 raises at once. The session of the header changes if the server was restarted.
        silence_seconds: How long nothing, not even a heartbeat, may come.

    Attributes:
        header: Of the frames that come now; None before the first.
        end: Why the stream ended; None before.
        dropped: Frames that the server left out for this client, as of the last heartbeat.
        reconnects: Times that the connection was restored.

    Example:
        with client.frames("script") as frames:
            for received in frames:
                print(received.frame.coefficients)
    """

    def __init__(
        self,
        open_call: Callable[[], FrameCall],
        connection: Connection,
        *,
        reconnect_seconds: float = 0.0,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self.header: StreamHeader | None = None
        self.end: StreamEnd | None = None
        self.dropped = 0
        self.reconnects = 0
        self._open_call = open_call
        self._connection = connection
        self._address = connection.address
        self._reconnect_seconds = reconnect_seconds
        self._silence_seconds = silence_seconds
        self._call: FrameCall | None = None
        self._alarm: _Alarm | None = None
        self._owes_credit = False
        self._closed = False
        self._layout = 0
        self._retarget = Retarget((), ())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[ReceivedFrame]:
        return self

    def __next__(self) -> ReceivedFrame:
        """Wait for the next frame.

        Raises:
            SubjectNotFoundError: If the server has no such subject.
            StreamError: If the connection is lost, or the server breaks the contract.
        """
        lost_at: float | None = None
        pause = _FIRST_PAUSE_SECONDS
        while not self._closed:
            try:
                received = self._next_frame()
            except StreamError:
                self.close()
                raise
            except (grpc.RpcError, _Lost) as problem:
                lost_at = lost_at or time.monotonic()
                pause = self._pause_or_raise(problem, lost_at, pause)
                continue
            if received is None:
                self.close()
                break
            self.reconnects += lost_at is not None
            return received
        raise StopIteration

    def close(self) -> None:
        """End the call; safe to call twice, and from another thread."""
        self._closed = True
        self._hang_up()

    def _next_frame(self) -> ReceivedFrame | None:
        """Read responses up to the next frame; None at the end of the stream."""
        if self._call is None:
            with self._connection.errors():
                self._call = self._open_call()
            self._alarm = _Alarm(self._call, self._silence_seconds)
            self._layout = 0
        elif self._owes_credit:
            self._call.consumed()
        self._owes_credit = False
        while True:
            response = self._receive()
            received = time.time_ns()
            kind = response.WhichOneof("response")
            if kind == "frame":
                self._owes_credit = True
                return self._read_frame(response.frame, received)
            if kind == "end":
                return self._read_end(response.end)
            if kind == "header":
                self._read_header(response.header)
            elif kind == "heartbeat":
                self.dropped = response.heartbeat.dropped_count

    def _receive(self) -> pb.StreamFramesResponse | pb.WatchFramesResponse:
        assert self._call is not None and self._alarm is not None
        with self._alarm:
            try:
                return self._call.receive()
            except StopIteration:
                raise _Lost("the stream broke off without an end") from None
            except grpc.RpcError as error:
                if self._alarm.rang:
                    seconds = self._silence_seconds
                    raise _Lost(f"nothing came from {self._address} for {seconds:g} s") from error
                raise

    def _read_header(self, message: frame_pb.PerformanceHeader) -> None:
        self.header = stream_header(message)
        self._layout = message.layout_id
        try:
            self._retarget = Retarget(self.header.channel_names, COEFFICIENT_NAMES)
        except ValueError as error:
            raise contract_breach(f"in a header {error}") from error

    def _read_frame(self, message: frame_pb.PerformanceFrame, received: int) -> ReceivedFrame:
        if self.header is None or message.layout_id != self._layout:
            raise contract_breach("a frame came before the header that it belongs to")
        return ReceivedFrame(decode_frame(message, self._retarget), message.sequence, received)

    def _read_end(self, message: frame_pb.StreamEnd) -> None:
        self.dropped = message.dropped_count
        self.end = stream_end(message)
        if self.end.reason == "server_stopping" and self._reconnect_seconds > 0:
            raise _Lost("the server stopped")

    def _pause_or_raise(
        self, problem: grpc.RpcError | _Lost, lost_at: float, pause: float
    ) -> float:
        """Wait before the next attempt and return the pause after that, or raise the error."""
        self._hang_up()
        if self._closed:
            return pause
        transient = isinstance(problem, _Lost) or is_transient(problem)
        if not transient or time.monotonic() - lost_at >= self._reconnect_seconds:
            self.close()
            raise self._final_error(problem) from problem
        # Clients that lost the same server at the same time must not come back in step.
        time.sleep(pause * random.uniform(0.5, 1.0))
        return min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _final_error(self, problem: grpc.RpcError | _Lost) -> Exception:
        if isinstance(problem, grpc.RpcError):
            return client_error(problem, self._address)
        return StreamError(str(problem), hint="Check that the server is still running.")

    def _hang_up(self) -> None:
        call, self._call = self._call, None
        alarm, self._alarm = self._alarm, None
        if call is not None:
            call.cancel()
        if alarm is not None:
            alarm.stop()


class _Lost(Exception):
    """The connection is gone; another attempt may succeed."""


class _Alarm:
    """Cancels a call that is waited for too long; `with` marks the waiting."""

    def __init__(self, call: FrameCall, limit_seconds: float) -> None:
        self.rang = False
        self._call = call
        self._limit = limit_seconds
        self._since: float | None = None
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="lifemask-silence", daemon=True).start()

    def __enter__(self) -> None:
        self._since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._since = None

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._limit / 10):
            since = self._since
            if since is not None and time.monotonic() - since > self._limit:
                self.rang = True
                self._call.cancel()
                return
