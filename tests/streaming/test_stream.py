"""Frames that a client gets are those that the source gave, at the time and rate it gave them."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

from lifemask import StreamError, SubjectNotFoundError
from lifemask.heads import COEFFICIENT_NAMES
from lifemask.streaming import Client, ServerThread
from lifemask.tracking import Smoothing
from stream_helpers import ListSource, LiveSource, RawStream, ages, random_frames, start


def receive(address: str, subject: str = "", **options):
    with Client(address) as client, client.frames(subject, **options) as stream:
        return list(stream), stream


def added_delays(received, times: np.ndarray) -> np.ndarray:
    """Seconds by which the schedule slipped between neighbours; a busy machine skips and slips."""
    captured = np.array([one.frame.capture_time_nanos for one in received]) / 1e9
    places = np.array([one.sequence for one in received]) - 1
    return np.diff(captured) - np.diff(times[places])


def test_frames_arrive_as_the_source_gave_them():
    frames = random_frames(90)
    with ServerThread([ListSource(frames, name="ada")]) as server:
        received, stream = receive(server.address, "ada", credits=8)
    # A busy machine may leave some out, but never changes or reorders one.
    sequence = [one.sequence for one in received]
    assert len(sequence) + stream.dropped == 90
    assert len(sequence) > 60
    assert sequence == sorted(set(sequence))
    for one in received:
        sent = frames[one.sequence - 1]
        np.testing.assert_array_equal(one.frame.coefficients, sent.coefficients)
        np.testing.assert_allclose(one.frame.head_rotation, sent.head_rotation, atol=1e-6)
        np.testing.assert_array_equal(one.frame.head_translation, sent.head_translation)
        np.testing.assert_array_equal(one.frame.gaze, sent.gaze)
        assert one.frame.tracking_state == sent.tracking_state
    assert stream.end.reason == "source_ended"


def test_header_describes_the_source():
    source = ListSource(random_frames(3), name="ada", rate_hz=24.0)
    source.channel_validity[-1] = False
    with ServerThread([source]) as server:
        _, stream = receive(server.address)
    header = stream.header
    assert (header.subject, header.source_rate_hz) == ("ada", 24.0)
    assert header.channel_names == COEFFICIENT_NAMES
    assert header.channel_validity == (True,) * 51 + (False,)
    assert (header.capture_clock, header.filter_name) == ("received", "none")
    assert len(header.session_id) >= 16


def test_header_tells_what_was_smoothed():
    source = LiveSource(limit=3)
    source.smoothing = Smoothing(expression_cutoff_hz=1.5, expression_beta=0.25)
    with (
        ServerThread([source]) as server,
        RawStream(server.address, start()) as stream,
    ):
        header = stream.read_until("header")[0].header
    assert header.filter.name == "one-euro"
    assert (header.filter.min_cutoff_hz, header.filter.speed_coefficient) == (1.5, 0.25)


def test_recorded_frames_come_at_their_own_rate():
    frames = random_frames(40, rate_hz=25.0)
    with ServerThread([ListSource(frames, rate_hz=25.0)]) as server:
        before = time.time_ns()
        received, _ = receive(server.address, credits=8)
    assert received[0].frame.capture_time_nanos >= before
    delays = added_delays(received, np.arange(40) / 25.0)
    assert delays.min() > -0.002, "frames must not be rushed"
    assert np.mean(delays < 0.002) > 0.7
    assert 0 <= ages(received).min() < 0.02


def test_variable_distances_are_kept():
    frames = random_frames(12)
    times = np.cumsum([0.0] + [0.02, 0.11, 0.05] * 4)[:12]
    frames = [
        dataclasses.replace(frame, capture_time_nanos=round(t * 1e9))
        for frame, t in zip(frames, times, strict=True)
    ]
    with ServerThread([ListSource(frames, rate_hz=20.0)]) as server:
        received, _ = receive(server.address, credits=8)
    delays = added_delays(received, times)
    assert delays.min() > -0.002, "frames must not be rushed"
    assert np.mean(delays < 0.002) > 0.5


def test_repeated_source_goes_on_with_growing_times():
    with (
        ServerThread([ListSource(random_frames(10), rate_hz=60.0)], repeat=True) as server,
        Client(server.address) as client,
        client.frames() as stream,
    ):
        received = [next(stream) for _ in range(35)]
    captured = np.array([one.frame.capture_time_nanos for one in received])
    assert (np.diff(captured) > 0).all()
    np.testing.assert_array_equal(received[0].frame.coefficients, received[10].frame.coefficients)
    assert np.median(np.diff(captured)) / 1e9 == pytest.approx(1 / 60, abs=0.004)


def test_live_source_keeps_its_own_stamps_and_clock():
    source = LiveSource(limit=20)
    with ServerThread([source]) as server:
        received, stream = receive(server.address)
    assert stream.header.capture_clock == "sensor"
    assert len(received) >= 15
    assert np.median(ages(received)) < 0.02


def test_recorded_source_waits_for_its_first_listener():
    with ServerThread([ListSource(random_frames(5))]) as server, Client(server.address) as client:
        time.sleep(0.3)
        assert [subject.state for subject in client.subjects()] == ["waiting"]
        with client.frames() as stream:
            assert [one.sequence for one in stream] == [1, 2, 3, 4, 5]
        assert [subject.state for subject in client.subjects()] == ["ended"]


def test_listener_that_comes_too_late_gets_the_end():
    with ServerThread([ListSource(random_frames(2))]) as server:
        receive(server.address)
        received, stream = receive(server.address)
    assert received == []
    assert stream.header is not None and stream.end.reason == "source_ended"


def test_late_joiner_begins_with_the_newest_frame():
    with ServerThread([LiveSource(rate_hz=5.0)]) as server, Client(server.address) as client:
        time.sleep(0.7)
        with client.frames() as stream:
            begun = time.monotonic()
            first = next(stream)
            assert time.monotonic() - begun < 0.15
            assert first.sequence >= 2


def test_several_subjects_are_told_apart():
    sources = [LiveSource(name="ada"), LiveSource(name="bo", rate_hz=30.0)]
    with ServerThread(sources) as server, Client(server.address) as client:
        listed = client.subjects()
        assert [(one.name, one.source_rate_hz) for one in listed] == [("ada", 60.0), ("bo", 30.0)]
        with client.frames("bo") as stream:
            next(stream)
            assert stream.header.subject == "bo"
        with pytest.raises(StreamError, match="several subjects: ada, bo"):
            next(client.frames())


@pytest.mark.parametrize("name", ["nobody", "x" * 500, "名"])
def test_unknown_subject(name):
    with (
        ServerThread([LiveSource()]) as server,
        Client(server.address) as client,
        pytest.raises(SubjectNotFoundError, match="there is no subject") as caught,
    ):
        next(client.frames(name))
    assert "Client.subjects" in caught.value.hint


def test_server_without_subjects():
    with ServerThread() as server, Client(server.address) as client:
        assert client.subjects() == []
        with pytest.raises(SubjectNotFoundError):
            next(client.frames())


def test_two_sources_of_one_name_are_refused():
    with pytest.raises(ValueError, match="already"):
        ServerThread([LiveSource(), LiveSource()]).start()


def test_channels_are_carried_by_name():
    source = ListSource(random_frames(4))
    order = np.random.default_rng(1).permutation(52)
    source.channel_names = tuple(COEFFICIENT_NAMES[i] for i in order)
    with ServerThread([source]) as server:
        received, stream = receive(server.address, credits=8)
    assert stream.header.channel_names == COEFFICIENT_NAMES
    for one, sent in zip(received, source.list, strict=True):
        np.testing.assert_array_equal(one.frame.coefficients[order], sent.coefficients)


def test_names_that_are_no_text():
    source = ListSource(random_frames(1), name="clip\udcff")
    with ServerThread([source]) as server:
        _, stream = receive(server.address)
        assert server.server.subjects == ("clip?",)
    assert stream.header.subject == "clip?"


def test_closing_a_stream_ends_its_loop():
    with ServerThread([LiveSource()]) as server, Client(server.address) as client:
        with client.frames() as stream:
            next(stream)
        assert list(stream) == []
        deadline = time.monotonic() + 5
        while client.subjects()[0].stream_count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert client.subjects()[0].stream_count == 0


@pytest.mark.parametrize("credits", [0, 9, -1])
def test_client_refuses_impossible_credits(credits):
    with Client("127.0.0.1:1") as client, pytest.raises(ValueError, match="credits"):
        client.frames(credits=credits)
