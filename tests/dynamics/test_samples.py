"""Training samples and composition: a known change of the albedo comes back from pictures of it."""

from __future__ import annotations

import numpy as np
import pytest

from lifemask.appearance import ClipLight
from lifemask.dynamics import (
    INPUT_COUNT,
    PRIOR_WEIGHT,
    SKIN_REGIONS,
    InputRange,
    SampleView,
    TextureSamples,
    clip_light_of,
    compose,
    decode_residual,
    dynamic_input,
    encode_residual,
    face_layout,
    packed_albedo,
    texture_samples,
)
from lifemask.geometry import Camera, Pose, rasterize, vertex_normals
from lifemask.heads import COEFFICIENT_INDEX, load_head_model
from lifemask.rendering import Renderer

SIZE = 1024


@pytest.fixture(scope="module")
def head():
    model = load_head_model()
    return model.head(np.zeros(model.mode_count))


@pytest.fixture(scope="module")
def layout(head):
    return face_layout(head.topology)


def waves(seed: int, low: float, high: float) -> np.ndarray:
    """Return a smooth random picture `(SIZE, SIZE, 3)`."""
    import cv2

    values = np.random.default_rng(seed).uniform(low, high, (24, 24, 3)).astype(np.float32)
    return np.asarray(cv2.resize(values, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC))


@pytest.fixture(scope="module")
def albedo(head):
    picture = np.full((SIZE, SIZE, 4), 255, np.uint8)
    picture[..., :3] = np.clip(255 * waves(1, 0.35, 0.65), 0, 255)
    # The lashes are clear, so that pictures show nothing but the regions.
    picture[int(0.831 * SIZE) :, int(0.8515 * SIZE) :, 3] = 0
    return picture


@pytest.fixture(scope="module")
def change():
    return waves(2, -0.15, 0.15)


def view_of(head, albedo, size: int = 700, **coefficients: float) -> SampleView:
    weights = np.zeros(52)
    for name, value in coefficients.items():
        weights[COEFFICIENT_INDEX[name]] = value
    gaze, pose = np.zeros(4), Pose(np.eye(3), np.array([0.0, 0.0, -0.6]))
    camera = Camera(size, size, 1500.0 / 700 * size)
    picture = Renderer(head, {"albedo": albedo}).render(
        head.vertices(weights, gaze=gaze), pose=pose, camera=camera, light=None
    )
    return SampleView(picture, camera, pose, weights, gaze, frame=7)


def changed(albedo: np.ndarray, change: np.ndarray) -> np.ndarray:
    result = albedo.copy()
    result[..., :3] = np.rint(np.clip(albedo[..., :3] + 255 * change, 0, 255))
    return result


def packed(change: np.ndarray, layout) -> np.ndarray:
    return packed_albedo((255 * (change + 0.5)).astype(np.uint8), layout) - 0.5


def test_samples_give_a_known_residual_back_where_it_is_seen(head, layout, albedo, change):
    views = [view_of(head, changed(albedo, change), **{"jawOpen": x}) for x in (0.0, 0.6)]
    samples = texture_samples(head, albedo, views, layout)
    assert samples.inputs.shape == (2, INPUT_COUNT)
    assert list(samples.frames) == [7, 7]
    expected = packed(change, layout)
    for region in layout.regions:
        window = (slice(None), *region.window)
        trust = samples.weights[window]
        error = np.abs(samples.targets[window].astype(float) - expected[region.window])
        if region.name in SKIN_REGIONS:
            assert (trust > 128).mean() > 0.4, region.name
        if (trust > 200).sum() > 50:
            assert np.median(error[trust > 200]) < 0.012, region.name
    closed, opened = ((w[layout.region("teeth").window] > 128).sum() for w in samples.weights)
    assert opened > 40
    assert closed < 0.5 * opened


@pytest.mark.parametrize("size", [48, 120])
def test_faces_of_a_few_pixels_are_sampled_too(head, layout, albedo, size):
    samples = texture_samples(head, albedo, [view_of(head, albedo, size)], layout)
    assert np.isfinite(samples.targets.astype(float)).all()
    assert samples.weights.any()


def test_what_is_not_seen_has_no_weight_and_no_target(head, layout, albedo, change):
    samples = texture_samples(head, albedo, [view_of(head, changed(albedo, change))], layout)
    unseen = samples.weights == 0
    assert unseen.any()
    assert not samples.targets[unseen].any()
    assert not samples.weights[0][layout.masks() == 0].any()


def test_what_is_hidden_in_the_mouth_is_taken_to_be_dark(head, layout, albedo):
    views = [view_of(head, albedo, jawOpen=x) for x in (0.0, 0.8)]
    samples = texture_samples(head, albedo, views, layout)
    window = layout.region("cavity").window
    inside = layout.region("cavity").mask == 255
    closed, opened = (
        t[window][inside & (w[window] == PRIOR_WEIGHT)].astype(float).mean()
        for t, w in zip(samples.targets, samples.weights, strict=True)
    )
    assert closed < opened < -0.1


