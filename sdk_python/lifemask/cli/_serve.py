"""`lifemask serve`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import lifemask
from lifemask.cli import _console, _options

if TYPE_CHECKING:
    from lifemask.streaming import Server


def serve(
    package: Annotated[
        Path | None, typer.Argument(help="Avatar that clients can fetch, a .lifemask file.")
    ] = None,
    source: Annotated[
        str,
        typer.Option("--source", "-s", help="script, video:PATH, image:PATH or webcam:NUMBER."),
    ] = "script",
    address: Annotated[
        str,
        typer.Option(
            "--address",
            "-a",
            help="host:port. What other machines can reach demands a token; port 0 takes any.",
        ),
    ] = "127.0.0.1:50710",
    token: Annotated[
        str | None,
        typer.Option(
            "--token", envvar="LIFEMASK_TOKEN", help="Token that clients need.", show_default=False
        ),
    ] = None,
    face: _options.FaceOption = None,
    once: Annotated[bool, typer.Option("--once", help="Play a recording once, then end.")] = False,
    json: _console.JsonOption = False,
    quiet: _console.QuietOption = False,
) -> None:
    """Stream a performance, and the avatar that it drives, until Ctrl-C."""

    def ready(server: Server) -> None:
        _announce(server, package, as_json=json)

    lifemask.serve(
        package,
        source,
        address,
        token=token,
        face=_options.face_choice(face),
        once=once,
        ready=ready,
    )


def _announce(server: Server, package: Path | None, *, as_json: bool) -> None:
    data = {"address": server.address, "subjects": server.subjects, "token": server.token}
    lines = [f"serving {', '.join(server.subjects)} at {server.address}; Ctrl-C ends it"]
    if server.token:
        lines.append(f"token: {server.token}")
        _console.print_note("the connection is not encrypted; use it in networks that you trust")
    _console.print_result(data, lines, as_json=as_json)
    sys.stdout.flush()  # a program that started this one waits for the address
    render = " --render out.mp4" if package else ""
    _console.print_next(f"Watch: lifemask watch {server.address}{render}")
