"""Results of finished stages in the user's cache, found again by what went into them.

Everything here comes from somebody's face: folders have mode 0700 and files 0600, an entry that
was not used for `RETENTION_DAYS` is removed at the next build, and `forget` removes all of a
person. Files are arrays without pickle, written under a temporary name and renamed. A damaged one
is as good as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask._errors import CacheError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

RETENTION_DAYS: Final = 30
"""Days after its last use until a cached result is removed."""

CACHE_VARIABLE: Final = "LIFEMASK_CACHE"
"""Environment variable naming the directory to use instead of the user's cache."""

_FOLDER: Final = "builds"
_NAMES: Final = "names"
_SECONDS_PER_DAY: Final = 86400.0
_DAMAGED: Final = (OSError, ValueError, KeyError, EOFError, TypeError)


def cache_directory() -> Path:
    """Return the directory that holds the results of builds."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen) / _FOLDER
    from platformdirs import user_cache_path

    return user_cache_path("lifemask", appauthor=False) / _FOLDER


@dataclass(frozen=True)
class Forgotten:
    """What `forget` removed.

    Attributes:
        names: Of the avatars whose builds were forgotten.
        files: Number of files.
        size: Bytes.
        place: The cache.
    """

    names: tuple[str, ...]
    files: int
    size: int
    place: Path


class Cache:
    """Results of the stages of one avatar's build.

    Args:
        name: Of the avatar, by which `forget` finds what belongs to it.
        place: The directory; `cache_directory()` when left out.

    Raises:
        CacheError: The directory cannot be made.
    """

    def __init__(self, name: str, place: Path | None = None) -> None:
        self.place = place or cache_directory()
        self._record = self.place / _NAMES / f"{_digest(name)[:24]}.json"
        self._name = name
        with _explained(self.place):
            _private_folder(self.place)
            _private_folder(self._record.parent)

    def get(self, stage: str, key: str) -> dict[str, NDArray[Any]] | None:
        """Return the arrays of a stage, None where there are none or they are damaged."""
        path = self._path(stage, key)
        try:
            data = path.read_bytes()
            digest, content = data[:32], data[32:]
            if hashlib.sha256(content).digest() != digest:
                raise ValueError("damaged")
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                arrays = dict(file)
            os.utime(path)
        except _DAMAGED:
            return None
        self._remember(path)
        return arrays

    def put(self, stage: str, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep the arrays of a stage.

        Raises:
            CacheError: The disk is full, or the cache cannot be written.
        """
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **dict(arrays))
        content = buffer.getvalue()
        path = self._path(stage, key)
        with _explained(self.place):
            _write(path, hashlib.sha256(content).digest() + content)
        self._remember(path)

    def keep_picture(self, stem: str, image: NDArray[np.uint8]) -> Path:
        """Write a picture of a frame that stopped the build; return where it lies.

        Raises:
            CacheError: It cannot be written.
        """
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=88)
        path = self.place / f"picture-{_digest(self._name)[:8]}-{stem}.jpg"
        with _explained(self.place):
            _write(path, buffer.getvalue())
        self._remember(path)
        return path

    def scratch(self, stem: str) -> Path:
        """Return where a stage may keep a state to go on from; it is forgotten with the rest.

        Args:
            stem: Of the file: letters, digits, `_` and `-`.

        Raises:
            CacheError: It cannot be noted.
        """
        path = self.place / f"{stem}.state"
        self._remember(path)
        return path

    def _path(self, stage: str, key: str) -> Path:
        return self.place / f"{stage}-{key}.npz"

    def _remember(self, path: Path) -> None:
        """Note that an entry belongs to this avatar."""
        entries = {*_entries(self._record), path.name}
        record = {"name": self._name, "entries": sorted(entries)}
        with _explained(self.place):
            _write(self._record, json.dumps(record, indent=1).encode())


def remove_old(place: Path | None = None, *, now: float | None = None) -> int:
    """Remove what was not used for `RETENTION_DAYS`; return the number of files."""
    place = place or cache_directory()
    limit = (time.time() if now is None else now) - RETENTION_DAYS * _SECONDS_PER_DAY
    old = []
    for path in _files(place):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < limit:
                old.append(path)
    return _remove(old)[0]


def forget(name: str | None = None, *, everything: bool = False) -> Forgotten:
    """Remove what is cached of a person: landmarks, textures, pictures of frames.

    Avatar packages that were written stay where they are.

    Args:
        name: The avatar's name, as given to `build` or taken from its first input's file name.
        everything: Remove what is cached of everyone.

    Raises:
        InputError: No name was given, or nothing is cached under it.
    """
    place = cache_directory()
    records = {path: _name_in(path) for path in _records(place)}
    if everything:
        removed = _remove([*_files(place), *records])
        return Forgotten(tuple(sorted(records.values())), *removed, place)
    known = ", ".join(repr(one) for one in sorted(records.values())) or "nothing"
    own = [path for path, one in records.items() if one == name]
    if not own:
        raise InputError(
            f"nothing is cached of {name!r}" if name else "whom to forget was not said",
            hint=f"Cached: {known}. Name one of them, or forget everything with --all.",
        )
    shared = {e for path in records if path not in own for e in _entries(path)}
    entries = {e for path in own for e in _entries(path)} - shared
    removed = _remove([*(place / entry for entry in sorted(entries)), *own])
    return Forgotten((str(name),), *removed, place)


def _records(place: Path) -> list[Path]:
    return sorted((place / _NAMES).glob("*.json")) if (place / _NAMES).is_dir() else []


def _files(place: Path) -> list[Path]:
    return sorted(path for path in place.glob("*") if path.is_file()) if place.is_dir() else []


def _entries(record: Path) -> list[str]:
    try:
        entries = json.loads(record.read_bytes())["entries"]
        return [e for e in entries if isinstance(e, str) and re.fullmatch(r"[\w-]+\.\w+", e)]
    except _DAMAGED:
        return []


def _name_in(record: Path) -> str:
    try:
        return str(json.loads(record.read_bytes())["name"])
    except _DAMAGED:
        return record.stem


def _remove(paths: Iterable[Path]) -> tuple[int, int]:
    """Remove files; return how many there were and their bytes."""
    count = size = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            bytes_here = path.stat().st_size
            path.unlink()
            count, size = count + 1, size + bytes_here
    return count, size


def _private_folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)


def _write(path: Path, data: bytes) -> None:
    """Write a private file whole or not at all."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _explained(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"a result cannot be kept in the cache: {error.strerror or error}",
            hint=f"Make room or check the permissions of {place}; earlier results stay there. "
            f"`lifemask forget --all` empties it, {CACHE_VARIABLE} moves it.",
        ) from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
