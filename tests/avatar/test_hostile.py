"""Damaged and hostile packages: a `PackageError` with a hint, never anything else."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import zipfile
import zlib

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from lifemask import Avatar, LifemaskError, PackageError, info
from lifemask.avatar import _container, _manifest
from lifemask.avatar._head_file import encode_head
from lifemask.avatar._pictures import MAX_SIDE
from packages import (
    make_avatar,
    package_bytes,
    rezip,
    unzip,
    with_file,
    with_manifest,
)


@pytest.fixture
def refuse(tmp_path):
    """Load bytes as a package, expect a refusal and return it."""

    def load(data: bytes, match: str | None = None) -> PackageError:
        path = tmp_path / "x.lifemask"
        path.write_bytes(data)
        for read in (Avatar.load, info):
            with pytest.raises(PackageError, match=match) as caught:
                read(path)
        assert caught.value.hint
        return caught.value

    return load


def set_path(path: str):
    """Rename the head in the manifest and in the archive."""
    files = unzip(package_bytes())
    manifest = json.loads(files["manifest.json"])
    next(e for e in manifest["files"] if e["path"] == "head.npz")["path"] = path
    files[path] = files.pop("head.npz")
    return rezip(files | {"manifest.json": json.dumps(manifest).encode()})


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"hello", bytes(1000), b"\x89PNG\r\n\x1a\n" + bytes(100), b"PK\x05\x06" * 9],
)
def test_not_a_package(refuse, data):
    refuse(data, "not an avatar package")


def test_no_such_file(tmp_path):
    make_avatar().save(tmp_path / "ada.lifemask", glb=False)
    with pytest.raises(PackageError) as caught:
        Avatar.load(tmp_path / "adda.lifemask")
    assert "ada.lifemask" in caught.value.hint


def test_another_zip_file(refuse):
    refuse(rezip({"readme.txt": b"hello"}), r"manifest\.json")


def test_folder_around_the_files(refuse):
    files = unzip(package_bytes())
    error = refuse(rezip({f"ada/{name}": data for name, data in files.items()}), "manifest")
    assert "folder around" in error.hint


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99, 0.999])
def test_cut_off(refuse, kept):
    data = package_bytes()
    refuse(data[: int(kept * len(data))])


def test_wrong_hash(refuse):
    files = unzip(package_bytes())
    head = bytearray(files["head.npz"])
    head[len(head) // 2] ^= 1
    refuse(rezip(files | {"head.npz": bytes(head)}), "SHA-256")


def test_missing_file(refuse):
    files = unzip(package_bytes())
    del files["textures/albedo.png"]
    refuse(rezip(files), r"albedo.*missing")


def test_file_that_is_not_listed(refuse):
    refuse(rezip(unzip(package_bytes()) | {"extra.bin": b"x"}), "does not list")


def test_no_head(refuse):
    def drop(manifest):
        manifest["files"] = [f for f in manifest["files"] if f["path"] != "head.npz"]

    files = unzip(with_manifest(drop))
    del files["head.npz"]
    refuse(rezip(files), r"no head\.npz")


def test_newer_major_version(refuse):
    error = refuse(with_manifest(lambda m: m.update(schema_version="2.0")), "version 2")
    assert "Update" in error.hint


@pytest.mark.parametrize(
    "path",
    [
        "../head.npz",
        "a/../../head.npz",
        "a/./head.npz",
        "/head.npz",
        "C:/head.npz",
        "C:head.npz",
        "..\\head.npz",
        "a\\head.npz",
        "\\\\server\\share",
        "a//b",
        "a/",
        ".hidden",
        "a/.hidden",
        "con",
        "NUL.txt",
        "a/COM1.bin",
        "head .npz",
        "head.npz ",
        "head.npz.",
        "hëad.npz",
        "head\x00.npz",
        "head\n.npz",
        "a" * 201,
        "",
    ],
)
def test_unsafe_paths(refuse, path, tmp_path):
    refuse(with_manifest(lambda m: m["files"][0].update(path=path)))
    if path and "\x00" not in path:
        refuse(set_path(path))
    folder = tmp_path / "folder"
    make_avatar().save(folder, unpacked=True, glb=False)
    files = json.loads((folder / "manifest.json").read_text("utf-8"))
    files["files"][0]["path"] = path
    (folder / "manifest.json").write_text(json.dumps(files), "utf-8")
    with pytest.raises(PackageError):
        Avatar.load(folder)


def test_same_file_listed_twice(refuse):
    refuse(with_manifest(lambda m: m["files"].append(m["files"][0])), "twice")


def test_names_that_differ_only_in_case(refuse):
    def add(manifest):
        manifest["files"].append({**manifest["files"][0], "path": "HEAD.NPZ"})

    refuse(with_manifest(add), "twice")


def test_same_entry_twice_in_the_archive(refuse):
    buffer = io.BytesIO(package_bytes())
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("head.npz", b"other")
    refuse(buffer.getvalue(), "twice")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_the_archive(refuse, kind):
    files = unzip(package_bytes())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = ((kind if name == "head.npz" else stat.S_IFREG) | 0o644) << 16
            archive.writestr(entry, data)
    refuse(buffer.getvalue(), "link or a device")


@pytest.mark.parametrize("linked", ["head.npz", "textures"])
def test_links_in_a_folder(tmp_path, linked):
    folder = tmp_path / "folder"
    make_avatar().save(folder, unpacked=True, glb=False)
    outside = tmp_path / "outside"
    (folder / linked).rename(outside)
    try:
        is_folder = outside.is_dir()
        (folder / linked).symlink_to(outside, is_folder)  # portability: refusal skips the test
    except OSError:
        pytest.skip("this system does not let us make links")
    with pytest.raises(PackageError, match="link"):
        Avatar.load(folder)


def test_encrypted_entry(refuse):
    data = bytearray(package_bytes())
    flags = data.rindex(b"PK\x01\x02") + 8
    data[flags] |= 1
    refuse(bytes(data), "encrypted")


def test_other_compression(refuse):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        for name, content in unzip(package_bytes()).items():
            archive.writestr(name, content)
    refuse(buffer.getvalue(), "neither stored nor deflated")


def test_bomb_that_declares_its_size(refuse):
    """300 MB of zeros in 300 kB."""
    buffer = io.BytesIO(package_bytes())
    with (
        zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("zeros.bin", "w") as entry,
    ):
        for _ in range(300):
            entry.write(bytes(2**20))
    assert len(buffer.getvalue()) < 2**20
    refuse(buffer.getvalue(), "more than")


def test_bomb_that_lies_about_its_size(refuse, monkeypatch):
    """The entry claims ten bytes; no more than that may ever be unpacked."""
    files = unzip(package_bytes()) | {"bomb.bin": b"0123456789"}
    manifest = json.loads(files["manifest.json"])
    entry = {"path": "bomb.bin", "sha256": "0" * 64, "size": 10, "origin": "source"}
    manifest["files"].insert(0, entry)
    files["manifest.json"] = json.dumps(manifest).encode()
    files["bomb.bin"] = bytes(50 * 2**20)
    data = bytearray(rezip(files))
    for signature, offset, name_at in ((b"PK\x03\x04", 22, 30), (b"PK\x01\x02", 24, 46)):
        at = -1
        while data[at + name_at : at + name_at + 8] != b"bomb.bin":
            at = data.index(signature, at + 1)
        struct.pack_into("<I", data, at + offset, 10)
    unpacked = []
    original = zipfile.ZipExtFile.read
    monkeypatch.setattr(
        zipfile.ZipExtFile,
        "read",
        lambda self, n=-1: unpacked.append(original(self, n)) or unpacked[-1],
    )
    refuse(bytes(data))
    assert max(map(len, unpacked)) < 2**20


def test_too_many_files(refuse):
    extra = {f"f{i}.bin": b"" for i in range(_manifest.MAX_FILES)}
    refuse(rezip(unzip(package_bytes()) | extra), "more than")


def test_sizes_that_add_up_to_too_much(refuse):
    def inflate(manifest):
        for entry in manifest["files"]:
            entry["size"] = _manifest.MAX_FILE_BYTES

    refuse(with_manifest(inflate), "more than")


def test_file_larger_than_any_package(tmp_path, monkeypatch):
    monkeypatch.setattr(_container, "MAX_TOTAL_BYTES", 1000)
    (tmp_path / "x.lifemask").write_bytes(bytes(1001))
    with pytest.raises(PackageError, match="more than"):
        Avatar.load(tmp_path / "x.lifemask")


def test_oversize_file_in_a_folder(tmp_path):
    make_avatar().save(tmp_path / "x", unpacked=True, glb=False)
    with (tmp_path / "x" / "manifest.json").open("ab") as file:
        file.write(b" " * _manifest.MAX_MANIFEST_BYTES)
    with pytest.raises(PackageError, match="more than"):
        Avatar.load(tmp_path / "x")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b"{" * 10_000,
        b"[" * 200_000,
        b'{"a": NaN}',
        b'{"schema_version": 1}',
        b'{"schema_version": "one"}',
        b'{"schema_version": "1"}',
        b'{"identity": ' + b"9" * 5000 + b"}",
    ],
)
def test_damaged_manifest(refuse, data):
    refuse(rezip(unzip(package_bytes()) | {"manifest.json": data}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("identity", "abc"),
        ("identity", [1, "2"]),
        ("identity", [True]),
        ("identity", [0] * 5000),
        ("identity", [1e999]),
        ("identity", [10**400]),
        ("licenses", {}),
        ("licenses", [{"name": 1}]),
        ("consent", None),
        ("consent", {"date": "yesterday"}),
        ("consent", {"subject": "\x1b[2J"}),
        ("metrics", []),
        ("metrics", {"a": []}),
        ("metrics", {"a\n": 1}),
        ("metrics", {"a": "\x07"}),
        ("name", ""),
        ("name", "a\x00b"),
        ("name", "\ud800"),
        ("name", 7),
        ("head_asset", {"id": "x"}),
        ("files", None),
        ("files", [{}]),
        ("generator", None),
    ],
)
def test_wrong_fields(refuse, key, value):
    refuse(with_manifest(lambda m: m.update({key: value})))


@pytest.mark.parametrize(
    ("key", "value"),
    [("sha256", "0" * 63), ("sha256", "G" * 64), ("size", -1), ("size", 1.5), ("size", True),
     ("origin", "stolen")],
)  # fmt: skip
def test_wrong_file_entries(refuse, key, value):
    refuse(with_manifest(lambda m: m["files"][0].update({key: value})))


class TestHeadFile:
    """`head.npz` with a right hash and a wrong content."""

    def arrays(self) -> dict[str, bytes]:
        return unzip(encode_head(make_avatar().head))

    def npy(self, array, **options) -> bytes:
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.asarray(array), **options)
        return buffer.getvalue()

    def changed(self, name: str, array, **options) -> bytes:
        arrays = self.arrays() | {f"{name}.npy": self.npy(array, **options)}
        return with_file("head.npz", rezip(arrays))

    def test_untouched_is_read(self, tmp_path):
        (tmp_path / "x").write_bytes(with_file("head.npz", rezip(self.arrays())))
        Avatar.load(tmp_path / "x")

    def test_pickles_are_never_opened(self, refuse, tmp_path):
        class Evil:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "owned"),)

        refuse(self.changed("joints", np.array([Evil()], object), allow_pickle=True))
        assert not (tmp_path / "owned").exists()

    @pytest.mark.parametrize(
        ("name", "change"),
        [
            ("neutral", lambda a: a[:-1]),
            ("neutral", lambda a: a * np.nan),
            ("neutral", lambda a: a.astype(np.float64)),
            ("neutral", lambda a: a[:, :2]),
            ("expression_deltas", lambda a: a[:-1]),
            ("expression_deltas", lambda a: a + np.inf),
            ("joint_weights", lambda a: a * 0),
            ("joint_weights", lambda a: -a),
            ("faces", lambda a: a + 10_000),
            ("faces", lambda a: a - 1),
            ("faces", lambda a: a.astype(np.int64)),
            ("faces_uv", lambda a: a + 10_000),
            ("mirror", lambda a: a - 1),
            ("landmark_faces", lambda a: a + 10_000),
            ("landmark_faces", lambda a: a[:-1]),
            ("neck_loop", lambda a: a + 10_000),
            ("part.skin", lambda a: a[::-1]),
            ("part.skin", lambda a: a + 10_000),
            ("part.skin", lambda a: a - 1),
            ("mask.face", lambda a: a[:-1]),
        ],
    )
    def test_wrong_arrays(self, refuse, name, change):
        array = np.load(io.BytesIO(self.arrays()[f"{name}.npy"]))
        refuse(self.changed(name, change(array)), "head.npz")

    @pytest.mark.parametrize("name", ["neutral", "part.skin", "uv"])
    def test_missing_array(self, refuse, name):
        arrays = self.arrays()
        del arrays[f"{name}.npy"]
        refuse(with_file("head.npz", rezip(arrays)), "missing")

    @pytest.mark.parametrize(
        "header",
        [
            b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 3), }",
            b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3), }",
            b"{'descr': '|O', 'fortran_order': False, 'shape': (6, 3), }",
            b"{'descr': '<f4', 'fortran_order': 7, 'shape': (6, 3), }",
            b"{'descr': '<f4'}",
            b"__import__('os').system('true')",
            b"(" * 5000,
            b"",
        ],
    )
    def test_hostile_headers(self, refuse, header):
        header += b"\n"
        data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(72)
        refuse(with_file("head.npz", rezip(self.arrays() | {"joints.npy": data})), "head.npz")

    def test_not_an_archive(self, refuse):
        refuse(with_file("head.npz", b"no archive"))

    def test_other_memory_order_is_read(self, tmp_path):
        array = np.load(io.BytesIO(self.arrays()["neutral.npy"]))
        (tmp_path / "x").write_bytes(self.changed("neutral", np.asfortranarray(array)))
        head = Avatar.load(tmp_path / "x").head
        np.testing.assert_array_equal(head.neutral, array)
        assert head.neutral.flags.c_contiguous


def png(width: int, height: int, color: int = 2, depth: int = 8, pixels: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(pixels)),
         chunk(b"IEND", b"")]
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        png(MAX_SIDE + 1, 1),
        png(2**31 - 1, 2**31 - 1),
        png(60_000, 60_000),
        png(4, 4, color=0, depth=16, pixels=bytes(36)),
        png(4, 4),
        png(4, 4, pixels=bytes(10)),
        png(4, 4, pixels=bytes(52))[:-26],
    ],
)
def test_bad_pictures(data, tmp_path):
    path = tmp_path / "x.lifemask"
    path.write_bytes(with_file("textures/albedo.png", data))
    avatar = Avatar.load(path)
    with pytest.raises(PackageError):
        avatar.textures["albedo"]
    path.write_bytes(with_file("preview.png", data))
    with pytest.raises(PackageError):
        Avatar.load(path)


@pytest.mark.parametrize("name", ["albedo", "normal", "orm"])
def test_grey_maps_that_need_color(name, tmp_path):
    path = tmp_path / "x.lifemask"
    path.write_bytes(with_file(f"textures/{name}.png", png(4, 4, color=0, pixels=bytes(20))))
    with pytest.raises(PackageError, match="grey"):
        Avatar.load(path).textures[name]


def load_mutated(data: bytes, folder) -> None:
    """Load; whatever is wrong must come out as a `PackageError`."""
    path = folder / "fuzz.lifemask"
    path.write_bytes(data)
    try:
        avatar = Avatar.load(path)
        for name in avatar.textures:
            avatar.textures[name]
        info(path)
    except PackageError as error:
        assert error.hint
    except LifemaskError as error:
        raise AssertionError(f"another kind of error: {error!r}") from error


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), st.binary(max_size=12)), min_size=1, max_size=4
)


def edit(data: bytes, changes) -> bytes:
    for place, removed, inserted in changes:
        at = int(place * len(data))
        data = data[:at] + inserted + data[at + removed :]
    return data


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(edits)
def test_fuzz_package_bytes(folder, changes):
    load_mutated(edit(package_bytes(), changes), folder)


@hypothesis.settings(max_examples=200, deadline=None)
@hypothesis.given(st.integers(1, 3000), st.binary(min_size=1, max_size=6))
def test_fuzz_end_of_the_archive(folder, before_end, inserted):
    """The directory of a zip file lies at its end."""
    data = package_bytes()
    at = max(0, len(data) - before_end)
    load_mutated(data[:at] + inserted + data[at + len(inserted) :], folder)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@hypothesis.settings(max_examples=200, deadline=None)
@hypothesis.given(st.data())
def test_fuzz_manifest_fields(folder, data):
    def change(manifest):
        target = manifest
        for _ in range(data.draw(st.integers(0, 2))):
            keys = range(len(target)) if isinstance(target, list) else sorted(target)
            inner = [target[key] for key in keys if isinstance(target[key], dict | list)]
            target = data.draw(st.sampled_from(inner)) if inner else target
        keys = list(range(len(target))) if isinstance(target, list) else sorted(target)
        if keys:
            target[data.draw(st.sampled_from(keys))] = data.draw(json_values)

    load_mutated(with_manifest(change), folder)


@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(edits)
def test_fuzz_head_arrays(folder, changes):
    head = unzip(package_bytes())["head.npz"]
    load_mutated(with_file("head.npz", edit(head, changes)), folder)


@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(st.sampled_from(["joints", "part.skin", "mask.face", "faces"]), edits)
def test_fuzz_one_array(folder, name, changes):
    arrays = unzip(unzip(package_bytes())["head.npz"])
    arrays[f"{name}.npy"] = edit(arrays[f"{name}.npy"], changes)
    load_mutated(with_file("head.npz", rezip(arrays)), folder)


@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(edits)
def test_fuzz_picture(folder, changes):
    picture = unzip(package_bytes())["textures/albedo.png"]
    load_mutated(with_file("textures/albedo.png", edit(picture, changes)), folder)
