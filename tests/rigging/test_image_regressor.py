"""The image model and the mix of both models, on pictures of heads whose expression is known."""

from __future__ import annotations

import numpy as np
import pytest

from lifemask import ImageError, ModelFileError
from lifemask.evaluation.synthetic import synthetic_person
from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES
from lifemask.rendering import Renderer
from lifemask.rigging import (
    IMAGE_CROP_SIZE,
    IMAGE_UNSEEN,
    IMAGE_VALIDITY,
    REGRESSION_VALIDITY,
    FaceRegressor,
    ImageRegression,
    LandmarkNormalizer,
    LiveRegression,
    check_onnx,
    face_crop,
    image_model_bytes,
    regression_model_bytes,
)
from lifemask.tracking import FaceLandmarks

CAMERA = Camera(240, 240, 500.0)


class Sitter:
    """Somebody who was not trained on, before a grey wall."""

    def __init__(self, seed: int = 41) -> None:
        person = synthetic_person(seed, texture_size=256)
        self.head = person.head
        self.renderer = Renderer(person.head, person.textures, supersampling=1, refine=False)

    def sit(self, turn=(0.0, 0.0, 0.0), gaze=(0.0,) * 4, **weights: float):
        """Return picture and landmarks."""
        coefficients = np.zeros(52, np.float32)
        for name, value in weights.items():
            coefficients[COEFFICIENT_INDEX[name]] = value
        rotation = axis_angle_matrix(turn)
        pose = Pose(rotation, np.array([0, 0, -0.6]) - rotation @ np.array([0, 0.015, 0.05]))
        vertices = self.head.vertices(coefficients, gaze=np.array(gaze, np.float32))
        picture = self.renderer.render(
            vertices, pose=pose, camera=CAMERA, background=(120, 120, 120)
        )
        points = self.head.landmarks(vertices).astype(np.float64)
        return picture, CAMERA.project(pose.apply(points))

    def crop(self, *args, **weights: float) -> np.ndarray:
        return face_crop(*self.sit(*args, **weights))


@pytest.fixture(scope="module")
def sitter() -> Sitter:
    return Sitter()


@pytest.fixture(scope="module")
def model(sitter) -> ImageRegression:
    model = ImageRegression()
    model.calibrate(sitter.crop()[None])
    return model


def test_shape_and_range(model, sitter):
    answer = model.run(sitter.crop(jawOpen=1.0))
    assert answer.coefficients.shape == (52,)
    assert answer.gaze.shape == (4,)
    assert 0.0 <= answer.coefficients.min() <= answer.coefficients.max() <= 1.0
    assert model.validity is IMAGE_VALIDITY
    assert np.all(answer.coefficients[~IMAGE_VALIDITY] == 0.0)


def test_rest_is_nearly_zero(model, sitter):
    out = model.run(sitter.crop()).coefficients
    assert out.max() < 0.35, COEFFICIENT_NAMES[int(out.argmax())]
    assert out.mean() < 0.04


@pytest.mark.parametrize("name", ["jawOpen", "eyeBlinkLeft", "mouthSmileLeft"])
def test_answer_grows_with_the_expression(model, sitter, name):
    both = {name} | {name.replace("Left", "Right")}
    curve = [
        model.run(sitter.crop(**dict.fromkeys(both, value))).coefficients[COEFFICIENT_INDEX[name]]
        for value in (0.0, 0.5, 1.0)
    ]
    assert curve[0] < curve[1] < curve[2]
    assert curve[2] > curve[0] + 0.3


def test_sides_are_told_apart(model, sitter):
    out = model.run(sitter.crop(eyeBlinkLeft=1.0)).coefficients
    left, right = (out[COEFFICIENT_INDEX[f"eyeBlink{side}"]] for side in ("Left", "Right"))
    assert left > right + 0.2


def test_gaze_follows_the_eyes(model, sitter):
    aside = model.run(sitter.crop(gaze=(0.4, 0.0, 0.4, 0.0))).gaze
    other = model.run(sitter.crop(gaze=(-0.4, 0.0, -0.4, 0.0))).gaze
    assert np.all(aside[[0, 2]] > other[[0, 2]] + 0.3)


def test_crop_is_upright_and_shows_the_face_where_it_belongs(sitter):
    picture, points = sitter.sit()
    straight = face_crop(picture, points).astype(float)
    turned = np.ascontiguousarray(np.rot90(picture))
    moved = np.c_[points[:, 1], CAMERA.width - points[:, 0]]
    back = face_crop(turned, moved).astype(float)
    assert straight.shape == (IMAGE_CROP_SIZE, IMAGE_CROP_SIZE)
    assert np.abs(straight - back).mean() < 6.0


