from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifemask.geometry import NEAR, Camera, Pose, axis_angle_matrix, rasterize, visible_vertices
from synthetic import make_head

SUBPIXELS = 256


def reference(pixels, depth, faces, width, height):
    """Test every pixel centre against every face in exact integers; return face and weights."""
    face = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 3))
    nearest = np.full((height, width), np.inf)
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    x, y = (x * SUBPIXELS).astype(np.int64), (y * SUBPIXELS).astype(np.int64)
    fixed = np.floor(pixels * SUBPIXELS + 0.5).astype(np.int64)
    for index, corners in enumerate(faces):
        p = fixed[corners]
        area = np.linalg.det(np.append(p, np.ones((3, 1)), axis=1))
        order = [0, 1, 2] if area > 0 else [0, 2, 1]
        p = p[order]
        values, inside = [], np.full(face.shape, abs(area) > 0.5)
        for k in range(3):
            (ax, ay), (bx, by) = p[(k + 1) % 3], p[(k + 2) % 3]
            e = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
            owned = by < ay or (by == ay and bx > ax)
            inside &= (e >= 0) if owned else (e > 0)
            values.append(e / depth[corners[order[k]]])
        total = np.sum(values, axis=0)
        z = np.where(inside, abs(area) / np.where(total == 0, 1, total), np.inf)
        hit = inside & (z < nearest * (1 - 1e-6))
        nearest[hit], face[hit] = z[hit], index
        for k in range(3):
            weights[hit, order[k]] = values[k][hit] / total[hit]
    return face, weights, nearest


@st.composite
def scenes(draw):
    count = draw(st.integers(3, 12))
    coordinate = st.integers(-8 * SUBPIXELS, 32 * SUBPIXELS).map(lambda v: v / SUBPIXELS)
    pixels = draw(st.lists(st.tuples(coordinate, coordinate), min_size=count, max_size=count))
    # Depths that differ by whole steps keep ties out of the comparison.
    depth = draw(st.lists(st.sampled_from(np.linspace(0.3, 3, 40)), min_size=count, max_size=count))
    corner = st.integers(0, count - 1)
    faces = draw(st.lists(st.tuples(corner, corner, corner), min_size=1, max_size=8))
    return np.array(pixels), np.array(depth), np.array(faces, np.int32)


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_agrees_with_exhaustive_reference(scene):
    pixels, depth, faces = scene
    raster = rasterize(pixels, depth, faces, 24, 20)
    face, weights, nearest = reference(pixels, depth, faces, 24, 20)
    close = np.isclose(raster.depth, nearest, rtol=1e-5)
    assert close.all()
    same = raster.face == face
    # Where two faces meet in depth either may win; everywhere else the face is the same.
    assert np.all(same | close)
    assert np.mean(same) > 0.9
    np.testing.assert_allclose(raster.barycentric[same], weights[same], atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 7))
def test_triangulated_square_covers_each_pixel_once(seed, cells):
    rng = np.random.default_rng(seed)
    size = 32
    grid = np.linspace(0, size, cells + 1)
    x, y = np.meshgrid(grid, grid)
    inner = (x > 0) & (x < size) & (y > 0) & (y < size)
    # Small enough that no face turns over, which would cover pixels twice rightly.
    jitter = rng.uniform(-0.24, 0.24, (2, *x.shape)) * (size / cells) * inner
    pixels = np.stack([x + jitter[0], y + jitter[1]], -1).reshape(-1, 2)
    faces = []
    for r in range(cells):
        for c in range(cells):
            a = r * (cells + 1) + c
            b, d = a + 1, a + cells + 1
            e = d + 1
            split = [[a, d, e], [a, e, b]] if rng.random() < 0.5 else [[a, d, b], [b, d, e]]
            faces += [f if rng.random() < 0.5 else f[::-1] for f in split]
    count = np.zeros((size, size), int)
    for face in np.array(faces, np.int32):
        count += rasterize(pixels, np.ones(len(pixels)), face[None], size, size).face >= 0
    assert np.array_equal(count, np.ones_like(count))


def test_shared_edge_through_pixel_centres_is_drawn_once():
    pixels = np.array([[0.5, 0.5], [8.5, 0.5], [8.5, 8.5], [0.5, 8.5]])
    depth = np.ones(4)
    count = np.zeros((10, 10), int)
    for face in ([0, 3, 2], [0, 2, 1]):
        count += rasterize(pixels, depth, np.array([face], np.int32), 10, 10).face >= 0
    expected = np.zeros((10, 10), int)
    expected[:8, :8] = 1
    assert np.array_equal(count, expected)


def test_weights_are_perspective_correct():
    camera = Camera(64, 64, 60.0)
    corners = np.array([[-0.5, -0.5, -1.0], [0.6, -0.4, -3.0], [0.0, 0.5, -1.5]])
    raster = rasterize(
        camera.project(corners), -corners[:, 2], np.array([[0, 1, 2]], np.int32), 64, 64
    )
    covered = raster.face >= 0
    assert covered.sum() > 200
    points = raster.interpolate(np.array([[0, 1, 2]], np.int32), corners)[covered]
    row, column = np.nonzero(covered)
    pixel = camera.project(points.astype(np.float64))
    # Corners are snapped to 1/256 pixel, so a point may be that far off its pixel centre.
    np.testing.assert_allclose(pixel, np.stack([column, row], -1) + 0.5, atol=0.01)
    np.testing.assert_allclose(raster.depth[covered], -points[:, 2], rtol=1e-5)


