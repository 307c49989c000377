"""Sources that break, servers that vanish, connections that fall silent."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lifemask import SourceError, StreamError
from lifemask.streaming import Client, ServerThread
from lifemask.v1 import frame_pb2
from lifemask.v1 import performance_service_pb2 as pb
from stream_helpers import ListSource, LiveSource, RawStream, StubServer, random_frames, start
from stream_helpers import two_channel_frame as frame
from stream_helpers import two_channel_header as header

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def health(address: str, service: str = "lifemask.v1.PerformanceService") -> int:
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return stub.Check(health_pb2.HealthCheckRequest(service=service)).status


def wait_until(condition, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def response(**part) -> pb.StreamFramesResponse:
    return pb.StreamFramesResponse(**part)


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (SourceError("the camera was unplugged"), "the camera was unplugged"),
        (RuntimeError("secret detail"), "the source failed with RuntimeError"),
    ],
)
def test_source_that_breaks(failure, message):
    source, healthy = LiveSource(name="broken"), LiveSource(name="healthy")
    with ServerThread([source, healthy]) as server, Client(server.address) as client:
        assert health(server.address) == SERVING
        with client.frames("broken") as stream:
            next(stream)
            source.failure = failure
            list(stream)
        assert (stream.end.reason, stream.end.message) == ("source_failed", message)
        assert source.closed.is_set()
        wait_until(lambda: [one.state for one in client.subjects()] == ["failed", "live"])
        assert health(server.address) == SERVING
        healthy.failure = failure
        wait_until(lambda: health(server.address) == NOT_SERVING)
        assert health(server.address, "") == SERVING
        assert client.server_info().name == "lifemask"


def test_source_that_breaks_before_its_first_frame():
    source = ListSource([])
    with ServerThread([source], repeat=True) as server, Client(server.address) as client:
        with client.frames() as stream:
            assert list(stream) == []
        assert stream.end.reason == "source_failed"
        assert "no frames" in stream.end.message


def test_source_without_frames_just_ends():
    with ServerThread([ListSource([])]) as server, Client(server.address) as client:
        with client.frames() as stream:
            assert list(stream) == []
        assert stream.end.reason == "source_ended"
        wait_until(lambda: health(server.address) == SERVING)


def test_values_that_are_not_finite_never_reach_the_wire():
    frames = random_frames(6)
    frames[2].coefficients[7] = float("nan")
    frames[3].coefficients[7] = float("inf")
    frames[4].coefficients[:] = [5.0, -5.0] * 26
    frames[5].head_rotation[0] = float("nan")
    with ServerThread([ListSource(frames)]) as server, Client(server.address) as client:
        received = [one.frame for one in client.frames()]
    assert received[2].coefficients[7] == received[3].coefficients[7] == frames[1].coefficients[7]
    assert received[4].coefficients.tolist() == [1.0, 0.0] * 26
    assert received[5].head_rotation.tolist() == [0.0, 0.0, 0.0, 1.0]


def test_server_that_stops_says_so():
    server = ServerThread([LiveSource()])
    server.start()
    with Client(server.address) as client, client.frames() as stream:
        next(stream)
        threading.Timer(0.2, server.stop).start()
        list(stream)
        assert stream.end.reason == "server_stopping"
    server.stop()


def test_watching_subjects():
    source = ListSource(random_frames(20))
    with ServerThread([source]) as server, Client(server.address) as client:
        lists = client.watch_subjects()
        assert [one.state for one in next(lists)] == ["waiting"]
        with client.frames() as stream:
            next(stream)
            current = next(lists)[0]
            assert (current.state, current.stream_count) == ("live", 1)
            list(stream)
        while current.state != "ended" or current.stream_count:
            current = next(lists)[0]
        lists.close()


def test_heartbeats_count_what_was_left_out():
    with (
        ServerThread([LiveSource()], heartbeat_seconds=0.25) as server,
        RawStream(server.address, start(credits=1)) as stream,
    ):
        begun = time.monotonic()
        beats = [stream.read_until("heartbeat")[-1].heartbeat for _ in range(5)]
        assert 0.8 < time.monotonic() - begun < 2.5
    assert all(abs(beat.server_time_nanos - time.time_ns()) < 10e9 for beat in beats)
    drops = [beat.dropped_count for beat in beats]
    assert drops == sorted(drops) and drops[-1] > 30


def test_reconnects_to_a_server_that_comes_back():
    server = ServerThread([LiveSource()])
    server.start()
    address = server.address
    with Client(address) as client, client.frames(reconnect_seconds=20) as stream:
        next(stream)
        first = stream.header.session_id
        server.stop()
        with ServerThread([LiveSource()], address=address):
            received = [next(stream) for _ in range(10)]
            assert stream.reconnects == 1
            assert stream.header.session_id != first
            assert received[-1].sequence > 5


def test_reconnecting_gives_up():
    server = ServerThread([LiveSource()])
    server.start()
    with Client(server.address) as client, client.frames(reconnect_seconds=1.0) as stream:
        next(stream)
        server.stop()
        begun = time.monotonic()
        with pytest.raises(StreamError):
            list(stream)
        assert 0.8 < time.monotonic() - begun < 8


SERVE = """
from lifemask.capture import ScriptedPerformance
from lifemask.streaming import ServerThread
with ServerThread([ScriptedPerformance()]) as server:
    print(server.address, flush=True)
    input()
