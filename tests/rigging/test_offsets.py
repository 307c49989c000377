"""Heads that follow their landmarks, and keep what landmarks do not show in shape."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.heads import COEFFICIENT_INDEX, JOINT_NAMES, load_head_model
from lifemask.rigging import MEAN_PUPIL_DISTANCE, align_to_landmarks, scale_to_pupil_distance
from lifemask.tracking import FACE_OVAL, FACE_POINTS, FaceLandmarks, PhotoFit

CAMERA = Camera(1024, 1024, 1900.0)
EYES = {"eye_left": "EyeLeft", "eye_right": "EyeRight"}


@pytest.fixture(scope="module")
def head():
    return load_head_model().head()


def bump(points: np.ndarray, place: np.ndarray, push, reach: float) -> np.ndarray:
    fall = np.exp(-0.5 * (np.linalg.norm(points - place, axis=1) / reach) ** 2)
    return fall[:, None] * np.array(push)


def person(head):
    """Return the mean head with another nose and wider cheeks: no identity mode made these."""
    marks = head.landmarks(head.neutral)
    points = head.neutral.astype(np.float64)
    shift = bump(points, marks[1], (0.001, -0.002, 0.0), 0.015)
    shift += bump(points, marks[50], (-0.002, 0.001, 0.0), 0.02)
    shift += bump(points, marks[280], (0.002, 0.001, 0.0), 0.02)
    return replace(head, neutral=(points + shift).astype(np.float32))


def picture(shown, *, yaw: float = 0.0, coefficients=None, shift=(0.0, 0.0)) -> PhotoFit:
    """Return the fit whose landmarks are those of `shown`, seen in this pose."""
    weights = np.zeros(52) if coefficients is None else coefficients
    rotation = axis_angle_matrix([0, yaw, 0])
    pose = Pose(rotation, np.array([0, 0, -0.7]) - rotation @ [0, 0.02, 0.02])
    at = pose.apply(shown.landmarks(shown.vertices(weights)).astype(np.float64))
    pixels = CAMERA.project(at) + np.array(shift)
    seen = np.c_[pixels, np.zeros(478)].astype(np.float32)
    landmarks = FaceLandmarks(seen, CAMERA.width, CAMERA.height)
    return PhotoFit(np.zeros(1), weights, np.zeros(4), pose, CAMERA, 0.0, landmarks)


def residuals(head, fit: PhotoFit) -> np.ndarray:
    """Return the distances of the face points from their landmarks, pixels."""
    points = head.landmarks(head.vertices(fit.coefficients, gaze=fit.gaze))[:FACE_POINTS]
    drawn = CAMERA.project(fit.pose.apply(points.astype(np.float64)))
    return np.linalg.norm(drawn - fit.landmarks.pixels[:FACE_POINTS], axis=1)


def test_nothing_left_over_changes_nothing(head):
    same = align_to_landmarks(head, [picture(head), picture(head, yaw=0.4)])
    np.testing.assert_allclose(same.neutral, head.neutral, atol=2e-6)
    np.testing.assert_allclose(same.joints, head.joints, atol=2e-6)


@pytest.mark.parametrize("yaw", [0.0, 0.4, -0.4])
def test_landmarks_come_nearer(head, yaw):
    fit = picture(person(head), yaw=yaw)
    before, after = residuals(head, fit), residuals(align_to_landmarks(head, [fit]), fit)
    assert before.mean() > 1
    # Not all the way: of one picture a part may be an expression that was not solved, and a part
    # is the landmarker's.
    assert after.mean() < 0.6 * before.mean()
    assert after.max() < before.max()


def test_two_views_find_depth_that_one_does_not_show(head):
    marks = head.landmarks(head.neutral)
    deep = bump(head.neutral.astype(float), marks[1], (0, 0, 0.003), 0.015)
    shown = replace(head, neutral=(head.neutral + deep).astype(np.float32))

    def rise(*fits: PhotoFit) -> float:
        aligned = align_to_landmarks(head, fits)
        return float((aligned.landmarks(aligned.neutral) - marks)[1, 2])

    frontal = picture(shown)
    sides = picture(shown, yaw=0.7), picture(shown, yaw=-0.7)
    assert rise(frontal) < 0.0001
    assert rise(*sides) > 0.0004


def test_expressions_are_not_taken_for_shape(head):
    smiling = np.zeros(52)
    smiling[COEFFICIENT_INDEX["mouthSmileLeft"]] = 0.8
    smiling[COEFFICIENT_INDEX["jawOpen"]] = 0.3
    fit = picture(head, coefficients=smiling)
    same = align_to_landmarks(head, [fit])
    np.testing.assert_allclose(same.neutral, head.neutral, atol=2e-6)


def missed_smile(head) -> PhotoFit:
    """Return the fit of a smile of which the solver found two thirds."""
    smile = np.zeros(52)
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        smile[COEFFICIENT_INDEX[name]] = 0.6
    return replace(picture(head, coefficients=smile), coefficients=smile * 2 / 3)


def test_what_is_left_of_an_expression_is_not_taken_for_shape(head):
    fit = missed_smile(head)
    left_over = residuals(head, fit).max() * 0.7 / CAMERA.focal
    aligned = align_to_landmarks(head, [fit])
    moved = aligned.landmarks(aligned.neutral) - head.landmarks(head.neutral)
    assert left_over > 0.002
    assert np.linalg.norm(moved, axis=1).max() < 0.4 * left_over


def test_calm_pictures_outvote_an_expression(head):
    shown = person(head)
    calm = align_to_landmarks(head, [picture(shown), picture(shown, yaw=0.3)])
    mixed = align_to_landmarks(head, [picture(shown), picture(shown, yaw=0.3), missed_smile(shown)])
    change = np.linalg.norm(mixed.neutral - calm.neutral, axis=1)
    assert np.sqrt(np.mean(change[head.topology.masks["face"] > 0.5] ** 2)) < 0.0003


def test_landmarks_that_slide_in_turned_pictures_hardly_move_the_head(head):
    """Beside a picture from the front, that shows the head as it is."""
    fits = [picture(head)]
    for yaw in (-0.9, 0.9):
        fit = picture(head, yaw=yaw)
        points = fit.landmarks.points.copy()
        # Along the outline by 4 % of the inter-ocular distance, and the nose by as much.
        points[list(FACE_OVAL), 1] += 10.0
        points[[1, 2, 4, 5, 195, 197], 0] += 10.0
        fits.append(replace(fit, landmarks=FaceLandmarks(points, CAMERA.width, CAMERA.height)))
    moved = align_to_landmarks(head, fits).neutral - head.neutral
    face = head.topology.masks["face"] > 0.5
    assert np.sqrt(np.mean(np.sum(moved[face] ** 2, axis=1))) < 0.0002


def test_eyes_stay_spheres_about_their_joints(head):
    aligned = align_to_landmarks(head, [picture(person(head)), picture(person(head), yaw=0.3)])
    assert np.abs(aligned.joints - head.joints).max() > 1e-5
    for part, joint in EYES.items():
        run, number = head.topology.parts[part].vertices, JOINT_NAMES.index(joint)
        before = head.neutral[run] - head.joints[number]
        after = aligned.neutral[run] - aligned.joints[number]
        np.testing.assert_allclose(after, before, atol=1e-6)
    for joint in ("Root", "Neck", "Head", "Jaw"):
        number = JOINT_NAMES.index(joint)
        np.testing.assert_array_equal(aligned.joints[number], head.joints[number])


@pytest.mark.parametrize("part", ["teeth_upper", "teeth_lower", "tongue"])
def test_teeth_and_tongue_move_as_pieces(head, part):
    aligned = align_to_landmarks(head, [picture(person(head))])
    moved = (aligned.neutral - head.neutral)[head.topology.parts[part].vertices]
    np.testing.assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=1e-6)


def test_rows_of_teeth_stay_together(head):
    aligned = align_to_landmarks(head, [picture(person(head))])
    moved = aligned.neutral - head.neutral
    first = [moved[head.topology.parts[p].vertices][0] for p in ("teeth_upper", "teeth_lower")]
    np.testing.assert_allclose(first[0], first[1], atol=1e-6)


def test_back_of_the_head_moves_smoothly_and_less(head):
    aligned = align_to_landmarks(head, [picture(person(head))])
    moved = aligned.neutral - head.neutral
    skin = head.topology.faces[head.topology.parts["skin"].faces]
    back = head.neutral[:, 2] < 0
    edges = np.concatenate([skin[:, [0, 1]], skin[:, [1, 2]], skin[:, [2, 0]]])
    edges = edges[back[edges].all(axis=1)]
    length = np.linalg.norm(head.neutral[edges[:, 0]] - head.neutral[edges[:, 1]], axis=1)
    strain = np.linalg.norm(moved[edges[:, 0]] - moved[edges[:, 1]], axis=1) / length
    assert strain.max() < 0.03
    face = head.topology.masks["face"] > 0.9
    reach = np.linalg.norm(moved, axis=1)
    skin_back = back & (head.topology.masks["face"] == 0)
    assert np.median(reach[skin_back]) < np.median(reach[face])


def test_faces_do_not_fold(head):
    aligned = align_to_landmarks(head, [picture(person(head), shift=(1.5, -1.0))])
    skin = head.topology.faces[head.topology.parts["skin"].faces]

    def normals(points: np.ndarray) -> np.ndarray:
        a, b, c = points[skin].astype(float).transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        return normal / np.linalg.norm(normal, axis=1, keepdims=True)

    turned = (normals(head.neutral) * normals(aligned.neutral)).sum(axis=1)
    assert turned.min() > 0
    assert np.quantile(turned, 0.01) > 0.95


def test_outline_counts_less_than_features(head):
    """Landmarks of the outline slide along it, so a stray one pulls less than a feature does."""

    def pull(number: int) -> float:
        fit = picture(head)
        points = fit.landmarks.points.copy()
        points[number, 0] += 8
        stray = replace(fit, landmarks=replace(fit.landmarks, points=points))
        aligned = align_to_landmarks(head, [stray])
        moved = aligned.landmarks(aligned.neutral) - head.landmarks(head.neutral)
        return float(np.linalg.norm(moved[number]))

    assert pull(FACE_OVAL[9]) < 0.5 * pull(5)


def test_shapes_and_weights_stay(head):
    aligned = align_to_landmarks(head, [picture(person(head))])
    assert aligned.topology is head.topology
    assert aligned.expression_deltas is head.expression_deltas
    assert aligned.joint_weights is head.joint_weights
    assert aligned.neutral.dtype == aligned.joints.dtype == np.float32


@pytest.mark.parametrize("metres", [0.055, MEAN_PUPIL_DISTANCE, 0.072])
def test_size_follows_the_distance_of_the_pupils(head, metres):
    scaled = scale_to_pupil_distance(head, metres)
    left, right = (scaled.joints[JOINT_NAMES.index(j)] for j in ("EyeLeft", "EyeRight"))
    assert np.linalg.norm(left - right) == pytest.approx(metres, rel=1e-5)
    factor = np.ptp(scaled.neutral[:, 1]) / np.ptp(head.neutral[:, 1])
    np.testing.assert_allclose(scaled.neutral, factor * head.neutral, atol=1e-6)
    np.testing.assert_allclose(scaled.expression_deltas, factor * head.expression_deltas, atol=1e-7)
    weights = np.random.default_rng(0).uniform(0, 0.5, 52)
    gaze = [0.2, 0.1, 0.2, 0.1]
    np.testing.assert_allclose(
        scaled.vertices(weights, gaze=gaze, neck_rotation=[0, 0.3, 0]),
        factor * head.vertices(weights, gaze=gaze, neck_rotation=[0, 0.3, 0]),
        atol=2e-6,
    )


@pytest.mark.parametrize("metres", [0.0, -0.063, 0.63, 6.3, float("nan")])
def test_distance_that_no_person_has_is_refused(head, metres):
    with pytest.raises(ValueError, match="pupil distance"):
        scale_to_pupil_distance(head, metres)
