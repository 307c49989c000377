"""`lifemask demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import lifemask
from lifemask.cli import _console


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to write to; made if it is not there.")
    ] = Path("lifemask-demo"),
    photo: Annotated[
        Path | None, typer.Option("--photo", help="A picture in place of the built-in portrait.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.5, max=600.0, help="Length of the performance.")
    ] = 6.0,
    json: _console.JsonOption = False,
    quiet: _console.QuietOption = False,
) -> None:
    """Go the whole way with a built-in portrait; needs no camera and no network.

    Builds an avatar, exports it, streams a scripted performance to it over gRPC and draws what
    arrives.
    """
    with _console.show_progress() as progress:
        result = lifemask.demo(output, photo=photo, seconds=seconds, progress=progress)
    stream = result.stream
    latency = f"{stream.latency_p50_seconds * 1000:.1f} ms from capture to receipt (median)"
    lines = [
        f"package    {result.package}",
        f"glTF       {result.glb}",
        f"turntable  {result.turntable}",
        f"video      {result.video}",
        f"stream     {stream.frames} frames, {stream.rate_hz:.1f} a second, {latency}",
        str(stream.consent),
    ]
    _console.print_result(result, lines, as_json=json)
    _console.print_next(
        "your own face: lifemask build me.jpg -o me.lifemask",
        f"live: lifemask serve {result.package} --source webcam:0",
    )
