"""Which frames of a video show a face at rest."""

from __future__ import annotations

import numpy as np

from lifemask.avatar import _capture_choice
from lifemask.tracking import FaceLandmarks

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


def test_calm_frames_have_open_eyes_and_closed_lips():
    grimace, blink, talk = face(mouthSmileLeft=0.9), face(eyeBlinkLeft=0.6), face(parted=0.05)
    assert _capture_choice.calm_frames([grimace, blink, face(), talk])[0] == 2
    assert 3 not in _capture_choice.calm_frames([face(), face(), face(browInnerUp=0.4), talk])


def test_calm_frames_come_from_every_side():
    frames = [face(turn=0.2), face(turn=-0.2, jawOpen=0.3), None, face()]
    assert set(_capture_choice.calm_frames(frames)) == {0, 1, 3}


def test_calm_frames_are_few():
    assert len(_capture_choice.calm_frames([face()] * 20)) == 3


def test_faces_that_are_lost_or_cut_are_no_calm_frames():
    assert _capture_choice.calm_frames([None, face(at=20.0)]) == []
    assert _capture_choice.calm_frames([]) == []
