"""`lifemask licenses`."""

from __future__ import annotations

import itertools
from typing import Annotated

import typer

import lifemask
from lifemask.cli import _console


def licenses(
    libraries: Annotated[
        bool, typer.Option("--libraries/--no-libraries", help="Include the installed libraries.")
    ] = True,
    json: _console.JsonOption = False,
) -> None:
    """List the licences of data, weights and libraries."""
    entries = lifemask.licenses(libraries=libraries)
    lines: list[str] = []
    for kind, group in itertools.groupby(entries, key=lambda entry: entry.kind):
        lines.append(kind.capitalize())
        lines += [f"  {entry.name}: {entry.licence}. {entry.origin}." for entry in group]
    _console.print_result({"licenses": entries}, lines, as_json=json)