"""


def test_server_that_is_killed():
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        address = run.stdout.readline().strip()
        with Client(address) as client, client.frames() as stream:
            next(stream)
            run.kill()
            with pytest.raises(StreamError, match="no connection") as caught:
                list(stream)
    assert "lifemask serve" in caught.value.hint


def test_nobody_listens_there():
    with Client("127.0.0.1:1") as client:
        for call in (client.server_info, client.subjects, lambda: next(client.frames())):
            with pytest.raises(StreamError, match="no connection to 127"):
                call()


def test_a_program_that_is_no_lifemask_server():
    with StubServer() as stub, Client(stub.address) as client:
        with pytest.raises(StreamError) as caught:
            client.server_info()
        assert "no lifemask server" in caught.value.hint


def test_silence_is_an_error():
    with StubServer([header()], then="hang") as stub, Client(stub.address) as client:
        begun = time.monotonic()
        with pytest.raises(StreamError, match=r"nothing came from .* for 0.4 s"):
            next(client.frames(silence_seconds=0.4))
        assert time.monotonic() - begun < 3


def test_slow_consumer_is_not_silence():
    with ServerThread([LiveSource()]) as server, Client(server.address) as client:
        stream = client.frames(silence_seconds=0.3)
        next(stream)
        time.sleep(0.8)
        next(stream)
        next(stream)


def test_stream_that_breaks_off():
    with StubServer([header(), frame(sequence=1)]) as stub, Client(stub.address) as client:
        stream = client.frames()
        assert next(stream).frame.coefficients[17] == 0.25
        with pytest.raises(StreamError, match="broke off"):
            next(stream)
        assert list(stream) == []


@pytest.mark.parametrize(
    "responses",
    [
        [frame()],
        [header(), frame(values=(0.1,))],
        [header(), frame(values=(0.1,) * 300)],
        [header(), frame(values=(float("nan"), 0.0))],
        [header(), frame(gaze=frame_pb2.Gaze(left_yaw=float("inf")))],
        [header(), frame(names=("other",), values=(0.1,))],
        [header(names=())],
        [header(names=[f"c{i}" for i in range(257)])],
        [header(names=("a", "A"))],
        [header(names=("browDown_L", "browDownLeft"))],
        [header(names=("",))],
    ],
    ids=[
        "no header", "too few", "too many", "nan", "infinite gaze", "other layout",
        "no channels", "too many channels", "same name", "same meaning", "no name",
    ],
)  # fmt: skip
def test_breaches_of_the_contract(responses):
    with StubServer(responses, then="hang") as stub, Client(stub.address) as client:
        stream = client.frames(silence_seconds=2.0)
        with pytest.raises(StreamError, match="broke the contract"):
            next(stream)


def test_things_of_a_later_version_are_tolerated():
    names = (*(f"later{i}" for i in range(250)), "jawOpen")
    values = (*([0.9] * 250), 0.5)
    later = header(names=names, source_rate_hz=float("nan"), capture_clock=99, session_id="s")
    shown = frame(
        names=names, values=values, tracking_state=77, head_rotation=frame_pb2.Quaternion()
    )
    end = response(end=frame_pb2.StreamEnd(reason=42))
    with StubServer([later, response(), shown, end]) as stub, Client(stub.address) as client:
        stream = client.frames()
        received = list(stream)
    assert received[0].frame.coefficients[17] == 0.5
    assert received[0].frame.coefficients.sum() == 0.5
    assert received[0].frame.head_rotation.tolist() == [0, 0, 0, 1]
    assert received[0].frame.tracking_state.name == "LOST"
    assert (stream.header.source_rate_hz, stream.header.capture_clock) == (0.0, "unspecified")
    assert stream.end.reason == "unspecified"


def test_header_may_change_within_a_stream():
    answers = [
        header(),
        frame(sequence=1),
        header(names=("tongueOut",)),
        frame(names=("tongueOut",), values=(0.75,), sequence=1),
        response(end=frame_pb2.StreamEnd()),
    ]
    with StubServer(answers) as stub, Client(stub.address) as client:
        received = list(client.frames())
    assert received[0].frame.coefficients[17] == 0.25
    assert received[1].frame.coefficients[51] == 0.75
    assert received[1].frame.coefficients[17] == 0.0


def test_closed_client():
    with ServerThread([LiveSource()]) as server:
        client = Client(server.address)
        stream = client.frames()
        next(stream)
        client.close()
        with pytest.raises(StreamError):
            list(stream)
        with pytest.raises(StreamError):
            client.subjects()
        with pytest.raises(StreamError):
            next(client.frames())
