from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pytest

from lifemask import _errors
from lifemask.capture import PhotoSource, VideoSource, WebcamSource, _image_sources
from lifemask.geometry import TruncatedVideoWarning, write_image
from video_files import cut, index_first, numbered_frame, write_numbered_video

START = 1_700_000_000_000_000_000


def test_photo_is_yielded_as_often_as_asked(tmp_path):
    path = tmp_path / "ada.png"
    write_image(path, numbered_frame(3))
    source = PhotoSource(path, count=3, rate_hz=10, start_time_nanos=START)
    frames = list(source.frames())
    assert source.name == "ada"
    assert [f.capture_time_nanos - START for f in frames] == [0, 100_000_000, 200_000_000]
    assert np.array_equal(frames[0].image, numbered_frame(3))
    assert len(list(PhotoSource(path).frames())) == 1
    endless = PhotoSource(path, count=None).frames()
    assert len(list(itertools.islice(endless, 50))) == 50
    source.close()


def test_photo_time_is_that_of_the_file(tmp_path):
    path = tmp_path / "ada.png"
    write_image(path, numbered_frame(3))
    (frame,) = PhotoSource(path).frames()
    assert frame.capture_time_nanos == path.stat().st_mtime_ns


def test_video_times_count_from_the_start(tmp_path):
    path = write_numbered_video(tmp_path / "take.mp4", 10)
    source = VideoSource(path, start_time_nanos=START)
    assert (source.name, source.rate_hz, source.frame_count) == ("take", 25.0, 10)
    for _ in range(2):
        frames = list(source.frames())
        assert [f.capture_time_nanos - START for f in frames] == [40_000_000 * i for i in range(10)]
    (first, *_) = VideoSource(path).frames()
    assert first.capture_time_nanos == path.stat().st_mtime_ns


def test_closed_video_ends(tmp_path):
    source = VideoSource(write_numbered_video(tmp_path / "take.mp4", 10))
    frames = source.frames()
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []


def test_truncated_video_says_so(tmp_path):
    path = write_numbered_video(tmp_path / "take.mp4", 30)
    index_first(path)
    cut(path, 0.7)
    source = VideoSource(path)
    assert not source.truncated
    with pytest.warns(TruncatedVideoWarning):
        frames = list(source.frames())
    assert 0 < len(frames) < 27
    assert source.truncated


def test_unreadable_files_are_refused_at_once(tmp_path):
    (tmp_path / "a.txt").write_text("dear diary", encoding="utf-8")
    with pytest.raises(_errors.ImageError):
        PhotoSource(tmp_path / "a.txt")
    with pytest.raises(_errors.VideoError):
        VideoSource(tmp_path / "a.txt")


class FakeCamera:
    """A camera that delivers numbered frames at a steady rate, then fails."""

    def __init__(self, count: int = 10_000, seconds: float = 0.002) -> None:
        self.count, self.seconds = count, seconds
        self.index = 0
        self.released = threading.Event()

    def get(self, _: int) -> float:
        return 0.0

    def grab(self) -> bool:
        time.sleep(self.seconds)
        self.index += 1
        return self.index <= self.count

    def retrieve(self):
        return True, np.full((4, 4, 3), (self.index % 250, 0, 200), np.uint8)

    def release(self) -> None:
        self.released.set()


@pytest.fixture
def camera(monkeypatch):
    fake = FakeCamera()
    monkeypatch.setattr(_image_sources, "_open_camera", lambda index: fake)
    return fake


def test_slow_reader_of_a_webcam_sees_the_newest_picture(camera):
    source = WebcamSource(0)
    frames = source.frames()
    next(frames)
    for _ in range(3):
        time.sleep(0.05)
        before = camera.index
        frame = next(frames)
        # Blue and red change places between the camera and the frame.
        assert frame.image[0, 0, 0] == 200
        assert frame.image[0, 0, 2] >= before - 2
        assert time.time_ns() - frame.capture_time_nanos < 40_000_000
    source.close()
    source.close()
    assert camera.released.wait(5.0)
    assert list(frames) == []


def test_webcam_yields_each_picture_once(camera):
    source = WebcamSource(0)
    times = [f.capture_time_nanos for f in itertools.islice(source.frames(), 20)]
    source.close()
    assert times == sorted(set(times))


def test_webcam_that_is_unplugged_raises(camera, monkeypatch):
    monkeypatch.setattr(_image_sources, "_FAILED_READS", 3)
    camera.count = 5
    with pytest.raises(_errors.SourceError, match="stopped delivering") as caught:
        list(WebcamSource(0).frames())
    assert caught.value.hint
    assert camera.released.is_set()


def test_close_wakes_a_waiting_reader(camera):
    camera.seconds = 0.3
    source = WebcamSource(0)
    threading.Timer(0.05, source.close).start()
    assert list(source.frames()) == []


def test_absent_camera(capfd):
    with pytest.raises(_errors.SourceError, match="camera 97 cannot be opened") as caught:
        WebcamSource(97)
    assert "plugged in" in caught.value.hint
    assert capfd.readouterr().err == ""
