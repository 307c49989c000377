"""Register the default head to ICT-FaceKit's neutral, and print what that is wrong by.

    python tools/heads/register_ict.py ict_facekit_light.npz

Landmarks, then the surface, first with the identity modes and then vertex by vertex
(`lifemask.rigging._registration`); then every vertex of either face gets a place on the other
mesh. The same is done from scratch for other heads drawn from ICT-FaceKit's modes; how far their
vertices lie from where the map puts them is the floor of every error that is measured through it.

Writes `map_ict.npz` and the masks in `surface_ict.npz` (`sdk_python/lifemask/data`): vertex
numbers and weights, nothing of ICT-FaceKit's geometry.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lifemask.geometry import ClosestPoints, vertex_normals
from lifemask.heads import Head, HeadModel, load_head_model
from lifemask.rigging import _registration as registration
from lifemask.tracking import FACE_POINTS, REGIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATA = Path(__file__).resolve().parents[2] / "sdk_python" / "lifemask" / "data"
_HEADS = 6
_SEED = 4
_SPREAD = 0.8
_NEAR = 0.0015
"""Metres within which a vertex has a place on the other surface."""
_FACE = 0.5
_LANDMARK_SIGMA = 0.0007
"""Metres. Both models' landmarks are fixed points of their meshes, calibrated on the same faces."""
_MASKS = ("brows", "ears", "eyelids", "face", "hair", "lips", "neck", "scalp")
_EXTERIOR = 11248
"""Vertices of face, head and neck in ICT-FaceKit; sockets and mouth follow."""


class Places(NamedTuple):
    """Vertices, the corners between which they lie on the other mesh, and weights."""

    vertices: NDArray[np.int64]
    corners: NDArray[np.int64]
    weights: NDArray[np.float64]


def main() -> None:
    """Parse the command line, register, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="ICT-FaceKit as npz")
    parser.add_argument("-o", "--output", type=Path, default=DATA)
    arguments = parser.parse_args()
    default, ict = load_head_model(), load_head_model("ict", arguments.model)
    registered = register(default, ict, ict.head())
    forward, back = places(default, ict, ict.neutral, registered)
    floors = floor(default, ict, registered, forward, back)
    for way, values in floors.items():
        print(way)
        for name, value in values.items():
            print(f"  {name.replace('_', ' '):24} {value:.3f} mm")
    write(arguments.output, default, ict, (forward, back), floors)
    write_masks(arguments.output / "surface_ict.npz", default, ict, registered)


def exterior(ict: HeadModel) -> NDArray[np.int32]:
    """Return the faces of ICT-FaceKit's skin that are seen from outside."""
    skin = ict.topology.faces[ict.topology.parts["skin"].faces]
    return skin[(skin < _EXTERIOR).all(axis=1)]


def register(default: HeadModel, ict: HeadModel, head: Head) -> NDArray[np.float64]:
    """Return the default head `(n_vertices, 3)` m in the shape and the frame of an ICT head."""
    points = head.neutral.astype(np.float64)
    surface = registration.TargetSurface.from_mesh(points, exterior(ict))
    landmarks = head.landmarks(head.neutral).astype(np.float64)
    fit = registration.fit_identity(default, surface, landmarks, landmark_sigma=_LANDMARK_SIGMA)
    moved = surface.moved(fit.rotation, fit.translation)
    numbers = np.arange(FACE_POINTS)
    targets = landmarks[numbers] @ fit.rotation.T + fit.translation
    start = default.head(fit.identity).neutral.astype(np.float64)
    skin = registration.follow_surface(start, default.topology, moved, (numbers, targets), hold=1.0)
    return (skin - fit.translation) @ fit.rotation


def places(
    default: HeadModel,
    ict: HeadModel,
    neutral: NDArray[np.floating],
    registered: NDArray[np.float64],
) -> tuple[Places, Places]:
    """Return where ICT's vertices lie on the default head, and the other way round."""
    skin = default.topology.faces[default.topology.parts["skin"].faces]
    weight = registration.surface_weights(default.topology) * default.topology.masks["face"]
    ours = skin[(weight[skin] > 0.05).all(axis=1)]
    theirs = exterior(ict)
    everything = np.arange(_EXTERIOR)
    forward = _placed(everything, neutral, theirs, registered, ours)
    inside = np.sum(weight[forward.corners] * forward.weights, axis=1) > _FACE
    members = np.flatnonzero(weight > _FACE)
    back = _placed(members, registered, skin, np.asarray(neutral, np.float64), theirs)
    return Places(*(a[inside] for a in forward)), back


def _placed(
    members: NDArray[np.int64],
    points: NDArray[np.floating],
    faces: NDArray[np.integer],
    other: NDArray[np.floating],
    other_faces: NDArray[np.integer],
) -> Places:
    """Find vertices on another mesh; leave out what is far from it or looks another way."""
    found = ClosestPoints(other, other_faces)(points[members])
    corners = other_faces[found.faces]
    there = np.einsum("kc,kcd->kd", found.barycentric, vertex_normals(other, other_faces)[corners])
    agreement = np.sum(there * vertex_normals(points, faces)[members], axis=1)
    kept = (found.distance < _NEAR) & (agreement > 0.6)
    return Places(members[kept], corners[kept].astype(np.int64), found.barycentric[kept])


