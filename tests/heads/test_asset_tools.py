"""What the head asset is built with, on small inputs."""

from __future__ import annotations

import numpy as np
import pytest

from head_asset.atlas import (
    RECTANGLES,
    affine_island,
    boundary_loops,
    disk_island,
    embed,
    place,
    skin_island,
    strip_island,
)
from head_asset.embedding import embed as embed_points
from head_asset.embedding import symmetric
from head_asset.identity import whiten
from head_asset.parts import (
    dental_arch,
    enamel_and_gaps,
    eyeball_uv_radius,
    fit_sphere,
    similarity,
    unit_eyeball,
)
from head_asset.shell import islands, mirror_map
from head_asset.subdivide import catmull_clark
from lifemask.geometry import axis_angle_matrix
from meshes import (
    assert_oriented_manifold,
    component_count,
    euler_number,
    signed_areas,
    volume,
)
from meshes import boundary_loops as triangle_loops

CUBE = np.array(
    [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], float
) - 0.5  # fmt: skip
CUBE_QUADS = np.array(
    [[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]]
)


def grid(columns: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return quads and points `(n, 3)` of a flat sheet, counter-clockwise seen from +Z."""
    y, x = np.mgrid[0 : rows + 1, 0 : columns + 1]
    points = np.c_[x.ravel(), y.ravel(), np.zeros(x.size)].astype(float)
    corner = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    return np.stack(
        [corner, corner + 1, corner + columns + 2, corner + columns + 1], axis=1
    ), points


def triangles(quads: np.ndarray) -> np.ndarray:
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def corner_areas(quads: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Return the signed area at every corner of every quad: a convex quad has one sign."""
    turns = [quads[:, [k, (k + 1) % 4, (k - 1) % 4]] for k in range(4)]
    return signed_areas(uv, np.concatenate(turns))


def assert_no_folds(quads: np.ndarray, uv: np.ndarray) -> None:
    areas = signed_areas(uv, triangles(quads))
    assert (areas > 0).all() or (areas < 0).all()


def on_circle(count: int) -> np.ndarray:
    angle = 2 * np.pi * np.arange(count) / count
    return 0.5 + 0.5 * np.c_[np.cos(angle), np.sin(angle)]


@pytest.mark.parametrize("iterations", [0, 12])
def test_embedding_of_a_crumpled_sheet_has_no_folds(iterations):
    quads, points = grid(9, 7)
    points[:, 2] = np.sin(points[:, 0]) + np.cos(2 * points[:, 1])
    outline = boundary_loops(quads)[0]
    density = 1 + points[:, 0] / 9
    uv = embed(quads, points, outline, on_circle(len(outline)), density, iterations)
    assert_no_folds(quads, uv)
    assert np.linalg.norm(uv - 0.5, axis=1).max() <= 0.5 + 1e-9
    np.testing.assert_allclose(uv[outline], on_circle(len(outline)), atol=1e-12)


def test_embedding_gives_texels_where_density_wants_them():
    quads, points = grid(12, 12)
    outline = boundary_loops(quads)[0]
    wanted = np.where(np.linalg.norm(points[:, :2] - 6, axis=1) < 3.1, 3.0, 1.0)
    square = points[outline, :2] / 12
    even = embed(quads, points, outline, square, np.ones(len(points)), 0)
    dense = embed(quads, points, outline, square, wanted, 24)

    def middle_share(uv: np.ndarray) -> float:
        areas = np.abs(corner_areas(quads, uv)).reshape(4, -1).sum(axis=0)
        inside = (wanted[quads] > 1).all(axis=1)
        return float(areas[inside].sum() / areas.sum())

    assert middle_share(dense) > 1.8 * middle_share(even)
    assert_no_folds(quads, dense)


def test_holes_keep_a_size():
    quads, points = grid(10, 10)
    middle = np.linalg.norm(points[quads].mean(axis=1)[:, :2] - 5, axis=1) > 2
    quads = quads[middle]
    loops = boundary_loops(quads)
    assert len(loops) == 2
    used, local = np.unique(quads, return_inverse=True)
    local = local.reshape(quads.shape)
    outline, hole = boundary_loops(local)
    uv = embed(local, points[used], outline, on_circle(len(outline)), np.ones(len(used)), 8)
    assert_no_folds(local, uv)
    assert np.ptp(uv[hole], axis=0).min() > 0.1


def test_boundary_loops_are_sorted_by_length_and_closed():
    quads, _ = grid(4, 3)
    (loop,) = boundary_loops(quads)
    assert len(loop) == len(set(loop.tolist())) == 14
    assert boundary_loops(CUBE_QUADS) == []


def test_disk_island_fills_the_circle_of_its_rectangle():
    quads, points = grid(6, 6)
    island = disk_island(quads + 100, np.concatenate([np.zeros((100, 3)), points]), "mouth")
    u0, v0, u1, v1 = RECTANGLES["mouth"]
    assert island.quads.min() >= 100
    assert (island.uv >= [u0 - 1e-9, v0 - 1e-9]).all()
    assert (island.uv <= [u1 + 1e-9, v1 + 1e-9]).all()
    assert np.ptp(island.uv, axis=0).min() > 0.95 * (u1 - u0)
    assert_no_folds(island.corners, island.uv)


@pytest.mark.parametrize("turned", [False, True])
def test_strip_island_lays_the_root_along_its_lower_edge(turned):
    quads, points = grid(8, 2)
    near = np.array([4.0, -5.0, 0.0])
    if turned:
        points, near = points * [-1, -1, 1], near * [-1, -1, 1]
    island = strip_island(quads, points, near, "lashes_upper_left")
    u0, v0, u1, v1 = RECTANGLES["lashes_upper_left"]
    np.testing.assert_allclose(island.uv.min(axis=0), [u0, v0], atol=1e-9)
    np.testing.assert_allclose(island.uv.max(axis=0), [u1, v1], atol=1e-9)
    distance = np.linalg.norm(points - near, axis=1)
    root = np.zeros(len(points), bool)
    root[np.argsort(distance)[:3]] = True
    vertex_v = np.zeros(len(points))
    vertex_v[island.quads.ravel()] = island.uv[island.corners.ravel(), 1]
    assert np.allclose(vertex_v[root], v1)
    assert_no_folds(island.corners, island.uv)


def test_affine_island_keeps_the_shape_of_its_uv():
    quads, points = grid(3, 2)
    old = points[:, :2] / [3, 2] * 0.2 + 0.4
    island = affine_island(quads, quads, old, "tongue")
    rectangle = RECTANGLES["tongue"]
    np.testing.assert_allclose(island.uv.min(axis=0), rectangle[:2], atol=1e-12)
    np.testing.assert_allclose(island.uv.max(axis=0), rectangle[2:], atol=1e-12)
    assert island.uv[0, 1] == pytest.approx(rectangle[3])


def test_skin_island_opens_a_tube_along_its_seam():
    """A tube with a cap stands for neck and head; its back seam runs from the rim to the top."""
    around, levels = 12, 6
    # One column of vertices on the mid-line behind and in front.
    angle = 2 * np.pi * np.arange(around) / around
    rings = [np.c_[np.sin(angle), np.full(around, 0.4 * k), -np.cos(angle)] for k in range(levels)]
    points = np.concatenate([*rings, 0.4 * rings[-1] + [0, 1.4, 0]])
    ring = np.arange(around)
    follow = (ring + 1) % around
    quads = np.concatenate(
        [
            np.stack([k * around + ring, k * around + follow, (k + 1) * around + follow,
                      (k + 1) * around + ring], axis=1)
            for k in range(levels)
        ]
    )  # fmt: skip
    cap = len(points)
    points = np.concatenate([points, [[0, 2.6, 0]]])
    top = levels * around
    lid = [[top + i, top + (i + 1) % around, top + (i + 2) % around, cap]
           for i in range(0, around, 2)]  # fmt: skip
    quads = np.concatenate([quads, np.array(lid)])
    seam = [k * around for k in range(levels + 1)] + [cap]
    island = skin_island(quads, points, seam, np.ones(len(points)), iterations=8)
    assert_no_folds(island.corners, island.uv)
    u0, v0, u1, v1 = RECTANGLES["skin"]
    np.testing.assert_allclose(island.uv.min(axis=0), [u0, v0], atol=1e-6)
    np.testing.assert_allclose(island.uv.max(axis=0), [u1, v1], atol=1e-6)
    # The subject's left (+X) lies where x of the picture is: on the right of the atlas.
    vertex_u = np.zeros(len(points))
    vertex_u[island.quads.ravel()] = island.uv[island.corners.ravel(), 0]
    left = points[:, 0] > 0.5
    right = points[:, 0] < -0.5
    assert vertex_u[left].min() > vertex_u[right].max()


def test_rectangles_of_the_islands_do_not_touch():
    boxes = list(RECTANGLES.values())
    for i, a in enumerate(boxes):
        assert 0 < a[0] < a[2] < 1
        assert 0 < a[1] < a[3] < 1
        for b in boxes[i + 1 :]:
            assert max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3]) > 0.0035
    assert np.allclose(place(np.array([[0, 0], [1, 1]]), "tongue").ravel(), RECTANGLES["tongue"])


