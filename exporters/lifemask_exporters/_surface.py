"""From a head to render meshes: UV seams split, exact normals, tangents, moving shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lifemask.geometry import vertex_normals
from lifemask.heads import COEFFICIENT_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.heads import Head

MOVES_METRES = 1e-4
"""A mesh carries a shape only if one of its vertices moves at least this far."""

NEGLIGIBLE_METRES = 1e-5
NEGLIGIBLE_NORMAL = 5e-4
"""Smaller differences become zero: they cannot be seen, and zeros pack to nothing."""

_MAX_INFLUENCES = 4


class Target(NamedTuple):
    """One shape of one mesh.

    Attributes:
        name: Expression coefficient.
        positions: `(n, 3)` float32 differences, metres.
        normals: `(n, 3)` float32 differences of the unit normals.
        rows: Increasing indices of the vertices where one of the two is not zero.
    """

    name: str
    positions: NDArray[np.float32]
    normals: NDArray[np.float32]
    rows: NDArray[np.intp]


@dataclass(frozen=True)
class Surface:
    """Vertices as an engine wants them: one position, one UV and one normal each.

    Attributes:
        sources: `(n,)` vertex of the head that each of these n vertices copies.
        positions: `(n, 3)` float32, metres.
        normals: `(n, 3)` float32, unit length, equal on both sides of a UV seam.
        uv: `(n, 2)` float32.
        tangents: `(n, 4)` float32, unit length, w is the sign of the bitangent.
        joints: `(n, 4)` uint8 indices of joints; 0 where the weight is 0.
        weights: `(n, 4)` float32, rows sum to 1.
        faces: `(m, 3)` uint16, or uint32 where there are too many vertices.
        targets: Shapes that really move this mesh, in the order of the coefficients.
    """

    sources: NDArray[np.int64]
    positions: NDArray[np.float32]
    normals: NDArray[np.float32]
    uv: NDArray[np.float32]
    tangents: NDArray[np.float32]
    joints: NDArray[np.uint8]
    weights: NDArray[np.float32]
    faces: NDArray[np.unsignedinteger]
    targets: tuple[Target, ...]


def build_surface(head: Head, parts: Sequence[str]) -> Surface:
    """Return the render mesh of some parts of a head."""
    topology = head.topology
    runs = [topology.parts[part].faces for part in parts]
    faces = np.concatenate([topology.faces[run] for run in runs]).astype(np.int64)
    faces_uv = np.concatenate([topology.faces_uv[run] for run in runs]).astype(np.int64)
    neutral = head.neutral.astype(np.float64)
    mirrored = _is_mirrored(topology.uv.astype(np.float64)[faces_uv])
    sources, sources_uv, split = _split(faces, faces_uv, mirrored)
    welded_normals = _filled(vertex_normals(neutral, faces), np.array([0.0, 0.0, 1.0]))
    normals, uv = welded_normals[sources], topology.uv[sources_uv]
    joints, weights = _influences(head.joint_weights[sources])
    return Surface(
        sources=sources,
        positions=head.neutral[sources].astype(np.float32),
        normals=normals.astype(np.float32),
        uv=uv.astype(np.float32),
        tangents=vertex_tangents(neutral[sources], normals, uv.astype(np.float64), split),
        joints=joints,
        weights=weights,
        faces=split.astype(np.uint16 if len(sources) < 65_535 else np.uint32),
        targets=_targets(head, faces, sources, welded_normals),
    )


def vertex_tangents(
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    uv: NDArray[np.float64],
    faces: NDArray[np.integer],
) -> NDArray[np.float32]:
    """Return tangents `(n, 4)` in the manner of MikkTSpace.

    As there, a face's tangent is projected into the plane of the vertex normal, made unit and
    weighted by the corner's angle in that plane; w says on which side the bitangent lies, with
    +V up as tangent-space normal maps have it. Unlike there, corners are grouped by the vertices
    given here, which must not be shared between faces of opposite handedness.
    """
    corners, corner_uv = points[faces], uv[faces]
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    down1, down2 = ((corner_uv[:, i, 1] - corner_uv[:, 0, 1])[:, None] for i in (1, 2))
    sign = np.where(_is_mirrored(corner_uv), -1.0, 1.0)
    # The derivative of the position along u, up to a positive factor.
    along_u = (edge2 * down1 - edge1 * down2) * sign[:, None]
    at = normals[faces]
    directions = _unit(_project(np.repeat(along_u[:, None], 3, axis=1), at))
    weighted = directions * _corner_angles(corners, at)[..., None]
    summed = _project(_sum_at(faces, weighted, len(points)), normals)
    tangents = _unit(np.where(_length(summed) > 1e-9, summed, _any_perpendicular(normals)))
    side = np.ones(len(points))
    side[faces] = sign[:, None]
    return np.concatenate([tangents, side[:, None]], axis=1).astype(np.float32)


def _is_mirrored(corner_uv: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the picture lies mirrored on each face; `corner_uv` is `(m, 3, 2)`, v down."""
    edge1, edge2 = corner_uv[:, 1] - corner_uv[:, 0], corner_uv[:, 2] - corner_uv[:, 0]
    return edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0] > 0


