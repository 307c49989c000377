"""The cap of hair in glTF, and in other people's software."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from glb_file import GlbFile
from hair_caps import small_cap
from lifemask.heads import JOINT_NAMES
from lifemask_exporters.gltf import HAIR_MESH, MESHES, build_glb
from needs import NODE_MODULES, require
from packages import make_avatar

HERE = Path(__file__).parent


def _node(script: str, path: Path) -> dict:
    command = [require("node"), HERE / "node" / script, NODE_MODULES, path]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def haired():
    picture = np.full((32, 32, 4), (60, 40, 30, 255), np.uint8)
    picture[:16, :, 3] = 40
    return make_avatar(hair=small_cap(), textures={**make_avatar().textures, "hair": picture})


@pytest.fixture(scope="module")
def file(haired, tmp_path_factory):
    path = tmp_path_factory.mktemp("hair") / "hair.glb"
    path.write_bytes(build_glb(haired))
    return path


def test_hair_is_one_more_mesh_bound_to_the_head(haired, file):
    glb = GlbFile(file.read_bytes())
    assert set(glb.nodes) == {*MESHES, *JOINT_NAMES, HAIR_MESH}
    assert "skin" in glb.nodes[HAIR_MESH]
    np.testing.assert_array_equal(glb.attribute(HAIR_MESH, "POSITION"), haired.hair.vertices)
    np.testing.assert_array_equal(glb.attribute(HAIR_MESH, "TEXCOORD_0"), haired.hair.uv)
    joints, weights = (glb.attribute(HAIR_MESH, f"{name}_0") for name in ("JOINTS", "WEIGHTS"))
    assert (joints[:, 0] == JOINT_NAMES.index("Head")).all() and not joints[:, 1:].any()
    np.testing.assert_array_equal(weights, np.tile([1, 0, 0, 0], (len(weights), 1)))
    assert glb.targets(HAIR_MESH) == {}


def test_material_is_cut_out_and_two_sided(file):
    glb = GlbFile(file.read_bytes())
    material = glb.material(HAIR_MESH)
    assert material["alphaMode"] == "MASK" and material["doubleSided"]
    names = [m["name"] for m in glb.json["materials"]]
    assert names.count("Hair") == 1
    image = glb.json["images"][
        glb.json["textures"][material["pbrMetallicRoughness"]["baseColorTexture"]["index"]][
            "source"
        ]
    ]
    assert image["mimeType"] == "image/png"


def test_without_hair_there_is_no_trace_of_it():
    glb = GlbFile(build_glb(make_avatar()))
    assert HAIR_MESH not in glb.nodes
    assert all(material["name"] != "Hair" for material in glb.json["materials"])


def test_hair_without_a_texture_is_plain():
    material = GlbFile(build_glb(make_avatar(hair=small_cap()))).material(HAIR_MESH)
    assert "baseColorTexture" not in material["pbrMetallicRoughness"]


@pytest.mark.needs("gltf-validator")
def test_validator(file):
    report = _node("validate.cjs", file)
    issues = report["issues"]
    assert issues["numErrors"] == issues["numWarnings"] == 0, issues["messages"][:5]
    assert report["info"]["drawCallCount"] == len(MESHES) + 1


@pytest.mark.needs("three")
def test_three_js(file):
    meshes = _node("three_inspect.mjs", file)["meshes"]
    assert set(meshes) == {*MESHES, HAIR_MESH}
    hair = meshes[HAIR_MESH]
    assert hair["skinned"] and hair["map"] and hair["alphaTest"] == 0.5 and not hair["moves"]


@pytest.mark.needs("bpy")
def test_blender(file):
    command = [require("bpy"), HERE / "blender_inspect.py", file]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("REPORT "))
    meshes = json.loads(line.removeprefix("REPORT "))["meshes"]
    assert set(meshes) == {*MESHES, HAIR_MESH}
    assert not meshes[HAIR_MESH]["keys"]
