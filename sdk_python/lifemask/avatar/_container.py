"""Reads and writes the files of a package, as one zip file or as a folder.

The reader trusts nothing: names, counts, declared and real sizes, links and hashes are checked
before a byte is handed on. The writer is deterministic: fixed times, fixed order, fixed levels.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import io
import os
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lifemask._errors import ExportError, PackageError
from lifemask._files import atomic_path, cannot_write, temporary_beside, write_through
from lifemask.avatar._manifest import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_MANIFEST_BYTES,
    MAX_TOTAL_BYTES,
    Manifest,
    check_path,
)
from lifemask.avatar._records import damaged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MANIFEST_NAME = "manifest.json"

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_STORED_SUFFIXES = (".npz", ".png", ".jpg")
"""Already compressed; another pass costs time and saves nothing."""


def read_package(path: Path) -> tuple[Manifest, dict[str, bytes]]:
    """Read and verify a whole package.

    Returns:
        The manifest and the content of every file that it lists, by path.

    Raises:
        PackageError: There is no such file, it is not a package, it is damaged or hostile, or it
            comes from a newer major version.
    """
    source = _open_source(path)
    manifest = Manifest.from_json(source.read(MANIFEST_NAME, MAX_MANIFEST_BYTES))
    listed = {file.path for file in manifest.files}
    if unlisted := source.unlisted(listed | {MANIFEST_NAME}):
        raise damaged(f"the package holds a file that its manifest does not list: {unlisted!r}")
    files = {}
    for file in manifest.files:
        data = source.read(file.path, file.size)
        if len(data) != file.size or hashlib.sha256(data).hexdigest() != file.sha256:
            raise damaged(f"{file.path!r} is not what the manifest says: its SHA-256 is wrong")
        files[file.path] = data
    return manifest, files


def write_package(path: Path, files: Mapping[str, bytes], *, unpacked: bool = False) -> None:
    """Write the files of a package, `manifest.json` among them.

    Raises:
        ExportError: It cannot be written; nothing half-written remains under `path`.
    """
    ordered = {name: files[name] for name in sorted(files, key=lambda n: (n != MANIFEST_NAME, n))}
    if unpacked:
        _write_folder(path, ordered)
    elif path.is_dir():
        raise ExportError(
            f"{path.name!r} is a folder", hint="Give a file name that ends in .lifemask."
        )
    else:
        with atomic_path(path) as temporary:
            write_through(temporary, zip_bytes(ordered))


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """Return a zip file with the given entries in the given order; same input, same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, _ZIP_TIME)
            info.create_system = 3  # the same on every system: regular file, rw-r--r--
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            stored = name.endswith(_STORED_SUFFIXES)
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, data, compresslevel=6)
    return buffer.getvalue()


class _Source(Protocol):
    """A place that files are read from by their path in the package."""

    def read(self, name: str, limit: int) -> bytes: ...

    def unlisted(self, listed: set[str]) -> str | None: ...


