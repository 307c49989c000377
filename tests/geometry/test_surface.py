from __future__ import annotations

import numpy as np

from lifemask.geometry import vertex_normals

CORNERS = np.array([[x, y, z] for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])
OCTAHEDRON = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
FACES = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
)


def test_normals_of_a_round_body_look_outward():
    np.testing.assert_allclose(vertex_normals(OCTAHEDRON, FACES), OCTAHEDRON, atol=1e-12)
    np.testing.assert_allclose(vertex_normals(OCTAHEDRON, FACES[:, ::-1]), -OCTAHEDRON, atol=1e-12)


def test_large_faces_count_more():
    points = np.array([[0, 0, 0], [3, 0, 0], [0, 3, 0], [0, 0, 1.0]])
    normal = vertex_normals(points, np.array([[0, 1, 2], [0, 2, 3]]))[0]
    np.testing.assert_allclose(normal, np.array([3, 0, 9]) / np.sqrt(90), atol=1e-12)


def test_vertices_without_a_surface_have_no_normal():
    points = np.concatenate([OCTAHEDRON, [[5, 5, 5]], CORNERS[:1]])
    faces = np.concatenate([FACES, [[7, 7, 7]]])
    normals = vertex_normals(points.astype(np.float32), faces.astype(np.int32))
    assert normals.dtype == np.float64
    np.testing.assert_array_equal(normals[6:], 0)
    np.testing.assert_allclose(np.linalg.norm(normals[:6], axis=1), 1)
