"""How thick a head is under each point of its surface: light shines through where it is thin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.geometry import vertex_normals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head

FULL_SCALE: Final = 0.04
"""Metres that the value 255 of the map stands for; what is thicker is shown as that."""
_OWN_SHEET: Final = 0.35
"""Cosine below which a touched point counts as the other side, not as a neighbour."""
_SMOOTHING: Final = 3


def vertex_thickness(head: Head) -> NDArray[np.float32]:
    """Return the thickness `(n_vertices,)` m under each vertex: the largest inner ball there.

    The ball touches the surface at the vertex from inside and holds no point of another sheet
    (the medial ball, Ma, Bae and Choi 2012, found by trying all points); its diameter is the
    thickness. The eyeballs end the lids, the cavity of the mouth ends lips and cheeks.
    """
    from lifemask.appearance._atlas_kernels import inner_balls

    topology = head.topology
    normals = vertex_normals(head.neutral, topology.faces).astype(np.float32)
    solid = np.unique(topology.faces[: topology.parts["lashes"].faces.start])
    rows = np.unique(topology.faces[topology.parts["skin"].faces])
    radius = np.full(len(rows), FULL_SCALE, np.float32)
    points = head.neutral.astype(np.float32)
    inner_balls(points[rows], normals[rows], points[solid], normals[solid], _OWN_SHEET, radius)
    thickness = np.full(len(points), 2.0 * FULL_SCALE)
    thickness[rows] = 2.0 * radius
    return _calm(thickness, topology.faces[topology.parts["skin"].faces]).astype(np.float32)


def _calm(values: NDArray[np.float64], faces: NDArray[np.int32]) -> NDArray[np.float64]:
    """Average over neighbours in the logarithm, which keeps thin places thin."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    count = np.bincount(edges[:, 0], minlength=len(values)) + 1.0
    log = np.log(np.maximum(values, 1e-4))
    for _ in range(_SMOOTHING):
        total = np.bincount(edges[:, 0], log[edges[:, 1]], minlength=len(values))
        log = (log + total) / count
    return np.exp(log)
