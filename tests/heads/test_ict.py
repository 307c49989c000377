"""ICT-FaceKit as a head model: names, units, parts, joints, landmarks; other files refused."""

from __future__ import annotations

import io

import numpy as np
import pytest

from lifemask import InputError
from lifemask.heads import COEFFICIENT_INDEX, JOINT_NAMES, PART_NAMES, load_head_model
from lifemask.heads._external import boundary_loops, sphere, triangles
from lifemask.tracking import MIRRORED
from needs import require


@pytest.fixture(scope="module")
def model():
    return load_head_model("ict", require("ict"))


def test_is_a_head_in_metres_that_looks_along_z(model):
    low, high = model.neutral.min(axis=0), model.neutral.max(axis=0)
    assert ((high - low) > [0.2, 0.3, 0.2]).all() and ((high - low) < [0.3, 0.4, 0.26]).all()
    nose = model.neutral[:9409][model.neutral[:9409, 2].argmax()]
    assert abs(nose[0]) < 0.002 and nose[2] > 0.1
    joints = dict(zip(JOINT_NAMES, model.mean_joints, strict=True))
    np.testing.assert_allclose(joints["Head"], 0, atol=1e-6)
    assert joints["EyeLeft"][0] > 0.025 and joints["EyeRight"][0] < -0.025
    assert joints["Root"][1] < joints["Neck"][1] < 0


def test_parts_cover_the_faces_and_hold_what_they_say(model):
    topology = model.topology
    stops = [topology.parts[name].faces for name in PART_NAMES]
    assert [s.start for s in stops] == [0, *(s.stop for s in stops[:-1])]
    assert stops[-1].stop == len(topology.faces)
    for name in PART_NAMES:
        part = topology.parts[name]
        used = topology.faces[part.faces]
        assert used.min() >= part.vertices.start and used.max() < part.vertices.stop
    assert model.neutral[topology.parts["eye_left"].vertices, 0].min() > 0
    upper = model.neutral[topology.parts["teeth_upper"].vertices, 1].mean()
    assert upper > model.neutral[topology.parts["teeth_lower"].vertices, 1].mean()
    assert topology.uv.min() >= 0 and topology.uv.max() <= 1
    assert model.neutral[topology.neck_loop, 1].max() < -0.1


def test_left_is_left_and_shapes_do_what_they_are_called(model):
    def centre(name):
        size = np.linalg.norm(model.expression_deltas[COEFFICIENT_INDEX[name]], axis=1)
        return (size[:, None] * model.neutral).sum(axis=0) / size.sum()

    for name in ("eyeBlink", "mouthSmile", "browDown", "noseSneer"):
        assert centre(name + "Left")[0] > 0 > centre(name + "Right")[0]
    jaw = model.expression_deltas[COEFFICIENT_INDEX["jawOpen"]]
    assert jaw[model.topology.parts["teeth_lower"].vertices, 1].max() < -0.01
    assert np.abs(jaw[model.topology.parts["teeth_upper"].vertices]).max() < 1e-4
    # Both halves of a shape that has no side here add up.
    assert abs(centre("cheekPuff")[0]) < 1e-3 and abs(centre("browInnerUp")[0]) < 1e-3
    assert not model.expression_deltas[COEFFICIENT_INDEX["tongueOut"]].any()
    assert model.meta["unavailable"] == ["tongueOut"]
    moved = np.abs(model.expression_deltas).max(axis=(1, 2))
    assert (np.delete(moved, COEFFICIENT_INDEX["tongueOut"]) > 5e-4).all()


