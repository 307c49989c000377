"""Heads fitted to meshes of known shape in any unit and orientation."""

from __future__ import annotations

import numpy as np
import pytest

from lifemask import InputError, NoFaceError
from lifemask.geometry import Mesh, axis_angle_matrix
from lifemask.heads import load_head_model
from lifemask.rigging import Similarity, fit_scan
from lifemask.rigging._scan import UNITS, _axis_rotations, _unit, seat_parts
from needs import require


@pytest.fixture(scope="module")
def model():
    return load_head_model()


@pytest.fixture(scope="module")
def person(model):
    identity = 0.7 * np.random.default_rng(21).standard_normal(model.mode_count)
    return model.head(identity)


@pytest.fixture
def landmarker():
    require("landmarker")
    from lifemask.tracking import FaceLandmarker

    with FaceLandmarker() as found:
        yield found


class Blind:
    """A landmarker that never sees a face."""

    def detect(self, image):
        return []

    def track(self, image, time_seconds):
        return None


def solid(head):
    topology = head.topology
    return topology.faces[: topology.parts["lashes"].faces.start]


def test_a_lying_scan_in_centimetres_becomes_the_person(model, person, landmarker):
    """Z up, turned off its axes, with noise, with triangles inside out and a part missing."""
    random = np.random.default_rng(4)
    turn = axis_angle_matrix([0.15, -0.2, 0.1]) @ axis_angle_matrix([np.pi / 2, 0, 0])
    noisy = person.neutral + random.normal(0, 0.0002, person.neutral.shape)
    points = 100 * (noisy @ turn.T) + [30, -200, 12]
    faces = solid(person)[:, ::-1]
    faces = faces[person.neutral[faces[:, 0], 2] > -0.05]
    fit = fit_scan(Mesh(points.astype(np.float64), faces), model, landmarker)
    assert fit.unit == "cm" and fit.motion.scale == pytest.approx(0.01)
    assert fit.distance_mm["mean"] < 0.25 and fit.distance_mm["90_percent"] < 0.6
    face = model.topology.masks["face"] * (1 - model.topology.masks["sockets"]) > 0.5
    clean = fit.motion.apply(100 * (person.neutral @ turn.T) + [30, -200, 12])
    error = 1000 * np.linalg.norm(fit.head.neutral - clean, axis=1)[face]
    assert error.mean() < 1.8
    assert not fit.coloured
    for part in ("eye_left", "eye_right"):
        run = model.topology.parts[part].vertices
        truth = clean[run].mean(axis=0)
        assert np.linalg.norm(fit.head.neutral[run].mean(axis=0) - truth) < 0.002


def test_a_mesh_without_a_face_is_refused(model):
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]], np.int32)
    with pytest.raises(NoFaceError, match="from any side"):
        fit_scan(Mesh(points, faces), model, Blind())
    with pytest.raises(InputError, match="no extent"):
        fit_scan(Mesh(np.zeros((4, 3)), faces), model, Blind())


@pytest.mark.parametrize("name", sorted(UNITS))
@pytest.mark.parametrize("size", [0.8, 1.0, 1.2])
def test_the_unit_is_told_by_the_size_of_the_head(model, name, size):
    landmarks = size * model.landmark_model().neutral
    scale = 3.7
    # The upright mesh is `scale` times the file; the file is the head in its unit.
    file = landmarks / UNITS[name]
    unit, resize = _unit(file * scale, model, scale)
    assert unit == name
    np.testing.assert_allclose(file * scale * resize, landmarks)


def test_a_size_of_no_head_is_taken_for_an_adults(model):
    landmarks = model.landmark_model().neutral
    assert _unit(landmarks, model, 1.0 / 4.5) == ("unknown", 1.0)
    landmarks[33] = np.nan
    assert _unit(landmarks, model, 1.0) == ("unknown", 1.0)


def test_all_orientations_are_tried_once():
    rotations = _axis_rotations()
    assert len(rotations) == 24
    assert len({tuple(r.ravel()) for r in rotations}) == 24
    np.testing.assert_array_equal(rotations[0], np.eye(3))
    for rotation in rotations:
        assert np.linalg.det(rotation) == pytest.approx(1)


def test_eyes_stay_round_and_parts_follow_the_skin(model, person):
    skin = person.neutral.astype(np.float64)
    skin[:, 1] += 0.1 * (skin[:, 2] - 0.08)
    seated = seat_parts(person, skin)
    topology = model.topology
    for part, joint in (("eye_left", 4), ("eye_right", 5)):
        run = topology.parts[part].vertices
        before = person.neutral[run] - person.joints[joint]
        after = seated.neutral[run] - seated.joints[joint]
        np.testing.assert_allclose(after, before, atol=1e-6)
    shell = topology.parts["skin"].vertices
    np.testing.assert_allclose(seated.neutral[shell], skin[shell], atol=1e-6)
    for part in ("teeth_upper", "teeth_lower", "tongue"):
        run = topology.parts[part].vertices
        assert np.ptp(seated.neutral[run] - person.neutral[run], axis=0).max() < 1e-6
    assert not np.array_equal(seated.neutral[topology.parts["lashes"].vertices],
                              person.neutral[topology.parts["lashes"].vertices])  # fmt: skip


def test_similarities_follow_each_other():
    one = Similarity(2.0, axis_angle_matrix([0.1, 0.2, 0.3]), np.array([1.0, 2, 3]))
    other = Similarity(0.5, axis_angle_matrix([-0.4, 0, 1]), np.array([0.0, -1, 5]))
    points = np.random.default_rng(0).standard_normal((6, 3))
    np.testing.assert_allclose(other.after(one).apply(points), other.apply(one.apply(points)))
