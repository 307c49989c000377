"""Lids and lips that touch in the picture touch in the solution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landmark_samples import HEIGHT, WIDTH, Truth, coefficients, landmark_model, make_pose, see
from lifemask.geometry import Camera
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.tracking import FrameSolver, LandmarkShape, lid_gaps, lip_gap
from lifemask.tracking._closure import close_gaps, shut_lids
from lifemask.tracking._regions import LID_PAIRS_LEFT, LID_PAIRS_RIGHT, LIP_PAIRS

BLINKS = [COEFFICIENT_INDEX[name] for name in ("eyeBlinkLeft", "eyeBlinkRight")]


@pytest.fixture(scope="module")
def shape():
    modes = len(landmark_model().identity)
    return LandmarkShape.from_model(landmark_model(), np.zeros(modes)).with_meeting_lids()


def face(**values):
    camera = Camera(WIDTH, HEIGHT, 1.8 * WIDTH)
    zeros = np.zeros(len(landmark_model().identity))
    return see(Truth(zeros, coefficients(**values), np.zeros(4), make_pose(), camera))


def left_ajar(shape, share):
    """A face whose lids the landmarker leaves apart by a share of the eye at rest."""
    one = face()
    points = one.points.copy()
    for pairs in (LID_PAIRS_LEFT, LID_PAIRS_RIGHT):
        upper, lower = pairs.T
        points[upper, :2] = points[lower, :2] + share * (points[upper, :2] - points[lower, :2])
    return replace(one, points=points)


def gap(one, pairs):
    return np.linalg.norm(one.pixels[pairs[:3, 0]] - one.pixels[pairs[:3, 1]], axis=1).mean()


def test_an_eye_that_is_reported_nearly_shut_is_shut(shape):
    closed = close_gaps(left_ajar(shape, 0.2), shape)
    assert gap(closed, LID_PAIRS_LEFT) < 0.05 * gap(face(), LID_PAIRS_LEFT)
    assert gap(closed, LID_PAIRS_RIGHT) < 0.05 * gap(face(), LID_PAIRS_RIGHT)


def test_open_eyes_and_mouths_stay_as_they_are(shape):
    for one in (face(), left_ajar(shape, 0.7), face(jawOpen=0.5)):
        moved = np.abs(close_gaps(one, shape).points - one.points)
        eyes = [*LID_PAIRS_LEFT.ravel(), *LID_PAIRS_RIGHT.ravel()]
        assert moved[eyes].max() < 1e-3
    wide = face(jawOpen=0.5)
    middle = LIP_PAIRS[:3].ravel()
    np.testing.assert_allclose(close_gaps(wide, shape).pixels[middle], wide.pixels[middle])


def test_nothing_jumps_while_an_eye_closes(shape):
    gaps = [
        gap(close_gaps(left_ajar(shape, share), shape), LID_PAIRS_LEFT)
        for share in np.linspace(1.0, 0.0, 60)
    ]
    steps = -np.diff(gaps)
    assert steps.min() > -1e-3, "closing never opens"
    assert steps.max() < 2.7 * gaps[0] / 59


def test_lips_that_touch_are_solved_as_touching(shape):
    one = face()
    points = one.points.copy()
    unit = np.linalg.norm(points[263, :2] - points[33, :2])
    points[LIP_PAIRS[:, 1], 1] = points[LIP_PAIRS[:, 0], 1] + 0.01 * unit
    camera = Camera(WIDTH, HEIGHT, 1.8 * WIDTH)
    found = FrameSolver(shape, camera).solve(replace(one, points=points))
    assert 1000 * lip_gap(shape.points(found.coefficients)) < 0.8


def test_lids_that_touch_are_solved_as_touching(shape):
    camera = Camera(WIDTH, HEIGHT, 1.8 * WIDTH)
    found = FrameSolver(shape, camera).solve(left_ajar(shape, 0.22))
    rest = lid_gaps(shape.neutral)
    assert np.all(lid_gaps(shape.points(found.coefficients)) < 0.3 * rest)
    assert found.coefficients[0] > 0.5
    calm = FrameSolver(shape, camera).solve(face())
    assert np.all(lid_gaps(shape.points(calm.coefficients)) > 0.8 * rest)


def test_a_blink_arrives_whatever_holds_it_back(shape):
    shut = face(eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
    seen = close_gaps(shut, shape).pixels[:468].astype(np.float64)
    held_back = np.zeros(52)
    found = shut_lids(held_back, seen, shape)
    assert found[BLINKS].min() > 0.95
    assert np.count_nonzero(found) == 2
    seen = close_gaps(face(), shape).pixels[:468].astype(np.float64)
    assert not shut_lids(held_back, seen, shape).any()
    assert shut_lids(np.where(np.arange(52) == BLINKS[0], 0.3, 0.0), seen, shape)[BLINKS[0]] == 0.3
