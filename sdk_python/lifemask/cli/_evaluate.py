"""`lifemask evaluate`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import lifemask
from lifemask.cli import _console, _options

if TYPE_CHECKING:
    from lifemask.evaluation import Evaluation, FitMeasurement


def evaluate(
    inputs: Annotated[list[Path], typer.Argument(help="Photos and videos, each one person.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for report.json, report.html, pictures.")
    ],
    face: _options.FaceOption = None,
    json: _console.JsonOption = False,
    quiet: _console.QuietOption = False,
) -> None:
    """Measure how well photos or videos are fitted."""
    with _console.show_progress() as progress:
        found = lifemask.evaluate(
            inputs, output, face=_options.face_choice(face), progress=progress
        )
    _console.print_result(
        {**found.to_dict(), "report": found.html_path}, list(_lines(found)), as_json=json
    )


def _lines(found: Evaluation) -> Iterator[str]:
    yield "landmark error, percent of the distance between the outer eye corners"
    for one in found.measurements:
        yield f"{one.name}: {_summary(one)}"
    yield f"report: {found.html_path}"


def _summary(one: FitMeasurement) -> str:
    regions = ", ".join(f"{name} {error.median:.2f}" for name, error in one.regions.items())
    frames = f"{one.frames} frames, {one.lost} lost" if one.kind == "video" else "photo"
    personal = "" if one.personal is None else f"personal head {one.personal.median:.2f} %, "
    return (
        f"median {one.error.median:.2f} %, {personal}"
        f"90 % of frames ≤ {one.error.percentile_90:.2f} %, largest {one.error.largest:.2f} % "
        f"({regions}; {frames})"
    )
