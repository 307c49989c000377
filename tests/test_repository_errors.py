"""Codes in the source, headings in the documentation and exit codes agree."""

from __future__ import annotations

import re

import pytest

import lifemask
from lifemask import _errors
from lifemask._errors import LifemaskError
from repository import ROOT

DOCUMENT = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")


def error_classes() -> list[type[LifemaskError]]:
    return [
        value
        for value in vars(_errors).values()
        if isinstance(value, type) and issubclass(value, LifemaskError)
    ]


def section(code: str) -> str:
    return re.split(rf"^## {re.escape(code)}$", DOCUMENT, flags=re.MULTILINE)[1].split("\n## ")[0]


def test_every_code_has_its_own_heading_and_every_heading_a_code():
    codes = [kind.code for kind in error_classes()]
    headings = re.findall(r"^## (\S+)$", DOCUMENT, flags=re.MULTILINE)
    assert len(codes) == len(set(codes))
    assert sorted(headings) == sorted([*codes, "usage"])


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.code)
def test_section_names_the_class(kind):
    assert f"`{kind.__name__}`" in section(kind.code)


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.code)
def test_class_is_public_and_drawn_in_the_tree(kind):
    assert getattr(lifemask, kind.__name__) is kind
    assert kind.__name__ in lifemask.__all__
    assert re.search(rf"\b{kind.__name__}\b", _errors.__doc__)


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.code)
def test_exit_code_is_in_the_table(kind):
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", DOCUMENT, flags=re.MULTILINE))
    if kind.exit_code == 1:
        assert f"[{kind.code}]" not in DOCUMENT.split("\n## ")[0]
        return
    named = {base.code for base in kind.__mro__ if issubclass(base, LifemaskError)}
    assert any(f"[{code}](#{code})" in rows[str(kind.exit_code)] for code in named)


def test_retryable_is_documented():
    for kind in error_classes():
        if kind.retryable:
            assert "Retryable" in section(kind.code)


def test_message_and_hint_are_kept():
    error = lifemask.NoFaceError("no face", hint="use another picture")
    assert (str(error), error.hint, error.code, error.exit_code) == (
        "no face",
        "use another picture",
        "no-face",
        3,
    )
