"""Where landmarks and regions lie on ICT-FaceKit: vertex numbers and weights, no geometry.

    python tools/heads/ict_surface.py ict_facekit_light.npz
    python tools/heads/ict_surface.py ict_facekit_light.npz --faces faces.npz

The landmarker runs on pictures of the neutral head and of the opened mouth, and what it finds is
cast onto the mesh. With `--faces`, landmarks of people (`sample_faces.py` writes them), each of
the 468 then moves by what is left over when the head is fitted to these people, as for the
default head (`tools/head_asset/calibration.py`). Writes `sdk_python/lifemask/data/surface_ict.npz`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lifemask.heads import COEFFICIENT_INDEX, load_head_model
from lifemask.rigging import _mesh_landmarks as views
from lifemask.tracking import FACE_POINTS, LANDMARK_COUNT, FaceLandmarker, FaceLandmarks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import HeadModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from head_asset.calibration import calibrate, embed_face

OUTPUT = Path(__file__).resolve().parents[2] / "sdk_python" / "lifemask" / "data"
_LIPS = {"lip_drop": -0.016, "neighbours": 600}
"""For `embed_face`: ICT-FaceKit opens its jaw wider, and its mesh is finer."""
_MIDDLE = np.array([0.0, 0.015, 0.08])
_WIDTH = 0.125
_INNER_LIPS = (
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
_OPENED = 0.35
_COLOURS = {
    "tongue": (0.55, 0.25, 0.25),
    "teeth_upper": (0.90, 0.87, 0.80),
    "teeth_lower": (0.90, 0.87, 0.80),
    "eye_left": (0.92, 0.90, 0.88),
    "eye_right": (0.92, 0.90, 0.88),
}
_IRIS_RADIUS = 0.0059


def main() -> None:
    """Parse the command line, embed and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="ICT-FaceKit as npz")
    parser.add_argument("--faces", type=Path, help="landmarks of people, from sample_faces.py")
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT / "surface_ict.npz")
    arguments = parser.parse_args()
    if not arguments.output.exists():
        np.savez_compressed(arguments.output, **_placeholder(arguments.model))
    model = load_head_model("ict", arguments.model)
    points, opened = sighted(model)
    with np.load(arguments.output) as archive:
        masks = {name: archive[name] for name in archive.files if name.startswith("mask_")}
    arrays = embedding(model, points, opened) | masks
    if arguments.faces is not None:
        np.savez_compressed(arguments.output, **arrays)
        model = load_head_model("ict", arguments.model)
        placed = calibrate(model, read_faces(arguments.faces), **_LIPS)
        arrays = recalibrated(model, placed, arrays)
    np.savez_compressed(arguments.output, **arrays)
    print(f"{arguments.output.name}: {arguments.output.stat().st_size / 1e3:.0f} kB")


def _placeholder(model: Path) -> dict[str, NDArray]:
    """A file with which the model loads before its landmarks are known."""
    with np.load(model) as archive:
        corners = np.tile(archive["faces"][0, :3], (LANDMARK_COUNT, 1))
    return {"landmark_corners": corners, "landmark_weights": np.full((LANDMARK_COUNT, 3), 1 / 3)}


