"""Rig ICT-FaceKit's neutral head as if it were a user's, and compare with its own shapes.

    python tools/heads/rig_ict.py PATH [-o FOLDER]

PATH is the user's own copy of the model. The neutral is written as GLB in centimetres, `lifemask
rig` makes 52 shapes for it, and each is compared with the shape of the same name that ICT's
artists made: the mean and the largest distance over the skin that either moves by half a
millimetre, in millimetres. The two need not agree: they are two artists' smiles.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import lifemask
from lifemask.geometry import Mesh, mesh_to_glb, read_mesh
from lifemask.heads import COEFFICIENT_NAMES, HeadModel, load_head_model
from lifemask.rigging import rig_mesh
from lifemask.tracking import FaceLandmarker

_PER_METRE = 100.0
_MOVES = 0.5


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("path", type=Path, help="ICT-FaceKit, see docs/heads.md")
    parser.add_argument("-o", "--output", type=Path, default=Path("ict_rig"), help="folder")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    model = load_head_model("ict", options.path)
    raw, source = mesh_to_glb(_neutral(model), generator="lifemask rig_ict")
    neutral = options.output / "neutral.glb"
    neutral.write_bytes(raw)
    mesh = read_mesh(neutral)
    with FaceLandmarker() as landmarker:
        rigged = rig_mesh(mesh, landmarker)
    for name, (least, most) in rigged.gaps_mm(mesh).items():
        print(f"closed {name}: gap {least:+.2f} to {most:+.2f} mm")
    print(f"{'shape':<22}{'ICT mm':>8}{'ours mm':>9}{'mean':>7}{'largest':>9}")
    for row in compare(model, rigged.deltas, source):
        print(f"{row[0]:<22}{row[1]:8.1f}{row[2]:9.1f}{row[3]:7.2f}{row[4]:9.1f}")
    report = lifemask.rig(neutral, options.output / "rigged.glb", grid=options.output / "grid.png")
    print(report.path, report.grid)


def _neutral(model: HeadModel) -> Mesh:
    faces = model.topology.faces
    a, b, c = faces.T
    proper = faces[(a != b) & (b != c) & (a != c)]
    return Mesh(_PER_METRE * model.neutral.astype(np.float64), proper)


def compare(
    model: HeadModel, deltas: np.ndarray, source: np.ndarray
) -> list[tuple[str, float, float, float, float]]:
    """Return per shape its name, both largest movements, and mean and largest distance, mm.

    Args:
        model: ICT's, with its own shapes.
        deltas: `(52, n, 3)` in centimetres.
        source: `(n,)` the model's vertex of each point.
    """
    skin = np.unique(model.topology.faces[model.topology.parts["skin"].faces])
    skin = np.isin(source, skin)
    rows = []
    for name, theirs, ours in zip(
        COEFFICIENT_NAMES, model.expression_deltas[:, source], deltas, strict=True
    ):
        theirs, ours = 1000.0 * theirs[skin], (1000.0 / _PER_METRE) * ours[skin]
        moves = [np.linalg.norm(one, axis=1) for one in (theirs, ours)]
        some = np.maximum(*moves) > _MOVES
        if not some.any():
            rows.append((name, 0.0, 0.0, 0.0, 0.0))
            continue
        away = np.linalg.norm(theirs - ours, axis=1)[some]
        rows.append((name, moves[0].max(), moves[1].max(), away.mean(), away.max()))
    return rows


if __name__ == "__main__":
    main()
