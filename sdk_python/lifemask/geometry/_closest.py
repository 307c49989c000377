"""Closest points on triangle meshes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CANDIDATES = 12
"""Faces near a point that are tried. Faces of very different sizes beside each other can hide the
closest one: then the answer is a little farther away, never wrong by more than such a face."""


class SurfacePoints(NamedTuple):
    """Points on a mesh.

    Attributes:
        faces: `(n,)` int64, the face that carries each point.
        barycentric: `(n, 3)` float64, weights of its corners, in [0, 1].
        points: `(n, 3)` float64.
        distance: `(n,)` float64 to what was asked for, same unit as the mesh.
    """

    faces: NDArray[np.int64]
    barycentric: NDArray[np.float64]
    points: NDArray[np.float64]
    distance: NDArray[np.float64]


class ClosestPoints:
    """Finds the closest point on a mesh.

    Args:
        vertices: `(n_vertices, 3)`.
        faces: `(n_faces, 3)`, at least one.

    Raises:
        ValueError: There are no faces.
    """

    def __init__(self, vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> None:
        from scipy.spatial import KDTree

        if not len(faces):
            raise ValueError("a mesh without faces has no closest point")
        self._corners = np.asarray(vertices, np.float64)[faces]
        self._tree = KDTree(self._corners.mean(axis=1))
        self._candidates = min(_CANDIDATES, len(faces))

    def __call__(self, points: NDArray[np.floating]) -> SurfacePoints:
        """Return the closest points on the mesh to `(n, 3)` points."""
        points = np.asarray(points, np.float64)
        near = self._tree.query(points, k=self._candidates)[1].reshape(len(points), -1)
        weights = closest_barycentric(points[:, None], self._corners[near])
        reached = np.einsum("nkc,nkcd->nkd", weights, self._corners[near])
        distance = np.linalg.norm(reached - points[:, None], axis=2)
        best = distance.argmin(axis=1)
        rows = np.arange(len(points))
        return SurfacePoints(
            near[rows, best], weights[rows, best], reached[rows, best], distance[rows, best]
        )


def closest_barycentric(
    points: NDArray[np.floating], triangles: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return barycentric coordinates `(..., 3)` of the closest points of triangles.

    Ericson, Real-Time Collision Detection, 2005, section 5.1.5: the Voronoi region of the
    triangle in which the point lies decides between corner, edge and inside.

    Args:
        points: `(..., 3)`.
        triangles: `(..., 3, 3)` corners.
    """
    a, b, c = (triangles[..., k, :] for k in range(3))
    ab, ac = b - a, c - a
    d1, d2 = _dots(ab, ac, points - a)
    d3, d4 = _dots(ab, ac, points - b)
    d5, d6 = _dots(ab, ac, points - c)
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    total = va + vb + vc
    with np.errstate(divide="ignore", invalid="ignore"):
        v, w = vb / total, vc / total
        on_ab, on_ac = d1 / (d1 - d3), d2 / (d2 - d6)
        on_bc = (d4 - d3) / ((d4 - d3) + (d5 - d6))
    zero, one = np.zeros_like(v), np.ones_like(v)
    regions = [
        ((d1 <= 0) & (d2 <= 0), (zero, zero)),
        ((d3 >= 0) & (d4 <= d3), (one, zero)),
        ((d6 >= 0) & (d5 <= d6), (zero, one)),
        ((vc <= 0) & (d1 >= 0) & (d3 <= 0), (on_ab, zero)),
        ((vb <= 0) & (d2 >= 0) & (d6 <= 0), (zero, on_ac)),
        ((va <= 0) & (d4 - d3 >= 0) & (d5 - d6 >= 0), (1.0 - on_bc, on_bc)),
    ]
    chosen = [region for region, _ in regions]
    v = np.select(chosen, [pair[0] for _, pair in regions], v)
    w = np.select(chosen, [pair[1] for _, pair in regions], w)
    # A triangle of no area is a point or a line; any corner of it is as good.
    v, w = np.nan_to_num(v), np.nan_to_num(w)
    return np.stack([1.0 - v - w, v, w], axis=-1)


def _dots(
    ab: NDArray[np.floating], ac: NDArray[np.floating], p: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.sum(ab * p, axis=-1), np.sum(ac * p, axis=-1)
