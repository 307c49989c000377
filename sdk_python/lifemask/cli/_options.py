"""Options that several commands share, and how their words are read."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lifemask.tracking import FaceChoice

FaceOption = Annotated[
    str | None,
    typer.Option("--face", help="Which of several faces: left, right, largest or its number."),
]


def face_choice(text: str | None) -> FaceChoice | None:
    """Read `--face`.

    Args:
        text: left, right, largest, or a number counted from the left of the picture, from 1.
    """
    from lifemask.tracking import parse_face_choice

    try:
        return None if text is None else parse_face_choice(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--face") from None


def day(text: str | None, option: str) -> datetime.date | None:
    """Read a date.

    Args:
        text: YYYY-MM-DD.
        option: Name of the option, for the error.
    """
    try:
        return None if text is None else datetime.date.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a date such as 2026-12-31"
        raise typer.BadParameter(message, param_hint=option) from None
