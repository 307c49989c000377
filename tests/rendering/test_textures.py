from __future__ import annotations

import itertools

import numpy as np
import pytest

from lifemask.geometry import linear_to_srgb, srgb_to_linear
from lifemask.rendering._textures import build_texture
from synthetic import make_head


def levels(texture) -> list[np.ndarray]:
    parts = []
    for offset, width, height in zip(texture.offsets, texture.widths, texture.heights, strict=True):
        texels = texture.texels[offset : offset + width * height].view(np.uint8)
        parts.append(texels.reshape(height, width, 4))
    return parts


@pytest.mark.parametrize("shape", [(64, 64), (96, 40), (33, 57), (1, 1)])
def test_levels_halve_down_to_one_texel(shape):
    texture = build_texture(np.full((*shape, 3), 9, np.uint8), make_head().topology)
    sizes = [level.shape[:2] for level in levels(texture)]
    assert sizes[0] == shape
    assert sizes[-1] == (1, 1)
    for (h0, w0), (h1, w1) in itertools.pairwise(sizes):
        assert (h1, w1) == ((h0 + 1) // 2, (w0 + 1) // 2)
    assert all(np.all(level[..., :3] == 9) for level in levels(texture))


def test_what_lies_between_the_islands_never_bleeds_in():
    topology = make_head().topology
    from lifemask.rendering._textures import _covered

    covered = _covered(topology, 128, 128)
    assert 0.5 < covered.mean() < 0.98
    atlas = np.full((128, 128, 3), (0, 255, 0), np.uint8)
    atlas[covered] = (200, 40, 60)
    for level in levels(build_texture(atlas, topology)):
        assert np.array_equal(np.unique(level[..., :3].reshape(-1, 3), axis=0), [[200, 40, 60]])


def test_colours_are_averaged_as_light_and_numbers_as_numbers():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    topology = make_head().topology
    inside = (20, 10)
    color = levels(build_texture(stripes, topology))[1][inside]
    number = levels(build_texture(stripes, topology, color=False))[1][inside]
    assert color[:3].tolist() == [188, 188, 188]
    assert number[:3].tolist() == [128, 128, 128]


def test_grey_and_alpha_are_accepted():
    topology = make_head().topology
    grey = build_texture(np.full((8, 8), 77, np.uint8), topology)
    assert np.all(grey.texels.view(np.uint8).reshape(-1, 4) == [77, 77, 77, 255])
    clear = build_texture(np.full((8, 8, 4), 50, np.uint8), topology)
    assert np.all(clear.texels.view(np.uint8) == 50)


def test_transfer_function_is_that_of_the_standard():
    assert srgb_to_linear(0.5) == pytest.approx(0.21404, abs=1e-5)
    assert srgb_to_linear(0.04) == pytest.approx(0.04 / 12.92)
    codes = np.linspace(0, 1, 256)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(codes)), codes, atol=1e-7)
