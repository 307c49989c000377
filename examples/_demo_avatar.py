"""What the examples share: a folder to write to, and an avatar of the built-in portrait.

`LIFEMASK_EXAMPLES_AVATAR=me.lifemask` makes them use another avatar.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import lifemask

PORTRAIT = Path(lifemask.__file__).parent / "data" / "portrait.jpg"
"""A person who does not exist; put your own photo in its place."""


def output_folder() -> Path:
    """Return the folder named on the command line, `out` without one; it is made if needed."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def demo_package(folder: Path) -> Path:
    """Return the package that examples start from; the first one of them builds it."""
    if given := os.environ.get("LIFEMASK_EXAMPLES_AVATAR"):
        return Path(given)
    package = folder / "demo.lifemask"
    if not package.is_file():
        print("building the demo avatar, once")
        lifemask.build([PORTRAIT], package)
    return package
