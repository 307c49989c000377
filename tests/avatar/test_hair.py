"""Hair in packages: kept bit by bit, checked like everything else."""

from __future__ import annotations

import io

import numpy as np
import pytest

from hair_caps import small_cap
from lifemask import Avatar, PackageError
from lifemask.avatar._head_file import decode_head_and_hair, encode_head
from packages import make_avatar, rezip, unzip

ARRAYS = ("vertices", "faces", "uv", "normals")


def make_haired() -> Avatar:
    picture = np.random.default_rng(3).integers(0, 255, (16, 16, 4)).astype(np.uint8)
    avatar = make_avatar(hair=small_cap())
    return make_avatar(hair=small_cap(), textures={**avatar.textures, "hair": picture})


@pytest.mark.parametrize("unpacked", [False, True])
def test_round_trip(tmp_path, unpacked):
    avatar = make_haired()
    avatar.save(tmp_path / "x", unpacked=unpacked, glb=False)
    again = Avatar.load(tmp_path / "x")
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(again.hair, name), getattr(avatar.hair, name))
    np.testing.assert_array_equal(again.textures["hair"], avatar.textures["hair"])


def test_no_hair_stays_no_hair(tmp_path):
    make_avatar().save(tmp_path / "x", glb=False)
    assert Avatar.load(tmp_path / "x").hair is None


def refused(arrays: dict[str, bytes]) -> str:
    with pytest.raises(PackageError) as caught:
        decode_head_and_hair(rezip(arrays), make_haired().manifest.head_asset)
    return str(caught.value)


def changed(name: str, change) -> dict[str, bytes]:
    arrays = unzip(encode_head(make_haired().head, small_cap()))
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, change(np.load(io.BytesIO(arrays[f"{name}.npy"]))))
    return arrays | {f"{name}.npy": buffer.getvalue()}


@pytest.mark.parametrize("name", ARRAYS)
def test_half_a_cap_is_refused(name):
    arrays = unzip(encode_head(make_haired().head, small_cap()))
    del arrays[f"hair_{name}.npy"]
    assert f"'hair_{name}' is missing" in refused(arrays)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("hair_vertices", lambda a: a[:-1]),
        ("hair_vertices", lambda a: a * np.float32(np.nan)),
        ("hair_vertices", lambda a: a.astype(np.float64)),
        ("hair_normals", lambda a: a[:, :2]),
        ("hair_uv", lambda a: a + np.float32(np.inf)),
        ("hair_faces", lambda a: a + 1),
        ("hair_faces", lambda a: a - 1),
        ("hair_faces", lambda a: a.astype(np.int64)),
    ],
)
def test_wrong_arrays_are_refused(name, change):
    assert "head.npz" in refused(changed(name, change))


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3)])
def test_a_texture_without_coverage_is_refused(shape, tmp_path):
    avatar = make_avatar(hair=small_cap(), textures={"hair": np.zeros(shape, np.uint8)})
    with pytest.raises(ValueError, match="hair"):
        avatar.save(tmp_path / "x", glb=False)
