"""The person against the background."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from lifemask import ImageError
from lifemask.geometry import read_image, resize_image
from lifemask.tracking import FaceLandmarks, segment_person
from lifemask.tracking._segmentation import guided_coefficients


@pytest.fixture(scope="module")
def portrait():
    with resources.as_file(resources.files("lifemask") / "data" / "portrait.jpg") as path:
        return read_image(path)


@pytest.fixture(scope="module")
def matte(portrait):
    return segment_person(portrait)


def plain_background(portrait):
    """Return where the demo portrait shows its blue backdrop, above the shoulders."""
    red, _, blue = np.moveaxis(portrait.astype(int), -1, 0)
    backdrop = (blue - red > 50) & (blue > 70)
    backdrop[int(0.7 * len(portrait)) :] = False
    return backdrop


def test_follows_the_outline_of_the_head(portrait, matte):
    assert matte.shape == portrait.shape[:2] and matte.dtype == np.float32
    assert matte.min() >= 0 and matte.max() <= 1
    rows = slice(0, int(0.7 * len(portrait)))
    truth = ~plain_background(portrait)[rows]
    found = matte[rows] > 0.5
    assert (truth & found).sum() / (truth | found).sum() > 0.97


def test_edge_is_soft_but_narrow(portrait, matte):
    assert 0.002 < ((matte > 0.05) & (matte < 0.95)).mean() < 0.05


def test_same_picture_same_matte(portrait, matte):
    np.testing.assert_array_equal(segment_person(portrait), matte)


def test_a_small_face_is_looked_at_closely(portrait):
    small = resize_image(portrait, 256, 256)
    wide = np.full((1200, 1600, 3), (70, 90, 140), np.uint8)
    wide[500:756, 900:1156] = small
    points = np.zeros((478, 3), np.float32)
    points[:, 0] = np.linspace(960, 1090, 478)
    points[:, 1] = np.linspace(550, 720, 478)
    matte = segment_person(wide, FaceLandmarks(points, 1600, 1200))
    assert matte.shape == (1200, 1600)
    assert matte[600:700, 980:1080].min() > 0.9
    assert matte[:, :600].max() == 0 and matte[:300].max() == 0


def test_guided_filter_keeps_the_edge_of_the_guide():
    guide = np.zeros((40, 60, 3), np.float32)
    guide[:, 33:] = (0.8, 0.5, 0.3)
    coarse = np.clip((np.arange(60, dtype=np.float32) - 22) / 16, 0, 1)[None].repeat(40, axis=0)
    gain, offset = guided_coefficients(guide, coarse, 10, 1e-4)
    sharp = (gain * guide).sum(axis=-1) + offset
    step = np.diff(sharp[20])
    assert step.argmax() == 32 and step.max() > 10 * np.abs(np.delete(step, 32)).max()


@pytest.mark.parametrize("wrong", [np.zeros((20, 20), np.uint8), np.zeros((9, 9, 3), np.float32)])
def test_arrays_that_are_no_pictures(wrong):
    with pytest.raises(ImageError):
        segment_person(wrong)
