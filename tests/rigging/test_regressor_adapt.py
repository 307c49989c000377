"""A landmark model that was fitted to a person, and the file that carries it."""

from __future__ import annotations

import numpy as np
import pytest

from lifemask import ModelFileError
from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.heads import COEFFICIENT_INDEX, load_head_model
from lifemask.rigging import (
    BlendshapeRegressor,
    adapt_regressor,
    check_onnx,
    regression_model_bytes,
)
from lifemask.rigging._onnx_weights import add_metadata, read_weight, replace_weights
from lifemask.tracking import LandmarkShape


@pytest.fixture(scope="module")
def clip() -> tuple[np.ndarray, np.ndarray]:
    """Somebody far from the average who rests, smiles, opens the mouth and blinks."""
    model = load_head_model().landmark_model()
    identity = 1.2 * np.random.default_rng(8).standard_normal(len(model.identity))
    shape = LandmarkShape.from_model(model, identity).with_meeting_lids()
    rng, camera = np.random.default_rng(2), Camera(1280, 720, 1000.0)
    wanted = np.zeros((160, 52))
    for name, first in (("jawOpen", 20), ("mouthSmileLeft", 55), ("eyeBlinkLeft", 90)):
        wave = np.sin(np.linspace(0, np.pi, 30)) ** 2
        for side in (name, name.replace("Left", "Right")):
            wanted[first : first + 30, COEFFICIENT_INDEX[side]] = wave
    points = []
    for row in wanted:
        pose = Pose(axis_angle_matrix(0.05 * rng.standard_normal(3)), np.array([0, 0, -0.6]))
        points.append(camera.project(pose.apply(shape.points(row, np.zeros(4)))))
    return np.array(points), wanted


@pytest.fixture(scope="module")
def adapted(clip) -> bytes:
    return adapt_regressor(*clip)


def answers(model: BlendshapeRegressor, points: np.ndarray) -> np.ndarray:
    return np.stack([model.coefficients(one) for one in points])


def test_person_is_known_better(clip, adapted):
    points, wanted = clip
    before = np.abs(answers(BlendshapeRegressor(), points) - wanted).mean()
    after = np.abs(answers(BlendshapeRegressor(adapted), points) - wanted).mean()
    assert after < 0.9 * before


def test_file_is_a_complete_network(adapted):
    pytest.importorskip("onnx", reason="needs onnx; pip install 'lifemask[train]'")
    check_onnx(adapted, "adapted")
    assert len(adapted) < 1_100_000


def test_same_clip_same_bytes(clip, adapted):
    assert adapt_regressor(*clip) == adapted


def test_frames_without_a_face_are_left_out(clip, adapted):
    points, wanted = (np.concatenate([part, np.full_like(part[:5], np.nan)]) for part in clip)
    assert adapt_regressor(points, wanted) == adapted


def test_too_short_a_clip_changes_nothing(clip):
    points, wanted = clip
    assert adapt_regressor(points[:20], wanted[:20]) == regression_model_bytes()


def test_shapes_have_to_go_together(clip):
    points, wanted = clip
    with pytest.raises(ValueError, match="coefficients"):
        adapt_regressor(points, wanted[:-1])
    with pytest.raises(ValueError, match="landmarks"):
        adapt_regressor(points[:, :400], wanted)


def test_weights_are_read_and_replaced_as_onnx_does():
    onnx = pytest.importorskip("onnx", reason="needs onnx; pip install 'lifemask[train]'")
    from onnx import numpy_helper

    data = regression_model_bytes()
    graph = onnx.load_model_from_string(data).graph
    for weight in graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT and weight.dims:
            np.testing.assert_array_equal(
                read_weight(data, weight.name), numpy_helper.to_array(weight)
            )
    changed = replace_weights(data, {"bias2": 2.0 * read_weight(data, "bias2")})
    model = onnx.load_model_from_string(add_metadata(changed, "person", "näher"))
    found = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    np.testing.assert_array_equal(found["bias2"], 2.0 * read_weight(data, "bias2"))
    np.testing.assert_array_equal(found["weight2"], read_weight(data, "weight2"))
    assert {e.key: e.value for e in model.metadata_props}["person"] == "näher"


def test_rubbish_cannot_be_changed(clip):
    data = regression_model_bytes()
    with pytest.raises(ModelFileError, match="no weight"):
        read_weight(data, "nothing")
    with pytest.raises(ModelFileError, match="shape"):
        replace_weights(data, {"bias2": np.zeros(3, np.float32)})
    with pytest.raises(ModelFileError):
        read_weight(data[: len(data) // 2], "bias2")
    with pytest.raises(ModelFileError):
        adapt_regressor(*clip, model=b"\xff" * 50)
