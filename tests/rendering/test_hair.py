"""Hair in the renderer: covers, is cut out, hides behind the head, and can be left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hair_caps import small_cap
from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.rendering import Renderer, frame_head, preview, turntable
from synthetic import make_head, make_textures

CAMERA, POSE = Camera(96, 96, 200.0), Pose(np.eye(3), np.array([0.0, -0.1, -0.7]))


def textures(coverage=255, size=8):
    hair = np.full((size, size, 4), (255, 0, 255, 255), np.uint8)
    hair[..., 3] = coverage
    return make_textures() | {"hair": hair}


def draw(coverage=255, hair=True, pose=POSE, **options):
    cap = small_cap() if hair else None
    renderer = Renderer(make_head(), textures(coverage), hair=cap, **options)
    return renderer.render(pose=pose, camera=CAMERA, light=None, background=(0, 255, 0))


def purple(picture):
    red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
    return (red > 200) & (green < 60) & (blue > 200)


def test_hair_is_drawn_over_the_head():
    shown = purple(draw())
    assert 300 < shown.sum() < 500
    assert not purple(draw(hair=False)).any()


def test_without_a_texture_there_is_no_hair():
    head, cap = make_head(), small_cap()
    bare = Renderer(head, make_textures()).render(pose=POSE, camera=CAMERA)
    capped = Renderer(head, make_textures(), hair=cap).render(pose=POSE, camera=CAMERA)
    np.testing.assert_array_equal(bare, capped)


def test_the_head_itself_stays_as_it_was():
    with_hair, without = draw(), draw(hair=False)
    changed = (with_hair != without).any(axis=-1)
    assert changed.sum() < 1.3 * purple(with_hair).sum()


def raised():
    """Return the square of hair above the head, with nothing behind it."""
    cap = small_cap()
    return replace(cap, vertices=cap.vertices + np.float32([0, 0.1, -0.12]))


@pytest.mark.parametrize("samples", [1, 2, 3, 5])
def test_coverage_is_a_share_of_the_samples(samples):
    head, pose = make_head(), Pose(np.eye(3), np.array([0.0, -0.2, -0.7]))
    shares = []
    for coverage in (64, 128, 192):
        renderer = Renderer(head, textures(coverage), hair=raised(), supersampling=samples)
        alpha = renderer.render(pose=pose, camera=CAMERA, alpha=True)[..., 3]
        middle = CAMERA.project(pose.apply(raised().vertices)).mean(axis=0).astype(int)
        inner = alpha[middle[1] - 4 : middle[1] + 4, middle[0] - 4 : middle[0] + 4]
        shares.append(inner.mean() / 255)
    assert shares == sorted(shares)
    if samples > 1:
        np.testing.assert_allclose(shares, [0.25, 0.5, 0.75], atol=0.13)


def test_hair_with_no_coverage_is_not_there():
    np.testing.assert_array_equal(draw(coverage=0), draw(hair=False))


def test_both_sides_show_and_the_head_hides_what_is_behind():
    turned = Pose(axis_angle_matrix([0.0, np.pi, 0.0]), POSE.translation)
    assert not purple(draw(pose=turned)).any()
    above = Pose(turned.rotation, np.array([0.0, -0.2, -0.7]))
    renderer = Renderer(make_head(), textures(), hair=raised())
    assert purple(renderer.render(pose=above, camera=CAMERA, light=None)).sum() > 200
    side = Pose(axis_angle_matrix([0.0, 0.6, 0.0]), POSE.translation)
    assert purple(draw(pose=side)).any()


def test_a_cap_that_names_missing_vertices_is_refused():
    cap = small_cap()
    broken = replace(cap, faces=cap.faces + 10)
    with pytest.raises(ValueError, match="outside"):
        Renderer(make_head(), textures(), hair=broken)


def test_heads_are_framed_with_their_hair():
    head, cap = make_head(), small_cap()
    plain, _ = frame_head(head, 100, 100)
    wide, pose = frame_head(head, 100, 100, hair=cap)
    pixels = wide.project(pose.apply(cap.vertices))
    assert wide.focal <= plain.focal and pixels.min() > 0


def test_sheets_show_hair():
    head, cap = make_head(), small_cap()
    views = turntable(head, textures(), hair=cap, yaws=(0.0,), width=64, light=None)
    assert purple(views[0]).any()
    assert purple(preview(head, textures(), hair=cap, height=64, light=None)).any()
