"""Which frames of a video the texture is taken from: those of a face at rest."""

from __future__ import annotations

import numpy as np

from lifemask.avatar import _evidence
from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.tracking import FaceLandmarks, PhotoFit

SIZE = 400


def face(*, turn=0.0, parted=0.0, at=200.0, **scores):
    """A face 160 pixels wide; `turn` moves the nose, `parted` the lips, shares of its width."""
    points = np.tile(np.array([at, at, 0.0], np.float32), (478, 1))
    for index, x, y in (
        (234, -80, 0),
        (454, 80, 0),
        (33, -50, -30),
        (263, 50, -30),
        (10, 0, -100),
        (152, 0, 100),
        (1, 160 * turn, 0),
        (13, 0, 50),
        (14, 0, 50 + 100 * parted),
    ):
        points[index, :2] = at + x, at + y
    return FaceLandmarks(points, SIZE, SIZE, scores)


def fit(yaw, landmarks):
    pose = Pose(axis_angle_matrix([0.0, yaw, 0.0]), np.array([0.0, 0.0, -1.0]))
    camera = Camera(SIZE, SIZE, 500.0)
    return PhotoFit(np.zeros(2), np.zeros(52), np.zeros(4), pose, camera, 0.01, landmarks)


def test_calm_frames_have_open_eyes_and_closed_lips():
    grimace, blink, talk = face(mouthSmileLeft=0.9), face(eyeBlinkLeft=0.6), face(parted=0.05)
    assert _evidence.calm_frames([grimace, blink, face(), talk])[0] == 2
    assert 3 not in _evidence.calm_frames([face(), face(), face(browInnerUp=0.4), talk])


def test_calm_frames_come_from_every_side():
    frames = [face(turn=0.2), face(turn=-0.2, jawOpen=0.3), None, face()]
    assert set(_evidence.calm_frames(frames)) == {0, 1, 3}


def test_calm_frames_are_few():
    assert len(_evidence.calm_frames([face()] * 20)) == 3


def test_faces_that_are_lost_or_cut_are_no_calm_frames():
    assert _evidence.calm_frames([None, face(at=20.0)]) == []
    assert _evidence.calm_frames([]) == []


def test_texture_takes_the_calmest_of_each_side():
    fits = [
        fit(0.0, face(jawOpen=0.5)),
        fit(0.05, face()),
        fit(0.4, face(mouthLeft=0.2)),
        fit(-0.4, face()),
    ]
    assert sorted(_evidence._texture_frames(fits)) == [1, 2, 3]


def test_texture_leaves_out_sides_that_show_a_grimace():
    fits = [fit(0.0, face()), fit(0.4, face(parted=0.05)), fit(-0.4, face(cheekPuff=0.3))]
    assert sorted(_evidence._texture_frames(fits)) == [0, 2]


def test_texture_takes_something_where_nothing_is_calm():
    fits = [fit(0.0, face(jawOpen=0.9, parted=0.3)), fit(0.0, face(jawOpen=0.8, parted=0.3))]
    assert _evidence._texture_frames(fits) == [1]
