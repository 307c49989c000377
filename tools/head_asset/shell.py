"""Cut the head out of the body: skin shell, mouth cavity, tongue, lashes, and what is mirrored."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from head_asset.makehuman import BaseMesh

# A vertex of the ring of 42 vertices at the base of the neck where a body is joined.
_NECK_LOOP_START = 815


@dataclass(frozen=True)
class Cut:
    """Quads of one piece of the base mesh, still in the indices of the base mesh.

    Attributes:
        quads: `(n, 4)` vertex indices of the base mesh.
        quads_uv: `(n, 4)` indices into the base mesh's uv.
    """

    quads: NDArray[np.int64]
    quads_uv: NDArray[np.int64]


def cut_head(mesh: BaseMesh) -> tuple[Cut, Cut, NDArray[np.int64]]:
    """Split the body above the neck loop into skin and mouth cavity.

    Returns:
        Skin, mouth cavity, and the neck loop as an ordered list of vertices.
    """
    body = mesh.groups == "body"
    quads, quads_uv = mesh.quads[body], mesh.quads_uv[body]
    loop = _edge_loop(quads, _NECK_LOOP_START, mesh.vertices)
    above = _flood(quads, loop, start=int(np.argmax(mesh.vertices[quads][:, :, 1].min(axis=1))))
    quads, quads_uv = quads[above], quads_uv[above]
    island = islands(quads_uv)
    forehead = int(np.argmax(mesh.vertices[quads][:, :, 1].mean(axis=1)))
    inside = np.isin(island, _mouthislands(mesh, quads, island, island[forehead]))
    return (
        Cut(quads[~inside], quads_uv[~inside]),
        Cut(quads[inside], quads_uv[inside]),
        np.array(loop),
    )


def cut_group(mesh: BaseMesh, *names: str) -> Cut:
    """Return the quads of whole helper groups."""
    chosen = np.isin(mesh.groups, names)
    return Cut(mesh.quads[chosen], mesh.quads_uv[chosen])


def mirror_map(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return for each point `(n, 3)` the index of its mirror image across x = 0."""
    distance, index = cKDTree(points).query(points * [-1, 1, 1])
    if distance.max() > 2e-4:
        raise ValueError(f"the mesh is not symmetric: {distance.max() * 1e3:.2f} mm")
    return index.astype(np.int32)


def _mouthislands(
    mesh: BaseMesh, quads: NDArray[np.int64], island: NDArray[np.int64], skin_island: int
) -> list[int]:
    """The cavity is the largest island that is neither the skin nor an ear."""
    others = [i for i in np.unique(island) if i != skin_island]
    centred = [
        i for i in others if abs(mesh.vertices[np.unique(quads[island == i])][:, 0].mean()) < 1e-3
    ]
    return [max(centred, key=lambda i: int((island == i).sum()))]


def _edge_loop(quads: NDArray[np.int64], start: int, points: NDArray[np.float64]) -> list[int]:
    """Walk the ring of quad edges that leaves `start` toward +X and closes on itself."""
    neighbours: dict[int, set[int]] = defaultdict(set)
    faces: dict[frozenset[int], set[int]] = defaultdict(set)
    for index, quad in enumerate(quads):
        for a, b in zip(quad, np.roll(quad, -1), strict=True):
            neighbours[a].add(b)
            neighbours[b].add(a)
            faces[frozenset((a, b))].add(index)
    loop = [start, max(neighbours[start], key=lambda v: points[v, 0])]
    while loop[-1] != start:
        before, here = loop[-2:]
        behind = faces[frozenset((before, here))]
        loop += [v for v in neighbours[here] if not faces[frozenset((here, v))] & behind]
    return loop[:-1]


def _flood(quads: NDArray[np.int64], barrier: list[int], start: int) -> NDArray[np.bool_]:
    """Return which quads can be reached from `start` without crossing the closed `barrier`."""
    closed = {frozenset(e) for e in zip(barrier, barrier[1:] + barrier[:1], strict=True)}
    faces: dict[frozenset[int], list[int]] = defaultdict(list)
    for index, quad in enumerate(quads):
        for a, b in zip(quad, np.roll(quad, -1), strict=True):
            faces[frozenset((a, b))].append(index)
    reached = np.zeros(len(quads), bool)
    reached[start] = True
    stack = [start]
    while stack:
        quad = quads[stack.pop()]
        for a, b in zip(quad, np.roll(quad, -1), strict=True):
            edge = frozenset((a, b))
            for other in faces[edge] if edge not in closed else ():
                if not reached[other]:
                    reached[other] = True
                    stack.append(other)
    return reached


def islands(quads: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a component number for each quad; quads that share an index belong together."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = int(quads.max()) + 1
    rows = quads[:, [0, 0, 0]].ravel()
    columns = quads[:, 1:].ravel()
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    return connected_components(graph, directed=False)[1][quads[:, 0]]
