"""`lifemask export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import lifemask
from lifemask.cli import _console


def export(
    package: Annotated[Path, typer.Argument(help="A .lifemask file or an unpacked folder.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write; its suffix chooses the format.")
    ],
    format: Annotated[
        str | None, typer.Option("--format", help="Exporter to use, whatever the suffix.")
    ] = None,
    sparse: Annotated[
        bool, typer.Option("--sparse", help="glTF: small morph targets, for the web.")
    ] = False,
    png: Annotated[
        bool, typer.Option("--png", help="glTF: store all textures as PNG, without loss.")
    ] = False,
    animations: Annotated[
        bool, typer.Option("--animations", help="glTF: add clips (blink, smile, visemes).")
    ] = False,
    json: _console.JsonOption = False,
) -> None:
    """Export an avatar package to another format."""
    given = {"sparse": sparse, "image_format": "png" if png else None, "animations": animations}
    options = {name: value for name, value in given.items() if value}
    path = lifemask.export(package, output, format=format, **options)
    size = path.stat().st_size
    consent = lifemask.info(package).consent
    data = {"path": path, "size_bytes": size, "consent": consent}
    _console.print_result(data, [f"{path}: {size / 1e6:.1f} MB", consent], as_json=json)