def _moved(places: Places, vertices: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.einsum("kc,kcd->kd", places.weights, vertices[places.corners])


def floor(
    default: HeadModel,
    ict: HeadModel,
    registered: NDArray[np.float64],
    forward: Places,
    back: Places,
) -> dict[str, dict[str, float]]:
    """Return what the maps are wrong by, in millimetres."""
    random = np.random.default_rng(_SEED)
    drawn = _SPREAD * random.standard_normal((_HEADS, ict.mode_count))
    heads = [ict.head(identity) for identity in drawn]
    ours = [register(default, ict, head) for head in heads]
    pairs = list(zip(ours, heads, strict=True))
    there = [_gap(_moved(forward, a), h.neutral[forward.vertices]) for a, h in pairs]
    again = [_gap(_moved(back, h.neutral), a[back.vertices]) for a, h in pairs]
    surfaces = _surface(default, ict, registered, forward, back)
    landmarks = _landmarks(default, ict, registered)
    return {
        "default_to_ict": _summary(np.concatenate(there)) | surfaces[0] | landmarks,
        "ict_to_default": _summary(np.concatenate(again)) | surfaces[1] | landmarks,
    }


def _gap(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    return 1000.0 * np.linalg.norm(a - b, axis=1)


def _summary(distance: NDArray[np.float64], name: str = "vertex") -> dict[str, float]:
    values = {
        "mean": distance.mean(),
        "median": np.median(distance),
        "90_percent": np.quantile(distance, 0.9),
    }
    return {f"{name}_{key}": round(float(value), 4) for key, value in values.items()}


def _surface(
    default: HeadModel,
    ict: HeadModel,
    registered: NDArray[np.float64],
    forward: Places,
    back: Places,
) -> tuple[dict[str, float], dict[str, float]]:
    skin = default.topology.faces[default.topology.parts["skin"].faces]
    theirs = ClosestPoints(registered, skin)(ict.neutral[forward.vertices])
    ours = ClosestPoints(ict.neutral, exterior(ict))(registered[back.vertices])
    return (
        _summary(1000.0 * theirs.distance, "surface"),
        _summary(1000.0 * ours.distance, "surface"),
    )


def _landmarks(
    default: HeadModel, ict: HeadModel, registered: NDArray[np.float64]
) -> dict[str, float]:
    """Distances between the models' own landmarks once both have one shape."""
    topology = default.topology
    corners = registered[topology.faces[topology.landmark_faces]]
    ours = np.einsum("lk,lkd->ld", topology.landmark_barycentric, corners)
    distance = _gap(ours, ict.landmark_model().neutral)[:FACE_POINTS]
    values = {"landmarks_mean": float(distance.mean())}
    values |= {f"landmarks_{name}": float(distance[rows].mean()) for name, rows in REGIONS.items()}
    return {name: round(value, 4) for name, value in values.items()}


def write(
    folder: Path,
    default: HeadModel,
    ict: HeadModel,
    both: tuple[Places, Places],
    floors: dict[str, dict[str, float]],
) -> None:
    """Write `map_ict.npz`."""
    sizes = {"default": len(default.neutral), "ict": len(ict.neutral)}
    meta = {"sizes": sizes, "floor_mm": floors}
    arrays = {"meta": np.frombuffer(json.dumps(meta, sort_keys=True).encode(), np.uint8)}
    for way, found in zip(("default_to_ict", "ict_to_default"), both, strict=True):
        arrays[f"{way}_vertices"] = found.vertices.astype(np.uint16)
        arrays[f"{way}_corners"] = found.corners.astype(np.uint16)
        arrays[f"{way}_weights"] = found.weights.astype(np.float16)
    path = folder / "map_ict.npz"
    np.savez_compressed(path, **arrays)
    print(
        f"{path.name}: {len(both[0].vertices)} vertices of ICT-FaceKit, {len(both[1].vertices)} of "
        f"the default head, {path.stat().st_size / 1e3:.0f} kB"
    )


def write_masks(
    path: Path, default: HeadModel, ict: HeadModel, registered: NDArray[np.float64]
) -> None:
    """Carry the default head's regions over to ICT-FaceKit's skin."""
    topology = default.topology
    faces = topology.faces[topology.parts["skin"].faces]
    found = ClosestPoints(registered, faces)(ict.neutral[:_EXTERIOR])
    corners = faces[found.faces]
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files if not name.startswith("mask_")}
    for name in _MASKS:
        mask = np.zeros(len(ict.neutral))
        mask[:_EXTERIOR] = np.sum(topology.masks[name][corners] * found.barycentric, axis=1)
        arrays[f"mask_{name}"] = np.round(255 * mask).astype(np.uint8)
    np.savez_compressed(path, **arrays)
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
