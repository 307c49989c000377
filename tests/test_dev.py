"""`dev.py`: what it installs when, and what its exit code says."""

from __future__ import annotations

import ast
import json
import sys

import dev
import pytest

from repository import ROOT


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout of its own, where nothing is really installed."""
    done = []
    monkeypatch.setattr(dev, "ENVIRONMENT", tmp_path / ".venv")
    monkeypatch.setattr(dev, "STAMP", tmp_path / ".venv" / "installed.json")
    monkeypatch.setattr(dev, "TOOLS", tmp_path / ".tools")
    monkeypatch.setattr(dev, "PROJECT", tmp_path / "pyproject.toml")
    monkeypatch.setattr(dev, "CONSTRAINTS", tmp_path / "development.txt")
    dev.PROJECT.write_text("[project]\n", encoding="utf-8")
    dev.CONSTRAINTS.write_text("torch==2.13.0\n", encoding="utf-8")

    def make_environment(folder):
        done.append("make")
        interpreter = dev.program(folder, "python")
        interpreter.parent.mkdir(parents=True)
        interpreter.touch()

    def install(interpreter, *arguments):
        done.append(arguments[-1].removeprefix(str(dev.ROOT)))

    monkeypatch.setattr(dev, "make_environment", make_environment)
    monkeypatch.setattr(dev, "install", install)
    return done


def test_needs_nothing_but_the_standard_library():
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse((ROOT / "dev.py").read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= set(sys.stdlib_module_names)


def test_installs_once(checkout):
    dev.prepare("")
    dev.prepare("")
    assert checkout == ["make", ""]


def test_installs_again_in_the_same_environment_when_the_metadata_changed(checkout):
    dev.prepare("")
    dev.CONSTRAINTS.write_text("torch==2.14.0\n", encoding="utf-8")
    dev.prepare("")
    assert checkout == ["make", "", ""]


def test_everything_covers_the_base_but_not_the_reverse(checkout):
    dev.prepare("")
    dev.prepare("all")
    dev.prepare("")
    assert checkout == ["make", "", "[all]"]


def test_interrupted_installation_starts_afresh(checkout, monkeypatch):
    def fail(*_):
        raise dev.DevelopmentError("no network")

    with monkeypatch.context() as patch:
        patch.setattr(dev, "install", fail)
        with pytest.raises(dev.DevelopmentError):
            dev.prepare("")
    dev.program(dev.ENVIRONMENT, "python").unlink()
    dev.program(dev.ENVIRONMENT, "python").parent.rmdir()
    dev.prepare("")
    assert checkout == ["make", "make", ""]
    assert json.loads(dev.STAMP.read_text(encoding="utf-8"))["extra"] == ""


@pytest.mark.parametrize(
    ("ci", "shared", "strict"),
    [("true", True, True), ("true", False, False), ("", True, False)],
)
def test_nothing_may_skip_only_on_ci_with_shared_data(tmp_path, monkeypatch, ci, shared, strict):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(dev, "SHARED", tmp_path if shared else tmp_path / "none")
    assert ("LIFEMASK_NO_SKIP" in dev.test_environment()) is strict


def test_wheels_for_other_systems_are_resolved_on_ci(monkeypatch):
    monkeypatch.setenv("CI", "true")
    assert "binary wheels" in dev.checks()
    monkeypatch.setenv("CI", "")
    assert "binary wheels" not in dev.checks()


@pytest.mark.parametrize(
    ("lint", "tests", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (0, 5, 5), (1, 1, 1)]
)
def test_exit_code_of_a_test_run(monkeypatch, lint, tests, code):
    monkeypatch.setattr(dev, "prepare", lambda extra: None)
    monkeypatch.setattr(dev, "fetch_models", lambda required: None)
    monkeypatch.setattr(dev, "checks", lambda: {"lint": lambda: lint, "types": lambda: 0})
    monkeypatch.setattr(dev, "call", lambda *_, **__: tests)
    assert dev.test([], install_tools=False) == code


def test_words_for_pytest_skip_the_checks(monkeypatch):
    commands = []
    monkeypatch.setattr(dev, "prepare", lambda extra: None)
    monkeypatch.setattr(dev, "fetch_models", lambda required: None)
    monkeypatch.setattr(dev, "call", lambda command, **_: commands.append(command) or 0)
    assert dev.test(["-k", "stream"], install_tools=False) == 0
    assert [command[1:] for command in commands] == [["-m", "pytest", "-k", "stream"]]


def test_tool_that_cannot_be_installed_does_not_stop_the_others(monkeypatch, capsys):
    done = []

    def fail():
        raise dev.DevelopmentError("no registry")

    monkeypatch.setattr(dev, "install_debian_packages", fail)
    monkeypatch.setattr(dev, "install_node_packages", lambda: done.append("node"))
    monkeypatch.setattr(dev, "install_blender", lambda: done.append("blender"))
    dev.provision()
    assert done == ["node", "blender"]
    assert "no registry" in capsys.readouterr().err


def test_demo_writes_into_the_checkout_unless_told_otherwise(monkeypatch):
    commands = []
    monkeypatch.setattr(dev, "prepare", lambda extra: None)
    monkeypatch.setattr(dev, "fetch_models", lambda required: None)
    monkeypatch.setattr(dev, "call", lambda command, **_: commands.append(command[3:]) or 0)
    dev.demo([])
    dev.demo(["-o", "there"])
    assert commands == [["demo", "-o", str(ROOT / "out" / "demo")], ["demo", "-o", "there"]]


def test_error_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["dev.py", "demo"])
    monkeypatch.setattr(dev, "call", lambda *_, **__: 1)
    monkeypatch.setattr(dev, "prepare", lambda extra: None)
    assert dev.main() == 1
    assert capsys.readouterr().err.startswith("dev.py: a model file is missing")
