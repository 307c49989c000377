"""PerformanceService: streams of frames, lists of subjects, the clock."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from typing import TYPE_CHECKING, TypeVar

import grpc

from lifemask.streaming._hub import (
    CreditError,
    HeartbeatDue,
    Hub,
    Item,
    Subject,
    Subscription,
    TooManyStreamsError,
)
from lifemask.streaming._status import abort
from lifemask.v1 import frame_pb2 as frame_pb
from lifemask.v1 import performance_service_pb2 as pb
from lifemask.v1 import performance_service_pb2_grpc as rpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START_TIMEOUT_SECONDS = 10.0
"""How long a new stream may wait with its first request."""

_Response = TypeVar("_Response", pb.StreamFramesResponse, pb.WatchFramesResponse)


class PerformanceServicer(rpc.PerformanceServiceServicer):
    """Serves what a hub holds."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def ListSubjects(
        self, request: pb.ListSubjectsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListSubjectsResponse:
        """Answer with all subjects."""
        return pb.ListSubjectsResponse(subjects=self._subjects())

    async def WatchSubjects(
        self, request: pb.WatchSubjectsRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.WatchSubjectsResponse]:
        """Answer with all subjects, now and after every change."""
        while not self._hub.stopped:
            change = self._hub.change
            yield pb.WatchSubjectsResponse(subjects=self._subjects())
            await change.wait()

    async def StreamFrames(
        self,
        request_iterator: AsyncIterator[pb.StreamFramesRequest],
        context: grpc.aio.ServicerContext,
    ) -> None:
        """Stream frames as long as there is credit."""
        start = await self._read_start(request_iterator, context)
        subject = await self._find(start.subject, context)
        try:
            subscription = subject.subscribe(credits=start.initial_credits)
        except CreditError as error:
            await abort(context, "CREDIT_LIMIT", str(error))
        with _subscribed(subject, subscription):
            # Sent by the first write otherwise, and then an error at that moment would send it
            # a second time, which gRPC refuses.
            await context.send_initial_metadata(())
            reader = asyncio.ensure_future(_read_credits(request_iterator, subscription))
            writer = asyncio.ensure_future(
                _write_all(context, subject, subscription, pb.StreamFramesResponse)
            )
            problem = await _first_problem(reader, writer)
        if problem:
            await abort(context, *problem)

    async def WatchFrames(
        self, request: pb.WatchFramesRequest, context: grpc.aio.ServicerContext
    ) -> None:
        """Stream frames without credit."""
        rate = request.max_rate_hz
        if not (math.isfinite(rate) and rate >= 0):
            await abort(context, "INVALID_REQUEST", f"max_rate_hz is {rate}, allowed are 0 and up")
        subject = await self._find(request.subject, context)
        subscription = subject.subscribe(max_rate_hz=rate)
        with _subscribed(subject, subscription):
            await _write_all(context, subject, subscription, pb.WatchFramesResponse)

    async def SynchronizeClock(
        self, request: pb.SynchronizeClockRequest, context: grpc.aio.ServicerContext
    ) -> pb.SynchronizeClockResponse:
        """Answer with the server's two time stamps."""
        response = pb.SynchronizeClockResponse(
            client_send_time_nanos=request.client_send_time_nanos,
            server_receive_time_nanos=time.time_ns(),
        )
        response.server_send_time_nanos = time.time_ns()
        return response

    def _subjects(self) -> list[pb.Subject]:
        return [
            pb.Subject(
                name=subject.name,
                state=subject.state,
                avatar_id=subject.header.avatar_id,
                source_rate_hz=subject.header.source_rate_hz,
                stream_count=subject.stream_count,
            )
            for subject in self._hub.subjects.values()
        ]

    async def _read_start(
        self,
        requests: AsyncIterator[pb.StreamFramesRequest],
        context: grpc.aio.ServicerContext,
    ) -> pb.StreamStart:
        try:
            first = await asyncio.wait_for(anext(requests, None), START_TIMEOUT_SECONDS)
        except TimeoutError:
            await abort(context, "START_TIMEOUT", "no `start` came")
        if first is None or first.WhichOneof("request") != "start":
            await abort(context, "INVALID_REQUEST", "the first request is not `start`")
        return first.start

    async def _find(self, name: str, context: grpc.aio.ServicerContext) -> Subject:
        subject = self._hub.find(name)
        if subject is None and name == "" and self._hub.subjects:
            known = ", ".join(self._hub.subjects)
            await abort(context, "AMBIGUOUS_SUBJECT", f"there are several subjects: {known}")
        if subject is None:
            await abort(context, "SUBJECT_NOT_FOUND", f"there is no subject {name!r}")
        try:
            self._hub.check_room()
        except TooManyStreamsError as error:
            await abort(context, "TOO_MANY_STREAMS", str(error))
        return subject


@contextlib.contextmanager
def _subscribed(subject: Subject, subscription: Subscription):
    try:
        yield
    finally:
        subject.unsubscribe(subscription)


async def _read_credits(
    requests: AsyncIterator[pb.StreamFramesRequest], subscription: Subscription
) -> tuple[str, str] | None:
    """Grant what the client sends until it stops sending; return reason and text of a breach."""
    async for request in requests:
        if request.WhichOneof("request") != "credit":
            return "INVALID_REQUEST", "only `credit` may follow `start`"
        try:
            subscription.grant(request.credit.count)
        except CreditError as error:
            return "CREDIT_LIMIT", str(error)
    subscription.close()
    return None


async def _write_all(
    context: grpc.aio.ServicerContext,
    subject: Subject,
    subscription: Subscription,
    response_type: type[_Response],
) -> None:
    """Write until the stream ends; a write waits while the connection is full."""
    while (item := await subscription.next()) is not None:
        await context.write(_response(item, subject, subscription, response_type))
        if isinstance(item, frame_pb.StreamEnd):
            return


async def _first_problem(
    reader: asyncio.Future[tuple[str, str] | None], writer: asyncio.Future[None]
) -> tuple[str, str] | None:
    """Wait for the end of the stream or a breach by the client, then stop both sides."""
    try:
        await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        if reader.done() and (problem := reader.result()):
            return problem
        await writer
        return None
    finally:
        for task in (reader, writer):
            task.cancel()
        await asyncio.gather(reader, writer, return_exceptions=True)


def _response(
    item: Item, subject: Subject, subscription: Subscription, response_type: type[_Response]
) -> _Response:
    if isinstance(item, HeartbeatDue):
        heartbeat = frame_pb.Heartbeat(
            server_time_nanos=time.time_ns(),
            latest_sequence=subject.latest_sequence,
            dropped_count=subscription.dropped,
        )
        return response_type(heartbeat=heartbeat)
    if isinstance(item, frame_pb.PerformanceFrame):
        return response_type(frame=item)
    if isinstance(item, frame_pb.PerformanceHeader):
        return response_type(header=item)
    end = frame_pb.StreamEnd()
    end.CopyFrom(item)
    end.dropped_count = subscription.dropped
    return response_type(end=end)