def test_similarity_agrees_with_the_landmarks(sitter):
    _, points = sitter.sit((0.1, 0.3, 0.2))
    from lifemask.heads import load_head_model

    normalizer = LandmarkNormalizer.from_model(load_head_model().landmark_model())
    matrix = normalizer.similarity(points)
    np.testing.assert_allclose(
        points @ matrix[:, :2].T + matrix[:, 2], normalizer(points), atol=1e-4
    )


def test_forgetting_a_person(sitter):
    model, crop = ImageRegression(), sitter.crop(mouthSmileLeft=0.6, mouthSmileRight=0.6)
    first = model.run(crop).coefficients
    model.calibrate(sitter.crop()[None])
    assert np.abs(model.run(crop).coefficients - first).max() > 0.005
    model.calibrate(None)
    np.testing.assert_array_equal(model.run(crop).coefficients, first)


def test_bad_input_is_refused(model, sitter):
    picture, points = sitter.sit()
    with pytest.raises(ImageError, match="picture"):
        face_crop(picture.astype(float), points)
    with pytest.raises(ValueError, match="landmarks"):
        face_crop(picture, points[:7])
    with pytest.raises(ValueError, match="crop"):
        model.run(picture[..., 0])


def test_file_is_small_and_runs_everywhere():
    onnx = pytest.importorskip("onnx", reason="needs onnx; pip install 'lifemask[train]'")
    data = image_model_bytes()
    assert len(data) <= 2_000_000
    check_onnx(data, "image_regression")
    meta = {e.key: e.value for e in onnx.load_model_from_string(data).metadata_props}
    assert tuple(meta["coefficients"].split(",")) == COEFFICIENT_NAMES
    assert set(meta["unseen"].split(",")) == IMAGE_UNSEEN
    assert "no photograph" in meta["data"]


def test_other_networks_are_refused():
    with pytest.raises(ModelFileError, match="shapes"):
        ImageRegression(regression_model_bytes())
    with pytest.raises(ModelFileError, match="does not load"):
        ImageRegression(b"not a network")


def test_mix_takes_what_it_is_given(sitter):
    faces = FaceRegressor()
    picture, points = sitter.sit(jawOpen=0.8)
    crop = face_crop(picture, points)
    both, told = faces.estimate(points, crop), faces.estimate(points)
    seen = faces.estimate(crop=crop)
    np.testing.assert_array_equal(told.validity, REGRESSION_VALIDITY)
    np.testing.assert_array_equal(seen.validity, IMAGE_VALIDITY)
    np.testing.assert_array_equal(both.validity, REGRESSION_VALIDITY | IMAGE_VALIDITY)
    each = np.stack([told.coefficients, seen.coefficients])
    assert np.all(each.min(axis=0) - 1e-6 <= both.coefficients)
    assert np.all(both.coefficients <= each.max(axis=0) + 1e-6)
    with pytest.raises(ValueError, match="landmarks, a crop"):
        faces.estimate()


def test_smoothing_is_causal_and_as_late_as_it_says(sitter):
    faces = FaceRegressor(smoothing_ms=100.0)
    index = COEFFICIENT_INDEX["jawOpen"]
    closed, opened = sitter.sit()[1], sitter.sit(jawOpen=1.0)[1]
    faces.estimate(closed, time_seconds=0.0)
    low = faces.estimate(closed, time_seconds=0.01).coefficients[index]
    high = FaceRegressor().estimate(opened).coefficients[index]
    after = faces.estimate(opened, time_seconds=0.11).coefficients[index]
    assert (after - low) / (high - low) == pytest.approx(1 - np.exp(-1), abs=0.02)
    again = faces.estimate(opened, time_seconds=5.0).coefficients[index]
    assert again == pytest.approx(high, abs=1e-5), "a pause begins anew"
    with pytest.raises(ValueError, match="time_seconds"):
        faces.estimate(opened)
    with pytest.raises(ValueError, match="smoothing_ms"):
        FaceRegressor(smoothing_ms=-1.0)


def test_live_mix_leaves_the_solver_what_the_models_do_not_see(sitter):
    live = LiveRegression()
    picture, points = sitter.sit(jawOpen=0.8)
    face = FaceLandmarks(np.c_[points, np.zeros(len(points))].astype(np.float32), 240, 240)
    answer = live(picture, face)
    np.testing.assert_allclose(
        answer, FaceRegressor().estimate(points, face_crop(picture, points)).coefficients, atol=1e-4
    )
    seen = REGRESSION_VALIDITY | IMAGE_VALIDITY
    assert np.all(live.shares[~seen] == 0.0)
    assert np.all(live.shares[seen] == 0.5)
