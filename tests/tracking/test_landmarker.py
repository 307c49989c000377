"""MediaPipe's landmarker on real pictures, and choosing a face."""

from __future__ import annotations

import logging
from importlib import resources

import cv2
import numpy as np
import pytest

from lifemask import FaceCutError, ImageError, NoFaceError, SeveralFacesError
from lifemask.geometry import read_image
from lifemask.heads import COEFFICIENT_NAMES
from lifemask.tracking import (
    FaceLandmarker,
    FaceLandmarks,
    measured_channels,
    parse_face_choice,
    select_face,
)
from needs import require


@pytest.fixture(scope="module")
def landmarker():
    require("landmarker")
    with FaceLandmarker() as one:
        yield one


@pytest.fixture(scope="module")
def portrait():
    with resources.as_file(resources.files("lifemask") / "data" / "portrait.jpg") as path:
        return read_image(path)


@pytest.fixture(scope="module")
def face(landmarker, portrait):
    return select_face(landmarker.detect(portrait))


def box(left, top, right, bottom, width=100, height=100) -> FaceLandmarks:
    """Landmarks that fill a box."""
    points = np.zeros((478, 3), np.float32)
    points[:, 0] = np.linspace(left, right, 478)
    points[:, 1] = np.linspace(top, bottom, 478)
    points[467, :2] = right, bottom
    return FaceLandmarks(points, width, height)


def test_one_face_with_all_its_landmarks(face, portrait):
    assert face.points.shape == (478, 3) and face.points.dtype == np.float32
    assert (face.height, face.width) == portrait.shape[:2]
    left, top, right, bottom = face.box
    assert 0 < left < 300 and 700 < right < 1024 and 0 < top < 400 and 800 < bottom < 1024
    # The subject's right eye corner lies on the left of the picture.
    assert face.pixels[33, 0] < face.pixels[263, 0]
    assert face.pixels[152, 1] > face.pixels[10, 1]


def test_scores_are_the_arkit_names_without_the_tongue(face):
    expected = {name for name in COEFFICIENT_NAMES if name != "tongueOut"}
    assert set(face.scores) == expected
    assert all(0.0 <= value <= 1.0 for value in face.scores.values())
    missing = np.flatnonzero(~measured_channels())
    assert [COEFFICIENT_NAMES[i] for i in missing] == ["tongueOut"]


