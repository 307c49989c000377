"""Sources of performances, and raw calls, for tests of the server and the client."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Iterator
from concurrent import futures

import grpc
import numpy as np

from lifemask.capture import PerformanceFrame, TrackingState, all_channels_valid
from lifemask.heads import COEFFICIENT_NAMES
from lifemask.streaming._messages import channels, layout_id
from lifemask.v1 import frame_pb2
from lifemask.v1 import performance_service_pb2 as pb
from lifemask.v1.performance_service_pb2_grpc import (
    PerformanceServiceServicer,
    PerformanceServiceStub,
    add_PerformanceServiceServicer_to_server,
)

RANDOM = np.random.default_rng(7)


class Source:
    """A `PerformanceSource` with settable facts."""

    def __init__(self, name: str = "test", rate_hz: float = 60.0, live: bool = False) -> None:
        self.name = name
        self.rate_hz = rate_hz
        self.live = live
        self.channel_names = COEFFICIENT_NAMES
        self.channel_validity = all_channels_valid()
        self.closed = threading.Event()

    def frames(self) -> Iterator[PerformanceFrame]:
        raise NotImplementedError

    def close(self) -> None:
        self.closed.set()


class ListSource(Source):
    """Plays given frames."""

    def __init__(self, frames: list[PerformanceFrame], **facts) -> None:
        super().__init__(**facts)
        self.list = frames

    def frames(self) -> Iterator[PerformanceFrame]:
        yield from self.list


class LiveSource(Source):
    """A camera: a frame at each tick, stamped when it comes, until `closed` or `limit`."""

    def __init__(self, rate_hz: float = 60.0, limit: int | None = None, **facts) -> None:
        super().__init__(rate_hz=rate_hz, live=True, **facts)
        self.limit = limit
        self.failure: Exception | None = None

    def frames(self) -> Iterator[PerformanceFrame]:
        start = time.perf_counter()
        for index in itertools.count():
            if self.failure is not None:
                raise self.failure
            due = start + index / self.rate_hz
            while (left := due - time.perf_counter()) > 0 and not self.closed.is_set():
                time.sleep(min(left, 0.1))
            if self.closed.is_set() or index == self.limit:
                return
            coefficients = np.full(52, (index % 1000) / 1000.0, np.float32)
            yield PerformanceFrame(time.time_ns(), coefficients)


def random_frames(count: int, rate_hz: float = 60.0) -> list[PerformanceFrame]:
    """Frames in which no two numbers are equal."""
    frames = []
    for index in range(count):
        quaternion = RANDOM.normal(size=4)
        quaternion *= np.sign(quaternion[3]) / np.linalg.norm(quaternion)
        frames.append(
            PerformanceFrame(
                capture_time_nanos=round(index * 1e9 / rate_hz),
                coefficients=RANDOM.random(52).astype(np.float32),
                head_rotation=quaternion.astype(np.float32),
                head_translation=RANDOM.normal(size=3).astype(np.float32),
                gaze=RANDOM.normal(size=4).astype(np.float32),
                tracking_state=TrackingState.LOST if index % 5 == 4 else TrackingState.TRACKED,
            )
        )
    return frames


def ages(received) -> np.ndarray:
    """Capture to receive, seconds, of frames stamped on this machine."""
    return np.array([(r.receive_time_nanos - r.frame.capture_time_nanos) / 1e9 for r in received])


class ShiftedTime:
    """The `time` module of a machine whose clock is wrong."""

    def __init__(self, shift_nanos: int) -> None:
        self.shift = shift_nanos

    def time_ns(self) -> int:
        return time.time_ns() + self.shift

    def __getattr__(self, name: str):
        return getattr(time, name)


def two_channel_header(names=("jawOpen", "eyeBlinkLeft"), **facts) -> pb.StreamFramesResponse:
    """A response with a header; the facts are further fields."""
    message = frame_pb2.PerformanceHeader(
        layout_id=layout_id(names), channels=channels(names, [True] * len(names)), **facts
    )
    return pb.StreamFramesResponse(header=message)


def two_channel_frame(names=("jawOpen", "eyeBlinkLeft"), values=(0.25, 0.5), **facts):
    """A response with a frame that belongs to `two_channel_header`."""
    message = frame_pb2.PerformanceFrame(layout_id=layout_id(names), values=values, **facts)
    return pb.StreamFramesResponse(frame=message)


class RawStream:
    """StreamFrames without the client's good manners."""

    def __init__(self, address: str, *requests: pb.StreamFramesRequest, metadata=()) -> None:
        self.channel = grpc.insecure_channel(address)
        self.requests: queue.SimpleQueue = queue.SimpleQueue()
        for request in requests:
            self.requests.put(request)
        stub = PerformanceServiceStub(self.channel)
        self.call = stub.StreamFrames(iter(self.requests.get, None), metadata=metadata, timeout=20)

    def __enter__(self) -> RawStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.half_close()
        self.call.cancel()
        self.channel.close()

    def send(self, request: pb.StreamFramesRequest) -> None:
        self.requests.put(request)

    def half_close(self) -> None:
        self.requests.put(None)

    def read_until(self, kind: str) -> list:
        """Read responses up to and with the first of a kind."""
        seen = []
        for response in self.call:
            seen.append(response)
            if response.WhichOneof("response") == kind:
                break
        return seen

    def failure(self) -> grpc.RpcError:
        """Read on until the call fails; return how."""
        try:
            for _ in self.call:
                pass
        except grpc.RpcError as error:
            return error
        raise AssertionError("the call did not fail")


def start(subject: str = "", credits: int = 2) -> pb.StreamFramesRequest:
    return pb.StreamFramesRequest(start=pb.StreamStart(subject=subject, initial_credits=credits))


def credit(count: int) -> pb.StreamFramesRequest:
    return pb.StreamFramesRequest(credit=pb.StreamCredit(count=count))


def reason(error: grpc.RpcError) -> str:
    return dict(error.trailing_metadata() or ()).get("lifemask-reason", "")


class StubServer(PerformanceServiceServicer):
    """A server that answers StreamFrames with given responses, then does what it is told."""

    def __init__(self, responses=(), *, then: str = "end", raw: bool = False) -> None:
        self.responses = list(responses)
        self.then = then
        self.release = threading.Event()
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        if raw:
            handler = grpc.stream_stream_rpc_method_handler(self._answer)
            generic = grpc.method_handlers_generic_handler(
                "lifemask.v1.PerformanceService", {"StreamFrames": handler}
            )
            self.server.add_generic_rpc_handlers((generic,))
        else:
            add_PerformanceServiceServicer_to_server(self, self.server)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def __enter__(self) -> StubServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self.server.stop(0).wait()

    def StreamFrames(self, requests, context):
        return self._answer(requests, context)

    def SynchronizeClock(self, request, context):
        now = time.time_ns()
        return pb.SynchronizeClockResponse(
            client_send_time_nanos=request.client_send_time_nanos,
            server_receive_time_nanos=now,
            server_send_time_nanos=now,
        )

    def _answer(self, requests, context):
        yield from self.responses
        if self.then == "hang":
            self.release.wait(20)
