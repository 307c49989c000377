"""Properties of triangle meshes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def vertex_normals(points: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return unit normals, the sum of the face normals weighted by area.

    Args:
        points: `(n, 3)`.
        faces: `(m, 3)` vertex indices, counter-clockwise seen from outside.

    Returns:
        `(n, 3)`; zero at vertices without a face or with faces of no area.
    """
    a, b, c = np.asarray(points, np.float64)[faces].transpose(1, 0, 2)
    crosses = np.cross(b - a, c - a)
    index = faces.ravel()
    sums = np.empty((len(points), 3))
    for axis in range(3):
        sums[:, axis] = np.bincount(index, np.repeat(crosses[:, axis], 3), len(points))
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, length, out=np.zeros_like(sums), where=length > 1e-15)
