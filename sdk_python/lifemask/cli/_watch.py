"""`lifemask watch`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import lifemask
from lifemask.cli import _console

if TYPE_CHECKING:
    from lifemask.streaming import WatchReport


def watch(
    address: Annotated[str, typer.Argument(help="host:port of a server.")] = "127.0.0.1:50710",
    subject: Annotated[
        str, typer.Option("--subject", help="Performer; the only one when left out.")
    ] = "",
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="LIFEMASK_TOKEN",
            help="Token that the server printed.",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.0, help="End after so long.")
    ] = None,
    frames: Annotated[
        int | None, typer.Option("--frames", min=1, help="End after so many frames.")
    ] = None,
    render: Annotated[
        Path | None,
        typer.Option("--render", "-r", help="Draw what came into a video, .mp4 or .webm."),
    ] = None,
    reconnect: Annotated[
        float,
        typer.Option("--reconnect", min=0.0, help="Seconds to try again after a lost connection."),
    ] = 0.0,
    json: _console.JsonOption = False,
    quiet: _console.QuietOption = False,
) -> None:
    """Receive a performance, measure its rate and latency, and draw it if wanted.

    Ends with the stream, at a limit, or at Ctrl-C.
    """
    with _console.show_progress() as progress:
        report = lifemask.watch(
            address,
            subject,
            token=token,
            duration=seconds,
            frames=frames,
            render=render,
            reconnect_seconds=reconnect,
            status=lambda state: _console.print_note(_line(state)),
            progress=progress,
        )
    _console.print_result(report, _summary(report), as_json=json)


def _line(report: WatchReport) -> str:
    median, worst = report.latency_p50_seconds * 1e3, report.latency_p99_seconds * 1e3
    return (
        f"{report.subject}: {report.frames} frames, {report.rate_hz:.1f} fps, "
        f"latency {median:.1f} ms (p99 {worst:.1f} ms), {report.dropped} dropped"
    )


def _summary(report: WatchReport) -> list[str]:
    lines = [_line(report)]
    lines.append(
        f"{report.seconds:.1f} s, source at {report.source_rate_hz:g} fps, clock offset "
        f"{report.clock_offset_seconds * 1e3:+.2f} ms "
        f"(± {report.clock_round_trip_seconds * 5e2:.2f} ms), ended: {report.end}"
    )
    if report.without_face:
        lines.append(f"{report.without_face} frames without a face")
    if report.reconnects:
        lines.append(f"{report.reconnects} reconnects")
    if report.video is not None:
        lines += [f"video: {report.video}", report.consent or ""]
    return lines
