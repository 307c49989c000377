"""Eyes and teeth: MakeHuman has only rough stand-ins, so the asset carries its own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lifemask.heads import IRIS_ANGLE, PUPIL_ANGLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

EYE_SEGMENTS = 24
_CORNEA_BULGE = 0.055
"""Height of the cornea over the sphere at the apex, in radii (0.8 mm)."""
_EYE_RINGS = np.r_[
    PUPIL_ANGLE * np.array([0.5, 1.0]),
    IRIS_ANGLE * np.array([0.6, 0.85, 1.0, 1.15]),
    np.radians([36.0, 52.0, 72.0, 96.0, 130.0]),
]
"""Polar angles of the rings; pupil and iris have an edge loop of their own."""

_TOOTH_WIDTHS_UPPER = np.array([8.6, 6.8, 7.8, 7.2, 6.9, 10.2, 9.8])
_TOOTH_WIDTHS_LOWER = np.array([5.6, 6.1, 7.0, 7.2, 7.3, 11.2, 10.6])
"""Mesiodistal crown widths, millimetres, from the middle to the second molar; only their
proportions count (adult means as found in dental anatomy tables)."""

_TOOTH_PROFILE = np.array(
    [[0.3, 17.0], [0.0, 10.0], [-0.9, 6.0], [1.6, 0.0], [3.0, 0.0], [7.0, 6.0], [8.5, 15.0]]
)
"""(depth inward, height over the biting edge), millimetres, from outer gum to inner gum."""


@dataclass(frozen=True)
class Piece:
    """A generated mesh.

    Attributes:
        points: `(n, 3)` float64.
        triangles: `(m, 3)` int64, counter-clockwise from outside.
        corners: `(m, 3)` int64 indices into `uv`.
        uv: `(k, 2)` float64 in the unit square, v down.
    """

    points: NDArray[np.float64]
    triangles: NDArray[np.int64]
    corners: NDArray[np.int64]
    uv: NDArray[np.float64]


def unit_eyeball() -> Piece:
    """Return an eyeball of radius one at the origin that looks along +Z.

    The uv is azimuthal: the middle of the square is the pupil, distance is proportional to the
    polar angle up to 96 degrees, and the hidden back lies in the outermost ring.
    """
    azimuth = 2 * np.pi * np.arange(EYE_SEGMENTS) / EYE_SEGMENTS
    points, uv = [np.array([[0.0, 0.0, 1.0 + _CORNEA_BULGE]])], [np.array([[0.5, 0.5]])]
    for angle in _EYE_RINGS:
        lift = 1.0 + _CORNEA_BULGE * max(0.0, 1 - (angle / (1.15 * IRIS_ANGLE)) ** 2)
        ring = np.c_[
            np.sin(angle) * np.cos(azimuth),
            np.sin(angle) * np.sin(azimuth),
            np.full(EYE_SEGMENTS, np.cos(angle)),
        ]
        radius = eyeball_uv_radius(angle)
        points.append(lift * ring)
        uv.append(0.5 + radius * np.c_[np.cos(azimuth), -np.sin(azimuth)])
    points.append(np.array([[0.0, 0.0, -1.0]]))
    # Each triangle at the back pole has a corner of its own, so that the fan does not fold over.
    half = azimuth + np.pi / EYE_SEGMENTS
    uv.append(0.5 + 0.4995 * np.c_[np.cos(half), -np.sin(half)])
    triangles = _sphere_triangles(len(_EYE_RINGS))
    corners = triangles.copy()
    corners[-EYE_SEGMENTS:, 1] = len(np.concatenate(points)) - 1 + np.arange(EYE_SEGMENTS)
    return Piece(np.concatenate(points), triangles, corners, np.concatenate(uv))


def eyeball_uv_radius(angle: float) -> float:
    """Return the distance from the island's middle, in island widths, of a polar angle."""
    front = np.radians(96.0)
    return float(0.46 * angle / front if angle <= front else 0.46 + 0.035 * (angle - front))


def dental_arch(upper: bool, outer: NDArray[np.float64]) -> Piece:
    """Return one row of 14 teeth with its gum.

    Args:
        upper: Whether the crowns point down.
        outer: `(n, 3)` outer edge of the base mesh's stand-in along the biting edge.
    """
    columns = _columns(_TOOTH_WIDTHS_UPPER if upper else _TOOTH_WIDTHS_LOWER)
    centre, normal = _arch_curve(outer, columns[:, 0])
    rows = []
    gap, molar = columns[:, 1], columns[:, 2]
    for k, (depth, height) in enumerate(_TOOTH_PROFILE):
        inward = depth + np.where(gap > 0, 0.45 if k in (2, 3) else 0.2, 0.0)
        inward = inward + (molar * 5.5 if k in (4, 5, 6) else 0.0) - (molar * 0.8 * (k == 3))
        lift = height + np.where(gap > 0, 0.5 if k in (3, 4) else (-1.6 if k == 1 else 0.0), 0.0)
        lift = np.where((molar > 0) & (k == 1), lift - 2.5, lift)
        up = 1.0 if upper else -1.0
        rows.append(centre - normal * (inward / 100.0)[:, None])
        rows[-1][:, 1] += up * lift / 100.0
    points = np.stack(rows, axis=1)
    n, m = points.shape[:2]
    u = np.linspace(0.01, 0.99, n)[:, None] * np.ones(m)
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(_TOOTH_PROFILE, axis=0), axis=1))]
    v = np.ones(n)[:, None] * (0.02 + 0.96 * length / length[-1])
    triangles = _grid_triangles(n, m, flip=not upper)
    uv = np.stack([u, v if upper else 1 - v], axis=-1).reshape(-1, 2)
    return Piece(points.reshape(-1, 3), triangles, triangles, uv)


