"""Recorded sources play at their own speed, whatever it costs to read them."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time

import numpy as np
import pytest

from lifemask import SourceError
from lifemask.streaming import Client, ReadAhead, ServerThread, Still
from lifemask.streaming._pacing import paced, repeated
from stream_helpers import ListSource, Source, random_frames


class SlowSource(ListSource):
    """Takes time for each frame, now and then much more."""

    def __init__(self, frames, pause, hiccup=0.0, **facts):
        super().__init__(frames, **facts)
        self.pause, self.hiccup, self.runs = pause, hiccup, 0

    def frames(self):
        self.runs += 1
        for index, frame in enumerate(self.list):
            time.sleep(self.hiccup if index % 20 == 19 else self.pause)
            yield frame


def play(source, seconds=60.0):
    stop = threading.Event()
    begun, frames, emitted = time.monotonic(), [], []
    for frame, stamp in paced(source.frames(), source.rate_hz, stop):
        frames.append(dataclasses.replace(frame, capture_time_nanos=stamp))
        emitted.append(time.time_ns())
        if time.monotonic() - begun > seconds:
            stop.set()
    return frames, np.array(emitted)


def mostly_near(values, expected, tolerance=0.002) -> bool:
    """Whether nearly all values are close; a busy machine may disturb a few."""
    return np.mean(np.abs(values - expected) < tolerance) > 0.8


def test_stamps_are_the_instants_at_which_frames_were_due():
    frames, emitted = play(ListSource(random_frames(30, 50.0), rate_hz=50.0))
    captured = np.array([frame.capture_time_nanos for frame in frames])
    assert mostly_near(np.diff(captured) / 1e9, 0.02)
    late = (emitted - captured) / 1e9
    assert late.min() >= 0 and np.median(late) < 0.005


def test_producer_that_cannot_keep_up_loses_nothing_and_rushes_nothing():
    source = SlowSource(random_frames(20, 100.0), pause=0.02, hiccup=0.1, rate_hz=100.0)
    frames, emitted = play(source)
    assert len(frames) == 20
    captured = np.array([frame.capture_time_nanos for frame in frames])
    assert (np.diff(captured) / 1e9).min() > 0.009
    assert np.median((emitted - captured) / 1e9) < 0.01


def test_stop_ends_a_long_wait():
    frames = random_frames(2, rate_hz=0.01)
    stop = threading.Event()
    playing = paced(iter(frames), 0.01, stop)
    next(playing)
    threading.Timer(0.1, stop.set).start()
    begun = time.monotonic()
    assert list(playing) == []
    assert time.monotonic() - begun < 1.0


def test_repetition_continues_the_times():
    source = ListSource(random_frames(3, 10.0), rate_hz=10.0)
    frames = list(itertools.islice(repeated(source), 8))
    times = [frame.capture_time_nanos for frame in frames]
    assert times == [round(i * 1e8) for i in range(8)]


def test_repetition_of_nothing_is_an_error():
    with pytest.raises(SourceError, match="no frames"):
        next(repeated(ListSource([])))


def test_reading_ahead_hides_slow_frames():
    # 8 ms a frame at 60 Hz is quick enough, but every 20th frame takes 150 ms.
    source = SlowSource(random_frames(60), pause=0.006, hiccup=0.15)
    frames, emitted = play(ReadAhead(source))
    captured = np.array([frame.capture_time_nanos for frame in frames])
    assert len(frames) == 60
    assert mostly_near(np.diff(captured) / 1e9, 1 / 60)
    assert np.diff(captured).max() / 1e9 < 0.1
    assert np.median((emitted - captured) / 1e9) < 0.005
    direct, _ = play(SlowSource(random_frames(25), pause=0.006, hiccup=0.15))
    uneven = np.diff([frame.capture_time_nanos for frame in direct]) / 1e9
    assert uneven.max() > 0.1


def test_second_pass_costs_nothing():
    source = SlowSource(random_frames(10), pause=0.005)
    ahead = ReadAhead(source)
    first = list(ahead.frames())
    assert list(ahead.frames()) == first
    assert source.runs == 1


def test_pass_that_was_left_early_is_not_kept():
    source = SlowSource(random_frames(50), pause=0.0)
    ahead = ReadAhead(source)
    assert len(list(itertools.islice(ahead.frames(), 5))) == 5
    assert len(list(ahead.frames())) == 50
    assert source.runs == 2


def test_leaving_early_ends_the_thread():
    before = set(threading.enumerate())
    frames = ReadAhead(SlowSource(random_frames(2000), pause=0.001)).frames()
    next(frames)
    assert set(threading.enumerate()) - before
    frames.close()
    assert set(threading.enumerate()) <= before


def test_error_comes_where_the_frame_would_have_come():
    class Broken(Source):
        def frames(self):
            yield from random_frames(3)
            raise SourceError("the file is cut off")

    frames = ReadAhead(Broken()).frames()
    assert len([next(frames) for _ in range(3)]) == 3
    with pytest.raises(SourceError, match="cut off"):
        next(frames)


def test_picture_is_held():
    held = Still(ListSource(random_frames(1), name="ada.jpg"), rate_hz=25.0)
    frames = list(itertools.islice(held.frames(), 4))
    assert [frame.capture_time_nanos / 1e6 for frame in frames] == [0, 40, 80, 120]
    assert all(frame.coefficients is frames[0].coefficients for frame in frames)
    assert (held.name, held.live) == ("ada.jpg", False)


def test_picture_without_a_face_is_an_error():
    with pytest.raises(SourceError, match="no frames"):
        next(Still(ListSource([])).frames())


def test_wrappers_close_what_they_wrap():
    for wrapper in (ReadAhead, Still):
        source = ListSource(random_frames(1))
        wrapper(source).close()
        assert source.closed.is_set()


def test_server_plays_a_slow_source_at_its_rate():
    source = ReadAhead(SlowSource(random_frames(30, 30.0), 0.015, 0.12, rate_hz=30.0))
    with ServerThread([source]) as server, Client(server.address) as client:
        received = list(client.frames(credits=8))
    assert len(received) == 30
    captured = np.array([one.frame.capture_time_nanos for one in received])
    assert mostly_near(np.diff(captured) / 1e9, 1 / 30)
