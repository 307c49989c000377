"""Normals, tangents, seams and shapes against what geometry says they are."""

from __future__ import annotations

import dataclasses

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from lifemask.geometry import vertex_normals
from lifemask.heads import COEFFICIENT_INDEX
from lifemask_exporters._surface import (
    MOVES_METRES,
    NEGLIGIBLE_NORMAL,
    build_surface,
    vertex_tangents,
)
from synthetic import make_head

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
UPRIGHT = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], float)
TWO_TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])
Z = np.tile([0.0, 0.0, 1.0], (4, 1))

SHELL = ("skin", "mouth", "tongue")


def test_normals_of_a_sphere_point_outward():
    head = make_head()
    part = head.topology.parts["eye_left"]
    points = head.neutral.astype(float)
    centre = points[part.vertices].mean(axis=0)
    normals = vertex_normals(points, head.topology.faces[part.faces])[part.vertices]
    outward = points[part.vertices] - centre
    cosines = np.sum(normals * outward, axis=1) / np.linalg.norm(outward, axis=1)
    assert cosines.min() > 0.99


def test_normals_are_weighted_by_area():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 3]], float)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    normal = vertex_normals(points, faces)[0]
    np.testing.assert_allclose(normal, np.array([3, 0, 1]) / np.sqrt(10))


def test_upright_picture():
    tangents = vertex_tangents(SQUARE, Z, UPRIGHT, TWO_TRIANGLES)
    np.testing.assert_allclose(tangents, np.tile([1, 0, 0, 1], (4, 1)), atol=1e-7)


def test_mirrored_picture():
    """u grows to the left; up in the picture is still up, so the sign flips."""
    mirrored = UPRIGHT * [-1, 1] + [1, 0]
    tangents = vertex_tangents(SQUARE, Z, mirrored, TWO_TRIANGLES)
    np.testing.assert_allclose(tangents, np.tile([-1, 0, 0, -1], (4, 1)), atol=1e-7)


