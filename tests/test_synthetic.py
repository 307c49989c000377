"""The helper head must have what the tests that use it take for granted."""

from __future__ import annotations

import numpy as np

from lifemask.geometry import rasterize
from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES, PART_NAMES, mirrored_name
from synthetic import boundary_loops, make_head, make_textures

HEAD = make_head()
TOPOLOGY = HEAD.topology


def test_arrays_fit_together():
    count = len(HEAD.neutral)
    assert tuple(TOPOLOGY.parts) == PART_NAMES
    assert TOPOLOGY.faces.shape == TOPOLOGY.faces_uv.shape
    assert set(np.unique(TOPOLOGY.faces)) == set(range(count))
    assert TOPOLOGY.faces_uv.max() < len(TOPOLOGY.uv)
    assert HEAD.expression_deltas.shape == (52, count, 3)
    np.testing.assert_allclose(HEAD.joint_weights.sum(axis=1), 1, atol=1e-6)
    assert np.count_nonzero(HEAD.joint_weights, axis=1).max() <= 4
    assert all(mask.shape == (count,) for mask in TOPOLOGY.masks.values())
    assert set(make_textures()) == {"albedo", "normal", "orm"}


def test_shell_is_open_only_at_the_neck():
    shell = TOPOLOGY.faces[: TOPOLOGY.parts["mouth"].faces.stop]
    (loop,) = boundary_loops(shell)
    assert np.array_equal(loop, TOPOLOGY.neck_loop)


def test_mirror_swaps_sides_and_shapes():
    flipped = HEAD.neutral[TOPOLOGY.mirror] * [-1, 1, 1]
    np.testing.assert_allclose(flipped, HEAD.neutral, atol=1e-6)
    assert np.array_equal(TOPOLOGY.mirror[TOPOLOGY.mirror], np.arange(len(HEAD.neutral)))
    for name in COEFFICIENT_NAMES:
        delta = HEAD.expression_deltas[COEFFICIENT_INDEX[name]]
        other = HEAD.expression_deltas[COEFFICIENT_INDEX[mirrored_name(name)]]
        np.testing.assert_allclose(delta[TOPOLOGY.mirror] * [-1, 1, 1], other, atol=1e-6)


def test_shapes_move_what_they_should():
    largest = np.abs(HEAD.expression_deltas).max(axis=(1, 2))
    assert largest.min() > 1e-3
    flat = HEAD.expression_deltas.reshape(52, -1)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    assert (unit @ unit.T - np.eye(52)).max() < 0.999
    teeth, lashes = (TOPOLOGY.parts[n].vertices for n in ("teeth_lower", "lashes"))
    for name, delta in zip(COEFFICIENT_NAMES, HEAD.expression_deltas, strict=True):
        assert np.ptp(delta[teeth], axis=0).max() < 1e-7
        assert np.any(delta[teeth]) == name.startswith("jaw")
        assert np.any(delta[lashes]) == name.startswith(("eyeBlink", "eyeLook"))


def test_islands_do_not_overlap():
    size = 512
    pixels, depth = TOPOLOGY.uv * size, np.ones(len(TOPOLOGY.uv))
    together = rasterize(pixels, depth, TOPOLOGY.faces_uv, size, size).face >= 0
    alone = sum(
        np.count_nonzero(rasterize(pixels, depth, face[None], size, size).face >= 0)
        for face in TOPOLOGY.faces_uv
    )
    assert alone == np.count_nonzero(together)


def test_landmarks_lie_on_their_parts():
    points = HEAD.landmarks(HEAD.neutral)
    assert points.shape == (478, 3)
    np.testing.assert_allclose(TOPOLOGY.landmark_barycentric.sum(axis=1), 1, atol=1e-6)
    assert points[263, 0] > 0.04 > -0.04 > points[33, 0]
    for rows, joint in ((slice(468, 473), 5), (slice(473, 478), 4)):
        np.testing.assert_allclose(points[rows].mean(axis=0)[:2], HEAD.joints[joint][:2], atol=2e-4)