def test_size_of_the_picture_does_not_matter(landmarker, portrait, face):
    large = cv2.resize(portrait, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    found = select_face(landmarker.detect(large))
    unit = np.linalg.norm(face.pixels[33] - face.pixels[263])
    distance = np.linalg.norm(found.pixels / 3 - face.pixels, axis=1)
    assert (found.width, found.height) == (3072, 3072)
    assert distance.mean() < 0.01 * unit


def test_face_that_fills_the_picture_is_found(landmarker, portrait, face):
    left, top, right, bottom = (int(side) for side in face.box)
    tight = portrait[top - 4 : bottom + 4, left - 4 : right + 4]
    found = select_face(landmarker.detect(np.ascontiguousarray(tight)))
    moved = found.pixels + np.array([left - 4, top - 4])
    unit = np.linalg.norm(face.pixels[33] - face.pixels[263])
    assert np.linalg.norm(moved - face.pixels, axis=1).mean() < 0.04 * unit


@pytest.mark.parametrize("scale", [0.2, 0.12, 0.08])
def test_small_face_in_a_large_picture_is_found(landmarker, portrait, scale):
    scene = np.full((1080, 1920, 3), 90, np.uint8)
    small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    scene[700 : 700 + height, 1300 : 1300 + width] = small
    found = select_face(landmarker.detect(scene))
    left, top, right, bottom = found.box
    assert 1300 <= left < right <= 1300 + width and 700 <= top < bottom <= 700 + height


def test_small_face_is_measured_at_full_resolution(landmarker, portrait, face):
    scene = np.full((3000, 4500, 3), 90, np.uint8)
    small = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    scene[1800:2312, 3000:3512] = small
    found = select_face(landmarker.detect(scene))
    there = 0.5 * face.pixels + np.array([3000, 1800])
    unit = 0.5 * np.linalg.norm(face.pixels[33] - face.pixels[263])
    assert np.linalg.norm(found.pixels - there, axis=1).mean() < 0.015 * unit


def test_no_face(landmarker):
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    assert landmarker.detect(noise) == []
    with pytest.raises(NoFaceError) as caught:
        select_face([])
    assert caught.value.hint


def test_two_faces_demand_a_choice(landmarker, portrait):
    smaller = cv2.resize(portrait, (700, 700), interpolation=cv2.INTER_AREA)
    scene = np.full((1024, 1724, 3), 127, np.uint8)
    scene[:, :1024], scene[200:900, 1024:] = portrait, smaller
    faces = landmarker.detect(scene)
    assert len(faces) == 2
    with pytest.raises(SeveralFacesError) as caught:
        select_face(faces)
    assert "--face" in caught.value.hint
    left, right = select_face(faces, "left"), select_face(faces, "right")
    assert left.box[0] < right.box[0]
    assert select_face(faces, "largest") is left
    assert select_face(faces, 2) is right
    with pytest.raises(NoFaceError, match="number 3"):
        select_face(faces, 3)


def test_cut_face(landmarker, portrait, face):
    middle = round((face.box[0] + face.box[2]) / 2)
    half = np.ascontiguousarray(portrait[:, middle - 120 :])
    with pytest.raises(FaceCutError) as caught:
        select_face(landmarker.detect(half))
    assert caught.value.hint


@pytest.mark.parametrize(
    "sides", [(-9, 20, 60, 80), (20, -9, 60, 80), (40, 20, 109, 80), (20, 40, 60, 109)]
)
def test_each_border_cuts(sides):
    assert not box(1, 1, 99, 99).reaches_border()
    assert not box(-1, 1, 99, 99).reaches_border(), (
        "a percent of the face is the landmarker's noise"
    )
    assert box(*sides).reaches_border()


def test_choices_are_read_as_people_write_them():
    assert [parse_face_choice(text) for text in ("left", "right", "largest", "2")] == [
        "left",
        "right",
        "largest",
        2,
    ]
    for wrong in ("", "0", "-1", "middle", "²"):
        with pytest.raises(ValueError):
            parse_face_choice(wrong)


def test_video_follows_a_face_and_finds_it_again(landmarker, portrait):
    small = cv2.resize(portrait, (480, 480), interpolation=cv2.INTER_AREA)
    blank = np.full_like(small, 60)
    with FaceLandmarker() as tracker:
        before = [tracker.track(small, index / 30) for index in range(5)]
        lost = tracker.track(blank, 5 / 30)
        after = tracker.track(np.roll(small, 30, axis=1), 6 / 30)
        same_time = tracker.track(small, 6 / 30)
    assert all(one is not None for one in before)
    assert lost is None
    assert after is not None and same_time is not None
    shift = (after.pixels - before[-1].pixels).mean(axis=0)
    np.testing.assert_allclose(shift, (30, 0), atol=3)


def test_video_may_start_again(landmarker, portrait):
    small = cv2.resize(portrait, (480, 480), interpolation=cv2.INTER_AREA)
    moved = np.roll(small, 60, axis=1)
    with FaceLandmarker() as tracker:
        first = [tracker.track(small, index / 30) for index in range(6)]
        second = [tracker.track(moved, index / 30) for index in range(6)]
    shift = (second[-1].pixels - first[-1].pixels).mean(axis=0)
    np.testing.assert_allclose(shift, (60, 0), atol=4)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((20, 20), np.uint8),
        np.zeros((20, 20, 4), np.uint8),
        np.zeros((20, 20, 3), np.float32),
        np.zeros((0, 20, 3), np.uint8),
    ],
)
def test_arrays_that_are_no_pictures(landmarker, wrong):
    with pytest.raises(ImageError):
        landmarker.detect(wrong)


def test_mediapipe_is_silent_but_for_the_debug_log(portrait, capfd, caplog):
    require("landmarker")
    with caplog.at_level(logging.DEBUG), FaceLandmarker() as one:
        one.detect(portrait)
        one.track(portrait, 0.0)
    assert capfd.readouterr().err == ""
    assert any(record.message.startswith("mediapipe: ") for record in caplog.records)


def test_closing_twice_is_safe(portrait):
    require("landmarker")
    one = FaceLandmarker()
    one.detect(portrait)
    one.close()
    one.close()