def test_catmull_clark_of_a_cube_is_round_and_closed():
    fine = catmull_clark(CUBE_QUADS, CUBE_QUADS, 8, 8)
    points = fine.matrix @ CUBE
    assert points.shape == (26, 3)
    assert len(fine.quads) == 24
    assert boundary_loops(fine.quads) == []
    np.testing.assert_allclose(np.asarray(fine.matrix.sum(axis=1)).ravel(), 1)
    reach = np.linalg.norm(points, axis=1)
    # Catmull and Clark: (1 corner + 3 edge + 3 face terms) put the corners at 5 / 18.
    np.testing.assert_allclose(np.abs(points[:8]), 5 / 18)
    np.testing.assert_allclose(reach[20:], 0.5)
    assert volume(points, triangles(fine.quads)) == pytest.approx(0.5, abs=0.15)
    flat = fine.uv_matrix @ CUBE[:, :2]
    np.testing.assert_allclose(flat[:8], CUBE[:, :2])


def test_subdivision_keeps_flat_sheets_and_unused_points():
    quads, points = grid(3, 3)
    n = len(points)
    points = np.concatenate([points, [[7.0, 8.0, 9.0]]])
    fine = catmull_clark(quads, quads, n + 1, n + 1)
    refined = fine.matrix @ points
    np.testing.assert_array_equal(refined[n], [7, 8, 9])
    assert np.abs(np.delete(refined, n, axis=0)[:, 2]).max() < 1e-12
    assert_no_folds(fine.quads, refined[:, :2])
    inner = 5
    np.testing.assert_allclose(refined[inner], points[inner], atol=1e-12)


