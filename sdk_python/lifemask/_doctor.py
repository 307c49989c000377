"""`lifemask.doctor`: checks an installation and says how to mend it."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import platform
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from lifemask._errors import LifemaskError
from lifemask._version import __version__

Status = Literal["ok", "warning", "failure"]

DEFAULT_PORT = 50710
"""Where `lifemask serve` listens unless told otherwise."""

_FIRST_TESTED_PYTHON = (3, 11)
_NATIVE_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxcb.so.1": "libxcb1",
}
"""What mediapipe and OpenCV load on Linux, and the Debian package of each."""

NATIVE_LIBRARIES_HINT = (
    f"On Debian or Ubuntu: apt-get install {' '.join(_NATIVE_LIBRARIES.values())}"
)
"""For errors about a library of the operating system."""

_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: What was looked at.
        status: "ok"; "warning" where only some commands suffer; "failure" where none works.
        detail: What was found.
        fix: What to do about it; empty when there is nothing to do.
    """

    name: str
    status: Status
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Report:
    """What `doctor` found.

    Attributes:
        version: Version of lifemask.
        platform: Operating system, its release and the processor.
        checks: One entry for each thing looked at.
    """

    version: str
    platform: str
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether no check failed; warnings are allowed."""
        return all(check.status != "failure" for check in self.checks)


def doctor(
    *, fetch: bool = False, camera: bool = False, announce: Callable[[str], None] | None = None
) -> Report:
    """Check Python, libraries, model files, cache and port of this installation.

    Nothing is downloaded and no camera is switched on unless asked for.

    Args:
        fetch: Fetch model files that are missing.
        camera: Open the first camera for one frame.
        announce: Receives one line before anything is fetched; standard error when left out.

    Returns:
        The report; look at `Report.healthy`.
    """
    checks = [_python(), *_requirements(), *_native_libraries(), *_opencv(), _engine()]
    checks += [*_models(fetch, announce), _cache(), _port()]
    if camera:
        checks.append(_camera())
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return Report(__version__, system, tuple(checks))


def _python() -> Check:
    found = platform.python_version()
    if sys.version_info[:2] >= _FIRST_TESTED_PYTHON:
        return Check("Python", "ok", found)
    return Check("Python", "failure", found, "install Python 3.11 or newer")


def _requirements() -> Iterator[Check]:
    """Yield one line for the base dependencies and one for each extra."""
    try:
        lines = importlib.metadata.requires("lifemask") or []
    except importlib.metadata.PackageNotFoundError:
        yield Check("Libraries", "warning", "lifemask is not installed", "pip install -e .")
        return
    groups: dict[str, list[str]] = {"": []}
    for line in lines:
        extra = _EXTRA.search(line)
        name = re.split(r"[\s\[<>=!~;(]", line, maxsplit=1)[0]
        groups.setdefault(extra.group(1) if extra else "", []).append(name)
    yield _libraries("Libraries", groups.pop(""), "failure", "pip install lifemask")
    for extra, names in groups.items():
        if extra not in ("all", "dev"):
            fix = f"pip install 'lifemask[{extra}]'"
            yield _libraries(f"Extra '{extra}'", names, "warning", fix)


def _libraries(title: str, names: list[str], when_missing: Status, fix: str) -> Check:
    found, missing = [], []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check(title, when_missing, f"missing: {', '.join(missing)}", fix)
    return Check(title, "ok", ", ".join(found))


def _native_libraries() -> Iterator[Check]:
    if sys.platform != "linux":
        return
    missing = [library for library in _NATIVE_LIBRARIES if not _loads(library)]
    if missing:
        packages = " ".join(_NATIVE_LIBRARIES[library] for library in missing)
        fix = f"on Debian or Ubuntu: apt-get install {packages}"
        yield Check("Graphics libraries", "failure", f"missing: {', '.join(missing)}", fix)
    else:
        yield Check("Graphics libraries", "ok", ", ".join(_NATIVE_LIBRARIES))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _opencv() -> Iterator[Check]:
    """Several OpenCV distributions write into the same folder and break each other."""
    owners = importlib.metadata.packages_distributions().get("cv2", [])
    distributions = sorted({owner for owner in owners if owner.startswith("opencv")})
    if len(distributions) > 1:
        unwanted = [name for name in distributions if name != "opencv-contrib-python"]
        fix = f"pip uninstall {' '.join(unwanted)}, then reinstall opencv-contrib-python"
        yield Check("OpenCV", "failure", f"installed twice: {', '.join(distributions)}", fix)


def _engine() -> Check:
    if importlib.util.find_spec("onnxruntime") is None:
        return Check("Network engine", "failure", "onnxruntime is missing", "pip install lifemask")
    import onnxruntime

    return Check("Network engine", "ok", ", ".join(onnxruntime.get_available_providers()))


def _models(fetch: bool, announce: Callable[[str], None] | None) -> Iterator[Check]:
    from lifemask.tracking import MODEL_FILES, find_model

    for name in MODEL_FILES:
        try:
            path = find_model(name, allow_download=fetch, announce=announce)
        except LifemaskError as error:
            yield Check(f"Model '{name}'", "failure", str(error), error.hint)
        else:
            yield Check(f"Model '{name}'", "ok", str(path))


def _cache() -> Check:
    from platformdirs import user_cache_path

    path = user_cache_path("lifemask", appauthor=False)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        fix = f"make {path} a folder that this user can write to"
        return Check("Cache", "failure", f"{path}: {error.strerror or error}", fix)
    return Check("Cache", "ok", str(path))


def _port() -> Check:
    name = f"Port {DEFAULT_PORT}"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError as error:
            fix = "stop the program that holds it, or give `lifemask serve` another --port"
            return Check(name, "warning", f"in use ({error.strerror or error})", fix)
    return Check(name, "ok", "free")


def _camera() -> Check:
    import cv2

    capture = cv2.VideoCapture(0)
    try:
        delivered = capture.isOpened() and capture.read()[0]
        if delivered:
            return Check("Camera", "ok", "camera 0 delivers frames")
    finally:
        capture.release()
    fix = "plug one in, allow this terminal to use it, and close other programs that do"
    return Check("Camera", "warning", "camera 0 delivers nothing", fix)
