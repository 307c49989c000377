"""Slow, silent and greedy listeners: what they get, and that nobody else notices."""

from __future__ import annotations

import threading
import time

import grpc
import numpy as np
import pytest

from lifemask import StreamError
from lifemask.streaming import Client, ServerThread
from lifemask.v1 import performance_service_pb2 as pb
from stream_helpers import LiveSource, RawStream, ages, credit, reason, start


class Listener(threading.Thread):
    """Takes frames and pauses after each."""

    def __init__(self, address: str, pause: float, seconds: float, credits: int = 2) -> None:
        super().__init__()
        self.address, self.pause, self.seconds, self.credits = address, pause, seconds, credits
        self.received, self.taken_at, self.dropped = [], [], 0

    def run(self) -> None:
        until = time.monotonic() + self.seconds
        with Client(self.address) as client, client.frames(credits=self.credits) as stream:
            for received in stream:
                self.received.append(received)
                if time.monotonic() > until:
                    break
                time.sleep(self.pause)
            self.dropped = stream.dropped


def test_slow_listener_sees_new_frames_and_disturbs_nobody():
    seconds, pause = 4.0, 0.2
    with ServerThread([LiveSource()]) as server:
        slow, fast = (Listener(server.address, p, seconds) for p in (pause, 0.0))
        for listener in (slow, fast):
            listener.start()
        for listener in (slow, fast):
            listener.join()
    late = ages(slow.received)
    # With two credits a frame waits for at most one pause, at the end as at the beginning.
    assert len(late) > 10
    assert np.median(late[-5:]) < pause + 0.1
    assert np.median(late[-5:]) < np.median(late[2:7]) + 0.1
    gaps = np.diff([one.sequence for one in slow.received])
    assert np.median(gaps) > 6
    assert slow.dropped > 100
    assert len(fast.received) > 0.85 * 60 * seconds
    assert np.median(ages(fast.received)) < 0.02


def test_single_credit_gives_the_freshest_frames():
    with ServerThread([LiveSource()]) as server:
        listener = Listener(server.address, 0.15, 2.0, credits=1)
        listener.run()
    # The frame in the slot is at most a frame period old when credit comes.
    assert np.median(ages(listener.received)[1:]) < 0.05


def test_listener_that_stops_reading_holds_nothing_up():
    with ServerThread([LiveSource(rate_hz=200.0)], heartbeat_seconds=0.02) as server:
        with RawStream(server.address, start(credits=8)) as silent:
            fast = Listener(server.address, 0.0, 1.5)
            fast.run()
            assert len(fast.received) > 0.8 * 200 * 1.5
            assert np.median(ages(fast.received)) < 0.02
            seen = silent.read_until("heartbeat")
            assert sum(one.WhichOneof("response") == "frame" for one in seen) <= 8
        begun = time.monotonic()
    assert time.monotonic() - begun < 5


def test_no_frame_without_credit_but_heartbeats():
    with (
        ServerThread([LiveSource(rate_hz=100.0)], heartbeat_seconds=0.1) as server,
        RawStream(server.address, start(credits=3)) as stream,
    ):
        kinds = []
        for response in stream.call:
            kinds.append(response.WhichOneof("response"))
            if kinds.count("heartbeat") == 6:
                break
        assert kinds[0] == "header"
        assert kinds.count("frame") == 3
        beat = response.heartbeat
        assert beat.dropped_count >= beat.latest_sequence - 10 > 20
        stream.send(credit(2))
        newest = [one.frame for one in stream.read_until("frame")][-1]
        assert newest.sequence >= beat.latest_sequence


@pytest.mark.parametrize(
    "requests",
    [
        [start(credits=9)],
        [start(credits=-1)],
        [start(credits=2**31 - 1)],
        [start(credits=0), credit(9)],
        [start(credits=0), credit(5), credit(4)],
        [start(credits=0), credit(0)],
        [start(credits=0), credit(-3)],
    ],
    ids=str,
)
def test_too_much_credit_is_an_error(requests):
    # Frames are so rare that they take at most one credit before the next request comes.
    with (
        ServerThread([LiveSource(rate_hz=4.0)]) as server,
        RawStream(server.address, *requests) as stream,
    ):
        if len(requests) == 3:
            stream.send(credit(8))
        error = stream.failure()
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert reason(error) == "CREDIT_LIMIT"
    assert "8" in error.details()


