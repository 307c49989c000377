"""Measure builds of people whose truth is known.

    python tools/synthetic/evaluate.py own -o out/own
    python tools/synthetic/evaluate.py ict --head-path ict_facekit_light.npz -o out/ict

Writes `synthetic.json`, `synthetic.md` and `turn.jpg` beside the footage and prints the tables.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lifemask import LifemaskError
from lifemask.evaluation.synthetic import SIZES, evaluate_synthetic, tables


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=("own", "ict"))
    parser.add_argument("--head-path", type=Path, help="ICT-FaceKit's npz file")
    parser.add_argument("--size", choices=tuple(SIZES), default="default")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    try:
        found = evaluate_synthetic(
            options.kind,
            options.output,
            head_path=options.head_path,
            size=options.size,
            progress=_say,
        )
    except LifemaskError as error:
        print(f"{error}\n{error.hint}", file=sys.stderr)
        return 1
    print(tables(found))
    return 0


def _say(stage: str, fraction: float) -> None:
    if fraction == 0.0:
        print(stage, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
