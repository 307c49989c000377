"""ICT-FaceKit (University of Southern California, MIT) as a head model, from the user's file."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.heads._external import (
    boundary_loops,
    estimated_joints,
    mirror_map,
    neck_weights,
    no_subdivision,
    read_arrays,
    refusal,
    sphere,
    triangles,
)
from lifemask.heads._head import PART_NAMES, Part, Topology
from lifemask.heads._names import COEFFICIENT_COUNT, COEFFICIENT_NAMES, JOINT_NAMES
from lifemask.heads._surface_data import landmark_embedding, region_masks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads._model import HeadModel

_HINT = (
    "Give the npz file with the arrays neutral, uv, faces, faces_uv, expression_names, "
    "expressions and identities; docs/heads.md says how to make it from ICT-FaceKit."
)
_CENTIMETRE = 0.01
_VERTICES: Final = 26719

VERTEX_RUNS: Final = {
    "face": (0, 9409),
    "head_and_neck": (9409, 11248),
    "mouth_socket": (11248, 13294),
    "eye_socket_left": (13294, 13678),
    "eye_socket_right": (13678, 14062),
    "gums_and_tongue": (14062, 17039),
    "teeth_upper": (17039, 19247),
    "teeth_lower": (19247, 21451),
    "eye_left": (21451, 23021),
    "eye_right": (23021, 24591),
    "lacrimal_fluid": (24591, 24999),
    "eye_blend": (24999, 25047),
    "eye_occlusion": (25047, 25351),
    "lashes": (25351, 26719),
}
"""First and last-but-one vertex of each component of ICT-FaceKit's mesh."""

EYE_SHELLS: Final = {"eye_left": (21451, 22221), "eye_right": (23021, 23791)}
"""The outer layer of each eyeball, cornea and all; the rest of it is the ball within."""

_SHELL = ("face", "head_and_neck", "mouth_socket", "eye_socket_left", "eye_socket_right")
_PART_VERTICES: Final = {
    "skin": (0, 14062),
    "mouth": (0, 14062),
    "tongue": VERTEX_RUNS["gums_and_tongue"],
    **{name: VERTEX_RUNS[name] for name in PART_NAMES[3:]},
}
_TILES: Final = {
    "face": (0, (0.0, 0.0, 2 / 3)),
    "head_and_neck": (1, (2 / 3, 0.0, 1 / 3)),
    "mouth_socket": (1, (2 / 3, 0.0, 1 / 3)),
    "eye_socket_left": (1, (2 / 3, 0.0, 1 / 3)),
    "eye_socket_right": (1, (2 / 3, 0.0, 1 / 3)),
    "gums_and_tongue": (2, (2 / 3, 1 / 3, 1 / 3)),
    "teeth_upper": (3, (2 / 3, 2 / 3, 1 / 3)),
    "teeth_lower": (3, (2 / 3, 2 / 3, 1 / 3)),
    "eye_left": (0, (0.0, 2 / 3, 1 / 3)),
    "eye_right": (0, (1 / 3, 2 / 3, 1 / 6)),
    "lashes": (6, (1 / 2, 2 / 3, 1 / 6)),
}
"""Texture tile of each component in ICT-FaceKit, and `x, y, size` of its square in the atlas."""

_SIDES = {"_L": "Left", "_R": "Right"}


@dataclass(frozen=True)
class _Mesh:
    """Quads of the parts that are kept, part after part, and the atlas."""

    quads: NDArray[np.int32]
    quads_uv: NDArray[np.int32]
    uv: NDArray[np.float32]
    parts: dict[str, Part]


def load_ict(path: Path) -> HeadModel:
    """Return ICT-FaceKit as a head model.

    The order of the vertices is ICT-FaceKit's own. Left out are the faces of what an opaque
    renderer cannot draw (tear film, blend and occlusion meshes, the ball within the eyeball) and
    what has no name among the 52 (`cheekRaiser`, `PupilDilate`). `browInnerUp` and `cheekPuff`
    join both sides; `tongueOut` does not exist there and stays zero (`meta["unavailable"]`).
    The part `tongue` holds tongue and gums, which are one surface.

    Args:
        path: The npz file, lengths in centimetres; see docs/heads.md.

    Raises:
        InputError: The file is not there, or is not ICT-FaceKit.
    """
    arrays, raw = read_arrays(path, "ICT-FaceKit", _HINT)
    try:
        return _model(arrays, hashlib.sha256(raw).hexdigest())
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise refusal("ICT-FaceKit", str(error), _HINT) from error


