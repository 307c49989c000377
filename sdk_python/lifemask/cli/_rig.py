"""`lifemask rig`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import lifemask
from lifemask.cli import _console


def rig(
    source: Annotated[
        Path, typer.Argument(help="A head as .glb, .obj or .ply; or an avatar, to be drawn.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="GLB with 52 named morph targets.")
    ] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option("--landmarks", help="JSON of places on the mesh by landmark number."),
    ] = None,
    grid: Annotated[
        Path | None, typer.Option("--grid", help="Picture of all shapes to write.")
    ] = None,
    json: _console.JsonOption = False,
    quiet: _console.QuietOption = False,
) -> None:
    """Make the 52 ARKit shapes for a head of your own topology, or draw those of an avatar."""
    with _console.show_progress() as progress:
        report = lifemask.rig(source, output, landmarks=landmarks, grid=grid, progress=progress)
    lines = []
    if report.unit:
        pieces = ", ".join(f"{count} {kind}" for kind, count in report.pieces.items())
        lines.append(f"Unit: {report.unit}. Pieces: {pieces}.")
    for name, (least, most) in report.gaps_mm.items():
        lines.append(f"Closed {name.replace('_', ' ')}: gap {least:+.2f} to {most:+.2f} mm")
    lines += [str(path) for path in (report.path, report.grid) if path is not None]
    _console.print_result(report, lines, as_json=json)
