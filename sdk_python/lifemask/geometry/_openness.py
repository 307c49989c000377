"""How much of the sky the points of a surface see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.geometry._camera import Camera
from lifemask.geometry._raster import rasterize, visible_vertices

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIRECTIONS: Final = 48
_DISTANCE: Final = 10.0
_SIZE: Final = 192
_TOLERANCE: Final = 0.003


def sky_visibility(
    points: NDArray[np.floating],
    normals: NDArray[np.floating],
    faces: NDArray[np.int32],
    *,
    smoothing: int = 2,
) -> NDArray[np.float64]:
    """Return the cosine-weighted share of directions from which each point can be seen.

    The surface is drawn from far away along directions that cover the sphere evenly.

    Args:
        points: `(n, 3)` m.
        normals: `(n, 3)`, unit.
        faces: `(m, 3)` of what hides: indices into `points`, counter-clockwise from outside.
        smoothing: Rounds of averaging over neighbours, to hide that few directions are tried.

    Returns:
        `(n,)` in [0, 1], 1 where nothing hides the sky.
    """
    centred = np.asarray(points, np.float64) - np.mean(points, axis=0, dtype=np.float64)
    reach = np.linalg.norm(centred, axis=1).max()
    camera = Camera(_SIZE, _SIZE, 0.48 * _SIZE * (_DISTANCE - reach) / reach)
    seen, total = np.zeros(len(centred)), np.full(len(centred), 1e-9)
    for direction in _sphere(_DIRECTIONS):
        cosine = np.clip(normals @ direction, 0, None)
        view = centred @ _looking_from(direction).T - [0, 0, _DISTANCE]
        pixels, depth = camera.project(view), -view[:, 2]
        raster = rasterize(pixels, depth, faces, _SIZE, _SIZE)
        seen += cosine * visible_vertices(raster, pixels, depth, tolerance=_TOLERANCE)
        total += cosine
    return _smooth(np.clip(seen / total, 0, 1), faces, smoothing)


def _sphere(count: int) -> NDArray[np.float64]:
    """Return evenly spread unit vectors `(count, 3)` on a golden spiral."""
    index = np.arange(count) + 0.5
    y = 1 - 2 * index / count
    angle = np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - y * y)
    return np.stack([radius * np.cos(angle), y, radius * np.sin(angle)], axis=1)


def _looking_from(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation `(3, 3)` into a camera that looks against a direction."""
    side = np.cross([0.0, 1.0, 0.0], direction)
    side = side / max(np.linalg.norm(side), 1e-9)
    return np.stack([side, np.cross(direction, side), direction])


def _smooth(
    values: NDArray[np.float64], faces: NDArray[np.int32], rounds: int
) -> NDArray[np.float64]:
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    count = np.bincount(edges[:, 0], minlength=len(values)) + 1.0
    for _ in range(rounds):
        total = np.bincount(edges[:, 0], values[edges[:, 1]], minlength=len(values))
        values = (values + total) / count
    return values
