"""What the command line prints where, and its exit codes."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import logging
import re
from pathlib import Path

import numpy as np
import pytest

import lifemask
from lifemask.cli import _app, _console

BASE = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    for name, value in BASE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LIFEMASK_TRACEBACK", raising=False)


@pytest.fixture
def failing(monkeypatch):
    """Make `lifemask licenses` raise a given exception."""

    def use(error):
        def fail(**_):
            raise error

        monkeypatch.setattr(lifemask, "licenses", fail)

    return use


def test_no_words_show_the_help_page(capsys):
    assert _app.run([]) == 0
    out = capsys.readouterr().out
    for name, summary in _app.COMMANDS.items():
        assert re.search(rf"\b{name}\b", out)
        assert summary.split(";")[0] in out


def test_version(capsys):
    assert _app.run(["--version"]) == 0
    assert capsys.readouterr().out == f"lifemask {lifemask.__version__}\n"


@pytest.mark.parametrize(
    ("words", "level"),
    [([], logging.NOTSET), (["-v"], logging.INFO), (["-vv"], logging.DEBUG)],
)
def test_log_level_follows_the_option(monkeypatch, words, level):
    logger = logging.getLogger("lifemask")
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    assert _app.run([*words, "licenses", "--no-libraries", "--json"]) == 0
    assert logger.level == level


def test_unknown_command_suggests_a_near_one(capsys):
    assert _app.run(["doctr"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    error, hint = captured.err.splitlines()
    assert error.startswith("error: ")
    assert "'doctor'" in error
    assert hint == "hint: lifemask --help (docs/errors.md#usage)"


def test_unknown_option_names_the_help_page_of_its_command(capsys):
    assert _app.run(["doctor", "--fix"]) == 2
    assert "hint: lifemask doctor --help" in capsys.readouterr().err


def test_usage_error_is_json_when_json_is_asked_for(capsys):
    assert _app.run(["doctor", "--fix", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (lifemask.StreamError("gone"), 1),
        (lifemask.NoFaceError("no face"), 3),
        (lifemask.PackageError("wrong hash"), 3),
        (lifemask.ModelFileError("not found"), 4),
        (lifemask.MissingExtraError("torch"), 4),
    ],
)
def test_exit_code_of_an_error(failing, error, code):
    failing(error)
    assert _app.run(["licenses"]) == code


def test_error_is_one_line_with_its_hint(failing, capsys):
    failing(lifemask.NoFaceError("no face in\n[red].jpg", hint="use another picture"))
    _app.run(["licenses"])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "error: no face in [red].jpg",
        "hint: use another picture (docs/errors.md#no-face)",
    ]


def test_error_is_json_on_stdout_when_json_is_asked_for(failing, capsys):
    failing(lifemask.NoFaceError("no face", hint="use another picture"))
    assert _app.run(["licenses", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == {
        "error": {"code": "no-face", "message": "no face", "hint": "use another picture"}
    }


def test_defect_is_one_line_that_tells_how_to_see_more(failing, capsys):
    failing(ZeroDivisionError("division by zero"))
    assert _app.run(["licenses"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ZeroDivisionError: division by zero\n")
    assert "LIFEMASK_TRACEBACK=1" in err
    assert "Traceback" not in err


def test_missing_system_library_says_what_to_install(failing, capsys):
    failing(ImportError("libGL.so.1: cannot open shared object file: No such file or directory"))
    assert _app.run(["licenses"]) == 4
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "error: the system library libGL.so.1 is missing"
    assert "apt-get install" in hint
    assert " libgl1 " in hint
    assert "docs/errors.md#missing-extra" in hint


def test_traceback_variable_lets_the_exception_out(failing, monkeypatch):
    monkeypatch.setenv("LIFEMASK_TRACEBACK", "1")
    failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        _app.run(["licenses"])


def test_interrupt_ends_with_130(failing):
    failing(KeyboardInterrupt())
    assert _app.run(["licenses"]) == 130


def test_no_color_means_no_escape_codes(failing, capsys):
    failing(lifemask.NoFaceError("no face", hint="use another picture"))
    _app.run(["licenses"])
    assert "\x1b" not in capsys.readouterr().err


def test_progress_without_a_terminal_is_one_line_for_each_stage(capsys):
    _console.prepare([])
    with _console.show_progress() as report:
        for stage in ("solve", "paint"):
            for fraction in (0.0, 0.5, 1.0):
                report(stage, fraction)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["solve …", "paint …"]


def test_progress_on_a_terminal_shows_bars_on_stderr(capsys, monkeypatch):
    _console.prepare([])
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(_console.sys.stderr, "isatty", lambda: True, raising=False)
    with _console.show_progress() as report:
        report("solve", 0.25)
        report("paint", 2.0)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "paint" in captured.err


def test_quiet_silences_progress_notes_and_next_steps(capsys):
    _console.prepare([])
    _console._remember_quiet(True)
    with _console.show_progress() as report:
        report("solve", 0.5)
    _console.print_note("something")
    _console.print_next("export it")
    assert capsys.readouterr() == ("", "")


def test_table_is_the_same_for_people_and_programs(capsys):
    rows = [("head", 60.0), ("eyes", 30.0)]
    _console.print_table(("Subject", "Frame rate"), rows, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Subject", "Frame", "rate"]
    assert lines[1].split() == ["head", "60.0"]
    _console.print_table(("Subject", "Frame rate"), rows, as_json=True, key="subjects")
    assert json.loads(capsys.readouterr().out) == {
        "subjects": [
            {"subject": "head", "frame_rate": 60.0},
            {"subject": "eyes", "frame_rate": 30.0},
        ]
    }


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Inner:
    path: Path
    array: np.ndarray


def test_json_form_of_results():
    inner = Inner(Path("a"), np.array([[1, 2]], np.float32))
    data = {"inner": inner, "day": datetime.date(2026, 1, 2), "colour": Colour.RED, 1: (None, True)}
    assert _console.to_jsonable(data) == {
        "inner": {"path": "a", "array": [[1.0, 2.0]]},
        "day": "2026-01-02",
        "colour": "red",
        "1": [None, True],
    }
    assert _console.to_jsonable(np.float64(0.5)) == 0.5