def test_eyeballs_turn_only_by_their_joints(model):
    for side, joint in (("eye_left", "EyeLeft"), ("eye_right", "EyeRight")):
        run = model.topology.parts[side].vertices
        assert not model.expression_deltas[:, run].any()
        index = JOINT_NAMES.index(joint)
        assert (model.joint_weights[run, index] == 1).all()
        identity = np.random.default_rng(3).standard_normal(100)
        head = model.head(identity)
        shell = head.neutral[run][model.neutral[run, 2] < model.mean_joints[index, 2]]
        distance = np.linalg.norm(shell - head.joints[index], axis=1)
        assert np.ptp(distance) < 0.006
    np.testing.assert_allclose(model.joint_weights.sum(axis=1), 1, atol=1e-6)


def test_landmarks_lie_where_they_belong(model):
    points = model.landmark_model().neutral
    assert np.linalg.norm(points[33] - points[263]) == pytest.approx(0.088, abs=0.006)
    assert points[152, 1] < points[13, 1] < points[1, 1] < points[33, 1] < points[10, 1]
    assert points[1, 2] > points[[10, 152, 33, 13], 2].max()
    mirrored = points[MIRRORED] * (-1, 1, 1)
    assert np.median(np.linalg.norm(points - mirrored, axis=1)) < 1e-3
    for iris, joint in ((473, 4), (468, 5)):
        away = points[iris] - model.mean_joints[joint]
        assert away[2] > 0.01 and abs(away[:2]).max() < 2e-3
    upper, lower = (model.landmark_model().expressions[COEFFICIENT_INDEX["jawOpen"], i]
                    for i in (13, 14))  # fmt: skip
    assert upper[1] > -0.01 and lower[1] < -0.02


def _written(tmp_path, **changes):
    rest = np.zeros((26719, 3), np.float32)
    arrays = {
        "neutral": rest,
        "uv": np.zeros((4, 2), np.float32),
        "faces": np.zeros((2, 4), np.int32),
        "faces_uv": np.zeros((2, 4), np.int32),
        "expression_names": np.array(["jawOpen"]),
        "expressions": np.zeros((1, 26719, 3), np.float16),
        "identities": np.zeros((1, 26719, 3), np.float16),
    } | changes
    path = tmp_path / "model.npz"
    np.savez_compressed(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"neutral": None},
        {"neutral": np.zeros((10, 3), np.float32)},
        {"neutral": np.full((26719, 3), np.nan, np.float32)},
        {"faces": np.full((2, 4), 26719)},
        {"faces": np.full((2, 4), -1)},
        {"faces_uv": np.zeros((3, 4), np.int32)},
        {"expression_names": np.array(["jawOpen", "jawLeft"])},
        {"neutral": np.array([{"pickled": 1}], dtype=object)},
    ],
)
def test_other_files_are_refused_with_a_hint(tmp_path, changes):
    with pytest.raises(InputError, match="ICT-FaceKit") as caught:
        load_head_model("ict", _written(tmp_path, **changes))
    assert "docs/heads.md" in caught.value.hint


def test_a_missing_path_an_unknown_kind_and_a_damaged_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="not part of lifemask"):
        load_head_model("ict")
    with pytest.raises(InputError, match="no head model 'bfm'") as caught:
        load_head_model("bfm", tmp_path)
    assert "ict" in caught.value.hint
    for content in (b"", b"PK\x03\x04", io.BytesIO().getvalue(), b"x" * 1000):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(InputError, match="cannot be read"):
            load_head_model("ict", tmp_path / "bad.npz")
    with pytest.raises(InputError, match="cannot be read"):
        load_head_model("ict", tmp_path / "nothing.npz")


def test_quads_that_repeat_their_last_index_are_triangles():
    faces = triangles(np.array([[0, 1, 2, 3], [4, 5, 6, 6]]))
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3], [4, 5, 6]]
    assert [sorted(loop) for loop in boundary_loops(faces)] == [[0, 1, 2, 3], [4, 5, 6]]


def test_sphere_through_points():
    directions = np.random.default_rng(0).standard_normal((50, 3))
    points = [1, 2, 3] + 0.5 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    centre, radius = sphere(points)
    np.testing.assert_allclose([*centre, radius], [1, 2, 3, 0.5], atol=1e-9)
