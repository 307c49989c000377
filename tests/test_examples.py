"""Every script in `examples/` runs as it is, on the built-in portrait, into a folder of its own."""

from __future__ import annotations

import ast
import os
import subprocess

import pytest

import lifemask
from repository import ROOT, python

EXAMPLES = sorted((ROOT / "examples").glob("[!_]*.py"))
LONGEST_SECONDS = 240


@pytest.fixture(scope="session")
def demo_package(tmp_path_factory):
    """An avatar that examples start from, so that each need not build its own."""
    package = tmp_path_factory.mktemp("examples") / "demo.lifemask"
    portrait = ROOT / "sdk_python" / "lifemask" / "data" / "portrait.jpg"
    lifemask.build([portrait], package)
    return package


def test_there_are_enough_examples():
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_says_what_it_shows(path):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    assert f"python examples/{path.name}" in docstring


@pytest.mark.slow
@pytest.mark.needs("landmarker")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path, demo_package):
    done = subprocess.run(
        [python(), str(path)],
        cwd=tmp_path,
        env={**os.environ, "LIFEMASK_EXAMPLES_AVATAR": str(demo_package)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=LONGEST_SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "wrote" in done.stdout, "an example says what it made"
    written = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert written
    assert all(file.stat().st_size > 0 for file in written)
