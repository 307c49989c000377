"""The head asset's surface: pieces, rims, symmetry, regions, landmarks, weights."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lifemask.heads import (
    IRIS_FIRST,
    JOINT_NAMES,
    PART_NAMES,
    load_head_model,
)
from lifemask.tracking import MIRRORED
from meshes import (
    assert_oriented_manifold,
    boundary_loops,
    component_count,
    directed_edges,
    euler_number,
    volume,
)

EYES = {"eye_left": "EyeLeft", "eye_right": "EyeRight"}
FLIP = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def model():
    return load_head_model()


def faces_of(model, *parts: str) -> np.ndarray:
    return np.concatenate([model.topology.faces[model.topology.parts[p].faces] for p in parts])


@pytest.mark.parametrize(
    ("parts", "pieces", "euler", "rims"),
    [
        (("skin", "mouth"), 1, 1, 1),
        (("skin",), 1, 0, 2),
        (("mouth",), 1, 1, 1),
        (("eye_left",), 1, 2, 0),
        (("eye_right",), 1, 2, 0),
        (("tongue",), 1, 2, 0),
        (("teeth_upper",), 1, 1, 1),
        (("teeth_lower",), 1, 1, 1),
        (("lashes",), 4, 4, 4),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else None,
)
def test_parts_are_whole_surfaces(model, parts, pieces, euler, rims):
    faces = faces_of(model, *parts)
    assert_oriented_manifold(faces)
    assert component_count(faces) == pieces
    assert euler_number(faces) == euler
    assert len(boundary_loops(faces)) == rims


def test_parts_partition_vertices_and_faces(model):
    topology = model.topology
    runs = [topology.parts[name].faces for name in PART_NAMES]
    assert runs[0].start == 0
    assert runs[-1].stop == len(topology.faces)
    assert all(a.stop == b.start for a, b in pairwise(runs))
    for name, part in topology.parts.items():
        used = np.unique(topology.faces[part.faces])
        assert part.vertices.start <= used[0]
        assert used[-1] < part.vertices.stop
        if name not in ("skin", "mouth"):
            assert len(used) == part.vertices.stop - part.vertices.start
    assert len(np.unique(topology.faces)) == len(model.neutral)
    assert len(np.unique(topology.faces_uv)) == len(topology.uv)


def test_only_the_neck_is_open(model):
    (loop,) = boundary_loops(faces_of(model, "skin", "mouth"))
    stated = model.topology.neck_loop.tolist()
    turned = loop[loop.index(stated[0]) :] + loop[: loop.index(stated[0])]
    assert stated in (turned, turned[:1] + turned[:0:-1])
    skin = model.neutral[model.topology.parts["skin"].vertices]
    assert model.neutral[stated, 1].max() < np.quantile(skin[:, 1], 0.05)


def test_mouth_joins_the_skin_at_the_lips(model):
    rims = [set(loop) for loop in boundary_loops(faces_of(model, "skin"))]
    (mouth,) = boundary_loops(faces_of(model, "mouth"))
    assert set(mouth) in rims
    assert (model.topology.masks["lips"][mouth] > 0.5).all()


def test_closed_parts_look_outward(model):
    for part in ("eye_left", "eye_right", "tongue"):
        assert volume(model.neutral, faces_of(model, part)) > 0
    shell = faces_of(model, "skin", "mouth")
    loop = model.topology.neck_loop
    lid = np.c_[loop, np.roll(loop, -1), np.full(len(loop), len(model.neutral))]
    points = np.concatenate([model.neutral, model.neutral[loop].mean(axis=0)[None]])
    if (loop[0], loop[1]) in set(map(tuple, shell[:, [0, 1]].tolist())):
        lid = lid[:, ::-1]
    closed = np.concatenate([shell, lid])
    if boundary_loops(closed):
        closed = np.concatenate([shell, lid[:, ::-1]])
    assert boundary_loops(closed) == []
    # A head with its neck and without the mouth's hollow holds three to six litres.
    assert 3e-3 < volume(points, closed) < 6e-3


def test_eyes_are_complete_spheres_with_a_cornea(model):
    for part, joint in EYES.items():
        centre = model.mean_joints[JOINT_NAMES.index(joint)]
        away = model.neutral[model.topology.parts[part].vertices] - centre
        reach = np.linalg.norm(away, axis=1)
        angle = np.degrees(np.arccos(np.clip(away[:, 2] / reach, -1, 1)))
        ball = reach[angle > 30]
        radius = ball.mean()
        assert np.ptp(ball) < 1e-3 * radius
        assert 0.011 < radius < 0.017
        assert angle.min() < 1
        assert angle.max() > 179
        apex = reach[np.argmin(angle)]
        assert 1.02 * radius < apex < 1.1 * radius
        around = np.arctan2(away[:, 1], away[:, 0])
        assert np.diff(np.sort(around)).max() < np.radians(20)


def test_eyes_stay_spheres_for_everyone(model):
    random = np.random.default_rng(0)
    for _ in range(8):
        head = model.head(random.standard_normal(model.mode_count))
        for part, joint in EYES.items():
            away = (
                head.neutral[model.topology.parts[part].vertices]
                - head.joints[JOINT_NAMES.index(joint)]
            )
            reach = np.linalg.norm(away, axis=1)
            ball = reach[away[:, 2] < 0.86 * reach]
            assert np.ptp(ball) < 4e-3 * ball.mean()


def test_mirror_is_an_involution_within_each_part(model):
    mirror, parts = model.topology.mirror, model.topology.parts
    number = np.arange(len(mirror))
    assert np.array_equal(mirror[mirror], number)
    for name, part in parts.items():
        other = {"eye_left": "eye_right", "eye_right": "eye_left"}.get(name, name)
        image = mirror[part.vertices]
        assert parts[other].vertices.start <= image.min()
        assert image.max() < parts[other].vertices.stop


def test_mirror_carries_the_surface_onto_itself(model):
    mirror = model.topology.mirror

    def edges(*parts: str) -> set[tuple[int, ...]]:
        return {tuple(sorted(edge)) for edge in directed_edges(faces_of(model, *parts))}

    def image(*parts: str) -> set[tuple[int, ...]]:
        return {tuple(sorted((int(mirror[a]), int(mirror[b])))) for a, b in edges(*parts)}

    # A quad may be cut along its other diagonal on the other side: a third of all edges at most.
    skin = edges("skin", "mouth")
    assert len(image("skin", "mouth") - skin) < 0.1 * len(skin)
    for part, other in (("eye_left", "eye_right"), ("eye_right", "eye_left"), ("tongue", "tongue")):
        assert len(image(part) - edges(other)) < 0.34 * len(edges(other))


def test_mean_head_is_symmetric(model):
    apart = np.linalg.norm(model.neutral[model.topology.mirror] * FLIP - model.neutral, axis=1)
    assert apart.max() < 1e-3
    assert np.sqrt((apart**2).mean()) < 2e-4
    left, right = (model.mean_joints[JOINT_NAMES.index(j)] for j in ("EyeLeft", "EyeRight"))
    np.testing.assert_allclose(left, right * FLIP, atol=1e-4)
    assert left[0] > 0.02


def test_masks_are_symmetric_shares_that_split_the_skin(model):
    masks, mirror = model.topology.masks, model.topology.mirror
    for name, mask in masks.items():
        assert mask.shape == (len(model.neutral),)
        assert mask.min() >= 0
        assert mask.max() == 1
        if name != "lash_along":
            assert np.abs(mask - mask[mirror]).mean() < 0.02, name
    lashes = model.topology.parts["lashes"].vertices
    along = masks["lash_along"]
    np.testing.assert_allclose(along[lashes], 1 - along[mirror][lashes], atol=0.03)
    whole = masks["face"] + masks["ears"] + masks["neck"] + masks["scalp"]
    skin = np.unique(faces_of(model, "skin"))
    outside = skin[masks["sockets"][skin] + masks["mouth"][skin] == 0]
    assert (whole[outside] > 0.98).all()
    for name in ("face", "ears", "neck", "scalp", "lips", "eyelids", "brows", "hair"):
        assert (masks[name][model.topology.parts["skin"].vertices.stop :] == 0).all()


def test_regions_lie_where_their_names_say(model):
    masks, points = model.topology.masks, model.neutral

    def middle(name: str) -> np.ndarray:
        return np.average(points, axis=0, weights=masks[name])

    eyes = model.mean_joints[JOINT_NAMES.index("EyeLeft")][1]
    assert middle("brows")[1] > eyes > middle("lips")[1] > middle("neck")[1]
    assert points[masks["hair"] > 0.9, 1].max() == points[:, 1].max()
    assert middle("face")[2] > middle("ears")[2] > middle("hair")[2]
    assert np.abs(points[masks["ears"] > 0.9, 0]).min() > 0.05


def test_landmarks_lie_on_the_surface(model):
    topology = model.topology
    weights, faces = topology.landmark_barycentric, topology.landmark_faces
    assert weights.shape == (478, 3)
    assert faces.shape == (478,)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    skin, left, right = (topology.parts[p].faces for p in ("skin", "eye_left", "eye_right"))
    face = faces[:IRIS_FIRST]
    assert ((skin.start <= face) & (face < skin.stop)).all()
    irises = faces[IRIS_FIRST : IRIS_FIRST + 5], faces[IRIS_FIRST + 5 :]
    assert all(right.start <= f < right.stop for f in irises[0])
    assert all(left.start <= f < left.stop for f in irises[1])


def test_iris_landmarks_are_the_pupil_and_four_points_of_the_limbus(model):
    points = model.head().landmarks(model.neutral)
    for first, joint in ((IRIS_FIRST, "EyeRight"), (IRIS_FIRST + 5, "EyeLeft")):
        away = points[first : first + 5] - model.mean_joints[JOINT_NAMES.index(joint)]
        angle = np.degrees(np.arccos(away[:, 2] / np.linalg.norm(away, axis=1)))
        assert angle[0] < 1
        np.testing.assert_allclose(angle[1:], angle[1], atol=0.5)
        width = np.linalg.norm(points[first + 1] - points[first + 3])
        assert 0.0105 < width < 0.0135


def test_landmarks_are_symmetric_and_in_place(model):
    points = model.head().landmarks(model.neutral)
    apart = np.linalg.norm(points - points[MIRRORED] * FLIP, axis=1)
    assert np.median(apart) < 5e-4
    assert apart.max() < 4e-3
    nose, chin, forehead, mouth = points[1], points[152], points[10], points[13]
    assert nose[2] == pytest.approx(points[:, 2].max(), abs=2e-3)
    assert forehead[1] > points[168, 1] > nose[1] > mouth[1] > chin[1]
    assert points[263, 0] > 0.03
    assert points[33, 0] < -0.03


def test_lip_landmarks_keep_to_their_own_lip(model):
    names = {"upper": (13, 82, 312, 81, 311), "lower": (14, 87, 317, 178, 402)}
    opened = model.vertices(coefficients=np.eye(52)[17])
    drop = (model.head().landmarks(opened) - model.head().landmarks(model.neutral))[:, 1]
    assert drop[list(names["upper"])].min() > -0.006
    assert drop[list(names["lower"])].max() < -0.015


def test_joint_weights(model):
    weights, topology = model.joint_weights, model.topology
    columns = {name: weights[:, i] for i, name in enumerate(JOINT_NAMES)}
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert (weights > 0).sum(axis=1).max() <= 4
    assert columns["Jaw"].max() == 0
    assert (columns["Root"][topology.neck_loop] == 1).all()
    for part, joint in EYES.items():
        inside = np.zeros(len(weights), bool)
        inside[topology.parts[part].vertices] = True
        assert (columns[joint][inside] == 1).all()
        assert columns[joint][~inside].max() == 0
    assert (columns["Head"][topology.masks["face"] == 1] > 0.95).all()
    assert np.abs(weights[:, :4] - weights[topology.mirror, :4]).max() < 0.05


def test_joints_stand_one_above_the_other(model):
    joints = dict(zip(JOINT_NAMES, model.mean_joints, strict=True))
    np.testing.assert_array_equal(joints["Head"], 0)
    assert joints["Root"][1] < joints["Neck"][1] < 0 < joints["EyeLeft"][1]
    assert max(abs(joints[name][0]) for name in ("Root", "Neck", "Jaw")) < 1e-6
