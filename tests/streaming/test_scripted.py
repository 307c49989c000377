"""The built-in performance looks alive: it moves everything, smoothly, within limits."""

from __future__ import annotations

import numpy as np
import pytest

from lifemask.capture import ScriptedPerformance, TrackingState
from lifemask.geometry import quaternion_matrix
from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES

RATE = 60.0
SECONDS = 36.0


@pytest.fixture(scope="module")
def frames():
    return list(ScriptedPerformance(duration_seconds=SECONDS, rate_hz=RATE).frames())


@pytest.fixture(scope="module")
def curves(frames):
    return np.array([frame.coefficients for frame in frames])


def curve(curves, name):
    return curves[:, COEFFICIENT_INDEX[name]]


def test_length_and_times(frames):
    assert len(frames) == SECONDS * RATE
    times = np.array([frame.capture_time_nanos for frame in frames])
    np.testing.assert_allclose(times / 1e9, np.arange(len(frames)) / RATE, atol=1e-9)
    assert all(frame.tracking_state is TrackingState.TRACKED for frame in frames)


def test_same_everywhere_and_every_time(frames):
    again = ScriptedPerformance(duration_seconds=1.0, rate_hz=RATE).frames()
    for first, second in zip(frames, again, strict=False):
        np.testing.assert_array_equal(first.coefficients, second.coefficients)
        np.testing.assert_array_equal(first.head_rotation, second.head_rotation)


def test_rate_changes_nothing_but_the_sampling(frames):
    slow = list(ScriptedPerformance(duration_seconds=2.0, rate_hz=RATE / 2).frames())
    for index, frame in enumerate(slow):
        np.testing.assert_allclose(frame.coefficients, frames[2 * index].coefficients, atol=1e-5)


def test_values_are_coefficients(curves):
    assert curves.shape[1] == 52
    assert curves.min() >= 0.0 and curves.max() <= 1.0
    assert curves.dtype == np.float32


def test_blinks_are_whole_short_and_not_too_many(curves):
    for side in ("Left", "Right"):
        closed = curve(curves, f"eyeBlink{side}") > 0.9
        begins = np.flatnonzero(np.diff(closed.astype(int)) == 1)
        assert 6 <= len(begins) <= 25
        assert curve(curves, f"eyeBlink{side}").max() > 0.99
        assert closed.mean() < 0.06
        lengths = [np.argmin(closed[begin + 1 :]) for begin in begins[:-1]]
        assert max(lengths) / RATE < 0.4


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("mouthSmileLeft", 0.6),
        ("mouthSmileRight", 0.6),
        ("browInnerUp", 0.5),
        ("browDownLeft", 0.4),
        ("jawOpen", 0.35),
        ("mouthPucker", 0.4),
        ("mouthFunnel", 0.3),
        ("mouthPressLeft", 0.2),
        ("cheekSquintLeft", 0.3),
        ("eyeLookOutLeft", 0.3),
        ("eyeLookInLeft", 0.3),
    ],
)
def test_acts_happen(curves, name, least):
    assert curve(curves, name).max() >= least


def test_mouth_opens_and_closes_as_in_speech(curves):
    jaw = curve(curves, "jawOpen")[round(2.9 * RATE) : round(6.1 * RATE)]
    steps = np.sign(np.diff(jaw))
    turns = np.count_nonzero(np.diff(steps[steps != 0]))
    assert 6 <= turns <= 40
    assert np.ptp(jaw) > 0.15


def test_face_comes_to_rest(curves):
    mouth = [index for index, name in enumerate(COEFFICIENT_NAMES) if name[:3] in ("mou", "jaw")]
    assert curves[:, mouth].sum(axis=1).min() < 0.05


def test_motion_is_smooth(frames, curves):
    lids = [i for i, name in enumerate(COEFFICIENT_NAMES) if name.startswith("eye")]
    rest = np.delete(curves, lids, axis=1)
    assert np.abs(np.diff(rest, axis=0)).max() < 0.12
    # Also across the end of a cycle, and at a third of the step between frames.
    fine = [ScriptedPerformance().sample(11.8 + i / 180).coefficients for i in range(90)]
    assert np.abs(np.diff(np.delete(fine, lids, axis=1), axis=0)).max() < 0.045
    places = np.array([frame.head_translation for frame in frames])
    assert np.linalg.norm(np.diff(places, axis=0), axis=1).max() < 0.002


def test_head_turns_both_ways_and_stays_before_the_camera(frames):
    forward = np.array([quaternion_matrix(frame.head_rotation)[:, 2] for frame in frames])
    yaw = np.arctan2(forward[:, 0], forward[:, 2])
    pitch = np.arcsin(-forward[:, 1])
    assert yaw.max() > 0.3 and yaw.min() < -0.3
    assert np.abs(yaw).max() < 0.7 and np.abs(pitch).max() < 0.35
    turns = np.array([frame.head_rotation for frame in frames])
    np.testing.assert_allclose(np.linalg.norm(turns, axis=1), 1.0, atol=1e-6)
    assert np.abs((turns[1:] * turns[:-1]).sum(axis=1)).min() > 0.9995
    places = np.array([frame.head_translation for frame in frames])
    np.testing.assert_allclose(np.median(places, axis=0), [0, 0, -0.55], atol=0.01)
    assert np.abs(places - [0, 0, -0.55]).max() < 0.05


def test_eyes_jump_and_rest_and_agree(frames):
    gaze = np.array([frame.gaze for frame in frames])
    assert np.abs(gaze).max() < 0.6
    # Both eyes point at the same thing: equal pitch, yaws that differ by the vergence only.
    np.testing.assert_array_equal(gaze[:, 1], gaze[:, 3])
    np.testing.assert_allclose(gaze[:, 2] - gaze[:, 0], 0.1127, atol=1e-3)
    speed = np.abs(np.diff(gaze[:, 0])) * RATE
    assert np.median(speed) < 0.3 < 2.0 < speed.max()


def test_eyes_counter_the_head(frames):
    forward = np.array([quaternion_matrix(frame.head_rotation)[:, 2] for frame in frames])
    yaw = np.arctan2(forward[:, 0], forward[:, 2])
    gaze = np.array([frame.gaze[[0, 2]].mean() for frame in frames])
    assert np.corrcoef(yaw, gaze)[0, 1] < -0.6


def test_lids_follow_the_eyes(frames):
    for frame in frames[::7]:
        for side, (yaw, pitch) in (("Left", frame.gaze[:2]), ("Right", frame.gaze[2:])):
            look = {
                way: frame.coefficients[COEFFICIENT_INDEX[f"eyeLook{way}{side}"]]
                for way in ("In", "Out", "Up", "Down")
            }
            outward = yaw if side == "Left" else -yaw
            assert look["In"] * look["Out"] == 0 == look["Up"] * look["Down"]
            assert (look["Out"] > 0) == (outward > 0)
            assert (look["Up"] > 0) == (pitch > 0)


@pytest.mark.parametrize("facts", [{"rate_hz": 0}, {"rate_hz": -1}, {"duration_seconds": 0}])
def test_impossible_performances(facts):
    with pytest.raises(ValueError, match="positive"):
        ScriptedPerformance(**facts)


def test_endless_without_a_duration():
    frames = ScriptedPerformance(rate_hz=1.0).frames()
    assert [next(frames).capture_time_nanos for _ in range(100)][-1] == 99_000_000_000
