"""A person whom the landmarker sees beside their head: at rest the coefficients stay at zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landmark_samples import HEIGHT, WIDTH, Truth, coefficients, landmark_model, make_pose, see
from lifemask.geometry import Camera
from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES
from lifemask.tracking import FrameSolver, LandmarkShape
from lifemask.tracking._coefficients import SOLVED
from lifemask.tracking._regions import LIP_PAIRS
from lifemask.tracking._rest import shape_at_rest

CAMERA = Camera(WIDTH, HEIGHT, 1.8 * WIDTH)
ACTS = ("mouthSmileLeft", "mouthSmileRight", "jawOpen", "browInnerUp", "mouthPucker")
LIPS = [
    COEFFICIENT_INDEX[name]
    for name in COEFFICIENT_NAMES
    if name.startswith(("mouthRoll", "mouthShrug", "mouthPress"))
]


@pytest.fixture(scope="module")
def shape():
    modes = len(landmark_model().identity)
    return LandmarkShape.from_model(landmark_model(), np.zeros(modes)).with_meeting_lids()


def seen(index, *, lips=1.0, **values):
    """A frame as the landmarker reports it: brows always too high, lips nearer than they are."""
    pose = make_pose((0.05 * np.sin(index / 9), 0.2 * np.sin(index / 7), 0.0))
    zeros = np.zeros(len(landmark_model().identity))
    face = see(Truth(zeros, coefficients(**values), np.zeros(4), pose, CAMERA), 0.5, seed=index)
    points = face.points.copy()
    unit = np.linalg.norm(points[263, :2] - points[33, :2])
    brows = [55, 65, 52, 53, 107, 66, 105, 63, 285, 295, 282, 283, 336, 296, 334, 293]
    points[brows, 1] -= 0.04 * unit
    upper, lower = LIP_PAIRS.T
    change = (1.0 - lips) * (points[lower, :2] - points[upper, :2])
    points[upper, :2] += 0.5 * change
    points[lower, :2] -= 0.5 * change
    return replace(face, points=points)


def performance(lips=1.0):
    """Two thirds of the frames at rest, between five expressions."""
    frames = []
    for index in range(90):
        act, phase = divmod(index, 18)
        value = 0.8 * np.sin(np.pi * (phase - 11) / 7) if phase > 11 else 0.0
        frames.append(seen(index, lips=lips if value == 0.0 else 1.0, **{ACTS[act]: value}))
    return frames


@pytest.fixture(scope="module")
def found(shape):
    return shape_at_rest(performance(), shape, CAMERA)


def rest_sum(shape, faces):
    solver = FrameSolver(shape, CAMERA)
    return np.mean([solver.solve(face).coefficients[SOLVED].sum() for face in faces])


def test_a_constant_offset_of_the_landmarks_is_no_expression(shape, found):
    calm = [seen(1000 + i) for i in range(5)]
    assert found.rest_known
    assert rest_sum(shape, calm) > 0.3
    assert rest_sum(found, calm) < 0.05


@pytest.mark.parametrize("name", ["mouthSmileLeft", "jawOpen", "mouthPucker", "browInnerUp"])
def test_expressions_keep_their_amplitude(found, name):
    channel = COEFFICIENT_INDEX[name]
    for value in (0.3, 0.8):
        solved = FrameSolver(found, CAMERA).solve(seen(2000, **{name: value}))
        assert solved.coefficients[channel] == pytest.approx(value, abs=0.15)


def test_closed_lips_at_rest_are_not_rolled_in(shape):
    faces = performance(lips=0.2)
    found = shape_at_rest(faces, shape, CAMERA)
    before = FrameSolver(shape, CAMERA).solve(seen(3000, lips=0.2)).coefficients[LIPS]
    after = FrameSolver(found, CAMERA).solve(seen(3000, lips=0.2)).coefficients[LIPS]
    assert before.sum() > 0.1
    assert after.sum() < 0.03


def test_without_evidence_nothing_is_taken_for_rest(shape):
    assert shape_at_rest(performance()[:29], shape, CAMERA) is shape
    assert shape_at_rest([None] * 40, shape, CAMERA) is shape
    held = [seen(index, mouthSmileLeft=0.5, mouthSmileRight=0.5) for index in range(40)]
    assert shape_at_rest(held, shape, CAMERA) is shape
