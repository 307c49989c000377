"""The exported file in other people's software: Khronos' validator, Blender, three.js."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lifemask import COEFFICIENT_NAMES
from lifemask.heads import JOINT_NAMES
from lifemask_exporters.gltf import MESHES, export
from needs import NODE_MODULES, require
from packages import make_avatar

HERE = Path(__file__).parent

VARIANTS = {
    "default": {},
    "sparse": {"sparse": True},
    "png": {"image_format": "png"},
    "animated": {"animations": True, "sparse": True},
}


@pytest.fixture(scope="module", params=VARIANTS)
def file(request, avatar, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("glb") / f"{request.param}.glb"
    export(avatar, path, **VARIANTS[request.param])
    return path


def _node(script: str, path: Path) -> dict:
    command = [require("node"), HERE / "node" / script, NODE_MODULES, path]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _assert_valid(path: Path) -> None:
    report = _node("validate.cjs", path)
    issues = report["issues"]
    assert issues["numErrors"] == issues["numWarnings"] == 0, issues["messages"][:5]
    assert report["info"]["drawCallCount"] == len(MESHES)


@pytest.mark.needs("gltf-validator")
def test_validator_finds_no_errors_and_no_warnings(file):
    _assert_valid(file)


@pytest.mark.needs("gltf-validator")
@pytest.mark.parametrize("textures", [(), ("albedo",), ("albedo", "alpha"), ("normal",), ("orm",)])
def test_validator_with_other_textures(textures, tmp_path):
    maps = dict(make_avatar(size=64).textures)
    if "alpha" in textures:
        maps["albedo"] = np.dstack([maps["albedo"], np.full((64, 64), 100, np.uint8)])
    chosen = {name: maps[name] for name in textures if name in maps}
    export(make_avatar(textures=chosen), tmp_path / "x.glb")
    _assert_valid(tmp_path / "x.glb")


@pytest.mark.needs("gltf-validator")
def test_the_validator_would_see_a_fault(avatar, tmp_path):
    path = tmp_path / "x.glb"
    export(avatar, path)
    path.write_bytes(path.read_bytes().replace(b'"SCALAR"', b'"SCALER"'))
    with pytest.raises(AssertionError):
        _assert_valid(path)


@pytest.mark.needs("three")
def test_three_js(file):
    report = _node("three_inspect.mjs", file)
    meshes = report["meshes"]
    assert set(meshes) == set(MESHES)
    head = meshes["HeadMesh"]
    assert tuple(head["moves"]) == COEFFICIENT_NAMES
    assert head["influences"] == head["normals"] == 52
    for name, mesh in meshes.items():
        assert mesh["skinned"]
        assert mesh["bones"] == list(JOINT_NAMES)
        assert mesh["map"]
        assert all(move > 5e-5 for move in mesh["moves"].values()), name
    assert report["extras"]["lifemask"]["consent"]["subject"] == "Ada Example"
    clips = {clip["name"] for clip in report["animations"]}
    assert clips == ({"blink", "smile", "visemes"} if file.stem == "animated" else set())


@pytest.mark.needs("bpy")
def test_blender(file):
    command = [require("bpy"), HERE / "blender_inspect.py", file]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("REPORT "))
    report = json.loads(line.removeprefix("REPORT "))
    meshes = report["meshes"]
    assert set(meshes) == set(MESHES)
    assert report["bones"] == list(JOINT_NAMES)
    _check_shapes(meshes)
    _check_orientation(meshes)
    animated = file.stem == "animated"
    assert set(report["actions"]) == ({"blink", "smile", "visemes"} if animated else set())
    # Blender hides an animated mesh under an empty that takes its name.
    assert animated or set(report["objects"]) == set(MESHES)


def _check_shapes(meshes: dict) -> None:
    keys = meshes["HeadMesh"]["keys"]
    assert tuple(keys) == COEFFICIENT_NAMES
    for name, mesh in meshes.items():
        for key, move in mesh["keys"].items():
            assert move > 5e-5, (name, key)
        assert mesh["groups"] == list(JOINT_NAMES)
    assert meshes["TeethMesh"]["keys"]["jawOpen"] > 0.005


def _check_orientation(meshes: dict) -> None:
    """Blender's front view looks along +Y with Z up: the face must look along -Y."""
    low, high = (np.array(meshes["HeadMesh"][end]) for end in ("low", "high"))
    assert 0.2 < high[2] - low[2] < 0.35
    centre = 0.5 * (low + high)
    left, right = (
        0.5 * (np.array(meshes[name]["low"]) + meshes[name]["high"])
        for name in ("EyeMeshLeft", "EyeMeshRight")
    )
    for eye in (left, right):
        assert eye[1] < centre[1] - 0.03
        assert eye[2] > centre[2]
        assert (low < eye).all()
        assert (eye < high).all()
    assert left[0] > 0.02
    assert right[0] < -0.02
    teeth_low, teeth_high = (np.array(meshes["TeethMesh"][end]) for end in ("low", "high"))
    assert (low < teeth_low).all()
    assert (teeth_high < high).all()
    assert teeth_high[2] < min(left[2], right[2]) - 0.01
