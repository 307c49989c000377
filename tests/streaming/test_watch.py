"""`watch` measures what came, and draws it at the speed at which it was performed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lifemask import ExportError, StreamError, SubjectNotFoundError, VideoError
from lifemask.avatar import Avatar
from lifemask.capture import PerformanceFrame, ScriptedPerformance
from lifemask.geometry import axis_angle_matrix, matrix_quaternion, open_video
from lifemask.streaming import ServerThread, watch
from lifemask.streaming import _performance_service as service_module
from lifemask.streaming._film import SIZE, artist, film, video_order
from lifemask.v1 import frame_pb2
from lifemask.v1 import performance_service_pb2 as pb
from stream_helpers import (
    ListSource,
    LiveSource,
    ShiftedTime,
    StubServer,
    random_frames,
    two_channel_frame,
    two_channel_header,
)
from synthetic import make_head


@pytest.fixture(scope="module")
def avatar():
    red = np.full((64, 64, 3), (200, 40, 40), np.uint8)
    return Avatar("Test", make_head(), {"albedo": red})


@pytest.fixture(scope="module")
def package(avatar, tmp_path_factory):
    path = tmp_path_factory.mktemp("package") / "test.lifemask"
    avatar.save(path, glb=False)
    return path


def at(seconds: float, **facts) -> PerformanceFrame:
    facts = {"head_translation": np.array([0, 0, -0.6], np.float32), **facts}
    return PerformanceFrame(round(seconds * 1e9), np.zeros(52, np.float32), **facts)


def is_red(picture: np.ndarray) -> np.ndarray:
    return picture[..., 0].astype(int) - picture[..., 2] > 30


def centroid(picture: np.ndarray) -> np.ndarray:
    """Middle of what is red, pixels (x, y)."""
    assert is_red(picture).sum() > 1000
    return np.argwhere(is_red(picture)).mean(axis=0)[::-1]


def test_whole_performance():
    with ServerThread([ListSource(random_frames(90), name="ada")]) as server:
        report = watch(server.address)
    assert report.subject == "ada"
    assert report.frames + report.dropped == 90
    assert report.frames > 60
    assert report.end == "source_ended"
    assert report.rate_hz == pytest.approx(60.0 * report.frames / 90, rel=0.1)
    assert report.seconds == pytest.approx(89 / 60, rel=0.1)
    assert report.source_rate_hz == 60.0
    assert 10 <= report.without_face <= 18
    assert 0 < report.latency_p50_seconds <= report.latency_p99_seconds < 0.5
    assert report.latency_p50_seconds < 0.02
    assert (report.capture_clock, report.video) == ("received", None)


def test_limits():
    with ServerThread([LiveSource()]) as server:
        counted = watch(server.address, frames=7)
        timed = watch(server.address, duration=0.5)
    assert (counted.frames, counted.end) == (7, "limit")
    assert timed.seconds == pytest.approx(0.5, abs=0.1)
    assert timed.end == "limit"


def test_latency_is_told_by_one_clock(monkeypatch):
    shift = -5_000_000_000

    class Shifted(LiveSource):
        def frames(self):
            for frame in super().frames():
                stamp = frame.capture_time_nanos + shift
                yield dataclasses.replace(frame, capture_time_nanos=stamp)

    monkeypatch.setattr(service_module, "time", ShiftedTime(shift))
    with ServerThread([Shifted()]) as server:
        report = watch(server.address, frames=20)
    assert report.clock_offset_seconds == pytest.approx(-5.0, abs=0.02)
    assert abs(report.latency_p50_seconds) < 0.05


def test_status_comes_every_second(monkeypatch):
    monkeypatch.setattr("lifemask.streaming._watch.STATUS_SECONDS", 0.2)
    states = []
    with ServerThread([LiveSource()]) as server:
        watch(server.address, duration=1.1, status=states.append)
    assert 4 <= len(states) <= 6
    assert [state.frames for state in states] == sorted(state.frames for state in states)
    assert states[0].end == "running"


def test_interruption_keeps_what_came(monkeypatch):
    monkeypatch.setattr("lifemask.streaming._watch.STATUS_SECONDS", 0.2)

    def interrupt(_):
        raise KeyboardInterrupt

    with ServerThread([LiveSource()]) as server:
        report = watch(server.address, status=interrupt)
    assert report.end == "interrupted"
    assert report.frames > 5


def test_gaps_are_counted_within_a_session():
    numbers = {"one": [5, 6, 9, 10], "two": [1, 2, 5]}
    answers = []
    for session, sequence in numbers.items():
        answers.append(two_channel_header(session_id=session))
        answers += [two_channel_frame(sequence=number) for number in sequence]
    answers.append(pb.StreamFramesResponse(end=frame_pb2.StreamEnd()))
    with StubServer(answers) as stub:
        report = watch(stub.address)
    assert (report.frames, report.dropped) == (7, 4)


def test_performance_without_frames():
    with (
        ServerThread([ListSource([])]) as server,
        pytest.raises(StreamError, match="no frame came"),
    ):
        watch(server.address)


def test_unknown_subject_and_no_server():
    with ServerThread([LiveSource()]) as server, pytest.raises(SubjectNotFoundError):
        watch(server.address, "nobody")
    with pytest.raises(StreamError, match="no connection"):
        watch("127.0.0.1:1")


def test_server_without_clock_is_refused():
    with StubServer(raw=True) as stub, pytest.raises(StreamError) as caught:
        watch(stub.address)
    assert "no lifemask server" in caught.value.hint


def test_drawing_a_stream(package, tmp_path):
    video = tmp_path / "out.mp4"
    stages = []
    script = ScriptedPerformance(duration_seconds=1.0, rate_hz=15.0)
    with ServerThread([script], avatars=[package]) as server:
        report = watch(
            server.address, render=video, progress=lambda stage, done: stages.append((stage, done))
        )
    assert (report.video, report.consent, report.frames) == (video, "consent unset", 15)
    reader = open_video(video)
    assert (reader.width, reader.height, reader.rate_hz) == (SIZE, SIZE, 15.0)
    pictures = [frame.image for frame in reader]
    assert len(pictures) == pytest.approx(15, abs=1)
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    assert {stage for stage, _ in stages} == {
        "wait for the first frame",
        "download the avatar",
        "draw the video",
    }
    assert stages[-1] == ("draw the video", 1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_nothing_to_draw_with(tmp_path):
    with (
        ServerThread([LiveSource()]) as server,
        pytest.raises(StreamError, match="no avatar to draw") as caught,
    ):
        watch(server.address, duration=60.0, render=tmp_path / "out.mp4")
    assert "lifemask serve" in caught.value.hint


@pytest.mark.parametrize(("name", "error"), [("out.gif", VideoError), ("no/out.mp4", ExportError)])
def test_videos_that_cannot_be_written(avatar, tmp_path, name, error):
    with pytest.raises(error):
        film(avatar, [at(0.0)], tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.gif", "no/out.mp4"])
def test_hopeless_video_is_refused_before_the_stream(package, tmp_path, name):
    with (
        ServerThread([LiveSource()], avatars=[package]) as server,
        pytest.raises((VideoError, ExportError)),
    ):
        watch(server.address, duration=60.0, render=tmp_path / name)


@pytest.mark.parametrize(
    ("seconds", "rate", "expected"),
    [
        ([0.0], 30.0, [0]),
        ([0.0, 0.1, 0.2, 0.3], 10.0, [0, 1, 2, 3]),
        ([0.0, 0.11, 0.19, 0.3], 10.0, [0, 1, 2, 3]),
        ([0.0, 0.1, 0.4], 10.0, [0, 1, 1, 2, 2]),
        ([0.0, 0.05, 0.1, 0.15, 0.2], 10.0, [0, 2, 4]),
        ([0.0, 0.1], 30.0, [0, 0, 1, 1]),
        ([0.0, 100.0], 1.0, [0, 0, 0, 1, 1, 1]),
    ],
)
def test_pictures_show_the_nearest_frame(seconds, rate, expected):
    # Ties go to the later frame.
    times = [round(1.7e18) + round(s * 1e9) for s in seconds]
    assert video_order(times, rate).tolist() == expected


def test_long_performance_needs_little_memory():
    times = (np.arange(200_000) * (1e9 / 60)).astype(np.int64)
    assert len(video_order(times.tolist(), 60.0)) == pytest.approx(200_000, abs=1)


def test_stray_capture_time_does_not_fill_the_disk():
    assert len(video_order([0, 2**62, 2**62 + 10**9], 30.0)) == 6 * 30 + 1


def test_head_is_in_the_middle_wherever_the_performer_sits(avatar):
    for place in ([0, 0, -0.6], [0.2, -0.1, -0.6], [0.05, 0.1, -1.2]):
        frame = at(0.0, head_translation=np.array(place, np.float32))
        x, y = centroid(artist(avatar, [frame])(0))
        assert x == pytest.approx(SIZE / 2, abs=12)
        assert y == pytest.approx(SIZE / 2, abs=60)


def test_head_moves_and_turns_in_the_picture_as_in_the_frame(avatar):
    turned = matrix_quaternion(axis_angle_matrix([0, 0.6, 0])).astype(np.float32)
    frames = [
        *[at(0.0)] * 5,
        at(0, head_translation=np.array([0.03, 0.02, -0.6], np.float32)),
        at(0, head_translation=np.array([0, 0, -0.5], np.float32)),
        at(0, head_rotation=turned),
    ]
    draw = artist(avatar, frames)
    rest, moved, near, side = (draw(index) for index in (0, 5, 6, 7))
    (x0, y0), (x1, y1) = centroid(rest), centroid(moved)
    assert x1 > x0 + 10 and y1 < y0 - 5
    assert is_red(near).sum() > 1.1 * is_red(rest).sum()
    assert np.abs(side.astype(int) - rest).mean() > 1.0