def test_the_light_of_the_clip_is_divided_out(head, layout, albedo, change):
    light = ClipLight(
        np.array([[0.7], [0.1], [0.1], [0.25], [0], [0], [0.05], [0], [0]]) * [1, 0.95, 0.9], (), ()
    )
    view = view_of(head, changed(albedo, change))
    topology = head.topology
    points = view.pose.apply(head.vertices(view.coefficients).astype(float))
    solid = topology.faces[: topology.parts["lashes"].faces.start]
    camera = view.camera
    raster = rasterize(camera.project(points), -points[:, 2], solid, camera.width, camera.height)
    normals = raster.interpolate(solid, vertex_normals(points, topology.faces))
    normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-6)
    lit = SampleView(
        light.apply(view.image, normals, 0.9), camera, view.pose, view.coefficients, view.gaze
    )
    samples = texture_samples(head, albedo, [lit], layout, light)
    assert samples.gains[0] == pytest.approx(0.9, abs=0.06)
    plain = texture_samples(head, albedo, [view], layout)
    for name in ("mouth", "eye_left", "forehead"):
        window = (0, *layout.region(name).window)
        good = samples.weights[window] > 200
        apart = samples.targets[window].astype(float) - plain.targets[window]
        assert np.abs(np.median(apart[good])) < 0.03, name
        assert np.median(np.abs(apart[good] - np.median(apart[good]))) < 0.01, name
    found = clip_light_of(head, changed(albedo, change), [lit], layout)
    seen = np.array([[0, 0, 1.0], [0.5, 0, 0.866], [-0.5, 0, 0.866]])
    assert found.shade(seen) == pytest.approx(0.9 * light.shade(seen), rel=0.06)


def test_samples_survive_their_file(head, layout, albedo):
    samples = texture_samples(head, albedo, [view_of(head, albedo)], layout)
    again = TextureSamples.from_bytes(samples.to_bytes())
    assert again.to_bytes() == samples.to_bytes()
    assert np.array_equal(again.targets, samples.targets)
    assert again.layout.to_dict() == layout.to_dict()


def test_composing_an_encoded_residual_adds_it_inside_the_masks(layout, albedo, change):
    output = encode_residual(packed(change, layout), layout)
    composed = compose(albedo, output, layout).astype(int)
    assert np.array_equal(composed[..., 3], albedo[..., 3])
    added = (composed - albedo)[..., :3]
    mouth = added[580:730, 400:620]
    assert np.abs(mouth - 255 * change[580:730, 400:620]).max() < 4
    assert not added[:60].any()
    assert not added[:, :60].reshape(-1, 3)[: 800 * 60].any()


def test_composing_grey_changes_nothing(layout, albedo):
    grey = np.full((layout.size, layout.size, 3), 0.5, np.float32)
    assert np.array_equal(compose(albedo, grey, layout), albedo)


@pytest.mark.parametrize("size", [(512, 512), (100, 100), (300, 500), (2048, 2048)])
def test_any_size_of_albedo_can_be_composed(layout, size):
    picture = np.full((*size, 3), 128, np.uint8)
    output = np.full((layout.size, layout.size, 3), 0.6, np.float32)
    added = compose(picture, output, layout).astype(int) - 128
    rows, columns = int(0.6 * size[0]), int(0.5 * size[1])
    assert added[rows, columns] == pytest.approx(0.1 * 255, abs=1)  # 0.1 * 2 * scale of 0.5
    assert not added[: size[0] // 20].any()


def test_encoding_is_undone_and_bounded(layout):
    residual = np.random.default_rng(3).uniform(-0.5, 0.5, (layout.size, layout.size, 3))
    assert decode_residual(encode_residual(residual, layout), layout) == pytest.approx(
        residual, abs=1e-6
    )
    wild = encode_residual(1e9 * residual, layout)
    assert wild.min() == 0.0
    assert wild.max() == 1.0


def test_an_input_is_put_together_in_the_order_of_the_contract():
    values = dynamic_input(np.arange(52) / 52, (0.1, 0.2, 0.3, 0.4), (0, 3, 4))
    assert values.dtype == np.float32
    assert values[:52] == pytest.approx(np.arange(52) / 52)
    assert values[52:] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0, 0.6, 0.8])
    assert dynamic_input(np.zeros(52))[52:] == pytest.approx([0, 0, 0, 0, 0, 0, 1])
    with pytest.raises(ValueError, match="coefficients"):
        dynamic_input(np.zeros(51))


def test_inputs_are_brought_into_the_training_range():
    inputs = np.random.default_rng(0).uniform(0, 0.5, (40, INPUT_COUNT)).astype(np.float32)
    known = InputRange.of(inputs)
    wild = np.full(INPUT_COUNT, np.inf, np.float32)
    wild[::3], wild[1::3] = np.nan, -1e30
    clamped = known.clamp(wild)
    assert np.isfinite(clamped).all()
    assert (clamped >= known.low).all()
    assert (clamped <= known.high).all()
    assert np.array_equal(known.clamp(inputs), inputs)
    again = InputRange.from_dict(known.to_dict())
    assert np.array_equal(again.low, known.low)
