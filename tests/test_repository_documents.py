"""Versions agree, links lead somewhere, and what the documents show really runs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import textwrap
import tomllib
from pathlib import Path

import pytest

import lifemask
from lifemask.cli import _app
from repository import ROOT, python, text_files

README = ROOT / "README.md"
DOCUMENTS = [path for path in text_files() if path.suffix == ".md"]


def code_blocks(path: Path, language: str) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_version_is_the_same_everywhere():
    version = lifemask.__version__
    assert f"\n## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for path in ROOT.glob("unity_plugin/*/package.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["version"] == version
    for path in ROOT.glob("unreal_plugin/*/*.uplugin"):
        assert json.loads(path.read_text(encoding="utf-8"))["VersionName"] == version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]


def anchors(path: Path) -> list[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [
                re.sub(r"[^\w-]", "", name.lower().replace(" ", "-")) for name in headings
            ]


def test_readme_shows_the_two_commands_and_a_picture():
    text = README.read_text(encoding="utf-8")
    assert "python3 dev.py demo" in text
    assert "python3 dev.py test" in text
    assert "python3 dev.py test --provision" in text
    assert "docs/images/demo.png" in text


def test_commands_in_documents_exist():
    for path in DOCUMENTS:
        for block in code_blocks(path, "console"):
            for name in re.findall(r"^\s*lifemask ([a-z]+)", block, flags=re.MULTILINE):
                assert name in _app.COMMANDS, f"{path.name}: lifemask {name}"


def test_python_blocks_are_valid():
    for path in DOCUMENTS:
        for block in code_blocks(path, "python"):
            ast.parse(textwrap.dedent(block))


def test_readme_snippet_is_eight_lines():
    (block,) = code_blocks(README, "python")
    assert len(block.strip().splitlines()) == 8


@pytest.mark.slow
@pytest.mark.needs("landmarker")
def test_readme_snippet_runs(tmp_path):
    (block,) = code_blocks(README, "python")
    portrait = ROOT / "sdk_python" / "lifemask" / "data" / "portrait.jpg"
    (tmp_path / "me.jpg").write_bytes(portrait.read_bytes())
    done = subprocess.run(
        [python(), "-c", block],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "me.lifemask").stat().st_size > 100_000
    assert (tmp_path / "me.glb").stat().st_size > 100_000