def test_eight_credits_are_allowed_again_and_again():
    with (
        ServerThread([LiveSource(rate_hz=300.0)]) as server,
        RawStream(server.address, start(credits=8)) as stream,
    ):
        for _ in range(5):
            for _ in range(8):
                stream.read_until("frame")
            stream.send(credit(8))


@pytest.mark.parametrize(
    "requests",
    [
        [credit(1)],
        [pb.StreamFramesRequest()],
        [start(), start()],
        [start(), pb.StreamFramesRequest()],
    ],
    ids=["no start", "empty", "two starts", "empty later"],
)
def test_requests_out_of_order(requests):
    with (
        ServerThread([LiveSource()]) as server,
        RawStream(server.address, *requests) as stream,
    ):
        error = stream.failure()
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert reason(error) == "INVALID_REQUEST"


def test_stream_without_any_request():
    with ServerThread([LiveSource()]) as server, RawStream(server.address) as stream:
        stream.half_close()
        assert reason(stream.failure()) == "INVALID_REQUEST"


def test_stream_that_never_starts(monkeypatch):
    monkeypatch.setattr("lifemask.streaming._performance_service.START_TIMEOUT_SECONDS", 0.2)
    with ServerThread([LiveSource()]) as server, RawStream(server.address) as stream:
        error = stream.failure()
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert reason(error) == "START_TIMEOUT"


def test_closed_sending_side_gets_what_it_has_credit_for():
    with (
        ServerThread([LiveSource()]) as server,
        RawStream(server.address, start(credits=5)) as stream,
    ):
        stream.half_close()
        kinds = [one.WhichOneof("response") for one in stream.call]
        assert kinds.count("frame") == 5
        assert stream.call.code() == grpc.StatusCode.OK


def test_last_frame_waits_for_credit_and_the_end_comes_anyway():
    with (
        ServerThread([LiveSource(limit=10)], heartbeat_seconds=0.2) as server,
        RawStream(server.address, start(credits=1)) as stream,
    ):
        end = stream.read_until("end")[-1].end
    assert end.last_sequence == 10
    assert end.dropped_count >= 8


def test_limit_of_streams(monkeypatch):
    monkeypatch.setattr("lifemask.streaming._hub.MAX_STREAMS", 2)
    with ServerThread([LiveSource()]) as server, RawStream(server.address, start()) as first:
        first.read_until("frame")
        with RawStream(server.address, start()) as second:
            second.read_until("frame")
            with RawStream(server.address, start()) as third:
                error = third.failure()
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason(error) == "TOO_MANY_STREAMS"


def test_plain_watching_keeps_to_its_rate():
    with ServerThread([LiveSource(rate_hz=120.0)]) as server, Client(server.address) as client:
        with client.watch_frames(max_rate_hz=20.0) as stream:
            received = [next(stream) for _ in range(25)]
        times = np.array([one.receive_time_nanos for one in received[3:]]) / 1e9
        assert 1 / np.mean(np.diff(times)) == pytest.approx(20.0, rel=0.1)
        assert np.median(ages(received)) < 0.03
        with client.watch_frames() as stream:
            sequences = [next(stream).sequence for _ in range(30)]
        assert sequences == list(range(sequences[0], sequences[0] + 30))


@pytest.mark.parametrize("rate", [-1.0, float("nan"), float("inf")])
def test_impossible_rates(rate):
    with (
        ServerThread([LiveSource()]) as server,
        Client(server.address) as client,
        pytest.raises(StreamError, match="max_rate_hz"),
    ):
        next(client.watch_frames(max_rate_hz=rate))
