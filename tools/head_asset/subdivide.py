"""One level of Catmull-Clark subdivision as a sparse matrix, with its faces and uv."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix, lil_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Subdivision:
    """Result of one level.

    Attributes:
        matrix: `(n_fine, n)` rows sum to one: fine = matrix @ coarse.
        quads: `(4 n_quads, 4)` fine vertex indices, four per coarse quad, in order.
        uv_matrix: the same for the uv points, linear.
        quads_uv: `(4 n_quads, 4)`.
    """

    matrix: csr_matrix
    quads: NDArray[np.int64]
    uv_matrix: csr_matrix
    quads_uv: NDArray[np.int64]


def catmull_clark(
    quads: NDArray[np.int64], quads_uv: NDArray[np.int64], n: int, n_uv: int
) -> Subdivision:
    """Subdivide quads (Catmull and Clark 1978); rims follow the cubic B-spline rule.

    Vertices that no quad uses are kept as they are.
    """
    matrix, fine = _level(quads, n, smooth=True)
    uv_matrix, fine_uv = _level(quads_uv, n_uv, smooth=False)
    return Subdivision(matrix, fine, uv_matrix, fine_uv)


def _level(
    quads: NDArray[np.int64], n: int, *, smooth: bool
) -> tuple[csr_matrix, NDArray[np.int64]]:
    edge_of: dict[tuple[int, int], int] = {}
    edge_quads: dict[int, list[int]] = defaultdict(list)
    for i, quad in enumerate(quads.tolist()):
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            edge = edge_of.setdefault((min(a, b), max(a, b)), len(edge_of))
            edge_quads[edge].append(i)
    first_face = n + len(edge_of)
    matrix = lil_matrix((first_face + len(quads), n))
    for i, quad in enumerate(quads):
        matrix[first_face + i, quad] = 0.25
    for (a, b), edge in edge_of.items():
        row = _edge_row(quads, a, b, edge_quads[edge], smooth)
        for column, weight in row.items():
            matrix[n + edge, column] = weight
    for vertex, row in enumerate(_vertex_rows(quads, n, edge_of, edge_quads, smooth)):
        for column, weight in row.items():
            matrix[vertex, column] = weight
    fine = []
    for i, quad in enumerate(quads.tolist()):
        ring = [
            n + edge_of[(min(a, b), max(a, b))]
            for a, b in zip(quad, quad[1:] + quad[:1], strict=True)
        ]
        fine += [[quad[k], ring[k], first_face + i, ring[k - 1]] for k in range(4)]
    return csr_matrix(matrix), np.array(fine)


def _edge_row(
    quads: NDArray[np.int64], a: int, b: int, touching: list[int], smooth: bool
) -> dict[int, float]:
    if not smooth or len(touching) != 2:
        return {a: 0.5, b: 0.5}
    row: dict[int, float] = defaultdict(float)
    row[a] += 0.25
    row[b] += 0.25
    for quad in touching:
        for corner in quads[quad]:
            row[int(corner)] += 0.0625
    return dict(row)


def _vertex_rows(
    quads: NDArray[np.int64],
    n: int,
    edge_of: dict[tuple[int, int], int],
    edge_quads: dict[int, list[int]],
    smooth: bool,
) -> list[dict[int, float]]:
    around: dict[int, list[int]] = defaultdict(list)
    faces: dict[int, list[int]] = defaultdict(list)
    rim: dict[int, list[int]] = defaultdict(list)
    for (a, b), edge in edge_of.items():
        around[a].append(b)
        around[b].append(a)
        if len(edge_quads[edge]) != 2:
            rim[a].append(b)
            rim[b].append(a)
    for i, quad in enumerate(quads.tolist()):
        for corner in quad:
            faces[corner].append(i)
    return [
        _vertex_row(v, quads, around[v], faces[v], rim[v]) if smooth else {v: 1.0} for v in range(n)
    ]


def _vertex_row(
    v: int, quads: NDArray[np.int64], around: list[int], faces: list[int], rim: list[int]
) -> dict[int, float]:
    if not around or (rim and len(rim) != 2):
        return {v: 1.0}
    if rim:
        return {v: 0.75, rim[0]: 0.125, rim[1]: 0.125}
    k = len(around)
    row: dict[int, float] = defaultdict(float)
    row[v] += (k - 3) / k
    for other in around:
        row[v] += 1.0 / (k * k)
        row[other] += 1.0 / (k * k)
    for face in faces:
        for corner in quads[face]:
            row[int(corner)] += 0.25 / (k * k)
    return dict(row)