def test_nearest_face_wins_whatever_the_order():
    pixels = np.array([[0, 0], [16, 0], [0, 16], [16, 16], [16, 0], [0, 16]], float)
    depth = np.array([2.0, 2.0, 2.0, 1.0, 1.0, 1.0])
    faces = np.array([[0, 2, 1], [3, 4, 5]], np.int32)
    both = rasterize(np.concatenate([pixels[:3], pixels[:3]]), depth, faces, 16, 16)
    assert set(np.unique(both.face)) == {-1, 1}
    swapped = rasterize(np.concatenate([pixels[:3], pixels[:3]]), depth, faces[::-1], 16, 16)
    assert set(np.unique(swapped.face)) == {-1, 0}


def test_culling_keeps_only_faces_toward_the_camera():
    camera, pose = Camera(32, 32, 40.0), Pose(np.eye(3), np.array([0.0, 0.0, -2.0]))
    corners = pose.apply(np.array([[-0.5, -0.5, 0.0], [0.5, -0.5, 0.0], [0.0, 0.5, 0.0]]))
    arguments = camera.project(corners), -corners[:, 2]
    toward, away = np.array([[0, 1, 2]], np.int32), np.array([[0, 2, 1]], np.int32)
    assert (rasterize(*arguments, toward, 32, 32, cull_back=True).face >= 0).any()
    assert not (rasterize(*arguments, away, 32, 32, cull_back=True).face >= 0).any()
    both = [rasterize(*arguments, f, 32, 32).face for f in (toward, away)]
    assert np.array_equal(*both)


@pytest.mark.parametrize(
    "bad",
    [
        [np.nan, 4.0, 1.0],
        [4.0, np.inf, 1.0],
        [-1e300, 4.0, 1.0],
        [4.0, 4.0, np.nan],
        [4.0, 4.0, -1.0],
        [4.0, 4.0, 0.0],
        [4.0, 4.0, np.inf],
        [4.0, 4.0, NEAR / 2],
    ],
)
def test_hostile_corner_drops_only_its_own_face(bad):
    pixels = np.array([[0, 0], [8, 0], [0, 8], [8, 8], bad[:2]], float)
    depth = np.array([1, 1, 1, 1, bad[2]], float)
    faces = np.array([[0, 1, 2], [1, 3, 4]], np.int32)
    raster = rasterize(pixels, depth, faces, 8, 8)
    assert set(np.unique(raster.face)) == {-1, 0}
    assert np.isfinite(raster.barycentric).all()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(allow_nan=True, allow_infinity=True, width=64)] * 3),
        min_size=3,
        max_size=9,
    )
)
def test_any_float_is_safe(points):
    array = np.array(points)
    faces = np.array([[i, i + 1, i + 2] for i in range(len(points) - 2)], np.int32)
    raster = rasterize(array[:, :2], array[:, 2], faces, 16, 16)
    covered = raster.face >= 0
    np.testing.assert_allclose(raster.barycentric[covered].sum(-1), 1, atol=1e-5)
    assert np.isinf(raster.depth[~covered]).all()


def test_faces_without_area_are_skipped():
    pixels = np.array([[1, 1], [7, 7], [4, 4], [1, 1]], float)
    faces = np.array([[0, 1, 2], [0, 3, 1], [0, 0, 0]], np.int32)
    assert np.all(rasterize(pixels, np.ones(4), faces, 8, 8).face == -1)


def test_large_face_covers_the_whole_picture():
    pixels = np.array([[-1e5, -1e5], [3e5, -1e5], [-1e5, 3e5]])
    raster = rasterize(pixels, np.ones(3), np.array([[0, 1, 2]], np.int32), 33, 17)
    assert np.all(raster.face == 0)


def test_same_input_same_bytes():
    head = make_head()
    camera, pose = Camera(128, 128, 300.0), Pose(np.eye(3), np.array([0.0, -0.02, -0.7]))
    points = pose.apply(head.neutral)
    runs = [
        rasterize(camera.project(points), -points[:, 2], head.topology.faces, 128, 128)
        for _ in range(2)
    ]
    assert runs[0].face.tobytes() == runs[1].face.tobytes()
    assert runs[0].barycentric.tobytes() == runs[1].barycentric.tobytes()


def test_front_of_head_is_visible_and_back_is_not():
    head = make_head()
    camera = Camera(256, 256, 700.0)
    pose = Pose(axis_angle_matrix([0.0, 0.3, 0.0]), np.array([0.0, -0.02, -0.8]))
    points = pose.apply(head.neutral)
    pixels, depth = camera.project(points), -points[:, 2]
    raster = rasterize(pixels, depth, head.topology.faces, 256, 256)
    seen = visible_vertices(raster, pixels, depth)
    scalp = head.topology.masks["scalp"] > 0.9
    assert seen[scalp & (head.neutral[:, 2] > 0.08)].all()
    assert not seen[scalp & (head.neutral[:, 2] < -0.05)].any()
    outside = visible_vertices(raster, pixels + 1000, depth)
    assert not outside.any()


@pytest.mark.parametrize(
    ("pixels", "depth", "faces"),
    [
        (np.zeros((3, 3)), np.ones(3), np.zeros((1, 3), int)),
        (np.zeros((3, 2)), np.ones(2), np.zeros((1, 3), int)),
        (np.zeros((3, 2)), np.ones(3), np.zeros((1, 4), int)),
        (np.zeros((3, 2)), np.ones(3), np.array([[0, 1, 3]])),
        (np.zeros((3, 2)), np.ones(3), np.array([[0, 1, -1]])),
    ],
)
def test_wrong_shapes_are_refused(pixels, depth, faces):
    with pytest.raises(ValueError, match=r"expected|outside"):
        rasterize(pixels, depth, faces, 4, 4)