def _model(arrays: dict[str, NDArray], digest: str) -> HeadModel:
    from lifemask.heads._model import HeadModel

    _check(arrays)
    mesh = _mesh(arrays)
    metres = arrays["neutral"].astype(np.float64) * _CENTIMETRE
    identity = arrays["identities"].astype(np.float32) * np.float32(_CENTIMETRE)
    eyes = np.array([_eye_centre(metres, side) for side in ("eye_left", "eye_right")])
    joints = estimated_joints(eyes)
    origin = joints[JOINT_NAMES.index("Head")].astype(np.float64)
    neutral = (metres - origin).astype(np.float32)
    runs = mesh.parts["eye_left"].vertices, mesh.parts["eye_right"].vertices
    return HeadModel(
        topology=_topology(mesh, neutral, digest),
        neutral=neutral,
        identity_basis=identity,
        expression_deltas=_expressions(arrays),
        mean_joints=(joints - origin).astype(np.float32),
        joint_basis=_joint_basis(identity),
        joint_weights=neck_weights(neutral, runs),
        subdivision=no_subdivision(mesh.quads, mesh.quads_uv, len(neutral), len(mesh.uv)),
        meta={
            "id": "ict-facekit",
            "licence": "MIT",
            "origin": "ICT-FaceKit, University of Southern California Institute for Creative "
            "Technologies; the user's own file",
            "unavailable": ["tongueOut"],
        },
    )


def _check(arrays: dict[str, NDArray]) -> None:
    """Refuse arrays of other sizes or types before anything is computed from them."""
    shapes = {"neutral": (_VERTICES, 3), "faces": (None, 4), "faces_uv": (None, 4), "uv": (None, 2)}
    shapes |= {"expressions": (None, _VERTICES, 3), "identities": (None, _VERTICES, 3)}
    for name, shape in shapes.items():
        array = arrays[name]
        fits = len(array.shape) == len(shape)
        if not fits or any(w not in (None, h) for w, h in zip(shape, array.shape, strict=True)):
            raise ValueError(f"{name} has shape {array.shape}")
        kind = "iu" if name.startswith("faces") else "f"
        if array.dtype.kind not in kind or not np.isfinite(array).all():
            raise ValueError(f"{name} holds something else than finite numbers")
    for name, count in (("faces", _VERTICES), ("faces_uv", len(arrays["uv"]))):
        if arrays[name].min() < 0 or arrays[name].max() >= count:
            raise ValueError(f"{name} points outside 0..{count - 1}")
    if len(arrays["faces"]) != len(arrays["faces_uv"]):
        raise ValueError("faces and faces_uv differ in length")
    if len(arrays["expression_names"]) != len(arrays["expressions"]):
        raise ValueError("expression_names and expressions differ in length")


def _mesh(arrays: dict[str, NDArray]) -> _Mesh:
    """Sort the quads into parts and put the texture tiles into one atlas."""
    quads, corners = arrays["faces"], arrays["faces_uv"]
    tops = quads.max(axis=1)
    kept, kept_uv, islands, parts = [], [], [], {}
    faces = uv_count = 0
    for part in PART_NAMES:
        start = faces
        for name in _components(part):
            low, high = EYE_SHELLS.get(name, VERTEX_RUNS[name])
            inside = (tops >= low) & (tops < high)
            used, index = np.unique(corners[inside], return_inverse=True)
            kept.append(quads[inside])
            kept_uv.append(index.reshape(-1, 4) + uv_count)
            islands.append(_placed(arrays["uv"][used], name))
            uv_count += len(used)
            faces += len(triangles(kept[-1]))
        low, high = _PART_VERTICES[part]
        parts[part] = Part(slice(low, high), slice(start, faces))
    return _Mesh(
        np.concatenate(kept).astype(np.int32),
        np.concatenate(kept_uv).astype(np.int32),
        np.concatenate(islands).astype(np.float32),
        parts,
    )


def _components(part: str) -> tuple[str, ...]:
    if part == "skin":
        return tuple(name for name in _SHELL if name != "mouth_socket")
    return {"mouth": ("mouth_socket",), "tongue": ("gums_and_tongue",)}.get(part, (part,))


