"""Size, place and in-plane turn go; the direction from which a face is seen stays."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.heads import load_head_model
from lifemask.rigging import LandmarkNormalizer
from lifemask.tracking import MIRRORED


@pytest.fixture(scope="module")
def model():
    return load_head_model().landmark_model()


@pytest.fixture(scope="module")
def normalizer(model) -> LandmarkNormalizer:
    return LandmarkNormalizer.from_model(model)


def picture(points: np.ndarray, turn=(0.0, 0.0, 0.0), distance: float = 20.0) -> np.ndarray:
    """Pixels of a head seen from far away, where perspective plays no part."""
    camera = Camera(1000, 1000, 3000.0 * distance)
    pose = Pose(axis_angle_matrix(turn), np.array([0.0, 0.0, -distance]))
    return camera.project(pose.apply(points))


def person(model) -> np.ndarray:
    rng = np.random.default_rng(3)
    return model.neutral + np.tensordot(rng.standard_normal(len(model.identity)), model.identity, 1)


def test_template_comes_out_unchanged(model, normalizer):
    out = normalizer(picture(model.neutral))
    assert out.dtype == np.float32
    assert out.shape == (478, 2)
    np.testing.assert_allclose(out, normalizer.template[:, :2], atol=0.01)
    assert np.linalg.norm(out[33] - out[263]) == pytest.approx(1.0, abs=0.01)
    assert out[263, 0] > 0 > out[33, 0], "x points toward the subject's left"
    assert out[10, 1] > 0 > out[152, 1], "y points up"


@hypothesis.settings(deadline=None, max_examples=25)
@hypothesis.given(
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.05, 50.0),
    x=st.floats(-5000, 5000),
    y=st.floats(-5000, 5000),
)
def test_similarity_makes_no_difference(model, normalizer, angle, scale, x, y):
    pixels = picture(person(model), (0.2, -0.3, 0.1))
    turn = axis_angle_matrix([0.0, 0.0, angle])[:2, :2]
    moved = scale * pixels @ turn.T + (x, y)
    np.testing.assert_allclose(normalizer(moved), normalizer(pixels), atol=1e-4)


def test_view_direction_stays(model, normalizer):
    front, side = (normalizer(picture(model.neutral, (0.0, yaw, 0.0))) for yaw in (0.0, 0.5))
    # The tip of the nose lies in front of the eyes, so it moves with the turn.
    assert side[4, 0] - front[4, 0] > 0.1


def test_mirror_image_is_mirrored(model, normalizer):
    pixels = picture(person(model), (0.1, 0.25, 0.05))
    flipped = (pixels * (-1, 1))[MIRRORED]
    expected = (normalizer(pixels) * np.float32([-1, 1]))[MIRRORED]
    # The template is symmetric up to the precision of the embedding.
    np.testing.assert_allclose(normalizer(flipped), expected, atol=0.01)


def test_expression_does_not_move_the_rest(model, normalizer):
    jaw = model.neutral + model.expressions[17]
    still, moved = normalizer(picture(model.neutral)), normalizer(picture(jaw))
    assert np.abs(moved - still)[[33, 133, 263, 362, 168]].max() < 0.02
    assert still[152, 1] - moved[152, 1] > 0.15


def test_several_faces_at_once(model, normalizer):
    both = np.stack([picture(model.neutral), picture(person(model), (0.1, 0.2, 0.3))])
    together = normalizer(both)
    np.testing.assert_allclose(together, np.stack([normalizer(one) for one in both]), atol=1e-6)


@pytest.mark.parametrize("turn", [(0, 0, 0), (0.0, 0.25, 0.0), (-0.2, 0.1, 0.4)])
def test_neutral_offset_takes_the_person_out(model, normalizer, turn):
    face = person(model)
    offset = normalizer.neutral_offset(picture(face))
    template = normalizer(picture(model.neutral, turn))
    plain = normalizer(picture(face, turn)) - template
    known = normalizer(picture(face, turn), offset) - template
    assert np.sqrt(np.mean(known**2)) < 0.75 * np.sqrt(np.mean(plain**2))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((468, 2)), "shape"),
        (np.zeros((478, 1)), "shape"),
        (np.zeros(956), "shape"),
        (np.zeros((478, 2)), "span no face"),
        (np.outer(np.arange(478.0), [1.0, 2.0]), "span no face"),
        (np.full((478, 2), np.nan), "not finite"),
    ],
)
def test_bad_points_are_refused(normalizer, points, message):
    with pytest.raises(ValueError, match=message):
        normalizer(points)


def test_one_bad_value_is_enough(model, normalizer):
    points = picture(model.neutral)
    points[100, 1] = np.inf
    with pytest.raises(ValueError, match="not finite"):
        normalizer(points)