class ZipSource:
    """A zip file in memory, checked before anything is read from it."""

    def __init__(self, data: bytes) -> None:
        """Read the directory of the archive.

        Raises:
            PackageError: Not a zip file, cut off, or with an entry that is not allowed.
        """
        with _zip_errors():
            self._archive = zipfile.ZipFile(io.BytesIO(data))
            entries = self._archive.infolist()
        if len(entries) > MAX_FILES + 1:
            raise damaged(f"the package has more than {MAX_FILES} files")
        self._entries: dict[str, zipfile.ZipInfo] = {}
        for info in entries:
            # Folder entries come from zipping an unpacked package by hand.
            # Not `info.is_dir()`: it fails on an empty name before Python 3.11.4.
            if info.filename.endswith("/") and info.file_size == 0:
                check_path(info.filename.rstrip("/"))
            else:
                self._add(info)
        if sum(info.file_size for info in entries) > MAX_TOTAL_BYTES + MAX_MANIFEST_BYTES:
            raise damaged(f"the package unpacks to more than {MAX_TOTAL_BYTES} bytes")

    def names(self) -> tuple[str, ...]:
        """Paths of the files in the archive."""
        return tuple(self._entries)

    def read(self, name: str, limit: int) -> bytes:
        """Return the content of one file of at most `limit` bytes."""
        info = self._entries.get(name)
        if info is None:
            raise _missing(name)
        if info.file_size > limit:
            raise damaged(f"{name!r} unpacks to more than {limit} bytes")
        # zipfile never returns more than the declared size, whatever the data unpacks to.
        with _zip_errors():
            return self._archive.read(info)

    def unlisted(self, listed: set[str]) -> str | None:
        """Return a file that is in the archive but not in `listed`."""
        return min(self._entries.keys() - listed, default=None)

    def _add(self, info: zipfile.ZipInfo) -> None:
        check_path(info.orig_filename)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise damaged(f"{info.filename!r} is a link or a device, not a file")
        if info.flag_bits & 0x1:
            raise damaged(f"{info.filename!r} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise damaged(f"{info.filename!r} is neither stored nor deflated")
        if info.file_size > MAX_FILE_BYTES:
            raise damaged(f"{info.filename!r} unpacks to more than {MAX_FILE_BYTES} bytes")
        if info.filename in self._entries:
            raise damaged(f"the package holds {info.filename!r} twice")
        self._entries[info.filename] = info


class _FolderSource:
    """An unpacked package; only files that the manifest lists are ever opened."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, name: str, limit: int) -> bytes:
        path = self._root
        for part in name.split("/"):
            path = path / part
            if path.is_symlink():
                raise damaged(f"{name!r} is a link, not a file")
        if not path.is_file():
            raise _missing(name)
        with _open_errors(path), path.open("rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise damaged(f"{name!r} has more than {limit} bytes")
        return data

    def unlisted(self, listed: set[str]) -> str | None:
        # File managers drop their own files into every folder they show.
        return None


def _open_source(path: Path) -> _Source:
    if path.is_dir():
        return _FolderSource(path)
    if not path.is_file():
        raise PackageError(f"there is no package {path.name!r}", hint=_look_alike(path))
    with _open_errors(path):
        if path.stat().st_size > MAX_TOTAL_BYTES:
            raise damaged(f"the package has more than {MAX_TOTAL_BYTES} bytes")
        data = path.read_bytes()
    return ZipSource(data)


def _look_alike(path: Path) -> str:
    names = [item.name for item in path.parent.glob("*.lifemask")] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else "Check the path, or run lifemask build."


@contextlib.contextmanager
def _open_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PackageError(
            f"{path.name!r} cannot be read: {error.strerror or error}",
            hint="Check that the file exists and that you may read it.",
        ) from error


@contextlib.contextmanager
def _zip_errors() -> Iterator[None]:
    """Turn what `zipfile` raises on damaged input into one error."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        ValueError,
        OverflowError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise PackageError(
            "the file is not an avatar package, or it is cut off or damaged",
            hint="Copy or download it again, or build it again.",
        ) from error


def _missing(name: str) -> PackageError:
    if name == MANIFEST_NAME:
        return PackageError(
            f"there is no {MANIFEST_NAME} in the package",
            hint="Zip the files of an unpacked package themselves, not the folder around them.",
        )
    return damaged(f"{name!r} is listed in the manifest but missing")


def _write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write into a temporary folder beside `path`, then swap the two."""
    _check_replaceable(path)
    temporary, old = temporary_beside(path), temporary_beside(path)
    try:
        temporary.mkdir()
        for name, data in files.items():
            target = temporary.joinpath(*name.split("/"))
            target.parent.mkdir(parents=True, exist_ok=True)
            write_through(target, data)
        _swap(temporary, path, old)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_replaceable(path: Path) -> None:
    is_package = (path / MANIFEST_NAME).is_file()
    if path.exists() and not is_package and not (path.is_dir() and not any(path.iterdir())):
        raise ExportError(
            f"{path.name!r} exists and is not an unpacked package",
            hint="Give the name of a new folder, or remove this one first.",
        )


def _swap(new: Path, path: Path, old: Path) -> None:
    """Rename `new` to `path`; a failure leaves the former content in place."""
    if not path.exists():
        os.replace(new, path)
        return
    os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        os.replace(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)
