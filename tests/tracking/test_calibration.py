"""Gain and offset of a person."""

from __future__ import annotations

import json

import numpy as np
import pytest

from landmark_samples import BlankImages, PlayedLandmarker, coefficients, make_pose
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.tracking import Calibration, FrameSolution, TrackedPerformance

SMILE, BROW, BLINK = (
    COEFFICIENT_INDEX[n] for n in ("mouthSmileLeft", "browInnerUp", "eyeBlinkLeft")
)


def solution(**values):
    return FrameSolution(coefficients(**values), np.zeros(4), make_pose(), 0.01)


def clip(brow_rest=0.3, smile=0.6, blink=0.6, frames=120):
    """Somebody who rests with raised brows, smiles once and blinks twice."""
    random = np.random.default_rng(5)
    out = []
    for index in range(frames):
        shaken = 0.005 * random.standard_normal(3)
        amount = max(0.0, np.sin((index - 40) / 40 * np.pi)) if 40 <= index < 80 else 0.0
        out.append(
            solution(
                browInnerUp=float(np.clip(brow_rest + shaken[0], 0, 1)),
                mouthSmileLeft=float(np.clip(smile * amount + shaken[1], 0, 1)),
                eyeBlinkLeft=float(
                    np.clip(blink * (index in (20, 21, 22, 90, 91)) + shaken[2], 0, 1)
                ),
            )
        )
    return out


def test_rest_becomes_zero_and_what_is_active_stays():
    solutions = clip()
    calibration = Calibration.from_clip(solutions)
    values = calibration([one.coefficients for one in solutions])
    assert calibration.offsets[BROW] == pytest.approx(0.3, abs=0.02)
    assert values[:, BROW].mean() < 0.02
    assert calibration.offsets[SMILE] < 0.02
    assert values[60, SMILE] > 0.4


def test_weak_blinks_grow_within_bounds():
    weak, dead = (Calibration.from_clip(clip(blink=b)) for b in (0.62, 0.1))
    assert 1.2 < weak.gains[BLINK] <= 1.4
    assert dead.gains[BLINK] == 1.0, "a person who did not blink says nothing about blinks"
    strong = Calibration.from_clip(clip(smile=1.0))
    assert strong.gains[SMILE] == 0.75


def test_a_smile_throughout_is_not_taken_for_rest_entirely():
    held = [solution(mouthSmileLeft=0.9) for _ in range(60)]
    calibration = Calibration.from_clip(held)
    assert calibration(held[0].coefficients)[SMILE] > 0.25


def test_too_little_changes_nothing():
    calibration = Calibration.from_clip([None, *clip(frames=12)])
    np.testing.assert_array_equal(calibration.gains, 1.0)
    np.testing.assert_array_equal(calibration.offsets, 0.0)


def test_written_and_read_again():
    calibration = Calibration.from_clip(clip())
    again = Calibration.from_json(json.loads(json.dumps(calibration.to_json())))
    np.testing.assert_allclose(again.gains, calibration.gains, atol=1e-4)
    np.testing.assert_allclose(again.offsets, calibration.offsets, atol=1e-4)
    assert Calibration.neutral().to_json() == {}
    for wrong in ({"nose": {"gain": 1, "offset": 0}}, {"jawOpen": {"gain": 1}}, {"jawOpen": 3}):
        with pytest.raises(ValueError):
            Calibration.from_json(wrong)
    with pytest.raises(ValueError):
        Calibration(np.ones(3), np.zeros(3))


def test_applied_once_where_frames_leave_the_tracker():
    calibration = Calibration(np.full(52, 0.5), np.zeros(52))
    one = solution(browInnerUp=0.8)
    assert one.performance_frame(1, calibration).coefficients[BROW] == pytest.approx(0.4)
    assert one.performance_frame(1).coefficients[BROW] == pytest.approx(0.8)


def test_gaze_and_tongue_are_left_alone():
    looking = [solution(eyeLookUpLeft=0.4, tongueOut=0.0) for _ in range(60)]
    calibration = Calibration.from_clip(looking)
    up = COEFFICIENT_INDEX["eyeLookUpLeft"]
    assert calibration.offsets[up] == 0.0 and calibration.gains[up] == 1.0


def test_a_performance_takes_it(sample_faces):
    plain, halved = (
        list(
            TrackedPerformance(
                BlankImages(len(sample_faces)),
                landmarker=PlayedLandmarker(sample_faces),
                calibration=calibration,
            ).frames()
        )
        for calibration in (None, Calibration(np.full(52, 0.5), np.zeros(52)))
    )
    for one, other in zip(plain, halved, strict=True):
        np.testing.assert_allclose(other.coefficients, 0.5 * one.coefficients, atol=1e-6)


@pytest.fixture
def sample_faces():
    from landmark_samples import Truth, landmark_model, see
    from lifemask.geometry import Camera

    zeros = np.zeros(len(landmark_model().identity))
    camera = Camera(960, 720, 1700.0)
    return [
        see(Truth(zeros, coefficients(jawOpen=0.1 * i), np.zeros(4), make_pose(), camera), seed=i)
        for i in range(5)
    ]
