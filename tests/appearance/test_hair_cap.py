"""Hair found in pictures of known hair, and the cap that is fitted to it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hair_caps import BACKDROP, stage
from lifemask.appearance import FittedHair, fit_hair_cap
from lifemask.appearance._hair_grid import AROUND, DOME, ROWS
from lifemask.appearance._hair_matte import hair_matte
from lifemask.geometry import vertex_normals
from lifemask.rendering import Renderer

HEIGHT = 0.022


@pytest.fixture(scope="module")
def short():
    return stage(height=HEIGHT)


@pytest.fixture(scope="module")
def fitted(short):
    return fit_hair_cap(short.head, [short.image], [short.fit], [short.person], size=256)


@pytest.fixture(scope="module")
def long():
    return stage(height=HEIGHT, long=True)


@pytest.fixture(scope="module")
def fitted_long(long):
    return fit_hair_cap(long.head, [long.image], [long.fit], [long.person], size=256)


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("which", ["short", "long"])
def test_matte_is_the_drawn_hair(which, request):
    person = request.getfixturevalue(which)
    matte = hair_matte(person.image, person.fit, person.head, person.person)
    assert matte is not None
    assert overlap(matte.hair > 0.5, person.hair) > 0.93


def test_grid_measures_the_skull(short):
    """The rays end on the skin: each end has a vertex of the head nearby."""
    grid, head = short.grid, short.head
    skin = np.unique(head.topology.faces[head.topology.parts["skin"].faces])
    ends = grid.points(np.zeros((ROWS, AROUND)) + grid.skull)[1:].reshape(ROWS, AROUND, 3)
    behind = np.abs(grid.azimuth) > 2.0
    away, _ = cKDTree(head.neutral[skin]).query(ends[2:30, behind].reshape(-1, 3))
    assert np.quantile(away, 0.95) < 0.015


@pytest.mark.parametrize("which", ["fitted", "fitted_long"])
def test_cap_lies_outside_of_the_skin(which, short, request):
    cap, head = request.getfixturevalue(which).cap, short.head
    ears = head.topology.masks["ears"] > 0.05
    skin = np.unique(head.topology.faces[head.topology.parts["skin"].faces])
    skin = skin[~ears[skin]]
    normals = vertex_normals(head.neutral, head.topology.faces)
    away, nearest = cKDTree(head.neutral[skin]).query(cap.vertices)
    towards = cap.vertices - head.neutral[skin[nearest]]
    above = (towards * normals[skin[nearest]]).sum(axis=1)
    # Beside the removed ears, the nearest vertex may look elsewhere.
    assert (above > -0.001).mean() > 0.995
    assert np.median(away) > 0.01


def test_outline_is_that_of_the_picture(short, fitted):
    textures = {"hair": fitted.texture}
    renderer = Renderer(short.head, textures, hair=fitted.cap, neck_fade=0)
    drawn = renderer.render(pose=short.fit.pose, camera=short.fit.camera, alpha=True)[..., 3] > 127
    middle = short.fit.camera.project(short.fit.pose.apply(np.array([[0.0, 0.06, 0.0]])))[0]
    errors = []
    for angle in np.radians(np.arange(-180, 1, 4)):
        line = middle + np.arange(200)[:, None] * [np.cos(angle), np.sin(angle)]
        column, row = line.astype(int).T
        ends = [np.flatnonzero(m[row, column]).max() for m in (drawn, short.person > 0.5)]
        errors.append(abs(ends[0] - ends[1]))
    assert np.median(errors) <= 1 and np.quantile(errors, 0.9) <= 4


def test_sides_stand_off_as_far_as_drawn(short, fitted):
    """At the outline above the ears; the front and the back are not seen from the front."""

    def widest(cap):
        used = cap.vertices[np.unique(cap.faces)]
        return np.abs(used[(used[:, 1] > 0.07) & (used[:, 1] < 0.1), 0]).max()

    assert abs(widest(fitted.cap) - widest(short.cap)) < 0.003


def test_seen_from_where_it_was_seen_it_is_the_same_hair(short, fitted):
    marked = {"hair": fitted.texture.copy()}
    marked["hair"][..., :3] = 255, 0, 255
    renderer = Renderer(short.head, marked, hair=fitted.cap, supersampling=2, neck_fade=0)
    look = {"pose": short.fit.pose, "camera": short.fit.camera, "light": None}
    drawn = renderer.render(background=(0, 255, 0), **look).astype(int)
    assert overlap((drawn[..., 0] > 190) & (drawn[..., 1] < 70), short.hair) > 0.87


def test_bald_heads_get_no_cap():
    bald = stage(height=None)
    assert fit_hair_cap(bald.head, [bald.image], [bald.fit], [bald.person]) is None


def test_backdrop_is_not_in_the_hair(fitted, fitted_long):
    for hair in (fitted, fitted_long):
        rgb = hair.texture[..., :3][hair.texture[..., 3] > 60].astype(int)
        assert BACKDROP[1] > 150
        assert (rgb[:, 1] > rgb[:, 0] + 12).mean() < 0.001


def test_short_hair_ends_above_the_collar(short, fitted):
    assert not fitted.long
    assert fitted.cap.vertices[:, 1].min() > short.head.neutral[:, 1].min() + 0.02


def test_long_hair_hangs_down_and_closes_at_the_back(long, fitted_long):
    assert fitted_long.long
    low = float(long.head.neutral[long.head.topology.neck_loop, 1].mean())
    assert fitted_long.cap.vertices[:, 1].min() < low + 0.03
    behind = fitted_long.cap.vertices[fitted_long.cap.vertices[:, 2] < -0.03]
    for height in np.arange(low + 0.04, 0.1, 0.02):
        level = behind[np.abs(behind[:, 1] - height) < 0.012]
        around = np.sort(np.degrees(np.arctan2(level[:, 0], -level[:, 2])))
        assert np.diff(around).max() < 12


def test_size_and_ranges(fitted, fitted_long):
    for hair in (fitted, fitted_long):
        count = len(hair.cap.vertices)
        assert 1500 <= count <= 4000
        assert hair.cap.faces.min() == 0 and hair.cap.faces.max() == count - 1
        assert hair.cap.uv.min() >= 0 and hair.cap.uv.max() <= 1
        np.testing.assert_allclose(np.linalg.norm(hair.cap.normals, axis=1), 1, atol=1e-4)
        assert hair.texture.shape == (256, 256, 4)


def test_coverage_has_a_soft_edge(fitted):
    coverage = fitted.texture[..., 3]
    assert ((coverage > 20) & (coverage < 235)).mean() > 0.01


def test_same_pictures_same_hair(short, fitted):
    again = fit_hair_cap(short.head, [short.image], [short.fit], [short.person], size=256)
    np.testing.assert_array_equal(again.cap.vertices, fitted.cap.vertices)
    np.testing.assert_array_equal(again.texture, fitted.texture)


def test_two_views_agree_with_one(short, fitted):
    turned = stage(height=HEIGHT, yaw=0.5)
    both = fit_hair_cap(
        short.head,
        [short.image, turned.image],
        [short.fit, turned.fit],
        [short.person, turned.person],
        size=256,
    )
    assert abs(np.ptp(both.cap.vertices[:, 0]) - np.ptp(fitted.cap.vertices[:, 0])) < 0.006


def test_kept_as_arrays_and_back(fitted):
    again = FittedHair.from_arrays(fitted.to_arrays())
    assert again.long == fitted.long
    np.testing.assert_array_equal(again.cap.faces, fitted.cap.faces)
    np.testing.assert_array_equal(again.texture, fitted.texture)


def test_scaled(fitted):
    np.testing.assert_allclose(fitted.cap.scaled(1.1).vertices, 1.1 * fitted.cap.vertices, 1e-6)


def test_pictures_and_fits_have_to_match(short):
    with pytest.raises(ValueError, match="1 images and 0 fits"):
        fit_hair_cap(short.head, [short.image], [])


def test_rows_of_the_dome_come_first(short):
    assert short.grid.directions[DOME - 1, :, 1] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(short.grid.directions[DOME:, :, 1], 0, atol=1e-9)
