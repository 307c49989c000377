"""A finer, rounder mesh for drawing, so that outlines do not show the edges of faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Topology

ROUNDNESS = 0.5
"""The paper's alpha; one half puts the middle of a circle's chord onto the circle."""


class Refinement:
    """Splits each face into four; new points follow the normals of the old ones.

    Phong tessellation (Boubekeur and Alexa 2008, equation 4) at the middle of each edge. Faces
    `4 f` to `4 f + 3` come from face `f`, so that parts stay contiguous.

    Args:
        topology: Of the head that is refined.

    Attributes:
        faces: `(4 n_faces, 3)` int32.
        faces_uv: `(4 n_faces, 3)` int32.
        uv: `(n_uv + n_uv_edges, 2)` float32.
    """

    def __init__(self, topology: Topology) -> None:
        self.faces, self._edges = _split(topology.faces, _vertex_count(topology))
        self.faces_uv, edges_uv = _split(topology.faces_uv, len(topology.uv))
        self.uv = np.concatenate([topology.uv, topology.uv[edges_uv].mean(axis=1)])

    def positions(
        self, positions: NDArray[np.float64], normals: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return old and new points.

        Args:
            positions: `(n_vertices, 3)`.
            normals: `(n_vertices, 3)`, unit length.

        Returns:
            `(n_vertices + n_edges, 3)`.
        """
        from lifemask.rendering._surface_kernels import round_edges

        count = len(positions)
        result = np.empty((count + len(self._edges), 3))
        result[:count] = positions
        round_edges(result, count, normals, self._edges, ROUNDNESS)
        return result

    def values(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return `(n_vertices + n_edges,)` of `(n_vertices,)` values, halfway on new points."""
        first, second = self._edges.T
        return np.concatenate([values, np.float32(0.5) * (values[first] + values[second])])


def _vertex_count(topology: Topology) -> int:
    return max(part.vertices.stop for part in topology.parts.values())


def _split(
    faces: NDArray[np.int32], vertex_count: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return `(4 m, 3)` faces and the `(n_edges, 2)` ends of the edges that got a new vertex."""
    sides = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, index = np.unique(sides, axis=0, return_inverse=True)
    ab, bc, ca = (index.reshape(-1, 3) + vertex_count).T
    a, b, c = faces.T
    quarters = [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
    stacked = np.array(quarters).transpose(2, 0, 1).reshape(-1, 3)
    return np.ascontiguousarray(stacked, np.int32), edges.astype(np.int32)
