"""Every script in `examples/` runs as it is, on the built-in portrait, into a folder of its own."""

from __future__ import annotations

import ast
import os
import subprocess

import pytest

from repository import ROOT, python

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
LONGEST_SECONDS = 240


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
def test_example_runs(path, tmp_path):
    done = subprocess.run(
        [python(), str(path)],
        cwd=tmp_path,
        env={**os.environ, "LIFEMASK_TRACEBACK": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=LONGEST_SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.strip(), "an example prints what it made"
