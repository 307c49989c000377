"""What textures are made of: pyramids, texels, light, noise."""

from __future__ import annotations

import numpy as np
import pytest

from lifemask.appearance._atlas import Texels, mirrored_corners, sample_bilinear
from lifemask.appearance._eyes import paint_lashes
from lifemask.appearance._lighting import Light, fit_light, harmonics
from lifemask.appearance._noise import periodic_noise
from lifemask.appearance._pyramid import blur, grow, push_pull, shrink
from lifemask.geometry import linear_to_srgb, srgb_to_linear
from lifemask.heads import PART_NAMES
from staged import mean_head

RNG = np.random.default_rng(11)


@pytest.fixture(scope="module")
def topology():
    return mean_head().topology


@pytest.fixture(scope="module")
def skin(topology):
    return Texels.of(topology, 256, ("skin",))


def holes(height: int, width: int, share: float) -> np.ndarray:
    return (RNG.random((height, width)) < share).astype(np.float32)


@pytest.mark.parametrize("size", [(64, 64), (37, 90), (1, 5)])
@pytest.mark.parametrize("share", [0.02, 0.5, 1.0])
def test_push_pull_keeps_a_constant(size, share):
    weights = holes(*size, share)
    weights[0, 0] = 1
    values = np.full((*size, 3), 0.37, np.float32)
    np.testing.assert_allclose(push_pull(values, weights), values, atol=1e-5)


def test_push_pull_is_exact_where_it_is_sure_and_blind_where_it_is_not():
    values = RNG.random((48, 64, 2)).astype(np.float32)
    weights = holes(48, 64, 0.3)
    filled = push_pull(values, weights)
    assert np.array_equal(filled[weights == 1], values[weights == 1])
    lies = np.where(weights[..., None] > 0, values, 1e3)
    np.testing.assert_allclose(push_pull(lies, weights), filled, atol=1e-6)


def test_push_pull_invents_no_extremes():
    values = RNG.random((64, 64, 3)).astype(np.float32)
    weights = holes(64, 64, 0.05) * RNG.random((64, 64)).astype(np.float32)
    filled = push_pull(values, weights)
    known = values[weights > 0]
    assert filled.min() >= known.min() - 1e-5
    assert filled.max() <= known.max() + 1e-5


def test_push_pull_takes_what_is_near():
    values = np.zeros((64, 64, 1), np.float32)
    values[:, 32:] = 1
    weights = np.zeros((64, 64), np.float32)
    weights[:, :8] = weights[:, -8:] = 1
    filled = push_pull(values, weights)[..., 0]
    assert filled[:, :16].max() < 0.3
    assert filled[:, -16:].min() > 0.7
    assert (np.diff(filled.mean(axis=0)) > -0.02).all()


def test_push_pull_of_nothing_is_zero():
    assert not push_pull(np.ones((16, 16, 3)), np.zeros((16, 16))).any()


def test_resizing_keeps_means_shapes_and_channels():
    picture = RNG.random((32, 48, 1)).astype(np.float32)
    small = shrink(picture, 8, 12)
    assert small.shape == (8, 12, 1)
    assert small.mean() == pytest.approx(picture.mean(), rel=1e-5)
    assert grow(small, 32, 48).shape == picture.shape
    assert shrink(picture[..., 0], 8, 12).shape == (8, 12)
    np.testing.assert_allclose(grow(np.full((4, 4), 0.3), 9, 7), 0.3, atol=1e-6)


def test_blur_keeps_a_constant_and_the_mean():
    np.testing.assert_allclose(blur(np.full((20, 20), 0.6), 3), 0.6, atol=1e-6)
    spike = np.zeros((61, 61), np.float32)
    spike[30, 30] = 1
    spread = blur(spike, 4)
    assert spread.sum() == pytest.approx(1, abs=1e-4)
    rows = np.arange(61) - 30
    assert np.sqrt((spread.sum(axis=1) * rows**2).sum()) == pytest.approx(4, rel=0.05)


def test_every_texel_of_an_island_is_listed_once(topology):
    whole = Texels.of(topology, 256, PART_NAMES)
    parts = [Texels.of(topology, 256, (name,)) for name in PART_NAMES]
    joined = np.concatenate([p.index for p in parts])
    assert len(np.unique(joined)) == len(joined) == len(whole.index)
    for name, texels in zip(PART_NAMES, parts, strict=True):
        run = topology.parts[name].faces
        assert texels.face.min() >= run.start
        assert texels.face.max() < run.stop
    np.testing.assert_allclose(whole.barycentric.sum(axis=1), 1, atol=1e-5)


