"""Builds whose shape comes from a scan: with colours, without, and with a photo besides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lifemask
from lifemask import InputError
from lifemask.heads import load_head_model
from lifemask.rigging import PLAIN_SKIN

PORTRAIT = Path(lifemask.__file__).parent / "data" / "portrait.jpg"


@pytest.fixture(scope="module")
def person():
    model = load_head_model()
    return model.head(0.6 * np.random.default_rng(8).standard_normal(model.mode_count))


@pytest.fixture(scope="module")
def scan(person, tmp_path_factory):
    """A head in millimetres, as OBJ without colours."""
    topology = person.topology
    faces = topology.faces[: topology.parts["lashes"].faces.start] + 1
    lines = ["v {:.4f} {:.4f} {:.4f}".format(*point) for point in 1000 * person.neutral]
    lines += ["f {} {} {}".format(*face) for face in faces]
    path = tmp_path_factory.mktemp("scan") / "head.obj"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def face_error(avatar, person):
    """Mean distance of the vertices of the face, rigidly aligned, millimetres."""
    from lifemask.rigging._registration import rigid_motion

    rows = person.topology.masks["face"] > 0.5
    a, b = avatar.head.neutral[rows].astype(float), person.neutral[rows].astype(float)
    rotation, shift = rigid_motion(a, b, np.ones(len(a)))
    return 1000 * np.linalg.norm(a @ rotation.T + shift - b, axis=1).mean()


@pytest.mark.needs("landmarker")
def test_a_scan_alone_gives_its_shape_and_size_and_a_plain_skin(scan, person, tmp_path):
    avatar = lifemask.build([], tmp_path / "a.lifemask", scan=scan, texture_size=256)
    metrics = avatar.manifest.metrics
    assert avatar.name == "head"
    assert metrics["scan_unit"] == "mm" and metrics["scan_distance_mm_mean"] < 0.2
    assert metrics["appearance"] == "plain: the scan has no colours"
    assert face_error(avatar, person) < 1.6
    assert avatar.hair is None
    # One skin colour and no shading: nothing of the drawn light stays in the albedo.
    skin = avatar.textures["albedo"][60:100, 60:100, :3].reshape(-1, 3).astype(int)
    away = np.abs(skin - np.round(255 * np.array(PLAIN_SKIN))).max(axis=1)
    assert np.quantile(away, 0.9) < 12
    again = lifemask.Avatar.load(tmp_path / "a.lifemask")
    np.testing.assert_array_equal(again.head.neutral, avatar.head.neutral)


@pytest.mark.needs("landmarker")
def test_with_a_photo_the_scan_is_the_shape_and_the_photo_the_skin(scan, person):
    avatar = lifemask.build([PORTRAIT], scan=scan, texture_size=256)
    assert avatar.name == "portrait"
    assert avatar.manifest.metrics["appearance"] == "from the pictures"
    assert avatar.manifest.metrics["pictures"] == 1
    assert face_error(avatar, person) < 1.6
    skin = avatar.textures["albedo"][60:100, 60:100, :3].reshape(-1, 3).astype(int)
    assert np.ptp(skin, axis=0).max() > 20


def test_what_is_no_scan_is_refused_before_anything_is_done(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        lifemask.build([], scan=tmp_path / "nothing.obj")
    (tmp_path / "head.stl").write_bytes(b"solid")
    with pytest.raises(InputError, match="not a mesh file"):
        lifemask.build([], scan=tmp_path / "head.stl")
    with pytest.raises(InputError, match="nothing to build from"):
        lifemask.build([])
