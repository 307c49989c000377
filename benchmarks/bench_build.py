"""How long it takes from one photo to an avatar package and its glTF file."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from _report import Measurement, publish, repeat

import lifemask

BUDGET_SECONDS = 15.0
PORTRAIT = Path(lifemask.__file__).parent / "data" / "portrait.jpg"
FRESH = "import lifemask, sys; lifemask.build([sys.argv[1]], sys.argv[2])"


def main() -> None:
    """Measure and publish."""
    with tempfile.TemporaryDirectory() as folder:
        package, glb = Path(folder) / "a.lifemask", Path(folder) / "a.glb"
        command = [sys.executable, "-c", FRESH, str(PORTRAIT), str(package)]
        fresh = repeat(lambda: subprocess.run(command, check=True), times=3, scale=1.0)
        build = repeat(lambda: lifemask.build([PORTRAIT], package), times=5, scale=1.0)
        export = repeat(lambda: lifemask.export(package, glb), times=5, scale=1.0)
    rows = [
        Measurement("photo to package, new process", fresh, "s", BUDGET_SECONDS),
        Measurement("photo to package, same process", build, "s", BUDGET_SECONDS),
        Measurement("package to glTF", export, "s"),
    ]
    remarks = (
        "One portrait of 1024 × 1024 pixels, default texture sizes. A new process pays for imports "
        "and for loading compiled functions from the cache; the very first run on a machine also "
        "compiles them and is not counted."
    )
    publish("Build", rows, remarks=remarks)


if __name__ == "__main__":
    main()