def sighted(model: HeadModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return landmarks `(478, 3)` m seen on the neutral head, and with the mouth opened."""
    parts = model.topology.parts
    solid = model.topology.faces[: parts["lashes"].faces.start]
    skin = np.arange(parts["skin"].faces.start, parts["skin"].faces.stop)
    colours = painted(model)
    jaw = model.expression_deltas[COEFFICIENT_INDEX["jawOpen"]]
    found = []
    with FaceLandmarker() as landmarker:
        for rest in (model.neutral, model.neutral + _OPENED * jaw):
            mesh = views.PaintedMesh(rest.astype(np.float64), solid, colours, skin)
            seen = views.sight(mesh, _MIDDLE, _WIDTH, views.FRONT_VIEWS, landmarker)
            print(f"found the head in {len(seen)} of {len(views.FRONT_VIEWS)} views")
            found.append(views.merge(seen, even=True))
    return found[0], found[1]


def painted(model: HeadModel) -> NDArray[np.float64]:
    """Return vertex colours `(n_vertices, 3)`: skin, and what lies behind lids and lips."""
    colours = np.tile(views.PLAIN_SKIN, (len(model.neutral), 1))
    colours[model.topology.masks["mouth"] > 0.5] = 0.25, 0.08, 0.08
    for part, colour in _COLOURS.items():
        colours[model.topology.parts[part].vertices] = colour
    for side, joint in (("eye_left", 4), ("eye_right", 5)):
        run = model.topology.parts[side].vertices
        away = model.neutral[run] - model.mean_joints[joint]
        off = np.linalg.norm(away[:, :2], axis=1)
        front = away[:, 2] > 0
        colours[run][front & (off < _IRIS_RADIUS)] = 0.28, 0.20, 0.14
        colours[run][front & (off < 0.4 * _IRIS_RADIUS)] = 0.02, 0.02, 0.02
    return colours


def embedding(
    model: HeadModel, points: NDArray[np.float64], opened: NDArray[np.float64]
) -> dict[str, NDArray]:
    """Return corners and weights of the 478 landmarks."""
    skin = model.topology.faces[model.topology.parts["skin"].faces]
    jaw = model.expression_deltas[COEFFICIENT_INDEX["jawOpen"]].astype(np.float64)
    neutral = model.neutral.astype(np.float64)
    chosen, weights = embed_face(points[:FACE_POINTS], neutral, jaw, skin, **_LIPS)
    inner = [i for i in _INNER_LIPS if np.isfinite(opened[i]).all()]
    opened = np.where(np.isfinite(opened), opened, points)
    wide = embed_face(opened[:FACE_POINTS], neutral + _OPENED * jaw, jaw, skin, **_LIPS)
    chosen[inner], weights[inner] = wide[0][inner], wide[1][inner]
    irises = [_iris(model, side) for side in ("eye_right", "eye_left")]
    return {
        "landmark_corners": np.concatenate([skin[chosen], *(i[0] for i in irises)]),
        "landmark_weights": np.concatenate([weights, *(i[1] for i in irises)]),
    }


def _iris(model: HeadModel, side: str) -> tuple[NDArray, NDArray]:
    """Return the five landmarks of one iris: middle, then +x, top, -x and bottom of its rim."""
    from head_asset.embedding import embed

    topology = model.topology
    faces = topology.faces[topology.parts[side].faces]
    centre = model.mean_joints[5 if side == "eye_right" else 4].astype(np.float64)
    shell = model.neutral[np.unique(faces)]
    apex = float(shell[:, 2].max())
    around = np.array([(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)]) * _IRIS_RADIUS
    rim = np.c_[centre[:2] + around, np.full(5, apex - 0.0022)]
    rim[0, 2] = apex
    chosen, weights = embed(rim, model.neutral.astype(np.float64), faces)
    return faces[chosen], weights


def recalibrated(
    model: HeadModel, placed: NDArray[np.float64], arrays: dict[str, NDArray]
) -> dict[str, NDArray]:
    """Return the arrays with the 468 face points at other places."""
    skin = model.topology.faces[model.topology.parts["skin"].faces]
    jaw = model.expression_deltas[COEFFICIENT_INDEX["jawOpen"]].astype(np.float64)
    chosen, weights = embed_face(placed, model.neutral.astype(np.float64), jaw, skin, **_LIPS)
    return arrays | {
        "landmark_corners": np.concatenate(
            [skin[chosen], arrays["landmark_corners"][FACE_POINTS:]]
        ),
        "landmark_weights": np.concatenate([weights, arrays["landmark_weights"][FACE_POINTS:]]),
    }


def read_faces(path: Path) -> list[FaceLandmarks]:
    """Read what `sample_faces.py` wrote."""
    with np.load(path) as archive:
        width, height = archive["size"]
        return [FaceLandmarks(points, int(width), int(height)) for points in archive["points"]]


if __name__ == "__main__":
    main()
