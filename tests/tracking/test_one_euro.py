"""The vectorised filter against the authors' own, and what it does to a performance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from OneEuroFilter import OneEuroFilter as Oracle

from lifemask.capture import PerformanceFrame, TrackingState
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.tracking import OneEuroFilter, PerformanceSmoother, Smoothing


@pytest.mark.parametrize(("cutoff", "beta", "derivative"), [(1.0, 0.0, 1.0), (0.5, 0.7, 2.0)])
def test_agrees_with_the_authors_filter(cutoff, beta, derivative):
    random = np.random.default_rng(0)
    times = 1.0 + np.cumsum(random.uniform(0.005, 0.05, 200))
    values = np.cumsum(random.standard_normal((200, 4)), axis=0)
    ours = OneEuroFilter(cutoff, beta, derivative)
    oracles = [Oracle(60.0, cutoff, beta, derivative) for _ in range(4)]
    for time, row in zip(times, values, strict=True):
        expected = [one(value, time) for one, value in zip(oracles, row.tolist(), strict=True)]
        np.testing.assert_allclose(ours(row, float(time)), expected, rtol=1e-12, atol=1e-12)


def test_settings_may_differ_between_values():
    ours = OneEuroFilter(np.array([0.2, 50.0]), 0.0)
    ours([0.0, 0.0], 0.0)
    slow, fast = ours([1.0, 1.0], 1 / 30)
    assert slow < 0.1 < 0.85 < fast < 1.0


def test_time_that_stands_still_changes_nothing():
    ours = OneEuroFilter(1.0)
    ours([0.0], 1.0)
    before = ours([1.0], 1.1)
    np.testing.assert_array_equal(ours([9.0], 1.1), before)
    np.testing.assert_array_equal(ours([9.0], 1.0), before)


def test_reset_lets_the_next_value_pass():
    ours = OneEuroFilter(0.1)
    ours([0.0], 0.0)
    ours.reset()
    np.testing.assert_array_equal(ours([5.0], 0.1), [5.0])


@pytest.mark.parametrize("wrong", [(0.0, 0.0, 1.0), (1.0, -1.0, 1.0), (1.0, 0.0, 0.0)])
def test_meaningless_settings(wrong):
    with pytest.raises(ValueError):
        OneEuroFilter(*wrong)


def frames(count=120, noise=0.03):
    random = np.random.default_rng(1)
    for index in range(count):
        coefficients = np.full(52, 0.5, np.float32)
        coefficients += noise * random.standard_normal(52).astype(np.float32)
        turn = 0.01 * random.standard_normal(3)
        rotation = np.array([*turn, 1.0], np.float32)
        yield PerformanceFrame(
            capture_time_nanos=1_700_000_000_000_000_000 + round(index * 1e9 / 30),
            coefficients=np.clip(coefficients, 0, 1),
            head_rotation=rotation / np.linalg.norm(rotation),
            head_translation=np.array([0, 0, -0.6], np.float32),
            gaze=0.02 * random.standard_normal(4).astype(np.float32),
        )


def test_noise_at_rest_shrinks():
    smoother = PerformanceSmoother(Smoothing())
    raw = list(frames())
    smooth = [smoother(frame) for frame in raw]
    for name in ("coefficients", "head_rotation", "gaze"):
        before = np.std([getattr(f, name) for f in raw[30:]], axis=0).mean()
        after = np.std([getattr(f, name) for f in smooth[30:]], axis=0).mean()
        assert after < 0.75 * before, name
    assert all(abs(np.linalg.norm(f.head_rotation) - 1.0) < 1e-5 for f in smooth)
    assert all(f.head_rotation[3] >= 0 for f in smooth)


def test_blinks_come_through_in_time():
    smoother = PerformanceSmoother(Smoothing())
    lid = COEFFICIENT_INDEX["eyeBlinkLeft"]
    out = []
    for index, frame in enumerate(frames(40, noise=0.0)):
        values = np.zeros(52, np.float32)
        values[lid] = 1.0 if 20 <= index < 24 else 0.0
        out.append(smoother(replace(frame, coefficients=values)).coefficients[lid])
    assert out[21] > 0.75, "a blink must show within two frames"
    assert out[26] < 0.2


def test_opposite_quaternions_are_one_rotation():
    smoother = PerformanceSmoother(Smoothing())
    first, second = list(frames(2))
    turned = replace(first, head_rotation=np.array([0, 0.999, 0, 0.04], np.float32))
    flipped = replace(second, head_rotation=np.array([0, -0.999, 0, 0.04], np.float32))
    smoother(turned)
    result = smoother(flipped).head_rotation
    assert abs(result[1]) > 0.99, "the way between them leads over 180 degrees, not over zero"


def test_frames_without_a_face_pass_and_start_afresh():
    smoother = PerformanceSmoother(Smoothing())
    first, second, third = list(frames(3, noise=0.2))
    smoother(first)
    lost = replace(second, tracking_state=TrackingState.LOST)
    assert smoother(lost) is lost
    np.testing.assert_array_equal(smoother(third).coefficients, third.coefficients)


def test_noise_in_the_first_value_does_not_linger():
    slow = [OneEuroFilter(0.1, 0.0, settle=settle) for settle in (False, True)]
    values = [1.0, *[0.0] * 30]
    lingering, settled = (
        [one([value], index / 30)[0] for index, value in enumerate(values)][-1] for one in slow
    )
    assert settled < 0.1 < lingering
