"""`lifemask evaluate`."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import lifemask
from lifemask.cli import _console, _options

if TYPE_CHECKING:
    from lifemask.evaluation import Evaluation, FitMeasurement


class SplitChoice(StrEnum):
    """Which frames of a clip are held back."""

    BLOCKS = "blocks"
    LAST = "last"
    BOTH = "both"


def evaluate(
    inputs: Annotated[list[Path], typer.Argument(help="Photos and videos, each one person.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for report.json, report.html, pictures.")
    ],
    split: Annotated[
        SplitChoice,
        typer.Option("--split", help="Frames of a video that are held back.", metavar="WHICH"),
    ] = SplitChoice.BOTH,
    fit_only: Annotated[
        bool, typer.Option("--fit-only", help="Only fit the landmarks; build nothing.")
    ] = False,
    marks: Annotated[
        Path | None,
        typer.Option("--marks", help="Folder with marks of blinks and closed lips, NAME.json."),
    ] = None,
    synthetic: Annotated[
        list[Path] | None,
        typer.Option(
            "--synthetic", help="A synthetic.json to show in the report too.", metavar="PATH"
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", help="Inputs that are evaluated at the same time.", min=1)
    ] = 2,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch the weights of LPIPS and identity first.")
    ] = False,
    face: _options.FaceOption = None,
    head: Annotated[
        str, typer.Option("--head", help="Another head model beside the default: ict, flame.")
    ] = "default",
    head_path: Annotated[
        Path | None, typer.Option("--head-path", help="Your own file of that head model.")
    ] = None,
    network: Annotated[
        bool, typer.Option("--network", help="Train texture networks too; minutes for each clip.")
    ] = False,
    videos: Annotated[
        bool, typer.Option("--videos", help="Write held-out frames beside the avatar's as video.")
    ] = False,
    json: _console.JsonOption = False,
    quiet: _console.QuietOption = False,
) -> None:
    """Measure how much avatars look and move like the people in photos and videos."""
    if fetch:
        from lifemask.evaluation import fetch_weights

        fetch_weights()
    with _console.show_progress() as progress:
        found = lifemask.evaluate(
            inputs,
            output,
            split=split.value,
            fit_only=fit_only,
            marks=marks,
            synthetic=synthetic or (),
            face=_options.face_choice(face),
            jobs=jobs,
            head=head,
            head_path=head_path,
            network=network,
            videos=videos,
            progress=progress,
        )
    lines = _fit_lines(found) if fit_only or head != "default" else _lines(found)
    _console.print_result({**found.to_dict(), "report": found.html_path}, list(lines), as_json=json)


def _lines(found: Evaluation) -> Iterator[str]:
    for one in found.document["inputs"]:
        yield from _input_lines(one)
    for name, why in found.document["not_computed"].items():
        yield f"{name} was not computed: {why}"
    for target in found.document["targets"]:
        unit = f" {target['unit']}" if target["unit"] else ""
        yield f"{target['name']}: {target['value']:.2f}{unit} ({target['verdict']})"
    yield f"report: {found.html_path}"


def _input_lines(one: dict[str, Any]) -> Iterator[str]:
    if one["status"] != "evaluated":
        yield f"{one['name']}: not evaluated: {one['reason']}"
        return
    fit = f"landmarks {one['fit']['error']['median']:.2f} %"
    if one["kind"] == "photo":
        yield f"{one['name']}: {fit}, itself again {one['in_sample']['psnr']:.1f} dB"
        return
    yield f"{one['name']}: {fit}, masks {one['mask']['sha256'][:12]}"
    for name, split in one["splits"].items():
        for row in split["rows"]:
            if not row["exposure_gain"]:
                title = ", ".join(word for word in (row["method"], row["mode"]) if word)
                lpips = f", LPIPS {row['lpips']:.3f}" if "lpips" in row else ""
                yield f"  {name}, {title}: {row['psnr']:.1f} dB, SSIM {row['ssim']:.3f}{lpips}"


def _fit_lines(found: Evaluation) -> Iterator[str]:
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
