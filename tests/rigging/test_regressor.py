"""The shipped network: what it says about heads whose expression is known."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from lifemask import ModelFileError
from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES, load_head_model, mirrored_name
from lifemask.rigging import (
    REGRESSION_SCHEMA,
    REGRESSION_UNSEEN,
    REGRESSION_VALIDITY,
    BlendshapeRegressor,
    LandmarkNormalizer,
    check_onnx,
    normalize_landmarks,
    regression_model_bytes,
)
from lifemask.tracking import MIRRORED, LandmarkShape

STEPS = np.linspace(0.0, 1.0, 9)


@pytest.fixture(scope="module")
def regressor() -> BlendshapeRegressor:
    return BlendshapeRegressor()


@pytest.fixture(scope="module")
def shape() -> LandmarkShape:
    model = load_head_model().landmark_model()
    return LandmarkShape.from_model(model, np.zeros(len(model.identity))).with_meeting_lids()


def see(shape: LandmarkShape, turn=(0.0, 0.0, 0.0), **weights: float) -> np.ndarray:
    """Landmarks of a head 60 cm from a camera."""
    coefficients = np.zeros(52)
    for name, value in weights.items():
        coefficients[COEFFICIENT_INDEX[name]] = value
    pose = Pose(axis_angle_matrix(turn), np.array([0.01, -0.03, -0.6]))
    return Camera(1280, 720, 1000.0).project(pose.apply(shape.points(coefficients, np.zeros(4))))


def both(name: str, value: float) -> dict[str, float]:
    return {name: value, mirrored_name(name): value}


def test_shape_and_range(regressor, shape):
    out = regressor.coefficients(see(shape, (0.1, 0.3, -0.2), jawOpen=1.0, eyeBlinkLeft=1.0))
    assert out.shape == (52,)
    assert out.dtype == np.float32
    assert out.min() >= 0.0
    assert out.max() <= 1.0


def test_rest_is_nearly_zero(regressor, shape):
    out = regressor.coefficients(see(shape))
    assert out.max() < 0.25, COEFFICIENT_NAMES[int(out.argmax())]
    assert out.mean() < 0.03


@pytest.mark.parametrize(
    "name",
    ["jawOpen", "eyeBlinkLeft", "mouthSmileLeft", "mouthPucker", "mouthFunnel", "browDownLeft"],
)
def test_answer_grows_with_the_expression(regressor, shape, name):
    answers = [regressor.coefficients(see(shape, **both(name, value))) for value in STEPS]
    curve = np.array(answers)[:, COEFFICIENT_INDEX[name]]
    assert np.all(np.diff(curve) > -0.02), curve
    assert curve[-1] > curve[0] + 0.5
    assert np.corrcoef(curve, STEPS)[0, 1] > 0.9


@pytest.mark.parametrize("turn", [(0.0, 0.4, 0.0), (0.25, 0.0, 0.0), (-0.2, -0.3, 0.3)])
def test_turned_heads_open_their_mouths_too(regressor, shape, turn):
    closed, opened = (
        regressor.coefficients(see(shape, turn, jawOpen=value))[COEFFICIENT_INDEX["jawOpen"]]
        for value in (0.0, 0.8)
    )
    assert closed < 0.15
    assert opened > 0.5


def test_sides_are_told_apart(regressor, shape):
    out = regressor.coefficients(see(shape, eyeBlinkLeft=1.0))
    left, right = out[COEFFICIENT_INDEX["eyeBlinkLeft"]], out[COEFFICIENT_INDEX["eyeBlinkRight"]]
    assert left > 0.6
    assert right < 0.2


def test_mirror_image_swaps_the_sides(regressor, shape):
    pixels = see(shape, (0.05, 0.1, 0.0), mouthSmileLeft=0.8, jawOpen=0.3, browDownRight=0.6)
    swapped = [COEFFICIENT_INDEX[mirrored_name(name)] for name in COEFFICIENT_NAMES]
    there = regressor.coefficients(pixels)
    back = regressor.coefficients((pixels * (-1, 1))[MIRRORED])[swapped]
    assert np.abs(there - back).max() < 0.25
    assert np.abs(there - back).mean() < 0.03


def test_similarity_makes_no_difference(regressor, shape):
    pixels = see(shape, (0.1, -0.2, 0.0), jawOpen=0.5, mouthSmileLeft=0.5)
    turn = axis_angle_matrix([0.0, 0.0, 0.6])[:2, :2]
    moved = 0.31 * pixels @ turn.T + (400, -90)
    np.testing.assert_allclose(
        regressor.coefficients(moved), regressor.coefficients(pixels), atol=1e-4
    )


def test_depth_is_not_used(regressor, shape):
    pixels = see(shape, jawOpen=0.5)
    with_depth = np.c_[pixels, np.random.default_rng(0).normal(size=478)]
    np.testing.assert_array_equal(
        regressor.coefficients(with_depth), regressor.coefficients(pixels)
    )


def test_calibration_quiets_a_face_at_rest(shape):
    model = load_head_model().landmark_model()
    rng, before, after = np.random.default_rng(4), [], []
    regressor = BlendshapeRegressor()
    for _ in range(12):
        identity = rng.standard_normal(len(model.identity))
        someone = LandmarkShape.from_model(model, identity).with_meeting_lids()
        seen = [see(someone, turn) for turn in ((0.0, 0.0, 0.0), (0.1, 0.2, 0.0))]
        regressor.calibrate(None)
        before.append(regressor.coefficients(seen[1]).sum())
        regressor.calibrate(seen[0])
        after.append(regressor.coefficients(seen[1]).sum())
    assert np.mean(after) < 0.95 * np.mean(before)


def test_forgetting_a_person(regressor, shape):
    pixels = see(shape, jawOpen=0.4)
    first = regressor.coefficients(pixels)
    regressor.calibrate(see(shape, mouthSmileLeft=0.3))
    assert np.abs(regressor.coefficients(pixels) - first).max() > 0.01
    regressor.calibrate(None)
    np.testing.assert_array_equal(regressor.coefficients(pixels), first)


def test_unseen_channels_stay_at_zero(regressor, shape):
    assert REGRESSION_VALIDITY.shape == (52,)
    assert not REGRESSION_VALIDITY[COEFFICIENT_INDEX["tongueOut"]]
    assert regressor.validity is REGRESSION_VALIDITY
    rng = np.random.default_rng(5)
    for _ in range(20):
        out = regressor.coefficients(see(shape) + rng.normal(0, 8, (478, 2)))
        assert np.all(out[~REGRESSION_VALIDITY] == 0.0)


@pytest.mark.parametrize(
    "points", [np.zeros((478, 2)), np.zeros((1, 478, 2)), np.full((478, 3), np.nan), np.eye(3)]
)
def test_bad_points_are_refused(regressor, points):
    with pytest.raises(ValueError, match="landmarks"):
        regressor.coefficients(points)


def test_normalising_alone_gives_the_same(regressor, shape):
    pixels = see(shape, (0.0, 0.2, 0.1), jawOpen=0.5)
    landmarks = normalize_landmarks(pixels)
    np.testing.assert_array_equal(
        regressor.run_normalized(landmarks), regressor.coefficients(pixels)
    )


def test_template_is_the_head_asset(regressor):
    made = LandmarkNormalizer.from_model(load_head_model().landmark_model())
    gap = np.abs(regressor.normalizer.template - made.template).max()
    assert gap < 0.01, "the head asset has changed: run tools/regression/train.py"


def test_file_is_small_and_runs_everywhere():
    pytest.importorskip("onnx", reason="needs onnx; pip install 'lifemask[train]'")
    data = regression_model_bytes()
    assert len(data) <= 1_000_000
    check_onnx(data, "blendshape_regression")


def test_metadata_says_what_goes_in_and_comes_out():
    onnx = pytest.importorskip("onnx", reason="needs onnx; pip install 'lifemask[train]'")
    model = onnx.load_model_from_string(regression_model_bytes())
    assert (model.ir_version, [o.version for o in model.opset_import]) == (8, [15])
    meta = {entry.key: entry.value for entry in model.metadata_props}
    assert meta["schema_version"] == REGRESSION_SCHEMA
    assert tuple(meta["coefficients"].split(",")) == COEFFICIENT_NAMES
    assert set(meta["unseen"].split(",")) == REGRESSION_UNSEEN
    assert np.shape(json.loads(meta["normalization_template"])) == (478, 4)
    assert meta["license"] == "Apache-2.0"
    assert {"input", "output", "normalization", "trained_by", "head_asset"} <= set(meta)


def changed_model(change) -> bytes:
    onnx = pytest.importorskip("onnx", reason="needs onnx; pip install 'lifemask[train]'")
    model = onnx.load_model_from_string(regression_model_bytes())
    change(model)
    return model.SerializeToString()


def set_meta(key: str, value: str):
    def change(model) -> None:
        for entry in model.metadata_props:
            if entry.key == key:
                entry.value = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_meta("schema_version", "99"), "schema version"),
        (set_meta("coefficients", "a,b"), "52 coefficients"),
        (set_meta("normalization_template", "[[1, 2"), "template"),
        (set_meta("normalization_template", "[[1, 2, 3, 4]]"), "template"),
    ],
)
def test_other_models_are_refused(change, reason):
    with pytest.raises(ModelFileError, match=reason) as caught:
        BlendshapeRegressor(changed_model(change))
    assert caught.value.hint


def test_rubbish_is_refused(tmp_path):
    path = tmp_path / "rubbish.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(ModelFileError, match="does not load"):
        BlendshapeRegressor(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="nowhere"):
        BlendshapeRegressor(tmp_path / "nowhere.onnx")


def test_onnxruntime_is_imported_late():
    code = "import sys, lifemask.rigging; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
