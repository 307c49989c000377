"""What stands in an exported GLB, read back by an independent reader."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from glb_file import GlbFile
from lifemask import COEFFICIENT_NAMES, ExportError, Manifest
from lifemask.heads import JOINT_NAMES, gaze_matrix
from lifemask_exporters._materials import crop_atlas
from lifemask_exporters._surface import MOVES_METRES
from lifemask_exporters.gltf import MESHES, build_glb, export
from packages import make_avatar
from synthetic import make_head, make_textures


@pytest.fixture(scope="module")
def glb(avatar) -> GlbFile:
    return GlbFile(build_glb(avatar))


def test_core_gltf_only(glb):
    assert "extensionsUsed" not in glb.json
    assert "extensionsRequired" not in glb.json


def test_nodes(glb):
    assert set(glb.nodes) == {*MESHES, *JOINT_NAMES}
    roots = {glb.json["nodes"][index]["name"] for index in glb.json["scenes"][0]["nodes"]}
    assert roots == {*MESHES, "Root"}
    for name in MESHES:
        assert set(glb.nodes[name]) == {"name", "mesh", "skin"}
        assert glb.mesh(name)["name"] == name
        assert glb.primitive(name)["attributes"].keys() >= {"POSITION", "NORMAL", "TEXCOORD_0"}


def test_joints(glb, head):
    for name, joint in zip(JOINT_NAMES, head.joints, strict=True):
        np.testing.assert_allclose(glb.world_position(name), joint, atol=1e-6)
    (skin,) = glb.json["skins"]
    assert [glb.json["nodes"][index]["name"] for index in skin["joints"]] == list(JOINT_NAMES)
    matrices = glb.accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    for matrix, joint in zip(matrices, head.joints, strict=True):
        np.testing.assert_allclose(matrix @ [*joint, 1], [0, 0, 0, 1], atol=1e-7)


def test_head_mesh_has_all_coefficients_in_order(glb):
    targets = glb.targets("HeadMesh")
    assert tuple(targets) == COEFFICIENT_NAMES
    for name, delta in targets.items():
        assert np.linalg.norm(delta, axis=1).max() >= MOVES_METRES, name
    assert not any(glb.mesh("HeadMesh")["weights"])


def test_every_target_of_every_mesh_moves_something(glb):
    for mesh in MESHES:
        for name, delta in glb.targets(mesh).items():
            assert np.linalg.norm(delta, axis=1).max() >= MOVES_METRES, (mesh, name)


def test_who_carries_which_shapes(glb):
    assert list(glb.targets("TeethMesh")) == ["jawForward", "jawLeft", "jawRight", "jawOpen"]
    assert not glb.targets("EyeMeshLeft")
    assert not glb.targets("EyeMeshRight")
    assert {"eyeBlinkLeft", "eyeBlinkRight", "eyeLookUpLeft"} <= set(glb.targets("LashMesh"))


def test_bounds_are_exact(glb):
    for mesh in MESHES:
        primitive = glb.primitive(mesh)
        used = [primitive["attributes"], *primitive.get("targets", [])]
        for index in [attributes["POSITION"] for attributes in used]:
            entry, array = glb.json["accessors"][index], glb.accessor(index)
            np.testing.assert_array_equal(np.float32(entry["min"]), array.min(axis=0))
            np.testing.assert_array_equal(np.float32(entry["max"]), array.max(axis=0))


def test_eyes_turn_by_their_joints_alone(glb, head):
    """Linear blend skinning with the file's own numbers gives the head's own vertices."""
    gaze = np.array([0.3, -0.1, 0.25, 0.15])
    wanted = head.vertices(gaze=gaze)
    joints, weights = (
        glb.attribute("EyeMeshLeft", "JOINTS_0"),
        glb.attribute("EyeMeshLeft", "WEIGHTS_0"),
    )
    assert set(joints[weights > 0]) == {JOINT_NAMES.index("EyeLeft")}
    centre = glb.world_position("EyeLeft")
    turned = (glb.attribute("EyeMeshLeft", "POSITION") - centre) @ gaze_matrix(0.3, -0.1).T + centre
    part = head.topology.parts["eye_left"].vertices
    distance = np.linalg.norm(turned[:, None] - wanted[part][None], axis=-1)
    assert distance.min(axis=1).max() < 1e-6
    assert distance.min(axis=0).max() < 1e-6


def test_jaw_joint_carries_no_weight(glb):
    for mesh in MESHES:
        joints, weights = glb.attribute(mesh, "JOINTS_0"), glb.attribute(mesh, "WEIGHTS_0")
        assert JOINT_NAMES.index("Jaw") not in joints[weights > 0]


def test_sparse_holds_the_same_shapes(glb, avatar):
    sparse = GlbFile(build_glb(avatar, sparse=True))
    for mesh in MESHES:
        for attribute in ("POSITION", "NORMAL"):
            dense, small = glb.targets(mesh, attribute), sparse.targets(mesh, attribute)
            assert list(dense) == list(small)
            for name in dense:
                np.testing.assert_array_equal(dense[name], small[name])
    assert len(sparse.blob) < 0.5 * len(glb.blob)


def test_same_avatar_same_bytes(avatar):
    assert build_glb(avatar) == build_glb(avatar)


def test_consent_and_terms_travel(glb):
    asset = glb.json["asset"]
    about = asset["extras"]["lifemask"]
    assert about["consent"]["subject"] == "Ada Example"
    assert about["consent"]["expiry"] == "2036-01-02"
    assert any(item["licence"] == "CC0-1.0" for item in about["licenses"])
    assert "Ada Example" in asset["copyright"]
    assert about["headAsset"]["id"]
    assert "EARFaceBlendShape" in about["coefficientOrder"]


def test_unset_consent_is_reported():
    file = GlbFile(build_glb(make_avatar(manifest=Manifest())))
    about = file.json["asset"]["extras"]["lifemask"]
    assert about["consent"] == dict.fromkeys(("subject", "purpose", "date", "expiry"), "unset")
    assert about["licenses"] == "unset"


class TestMaterials:
    def images(self, file: GlbFile) -> dict[str, Image.Image]:
        images = {}
        for image in file.json["images"]:
            picture = Image.open(io.BytesIO(file.view(image["bufferView"])))
            assert Image.MIME[picture.format] == image["mimeType"]
            images[image["name"]] = picture
        return images

    def test_all_surfaces_are_dielectric(self, glb):
        assert {m["name"] for m in glb.json["materials"]} == {"Skin", "Teeth", "Eyes", "Lashes"}
        for material in glb.json["materials"]:
            assert material["pbrMetallicRoughness"]["metallicFactor"] == 0
            assert material["alphaMode"] == "OPAQUE"
            assert material["doubleSided"] == (material["name"] == "Lashes")

    def test_maps_and_tangents(self, glb):
        textures = [t["name"] for t in glb.json["textures"]]
        skin = glb.material("HeadMesh")
        surface = skin["pbrMetallicRoughness"]
        assert textures[surface["baseColorTexture"]["index"]] == "albedo"
        assert textures[surface["metallicRoughnessTexture"]["index"]] == "orm"
        assert textures[skin["occlusionTexture"]["index"]] == "orm"
        assert textures[skin["normalTexture"]["index"]] == "normal"
        for name in MESHES:
            has_normal_map = "normalTexture" in glb.material(name)
            assert ("TANGENT" in glb.primitive(name)["attributes"]) == has_normal_map
            assert all("TANGENT" not in t for t in glb.primitive(name).get("targets", []))

    def test_without_textures(self):
        file = GlbFile(build_glb(make_avatar(textures={})))
        assert "images" not in file.json
        assert all("TANGENT" not in file.primitive(name)["attributes"] for name in MESHES)
        color = file.material("HeadMesh")["pbrMetallicRoughness"]["baseColorFactor"]
        assert color[0] > color[2]

    def test_jpeg_and_png(self):
        avatar = make_avatar()
        kinds = {}
        for kind in ("jpeg", "png"):
            images = self.images(GlbFile(build_glb(avatar, image_format=kind)))
            kinds[kind] = {name: image.format for name, image in images.items()}
            difference = np.abs(
                np.asarray(images["albedo"], float) - avatar.textures["albedo"].astype(float)
            )
            assert difference.mean() < (2 if kind == "jpeg" else 1e-9)
        assert kinds["jpeg"]["albedo"] == kinds["jpeg"]["orm"] == "JPEG"
        assert set(kinds["png"].values()) == {"PNG"}
        assert kinds["jpeg"]["normal"] == kinds["jpeg"]["lashes"] == "PNG"

    def test_unknown_image_format(self):
        with pytest.raises(ExportError, match="webp"):
            build_glb(make_avatar(), image_format="webp")

    def test_lashes_are_masked_by_a_small_texture_of_their_own(self):
        head = make_head()
        albedo = make_textures(256)["albedo"]
        alpha = np.random.default_rng(0).integers(0, 256, (256, 256, 1), np.uint8)
        avatar = make_avatar(textures={"albedo": np.concatenate([albedo, alpha], axis=2)})
        file = GlbFile(build_glb(avatar))
        material = file.material("LashMesh")
        assert (material["alphaMode"], material["alphaCutoff"]) == ("MASK", 0.5)
        assert all(m["alphaMode"] == "OPAQUE" for m in file.json["materials"][:3])
        images = self.images(file)
        assert images["albedo"].mode == "RGB"
        lashes = np.asarray(images["lashes"])
        assert lashes.shape[2] == 4
        assert lashes.size < alpha.size * 4
        # The same texels through the new UV as through the old ones.
        uv = file.attribute("LashMesh", "TEXCOORD_0")
        part = head.topology.parts["lashes"]
        old = head.topology.uv[np.unique(head.topology.faces_uv[part.faces])]
        assert sorted(_sample(lashes, uv)) == sorted(_sample(avatar.textures["albedo"], old))

    def test_crop_of_a_small_picture_is_the_picture(self):
        picture = np.zeros((20, 30, 4), np.uint8)
        uv = np.array([[0.0, 0.0], [1.0, 1.0]], np.float32)
        cut, same = crop_atlas(picture, uv)
        assert cut.shape == picture.shape
        np.testing.assert_allclose(same, uv)


def _sample(picture: np.ndarray, uv: np.ndarray) -> list[tuple[int, ...]]:
    """Nearest texels, from a hair inside the texel that a corner lies on."""
    size = np.array(picture.shape[1::-1])
    column, row = np.floor(uv.astype(float) * size + 1e-3).astype(int).T
    return [tuple(texel) for texel in picture[row, column].tolist()]


class TestAnimations:
    def test_off_by_default(self, glb):
        assert "animations" not in glb.json

    def test_clips_move_every_mesh_that_has_the_shape(self, avatar):
        file = GlbFile(build_glb(avatar, animations=True))
        clips = {clip["name"]: clip for clip in file.json["animations"]}
        assert set(clips) == {"blink", "smile", "visemes"}
        moved = {
            name: {file.json["nodes"][c["target"]["node"]]["name"] for c in clip["channels"]}
            for name, clip in clips.items()
        }
        assert moved["blink"] == {"HeadMesh", "LashMesh"}
        assert moved["visemes"] >= {"HeadMesh", "TeethMesh"}
        for clip in clips.values():
            for channel in clip["channels"]:
                self._check(file, clip["samplers"][channel["sampler"]], channel["target"])

    def _check(self, file, sampler, target) -> None:
        name = file.json["nodes"][target["node"]]["name"]
        times = file.accessor(sampler["input"])[:, 0]
        weights = file.accessor(sampler["output"]).reshape(len(times), -1)
        assert weights.shape[1] == len(file.targets(name))
        assert (np.diff(times) > 0).all()
        assert times[0] == 0
        assert not weights[[0, -1]].any()
        assert 0 < weights.max() <= 1

    def test_blink_closes_the_eyes(self, avatar):
        file = GlbFile(build_glb(avatar, animations=True))
        blink = next(c for c in file.json["animations"] if c["name"] == "blink")
        weights = file.accessor(blink["samplers"][0]["output"]).reshape(-1, 52)
        peak = dict(zip(COEFFICIENT_NAMES, weights.max(axis=0), strict=True))
        assert {n for n, w in peak.items() if w} == {"eyeBlinkLeft", "eyeBlinkRight"}


def test_export_writes_the_file(tmp_path):
    avatar = make_avatar()
    export(avatar, tmp_path / "ada.glb", sparse=True)
    assert (tmp_path / "ada.glb").read_bytes() == build_glb(avatar, sparse=True)
