"""What the built wheel holds and demands."""

from __future__ import annotations

import re
import subprocess
import zipfile
from email.parser import Parser

import pytest

import lifemask
from repository import EXPORTERS, ROOT, SDK, python

LARGEST_FILE = 8_000_000


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [python(), "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        yield archive


@pytest.fixture(scope="session")
def metadata(wheel):
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def packaged(folder):
    kept = {".py", ".pyi", ".npz", ".onnx", ".tflite", ".jpg", ".json", ".typed", ".md"}
    return {
        f"{folder.name}/{path.relative_to(folder).as_posix()}"
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in kept and "__pycache__" not in path.parts
    }


def test_holds_both_packages_and_their_data(wheel):
    names = set(wheel.namelist())
    assert packaged(SDK) | packaged(EXPORTERS) <= names
    assert {"lifemask/py.typed", "lifemask/data/head.npz", "lifemask_exporters/gltf.py"} <= names
    assert any(name.endswith(".onnx") for name in names)


def test_holds_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"lifemask", "lifemask_exporters", f"lifemask-{lifemask.__version__}.dist-info"}
    assert not [name for name in wheel.namelist() if re.search(r"(^|/)(tests?|conftest)\b", name)]
    assert not [name for name in wheel.namelist() if name.endswith((".nbc", ".nbi", ".pyc"))]


def test_no_file_is_large(wheel):
    sizes = {info.filename: info.file_size for info in wheel.infolist()}
    assert {name: size for name, size in sizes.items() if size > LARGEST_FILE} == {}


def test_carries_licence_and_notice(wheel):
    names = " ".join(wheel.namelist())
    assert "licenses/LICENSE" in names
    assert "licenses/NOTICE" in names


def test_entry_points(wheel):
    name = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    text = wheel.read(name).decode()
    assert "lifemask = lifemask.cli:main" in text
    assert re.search(r"\[lifemask\.exporters\]\ngltf = lifemask_exporters\.gltf", text)


def test_base_dependencies_are_light_and_loose(metadata):
    base = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    names = {re.split(r"[<>=!~;\[ ]", line)[0] for line in base}
    assert names.isdisjoint({"torch", "anny", "onnx", "pytest"})
    assert not [name for name in names if name.startswith("opencv")]
    assert not [line for line in base if "==" in line or "<" in line]


def test_torch_is_loose_in_the_metadata_and_exact_in_the_constraints(metadata):
    lines = [line for line in metadata.get_all("Requires-Dist") if line.startswith("torch")]
    assert lines
    assert all(line.startswith("torch>=2.6") for line in lines)
    constraints = (ROOT / "constraints" / "development.txt").read_text(encoding="utf-8")
    assert re.search(r"^torch==2\.13\.0$", constraints, flags=re.MULTILINE)


def test_every_extra_has_content(metadata):
    lines = metadata.get_all("Requires-Dist")
    for extra in metadata.get_all("Provides-Extra"):
        assert [line for line in lines if f"extra == '{extra}'" in line.replace('"', "'")], extra


def test_python_versions(metadata):
    assert metadata["Requires-Python"] == ">=3.11"
