"""Fits that are kept and read again, and clips of one person and of two."""

from __future__ import annotations

import numpy as np
import pytest

from lifemask.avatar._evidence import Picture, pack_fits, unpack_fits
from lifemask.avatar._evidence_person import STRANGERS, strangest_clips
from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.heads import load_head_model
from lifemask.tracking import FaceLandmarks, PhotoFit


def fit_of(identity, *, seen, yaw=0.0, error=0.01) -> PhotoFit:
    """Return a fit with one identity to a face that has another one."""
    model = load_head_model()
    pose = Pose(axis_angle_matrix([0, yaw, 0.1]), np.array([0.01, 0, -0.7]))
    camera = Camera(640, 480, 900.0)
    truth = model.head(seen)
    points = truth.landmarks(truth.vertices()).astype(np.float64)
    pixels = camera.project(pose.apply(points))
    landmarks = FaceLandmarks(np.c_[pixels, np.zeros(len(pixels))].astype(np.float32), 640, 480)
    zeros = np.zeros(52)
    return PhotoFit(identity, zeros, np.zeros(4), pose, camera, error, landmarks)


def pictures_of(fits, sources):
    return [
        Picture(source, i, fit.landmarks, True)
        for i, (fit, source) in enumerate(zip(fits, sources, strict=True))
    ]


@pytest.fixture
def people():
    modes = load_head_model().mode_count
    rng = np.random.default_rng(3)
    return [rng.normal(0, 0.7, modes) for _ in range(2)]


def test_two_people_in_two_clips_are_told_from_one(people):
    middle = (people[0] + people[1]) / 2
    head = load_head_model().head(middle)
    yaws = (-0.2, 0.0, 0.2) * 2
    clips = (0, 0, 0, 1, 1, 1)
    mixed = [
        fit_of(middle, seen=people[clip], yaw=yaw) for clip, yaw in zip(clips, yaws, strict=True)
    ]
    apart, first, second = strangest_clips(head, pictures_of(mixed, clips), mixed)
    assert apart > STRANGERS
    assert (first, second) == (0, 1)
    same = [fit_of(middle, seen=people[0], yaw=yaw) for yaw in yaws]
    assert strangest_clips(head, pictures_of(same, clips), same)[0] < 0.4 * STRANGERS


def test_a_few_frames_or_photos_are_not_compared(people):
    head = load_head_model().head(people[0])
    fits = [fit_of(people[0], seen=people[1]) for _ in range(4)]
    assert strangest_clips(head, pictures_of(fits, (0, 0, 1, 1)), fits)[0] == 0
    photos = [Picture(i, None, fit.landmarks, True) for i, fit in enumerate(fits)]
    assert strangest_clips(head, photos, fits) == (0.0, -1, -1)


def test_fits_are_read_as_they_were_kept(people):
    fits = [fit_of(people[0], seen=people[1], yaw=yaw, error=yaw) for yaw in (0.1, 0.2)]
    pictures = pictures_of(fits, (0, 0))
    again = unpack_fits(pack_fits(fits), pictures)
    for one, other in zip(fits, again, strict=True):
        np.testing.assert_array_equal(one.identity, other.identity)
        np.testing.assert_array_equal(one.pose.rotation, other.pose.rotation)
        np.testing.assert_array_equal(one.pose.translation, other.pose.translation)
        assert one.camera == other.camera
        assert one.error_interocular == other.error_interocular
        assert one.landmarks is other.landmarks
    with pytest.raises(ValueError, match="other pictures"):
        unpack_fits(pack_fits(fits), pictures[:1])
