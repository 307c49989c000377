"""The head atlas: no folds, no overlaps, room for the face, gutters between islands."""

from __future__ import annotations

import numpy as np
import pytest

from lifemask.geometry import rasterize
from lifemask.heads import PART_NAMES, load_head_model
from meshes import assert_oriented_manifold, component_count, signed_areas

SIZE = 2048


@pytest.fixture(scope="module")
def topology():
    return load_head_model().topology


def islands(faces_uv: np.ndarray) -> list[np.ndarray]:
    """Return the face numbers of each connected piece of the atlas."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rows, columns = faces_uv[:, [0, 0]].ravel(), faces_uv[:, 1:].ravel()
    size = (faces_uv.max() + 1,) * 2
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=size)
    label = connected_components(graph, directed=False)[1][faces_uv[:, 0]]
    return [np.flatnonzero(label == i) for i in np.unique(label)]


def covered(topology, faces: slice | np.ndarray) -> np.ndarray:
    """Return `(SIZE, SIZE)` bool: texels whose centre lies on those faces."""
    corners = topology.faces_uv[faces]
    depth = np.ones(len(topology.uv))
    return rasterize(topology.uv * SIZE, depth, corners, SIZE, SIZE).face >= 0


def test_uv_lies_inside_the_atlas(topology):
    assert topology.uv.min() > 0
    assert topology.uv.max() < 1
    assert topology.uv.dtype == np.float32


def test_uv_follows_the_faces(topology):
    assert topology.faces_uv.shape == topology.faces.shape
    corners = np.stack([topology.faces_uv.ravel(), topology.faces.ravel()], axis=1)
    pairs = np.unique(corners, axis=0)
    # A uv point belongs to one vertex; a vertex on a seam has several uv points.
    assert len(pairs) == len(topology.uv)
    assert np.bincount(pairs[:, 1]).max() <= 24


def test_every_part_has_islands_of_its_own(topology):
    number = {}
    for name in PART_NAMES:
        corners = topology.faces_uv[topology.parts[name].faces]
        number[name] = component_count(corners)
        assert_oriented_manifold(corners)
    assert number["lashes"] == 4
    assert number["skin"] == 3
    others = {name: n for name, n in number.items() if name not in ("lashes", "skin")}
    assert set(others.values()) == {1}, others
    assert len(islands(topology.faces_uv)) == sum(number.values())


def test_no_island_folds(topology):
    areas = signed_areas(topology.uv, topology.faces_uv)
    for faces in islands(topology.faces_uv):
        assert (np.sign(areas[faces]) == np.sign(areas[faces[0]])).all()
    assert np.abs(areas).min() * SIZE**2 > 1


def test_no_texel_is_covered_twice(topology):
    """Where faces overlap, the first one drawn stays: drawing backwards would change the winner."""
    faces = topology.faces_uv
    depth = np.ones(len(topology.uv))
    first = rasterize(topology.uv * SIZE, depth, faces, SIZE, SIZE).face
    last = rasterize(topology.uv * SIZE, depth, faces[::-1], SIZE, SIZE).face
    last = np.where(last >= 0, len(faces) - 1 - last, -1)
    assert np.array_equal(first, last)
    area = np.abs(signed_areas(topology.uv, faces)).sum() * SIZE**2
    assert (first >= 0).sum() == pytest.approx(area, rel=1e-3)


def test_islands_keep_a_gutter_between_them(topology):
    """Four texels at 2048 leave one at 512, where mip levels are still sharp."""
    import cv2

    label = np.zeros((SIZE, SIZE), np.uint8)
    for number, faces in enumerate(islands(topology.faces_uv), start=1):
        grown = cv2.dilate(covered(topology, faces).astype(np.uint8), np.ones((5, 5)))
        assert not (label[grown > 0] > 0).any(), number
        label[grown > 0] = number


def test_the_face_takes_half_of_the_texels(topology):
    depth = np.ones(len(topology.uv))
    raster = rasterize(topology.uv * SIZE, depth, topology.faces_uv, SIZE, SIZE)
    share = raster.interpolate(topology.faces, topology.masks["face"][:, None])[..., 0]
    assert (share > 0.5).mean() >= 0.5
    assert (raster.face >= 0).mean() > 0.9


def test_texels_are_spread_evenly_over_the_face(topology):
    """No streaks: neighbouring faces of the face have about the same texel density."""
    model = load_head_model()
    inside = topology.masks["face"][topology.faces].min(axis=1) > 0.99
    a, b, c = model.neutral[topology.faces[inside]].astype(float).transpose(1, 0, 2)
    solid = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    flat = np.abs(signed_areas(topology.uv, topology.faces_uv[inside]))
    density = np.sqrt(flat / solid)
    density /= np.median(density)
    assert np.quantile(density, 0.02) > 0.4
    assert np.quantile(density, 0.98) < 2.5


def test_atlas_is_nearly_symmetric(topology):
    """What lies at u on one side lies near 1 - u on the other: mirrored fill needs it."""
    skin = topology.parts["skin"].faces
    place = np.zeros((len(topology.mirror), 2))
    place[topology.faces[skin].ravel()] = topology.uv[topology.faces_uv[skin].ravel()]
    front = np.unique(topology.faces[skin])
    front = front[topology.masks["face"][front] > 0.5]
    image = place[topology.mirror[front]] * [-1, 1] + [1, 0]
    assert np.abs(image - place[front]).max() < 0.01