@hypothesis.given(st.floats(-3.1, 3.1), st.booleans())
def test_bitangent_points_up_in_the_picture(angle, mirrored):
    """However the picture lies on the surface, cross(normal, tangent) * w is its up."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    uv = (UPRIGHT * ([-1, 1] if mirrored else [1, 1])) @ turn.T
    tangents = vertex_tangents(SQUARE, Z, uv, TWO_TRIANGLES).astype(float)
    bitangent = np.cross(Z, tangents[:, :3]) * tangents[:, 3:]
    # The position as a function of uv is linear here: solve for its derivatives.
    edges = SQUARE[1:3] - SQUARE[0]
    d_uv = np.linalg.solve(uv[1:3] - uv[0], edges)
    for found, wanted in ((tangents[:, :3], d_uv[0]), (bitangent, -d_uv[1])):
        expected = wanted / np.linalg.norm(wanted)
        np.testing.assert_allclose(found, np.tile(expected, (4, 1)), atol=1e-6)


def test_degenerate_uv_still_gives_unit_tangents():
    tangents = vertex_tangents(SQUARE, Z, np.zeros((4, 2)), TWO_TRIANGLES)
    np.testing.assert_allclose(np.linalg.norm(tangents[:, :3], axis=1), 1)
    np.testing.assert_allclose(np.sum(tangents[:, :3] * Z, axis=1), 0)


def test_surface_of_a_head(head):
    surface = build_surface(head, SHELL)
    topology = head.topology
    runs = [topology.parts[name].faces for name in SHELL]
    faces = np.concatenate([topology.faces[run] for run in runs])
    faces_uv = np.concatenate([topology.faces_uv[run] for run in runs])
    np.testing.assert_array_equal(surface.sources[surface.faces], faces)
    np.testing.assert_array_equal(surface.uv[surface.faces], topology.uv[faces_uv])
    np.testing.assert_array_equal(surface.positions, head.neutral[surface.sources])
    np.testing.assert_allclose(np.linalg.norm(surface.normals, axis=1), 1, atol=1e-6)
    tangents = surface.tangents
    np.testing.assert_allclose(np.linalg.norm(tangents[:, :3], axis=1), 1, atol=1e-6)
    assert np.abs(np.sum(tangents[:, :3] * surface.normals, axis=1)).max() < 1e-5
    assert set(np.unique(tangents[:, 3])) <= {-1.0, 1.0}


def test_seams_are_split_but_shade_as_one(head):
    surface = build_surface(head, SHELL)
    order = np.argsort(surface.sources, kind="stable")
    twins = order[:-1][np.diff(surface.sources[order]) == 0]
    assert len(twins) > 10
    first, second = twins, order[np.flatnonzero(np.diff(surface.sources[order]) == 0) + 1]
    assert (surface.uv[first] != surface.uv[second]).any(axis=1).all()
    np.testing.assert_array_equal(surface.normals[first], surface.normals[second])
    for target in surface.targets:
        np.testing.assert_array_equal(target.positions[first], target.positions[second])
        np.testing.assert_array_equal(target.normals[first], target.normals[second])


def test_shapes_move_and_shade_as_the_head_does(head):
    surface = build_surface(head, SHELL)
    part = head.topology.parts
    faces = np.concatenate([head.topology.faces[part[name].faces] for name in SHELL])
    for target in surface.targets:
        delta = head.expression_deltas[COEFFICIENT_INDEX[target.name]]
        np.testing.assert_allclose(target.positions, delta[surface.sources], atol=1.01e-5)
        deformed = vertex_normals((head.neutral + delta).astype(float), faces)[surface.sources]
        difference = np.linalg.norm(surface.normals + target.normals - deformed, axis=1)
        # Motions under ten micrometres are dropped, which turns normals of tiny faces a little.
        assert np.quantile(difference, 0.99) < 3 * NEGLIGIBLE_NORMAL
        rest = np.setdiff1d(np.arange(len(surface.sources)), target.rows)
        assert not target.positions[rest].any()
        assert not target.normals[rest].any()
        assert np.linalg.norm(target.positions, axis=1).max() >= MOVES_METRES


def test_shapes_that_do_not_move_a_mesh_are_left_out():
    head = make_head()
    deltas = head.expression_deltas.copy()
    deltas[COEFFICIENT_INDEX["cheekPuff"]] = MOVES_METRES / 10
    still = dataclasses.replace(head, expression_deltas=deltas)
    names = [target.name for target in build_surface(still, SHELL).targets]
    assert "cheekPuff" not in names
    assert len(names) == 51
    assert [t.name for t in build_surface(still, ("teeth_lower",)).targets] == [
        "jawForward",
        "jawLeft",
        "jawRight",
        "jawOpen",
    ]


def test_at_most_four_joints_and_weights_that_sum_to_one(head):
    surface = build_surface(head, SHELL)
    np.testing.assert_allclose(surface.weights.sum(axis=1), 1, atol=1e-6)
    assert not surface.joints[surface.weights == 0].any()
    rebuilt = np.zeros((len(surface.sources), 6))
    np.put_along_axis(rebuilt, surface.joints.astype(int), surface.weights, axis=1)
    used = surface.weights > 0
    rows = np.broadcast_to(np.arange(len(used))[:, None], used.shape)[used]
    wanted = head.joint_weights[surface.sources]
    np.testing.assert_allclose(wanted[rows, surface.joints[used]], surface.weights[used], atol=1e-6)
    assert (np.count_nonzero(wanted, axis=1) <= 4).all()


def test_five_influences_lose_the_weakest():
    head = make_head()
    weights = np.tile(
        np.array([0.3, 0.25, 0.2, 0.15, 0.1, 0.0], np.float32), (len(head.neutral), 1)
    )
    surface = build_surface(dataclasses.replace(head, joint_weights=weights), ("skin",))
    np.testing.assert_array_equal(surface.joints[0], [0, 1, 2, 3])
    np.testing.assert_allclose(surface.weights[0], np.array([0.3, 0.25, 0.2, 0.15]) / 0.9)


@pytest.mark.parametrize("collapsed", ["skin", "eye_left"])
def test_collapsed_geometry_still_has_unit_normals(collapsed):
    head = make_head()
    neutral = head.neutral.copy()
    neutral[head.topology.parts[collapsed].vertices] = 0
    surface = build_surface(dataclasses.replace(head, neutral=neutral), (collapsed,))
    np.testing.assert_allclose(np.linalg.norm(surface.normals, axis=1), 1)
    np.testing.assert_allclose(np.linalg.norm(surface.tangents[:, :3], axis=1), 1)
