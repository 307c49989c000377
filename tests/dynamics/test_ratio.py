"""Ratio maps for one photo: folds where shapes squeeze, shadows, and a clear word on what it is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lifemask.dynamics import (
    dynamic_input,
    face_layout,
    generic_key_textures,
    layout_texels,
    read_back_end,
)
from lifemask.dynamics._ratio_folds import fold_lines
from lifemask.dynamics._ratio_strain import compression, vertex_compression
from lifemask.heads import COEFFICIENT_INDEX, load_head_model


@pytest.fixture(scope="module")
def head():
    return load_head_model().head()


@pytest.fixture(scope="module")
def layout(head):
    return face_layout(head.topology, "web")


@pytest.fixture(scope="module")
def texture(head, layout):
    return generic_key_textures(head, layout)


def shown(texture, region, /, **shapes):
    """Return the change of a region `(height, width)`: negative where it gets darker."""
    coefficients = np.zeros(52)
    for name, value in shapes.items():
        coefficients[COEFFICIENT_INDEX[name]] = value
    out = texture.evaluate(dynamic_input(coefficients))
    return (out - 0.5)[texture.layout.region(region).window].mean(axis=2)


def test_a_face_at_rest_keeps_its_skin(texture):
    for region in ("mouth", "eye_left", "forehead", "face"):
        assert np.abs(shown(texture, region)).max() == 0


def test_raised_brows_fold_the_forehead_and_a_smile_does_not(texture):
    raised = shown(texture, "forehead", browInnerUp=1, browOuterUpLeft=1, browOuterUpRight=1)
    assert raised.min() < -0.01
    assert np.abs(shown(texture, "forehead", mouthSmileLeft=1)).max() < 0.002


def test_the_change_is_subtle_and_grows_with_the_expression(texture):
    for shapes in ("browDownLeft", "eyeSquintLeft", "mouthSmileLeft", "jawOpen", "mouthPucker"):
        for region in ("mouth", "eye_left", "forehead", "face"):
            full = shown(texture, region, **{shapes: 1})
            half = shown(texture, region, **{shapes: 0.5})
            assert np.abs(full).max() < 0.2
            assert np.abs(half).sum() <= np.abs(full).sum()


def test_one_side_wrinkles_alone(texture):
    assert np.abs(shown(texture, "eye_left", eyeSquintLeft=1)).max() > 0.01
    assert np.abs(shown(texture, "eye_right", eyeSquintLeft=1)).max() < 0.002
    smile = np.abs(shown(texture, "mouth", mouthSmileLeft=1))
    width = smile.shape[1]
    assert smile[:, : width // 3].mean() < 0.35 * smile[:, -(width // 3) :].mean()


def test_a_closed_mouth_is_dark_inside_and_an_open_one_less_so(texture):
    for region in ("cavity", "teeth", "tongue"):
        closed, opened = shown(texture, region), shown(texture, region, jawOpen=1)
        assert closed.min() < -0.1
        assert opened.mean() > closed.mean()
    assert shown(texture, "teeth", jawOpen=0.5).mean() > shown(texture, "teeth").mean()


def test_lids_shade_the_eye_they_cover(texture):
    rest = shown(texture, "eyeball_left")
    assert rest.min() < -0.02
    assert shown(texture, "eyeball_left", eyeBlinkLeft=1).mean() < rest.mean()
    assert shown(texture, "eyeball_left", eyeWideLeft=1).mean() > rest.mean()
    assert np.array_equal(shown(texture, "eyeball_left", eyeBlinkRight=1), rest)


def test_a_lighter_skin_changes_by_more(head, layout):
    light, dark = (
        generic_key_textures(head, layout, np.full((64, 64, 3), shade, np.uint8))
        for shade in (220, 60)
    )
    for shape in ("browDownLeft",):
        strong, weak = (np.abs(shown(t, "forehead", **{shape: 1})).max() for t in (light, dark))
        assert strong > 2 * weak


def test_files_say_that_nothing_was_seen_on_the_person(texture, layout):
    files = texture.to_files()
    record = json.loads(files["key.json"])
    assert record["generic"] is True
    assert record["statement"].startswith("generic")
    assert read_back_end("key", files, layout).to_files() == files


def test_skin_squeezed_in_one_direction_is_compressed_across_it(head, layout):
    texels = layout_texels(head.topology, layout)
    forehead = [one.name for one in layout.regions].index("forehead")
    texels = texels.where(texels.region == forehead)
    moved = head.neutral * np.array([1.0, 0.8, 1.0], np.float32)
    squeezed, across, step = compression(head, vertex_compression(head, moved), layout, texels)
    middle = np.abs(texels.uv[:, 0] - 0.5) < 0.05
    assert np.median(squeezed[middle]) == pytest.approx(0.18, abs=0.06)
    assert np.median(np.abs(across[middle, 1])) > 0.95
    assert 0.0005 < np.median(step) < 0.006
    rigid = vertex_compression(head, head.neutral[:, [1, 2, 0]])
    assert np.abs(rigid).max() < 1e-4


@pytest.mark.parametrize("axis", [0, 1])
def test_lines_run_at_right_angles_to_the_compression(axis):
    across = np.zeros((64, 64, 2))
    across[..., axis] = 1
    lines = fold_lines(across, np.full((64, 64), 8.0))
    steps = [np.abs(np.diff(lines, axis=1 - one)).mean() for one in (0, 1)]
    assert steps[axis] > 2 * steps[1 - axis]
    assert lines.max() > 0.8
    assert (lines > 0.5).mean() < 0.35
    assert np.array_equal(lines, fold_lines(across, np.full((64, 64), 8.0)))
