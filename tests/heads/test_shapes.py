"""The 52 shapes of the head asset: names, mirror images, what moves and what stays."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

from lifemask.geometry import matrix_axis_angle, rasterize
from lifemask.heads import (
    COEFFICIENT_INDEX,
    COEFFICIENT_NAMES,
    JOINT_NAMES,
    load_head_model,
    mirrored_name,
)

FLIP = np.array([-1.0, 1.0, 1.0], np.float32)
LEAST_MOTION = 5e-4
"""Metres: less is a dummy shape."""

# Order of `EARFaceBlendShape` in Unreal's ARFaceBlendShape enumeration.
UNREAL_ORDER = re.findall(
    r"\w+",
    """
EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft EyeWideLeft
EyeBlinkRight EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight EyeSquintRight
EyeWideRight JawForward JawLeft JawRight JawOpen MouthClose MouthFunnel MouthPucker MouthLeft
MouthRight MouthSmileLeft MouthSmileRight MouthFrownLeft MouthFrownRight MouthDimpleLeft
MouthDimpleRight MouthStretchLeft MouthStretchRight MouthRollLower MouthRollUpper MouthShrugLower
MouthShrugUpper MouthPressLeft MouthPressRight MouthLowerDownLeft MouthLowerDownRight
MouthUpperUpLeft MouthUpperUpRight BrowDownLeft BrowDownRight BrowInnerUp BrowOuterUpLeft
BrowOuterUpRight CheekPuff CheekSquintLeft CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut
""",
)


@pytest.fixture(scope="module")
def model():
    return load_head_model()


def shape(model, name: str) -> np.ndarray:
    return model.expression_deltas[COEFFICIENT_INDEX[name]]


def part(model, name: str) -> slice:
    return model.topology.parts[name].vertices


def weights(**values: float) -> np.ndarray:
    array = np.zeros(52, np.float32)
    for name, value in values.items():
        array[COEFFICIENT_INDEX[name]] = value
    return array


def eye_view(model, vertices: np.ndarray, yaw: float = 0.0) -> dict[str, np.ndarray]:
    """Return `(h, w)` bool: where each eyeball shows between the lids, 0.1 mm a pixel."""
    cosine, sine = np.cos(yaw), np.sin(yaw)
    turned = vertices @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    pixels = np.c_[(turned[:, 0] + 0.08) * 1e4, (0.09 - turned[:, 1]) * 1e4]
    topology = model.topology
    faces = topology.faces[: topology.parts["lashes"].faces.start]
    raster = rasterize(pixels, 1 - turned[:, 2], faces, 1600, 1000)
    views = {}
    for name in ("eye_left", "eye_right"):
        run = topology.parts[name].faces
        views[name] = (raster.face >= run.start) & (raster.face < run.stop)
    return views


def test_names_are_those_of_unreal_in_its_order():
    assert [name[0].lower() + name[1:] for name in UNREAL_ORDER] == list(COEFFICIENT_NAMES)
    assert len(set(COEFFICIENT_NAMES)) == 52


def test_mirrored_names_pair_up():
    for name in COEFFICIENT_NAMES:
        other = mirrored_name(name)
        assert other in COEFFICIENT_INDEX
        assert mirrored_name(other) == name
        assert (other != name) == name.endswith(("Left", "Right"))


@pytest.mark.parametrize("name", COEFFICIENT_NAMES)
def test_every_shape_moves_something_and_not_too_far(model, name):
    reach = np.linalg.norm(shape(model, name), axis=1)
    assert LEAST_MOTION < reach.max() < 0.045
    assert np.isfinite(reach).all()


@pytest.mark.parametrize("name", COEFFICIENT_NAMES)
def test_sides_are_mirror_images(model, name):
    image = shape(model, mirrored_name(name))[model.topology.mirror] * FLIP
    apart = np.linalg.norm(shape(model, name) - image, axis=1)
    assert apart.max() < 2.5e-3
    assert np.sqrt((apart**2).mean()) < 2e-4


@pytest.mark.parametrize("name", COEFFICIENT_NAMES)
def test_a_side_moves_mostly_its_own_half(model, name):
    if mirrored_name(name) == name or name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
        return
    reach = np.linalg.norm(shape(model, name), axis=1)
    side = model.neutral[:, 0] if name.endswith("Left") else -model.neutral[:, 0]
    assert reach[side > 0.002].sum() > 2 * reach[side < -0.002].sum()


@pytest.mark.parametrize("name", COEFFICIENT_NAMES)
def test_shapes_leave_eyeballs_skull_and_neck_alone(model, name):
    deltas = shape(model, name)
    assert not deltas[part(model, "eye_left")].any()
    assert not deltas[part(model, "eye_right")].any()
    assert not deltas[part(model, "teeth_upper")].any()
    assert not deltas[model.topology.neck_loop].any()
    crown = model.neutral[:, 1] > 0.12
    assert np.abs(deltas[crown]).max() < 2e-3


@pytest.mark.parametrize("name", COEFFICIENT_NAMES)
def test_lower_teeth_follow_the_jaw_rigidly(model, name):
    run = part(model, "teeth_lower")
    rest, deltas = model.neutral[run].astype(float), shape(model, name)[run].astype(float)
    if not name.startswith("jaw"):
        assert not deltas.any()
        return
    moved = rest + deltas
    a, b = rest - rest.mean(axis=0), moved - moved.mean(axis=0)
    u, _, vt = np.linalg.svd(b.T @ a)
    rotation = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    # A shape is the same millimetres on every head, so it is a rotation of teeth of one size.
    assert np.abs(a @ rotation.T - b).max() < 3e-4
    assert np.linalg.norm(deltas.mean(axis=0)) > 2e-3
    assert np.linalg.norm(matrix_axis_angle(rotation)) < np.radians(35)


def test_jaw_shapes_go_where_they_say(model):
    lower = {
        name: shape(model, name)[part(model, "teeth_lower")].mean(axis=0)
        for name in ("jawOpen", "jawForward", "jawLeft", "jawRight")
    }
    assert lower["jawOpen"][1] < -0.01
    assert lower["jawForward"][2] > 0.003
    assert lower["jawLeft"][0] > 0.003
    assert lower["jawRight"][0] < -0.003


def test_tongue_goes_with_the_jaw_and_comes_out(model):
    run = part(model, "tongue")
    tip = run.start + int(np.argmax(model.neutral[run, 2]))
    assert shape(model, "jawOpen")[tip, 1] < -0.01
    assert shape(model, "tongueOut")[tip, 2] > 0.01
    others = np.delete(np.arange(len(model.neutral)), np.arange(run.start, run.stop))
    assert np.abs(shape(model, "tongueOut")[others]).max() < 5e-3


@pytest.mark.parametrize("yaw", [-0.4, 0.0, 0.4])
def test_a_blink_closes_the_eye_and_only_that_eye(model, yaw):
    head = model.head()
    opened = eye_view(model, head.neutral, yaw)
    left = eye_view(model, head.vertices(weights(eyeBlinkLeft=1)), yaw)
    both = eye_view(model, head.vertices(weights(eyeBlinkLeft=1, eyeBlinkRight=1)), yaw)
    # 0.1 mm a pixel: ten pixels in a column would be a gap of a millimetre.
    assert both["eye_left"].sum(axis=0).max() <= 2
    assert both["eye_right"].sum(axis=0).max() <= 2
    assert left["eye_left"].sum(axis=0).max() <= 2
    assert np.array_equal(left["eye_right"], opened["eye_right"])
    assert opened["eye_left"].sum() > 8000


def test_lids_close_step_by_step(model):
    head = model.head()
    areas = [
        eye_view(model, head.vertices(weights(eyeBlinkLeft=w)))["eye_left"].sum()
        for w in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert all(after < before for before, after in pairwise(areas))
    assert areas[2] < 0.7 * areas[0]


def test_eyeballs_do_not_poke_through_moving_lids(model):
    """Lids move along chords of the eyeball; what shows of it stays one piece (0.05 mm²)."""
    import cv2

    for weight in np.linspace(0.1, 0.9, 9):
        for yaw in (0.0, 0.35):
            vertices = model.head().vertices(weights(eyeBlinkLeft=weight))
            seen = eye_view(model, vertices, yaw)["eye_left"].astype(np.uint8)
            _, _, pieces, _ = cv2.connectedComponentsWithStats(seen)
            areas = np.sort(pieces[1:, cv2.CC_STAT_AREA])
            assert areas[:-1].sum() <= 5, (weight, yaw, areas)


def test_lids_widen_and_narrow(model):
    rest = eye_view(model, model.neutral)["eye_left"].sum()
    wide, squint = (
        eye_view(model, model.head().vertices(weights(**{name: 1})))["eye_left"].sum()
        for name in ("eyeWideLeft", "eyeSquintLeft")
    )
    assert wide > 1.1 * rest
    assert squint < 0.9 * rest


def test_upper_lid_follows_the_look(model):
    head = model.head()

    def lift(name: str) -> np.ndarray:
        return head.landmarks(shape(model, name))[386]

    assert lift("eyeLookUpLeft")[1] > 1e-3
    assert lift("eyeLookDownLeft")[1] < -2e-3
    assert lift("eyeLookInLeft")[0] < -5e-4
    assert lift("eyeLookOutLeft")[0] > 5e-4


def test_lashes_ride_on_the_lids(model):
    """Each lash strip keeps its distance to the lid during a blink."""
    from scipy.spatial import cKDTree

    run = part(model, "lashes")
    tips = model.topology.masks["lash_tip"][run]
    root = run.start + np.flatnonzero(tips == 0)
    skin = np.unique(model.topology.faces[model.topology.parts["skin"].faces])
    for weight in (0.0, 0.5, 1.0):
        vertices = model.head().vertices(weights(eyeBlinkLeft=weight, eyeBlinkRight=weight))
        distance = cKDTree(vertices[skin]).query(vertices[root])[0]
        assert distance.max() < 3e-3


def test_mouth_closes_what_the_jaw_opens(model):
    head = model.head()
    upper, lower = [13, 82, 312], [14, 87, 317]

    def gap(**values: float) -> float:
        points = head.landmarks(head.vertices(weights(**values)))
        return float((points[upper, 1] - points[lower, 1]).mean())

    assert gap(jawOpen=1) > 0.02
    assert abs(gap(jawOpen=1, mouthClose=1) - gap()) < 0.006
    assert gap(mouthUpperUpLeft=1, mouthUpperUpRight=1) > gap() + 0.002
    assert gap(mouthLowerDownLeft=1, mouthLowerDownRight=1) > gap() + 0.002


@pytest.mark.parametrize(
    ("name", "landmark", "axis", "sign"),
    [
        ("mouthSmileLeft", 291, 1, 1),
        ("mouthFrownLeft", 291, 1, -1),
        ("mouthStretchLeft", 291, 0, 1),
        ("mouthPucker", 291, 0, -1),
        ("mouthLeft", 0, 0, 1),
        ("browDownLeft", 334, 1, -1),
        ("browInnerUp", 336, 1, 1),
        ("browOuterUpLeft", 300, 1, 1),
        ("cheekSquintLeft", 330, 1, 1),
        ("noseSneerLeft", 294, 1, 1),
        ("cheekPuff", 425, 2, 1),
    ],
)
def test_shapes_go_the_way_their_names_say(model, name, landmark, axis, sign):
    head = model.head()
    moved = head.landmarks(head.vertices(weights(**{name: 1}))) - head.landmarks(head.neutral)
    assert sign * moved[landmark, axis] > 1e-3


def test_joints_of_the_eyes_are_their_middles(model):
    for name, joint in (("eye_left", "EyeLeft"), ("eye_right", "EyeRight")):
        points = model.neutral[part(model, name)]
        np.testing.assert_allclose(
            model.mean_joints[JOINT_NAMES.index(joint)][:2], points[0][:2], atol=1e-4
        )
