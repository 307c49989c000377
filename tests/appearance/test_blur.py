"""Broad blurs on smaller pictures, parts of the atlas, and hair laid over skin of another size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lifemask.appearance._atlas import Texels
from lifemask.appearance._pyramid import blur
from lifemask.geometry import rasterize
from staged import mean_head


@pytest.mark.parametrize("sigma", [3.0, 9.0, 20.0, 34.0])
@pytest.mark.parametrize("shape", [(512, 512), (512, 512, 3), (500, 360)])
def test_broad_blur_is_a_gaussian(sigma, shape):
    picture = np.random.default_rng(1).random(shape, np.float32)
    picture[100:200, 150:300] += 2.0
    exact = cv2.GaussianBlur(picture, (0, 0), sigma)
    away = np.abs(blur(picture, sigma) - exact)
    # Noise is told apart a little less well where it is mirrored at the border.
    assert away[32:-32, 32:-32].max() < 0.01
    assert away.max() < 0.03


def test_part_of_the_atlas_is_the_same_as_in_the_whole():
    topology, size = mean_head().topology, 256
    for part in ("skin", "eye_left", "tongue"):
        texels = Texels.of(topology, size, (part,))
        run = topology.parts[part].faces
        whole = rasterize(
            topology.uv * size, np.ones(len(topology.uv)), topology.faces_uv[run], size, size
        )
        index = np.flatnonzero(whole.face.ravel() >= 0)
        np.testing.assert_array_equal(texels.index, index)
        np.testing.assert_array_equal(texels.face, whole.face.ravel()[index] + run.start)
        np.testing.assert_allclose(
            texels.barycentric, whole.barycentric.reshape(-1, 3)[index], atol=1e-5
        )


def test_some_of_the_texels():
    texels = Texels.of(mean_head().topology, 128, ("skin",))
    chosen = texels.mask("hair") > 0.5
    assert 0 < chosen.sum() < len(chosen)
    np.testing.assert_allclose(texels.where(chosen).mask("hair"), texels.mask("hair")[chosen])