def test_whitened_modes_have_unit_variance_and_reproduce_the_samples():
    random = np.random.default_rng(3)
    truth = random.standard_normal((3, 40, 3)) * np.array([2.0, 1.0, 0.3])[:, None, None]
    scores = random.standard_normal((200, 3))
    samples = 0.5 + np.tensordot(scores, truth, axes=1)
    weights = random.uniform(0.5, 3, 40)
    modes = whiten(samples, weights)
    assert len(modes.basis) == 3
    assert modes.kept > 0.999
    root = np.sqrt(weights)[:, None]
    flat = (modes.basis * root).reshape(3, -1)
    centred = ((samples - modes.mean) * root).reshape(200, -1)
    solved = np.linalg.lstsq(flat.T, centred.T, rcond=None)[0].T
    np.testing.assert_allclose(solved.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(solved.T @ solved / 200, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(
        modes.mean + np.tensordot(solved, modes.basis, axes=1), samples, atol=1e-9
    )
    gram = flat @ flat.T
    assert np.abs(gram - np.diag(np.diag(gram))).max() < 1e-9 * gram.max()
    assert (np.diff(np.diag(gram)) < 0).all()


def test_whitening_drops_what_hardly_varies():
    random = np.random.default_rng(4)
    strong, weak = random.standard_normal((2, 10, 3))
    scores = random.standard_normal((100, 2)) * [1.0, 1e-3]
    samples = scores[:, :1, None] * strong + scores[:, 1:, None] * weak
    assert len(whiten(samples, np.ones(10)).basis) == 1


def test_similarity_finds_what_was_done():
    random = np.random.default_rng(5)
    points = random.standard_normal((30, 3))
    rotation = axis_angle_matrix([0.3, -0.8, 0.2])
    moved = 1.7 * points @ rotation.T + [1, 2, 3]
    scale, found, shift = similarity(points, moved, scale=True, rotate=True)
    assert scale == pytest.approx(1.7)
    np.testing.assert_allclose(found, rotation, atol=1e-12)
    np.testing.assert_allclose(shift, [1, 2, 3], atol=1e-12)
    scale, found, _ = similarity(points, points * [-1, 1, 1], scale=False, rotate=True)
    assert scale == 1
    assert np.linalg.det(found) == pytest.approx(1)


def test_fit_sphere_finds_centre_and_radius():
    random = np.random.default_rng(6)
    direction = random.standard_normal((50, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    centre, radius = fit_sphere(np.array([1.0, -2.0, 0.5]) + 0.3 * direction)
    np.testing.assert_allclose(centre, [1, -2, 0.5], atol=1e-12)
    assert radius == pytest.approx(0.3)


def test_eyeball_is_a_closed_ball_with_a_bulge_and_an_even_map():
    eye = unit_eyeball()
    assert_oriented_manifold(eye.triangles)
    assert euler_number(eye.triangles) == 2
    assert 0.9 * 4 / 3 * np.pi < volume(eye.points, eye.triangles) < 4 / 3 * np.pi
    reach = np.linalg.norm(eye.points, axis=1)
    assert reach.min() == pytest.approx(1)
    assert np.argmax(eye.points[:, 2]) == np.argmax(reach) == 0
    areas = signed_areas(eye.uv, eye.corners)
    assert (areas < 0).all() or (areas > 0).all()
    assert eye.uv.min() >= 0
    assert eye.uv.max() <= 1
    radii = [eyeball_uv_radius(angle) for angle in np.radians(np.linspace(0, 130, 50))]
    assert radii[0] == 0
    assert (np.diff(radii) > 0).all()
    assert radii[-1] < 0.5


@pytest.mark.parametrize("upper", [True, False])
def test_teeth_are_one_sheet_with_fourteen_crowns(upper):
    angle = np.linspace(-np.pi / 2, np.pi / 2, 15)
    edge = np.c_[0.3 * np.sin(angle), np.full(15, 6.6), 0.5 + 0.5 * np.cos(angle)]
    arch = dental_arch(upper, edge)
    assert_oriented_manifold(arch.triangles)
    assert component_count(arch.triangles) == 1
    assert len(triangle_loops(arch.triangles)) == 1
    columns = arch.points.reshape(-1, 7, 3)
    # Decimetres: a tenth of a millimetre at the middle, where the curve's slope is one-sided.
    np.testing.assert_allclose(columns[::-1] * [-1, 1, 1], columns, atol=1e-3)
    enamel, gaps = enamel_and_gaps(upper)
    assert len(enamel) == len(gaps) == len(arch.points)
    middle = (np.abs(arch.points[:, 0]) < 1e-9) & (enamel == 1)
    assert (gaps[middle] == 1).all()
    rows = gaps.reshape(-1, 7)[:, 0]
    assert rows.sum() == 15
    crown = arch.points[enamel == 1, 1]
    gum = arch.points[enamel == 0, 1]
    assert (crown.mean() < gum.mean()) == upper
    areas = signed_areas(arch.uv, arch.corners)
    assert (areas < 0).all() or (areas > 0).all()


def test_mirror_map_refuses_what_is_not_symmetric():
    points = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0]])
    assert mirror_map(points).tolist() == [1, 0, 2]
    with pytest.raises(ValueError, match="not symmetric"):
        mirror_map(points + np.diag([0.01, 0, 0]))


def test_islands_are_told_apart():
    quads, _ = grid(2, 2)
    label = islands(np.concatenate([quads, quads + 9]))
    assert len(set(label[:4])) == len(set(label[4:])) == 1
    assert label[0] != label[4]


def test_points_are_embedded_on_the_nearest_face():
    quads, points = grid(4, 4)
    faces = triangles(quads)
    random = np.random.default_rng(8)
    wanted = np.c_[random.uniform(0, 4, (20, 2)), np.zeros(20)]
    numbers, weights = embed_points(wanted + np.array([0, 0, 0.1]), points, faces)
    found = np.einsum("nk,nkd->nd", weights, points[faces[numbers]])
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    outside, weights = embed_points(np.array([[-3.0, 2.0, 0.0]]), points, faces)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert points[faces[outside[0]], 0].min() == 0


def test_landmarks_are_made_symmetric():
    left = np.array([[0.03, 0.01, 0.1], [0.02, -0.03, 0.09]])
    noisy = np.concatenate([left, left * [-1, 1, 1] + [0.0005, 0.001, 0], [[0.0004, 0, 0.12]]])
    found = symmetric(noisy)
    np.testing.assert_allclose(found[:2] * [-1, 1, 1], found[2:4], atol=1e-12)
    assert found[4, 0] == pytest.approx(0)
    np.testing.assert_allclose(found, noisy, atol=1e-3)
