"""Closest points on triangle meshes against dense sampling, and meshes that are degenerate."""

from __future__ import annotations

import numpy as np
import pytest

from lifemask.geometry import ClosestPoints
from lifemask.geometry._closest import closest_barycentric


def test_closest_point_of_a_triangle_is_no_farther_than_any_sampled_point():
    random = np.random.default_rng(1)
    triangles, points = random.standard_normal((60, 3, 3)), 2 * random.standard_normal((60, 3))
    weights = closest_barycentric(points, triangles)
    assert weights.min() >= -1e-12
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    reached = np.einsum("nc,ncd->nd", weights, triangles)
    steps = np.linspace(0, 1, 81)
    grid = np.array([(1 - u - v, u, v) for u in steps for v in steps if u + v <= 1 + 1e-9])
    dense = np.einsum("gc,ncd->ngd", grid, triangles)
    sampled = np.linalg.norm(dense - points[:, None], axis=2).min(axis=1)
    assert (np.linalg.norm(reached - points, axis=1) <= sampled + 1e-9).all()


def test_every_region_of_the_plane_has_its_corner_edge_or_inside():
    triangle = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    cases = {
        (-1, -1): (1, 0, 0),
        (2, -0.5): (0, 1, 0),
        (-0.5, 2): (0, 0, 1),
        (0.25, -1): (0.75, 0.25, 0),
        (-1, 0.25): (0.75, 0, 0.25),
        (1, 1): (0, 0.5, 0.5),
        (0.2, 0.3): (0.5, 0.2, 0.3),
    }
    for (x, y), wanted in cases.items():
        found = closest_barycentric(np.array([x, y, 3.0]), triangle)
        np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_finds_the_right_face_of_a_mesh():
    x, y = np.meshgrid(np.arange(8.0), np.arange(8.0))
    vertices = np.c_[x.ravel(), y.ravel(), np.zeros(64)]
    row = np.arange(7)[:, None] * 8 + np.arange(7)
    faces = np.concatenate([np.stack([row, row + 1, row + 9], -1).reshape(-1, 3),
                            np.stack([row, row + 9, row + 8], -1).reshape(-1, 3)])  # fmt: skip
    points = np.random.default_rng(0).uniform([0, 0, -1], [7, 7, 1], (50, 3))
    found = ClosestPoints(vertices, faces)(points)
    np.testing.assert_allclose(found.points, points * [1, 1, 0], atol=1e-12)
    np.testing.assert_allclose(found.distance, abs(points[:, 2]), atol=1e-12)
    corners = vertices[faces[found.faces]]
    np.testing.assert_allclose(np.einsum("nc,ncd->nd", found.barycentric, corners), found.points)


def test_triangles_without_area_and_meshes_without_faces():
    flat = np.zeros((3, 3)), np.array([[0.0, 0, 0], [1, 0, 0], [1, 0, 0]])
    for triangle in flat:
        weights = closest_barycentric(np.array([0.5, 1.0, 0]), triangle)
        assert np.isfinite(weights).all() and weights.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="without faces"):
        ClosestPoints(np.zeros((3, 3)), np.empty((0, 3), int))
