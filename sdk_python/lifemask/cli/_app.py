"""Entry point of the command line: finds the command, runs it, turns errors into exit codes."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from lifemask._version import __version__
from lifemask.cli import _console

COMMANDS = {
    "demo": "Go the whole way with a built-in portrait; needs no camera and no network.",
    "build": "Build an avatar package from clips and photos of one person.",
    "forget": "Remove what builds have cached of a person.",
    "info": "Show what an avatar package holds.",
    "export": "Convert an avatar package to glTF or another format.",
    "render": "Draw an avatar as pictures.",
    "rig": "Make the 52 shapes for a head of your own topology, or draw those of an avatar.",
    "serve": "Stream a performance for an avatar over gRPC.",
    "watch": "Receive a stream; show its rate and latency, or draw it into a video.",
    "evaluate": "Measure how much avatars look and move like the people in photos or videos.",
    "doctor": "Check this installation and say how to mend it.",
    "licenses": "List the licences of data, weights and libraries.",
}
"""Summary of every command, in the order of the help page. The function `NAME` of `_NAME.py` runs
it; that module is imported only when the command is called."""

TRACEBACK_VARIABLE = "LIFEMASK_TRACEBACK"


class _LazyCommand(TyperCommand):
    """Stands in the help page for a command whose module is not imported yet."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        return _load(str(self.name)).make_context(info_name, args, *rest, **extra)


class _LazyGroup(TyperGroup):
    """The root command, with every sub-command registered by name only."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, summary in COMMANDS.items():
            self.add_command(_LazyCommand(name, callback=None, help=summary))


def _load(name: str) -> Any:
    """Import `_NAME.py` and make its function `NAME` a command."""
    module = importlib.import_module(f"lifemask.cli._{name}")
    app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    app.command(name)(getattr(module, name))
    return typer.main.get_command(app)


app = typer.Typer(cls=_LazyGroup, rich_markup_mode="markdown")


def _show_version(value: bool) -> None:
    if value:
        print(f"lifemask {__version__}")
        raise typer.Exit


@app.callback(epilog="First steps: **lifemask demo -o out**, then **lifemask build me.jpg**.")
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            metavar="",
            show_default=False,
            help="More log lines; -vv for all.",
        ),
    ] = 0,
) -> None:
    """Build a head avatar from a photo and stream a performance to it."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if verbose:
        logging.getLogger("lifemask").setLevel(logging.INFO if verbose == 1 else logging.DEBUG)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        arguments: Words after the program's name; the process's own when None.

    Returns:
        Exit code: 0 success, 1 failure, 2 usage, 3 unusable input, 4 a missing extra or model,
        130 interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    _console.prepare(words)
    try:
        code = typer.main.get_command(app).main(
            args=words or ["--help"], prog_name="lifemask", standalone_mode=False
        )
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as error:
        return _fail(error)
    return code if isinstance(code, int) else 0


def _fail(error: Exception) -> int:
    if hasattr(error, "format_message"):  # a usage error of the option parser
        return _console.print_usage_error(error)
    if os.environ.get(TRACEBACK_VARIABLE, "0") not in ("", "0"):
        raise error
    return _console.print_error(error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and flush what it printed; the console script.

    Args:
        arguments: As for `run`.

    Returns:
        As `run`.
    """
    code = run(arguments)
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    return code
