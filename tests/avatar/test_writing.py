"""Nothing half-written ever lies under the final name."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lifemask import Avatar, ExportError, _files, export
from lifemask.avatar import _container
from packages import make_avatar

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture
def full_disk(monkeypatch):
    """Every file takes 100 bytes, then the disk is full."""

    def write_through(path: Path, data: bytes) -> None:
        with path.open("xb") as file:
            file.write(data[:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_container, "write_through", write_through)
    monkeypatch.setattr(_files, "write_through", write_through)


@pytest.mark.parametrize("unpacked", [False, True])
def test_full_disk_leaves_nothing(tmp_path, full_disk, unpacked):
    with pytest.raises(ExportError, match="No space left") as caught:
        make_avatar().save(tmp_path / "ada.lifemask", unpacked=unpacked, glb=False)
    assert caught.value.hint
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("unpacked", [False, True])
def test_full_disk_keeps_the_older_package(tmp_path, request, unpacked):
    path = tmp_path / "ada.lifemask"
    make_avatar(name="old").save(path, unpacked=unpacked)
    request.getfixturevalue("full_disk")
    with pytest.raises(ExportError):
        make_avatar(name="new").save(path, unpacked=unpacked, glb=False)
    assert Avatar.load(path).name == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_swap_of_folders_keeps_the_older_package(tmp_path, monkeypatch):
    path = tmp_path / "ada"
    make_avatar(name="old").save(path, unpacked=True, glb=False)
    original = os.replace

    def replace(source, target):
        if Path(target) == path and Path(source, "manifest.json").read_text("utf-8").count("new"):
            raise PermissionError(errno.EACCES, "Permission denied")
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(ExportError, match="Permission denied"):
        make_avatar(name="new").save(path, unpacked=True, glb=False)
    assert Avatar.load(path).name == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("unpacked", [False, True])
def test_killed_process_leaves_no_package(tmp_path, unpacked):
    """The process dies at the last moment before the rename."""
    script = """
        import os, sys
        os.replace = lambda *_: os._exit(9)
        from packages import make_avatar
        make_avatar().save(sys.argv[1], unpacked=sys.argv[2] == "True", glb=False)
    """
    path = tmp_path / "ada.lifemask"
    paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(path), str(unpacked)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert done.returncode == 9
    assert not path.exists()
    assert all(left.name.startswith(".") for left in tmp_path.iterdir())


def test_missing_folder(tmp_path):
    with pytest.raises(ExportError, match="does not exist"):
        make_avatar().save(tmp_path / "nowhere" / "ada.lifemask", glb=False)


def test_folder_in_the_way(tmp_path):
    with pytest.raises(ExportError, match="folder"):
        make_avatar().save(tmp_path, glb=False)


def test_foreign_folder_is_not_replaced(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "ada.jpg").write_bytes(b"x")
    with pytest.raises(ExportError, match="not an unpacked package"):
        make_avatar().save(tmp_path / "photos", unpacked=True, glb=False)
    assert (tmp_path / "photos" / "ada.jpg").exists()


def test_folder_is_replaced_whole(tmp_path):
    path = tmp_path / "ada"
    make_avatar(attachments={"extra.bin": b"x"}).save(path, unpacked=True, glb=False)
    make_avatar().save(path, unpacked=True, glb=False)
    assert not (path / "extra.bin").exists()
    Avatar.load(path)


def test_failed_export_leaves_nothing(tmp_path, request):
    package = _saved(tmp_path)
    request.getfixturevalue("full_disk")
    with pytest.raises(ExportError):
        export(package, tmp_path / "ada.glb")
    assert [file.name for file in tmp_path.iterdir()] == ["ada.lifemask"]


def _saved(folder: Path) -> Path:
    from packages import package_bytes

    path = folder / "ada.lifemask"
    path.write_bytes(package_bytes())
    return path


def test_atomic_path_keeps_the_suffix(tmp_path):
    """Encoders choose their format by the suffix of the name they are given."""
    with _files.atomic_path(tmp_path / "film.mp4") as temporary:
        assert temporary.suffix == ".mp4"
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"x")
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


def test_atomic_path_passes_other_errors_on(tmp_path):
    with pytest.raises(KeyError), _files.atomic_path(tmp_path / "a.bin") as temporary:
        temporary.write_bytes(b"half")
        raise KeyError("x")
    assert not any(tmp_path.iterdir())
