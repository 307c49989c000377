"""Back-ends as the files of a package's folder `dynamics/`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from lifemask._errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lifemask.dynamics._contract import DynamicTexture
    from lifemask.dynamics._regions import Layout

BACK_ENDS: Final[dict[str, tuple[str, str]]] = {
    "network": ("lifemask.dynamics._network_files", "network_from_files"),
    "linear": ("lifemask.dynamics._linear_files", "linear_from_files"),
    "key": ("lifemask.dynamics._key_files", "key_from_files"),
}
"""From the best to the plainest: module and function that read what `to_files` gave.

Each function takes `(files, layout)`, the files by name (all begin with the kind), and raises
`PackageError` for whatever it cannot read.
"""


def read_back_end(kind: str, files: Mapping[str, bytes], layout: Layout) -> DynamicTexture:
    """Rebuild a back-end from what its `to_files` gave.

    Args:
        kind: One of `BACK_ENDS`.
        files: By name.
        layout: Of the package.

    Raises:
        PackageError: The files are damaged or hostile, or this version has no such back-end.
    """
    module, name = BACK_ENDS.get(kind, ("", ""))
    try:
        read = getattr(importlib.import_module(module), name) if module else None
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        read = None
    if read is None:
        raise PackageError(
            f"the package has a dynamic texture of an unknown kind, {kind!r}",
            hint="Update lifemask (pip install --upgrade lifemask).",
        )
    return read(files, layout)
