"""Blinks close on the eyes of the person whose head it is."""

from __future__ import annotations

import numpy as np
import pytest

from lifemask.heads import COEFFICIENT_INDEX, load_head_model
from lifemask.rigging import fit_blinks, scale_to_pupil_distance
from lifemask.tracking import LandmarkShape, blink_scales

_MIDDLE = {"eyeBlinkLeft": (386, 374), "eyeBlinkRight": (159, 145)}


def _gap(head, name: str, weight: float) -> float:
    coefficients = np.zeros(52, np.float32)
    coefficients[COEFFICIENT_INDEX[name]] = weight
    points = head.landmarks(head.vertices(coefficients))
    upper, lower = _MIDDLE[name]
    return float(points[upper, 1] - points[lower, 1])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["eyeBlinkLeft", "eyeBlinkRight"])
def test_lids_meet_at_weight_one(seed: int, name: str) -> None:
    model = load_head_model()
    identity = np.random.default_rng(seed).standard_normal(model.mode_count)
    head = fit_blinks(model.head(identity))
    assert _gap(head, name, 0.0) > 0.004
    assert abs(_gap(head, name, 1.0)) < 0.0015


def test_other_shapes_stay_as_they_are() -> None:
    head = load_head_model().head()
    fitted = fit_blinks(head)
    changed = np.flatnonzero((fitted.expression_deltas != head.expression_deltas).any(axis=(1, 2)))
    assert set(changed) == {COEFFICIENT_INDEX[name] for name in _MIDDLE}


def test_tracker_and_avatar_agree_on_what_a_closed_eye_is() -> None:
    model = load_head_model()
    identity = np.random.default_rng(7).standard_normal(model.mode_count)
    shape = LandmarkShape.from_model(model.landmark_model(), identity).with_meeting_lids()
    fitted = fit_blinks(model.head(identity))
    for name in _MIDDLE:
        row = COEFFICIENT_INDEX[name]
        np.testing.assert_allclose(
            shape.deltas[row], fitted.landmarks(fitted.expression_deltas[row]), atol=2e-6
        )


def test_scales_are_bounded_for_a_closed_eye() -> None:
    scales = blink_scales(np.zeros((478, 3)), np.zeros((52, 478, 3)))
    assert all(0.3 < scale < 1.6 for scale in scales.values())


def test_pupils_lie_the_given_distance_apart() -> None:
    head = scale_to_pupil_distance(load_head_model().head(), 0.060)
    assert np.linalg.norm(head.joints[4] - head.joints[5]) == pytest.approx(0.060, rel=1e-5)
    with pytest.raises(ValueError, match="pupil"):
        scale_to_pupil_distance(head, 0.63)
