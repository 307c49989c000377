"""The linear back-end: what it learns, what it refuses, and that nothing makes it run wild."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from lifemask import PackageError
from lifemask.dynamics import (
    INPUT_COUNT,
    VIEW,
    DynamicTexture,
    TextureSamples,
    decode_residual,
    face_layout,
    fit_linear,
    read_back_end,
    residual_errors,
    unseen_shapes,
)
from lifemask.dynamics._linear import linear_features
from lifemask.heads import COEFFICIENT_INDEX, load_head_model

FRAMES = 60
JAW, BLINK = COEFFICIENT_INDEX["jawOpen"], COEFFICIENT_INDEX["eyeBlinkLeft"]


@pytest.fixture(scope="module")
def layout():
    return face_layout(load_head_model().topology, "web")


@pytest.fixture(scope="module")
def samples(layout):
    """Frames in which the mouth follows the jaw, the left eye a blink, with some noise."""
    generator = np.random.default_rng(0)
    inputs = np.zeros((FRAMES, INPUT_COUNT), np.float32)
    inputs[:, JAW], inputs[:, BLINK] = generator.uniform(0, 0.8, (2, FRAMES))
    inputs[:, VIEW] = 0, 0, 1
    targets = np.zeros((FRAMES, layout.size, layout.size, 3), np.float32)
    places = {"mouth": inputs[:, JAW] ** 2, "eye_left": 1.5 * inputs[:, BLINK] - 0.4}
    for name, values in places.items():
        pattern = generator.uniform(-0.3, 0.3, (*layout.region(name).mask.shape, 3))
        targets[:, *layout.region(name).window] = values[:, None, None, None] * pattern
    targets += generator.normal(0, 0.004, targets.shape)
    weights = np.full(targets.shape[:3], 255, np.uint8)
    weights[:, *layout.region("forehead").window] = 0
    # One half of the mouth is often hidden.
    weights[::2, 0:20, 0:40] = 0
    numbers = np.arange(FRAMES)
    gains = np.ones(FRAMES, np.float32)
    return TextureSamples(inputs, targets.astype(np.float16), weights, layout, numbers, gains)


@pytest.fixture(scope="module")
def texture(samples):
    return fit_linear(samples.where(np.arange(FRAMES) % 3 != 0))


def test_it_is_a_dynamic_texture(texture):
    assert isinstance(texture, DynamicTexture)
    assert texture.kind == "linear"


def test_frames_that_were_held_out_are_predicted(samples, texture):
    errors = residual_errors(texture, samples.where(np.arange(FRAMES) % 3 == 0))
    for name in ("mouth", "eye_left"):
        before, after = errors[name]
        assert before > 0.04, name
        assert after < 0.25 * before, name
    assert "forehead" not in errors


def test_what_was_never_seen_keeps_no_residual(samples, layout, texture):
    for inputs in samples.inputs[:5]:
        output = texture.evaluate(inputs)
        forehead = output[layout.region("forehead").window]
        inner = forehead[6:-6, 6:-6]
        assert np.abs(inner - 0.5).max() < 0.01
        assert np.abs(output[layout.masks() == 0] - 0.5).max() == 0


def test_no_input_makes_it_run_wild(layout, texture):
    generator = np.random.default_rng(1)
    wild = [
        np.full(INPUT_COUNT, np.nan),
        np.full(INPUT_COUNT, np.inf),
        np.full(INPUT_COUNT, -1e300),
        *generator.normal(0, 1e6, (5, INPUT_COUNT)),
    ]
    for inputs in wild:
        output = texture.evaluate(inputs)
        assert np.isfinite(output).all()
        assert np.abs(decode_residual(output, layout)[layout.region("mouth").window]).max() < 0.45


def test_the_same_samples_give_the_same_bytes(samples, texture):
    again = fit_linear(samples.where(np.arange(FRAMES) % 3 != 0))
    assert again.to_files() == texture.to_files()


def test_it_survives_its_files(samples, layout, texture):
    files = texture.to_files()
    assert all(name.startswith("linear") for name in files)
    again = read_back_end("linear", files, layout)
    for inputs in samples.inputs[:3]:
        assert np.array_equal(again.evaluate(inputs), texture.evaluate(inputs))


def test_a_small_fit_evaluates_within_a_frame(samples, texture):
    texture.evaluate(samples.inputs[0])
    started = time.perf_counter()
    for inputs in samples.inputs:
        texture.evaluate(inputs)
    assert (time.perf_counter() - started) / FRAMES < 0.02


def test_shapes_that_the_clip_did_not_show_are_named(samples):
    unseen = unseen_shapes(samples.inputs)
    assert "jawOpen" not in unseen
    assert "mouthPucker" in unseen
    assert len(unseen) == 50


def test_a_feature_is_a_product_of_inputs():
    inputs = np.arange(INPUT_COUNT, dtype=np.float32)
    features = linear_features(inputs)
    assert np.array_equal(features[:INPUT_COUNT], inputs)
    assert float(JAW) ** 2 in features[INPUT_COUNT:]


def edited(files, change):
    record = json.loads(files["linear.json"])
    change(record)
    return {**files, "linear.json": json.dumps(record).encode()}


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.update(schema=99),
        lambda r: r.update(maps=10**9),
        lambda r: r.update(maps=True),
        lambda r: r.update(features=[]),
        lambda r: r.update(groups=r["groups"][:2]),
        lambda r: r.update(input_range={"low": [0], "high": [1]}),
        lambda r: r["groups"][0].update(name="nose"),
        lambda r: r["groups"][0].update(matrix=[[1.0]]),
        lambda r: r["groups"][0].update(offset=["x"]),
        lambda r: r["groups"][0].update(scales=[1e30] * len(r["groups"][0]["scales"])),
        lambda r: r["groups"][0]["low"].__setitem__(0, float("nan")),
    ],
)
def test_hostile_files_are_refused(layout, texture, change):
    with pytest.raises(PackageError):
        read_back_end("linear", edited(texture.to_files(), change), layout)


def test_other_files_are_refused(layout, texture):
    files = texture.to_files()
    for broken in (
        {},
        {"linear.json": files["linear.json"]},
        {**files, "linear.json": b"["},
        {**files, "linear.json": b"[" * 100_000},
        {**files, "linear.png": files["linear.png"][:-100]},
    ):
        with pytest.raises(PackageError):
            read_back_end("linear", broken, layout)
    with pytest.raises(PackageError):
        read_back_end("linear", files, face_layout(load_head_model().topology, "desktop"))
    with pytest.raises(PackageError, match="unknown kind"):
        read_back_end("hologram", files, layout)