def _split(
    faces: NDArray[np.int64], faces_uv: NDArray[np.int64], mirrored: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Give every combination of vertex, UV and handedness a vertex of its own."""
    corner_side = np.repeat(mirrored[:, None], 3, axis=1).astype(np.int64)
    keys = np.stack([faces, faces_uv, corner_side], axis=-1).reshape(-1, 3)
    unique, inverse = np.unique(keys, axis=0, return_inverse=True)
    return unique[:, 0], unique[:, 1], inverse.reshape(-1, 3)


def _targets(
    head: Head,
    faces: NDArray[np.int64],
    sources: NDArray[np.int64],
    normals: NDArray[np.float64],
) -> tuple[Target, ...]:
    used = np.zeros(len(head.neutral), bool)
    used[sources] = True
    targets = []
    for name, delta in zip(COEFFICIENT_NAMES, head.expression_deltas, strict=True):
        lengths = np.linalg.norm(delta, axis=1) * used
        if lengths.max(initial=0.0) < MOVES_METRES:
            continue
        moved = np.where(lengths[:, None] >= NEGLIGIBLE_METRES, delta, 0).astype(np.float32)
        deformed = vertex_normals(head.neutral + moved.astype(np.float64), faces)
        turned = _filled(deformed, normals) - normals
        turned[_length(turned)[:, 0] < NEGLIGIBLE_NORMAL] = 0
        positions, turns = moved[sources], turned[sources].astype(np.float32)
        rows = np.flatnonzero(positions.any(axis=1) | turns.any(axis=1))
        targets.append(Target(name, positions, turns, rows))
    return tuple(targets)


def _influences(weights: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the strongest joints of each vertex and their weights, which sum to 1 again."""
    order = np.argsort(-weights, axis=1, kind="stable")[:, :_MAX_INFLUENCES]
    kept = np.take_along_axis(weights, order, axis=1).astype(np.float64)
    kept /= kept.sum(axis=1, keepdims=True)
    return np.where(kept > 0, order, 0).astype(np.uint8), kept.astype(np.float32)


def _sum_at(
    faces: NDArray[np.integer], corners: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Add up what the faces' corners `(m, 3, 3)` give to each of `count` vertices."""
    index = faces.ravel()
    sums = np.empty((count, 3))
    for axis in range(3):
        sums[:, axis] = np.bincount(index, corners[..., axis].ravel(), count)
    return sums


def _corner_angles(
    corners: NDArray[np.float64], normals: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return `(m, 3)` radians, measured in the plane of each corner's normal."""
    onward = _unit(_project(np.roll(corners, -1, axis=1) - corners, normals))
    back = _unit(_project(np.roll(corners, 1, axis=1) - corners, normals))
    return np.arccos(np.clip(np.sum(onward * back, axis=-1), -1.0, 1.0))


def _project(vectors: NDArray[np.float64], normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the part of each vector that is perpendicular to its unit normal."""
    return vectors - normals * np.sum(vectors * normals, axis=-1, keepdims=True)


def _any_perpendicular(normals: NDArray[np.float64]) -> NDArray[np.float64]:
    axis = np.eye(3)[np.argmin(np.abs(normals), axis=1)]
    return np.cross(normals, axis)


def _filled(vectors: NDArray[np.float64], fallback: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replace the vectors that have no direction."""
    return np.where(_length(vectors) > 0, vectors, fallback)


def _length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.norm(vectors, axis=-1, keepdims=True)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit vectors; what has no direction stays zero."""
    length = _length(vectors)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-15)
