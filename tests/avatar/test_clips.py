"""From clips to a package: what is observed, kept, resumed, refused."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

import lifemask
from clip_helpers import SIZE, blurred, film, moving, portrait, with_hand
from lifemask import (
    AnotherPersonError,
    Avatar,
    FaceCutError,
    InputError,
    NoFaceError,
    SeveralFacesError,
    VideoError,
)
from lifemask.avatar import _capture_observe, _capture_parallel
from lifemask.avatar._capture_judge import REASONS, judge
from lifemask.avatar._capture_parallel import observe_clip
from lifemask.geometry import TruncatedVideoWarning, resize_image
from video_files import cut, index_first, set_duration_of_frames, set_rotation

pytestmark = pytest.mark.needs("landmarker")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LIFEMASK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "builds"


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks so small that short clips have several."""
    for module in (_capture_observe, _capture_parallel):
        monkeypatch.setattr(module, "CHUNK", 20)
    monkeypatch.setattr(_capture_parallel, "PARALLEL_FROM", 40)
    # Fresh interpreters know nothing of this test's chunks: give them the same ones.
    monkeypatch.setattr(_capture_parallel, "_WORKER", [
        "-c",
        "from lifemask.avatar import _capture_observe, _capture_worker;"
        "_capture_observe.CHUNK = 20; _capture_worker.main()",
    ])  # fmt: skip


def quick(inputs, output=None, **options) -> Avatar:
    return lifemask.build(inputs, output, texture_size=256, name="ada", **options)


def reasons(path) -> list[str]:
    return ["" if i < 0 else REASONS[i] for i in judge(observe_clip(path, workers=1)).reasons]


def assert_same_clip(one, other):
    for name, array in one.to_arrays().items():
        np.testing.assert_array_equal(array, other.to_arrays()[name], err_msg=name)


def test_observation_does_not_depend_on_how_many_look(tmp_path, small_chunks, monkeypatch):
    path = film(tmp_path / "a.mp4", moving(64))
    started = []
    begin = _capture_parallel._start
    monkeypatch.setattr(
        _capture_parallel, "_start", lambda *job: started.append(job) or begin(*job)
    )
    alone = observe_clip(path, workers=1)
    assert not started
    told: list[float] = []
    together = observe_clip(path, workers=3, told=told.append)
    assert len(started) == 2
    assert_same_clip(alone, together)
    assert told == sorted(told)
    assert len(alone) == 64
    assert alone.seen.all()


def test_part_that_fails_elsewhere_is_done_here(tmp_path, small_chunks, monkeypatch):
    path = film(tmp_path / "a.mp4", moving(44))
    alone = observe_clip(path, workers=1)
    monkeypatch.setattr(_capture_parallel, "_WORKER", ["-c", "raise SystemExit(1)"])
    assert_same_clip(alone, observe_clip(path, workers=2))


def test_variable_rate_is_observed_alike_and_at_true_times(tmp_path, small_chunks):
    path = film(tmp_path / "a.mp4", moving(44))
    set_duration_of_frames(path, 15, 3)
    alone = observe_clip(path, workers=1)
    steps = np.diff(alone.times)
    np.testing.assert_allclose(steps[:14], 0.12, atol=1e-3)
    np.testing.assert_allclose(steps[16:], 0.04, atol=1e-3)
    assert_same_clip(alone, observe_clip(path, workers=2))


def test_bad_frames_are_found(tmp_path):
    frames = moving(46)
    for i in range(8, 12):
        frames[i] = with_hand(frames[i])
    for i in range(20, 24):
        frames[i] = blurred(frames[i])
    for i in range(30, 33):
        frames[i] = np.zeros_like(frames[i])
    found = reasons(film(tmp_path / "a.mp4", frames))
    assert set(found[8:12]) <= {"covered", "no face"}
    assert found[21:24] == ["blurred"] * 3  # The codec keeps something of the frame before.
    assert found[30:33] == ["dark"] * 3
    assert [
        i for i in (*range(8), *range(12, 20), *range(24, 30), *range(34, 46)) if found[i]
    ] == []


