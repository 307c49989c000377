"""Analytic derivatives against finite differences, first guesses, and the error's unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landmark_samples import coefficients, landmark_model, make_pose
from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.tracking import (
    FACE_POINTS,
    MIRRORED,
    REGIONS,
    LandmarkShape,
    SolveSettings,
    facing_weights,
    interocular_pixels,
    landmark_error,
)
from lifemask.tracking._coefficients import SOLVED
from lifemask.tracking._gaze import _iris_jacobian
from lifemask.tracking._linearise import LandmarkTerm, face_basis
from lifemask.tracking._projection import guess_pose, pose_jacobian, project, shape_jacobian

STEP = 1e-6
CAMERA = Camera(640, 480, 900.0)
POSE = make_pose((0.1, 0.4, -0.2), (0.03, -0.02, -0.6))


@pytest.fixture(scope="module")
def model():
    return landmark_model()


@pytest.fixture(scope="module")
def shape(model):
    return LandmarkShape.from_model(model, np.zeros(len(model.identity)))


def test_projection_derivative(shape):
    points = POSE.apply(shape.neutral)
    drawn = project(points, CAMERA)
    np.testing.assert_allclose(drawn.pixels, CAMERA.project(points))
    for axis in range(3):
        ahead = project(points + STEP * np.eye(3)[axis], CAMERA).pixels
        difference = (ahead - drawn.pixels) / STEP
        np.testing.assert_allclose(drawn.by_point[:, :, axis], difference, rtol=1e-3, atol=0.05)


def test_pose_derivative(shape):
    rotated = shape.neutral @ POSE.rotation.T
    drawn = project(rotated + POSE.translation, CAMERA)
    jacobian = pose_jacobian(rotated, drawn.by_point)
    for axis in range(3):
        turned = Pose(axis_angle_matrix(STEP * np.eye(3)[axis]) @ POSE.rotation, POSE.translation)
        moved = Pose(POSE.rotation, POSE.translation + STEP * np.eye(3)[axis])
        for column, pose in ((axis, turned), (axis + 3, moved)):
            difference = (CAMERA.project(pose.apply(shape.neutral)) - drawn.pixels) / STEP
            np.testing.assert_allclose(jacobian[:, :, column], difference, rtol=1e-3, atol=0.05)


def test_shape_derivative(model, shape):
    basis = np.moveaxis(model.expressions, 0, -1)
    drawn = project(POSE.apply(shape.neutral), CAMERA)
    jacobian = shape_jacobian(basis, POSE.rotation, drawn.by_point)
    for index in (0, 17, 24):
        ahead = CAMERA.project(POSE.apply(shape.neutral + STEP * model.expressions[index]))
        np.testing.assert_allclose(
            jacobian[:, :, index], (ahead - drawn.pixels) / STEP, rtol=1e-3, atol=1e-3
        )


@pytest.mark.parametrize("eye", [0, 1])
def test_gaze_derivative(shape, eye):
    angles = np.array([0.2, -0.15])
    jacobian, pixels = _iris_jacobian(shape, eye, angles, POSE, CAMERA)
    for axis in range(2):
        ahead = _iris_jacobian(shape, eye, angles + STEP * np.eye(2)[axis], POSE, CAMERA)[1]
        np.testing.assert_allclose(
            jacobian[:, :, axis], (ahead - pixels) / STEP, rtol=1e-4, atol=1e-3
        )


def test_gradient_of_the_data_term(model, shape):
    """The normal equations' right side is the gradient of the energy, Huber and gaps included."""
    settings = SolveSettings()
    term = LandmarkTerm(settings, shape.neutral[:FACE_POINTS])
    random = np.random.default_rng(3)
    weights = coefficients(jawOpen=0.3, mouthSmileLeft=0.4)
    points = shape.points(weights)[:FACE_POINTS]
    seen = CAMERA.project(POSE.apply(points)) + random.normal(0, 6.0, (FACE_POINTS, 2))
    unit = interocular_pixels(shape.points(weights), POSE, CAMERA)
    data = term.linearise(
        points, face_basis(shape.deltas[SOLVED]), seen, POSE, CAMERA, unit, focal=True
    )

    def energy(moved=points, pose=POSE, camera=CAMERA):
        return term.energy(moved, seen, pose, camera, unit)

    for column in (0, 8, 11, 20):
        step = STEP * shape.deltas[SOLVED[column], :FACE_POINTS]
        slope = (energy(points + step) - energy(points - step)) / (2 * STEP)
        assert data.gradient[column] == pytest.approx(slope, rel=1e-3, abs=0.01)
    wide, narrow = (replace(CAMERA, focal=CAMERA.focal * np.exp(s)) for s in (-STEP, STEP))
    slope = (energy(camera=narrow) - energy(camera=wide)) / (2 * STEP)
    assert data.gradient[len(SOLVED)] == pytest.approx(slope, rel=1e-3, abs=0.01)
    east = np.array([STEP, 0.0, 0.0])
    aside = [Pose(POSE.rotation, POSE.translation + s * east) for s in (-1, 1)]
    slope = (energy(pose=aside[1]) - energy(pose=aside[0])) / (2 * STEP)
    assert data.gradient[len(SOLVED) + 4] == pytest.approx(slope, rel=1e-3, abs=0.01)


