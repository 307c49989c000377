"""Files that appear under their final name only when they are complete."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lifemask._errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename it to `path` when the block ends well.

    The temporary name is hidden, unique and keeps the suffix, because encoders choose their
    format by it. When the block raises, the temporary file is removed and an older file under
    `path` stays as it was; when the process is killed, only the temporary name remains.

    Raises:
        ExportError: The folder does not exist, the disk is full, or writing is not allowed.
    """
    check_folder(path)
    temporary = temporary_beside(path)
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_folder(path: Path) -> None:
    """Raise `ExportError` if there is no folder to write `path` into."""
    if not path.parent.is_dir():
        raise ExportError(
            f"the folder of {path.name!r} does not exist",
            hint=f"Create {str(path.parent)!r} first.",
        )


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file: see `atomic_path`."""
    with atomic_path(path) as temporary:
        write_through(temporary, data)


def write_through(path: Path, data: bytes) -> None:
    """Write a new file and wait until the disk has it, so that a rename cannot overtake it."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def temporary_beside(path: Path) -> Path:
    """Return an unused hidden name in the folder of `path`, with the same suffix."""
    return path.with_name(f".{path.stem}.{secrets.token_hex(4)}.partial{path.suffix}")


def cannot_write(path: Path, error: OSError) -> ExportError:
    """Return the error to raise for a failed write of `path`."""
    return ExportError(
        f"{path.name!r} cannot be written: {error.strerror or error}",
        hint="Check that the disk has room and that the folder may be written to.",
    )