def test_face_that_leaves_the_picture(tmp_path):
    frames = []
    for i in range(24):
        matrix = np.array([[1.0, 0, 12.0 * max(0, i - 8)], [0, 1.0, 0]])
        frames.append(np.asarray(cv2.warpAffine(portrait(), matrix, (SIZE, SIZE))))
    found = reasons(film(tmp_path / "a.mp4", frames))
    assert found[:9] == [""] * 9
    assert set(found[18:]) <= {"cut off", "no face"}


def test_turned_phone_video_is_upright(tmp_path):
    still = [portrait()] * 6
    path = film(tmp_path / "a.mp4", [np.rot90(frame) for frame in still])
    set_rotation(path, 1)
    clip = observe_clip(path)
    (face,) = {tuple(clip.points[i, 10, :2] < clip.points[i, 152, :2]) for i in (5,)}
    assert face[1], "the forehead is above the chin"
    assert reasons(path) == [""] * 6


@pytest.fixture(scope="module")
def two_clips(tmp_path_factory):
    """A clip and a shorter one of the same person."""
    place = tmp_path_factory.mktemp("clips")
    frames = moving(14)
    frames[3] = np.zeros_like(frames[3])
    return [film(place / "a.mp4", frames), film(place / "b.mp4", moving(8, phase=1.0))]


def test_build_from_two_clips_is_kept_resumed_and_reported(two_clips, tmp_path, cache):
    told = []
    report = tmp_path / "report"
    quick(two_clips, tmp_path / "one.lifemask", report=report, summary=told.append)
    quick(two_clips, tmp_path / "two.lifemask", summary=told.append)
    kept = {cost.stage for cost in told[1].stages if cost.resumed}
    assert len(kept) == 8
    assert not any(cost.resumed for cost in told[0].stages)
    assert (tmp_path / "one.lifemask").read_bytes() == (tmp_path / "two.lifemask").read_bytes()
    metrics = Avatar.load(tmp_path / "one.lifemask").manifest.metrics
    assert metrics["clips"] == 2
    assert metrics["frames"] == 22
    assert metrics["frames_left_out_dark"] == 1
    document = json.loads((report / "capture.json").read_bytes())
    assert [clip["name"] for clip in document["clips"]] == ["a.mp4", "b.mp4"]
    assert document["clips"][0]["table"][3]["left_out"] == "dark"
    assert document["clips"][0]["texture_frames"]
    assert (report / "capture.png").stat().st_size > 5000
    assert "a.mp4" in (report / "capture.html").read_text(encoding="utf-8")
    spent = json.loads((report / "build.json").read_bytes())
    assert spent["seconds"] > 0
    assert all(stage["peak_mebibytes"] > 0 for stage in spent["stages"])

    gone = lifemask.forget("ada")
    assert gone.files >= 6
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_build_goes_on_where_it_was_stopped(two_clips, tmp_path, cache):
    def stop(stage, share):
        if stage == "bake the textures":
            raise KeyboardInterrupt

    target = tmp_path / "out" / "ada.lifemask"
    target.parent.mkdir()
    with pytest.raises(KeyboardInterrupt):
        quick(two_clips[1:], target, progress=stop)
    assert list(target.parent.iterdir()) == []
    for path in cache.glob("track-*"):
        path.write_bytes(b"damaged")
    told = []
    quick(two_clips[1:], target, summary=told.append)
    resumed = {cost.stage.split()[0]: cost.resumed for cost in told[0].stages}
    assert resumed["follow"]
    assert resumed["solve"]
    assert not resumed["track"]
    assert not resumed["bake"]


def test_frames_that_are_not_named_change_nothing(tmp_path):
    frames = moving(12)
    other = [*frames[:6], *(np.zeros_like(f) for f in frames[6:])]
    clips = [film(tmp_path / f"{i}.mp4", f) for i, f in enumerate((frames, other))]
    first, second = (observe_clip(path, limit=range(0, 6, 2)) for path in clips)
    assert first.numbers.tolist() == [0, 2, 4]
    np.testing.assert_allclose(first.points, second.points, atol=1.5)


def two_people(count: int) -> list[np.ndarray]:
    frames = np.full((count, SIZE, 2 * SIZE, 3), 120, np.uint8)
    for frame, moved in zip(frames, moving(count), strict=True):
        frame[:, :SIZE] = moved
        frame[20:300, SIZE + 20 : SIZE + 300] = resize_image(portrait()[:, ::-1], 280, 280)
    return list(frames)


