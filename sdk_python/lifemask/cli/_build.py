"""`lifemask build`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import lifemask
from lifemask.cli import _console


def build(
    inputs: Annotated[
        list[Path], typer.Argument(help="Photos of one person, or one video.", metavar="INPUT…")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Package to write, NAME.lifemask.")
    ] = None,
    json: _console.JsonOption = False,
    quiet: _console.QuietOption = False,
) -> None:
    """Build an avatar package from photos of one person, or from a video."""
    with _console.show_progress() as progress:
        lifemask.build(inputs, output, progress=progress)
