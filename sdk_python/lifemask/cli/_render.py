"""`lifemask render`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

import lifemask
from lifemask.cli import _console


def render(
    package: Annotated[Path, typer.Argument(help="A .lifemask file or an unpacked folder.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help=".png: several views; .mp4 or .webm: a full turn."),
    ],
    size: Annotated[int, typer.Option("--size", help="Side of a view, pixels.")] = 512,
    yaw: Annotated[
        float | None,
        typer.Option("--yaw", help="Only this view, degrees; positive: to the head's left."),
    ] = None,
    expression: Annotated[
        list[str] | None,
        typer.Option(
            "--expression", "-e", help="Coefficient, may be repeated.", metavar="NAME=0.5"
        ),
    ] = None,
    flat: Annotated[bool, typer.Option("--flat", help="Show the texture without light.")] = False,
    hair: Annotated[bool, typer.Option("--hair/--no-hair", help="Draw the cap of hair.")] = True,
    dynamic: Annotated[
        str,
        typer.Option(
            "--dynamic",
            help="Dynamic texture: network, linear, key; best or none.",
            metavar="KIND",
        ),
    ] = "best",
    seconds: Annotated[float, typer.Option("--seconds", help="Length of a video.")] = 6.0,
    rate: Annotated[float, typer.Option("--rate", help="Frames a second of a video.")] = 30.0,
    json: _console.JsonOption = False,
    quiet: _console.QuietOption = False,
) -> None:
    """Draw an avatar: several views in one picture, one view, or a video of a full turn."""
    options = {"light": None} if flat else {}
    with _console.show_progress() as progress:
        report = lifemask.render(
            package,
            output,
            size=size,
            yaw=None if yaw is None else math.radians(yaw),
            expression=dict(_parse(text) for text in expression or []),
            hair=hair,
            dynamic=dynamic,
            seconds=seconds,
            rate_hz=rate,
            progress=progress,
            **options,
        )
    frames = f", {report.frames} frames" if report.frames > 1 else ""
    lines = [f"{report.path}: {report.width}×{report.height}{frames}", report.consent]
    _console.print_result(report, lines, as_json=json)


def _parse(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not NAME=VALUE, such as jawOpen=0.5", param_hint="--expression"
        ) from error