def test_two_people_are_refused_with_a_picture_until_one_is_named(tmp_path, cache):
    path = film(tmp_path / "two.mp4", two_people(6))
    with pytest.raises(SeveralFacesError, match=r"two\.mp4") as caught:
        quick(path)
    assert "--face" in caught.value.hint
    (picture,) = cache.glob("picture-*.jpg")
    assert str(picture) in caught.value.hint
    for choice, left in (("left", True), ("right", False)):
        clip = observe_clip(path, choice=choice)
        assert ((clip.points[:, 1, 0] < SIZE) == left).all()


def test_black_clip_is_refused_quickly_with_a_picture(tmp_path, cache):
    path = film(tmp_path / "a.mp4", [np.zeros((120, 160, 3), np.uint8)] * 40)
    with pytest.raises(NoFaceError, match="40 of 40 frames are black") as caught:
        quick(path, tmp_path / "ada.lifemask")
    assert "picture-" in caught.value.hint
    assert not (tmp_path / "ada.lifemask").exists()


def test_clip_in_which_the_face_is_always_cut(tmp_path):
    frames = [frame[:, 150:] for frame in moving(6)]
    with pytest.raises((FaceCutError, NoFaceError)) as caught:
        quick(film(tmp_path / "a.mp4", frames))
    assert "a.mp4" in str(caught.value)


def test_tiny_face(tmp_path):
    frame = np.full((240, 320, 3), 128, np.uint8)
    frame[80:160, 120:200] = portrait(80)
    with pytest.raises(InputError, match=r"small|no face"):
        quick(film(tmp_path / "a.mp4", [frame] * 5))


def test_truncated_and_corrupt_files(tmp_path):
    path = film(tmp_path / "a.mp4", moving(40))
    index_first(path)
    cut(path, 0.5)
    with pytest.warns(TruncatedVideoWarning):
        clip = observe_clip(path)
    assert clip.truncated
    assert 5 < len(clip) < 38
    (tmp_path / "b.mp4").write_bytes(path.read_bytes()[:200])
    with pytest.raises(VideoError):
        quick(tmp_path / "b.mp4")


class Stopped(Exception):
    """Raised by a test's progress callback: what comes next is not its business."""


def stop_before(name):
    def progress(stage, share):
        if stage.startswith(name):
            raise Stopped

    return progress


@pytest.mark.slow
@pytest.mark.needs("shared")
def test_another_person_in_the_second_clip_is_refused(shared, cache):
    one, other = (shared / "data" / "clips" / f"{name}.mp4" for name in ("d18", "d19"))
    with pytest.raises(AnotherPersonError, match=r"d19\.mp4.* d18\.mp4") as caught:
        quick([one, other], frames={0: range(0, 60, 5), 1: range(0, 60, 5)})
    assert "picture-" in caught.value.hint
    assert list(cache.glob("observe-*")), "what was observed stays"
    with pytest.raises(Stopped):
        halves = {0: range(0, 60, 5), 1: range(100, 216, 9)}
        quick([one, one], frames=halves, progress=stop_before("track"))


@pytest.mark.slow
def test_large_video_is_read_at_native_pixels(tmp_path):
    frame = np.full((2160, 3840, 3), 110, np.uint8)
    frame[280:1880, 1100:2700] = portrait(1600)
    path = film(tmp_path / "a.mp4", [frame] * 3)
    clip = observe_clip(path)
    assert clip.seen.all()
    assert clip.face(0).size > 700
    assert judge(clip).for_texture.all()


@pytest.mark.skipif(sys.platform == "win32", reason="platform: Ctrl-C is sent to POSIX groups")
@pytest.mark.slow
def test_ctrl_c_says_what_is_kept_and_leaves_no_process(tmp_path, cache):
    import signal

    path = film(tmp_path / "a.mp4", moving(30))
    words = [sys.executable, "-m", "lifemask.cli", "build", str(path), "-o", "a.lifemask"]
    process = subprocess.Popen(
        [*words, "--texture-size", "256"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "solve the identity" in line:
            process.send_signal(signal.SIGINT)
            break
    lines += process.stderr.readlines()
    assert process.wait(60) == 130
    assert any("kept in" in line and str(cache) in line for line in lines)
    assert not (tmp_path / "a.lifemask").exists()
    assert list(cache.glob("observe-*"))
