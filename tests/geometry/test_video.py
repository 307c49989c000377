from __future__ import annotations

import os

import numpy as np
import pytest

from lifemask import _errors
from lifemask.geometry import TruncatedVideoWarning, VideoWriter, open_video
from video_files import (
    cut,
    index_first,
    numbered_frame,
    set_duration_of_frames,
    set_rotation,
    write_numbered_video,
)


def brightness(image: np.ndarray) -> float:
    return float(image[8:-8, -16:].mean())


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_round_trip(tmp_path, suffix):
    path = write_numbered_video(tmp_path / f"a{suffix}", 20)
    video = open_video(path)
    assert (video.width, video.height, video.frame_count) == (64, 48, 20)
    assert video.rate_hz == pytest.approx(25.0)
    for _ in range(2):
        frames = list(video)
        assert [f.time_seconds for f in frames] == pytest.approx([i / 25 for i in range(20)])
        for index, frame in enumerate(frames):
            assert brightness(frame.image) == pytest.approx(8 * index, abs=5)
            red = frame.image[8:-8, 8:24].reshape(-1, 3).mean(axis=0)
            assert np.abs(red - [220, 30, 30]).max() < 14
        assert not video.truncated
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_odd_sizes_lose_nothing(tmp_path, suffix):
    image = np.full((47, 63, 3), 40, np.uint8)
    image[-4:, -4:] = 250
    with VideoWriter(tmp_path / f"a{suffix}", 63, 47, 30.0) as video:
        video.write(image)
    (frame,) = list(open_video(tmp_path / f"a{suffix}"))
    assert frame.image.shape == (48, 64, 3)
    assert frame.image[-3:, -3:].mean() > 200


@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
def test_stored_rotation_is_applied(tmp_path, quarter_turns):
    path = write_numbered_video(tmp_path / "a.mp4", 3)
    set_rotation(path, quarter_turns)
    video = open_video(path)
    frame = next(iter(video)).image
    expected = np.rot90(numbered_frame(0), -quarter_turns)
    assert (video.height, video.width) == expected.shape[:2] == frame.shape[:2]
    assert np.abs(frame.astype(int) - expected).mean() < 12


def test_times_are_those_of_the_file(tmp_path):
    path = write_numbered_video(tmp_path / "a.mp4", 8)
    set_duration_of_frames(path, first=4, factor=3)
    times = [frame.time_seconds for frame in open_video(path)]
    assert times == pytest.approx([0, 0.12, 0.24, 0.36, 0.48, 0.52, 0.56, 0.60], abs=1e-3)


def test_video_that_ends_early_yields_what_is_there(tmp_path):
    path = write_numbered_video(tmp_path / "a.mp4", 30)
    index_first(path)
    whole = open_video(path)
    assert len(list(whole)) == 30
    assert not whole.truncated
    cut(path, 0.7)
    video = open_video(path)
    with pytest.warns(TruncatedVideoWarning, match=r"ends after \d+ of 30 frames"):
        frames = list(video)
    assert 3 < len(frames) < 27
    assert video.truncated
    assert brightness(frames[3].image) == pytest.approx(24, abs=5)


def test_video_without_its_index(tmp_path, capfd):
    path = write_numbered_video(tmp_path / "a.mp4", 30)
    cut(path, 0.5)
    with pytest.raises(_errors.VideoError, match="cut off before its index") as caught:
        open_video(path)
    assert caught.value.hint
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("data", [b"", b"dear diary, " * 100, bytes(range(256)) * 8])
def test_not_a_video(tmp_path, data, capfd):
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with pytest.raises(_errors.VideoError, match="not a video"):
        open_video(path)
    assert capfd.readouterr().err == ""


def test_index_without_frames(tmp_path):
    path = write_numbered_video(tmp_path / "a.mp4", 30)
    index_first(path)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 4])
    with pytest.raises(_errors.VideoError, match="no frame that can be decoded") as caught:
        open_video(path)
    assert caught.value.hint


def test_missing_file(tmp_path):
    with pytest.raises(_errors.VideoError, match="no file 'absent"):
        open_video(tmp_path / "absent.mp4")


def test_error_in_the_block_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), VideoWriter(path, 64, 48, 30.0) as video:
        video.write(numbered_frame(0))
        raise KeyError
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_video_without_frames_is_not_written(tmp_path):
    with pytest.raises(_errors.VideoError, match="without frames"):
        VideoWriter(tmp_path / "a.mp4", 64, 48, 30.0).__enter__().__exit__(None, None, None)
    assert not list(tmp_path.iterdir())


def test_writer_refuses_what_it_cannot_store(tmp_path):
    with pytest.raises(_errors.VideoError, match="names no video format"):
        VideoWriter(tmp_path / "a.gif", 64, 48, 30.0)
    for width, rate in ((0, 30.0), (64, 0.0), (64, float("nan"))):
        with pytest.raises(ValueError, match="a video of"):
            VideoWriter(tmp_path / "a.mp4", width, 48, rate)
    with (
        pytest.raises(_errors.ExportError),
        VideoWriter(tmp_path / "absent" / "a.mp4", 64, 48, 30.0),
    ):
        pass
    with VideoWriter(tmp_path / "a.mp4", 64, 48, 30.0) as video:
        with pytest.raises(ValueError, match="expected"):
            video.write(numbered_frame(0)[:, :32])
        video.write(numbered_frame(0))
    with pytest.raises(ValueError, match="inside the with block"):
        video.write(numbered_frame(0))