def enamel_and_gaps(upper: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return per point of `dental_arch` how much it is enamel, and how much a gap, in [0, 1]."""
    columns = _columns(_TOOTH_WIDTHS_UPPER if upper else _TOOTH_WIDTHS_LOWER)
    rows = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 0.4, 0.0])
    enamel = np.broadcast_to(rows, (len(columns), len(rows)))
    gaps = np.broadcast_to(columns[:, 1:2], enamel.shape)
    return enamel.ravel().copy(), gaps.ravel().copy()


def fit_sphere(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return centre and radius of the least-squares sphere through `(n, 3)` points."""
    system = np.c_[2 * points, np.ones(len(points))]
    solution = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0]
    return solution[:3], float(np.sqrt(solution[3] + (solution[:3] ** 2).sum()))


def similarity(
    source: NDArray[np.float64], target: NDArray[np.float64], *, scale: bool, rotate: bool
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return scale, rotation and translation that best move source onto target (Umeyama 1991)."""
    a, b = source.mean(axis=0), target.mean(axis=0)
    x, y = source - a, target - b
    rotation = np.eye(3)
    if rotate:
        u, _, vt = np.linalg.svd(y.T @ x)
        rotation = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    factor = float((y * (x @ rotation.T)).sum() / (x**2).sum()) if scale else 1.0
    return factor, rotation, b - factor * rotation @ a


def _columns(half_widths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return per column: position along the arch in [-1, 1], whether a gap, whether a molar."""
    edges = np.r_[0, np.cumsum(half_widths)] / half_widths.sum()
    right = []
    for i, (a, b) in enumerate(pairwise(edges)):
        molar = float(i >= 3)
        right += [
            (a, 1.0, molar),
            (a + 0.22 * (b - a), 0.0, molar),
            (a + 0.78 * (b - a), 0.0, molar),
        ]
    right.append((1.0, 1.0, 1.0))
    table = np.array(right)
    left = table[:0:-1] * [-1, 1, 1]
    return np.concatenate([left, table])


def _arch_curve(
    outer: NDArray[np.float64], t: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit a symmetric curve through the outer edge; return points and outward normals at `t`."""
    half = outer[outer[:, 0] >= -1e-6]
    half = half[np.argsort(half[:, 0] - half[:, 2])]
    dense = np.linspace(0, 1, 400)
    steps = np.r_[0, np.cumsum(np.linalg.norm(np.diff(half[:, [0, 2]], axis=0), axis=1))]
    steps /= steps[-1]
    degree = np.arange(6)
    odd, even = steps[:, None] ** (degree * 2 + 1)[:3], steps[:, None] ** (degree * 2)[:4]
    x = dense[:, None] ** (degree * 2 + 1)[:3] @ np.linalg.lstsq(odd, half[:, 0], rcond=None)[0]
    y = dense[:, None] ** (degree * 2)[:4] @ np.linalg.lstsq(even, half[:, 1], rcond=None)[0]
    z = dense[:, None] ** (degree * 2)[:4] @ np.linalg.lstsq(even, half[:, 2], rcond=None)[0]
    curve = np.c_[x, y, z]
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(curve[:, [0, 2]], axis=0), axis=1))]
    along /= along[-1]
    at = np.stack([np.interp(np.abs(t), along, c) for c in curve.T], axis=1)
    tangent = np.stack(
        [np.interp(np.abs(t), along, np.gradient(c, along)) for c in curve.T], axis=1
    )
    normal = np.c_[-tangent[:, 2], np.zeros(len(t)), tangent[:, 0]]
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    side = np.where(t < 0, -1.0, 1.0)[:, None] * [1, 0, 0] + [0, 1, 1]
    return at * side, normal * side


def _sphere_triangles(rings: int) -> NDArray[np.int64]:
    s = np.arange(EYE_SEGMENTS)
    following = (s + 1) % EYE_SEGMENTS
    triangles = [np.c_[np.zeros_like(s), 1 + s, 1 + following]]
    for ring in range(rings - 1):
        a, b = 1 + ring * EYE_SEGMENTS, 1 + (ring + 1) * EYE_SEGMENTS
        triangles.append(np.c_[a + s, b + s, b + following])
        triangles.append(np.c_[a + s, b + following, a + following])
    last = 1 + (rings - 1) * EYE_SEGMENTS
    triangles.append(np.c_[last + s, np.full_like(s, 1 + rings * EYE_SEGMENTS), last + following])
    return np.concatenate(triangles)


def _grid_triangles(n: int, m: int, *, flip: bool) -> NDArray[np.int64]:
    i, j = np.meshgrid(np.arange(n - 1), np.arange(m - 1), indexing="ij")
    a = (i * m + j).ravel()
    quads = np.c_[a, a + 1, a + m + 1, a + m]
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return triangles[:, ::-1] if flip else triangles
