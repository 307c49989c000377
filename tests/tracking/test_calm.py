"""The tremble of a still head goes, motion stays where it is."""

import numpy as np
import pytest

from lifemask.geometry import Pose, axis_angle_matrix
from lifemask.tracking._calm import calm_poses, calm_values

RATE = 30.0
MIDDLE = np.array([0.0, 0.02, 0.09])


def trembling(turns, places, seed=0):
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((len(turns), 6)) * [3e-4, 3e-4, 3e-4, 2e-5, 2e-5, 1.5e-4]
    poses = []
    for turn, place, off in zip(turns, places, noise, strict=True):
        rotation = axis_angle_matrix(turn + off[:3])
        poses.append(Pose(rotation, place + off[3:] - rotation @ MIDDLE))
    return poses


def of_the_face(poses):
    return np.array([pose.apply(MIDDLE) for pose in poses])


def test_a_still_head_comes_to_rest():
    count = 120
    poses = trembling(np.zeros((count, 3)), np.tile([0.0, 0.0, -0.6], (count, 1)))
    places = of_the_face(calm_poses(poses, MIDDLE, RATE))
    before = of_the_face(poses).std(axis=0)
    assert np.all(places.std(axis=0) < 0.3 * before)
    assert places[:, 2].std() < 5e-5


def test_a_nod_is_neither_late_nor_smaller():
    times = np.arange(150) / RATE
    turns = np.zeros((150, 3))
    turns[:, 0] = 0.15 * np.sin(2 * np.pi * 2.0 * times)
    poses = trembling(turns, np.tile([0.0, 0.0, -0.6], (150, 1)))
    calm = np.array([pose.rotation[1, 2] for pose in calm_poses(poses, MIDDLE, RATE)])
    assert np.abs(calm - -np.sin(turns[:, 0])).max() < 0.005


def test_a_head_that_comes_nearer_and_stops():
    away = np.interp(np.arange(120), [40, 60], [-0.7, -0.5])
    poses = trembling(np.zeros((120, 3)), np.stack([0 * away, 0 * away, away], axis=1))
    error = of_the_face(calm_poses(poses, MIDDLE, RATE))[:, 2] - away
    assert np.abs(error).max() < 0.005
    assert np.abs(error[10:30]).max() < 5e-4


@pytest.mark.parametrize("count", [1, 2, 9])
def test_short_runs_pass_as_they_are(count):
    poses = trembling(np.zeros((count, 3)), np.tile([0.0, 0.0, -0.6], (count, 1)))
    assert calm_poses(poses, MIDDLE, RATE) == poses


def test_values_without_noise_stay():
    steps = np.repeat([[0.0], [1.0]], 40, axis=0)
    assert np.abs(calm_values(steps, np.array([1e-4]), RATE) - steps).max() < 0.5
    line = np.linspace(0.0, 1.0, 80)[:, None]
    assert np.abs(calm_values(line, np.array([1e-4]), RATE) - line).max() < 1e-9
