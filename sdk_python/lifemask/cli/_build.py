"""`lifemask build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import lifemask
from lifemask.cli import _console, _options

if TYPE_CHECKING:
    from lifemask.avatar import BuildReport, Manifest


def build(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(help="Videos and photos of one person.", metavar="INPUT…"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Package to write; INPUT.lifemask in this folder otherwise."
        ),
    ] = None,
    scan: Annotated[
        Path | None,
        typer.Option("--scan", help="Mesh of the head (OBJ, PLY, GLB) that tells its shape."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Of the avatar; the first file's otherwise.")
    ] = None,
    face: _options.FaceOption = None,
    texture_size: Annotated[
        int, typer.Option("--texture-size", help="Width of the texture, a power of two.")
    ] = 2048,
    unpacked: Annotated[
        bool, typer.Option("--unpacked", help="Write a folder instead of one file.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Folder for the capture report; it shows faces."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", help="Processes for long clips; one for each core otherwise."),
    ] = None,
    network: Annotated[
        bool,
        typer.Option("--network", help="Train a texture network on the clips: minutes, torch."),
    ] = False,
    subject: Annotated[
        str | None, typer.Option("--consent-subject", help="Consent: who agreed.")
    ] = None,
    purpose: Annotated[
        str | None, typer.Option("--consent-purpose", help="Consent: to which use.")
    ] = None,
    date: Annotated[
        str | None, typer.Option("--consent-date", help="Consent: when.", metavar="YYYY-MM-DD")
    ] = None,
    expiry: Annotated[
        str | None, typer.Option("--consent-expiry", help="Until when.", metavar="YYYY-MM-DD")
    ] = None,
    json: _console.JsonOption = False,
    quiet: _console.QuietOption = False,
) -> None:
    """Build an avatar package from clips and photos of one person."""
    consent = lifemask.Consent(
        subject=subject,
        purpose=purpose,
        date=_options.day(date, "--consent-date"),
        expiry=_options.day(expiry, "--consent-expiry"),
    )
    inputs = inputs or []
    if not inputs and scan is None:
        raise typer.BadParameter("Missing argument 'INPUT…', or --scan.")
    first = inputs[0] if inputs else scan or Path()
    path = output or Path(first.with_suffix(".lifemask").name)
    told: list[BuildReport] = []
    try:
        with _console.show_progress() as progress:
            avatar = lifemask.build(
                inputs,
                path,
                scan=scan,
                name=name,
                face=_options.face_choice(face),
                consent=consent,
                texture_size=texture_size,
                unpacked=unpacked,
                workers=workers,
                network=network,
                report=report,
                summary=told.append,
                progress=progress,
            )
    except KeyboardInterrupt:
        _say_what_is_kept(inputs)
        raise
    _report(path, avatar.manifest, told[0], as_json=json)
    if report is not None:
        _console.print_next(f"Open {report / 'capture.html'}")


def _say_what_is_kept(inputs: list[Path]) -> None:
    from lifemask.avatar import cache_directory, is_video

    if any(is_video(path) for path in inputs):
        _console.print_note(
            f"stopped; finished stages are kept in {cache_directory()} and the same command goes "
            "on from there. `lifemask forget` removes them"
        )


def _report(path: Path, manifest: Manifest, told: BuildReport, *, as_json: bool) -> None:
    spent = told.to_dict()
    data = {
        "path": path,
        "name": manifest.name,
        "consent": manifest.consent.shown(),
        "metrics": manifest.metrics,
        **{key: spent[key] for key in ("clips", "stages", "cache", "retention_days")},
    }
    lines = [f"{path}: {manifest.name}", manifest.consent.report(), *told.lines()]
    lines += [f"{name}: {value}" for name, value in manifest.metrics.items()]
    _console.print_result(data, lines, as_json=as_json)
    if told.cache is not None:
        _console.print_note(
            f"landmarks and textures of this face are kept in {told.cache} for "
            f"{spent['retention_days']} days; `lifemask forget {manifest.name!r}` removes them"
        )
    glb = path.with_suffix(".glb").name
    _console.print_next(
        f"Export: lifemask export {path} -o {glb}",
        f"Stream: lifemask serve {path} --source webcam:0",
    )
