"""Heads fitted to surfaces whose shape is known, and the map between two topologies."""

from __future__ import annotations

import numpy as np
import pytest

from lifemask import InputError
from lifemask.geometry import axis_angle_matrix
from lifemask.heads import load_head_model
from lifemask.rigging import topology_map
from lifemask.rigging._registration import (
    TargetSurface,
    fit_identity,
    follow_surface,
    open_edges,
    rigid_motion,
    surface_weights,
)
from needs import require


@pytest.fixture(scope="module")
def model():
    return load_head_model()


def person(model, seed):
    return model.head(0.8 * np.random.default_rng(seed).standard_normal(model.mode_count))


def test_rigid_motion_is_found_again():
    random = np.random.default_rng(2)
    points = random.standard_normal((40, 3))
    rotation, shift = axis_angle_matrix([0.3, -1.2, 2.0]), np.array([1.0, 2, 3])
    found = rigid_motion(points, points @ rotation.T + shift, random.uniform(0.1, 1, 40))
    np.testing.assert_allclose(found[0], rotation, atol=1e-9)
    np.testing.assert_allclose(found[1], shift, atol=1e-9)


def test_open_edges_are_those_of_one_face():
    faces = np.array([[0, 1, 2], [2, 1, 3]])
    assert {tuple(e) for e in open_edges(faces)} == {(0, 1), (0, 2), (1, 3), (2, 3)}


def test_a_person_of_the_model_is_recovered_from_a_turned_surface(model):
    """Landmarks alone leave the identity open where there are none; the surface closes it."""
    head = person(model, 3)
    turn, shift = axis_angle_matrix([0.1, 0.3, -0.1]), np.array([0.2, -0.1, 0.4])
    skin = model.topology.faces[model.topology.parts["skin"].faces]
    surface = TargetSurface.from_mesh(head.neutral @ turn.T + shift, skin)
    landmarks = head.landmarks(head.neutral) @ turn.T + shift
    landmarks[::7] = np.nan
    fit = fit_identity(model, surface, landmarks)
    found = model.head(fit.identity).neutral
    placed = (found - fit.translation) @ fit.rotation
    face = model.topology.masks["face"] > 0.5
    error = 1000 * np.linalg.norm(placed - (head.neutral @ turn.T + shift), axis=1)[face]
    assert error.mean() < 0.5
    distance = 1000 * surface.closest(placed[face]).distance
    assert distance.mean() < 0.12
    np.testing.assert_allclose(fit.rotation @ turn, np.eye(3), atol=0.03)


def test_what_no_mode_shows_is_followed_without_folds(model):
    head = person(model, 5)
    skin = model.topology.faces[model.topology.parts["skin"].faces]
    truth = head.neutral.astype(np.float64)
    bump = np.exp(-np.sum(((truth - [0.03, -0.01, 0.1]) / 0.015) ** 2, axis=1))
    truth[:, 2] += 0.004 * bump
    surface = TargetSurface.from_mesh(truth, skin)
    start = head.neutral.astype(np.float64)
    marks = np.arange(468)
    points = head.landmarks(truth.astype(np.float32)).astype(np.float64)[:468]
    moved = follow_surface(start, model.topology, surface, (marks, points))
    seen = surface_weights(model.topology) > 0.9
    assert 1000 * surface.closest(start[seen]).distance.max() > 1.5
    distance = 1000 * surface.closest(moved[seen]).distance
    assert distance.max() < 1.2 and distance.mean() < 0.03
    from lifemask.geometry import vertex_normals

    agreement = np.sum(vertex_normals(moved, skin) * vertex_normals(start, skin), axis=1)
    assert agreement[seen].min() > 0.5
    rest = ~np.isin(np.arange(len(start)), np.arange(model.topology.parts["skin"].vertices.stop))
    np.testing.assert_array_equal(moved[rest], start[rest])


def test_the_map_has_its_own_error_and_moves_whole_batches():
    there, back = topology_map("default", "ict"), topology_map("ict", "default")
    assert len(there.vertices) > 5000 and len(back.vertices) > 1500
    assert (np.diff(there.vertices) > 0).all()
    np.testing.assert_allclose(there.weights.sum(axis=1), 1)
    for one in (there, back):
        assert 0 < one.floor_mm["vertex_median"] < one.floor_mm["vertex_90_percent"] < 4
        assert 0 < one.floor_mm["surface_mean"] < 0.3
    head = np.random.default_rng(0).standard_normal((2, there.source_size, 3))
    both = there.transfer(head)
    assert both.shape == (2, len(there.vertices), 3)
    np.testing.assert_array_equal(both[1], there.transfer(head[1]))
    with pytest.raises(ValueError, match="vertices have shape"):
        back.transfer(head)
    with pytest.raises(InputError, match="no map from the head model 'ict' to 'flame'"):
        topology_map("ict", "flame")


def test_there_and_back_is_where_it_began():
    """Both ways of the map are made apart from each other, so they check each other."""
    ict = load_head_model("ict", require("ict"))
    default = load_head_model()
    there, back = topology_map("default", "ict"), topology_map("ict", "default")
    on_ours = np.full((len(default.neutral), 3), np.nan)
    on_ours[back.vertices] = back.transfer(ict.neutral)
    again = there.transfer(on_ours)
    distance = 1000 * np.linalg.norm(again - ict.neutral[there.vertices], axis=1)
    known = np.isfinite(distance)
    assert known.mean() > 0.85
    assert np.median(distance[known]) < 0.25 and np.quantile(distance[known], 0.95) < 1.0


def test_regions_of_ict_are_where_they_are_called():
    ict = load_head_model("ict", require("ict"))
    masks, points = ict.topology.masks, ict.landmark_model().neutral
    lips = ict.neutral[masks["lips"] > 0.5]
    assert np.linalg.norm(lips.mean(axis=0) - points[[13, 14]].mean(axis=0)) < 0.01
    assert ict.neutral[masks["brows"] > 0.5, 1].min() > points[[33, 263], 1].max()
    assert ict.neutral[masks["neck"] > 0.5, 1].max() < 0.0
    assert abs(ict.neutral[masks["ears"] > 0.5, 0]).min() > 0.05
    assert ict.neutral[masks["hair"] > 0.5, 1].max() > points[10, 1]
