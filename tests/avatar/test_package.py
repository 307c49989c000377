"""What goes into a package comes out again, and the same avatar gives the same bytes."""

from __future__ import annotations

import dataclasses
import datetime
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import lifemask
from lifemask import Avatar, Consent, Manifest, PackageError
from packages import CONSENT, make_avatar, unzip, with_file, with_manifest
from synthetic import make_head

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ada.lifemask"


def assert_same_head(found, wanted) -> None:
    for name in ("neutral", "expression_deltas", "joints", "joint_weights"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
        assert getattr(found, name).dtype == np.float32
    for field in dataclasses.fields(wanted.topology):
        mine, other = (getattr(head.topology, field.name) for head in (found, wanted))
        if field.name == "masks":
            assert mine.keys() == other.keys()
            assert all(np.array_equal(mine[name], other[name]) for name in mine)
        else:
            np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("unpacked", [False, True])
def test_round_trip(path, unpacked):
    avatar = make_avatar()
    avatar.save(path, unpacked=unpacked)
    assert path.is_dir() == unpacked
    found = Avatar.load(path)
    assert_same_head(found.head, avatar.head)
    assert list(found.head.topology.parts) == list(avatar.head.topology.parts)
    assert found.name == "ada"
    assert found.textures.keys() == avatar.textures.keys()
    for name, texture in avatar.textures.items():
        np.testing.assert_array_equal(found.textures[name], texture)
    np.testing.assert_array_equal(found.preview, avatar.preview)
    assert found.models == avatar.models
    assert found.manifest.consent == CONSENT
    assert found.manifest.licenses == avatar.manifest.licenses
    assert found.manifest.metrics == avatar.manifest.metrics
    assert found.manifest.identity == avatar.manifest.identity


def test_same_avatar_same_bytes_anywhere(tmp_path):
    first, second = tmp_path / "a.lifemask", tmp_path / "elsewhere" / "b.lifemask"
    second.parent.mkdir()
    make_avatar().save(first)
    make_avatar().save(second)
    assert first.read_bytes() == second.read_bytes()
    again = tmp_path / "again.lifemask"
    Avatar.load(first).save(again)
    assert again.read_bytes() == first.read_bytes()


def test_same_bytes_in_another_process(path, tmp_path):
    """The order of sets and dictionaries of texts differs from process to process."""
    make_avatar().save(path)
    other = tmp_path / "other.lifemask"
    script = "import sys; from packages import make_avatar; make_avatar().save(sys.argv[1])"
    environment = {"PYTHONHASHSEED": "7", "PYTHONPATH": str(TESTS)}
    subprocess.run(
        [sys.executable, "-c", script, str(other)], check=True, env=_environment(environment)
    )
    assert other.read_bytes() == path.read_bytes()


def _environment(changes: dict[str, str]) -> dict[str, str]:
    import os

    paths = [changes["PYTHONPATH"], *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, **changes, "PYTHONPATH": os.pathsep.join(paths)}


def test_unpacked_holds_the_same_files(tmp_path):
    avatar = make_avatar()
    avatar.save(tmp_path / "packed")
    avatar.save(tmp_path / "folder", unpacked=True)
    folder = tmp_path / "folder"
    files = {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }
    assert files == unzip((tmp_path / "packed").read_bytes())


def test_folder_zipped_by_hand_loads(tmp_path):
    make_avatar().save(tmp_path / "folder", unpacked=True)
    with zipfile.ZipFile(tmp_path / "mine.lifemask", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((tmp_path / "folder").rglob("*")):
            archive.write(file, file.relative_to(tmp_path / "folder"))
    assert any(name.endswith("/") for name in archive.namelist())
    assert_same_head(Avatar.load(tmp_path / "mine.lifemask").head, make_head())


def test_files_of_file_managers_do_no_harm_in_a_folder(path):
    make_avatar().save(path, unpacked=True)
    (path / ".DS_Store").write_bytes(b"x")
    Avatar.load(path)


def test_manifest_tells_source_from_derived(path):
    manifest = make_avatar().save(path)
    derived = {file.path for file in manifest.files if file.origin == "derived"}
    assert derived == {"avatar.glb", "preview.png", "textures/normal.png", "textures/orm.png"}
    assert {file.path for file in manifest.files} - derived == {
        "head.npz",
        "models/blendshape_regression.onnx",
        "textures/albedo.png",
    }
    assert Avatar.load(path).manifest == manifest


def test_embedded_glb_is_what_export_writes(path, tmp_path):
    make_avatar().save(path)
    written = lifemask.export(path, tmp_path / "ada.glb")
    assert written.read_bytes() == unzip(path.read_bytes())["avatar.glb"]


def test_head_asset_is_recorded(path):
    topology = make_head().topology
    asset = make_avatar().save(path).head_asset
    assert asset == (topology.asset_id, topology.asset_version, topology.asset_sha256)


def test_textures_are_decoded_when_asked_for(path):
    path.write_bytes(with_file("textures/albedo.png", b"no picture at all"))
    avatar = Avatar.load(path)
    assert avatar.textures["normal"].shape == (32, 32, 3)
    assert avatar.textures["normal"] is avatar.textures["normal"]
    with pytest.raises(PackageError, match="albedo"):
        avatar.textures["albedo"]


def test_files_of_later_versions_survive(path, tmp_path):
    path.write_bytes(with_file("dynamics/basis.bin", b"from the future"))
    avatar = Avatar.load(path)
    assert avatar.attachments == {"dynamics/basis.bin": b"from the future"}
    avatar.save(tmp_path / "again.lifemask")
    assert Avatar.load(tmp_path / "again.lifemask").attachments == avatar.attachments


def test_grey_textures(path):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    make_avatar(textures={"provenance": grey}).save(path)
    np.testing.assert_array_equal(Avatar.load(path).textures["provenance"], grey)
    assert lifemask.info(path).textures == {"provenance": (3, 4, 1)}


def test_unknown_fields_and_minor_versions_are_passed_over(path):
    path.write_bytes(with_manifest(lambda m: m.update(schema_version="1.7", mood="good")))
    assert Avatar.load(path).manifest.schema_version == "1.7"


def test_saving_replaces_an_older_package(path):
    make_avatar(name="old").save(path)
    make_avatar(name="new").save(path)
    assert Avatar.load(path).name == "new"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a" * 201, "\x1b[31mred"])
def test_names_are_printable(name):
    with pytest.raises(ValueError, match="name"):
        make_avatar(name=name)


@pytest.mark.parametrize(
    "changes",
    [
        {"textures": {"../x": np.zeros((4, 4, 3), np.uint8)}},
        {"textures": {"albedo": np.zeros((4, 4), np.uint8)}},
        {"textures": {"albedo": np.zeros((4, 4, 3), np.float32)}},
        {"textures": {"mask": np.zeros((4, 4, 2), np.uint8)}},
        {"textures": {"mask": np.zeros((0, 4), np.uint8)}},
        {"models": {"a.b": b""}},
        {"attachments": {"../evil": b""}},
        {"manifest": Manifest(metrics={"error": float("nan")})},
        {"head": dataclasses.replace(make_head(), joint_weights=make_head().joint_weights * 2)},
        {"head": dataclasses.replace(make_head(), neutral=make_head().neutral * np.nan)},
    ],
)
def test_what_could_not_be_read_again_is_not_written(path, changes):
    with pytest.raises((ValueError, PackageError)):
        make_avatar(**changes).save(path, glb=False)
    assert not any(path.parent.iterdir())


class TestConsent:
    def test_unset_is_reported(self):
        assert Consent().report() == "consent unset"
        assert Consent().shown() == dict.fromkeys(("subject", "purpose", "date", "expiry"), "unset")

    def test_partly_set(self):
        report = Consent(subject="Ada").report()
        assert "subject Ada" in report
        assert "expiry unset" in report

    def test_expiry(self):
        assert not CONSENT.expired(datetime.date(2036, 1, 2))
        assert CONSENT.expired(datetime.date(2036, 1, 3))
        assert "EXPIRED" in CONSENT.report(datetime.date(2036, 1, 3))
        assert "EXPIRED" not in CONSENT.report(datetime.date(2036, 1, 2))

    def test_null_in_the_manifest(self, path):
        make_avatar(manifest=Manifest()).save(path)
        written = json.loads(unzip(path.read_bytes())["manifest.json"])
        assert written["consent"] == dict.fromkeys(("subject", "purpose", "date", "expiry"))
        assert Avatar.load(path).manifest.consent == Consent()


def test_info(path):
    make_avatar().save(path)
    found = lifemask.info(path)
    head = make_head()
    assert found.vertex_count == len(head.neutral)
    assert found.face_count == len(head.topology.faces)
    assert found.textures["albedo"] == (32, 32, 3)
    assert found.size_bytes == sum(map(len, unzip(path.read_bytes()).values())) - len(
        unzip(path.read_bytes())["manifest.json"]
    )
    report = json.loads(json.dumps(found.to_dict()))
    assert report["consent"]["subject"] == "Ada Example"
    assert report["metrics"] == {"landmark_error_interocular": 0.0101, "photos": 1}


def test_size_of_a_full_package(path):
    """2k albedo, normal and ORM of a photo-like texture stay within 15 MB with the real head."""
    textures = photo_like_textures(2048)
    head = lifemask.load_head_model().head()
    make_avatar(head=head, textures=textures).save(path)
    assert path.stat().st_size < 15e6


def photo_like_textures(size: int) -> dict[str, np.ndarray]:
    """Smooth shading with detail down to a few pixels, as a scaled-up portrait has."""
    rng = np.random.default_rng(0)
    grey = np.zeros((size, size))
    for cells, strength in ((4, 60), (32, 20), (256, 10), (size // 4, 3)):
        coarse = rng.standard_normal((cells, cells))
        grey += strength * _enlarge(coarse, size)
    grey = np.clip(grey + 128, 0, 255)
    albedo = np.stack([grey, 0.8 * grey, 0.7 * grey], -1)
    slope_y, slope_x = np.gradient(grey / 64)
    normal = np.stack([-slope_x, slope_y, np.ones_like(grey)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    orm = np.stack([np.full_like(grey, 255), 120 + grey / 4, np.zeros_like(grey)], -1)
    maps = {"albedo": albedo, "normal": 127.5 * normal + 127.5, "orm": orm}
    return {name: np.round(image).astype(np.uint8) for name, image in maps.items()}


def _enlarge(coarse: np.ndarray, size: int) -> np.ndarray:
    """Interpolate linearly to `size` pixels a side."""
    at = np.linspace(0, len(coarse) - 1, size)
    low = np.minimum(at.astype(int), len(coarse) - 2)
    part = at - low
    rows = coarse[low] * (1 - part)[:, None] + coarse[low + 1] * part[:, None]
    return rows[:, low] * (1 - part) + rows[:, low + 1] * part
