"""Heads whose outlines meet the edge of a face that landmarks say nothing of."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from lifemask.geometry import Camera, Pose, axis_angle_matrix, rasterize
from lifemask.heads import load_head_model
from lifemask.rigging import outline_pictures, refine_shape
from lifemask.tracking import FaceLandmarks, PhotoFit

CAMERA = Camera(512, 512, 1000.0)
YAWS = (0.0, -0.9, -0.5, 0.5, 0.9)
SKIN, HAIR, WALL = (200, 150, 130), (45, 35, 32), (70, 90, 120)


@pytest.fixture(scope="module")
def model():
    return load_head_model()


@pytest.fixture(scope="module")
def head(model):
    return model.head()


@pytest.fixture(scope="module")
def person(head):
    """Return the mean head with a nose and a chin that stand out further."""
    points = head.neutral.astype(np.float64)
    marks = head.landmarks(head.neutral)
    for number, push in ((1, 0.004), (199, 0.003)):
        away = np.linalg.norm(points - marks[number], axis=1)
        points[:, 2] += push * np.exp(-0.5 * (away / 0.02) ** 2)
    return replace(head, neutral=points.astype(np.float32))


def fitted(head, yaw: float) -> PhotoFit:
    """Return a fit whose landmarks are those of `head`."""
    rotation = axis_angle_matrix([0, yaw, 0])
    pose = Pose(rotation, np.array([0, 0, -0.7]) - rotation @ [0, 0.02, 0.02])
    at = pose.apply(head.landmarks(head.neutral).astype(np.float64))
    seen = np.c_[CAMERA.project(at), np.zeros(478)].astype(np.float32)
    landmarks = FaceLandmarks(seen, CAMERA.width, CAMERA.height)
    return PhotoFit(np.zeros(1), np.zeros(52), np.zeros(4), pose, CAMERA, 0.0, landmarks)


def drawn(shown, fit: PhotoFit, colour=SKIN):
    """Return the picture and the matte of a head in one colour."""
    at = fit.pose.apply(shown.neutral.astype(np.float64))
    size = CAMERA.width, CAMERA.height
    inside = rasterize(CAMERA.project(at), -at[:, 2], shown.topology.faces, *size).face >= 0
    image = np.where(inside[..., None], np.uint8(colour), np.uint8(WALL))
    return image, inside.astype(np.float32)


def refined(head, model, shown, fits, *, colour=SKIN, spoil=lambda matte: matte):
    turned = outline_pictures(fits)
    seen = {i: drawn(shown, fits[i], colour) for i in turned}
    images = {i: image for i, (image, _) in seen.items()}
    for image, matte in seen.values():
        # The middle of the face has the colour of skin whatever its rim has.
        image[cv2.erode(matte, np.ones((25, 25))) > 0] = SKIN
    mattes = {i: spoil(matte) for i, (_, matte) in seen.items()}
    return refine_shape(head, model, fits, images, mattes)


def test_profile_comes_nearer_though_landmarks_do_not_show_it(head, model, person):
    fits = [fitted(head, yaw) for yaw in YAWS]
    moved, poses = refined(head, model, person, fits)
    # Against the root of the nose: pictures do not tell where the head's origin lies.
    before, true, after = (
        depth[:2] - depth[2]
        for depth in (one.landmarks(one.neutral)[[1, 199, 168], 2] for one in (head, person, moved))
    )
    share = (after - before) / (true - before)
    # Not all the way: the landmarks, which know nothing of it, resist.
    assert share[0] > 0.4
    assert share[1] > 0.15
    assert share.max() < 1.1
    assert [fit.landmarks for fit in poses] == [fit.landmarks for fit in fits]


def test_outlines_that_meet_move_nothing(head, model):
    fits = [fitted(head, yaw) for yaw in YAWS]
    moved, poses = refined(head, model, head, fits)
    face = head.topology.masks["face"] > 0.5
    # A pixel is 0.7 mm there.
    assert np.linalg.norm((moved.neutral - head.neutral)[face], axis=1).mean() < 0.001
    for before, after in zip(fits, poses, strict=True):
        np.testing.assert_allclose(after.pose.rotation, before.pose.rotation, atol=0.004)


@pytest.mark.parametrize("why", ["hair", "soft", "frontal"])
def test_what_does_not_show_skin_against_background_is_not_used(head, model, person, why):
    yaws = (0.0, -0.2, 0.2) if why == "frontal" else YAWS
    fits = [fitted(head, yaw) for yaw in yaws]

    def soften(matte):
        return 0.3 + 0.4 * matte if why == "soft" else matte

    colour = HAIR if why == "hair" else SKIN
    moved, poses = refined(head, model, person, fits, colour=colour, spoil=soften)
    assert moved is head
    assert poses == fits


def test_a_face_moves_no_further_than_faces_differ(head, model):
    wide = replace(head, neutral=(head.neutral * (1.25, 1.0, 1.25)).astype(np.float32))
    moved, _ = refined(head, model, wide, [fitted(head, yaw) for yaw in YAWS])
    face = head.topology.masks["face"] > 0.5
    assert np.linalg.norm((moved.neutral - head.neutral)[face], axis=1).max() < 0.0081


def test_same_pictures_same_head(head, model, person):
    fits = [fitted(head, yaw) for yaw in YAWS]
    one, other = (refined(head, model, person, fits)[0] for _ in range(2))
    np.testing.assert_array_equal(one.neutral, other.neutral)


def test_pictures_are_turned_ones_spread_over_the_yaws(head):
    yaws = np.linspace(-1.0, 1.0, 41)
    fits = [fitted(head, yaw) for yaw in yaws]
    fits[0] = replace(fits[0], weight=0.2)
    chosen = outline_pictures(fits)
    assert chosen == sorted(chosen)
    assert len(chosen) == 10
    assert 0 not in chosen
    assert np.abs(yaws[chosen]).min() > np.radians(20)
    assert yaws[chosen].min() < -0.9
    assert yaws[chosen].max() > 0.9
    assert outline_pictures(fits[15:26]) == []
    assert outline_pictures(fits[5:6]) == []
