"""Properties of triangle meshes that tests assert."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def directed_edges(faces: NDArray[np.integer]) -> Counter[tuple[int, int]]:
    """Return how often each edge is walked in each direction."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return Counter(map(tuple, pairs.tolist()))


def assert_oriented_manifold(faces: NDArray[np.integer]) -> None:
    """No edge has more than two faces, and neighbours agree about what is outside."""
    assert max(directed_edges(faces).values()) == 1
    assert (faces[:, 0] != faces[:, 1]).all()
    assert (faces[:, 1] != faces[:, 2]).all()
    assert (faces[:, 2] != faces[:, 0]).all()


def boundary_loops(faces: NDArray[np.integer]) -> list[list[int]]:
    """Return the rims as vertex loops in the direction in which their faces walk them."""
    edges = directed_edges(faces)
    follow = {a: b for a, b in edges if (b, a) not in edges}
    loops = []
    while follow:
        start, here = follow.popitem()
        loop = [start]
        while here != start:
            loop.append(here)
            here = follow.pop(here)
        loops.append(loop)
    return loops


def component_count(faces: NDArray[np.integer]) -> int:
    """Return the number of connected pieces."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    _, local = np.unique(faces, return_inverse=True)
    local = local.reshape(faces.shape)
    rows, columns = np.r_[local[:, 0], local[:, 1]], np.r_[local[:, 1], local[:, 2]]
    size = (local.max() + 1,) * 2
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=size)
    return int(connected_components(graph, directed=False)[0])


def euler_number(faces: NDArray[np.integer]) -> int:
    """Return vertices - edges + faces: 2 for a sphere, 1 for a disk, 0 for a ring."""
    edges = {tuple(sorted(edge)) for edge in directed_edges(faces)}
    return len(np.unique(faces)) - len(edges) + len(faces)


def signed_areas(uv: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the area of each triangle in the plane, positive where x turns toward y."""
    a, b, c = uv[faces].astype(np.float64).transpose(1, 0, 2)
    return 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])


def volume(points: NDArray[np.floating], faces: NDArray[np.integer]) -> float:
    """Return the volume of a closed surface, positive where faces look outward."""
    a, b, c = points[faces].astype(np.float64).transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)