def _placed(uv: NDArray[np.floating], name: str) -> NDArray[np.float64]:
    """Move texture coordinates of one component (v up) to its place in the atlas (v down)."""
    tile, (x, y, size) = _TILES[name]
    inside = np.clip(uv - [tile, 0.0], 0.0, 1.0)
    return np.c_[x + size * inside[:, 0], y + size * (1.0 - inside[:, 1])]


def _topology(mesh: _Mesh, neutral: NDArray[np.float32], digest: str) -> Topology:
    faces = triangles(mesh.quads)
    loops = boundary_loops(faces[mesh.parts["skin"].faces])
    neck = min(loops, key=lambda loop: neutral[loop, 1].mean())
    chosen, barycentric = landmark_embedding("ict", faces)
    return Topology(
        asset_id="ict-facekit",
        asset_version="1.0.0",
        asset_sha256=digest,
        faces=faces,
        faces_uv=_triangle_corners(mesh),
        uv=mesh.uv,
        parts=mesh.parts,
        masks=_masks(),
        mirror=mirror_map(neutral),
        landmark_faces=chosen,
        landmark_barycentric=barycentric,
        neck_loop=np.array(neck, np.int32),
    )


def _triangle_corners(mesh: _Mesh) -> NDArray[np.int32]:
    """Return the texture corners of the triangles: split as the vertices are."""
    both = np.stack([mesh.quads_uv[:, [0, 1, 2]], mesh.quads_uv[:, [0, 2, 3]]], axis=1)
    kept = np.ones((len(both), 2), bool)
    kept[:, 1] = mesh.quads[:, 2] != mesh.quads[:, 3]
    return both[kept].astype(np.int32)


def _masks() -> dict[str, NDArray[np.float32]]:
    masks = region_masks("ict", _VERTICES)
    for name, components in (
        ("mouth", ("mouth_socket",)),
        ("sockets", ("eye_socket_left", "eye_socket_right")),
    ):
        masks[name] = np.zeros(_VERTICES, np.float32)
        for component in components:
            masks[name][slice(*VERTEX_RUNS[component])] = 1.0
    return masks


def _expressions(arrays: dict[str, NDArray]) -> NDArray[np.float32]:
    """Return the 52 deltas in metres; a name without side is the sum of both sides."""
    deltas = np.zeros((COEFFICIENT_COUNT, _VERTICES, 3), np.float32)
    missing = set(COEFFICIENT_NAMES)
    for name, delta in zip(arrays["expression_names"], arrays["expressions"], strict=True):
        match = re.fullmatch(r"(.*?)(_[LR])?", str(name))
        stem, side = (match[1], _SIDES.get(match[2] or "", "")) if match else (str(name), "")
        for wanted in (stem + side, stem):
            if wanted in COEFFICIENT_NAMES:
                deltas[COEFFICIENT_NAMES.index(wanted)] += delta.astype(np.float32) * _CENTIMETRE
                missing.discard(wanted)
                break
    if missing - {"tongueOut"}:
        raise ValueError(f"there is no {', '.join(sorted(missing - {'tongueOut'}))}")
    for name in ("eye_left", "eye_right"):
        # Eyeballs turn by their joints and are moved by no shape.
        deltas[:, slice(*VERTEX_RUNS[name])] = 0.0
    return deltas


def _eye_centre(points: NDArray[np.floating], side: str) -> NDArray[np.float64]:
    """Return the point about which an eyeball turns: the middle of its white."""
    return sphere(points[_white(side)])[0]


def _white(side: str) -> slice:
    """Vertices of the ball within the eyeball, which has no cornea."""
    return slice(EYE_SHELLS[side][1], VERTEX_RUNS[side][1])


def _joint_basis(identity: NDArray[np.float32]) -> NDArray[np.float32]:
    """Eye centres move with their eyeballs; the other joints are estimates and stay."""
    basis = np.zeros((len(identity), len(JOINT_NAMES), 3), np.float32)
    for joint, side in (("EyeLeft", "eye_left"), ("EyeRight", "eye_right")):
        basis[:, JOINT_NAMES.index(joint)] = identity[:, _white(side)].mean(axis=1)
    return basis
