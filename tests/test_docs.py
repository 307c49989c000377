"""What the documents say is what the product does: generated parts, Python blocks, commands."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from tools.docs import facts, generate

import lifemask
from lifemask.cli import _app
from lifemask.geometry import write_image
from repository import ROOT, python

DOCS = ROOT / "docs"
PORTRAIT = ROOT / "sdk_python" / "lifemask" / "data" / "portrait.jpg"
LONGEST_SECONDS = 240
RUNNABLE = [
    path
    for path in sorted(DOCS.glob("*.md"))
    if re.search(r"^```python$", path.read_text(encoding="utf-8"), re.MULTILINE)
]


def blocks(name: str, language: str) -> list[str]:
    text = (DOCS / name).read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for _, block in found]


def commands(name: str) -> list[list[str]]:
    lines = "\n".join(blocks(name, "console")).splitlines()
    return [shlex.split(line) for line in lines if line.startswith("lifemask ")]


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    path = tmp_path_factory.mktemp("docs") / "me.lifemask"
    lifemask.build([PORTRAIT], path)
    return path


@pytest.fixture
def folder(tmp_path, package):
    """A folder with the files that the documents take for granted."""
    (tmp_path / "me.jpg").write_bytes(PORTRAIT.read_bytes())
    (tmp_path / "me.lifemask").write_bytes(package.read_bytes())
    write_image(tmp_path / "ada.jpg", np.full((64, 64, 3), 128, np.uint8))
    return tmp_path


def run(words, folder, **options):
    done = subprocess.run(
        words,
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=LONGEST_SECONDS,
        **options,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


def test_generated_parts_are_up_to_date():
    outdated = [path.name for path in generate.differences()]
    assert outdated == [], "run: python tools/docs/generate.py"


def test_generator_replaces_a_part_and_nothing_else():
    text = "a\n<!-- generated: joints -->\nold\n<!-- end -->\nb\n"
    filled = generate.fill(text)
    assert filled.startswith("a\n<!-- generated: joints -->\n\n| joint")
    assert filled.endswith("|\n\n<!-- end -->\nb\n")
    assert "old" not in filled
    assert generate.fill(filled) == filled


def test_generator_refuses_unknown_parts():
    with pytest.raises(KeyError):
        generate.fill("<!-- generated: nonsense -->\n<!-- end -->")


def test_every_mask_is_described():
    assert set(facts.MASKS) == set(lifemask.load_head_model().topology.masks)


def test_every_command_has_its_section():
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == list(_app.COMMANDS)
    assert [words[1] for words in commands("cli.md")] == sorted(
        (words[1] for words in commands("cli.md")), key=list(_app.COMMANDS).index
    )


@pytest.mark.parametrize("name", [path.name for path in sorted(DOCS.glob("*.md"))])
def test_command_lines_can_be_parsed(name):
    for words in commands(name):
        _app._load(words[1]).make_context(words[1], words[2:])


def test_a_misspelt_option_would_be_noticed():
    with pytest.raises(Exception, match="No such option"):
        _app._load("export").make_context("export", ["me.lifemask", "-o", "x.glb", "--spares"])


@pytest.mark.slow
@pytest.mark.needs("landmarker")
@pytest.mark.parametrize("name", [path.name for path in RUNNABLE])
def test_python_blocks_run(name, folder):
    program = "\n\n".join(blocks(name, "python"))
    # Windows and macOS start processes by importing the program again.
    (folder / "program.py").write_text(program, encoding="utf-8")
    run([python(), "program.py"], folder)


@pytest.mark.slow
@pytest.mark.needs("landmarker")
@pytest.mark.parametrize("name", ["quickstart.md", "cli.md"])
def test_command_lines_run(name, folder):
    port = free_port()
    server = None
    try:
        for words in commands(name):
            line = [word.replace("localhost:50710", f"127.0.0.1:{port}") for word in words[1:]]
            if line[0] == "serve":
                server = start_server([*line, "--address", f"127.0.0.1:{port}"], folder)
            elif line[0] != "demo":  # has tests of its own
                run([sys.executable, "-m", "lifemask.cli", *line], folder)
    finally:
        if server is not None:
            server.terminate()
            server.communicate()
    for words in commands(name):
        if "-o" in words and words[1] != "demo":
            assert (folder / words[words.index("-o") + 1]).exists()
    assert (folder / "me.mp4").stat().st_size > 10_000


def start_server(line, folder):
    server = subprocess.Popen(
        [sys.executable, "-m", "lifemask.cli", *line],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    assert "serving" in server.stdout.readline()
    return server


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
