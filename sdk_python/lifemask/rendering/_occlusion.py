"""How much of the sky each vertex sees: measured once for the resting head, then adjusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.geometry import Camera, rasterize, visible_vertices
from lifemask.heads import JOINT_NAMES, PART_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head

DIRECTIONS = 48
_DISTANCE = 10.0
_SIZE = 192
_LID_THICKNESS = 0.002
_LID_SHADOWS = ((0.6, 0.0045), (0.35, 0.0025))
"""Of the upper and the lower lid: how dark its shadow is, and how far it reaches (m)."""
_INNER_PARTS = ("mouth", "tongue", "teeth_upper", "teeth_lower")
_DARKENING_DEPTH = 0.045
"""Metres behind the lips at which the mouth is dark."""
_WIDE_OPEN = 0.02
"""Metres between the lips that let all the light in."""


def sky_visibility(head: Head, normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosine-weighted share of directions from which each vertex can be seen.

    The resting head is drawn from far away along directions that cover the sphere evenly.

    Args:
        head: Whose neutral face is measured.
        normals: `(n_vertices, 3)` unit normals of the neutral face.

    Returns:
        `(n_vertices,)` float32 in [0, 1]; lashes and eyes are left open.
    """
    points = head.neutral.astype(np.float64)
    points = points - points.mean(axis=0)
    reach = np.linalg.norm(points, axis=1).max()
    camera = Camera(_SIZE, _SIZE, 0.48 * _SIZE * (_DISTANCE - reach) / reach)
    solid = head.topology.faces[: head.topology.parts["lashes"].faces.start]
    seen, total = np.zeros(len(points)), np.full(len(points), 1e-9)
    for direction in _sphere(DIRECTIONS):
        cosine = np.clip(normals @ direction, 0, None)
        view = points @ _looking_from(direction).T - [0, 0, _DISTANCE]
        pixels, depth = camera.project(view), -view[:, 2]
        raster = rasterize(pixels, depth, solid, _SIZE, _SIZE)
        seen += cosine * visible_vertices(raster, pixels, depth, tolerance=0.003)
        total += cosine
    open_sky = _smooth(np.clip(seen / total, 0, 1), head)
    for name in ("lashes", "eye_left", "eye_right"):
        open_sky[head.topology.parts[name].vertices] = 1.0
    return open_sky.astype(np.float32)


class LidShadow:
    """Darkens an eye near its lids, wherever they are and wherever it looks.

    Args:
        head: Whose eye it is.
        side: `"left"` or `"right"`.
    """

    def __init__(self, head: Head, side: str) -> None:
        topology = head.topology
        self._eye = topology.parts[f"eye_{side}"].vertices
        centre = head.joints[JOINT_NAMES.index(f"Eye{side.capitalize()}")]
        radius = np.linalg.norm(head.neutral[self._eye] - centre, axis=1).max(initial=0.0)
        skin = np.unique(topology.faces[topology.parts["skin"].faces])
        offset = head.neutral[skin] - centre
        near = (np.linalg.norm(offset, axis=1) < radius + _LID_THICKNESS) & (offset[:, 2] > 0)
        self._lids = tuple(skin[near & above] for above in (offset[:, 1] > 0, offset[:, 1] <= 0))

    def apply(self, open_sky: NDArray[np.float32], vertices: NDArray[np.float32]) -> None:
        """Darken the eye's rows.

        Args:
            open_sky: `(n_vertices,)`, changed in place.
            vertices: `(n_vertices, 3)` m, head frame.
        """
        from lifemask.rendering._surface_kernels import nearest_square

        eye = vertices[self._eye]
        for lid, (depth, reach) in zip(self._lids, _LID_SHADOWS, strict=True):
            if len(lid) and len(eye):
                square = nearest_square(eye, vertices[lid]) / reach**2
                open_sky[self._eye] *= 1.0 - depth * np.exp(-square)


class MouthShadow:
    """Darkens the mouth by depth behind the lips, whatever the jaw does.

    Args:
        head: Whose mouth it is.
    """

    def __init__(self, head: Head) -> None:
        topology = head.topology
        corners = {name: topology.faces[topology.parts[name].faces] for name in PART_NAMES}
        inner = np.concatenate([corners[name].ravel() for name in _INNER_PARTS])
        self._rim = np.intersect1d(corners["skin"], corners["mouth"])
        self._inner = np.setdiff1d(inner, self._rim)
        x = head.neutral[self._rim, 0]
        self._middle = self._rim[np.abs(x) < 0.4 * np.abs(x).max(initial=0.0)]

    def apply(
        self, open_sky: NDArray[np.float32], vertices: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the sky visibility of one frame.

        Args:
            open_sky: `(n_vertices,)` of the resting head.
            vertices: `(n_vertices, 3)` m, head frame.
        """
        result = open_sky.copy()
        if len(self._middle):
            # Far beyond any head, so that broken vertices overflow nothing.
            places = np.clip(np.nan_to_num(vertices), -1e3, 1e3)
            gap = np.ptp(places[self._middle, 1]) / _WIDE_OPEN
            depth = np.quantile(places[self._rim, 2], 0.9) - places[self._inner, 2]
            reach = np.clip(1.0 - depth / _DARKENING_DEPTH, 0.0, 1.0)
            result[self._inner] = 0.03 + 0.85 * reach * reach * np.clip(gap, 0.1, 1.0)
        return result


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


def _smooth(values: NDArray[np.float64], head: Head, rounds: int = 2) -> NDArray[np.float64]:
    """Average over the neighbours, to hide that few directions were tried."""
    faces = head.topology.faces
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    count = np.bincount(edges[:, 0], minlength=len(values)) + 1.0
    for _ in range(rounds):
        total = np.bincount(edges[:, 0], values[edges[:, 1]], minlength=len(values))
        values = (values + total) / count
    return values