def test_texels_interpolate_their_own_place(topology, skin):
    """The atlas position interpolated to a texel is the middle of the texel."""
    place = np.zeros((len(topology.faces), 3, 2))
    place[:] = topology.uv[topology.faces_uv] * skin.size
    found = np.einsum("nk,nkd->nd", skin.barycentric, place[skin.face])
    middle = np.c_[skin.index % skin.size, skin.index // skin.size] + 0.5
    assert np.abs(found - middle).max() < 0.02


def test_spread_is_linear_and_keeps_constants(skin):
    points = mean_head().neutral
    np.testing.assert_allclose(skin.spread(np.full(len(points), 2.5)), 2.5, atol=1e-5)
    one, both = skin.spread(points[:, 0]), skin.spread(points)
    np.testing.assert_allclose(both[:, 0], one, atol=1e-7)
    picture = skin.image(one, fill=-1.0)
    assert np.array_equal(picture.ravel()[skin.index], one)
    assert (np.delete(picture.ravel(), skin.index) == -1).all()


def test_smooth_does_not_bleed_in_from_outside(skin):
    np.testing.assert_allclose(skin.smooth(np.full(len(skin.index), 0.8), 6), 0.8, atol=1e-3)
    values = np.stack([RNG.random(len(skin.index)), np.full(len(skin.index), 0.5)], axis=1)
    weights = (RNG.random(len(skin.index)) < 0.5).astype(np.float32)
    smooth = skin.smooth(np.where(weights[:, None] > 0, values, 99), 4, weights)
    assert smooth.max() <= 1.001
    assert smooth[:, 0].std() < 0.3 * values[:, 0].std()


def test_mirroring_shows_the_other_side(skin):
    x = skin.spread(mean_head().neutral)
    picture = skin.image(x)
    other = skin.mirrored(picture)
    # At the rim of an island half of a sample comes from outside.
    inside = skin.mirrored(skin.image(np.ones((len(x), 1))))[:, 0] > 0.999
    inner = (skin.mask("face") > 0.99) & inside
    np.testing.assert_allclose(other[inner] * [-1, 1, 1], x[inner], atol=2.5e-3)
    twice = skin.mirrored(skin.image(other))
    inner &= skin.mirrored(skin.image(inside.astype(float)[:, None]))[:, 0] > 0.999
    np.testing.assert_allclose(twice[inner], x[inner], atol=4e-3)


def test_mirrored_corners_belong_to_the_mirrored_vertices(topology):
    other = mirrored_corners(topology)
    vertex_of = np.zeros(len(topology.uv), int)
    vertex_of[topology.faces_uv.ravel()] = topology.faces.ravel()
    assert np.array_equal(vertex_of[other], topology.mirror[topology.faces])


def test_sampling_hits_pixel_centres_and_clamps():
    picture = RNG.random((7, 9, 3)).astype(np.float32)
    rows, columns = np.mgrid[0:7, 0:9]
    centres = np.c_[columns.ravel(), rows.ravel()] + 0.5
    np.testing.assert_allclose(sample_bilinear(picture, centres), picture.reshape(-1, 3), atol=1e-6)
    between = sample_bilinear(picture, np.array([[1.0, 0.5]]))
    np.testing.assert_allclose(between[0], picture[0, :2].mean(axis=0), atol=1e-3)
    outside = sample_bilinear(picture, np.array([[-50.0, -50.0], [500.0, 500.0]]))
    np.testing.assert_allclose(outside, picture[[0, -1], [0, -1]], atol=1e-6)
    assert sample_bilinear(picture, np.empty((0, 2))).shape == (0, 3)


def test_sampling_takes_long_lists():
    picture = RNG.random((5, 5, 2)).astype(np.float32)
    places = RNG.uniform(0, 5, (100_001, 2))
    whole = sample_bilinear(picture, places)
    assert whole.shape == (100_001, 2)
    np.testing.assert_array_equal(whole[70_000:], sample_bilinear(picture, places[70_000:]))


def sphere(count: int) -> np.ndarray:
    points = np.random.default_rng(2).standard_normal((count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_harmonics_are_the_real_ones_up_to_scale():
    from scipy.special import sph_harm_y

    normals = sphere(300)
    polar = np.arccos(normals[:, 2])
    azimuth = np.arctan2(normals[:, 1], normals[:, 0])
    found = harmonics(normals)
    orders = [(0, 0), (1, -1), (1, 0), (1, 1), (2, -2), (2, -1), (2, 0), (2, 1), (2, 2)]
    for column, (degree, order) in enumerate(orders):
        value = sph_harm_y(degree, abs(order), polar, azimuth)
        real = value.imag if order < 0 else value.real
        scale = (real @ found[:, column]) / (real @ real)
        np.testing.assert_allclose(found[:, column], scale * real, atol=1e-5)


def lit_sphere(coefficients: np.ndarray, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    normals = sphere(4 * count)
    normals = normals[normals[:, 2] > 0.2][:count]
    shading = harmonics(normals) @ coefficients
    albedo = np.array([0.5, 0.3, 0.2])
    return shading[:, None] * albedo, normals


def test_light_of_an_even_sphere_is_found():
    coefficients = np.array([1.0, 0.25, 0.1, -0.3, 0.02, 0.0, 0.03, 0.0, 0.0])
    colours, normals = lit_sphere(coefficients)
    shading = fit_light(colours, normals).shading(normals)
    wanted = harmonics(normals) @ coefficients
    wanted /= wanted.mean()
    assert np.abs(shading - wanted[:, None]).max() < 0.12
    assert shading.mean() == pytest.approx(1, abs=0.01)


def test_hairs_and_spots_do_not_bend_the_light():
    coefficients = np.array([1.0, 0.2, 0.1, -0.2, 0, 0, 0, 0, 0])
    colours, normals = lit_sphere(coefficients)
    spotted = colours.copy()
    hairs = RNG.random(len(colours)) < 0.2
    spotted[hairs] *= 0.3
    clean = fit_light(colours, normals).shading(normals)
    bent = fit_light(spotted, normals).shading(normals)
    assert np.abs(bent - clean).max() < 0.04


def test_even_light_changes_nothing():
    normals = sphere(2000)
    light = fit_light(np.full((2000, 3), 0.4), normals)
    np.testing.assert_allclose(light.shading(normals), 1, atol=1e-5)


def test_skin_tone_is_not_taken_for_coloured_light():
    colours, normals = lit_sphere(np.array([1.0, 0, 0.1, 0.3, 0, 0, 0, 0, 0]))
    shading = fit_light(colours, normals).shading(normals)
    assert np.ptp(shading, axis=1).max() < 1e-3


def test_shading_stays_within_bounds():
    wild = Light(np.full((9, 3), 3.0))
    shading = wild.shading(sphere(500))
    assert shading.min() >= 0.4
    assert shading.max() <= 1.8


def test_colour_encoding_is_its_own_inverse_and_keeps_the_type():
    values = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(values)), values, atol=1e-9)
    assert srgb_to_linear(0.5) == pytest.approx(0.21404, abs=1e-5)
    assert srgb_to_linear(values.astype(np.float32)).dtype == np.float32
    assert linear_to_srgb(values).dtype == np.float64
    assert srgb_to_linear(np.arange(2)).dtype == np.float64
    assert linear_to_srgb([-1.0, 2.0]).tolist() == pytest.approx([0, 1])


def test_noise_wraps_repeats_and_has_unit_strength():
    around, across = RNG.random(20_000), RNG.random(20_000)
    noise = periodic_noise(around, across, (40, 30), 5)
    np.testing.assert_allclose(noise, periodic_noise(around + 3, across, (40, 30), 5), atol=1e-3)
    np.testing.assert_array_equal(noise, periodic_noise(around, across, (40, 30), 5))
    assert not np.allclose(noise, periodic_noise(around, across, (40, 30), 6))
    # Between cells values are means of neighbours, which lowers the variance to 4 / 9.
    assert abs(noise.mean()) < 0.15
    assert 0.5 < noise.std() < 0.85
    edge = np.full(50, 0.5)
    left = periodic_noise(np.full(50, 1e-6), edge, (40, 30), 5)
    right = periodic_noise(np.full(50, 1 - 1e-6), edge, (40, 30), 5)
    np.testing.assert_allclose(left, right, atol=1e-3)


def test_lashes_are_single_hairs_that_thin_out(topology):
    texels = Texels.of(topology, 1024, ("lashes",))
    coverage = paint_lashes(texels)
    assert coverage.min() == 0
    assert coverage.max() == 1
    tip = texels.mask("lash_tip")
    near, far = coverage[tip < 0.2].mean(), coverage[tip > 0.8].mean()
    assert near > 0.3
    assert far < 0.5 * near
    np.testing.assert_array_equal(coverage, paint_lashes(texels))
