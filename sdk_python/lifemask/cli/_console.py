"""What commands print: results on stdout; progress, hints and errors on stderr.

With `--json`, stdout holds exactly one JSON document, an error included, so that a program can
always parse it. Colours follow `NO_COLOR`; without a terminal each stage is one plain line.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lifemask._errors import LifemaskError, MissingExtraError
from lifemask._progress import ProgressCallback, no_progress

if TYPE_CHECKING:
    from rich.console import Console

ERROR_DOCUMENT = "docs/errors.md"
_MISSING_LIBRARY = re.compile(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object file")


@dataclasses.dataclass
class _State:
    """What the options of the running command decided; read when an error is printed."""

    json: bool = False
    quiet: bool = False


_state = _State()


def _remember_json(value: bool) -> bool:
    _state.json = value
    return value


def _remember_quiet(value: bool) -> bool:
    _state.quiet = value
    return value


JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        callback=_remember_json,
        is_eager=True,
        help="Print one JSON document on stdout and nothing else there.",
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", callback=_remember_quiet, is_eager=True, help="Show no progress."
    ),
]


def prepare(words: Sequence[str]) -> None:
    """Forget the last command, and let a narrow console replace characters it cannot show.

    Args:
        words: The command line; `--json` counts even where the option parser stops before it.
    """
    _state.json, _state.quiet = "--json" in words, False
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def print_result(data: object, text: str | Sequence[str], *, as_json: bool) -> None:
    """Print what a command found out.

    Args:
        data: The whole result for programs; dataclasses, paths, dates, enumerations and arrays
            become their JSON form.
        text: The same for people, as lines.
        as_json: Whether `--json` was given.
    """
    if as_json:
        print(json.dumps(to_jsonable(data), indent=2))
        return
    for line in [text] if isinstance(text, str) else text:
        print(line)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, as_json: bool, key: str = "rows"
) -> None:
    """Print rows as a table, or as JSON whose keys come from the column titles.

    Args:
        columns: Titles, such as "Frame rate".
        rows: Cells, as many a row as there are columns.
        as_json: Whether `--json` was given.
        key: Name of the list in the JSON document.
    """
    if as_json:
        names = [title.lower().replace(" ", "_") for title in columns]
        print_result({key: [dict(zip(names, row, strict=True)) for row in rows]}, "", as_json=True)
        return
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    _console(stderr=False).print(table)


def print_next(*steps: str) -> None:
    """Tell a person what to do after this command; silent with `--json` or `--quiet`.

    Args:
        steps: Phrases such as `"Export: lifemask export ada.lifemask -o ada.glb"`.
    """
    if not (_state.json or _state.quiet):
        print("Next: " + "  ·  ".join(steps), file=sys.stderr)


def print_note(message: str) -> None:
    """Print a remark on stderr; silent with `--quiet`.

    Args:
        message: One sentence.
    """
    if not _state.quiet:
        print(f"note: {message}", file=sys.stderr)


def print_error(error: Exception) -> int:
    """Print an error as one line with its hint.

    Args:
        error: What was raised. Anything but a `LifemaskError` is shown as a defect of lifemask.

    Returns:
        The exit code that goes with it.
    """
    if not isinstance(error, LifemaskError):
        error = _as_lifemask_error(error)
    _print_lines(error, code=error.code)
    return error.exit_code


def print_usage_error(error: Any) -> int:
    """Print what is wrong with a command line as one line with its hint.

    Args:
        error: The option parser's exception.

    Returns:
        The exit code, 2.
    """
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "lifemask"
    usage = LifemaskError(error.format_message(), hint=f"{command} --help")
    _print_lines(usage, code="usage")
    return error.exit_code


def _print_lines(error: LifemaskError, *, code: str) -> None:
    if _state.json:
        document = {"code": code, "message": str(error), "hint": error.hint}
        print(json.dumps({"error": document}, indent=2))
    console = _console(stderr=True)
    console.print(f"[bold red]error:[/] {_escape(str(error))}")
    place = f"[dim]({ERROR_DOCUMENT}#{code})[/]"
    console.print(f"[bold]hint:[/] {_escape(error.hint)} {place}" if error.hint else place)


def _as_lifemask_error(error: Exception) -> LifemaskError:
    """Explain a missing system library; anything else is a defect of lifemask."""
    library = (
        _MISSING_LIBRARY.search(str(error)) if isinstance(error, OSError | ImportError) else None
    )
    if library is not None:
        from lifemask._doctor import NATIVE_LIBRARIES_HINT

        message = f"the system library {library[1]} is missing"
        return MissingExtraError(message, hint=NATIVE_LIBRARIES_HINT)
    hint = "set LIFEMASK_TRACEBACK=1 to see where; `lifemask doctor --json` belongs in a report"
    return LifemaskError(f"{type(error).__name__}: {error}", hint=hint)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(" ".join(text.split()))


@contextmanager
def show_progress() -> Iterator[ProgressCallback]:
    """Show long work on stderr: bars on a terminal, else one line for each stage.

    Yields:
        The callback to hand to the function that works; silent with `--quiet`.
    """
    if _state.quiet:
        yield no_progress
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bars() as report:
            yield report
    else:
        yield _LinePerStage()


class _LinePerStage:
    """Prints the name of each stage once, when it begins."""

    def __init__(self) -> None:
        self._stage = ""

    def __call__(self, stage: str, fraction: float) -> None:
        if stage != self._stage:
            self._stage = stage
            print(f"{stage} …", file=sys.stderr, flush=True)


@contextmanager
def _bars() -> Iterator[ProgressCallback]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), Remaining())
    with Progress(*columns, console=_console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def report(stage: str, fraction: float) -> None:
            if stage not in tasks:
                _finish(bars, tasks)
                tasks[stage] = bars.add_task(stage, total=1.0)
            bars.update(tasks[stage], completed=min(max(fraction, 0.0), 1.0))

        yield report
        _finish(bars, tasks)


def _finish(bars: Any, tasks: Mapping[str, Any]) -> None:
    for task in tasks.values():
        bars.update(task, completed=1.0)


def to_jsonable(value: object) -> Any:
    """Turn a result into what `json` can write.

    Args:
        value: Dataclasses, mappings, sequences, paths, dates, enumerations, numpy scalars and
            arrays, in any nesting.

    Returns:
        Dictionaries, lists, strings, numbers, booleans and None.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: to_jsonable(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {str(key): to_jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_jsonable(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> Any:
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    convert = getattr(value, "tolist", None)  # numpy scalars and arrays
    return convert() if convert is not None else value
