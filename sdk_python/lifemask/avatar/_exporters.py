"""Finds exporters: installed ones by the entry-point group `lifemask.exporters`, or registered."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol

from lifemask._errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path

    from lifemask.avatar._avatar import Avatar

ENTRY_POINT_GROUP = "lifemask.exporters"


class Exporter(Protocol):
    """What turns an avatar into a file; a module with these two names is one.

    Attributes:
        suffixes: File name endings that choose this exporter, lower case, with the dot.
    """

    @property
    def suffixes(self) -> tuple[str, ...]: ...

    def export(self, avatar: Avatar, path: Path, **options: Any) -> None:
        """Write `avatar` to `path`; the file appears only when it is complete.

        Raises:
            ExportError: The format cannot hold the avatar, or the file cannot be written.
        """


_registered: dict[str, Exporter] = {}


def register_exporter(name: str, exporter: Exporter) -> None:
    """Make an exporter known to this process; it goes before an installed one of that name."""
    _registered[name] = exporter


def exporter_names() -> tuple[str, ...]:
    """Return the names of all exporters, sorted."""
    installed = {point.name for point in entry_points(group=ENTRY_POINT_GROUP)}
    return tuple(sorted(installed | _registered.keys()))


def get_exporter(name: str) -> Exporter:
    """Return the exporter of that name.

    Raises:
        ExportError: There is none.
    """
    if name in _registered:
        return _registered[name]
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        return point.load()
    known = ", ".join(exporter_names()) or "none; lifemask is not installed: pip install -e ."
    raise ExportError(f"there is no exporter {name!r}", hint=f"Installed exporters: {known}.")


def find_exporter(path: Path, name: str | None = None) -> Exporter:
    """Return the exporter `name`, or the one that writes files with the suffix of `path`.

    Raises:
        ExportError: There is none.
    """
    if name is not None:
        return get_exporter(name)
    exporters = [get_exporter(known) for known in exporter_names()]
    for exporter in exporters:
        if path.suffix.lower() in exporter.suffixes:
            return exporter
    suffixes = ", ".join(sorted({suffix for e in exporters for suffix in e.suffixes})) or "none"
    raise ExportError(
        f"no exporter writes {path.suffix!r} files",
        hint=f"Choose the format by name, or use one of these suffixes: {suffixes}.",
    )
