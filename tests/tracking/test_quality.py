"""Jitter and lag, of the filter alone and with the landmarker in the loop."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks._driven import forehead_jitter, lag_frames, still, sweep, watch

from lifemask.capture import PerformanceFrame
from lifemask.geometry import Pose, axis_angle_matrix, matrix_axis_angle, matrix_quaternion
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX
from lifemask.tracking import (
    FrameSolver,
    PerformanceSmoother,
    Smoothing,
    fit_performer,
    solve_clip,
)

JAW = COEFFICIENT_INDEX["jawOpen"]


def smoothed(poses, coefficients):
    smoother = PerformanceSmoother(Smoothing())
    return [
        smoother(
            PerformanceFrame(
                1 + round(index * 1e9 / 30),
                np.asarray(values, np.float32),
                head_rotation=matrix_quaternion(pose.rotation).astype(np.float32),
                head_translation=pose.translation.astype(np.float32),
            )
        )
        for index, (pose, values) in enumerate(zip(poses, coefficients, strict=True))
    ]


def pose_of(frame):
    return Pose.from_quaternion(
        frame.head_rotation.astype(np.float64), frame.head_translation.astype(np.float64)
    )


def test_a_known_lag_is_measured():
    times = np.arange(90) / 30
    wave = np.sin(2 * np.pi * 2.0 * times)
    for late in (0.0, 0.4, 1.0, 2.3):
        shifted = np.sin(2 * np.pi * 2.0 * (times - late / 30))
        assert lag_frames(wave, shifted) == pytest.approx(late, abs=0.08)


@pytest.mark.parametrize("hertz", [1.0, 2.0, 3.5, 5.0])
def test_the_filter_comes_at_most_one_frame_late(hertz):
    times = np.arange(120) / 30
    wave = np.sin(2 * np.pi * hertz * times)
    poses = [
        Pose(axis_angle_matrix([0.0, np.radians(7) * w, 0.0]), np.array([0.0, 0.0, -0.55]))
        for w in wave
    ]
    values = np.zeros((len(times), COEFFICIENT_COUNT))
    values[:, JAW] = 0.25 + 0.25 * wave
    frames = smoothed(poses, values)
    yaw = np.array([matrix_axis_angle(pose_of(frame).rotation)[1] for frame in frames])
    jaw = np.array([frame.coefficients[JAW] for frame in frames])
    assert lag_frames(wave, yaw) <= 1.0
    assert lag_frames(wave, jaw) <= 1.0


@pytest.fixture(scope="module")
def seen_still():
    return watch(still(3.0))


@pytest.mark.slow
@pytest.mark.needs("landmarker")
def test_a_still_forehead_stays_still(seen_still):
    performer = fit_performer(seen_still.faces)
    solver = FrameSolver(performer.shape, performer.camera)
    solved = [solver.solve(face) for face in seen_still.faces]
    frames = smoothed([one.pose for one in solved], [one.coefficients for one in solved])
    assert forehead_jitter(performer.shape.neutral, [pose_of(frame) for frame in frames]) <= 0.1


@pytest.mark.slow
@pytest.mark.needs("landmarker")
@pytest.mark.parametrize("name", ["yaw", "pitch", "jaw"])
def test_lag_with_the_landmarker_in_the_loop(name):
    clip = watch(sweep(name, 3.0))
    performer = fit_performer(clip.faces)
    solver = FrameSolver(performer.shape, performer.camera)
    live = [solver.solve(face) for face in clip.faces]
    offline = solve_clip(clip.faces, performer)
    frames = smoothed([one.pose for one in live], [one.coefficients for one in live])
    for limit, poses, values in (
        (1.0, [pose_of(f) for f in frames], [f.coefficients for f in frames]),
        (0.3, [o.pose for o in offline], [o.coefficients for o in offline]),
    ):
        if name == "jaw":
            true, found = clip.coefficients[:, JAW], np.array([v[JAW] for v in values])
        else:
            axis = ("pitch", "yaw").index(name)
            true = clip.turns[:, axis]
            found = np.array([matrix_axis_angle(pose.rotation)[axis] for pose in poses])
        assert lag_frames(true, found) <= limit
