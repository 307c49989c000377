"""Landmarks of people who do not exist, to calibrate landmark embeddings on.

    python tools/heads/sample_faces.py random_face-2021.7.21.1-py3-none-any.whl -o faces.npz

The same portraits as `tools/head_asset/calibration.py` uses; needs `openvino` beside lifemask.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from head_asset.calibration import sample


def main() -> None:
    """Sample portraits, detect and write the landmarks of the calm ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="random_face-2021.7.21.1-py3-none-any.whl")
    parser.add_argument("--count", type=int, default=250, help="portraits to sample")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    people = sample(arguments.wheel, range(arguments.count))
    size = np.array([people[0].width, people[0].height])
    np.savez_compressed(arguments.output, points=np.stack([f.points for f in people]), size=size)
    print(f"{len(people)} faces")


if __name__ == "__main__":
    main()
