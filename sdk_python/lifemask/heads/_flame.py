"""FLAME's geometry as a head model that knows no landmarks and no shapes yet."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from lifemask._errors import InputError
from lifemask.heads._external import (
    boundary_loops,
    estimated_joints,
    mirror_map,
    neck_weights,
    no_subdivision,
    refusal,
)
from lifemask.heads._flame_file import HINT, read_flame
from lifemask.heads._head import PART_NAMES, Part, Topology
from lifemask.heads._names import COEFFICIENT_COUNT, JOINT_NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lifemask.heads._flame_file import FlameArrays
    from lifemask.heads._model import HeadModel

_LANDMARKS = 478
_EYES = (3, 4)
"""FLAME's joints of the left and the right eye."""


def load_flame_geometry(path: Path) -> HeadModel:
    """Return FLAME's mesh and identity modes, without landmarks and expression shapes.

    FLAME has no ARKit shapes, and its file has no texture layout, teeth, tongue, lashes or mouth
    cavity: those parts are empty, the 52 deltas zero, texture coordinates a cylinder's, and all
    landmarks lie on the first face. `lifemask.rigging.load_flame` fills in landmarks and shapes.

    Args:
        path: The user's own file.

    Raises:
        InputError: The file is not FLAME.
    """
    arrays = read_flame(path)
    try:
        return _model(arrays)
    except (ValueError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise refusal("FLAME", str(error), HINT) from error


def _model(arrays: FlameArrays) -> HeadModel:
    from lifemask.heads._model import HeadModel

    eyes = np.stack([arrays.joints[row] @ arrays.template for row in _EYES])
    moved = np.einsum("jv,kvd->kjd", arrays.joints[list(_EYES)], arrays.shapes)
    joints = estimated_joints(eyes)
    origin = joints[JOINT_NAMES.index("Head")]
    neutral = (arrays.template - origin).astype(np.float32)
    owned = [np.flatnonzero(arrays.weights[:, column] > 0.5) for column in _EYES]
    faces, parts = _parts(arrays.faces, owned, len(neutral))
    basis = np.zeros((len(arrays.shapes), len(JOINT_NAMES), 3), np.float32)
    basis[:, 4:] = moved
    weights = neck_weights(neutral)
    for column, rows in zip((4, 5), owned, strict=True):
        weights[rows] = np.eye(len(JOINT_NAMES), dtype=np.float32)[column]
    return HeadModel(
        topology=_topology(arrays, neutral, faces, parts),
        neutral=neutral,
        identity_basis=arrays.shapes,
        expression_deltas=np.zeros((COEFFICIENT_COUNT, *neutral.shape), np.float32),
        mean_joints=(joints - origin).astype(np.float32),
        joint_basis=basis,
        joint_weights=weights,
        subdivision=no_subdivision(
            np.c_[faces, faces[:, 2]], np.c_[faces, faces[:, 2]], len(neutral), len(neutral)
        ),
        meta={
            "id": "flame",
            "licence": "FLAME's own licence, accepted by whoever got the file",
            "origin": "FLAME, Max Planck Institute for Intelligent Systems; the user's own file",
            "unavailable": ["tongueOut"],
        },
    )


def _parts(
    faces: NDArray[np.int32], owned: list[NDArray[np.int64]], vertices: int
) -> tuple[NDArray[np.int32], dict[str, Part]]:
    """Put the faces of skin, left eye and right eye one after the other."""
    side = np.zeros(vertices, int)
    for number, rows in enumerate(owned, start=1):
        if not len(rows):
            raise ValueError("an eye has no vertices")
        side[rows] = number
    label = side[faces].max(axis=1)
    order = np.argsort(label, kind="stable")
    ends = np.cumsum([(label == number).sum() for number in range(3)])
    parts = {}
    for name in PART_NAMES:
        start = ends[0] if name in PART_NAMES[1:5] else ends[2]
        parts[name] = Part(slice(vertices, vertices), slice(int(start), int(start)))
    parts["skin"] = Part(slice(0, vertices), slice(0, int(ends[0])))
    for name, number in (("eye_left", 1), ("eye_right", 2)):
        rows = owned[number - 1]
        run = slice(int(rows.min()), int(rows.max()) + 1)
        parts[name] = Part(run, slice(int(ends[number - 1]), int(ends[number])))
    return faces[order], parts


def _topology(
    arrays: FlameArrays,
    neutral: NDArray[np.float32],
    faces: NDArray[np.int32],
    parts: dict[str, Part],
) -> Topology:
    skin = faces[parts["skin"].faces]
    proper = skin[(skin[:, 0] != skin[:, 1]) & (skin[:, 1] != skin[:, 2])]
    loops = boundary_loops(proper)
    if not loops:
        raise ValueError("the neck is closed")
    neck = min(loops, key=lambda loop: float(neutral[loop, 1].mean()))
    around = np.arctan2(neutral[:, 0], neutral[:, 2]) / (2 * np.pi) + 0.5
    height = (neutral[:, 1].max() - neutral[:, 1]) / np.ptp(neutral[:, 1])
    return Topology(
        asset_id="flame",
        asset_version="1.0.0",
        asset_sha256=hashlib.sha256(arrays.raw).hexdigest(),
        faces=faces,
        faces_uv=faces,
        uv=np.stack([around, height], axis=1).astype(np.float32),
        parts=parts,
        masks={},
        mirror=mirror_map(neutral),
        landmark_faces=np.zeros(_LANDMARKS, np.int32),
        landmark_barycentric=np.full((_LANDMARKS, 3), 1 / 3, np.float32),
        neck_loop=np.array(neck, np.int32),
    )
