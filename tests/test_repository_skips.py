"""Missing tools skip a test with a reason; where nothing may skip, they fail it."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from repository import ROOT, python

CASES = """
import pytest

def test_passes():
    pass

def test_lacks_a_library():
    raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

def test_fails():
    assert False

@pytest.mark.needs("bpy")
def test_needs_a_tool():
    pass

@pytest.mark.skip(reason="platform: about another system")
def test_other_system():
    pass
"""


def outcomes(folder, **variables):
    for name in ("conftest.py", "needs.py"):
        shutil.copyfile(ROOT / "tests" / name, folder / name)
    (folder / "test_cases.py").write_text(CASES, encoding="utf-8")
    settings = "[pytest]\nmarkers =\n    needs(tool): needs it\npythonpath = .\n"
    (folder / "pytest.ini").write_text(settings, encoding="utf-8")
    environment = {**os.environ, "LIFEMASK_TOOLS": str(folder), **variables}
    command = [python(), "-m", "pytest", "-rA", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    return done.stdout


@pytest.mark.parametrize(
    ("no_skip", "counts"),
    [
        ("0", "1 failed, 1 passed, 3 skipped"),
        ("1", "2 failed, 1 passed, 1 skipped, 1 error"),
    ],
)
def test_what_is_missing_skips_or_fails(tmp_path, no_skip, counts):
    printed = outcomes(tmp_path, LIFEMASK_NO_SKIP=no_skip)
    assert counts in printed
    assert "needs bpy; try python3 dev.py test --provision" in printed
    if no_skip == "0":
        assert "needs libGL.so.1; try python3 dev.py test --provision" in printed
