"""Key textures: where shapes act, what is chosen from a clip, what an engine reads."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from lifemask import InputError, PackageError
from lifemask.dynamics import (
    DRIVER_NAMES,
    TextureSamples,
    activation_masks,
    driver_values,
    dynamic_input,
    encode_residual,
    face_layout,
    fit_key_textures,
    read_back_end,
)
from lifemask.heads import COEFFICIENT_INDEX, load_head_model

FRAMES = 90


@pytest.fixture(scope="module")
def head():
    return load_head_model().head()


@pytest.fixture(scope="module")
def layout(head):
    return face_layout(head.topology, "web")


@pytest.fixture(scope="module")
def masks(head, layout):
    return activation_masks(head, layout)


@pytest.fixture(scope="module")
def clip(layout, masks):
    """A clip whose smile darkens, whose brows lighten and whose open jaw reddens."""
    random = np.random.default_rng(5)
    phase = np.linspace(0, 12, FRAMES)
    inputs = np.stack([dynamic_input(np.zeros(52)) for _ in phase])
    for name, value in (
        ("mouthSmileLeft", np.clip(np.sin(phase), 0, 1)),
        ("mouthSmileRight", np.clip(np.sin(phase), 0, 1)),
        ("browInnerUp", np.clip(np.sin(1.7 * phase + 1), 0, 1)),
        ("jawOpen", np.clip(np.sin(0.6 * phase + 2), 0, 1)),
    ):
        inputs[:, COEFFICIENT_INDEX[name]] = value
    drivers = driver_values(inputs)
    colour = np.zeros((len(DRIVER_NAMES), 3), np.float32)
    for name, change in (
        ("mouthSmileLeft", (-0.3, -0.25, -0.2)),
        ("mouthSmileRight", (-0.3, -0.25, -0.2)),
        ("browInnerUp", (0.2, 0.2, 0.2)),
        ("jawOpen", (0.2, -0.1, -0.1)),
    ):
        colour[DRIVER_NAMES.index(name)] = change
    shown = np.einsum("te,eij,ek->tijk", drivers, masks, colour)
    noise = random.normal(0, 0.01, shown.shape)
    weights = np.broadcast_to(layout.masks() > 0, shown.shape[:3]).astype(np.uint8) * 200
    return TextureSamples(
        inputs,
        (shown + noise).astype(np.float16),
        weights,
        layout,
        np.arange(100, 100 + FRAMES),
        np.ones(FRAMES, np.float32),
    )


@pytest.fixture(scope="module")
def fitted(clip, head):
    return fit_key_textures(clip.where(np.arange(FRAMES) % 5 != 4), head)


def at(masks, name, layout, region):
    return masks[DRIVER_NAMES.index(name)][layout.region(region).window]


def test_a_shape_acts_where_it_moves_the_skin(masks, layout):
    smile = at(masks, "mouthSmileLeft", layout, "mouth")
    width = smile.shape[1]
    assert smile.max() > 0.9
    assert smile[:, width // 2 :].mean() > 3 * smile[:, : width // 2].mean()
    assert at(masks, "mouthSmileLeft", layout, "forehead").max() < 0.05
    assert at(masks, "eyeBlinkLeft", layout, "eye_left").max() > 0.9
    assert at(masks, "eyeBlinkLeft", layout, "eye_right").max() < 0.05
    assert masks.min() >= 0
    assert masks.max() <= 1


def test_what_lies_behind_lips_and_lids_changes_with_them(masks, layout):
    for name in ("cavity", "teeth", "tongue"):
        assert at(masks, "jawOpen", layout, name).min() > 0.3
        assert at(masks, "eyeBlinkLeft", layout, name).max() == 0
    assert at(masks, "gazeLeftUp", layout, "eyeball_left").min() == 1
    assert at(masks, "gazeRightUp", layout, "eyeball_left").max() < 0.05


def test_gaze_drives_each_eye_in_the_direction_of_its_shapes():
    toward_left = driver_values(dynamic_input(np.zeros(52), [0.3, 0, 0.3, 0]))
    assert toward_left[DRIVER_NAMES.index("gazeLeftYawOut")] == pytest.approx(0.5)
    assert toward_left[DRIVER_NAMES.index("gazeRightYawIn")] == pytest.approx(0.5)
    assert toward_left[DRIVER_NAMES.index("gazeLeftYawIn")] == 0
    assert (driver_values(dynamic_input(np.full(52, 7.0))) <= 1).all()


def test_moments_that_were_held_out_are_shown(fitted, clip, layout):
    seen = layout.masks()[..., None] > 0
    error = static = 0.0
    for i in range(4, FRAMES, 5):
        target = encode_residual(clip.targets[i], layout)
        error += float((((fitted.evaluate(clip.inputs[i]) - target) * seen) ** 2).mean())
        static += float((((0.5 - target) * seen) ** 2).mean())
    assert 10 * np.log10(static / error) > 6


def test_a_shape_that_the_clip_never_shows_changes_nothing(fitted):
    rest = fitted.evaluate(dynamic_input(np.zeros(52)))
    pucker = np.zeros(52)
    pucker[[COEFFICIENT_INDEX["mouthPucker"], COEFFICIENT_INDEX["browDownLeft"]]] = 1
    assert np.array_equal(fitted.evaluate(dynamic_input(pucker)), rest)
    assert np.abs(rest - 0.5).max() < 0.05
    assert "mouthPucker" in fitted.regions["mouth"].unseen
    assert "jawOpen" not in fitted.regions["mouth"].unseen


def test_any_input_gives_a_bounded_answer(fitted):
    random = np.random.default_rng(2)
    wild = [random.normal(0, 10, 59) for _ in range(5)]
    wild += [np.full(59, np.nan), np.full(59, np.inf), np.full(59, -np.inf)]
    for inputs in wild:
        out = fitted.evaluate(inputs.astype(np.float32))
        assert np.isfinite(out).all()
        assert 0 <= out.min() <= out.max() <= 1


def test_keys_are_moments_of_the_clip_each_at_its_region(fitted):
    frames = fitted.regions["mouth"].frames
    assert 2 <= len(set(frames)) == len(frames) <= 6
    assert all(100 <= frame < 100 + FRAMES for frame in frames)


def test_files_hold_everything_and_are_the_same_every_time(fitted, clip, head, layout):
    files = fitted.to_files()
    again = fit_key_textures(clip.where(np.arange(FRAMES) % 5 != 4), head)
    assert again.to_files() == files
    read = read_back_end("key", files, layout)
    assert read.kind == "key"
    for i in (10, 33, 77):
        apart = read.evaluate(clip.inputs[i]) - fitted.evaluate(clip.inputs[i])
        assert np.abs(apart).max() < 1e-4
    assert read.to_files() == files
    record = json.loads(files["key.json"])
    assert record["statement"] == "learnt from the user's own footage"
    assert all(name.startswith("key") for name in files)
    assert sum(map(len, files.values())) < 600_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("key.json", None),
        ("key.json", b"{}"),
        ("key.json", b"[" * 100_000),
        ("key_textures.png", b"\x89PNG\r\n"),
        ("key_masks.png", b""),
    ],
)
def test_damaged_files_are_refused(fitted, layout, name, content):
    files = dict(fitted.to_files())
    files.pop(name)
    if content is not None:
        files[name] = content
    with pytest.raises(PackageError) as refusal:
        read_back_end("key", files, layout)
    assert refusal.value.hint


def test_numbers_out_of_range_and_other_layouts_are_refused(fitted, layout, head):
    files = dict(fitted.to_files())
    record = json.loads(files["key.json"])
    record["regions"]["mouth"]["channels"][0][0] = -1
    with pytest.raises(PackageError):
        read_back_end("key", {**files, "key.json": json.dumps(record).encode()}, layout)
    with pytest.raises(PackageError):
        read_back_end("key", files, face_layout(head.topology, "desktop"))


def test_one_frame_is_not_enough(clip, head):
    with pytest.raises(InputError):
        fit_key_textures(clip.where(np.arange(1)), head)


def test_a_clip_that_saw_nothing_gives_a_static_texture(clip, head):
    blind = dataclasses.replace(clip, weights=np.zeros_like(clip.weights))
    texture = fit_key_textures(blind.where(np.arange(6)), head)
    assert (texture.evaluate(clip.inputs[40]) == 0.5).all()
