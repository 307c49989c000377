"""Run the benchmarks and write `benchmarks/RESULTS.md`.

    python benchmarks/run.py            all of them
    python benchmarks/run.py import     only bench_import.py

Run it with the interpreter that has lifemask installed, on a machine that does nothing else:
`python3 dev.py run benchmarks.run`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def main() -> int:
    """Run each benchmark in a process of its own; return 1 if one fails."""
    known = {path.stem.removeprefix("bench_"): path for path in sorted(FOLDER.glob("bench_*.py"))}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    names = parser.parse_args().names or list(known)
    unknown = sorted(set(names) - known.keys())
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(known)}")
    failed = [name for name in names if subprocess.run([sys.executable, known[name]]).returncode]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
