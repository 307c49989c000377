"""How long `import lifemask` and the help page take in a fresh process."""

from __future__ import annotations

import subprocess
import sys

from _report import Measurement, publish, repeat

BUDGET_MILLISECONDS = 300.0
TIMES = 15


def run(*words: str) -> None:
    """Run this interpreter with some words and wait for its end."""
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Measure and publish."""
    bare = repeat(lambda: run("-c", "pass"), times=TIMES)
    imported = repeat(lambda: run("-c", "import lifemask"), times=TIMES)
    helped = repeat(lambda: run("-m", "lifemask.cli", "--help"), times=TIMES)
    rows = [
        Measurement("start of Python alone", bare, "ms"),
        Measurement("`import lifemask`", imported, "ms", BUDGET_MILLISECONDS),
        Measurement("`lifemask --help`", helped, "ms", BUDGET_MILLISECONDS),
    ]
    publish("Import", rows, remarks="Each run is a process of its own, its start included.")


if __name__ == "__main__":
    main()
