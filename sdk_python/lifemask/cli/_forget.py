"""`lifemask forget`."""

from __future__ import annotations

from typing import Annotated

import typer

import lifemask
from lifemask.cli import _console


def forget(
    name: Annotated[
        str | None, typer.Argument(help="Avatar whose cached results are removed.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Remove what is cached of everyone.")
    ] = False,
    json: _console.JsonOption = False,
) -> None:
    """Remove what builds have cached of a person: landmarks, textures, pictures of frames.

    Packages that were written stay where they are.
    """
    gone = lifemask.forget(name, everything=everything)
    names = ", ".join(gone.names) or "nobody"
    line = f"removed {gone.files} files ({gone.size / 1e6:.1f} MB) of {names} from {gone.place}"
    _console.print_result(gone, line, as_json=json)
