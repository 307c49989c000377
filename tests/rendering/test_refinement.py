from __future__ import annotations

import numpy as np

from lifemask.geometry import rasterize
from lifemask.rendering import Renderer, frame_head
from lifemask.rendering._refinement import Refinement
from lifemask.rendering._renderer import _normals
from synthetic import boundary_loops, make_head


def refined(head):
    refinement = Refinement(head.topology)
    normals = _normals(head.neutral, head.topology.faces)
    return refinement, refinement.positions(head.neutral.astype(np.float64), normals)


def test_four_faces_for_one_and_old_vertices_stay():
    head = make_head()
    refinement, points = refined(head)
    count = len(head.topology.faces)
    assert refinement.faces.shape == refinement.faces_uv.shape == (4 * count, 3)
    np.testing.assert_allclose(points[: len(head.neutral)], head.neutral)
    assert set(np.unique(refinement.faces)) == set(range(len(points)))
    # Each quarter lies on its face: it shares the face's corners or the middles of its sides.
    corner = refinement.faces.reshape(count, 4, 3)
    assert np.array_equal(corner[:, 0, 0], head.topology.faces[:, 0])
    assert np.array_equal(corner[:, 1, 1], head.topology.faces[:, 1])
    assert np.array_equal(corner[:, 2, 2], head.topology.faces[:, 2])


def test_refined_mesh_has_no_new_holes():
    head = make_head()
    refinement, _ = refined(head)
    shell = head.topology.parts["mouth"].faces.stop
    before = boundary_loops(head.topology.faces[:shell])
    after = boundary_loops(refinement.faces[: 4 * shell])
    assert len(after) == len(before) == 1
    assert len(after[0]) == 2 * len(before[0])


def test_new_points_of_a_sphere_lie_on_it():
    head = make_head()
    refinement, points = refined(head)
    part = head.topology.parts["eye_left"]
    faces = refinement.faces[4 * part.faces.start : 4 * part.faces.stop]
    new = np.setdiff1d(faces, np.arange(len(head.neutral)))
    centre = head.joints[4].astype(np.float64)
    flat = Refinement(head.topology)._edges[new - len(head.neutral)]
    middles = head.neutral[flat].astype(np.float64).mean(axis=1)
    before = np.abs(np.linalg.norm(middles - centre, axis=1) - 0.012)
    after = np.abs(np.linalg.norm(points[new] - centre, axis=1) - 0.012)
    assert after.mean() < 0.1 * before.mean()


def test_atlas_keeps_its_place():
    topology = make_head().topology
    refinement = Refinement(topology)
    size = 256
    coarse, fine = (
        rasterize(uv * size, np.ones(len(uv)), faces, size, size).face
        for uv, faces in ((topology.uv, topology.faces_uv), (refinement.uv, refinement.faces_uv))
    )
    inside = (coarse >= 0) & (fine >= 0)
    assert np.mean((coarse >= 0) != (fine >= 0)) < 0.002
    assert np.mean(coarse[inside] == fine[inside] // 4) > 0.99


def test_outline_is_rounder():
    head = make_head()
    camera, pose = frame_head(head, 512, 512)
    white = {"albedo": np.full((4, 4, 3), 255, np.uint8)}
    areas = []
    for refine in (False, True):
        renderer = Renderer(head, white, refine=refine)
        alpha = renderer.render(camera=camera, pose=pose, alpha=True)[..., 3]
        areas.append(alpha[:250].astype(float).sum() / 255)
    # A polygon inscribed in an ellipse loses area; 32 corners lose six parts in a thousand.
    assert 1.001 < areas[1] / areas[0] < 1.02
