"""Splits and masks: fixed by rules, the same on every machine."""

from __future__ import annotations

import numpy as np
import pytest

from landmark_samples import HEIGHT, WIDTH, Truth, coefficients, landmark_model, make_pose, see
from lifemask import InputError
from lifemask.evaluation._masks import BOXES, clip_masks, face_mask
from lifemask.evaluation._splits import coverage, make_split, nearest_distances
from lifemask.geometry import Camera
from lifemask.tracking import FACE_OVAL, REGIONS, FaceLandmarks


def face(yaw: float = 0.0, jaw: float = 0.0):
    identity = np.zeros(len(landmark_model().identity))
    camera = Camera(WIDTH, HEIGHT, 1.8 * WIDTH)
    pose = make_pose((0.0, yaw, 0.0))
    return see(Truth(identity, coefficients(jawOpen=jaw), np.zeros(4), pose, camera))


def test_blocks_are_exact():
    split = make_split("blocks", 216)
    assert split.test == (*range(48, 60), *range(108, 120), *range(168, 180))
    assert split.train[:44] == tuple(range(44)) and split.train[44] == 64
    gap = set(range(216)) - set(split.train) - set(split.test)
    assert gap == {44, 45, 46, 47, 60, 61, 62, 63, 104, 105, 106, 107, 120, 121, 122, 123,
                   164, 165, 166, 167, 180, 181, 182, 183}  # fmt: skip


def test_last_fifth_is_exact():
    split = make_split("last", 250)
    assert split.test == tuple(range(200, 250)) and split.train == tuple(range(190))


@pytest.mark.parametrize("count", [72, 73, 119, 120, 1800])
@pytest.mark.parametrize("name", ["blocks", "last"])
def test_parts_keep_their_distance(name, count):
    split = make_split(name, count)
    train, test = np.array(split.train), np.array(split.test)
    assert len(train) > len(test) > 0
    distance = np.abs(train[:, None] - test[None]).min()
    assert distance == (5 if name == "blocks" else 11)


def test_short_clips_are_refused():
    with pytest.raises(InputError) as caught:
        make_split("last", 71)
    assert "--fit-only" in caught.value.hint


def test_frames_without_a_face_are_left_out():
    usable = np.ones(216, bool)
    usable[[0, 50]] = False
    split = make_split("blocks", 216).limited_to(usable)
    assert 0 not in split.train and 50 not in split.test and 51 in split.test


def test_coverage_is_the_nearest_training_expression():
    weights = np.zeros((100, 52))
    weights[:, 3] = np.arange(100) / 100
    split = make_split("last", 100)
    far = nearest_distances(weights, split)
    assert far == pytest.approx((np.arange(80, 100) - 69) / 100)
    found = coverage(weights, split)
    assert found.largest == pytest.approx(0.30) and found.step == pytest.approx(0.01)
    inside = coverage(weights, make_split("blocks", 100))
    assert inside.largest < found.median


def test_mask_holds_eyes_and_mouth_but_not_the_border():
    seen = face(jaw=0.8)
    mask = face_mask(seen)
    for region in ("eyes", "lips", "nose"):
        x, y = np.floor(seen.pixels[REGIONS[region]]).astype(int).T
        assert mask[y, x].all(), region
    x, y = np.floor(seen.pixels[REGIONS["contour"]]).astype(int).T
    assert not mask[y, x].any(), "the border is moved inward"
    assert 0.05 < mask.mean() < 0.6


def test_masks_are_the_same_again_and_move_with_the_face():
    faces = [face(0.02 * i, 0.05 * i) for i in range(6)] + [None]
    masks = clip_masks(faces)
    assert masks.sha256 == clip_masks(list(faces)).sha256
    assert masks.sha256 != clip_masks([face(0.021), *faces[1:]]).sha256
    assert masks.faces[6] is None and masks.boxes[6] == {}
    assert 0 < masks.share([0, 3]) < 1


def test_boxes_have_one_size_and_hold_their_region():
    faces = [face(0.02 * i, 0.1 * i) for i in range(6)]
    masks = clip_masks(faces)
    for name in BOXES:
        boxes = np.array([one[name] for one in masks.boxes])
        sizes = boxes[:, 2:] - boxes[:, :2]
        assert (sizes == sizes[0]).all()
    for i, one in enumerate(faces):
        left, top, right, bottom = masks.boxes[i]["mouth"]
        lips = one.pixels[REGIONS["lips"]]
        assert (lips > [left, top]).all() and (lips < [right, bottom]).all()
        inside = masks.region(i, "mouth")
        assert inside.sum() and not (inside & ~masks.region(i, "face")).any()
    # The subject's left eye lies on the right of the picture.
    assert masks.boxes[0]["eye_left"][0] > masks.boxes[0]["eye_right"][0]


def test_hash_is_pinned():
    """The rules were fixed before any method was measured; changing them is a new version."""
    points = np.zeros((478, 3), np.float32)
    points[:, 0] = 100 + np.arange(478) * 37 % 200
    points[:, 1] = 90 + np.arange(478) * 53 % 240
    corners = np.repeat([[80, 60], [320, 60], [320, 350], [80, 350]], 9, axis=0)
    points[list(FACE_OVAL), :2] = corners
    masks = clip_masks([FaceLandmarks(points, 400, 400), None])
    mask = masks.faces[0]
    assert mask is not None and mask.sum() == 235 * 285
    assert masks.sha256.startswith("407fdfd34e9b6fe9")
