"""The contract, its generated code and its golden files belong together."""

from __future__ import annotations

import base64
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, json_format, symbol_database
from google.protobuf.message import DecodeError
from tools.protos import generate, golden

from lifemask.v1 import avatar_service_pb2, frame_pb2, performance_service_pb2, server_service_pb2

TESTDATA = generate.PROTOS / "testdata"
MESSAGES = json.loads((TESTDATA / "messages.json").read_text(encoding="utf-8"))
POSES = json.loads((TESTDATA / "poses.json").read_text(encoding="utf-8"))
MODULES = (avatar_service_pb2, frame_pb2, performance_service_pb2, server_service_pb2)


def message_type(name: str):
    return symbol_database.Default().pool.FindMessageTypeByName(name)._concrete_class


def names_of(kind: str):
    return pytest.mark.parametrize(
        "case", MESSAGES[kind], ids=[one["name"] for one in MESSAGES[kind]]
    )


@names_of("valid")
def test_golden_message_reads_as_its_json(case):
    data = (TESTDATA / case["file"]).read_bytes()
    message = message_type(case["type"]).FromString(data)
    expected = json_format.ParseDict(case["json"], message_type(case["type"])())
    message.DiscardUnknownFields()
    assert message == expected
    if case["canonical"]:
        assert expected.SerializeToString(deterministic=True) == data


@names_of("invalid")
def test_golden_garbage_is_refused(case):
    data = (TESTDATA / case["file"]).read_bytes()
    with pytest.raises(DecodeError):
        message_type(case["type"]).FromString(data)


def test_golden_files_are_what_the_tool_writes():
    assert golden.differences(golden.render()) == []


def test_golden_tool_notices_changes(tmp_path, monkeypatch):
    files = golden.render()
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    assert golden.differences(files) == []
    (tmp_path / "messages" / "frame_neutral.binpb").write_bytes(b"")
    (tmp_path / "messages" / "stray.binpb").write_bytes(b"")
    (tmp_path / "poses.json").unlink()
    assert golden.differences(files) == [
        "messages/frame_neutral.binpb",
        "messages/stray.binpb",
        "poses.json",
    ]


def rotated(quaternion, point):
    """q p q*, written out, independent of the product's own matrices."""
    x, y, z, w = quaternion
    u, p = np.array([x, y, z]), np.array(point)
    return 2 * np.dot(u, p) * u + (w * w - np.dot(u, u)) * p + 2 * w * np.cross(u, p)


def test_there_are_twelve_poses():
    assert len(POSES["poses"]) == len({one["name"] for one in POSES["poses"]}) == 12


@pytest.mark.parametrize("pose", POSES["poses"], ids=[one["name"] for one in POSES["poses"]])
def test_forms_of_a_pose_agree(pose):
    quaternion, place = pose["quaternion"], np.array(pose["translation"])
    assert math.hypot(*quaternion) == pytest.approx(1.0, abs=1e-6)
    assert quaternion[3] >= 0
    for axis in range(3):
        column = rotated(quaternion, np.eye(3)[axis])
        np.testing.assert_allclose(np.array(pose["matrix"])[:, axis], column, atol=1e-6)
    camera = POSES["camera"]
    for point, moved, pixel in zip(
        POSES["points"].values(), pose["camera_points"], pose["pixels"], strict=True
    ):
        x, y, z = rotated(quaternion, point) + place
        np.testing.assert_allclose(moved, (x, y, z), atol=1e-6)
        right = camera["center"][0] + camera["focal"] * x / -z
        down = camera["center"][1] - camera["focal"] * y / -z
        np.testing.assert_allclose(pixel, (right, down), atol=1e-3)


@pytest.mark.parametrize("pose", POSES["poses"], ids=[one["name"] for one in POSES["poses"]])
def test_encoded_frame_of_a_pose(pose):
    frame = frame_pb2.PerformanceFrame.FromString(base64.b64decode(pose["frame"]))
    turn, place = frame.head_rotation, frame.head_translation
    assert [turn.x, turn.y, turn.z, turn.w] == pose["quaternion"]
    assert [place.x, place.y, place.z] == pose["translation"]


def test_directions_are_as_their_names_say():
    """Signs that no formula can confirm: what a person in front of the camera would see."""
    pixels = {
        one["name"]: dict(zip(POSES["points"], one["pixels"], strict=True))
        for one in POSES["poses"]
    }
    straight = pixels["facing_the_camera"]
    # The subject's left is to the right in the picture; up is up.
    assert straight["left_eye"][0] > straight["right_eye"][0]
    assert straight["crown"][1] < straight["nose_tip"][1] < straight["chin"][1]
    assert pixels["turned_to_own_left"]["nose_tip"][0] > straight["nose_tip"][0]
    assert pixels["turned_to_own_right"]["nose_tip"][0] < straight["nose_tip"][0]
    assert pixels["looking_down"]["nose_tip"][1] > straight["nose_tip"][1]
    assert pixels["looking_up"]["nose_tip"][1] < straight["nose_tip"][1]
    assert pixels["tilted_to_picture_left"]["crown"][0] < straight["crown"][0]
    assert pixels["moved_right_and_up"]["head_joint"][0] > straight["head_joint"][0]
    assert pixels["moved_right_and_up"]["head_joint"][1] < straight["head_joint"][1]
    behind = pixels["back_of_the_head"]
    assert behind["left_eye"][0] < behind["right_eye"][0]


def fields():
    for module in MODULES:
        for message in module.DESCRIPTOR.message_types_by_name.values():
            yield from message.fields


def test_rules_of_the_contract():
    kinds = descriptor_pb2.FieldDescriptorProto
    unsigned = {kinds.TYPE_UINT32, kinds.TYPE_UINT64, kinds.TYPE_FIXED32, kinds.TYPE_FIXED64}
    found = list(fields())
    assert len(found) > 60
    for field in found:
        assert field.type not in unsigned, field.full_name
        assert not (field.message_type and field.message_type.GetOptions().map_entry)
        oneof = field.containing_oneof
        assert oneof is None or not oneof.name.startswith("_"), f"{field.full_name} is optional"
        if "time" in field.name:
            assert field.name.endswith("_nanos"), field.full_name
    assert all(field.number <= 15 for field in frame_pb2.PerformanceFrame.DESCRIPTOR.fields)
    for module in MODULES:
        assert module.DESCRIPTOR.package == "lifemask.v1"
        assert module.DESCRIPTOR.GetOptions().csharp_namespace == "Lifemask.V1"
        assert all("google/" not in other.name for other in module.DESCRIPTOR.dependencies)


def test_baseline_knows_every_message():
    baseline = descriptor_pb2.FileDescriptorSet.FromString(generate.BASELINE.read_bytes())
    known = {(file.package, one.name) for file in baseline.file for one in file.message_type}
    assert ("lifemask.v1", "PerformanceFrame") in known
    assert len(known) > 25


def test_drift_is_noticed(monkeypatch):
    edits = {"frame_pb2.py": "# edited by hand\n", "avatar_service_pb2.pyi": None}

    def compile_stubs(target: Path) -> Path:
        for name in generate.stub_names(generate.STUBS):
            shutil.copyfile(generate.STUBS / name, target / name)
        for name, text in edits.items():
            (target / name).unlink() if text is None else (target / name).write_text(
                text, encoding="utf-8"
            )
        return target

    monkeypatch.setattr(generate, "compile_stubs", compile_stubs)
    problems = generate.check_drift()
    assert [problem.split()[0].rpartition("/")[2] for problem in problems] == sorted(edits)
    edits.clear()
    assert generate.check_drift() == []
