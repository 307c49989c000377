"""A small avatar, and packages taken apart and put together again by hand."""

from __future__ import annotations

import datetime
import functools
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lifemask import Avatar, Consent, Manifest
from lifemask._licenses import DATA_LICENSES
from synthetic import make_head, make_textures

CONSENT = Consent(
    subject="Ada Example",
    purpose="tests",
    date=datetime.date(2026, 1, 2),
    expiry=datetime.date(2036, 1, 2),
)


def make_avatar(*, size: int = 32, **changes) -> Avatar:
    """Return the synthetic head with textures, a model, a preview and a full record."""
    fields = {
        "name": "ada",
        "head": make_head(),
        "textures": make_textures(size),
        "manifest": Manifest(
            identity=(0.5, -1.25),
            licenses=DATA_LICENSES[:3],
            consent=CONSENT,
            metrics={"landmark_error_interocular": 0.0101, "photos": 1},
        ),
        "models": {"blendshape_regression": b"not really a network"},
        "preview": np.full((8, 8, 3), 90, np.uint8),
    }
    return Avatar(**(fields | changes))


@functools.cache
def package_bytes() -> bytes:
    """Return the package of `make_avatar()` without the derived GLB."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ada.lifemask"
        make_avatar().save(path, glb=False)
        return path.read_bytes()


def unzip(data: bytes) -> dict[str, bytes]:
    """Return the files of a package by path."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rezip(files: dict[str, bytes]) -> bytes:
    """Return a zip file with the given files, whatever they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def with_manifest(change: Callable[[dict], object]) -> bytes:
    """Return the package with a changed manifest."""
    files = unzip(package_bytes())
    manifest = json.loads(files["manifest.json"])
    change(manifest)
    return rezip(files | {"manifest.json": json.dumps(manifest).encode()})


def with_file(path: str, data: bytes) -> bytes:
    """Return the package with one changed or added file, and a manifest that agrees with it."""
    files = unzip(package_bytes()) | {path: data}
    manifest = json.loads(files["manifest.json"])
    entries = {entry["path"]: entry for entry in manifest["files"]}
    digest = hashlib.sha256(data).hexdigest()
    entries[path] = {"path": path, "sha256": digest, "size": len(data), "origin": "source"}
    manifest["files"] = list(entries.values())
    return rezip(files | {"manifest.json": json.dumps(manifest).encode()})
