"""`lifemask doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

import lifemask
from lifemask.cli import _console

_MARKS = {"ok": "✓", "warning": "!", "failure": "✗"}


def doctor(
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch missing model files.")] = False,
    camera: Annotated[
        bool, typer.Option("--camera", help="Open the first camera for one frame.")
    ] = False,
    json: _console.JsonOption = False,
) -> None:
    """Check this installation and say how to mend it.

    Ends with 1 when something that every command needs is broken.
    """
    report = lifemask.doctor(fetch=fetch, camera=camera)
    lines = [f"lifemask {report.version} on {report.platform}"]
    for check in report.checks:
        lines.append(f"{_MARKS[check.status]} {check.name}: {check.detail}")
        if check.fix:
            lines.append(f"    {check.fix}")
    data = {
        "version": report.version,
        "platform": report.platform,
        "healthy": report.healthy,
        "checks": report.checks,
    }
    _console.print_result(data, lines, as_json=json)
    if not report.healthy:
        raise typer.Exit(1)