@pytest.mark.parametrize("yaw", [-0.6, 0.0, 0.6])
def test_first_guess_of_the_pose_is_near(shape, yaw):
    pose = make_pose((0.1, yaw, 0.2), (0.04, 0.02, -0.7))
    points = pose.apply(shape.neutral)
    pixels = CAMERA.project(points)
    depth = -points[:, 2:] * CAMERA.focal / 0.7
    guess = guess_pose(shape.neutral, np.concatenate([pixels, depth], axis=1), np.ones(478), CAMERA)
    turn = np.arccos((np.trace(guess.rotation.T @ pose.rotation) - 1) / 2)
    assert turn < np.radians(8)
    np.testing.assert_allclose(guess.translation, pose.translation, atol=0.08)


def test_interocular_distance_ignores_yaw(shape):
    ahead, turned = make_pose(), make_pose((0.0, 0.7, 0.0))
    corners = shape.neutral[[33, 263]].mean(axis=0)
    place = ahead.apply(corners[None])[0] - turned.rotation @ corners
    same_place = Pose(turned.rotation, place)
    camera = Camera(640, 480, 800.0)
    ahead_pixels = interocular_pixels(shape.neutral, ahead, camera)
    assert interocular_pixels(shape.neutral, same_place, camera) == pytest.approx(ahead_pixels)
    drawn = camera.project(ahead.apply(shape.neutral[[33, 263]]))
    assert ahead_pixels == pytest.approx(np.linalg.norm(drawn[1] - drawn[0]), rel=1e-3)


def test_error_is_the_mean_over_the_face_points(shape):
    pose = make_pose()
    seen = CAMERA.project(pose.apply(shape.neutral))
    assert landmark_error(shape.neutral, seen, pose, CAMERA) == pytest.approx(0.0, abs=1e-12)
    seen[FACE_POINTS:] += 50.0  # irises do not count
    seen[:FACE_POINTS, 0] += 3.0
    unit = interocular_pixels(shape.neutral, pose, CAMERA)
    assert landmark_error(shape.neutral, seen, pose, CAMERA) == pytest.approx(3.0 / unit)


def test_mirrored_landmarks_lie_on_the_other_side(shape):
    np.testing.assert_array_equal(MIRRORED[MIRRORED], np.arange(478))
    mirrored = shape.neutral[MIRRORED] * (-1, 1, 1)
    distance = np.linalg.norm(mirrored - shape.neutral, axis=1)
    assert distance[:FACE_POINTS].max() < 0.003
    assert distance[:FACE_POINTS].mean() < 0.0005
    for rows in REGIONS.values():
        assert set(MIRRORED[rows]) == set(rows)


def test_landmarks_that_turn_away_count_less(shape):
    points = shape.neutral[:FACE_POINTS]
    ahead = facing_weights(points, np.eye(3))
    turned = facing_weights(points, axis_angle_matrix([0.0, 0.6, 0.0]))
    # The head turns to its left, so its left side turns away from the camera.
    left, right = 454, 234
    assert ahead[left] == pytest.approx(ahead[right], abs=0.05)
    assert turned[left] < 0.5 * ahead[left] <= ahead[right] <= turned[right]
    assert turned.min() > 0 and turned.max() <= 1.0
