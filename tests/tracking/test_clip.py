"""Solving a whole clip: calmer than frame by frame, without lag, the same in chunks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landmark_samples import HEIGHT, WIDTH, Truth, coefficients, landmark_model, make_pose, see
from lifemask.geometry import Camera
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.tracking import FrameSolver, LandmarkShape, Performer, solve_clip

JAW, SMILE = COEFFICIENT_INDEX["jawOpen"], COEFFICIENT_INDEX["mouthSmileLeft"]
BLINK = COEFFICIENT_INDEX["eyeBlinkLeft"]
RATE = 30.0


@pytest.fixture(scope="module")
def truths():
    """Two seconds: the jaw at 3 Hz, a smile that comes and stays, one blink, a turning head."""
    random = np.random.default_rng(17)
    identity = random.standard_normal(len(landmark_model().identity)) * 0.6
    camera = Camera(WIDTH, HEIGHT, 1.8 * WIDTH)
    out = []
    for index in range(60):
        seconds = index / RATE
        values = coefficients(
            jawOpen=0.4 - 0.4 * np.cos(2 * np.pi * 3.0 * seconds),
            mouthSmileLeft=0.7 * float(np.clip((index - 25) / 6, 0, 1)),
            mouthSmileRight=0.7 * float(np.clip((index - 25) / 6, 0, 1)),
            eyeBlinkLeft=float(index in (40, 41, 42)),
            eyeBlinkRight=float(index in (40, 41, 42)),
        )
        pose = make_pose((0.0, 0.3 * np.sin(2 * np.pi * seconds), 0.05))
        out.append(Truth(identity, values, np.zeros(4), pose, camera))
    return out


@pytest.fixture(scope="module")
def performer(truths):
    return Performer(
        LandmarkShape.from_model(landmark_model(), truths[0].identity), truths[0].camera
    )


@pytest.fixture(scope="module")
def faces(truths):
    return [see(truth, 1.2, seed=i) for i, truth in enumerate(truths)]


@pytest.fixture(scope="module")
def solved(faces, performer):
    return solve_clip(faces, performer, rate_hz=RATE)


def values(solutions):
    return np.array([one.coefficients for one in solutions])


def test_motion_is_followed_without_lag_and_in_full(truths, solved):
    truth, found = values(truths), values(solved)
    for column in (JAW, SMILE):
        shifts = range(-3, 4)
        score = [np.corrcoef(truth[5:-5, column], np.roll(found, -s, 0)[5:-5, column])[0, 1]
                 for s in shifts]  # fmt: skip
        assert shifts[int(np.argmax(score))] == 0
        gain = np.polyfit(truth[:, column], found[:, column], 1)[0]
        assert 0.8 < gain < 1.1
    np.testing.assert_array_equal(found[:, BLINK] > 0.5, truth[:, BLINK] > 0.5)


def test_calmer_than_frame_by_frame(truths, faces, performer, solved):
    solver = FrameSolver(performer.shape, performer.camera)
    single = [solver.solve(face) for face in faces]
    held = slice(33, 60)
    shake = [np.abs(np.diff(values(run)[held, SMILE], 2)).mean() for run in (single, solved)]
    assert shake[1] < 0.6 * shake[0]
    depth = [
        np.std(
            [
                a.pose.translation[2] - t.pose.translation[2]
                for a, t in zip(run, truths, strict=True)
            ]
        )
        for run in (single, solved)
    ]
    assert depth[1] < 0.7 * depth[0]


def test_lost_frames_stay_lost_and_nothing_reaches_across(faces, performer):
    gone = [*faces[:20], None, *faces[21:40]]
    found = solve_clip(gone, performer)
    assert [i for i, one in enumerate(found) if one is None] == [20]
    alone = solve_clip(faces[:20], performer)
    np.testing.assert_allclose(values(found[:20]), values(alone), atol=1e-9)


def test_chunks_that_overlap_agree_with_the_whole(faces, performer, solved):
    chunk = solve_clip(faces[15:50], performer)
    inside = slice(25, 40)
    np.testing.assert_allclose(values(chunk[10:25]), values(solved[inside]), atol=0.02)
    for one, other in zip(chunk[10:25], solved[inside], strict=True):
        np.testing.assert_allclose(one.pose.translation, other.pose.translation, atol=5e-5)


def test_a_cut_ends_a_run(truths, performer):
    cut = [*truths[:5], *(replace(t, pose=make_pose((0.0, -0.6, 0.2))) for t in truths[5:10])]
    faces = [see(truth, 0.3, seed=i) for i, truth in enumerate(cut)]
    whole, parts = (
        solve_clip(faces, performer),
        [
            *solve_clip(faces[:5], performer),
            *solve_clip(faces[5:], performer),
        ],
    )
    np.testing.assert_allclose(values(whole), values(parts), atol=1e-9)


def test_empty_and_single(faces, performer):
    assert solve_clip([], performer) == []
    assert solve_clip([None], performer) == [None]
    assert len(solve_clip(faces[:1], performer)) == 1
    with pytest.raises(ValueError, match="rate_hz"):
        solve_clip(faces[:1], performer, rate_hz=0.0)
