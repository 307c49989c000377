"""The head atlas: every part gets an island, the face gets most of the texels.

Each open surface is embedded in a convex outline by solving for vertices that are convex
combinations of their neighbours (Tutte 1963; Floater 1997), which cannot fold. The weights are
then adapted so that texel density follows a target (Yoshizawa, Belyaev, Seidel 2004), and as
they stay positive the map stays free of folds.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Islands as (u0, v0, u1, v1) in the glTF convention. The skin takes the upper 83 %.
RECTANGLES: dict[str, tuple[float, float, float, float]] = {
    "skin": (0.002, 0.002, 0.998, 0.826),
    "eye_left": (0.002, 0.832, 0.168, 0.998),
    "eye_right": (0.172, 0.832, 0.338, 0.998),
    "mouth": (0.342, 0.832, 0.508, 0.998),
    "teeth_upper": (0.512, 0.832, 0.778, 0.912),
    "teeth_lower": (0.512, 0.918, 0.778, 0.998),
    "tongue": (0.782, 0.832, 0.848, 0.998),
    "lashes_upper_left": (0.852, 0.832, 0.998, 0.862),
    "lashes_lower_left": (0.852, 0.866, 0.998, 0.886),
    "lashes_upper_right": (0.852, 0.890, 0.998, 0.920),
    "lashes_lower_right": (0.852, 0.924, 0.998, 0.944),
    "socket_left": (0.852, 0.950, 0.900, 0.998),
    "socket_right": (0.906, 0.950, 0.954, 0.998),
}


@dataclass(frozen=True)
class Island:
    """One piece of the atlas.

    Attributes:
        quads: `(n, 4)` indices into the vertices of the whole head.
        corners: `(n, 4)` indices into `uv`.
        uv: `(m, 2)` float64, glTF convention, whole atlas.
    """

    quads: NDArray[np.int64]
    corners: NDArray[np.int64]
    uv: NDArray[np.float64]


def place(unit: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Move unit-square coordinates (v down) into the rectangle of an island."""
    u0, v0, u1, v1 = RECTANGLES[name]
    return np.array([u0, v0]) + unit * [u1 - u0, v1 - v0]


def skin_island(
    quads: NDArray[np.int64],
    points: NDArray[np.float64],
    seam: Sequence[int],
    density: NDArray[np.float64],
    iterations: int = 24,
) -> Island:
    """Open the skin along `seam` and spread it over its rectangle.

    Args:
        quads: `(n, 4)` vertex indices.
        points: `(n_vertices, 3)` of the neutral head.
        seam: Vertices from the neck loop up the back of the head to the crown.
        density: `(n_vertices,)` wanted texel density, any scale.
        iterations: Rounds of weight adaptation.
    """
    local, corners, origin = _open_seam(quads, points, seam)
    outline, outline_uv = _skin_outline(corners, local, origin, seam)
    u0, v0, u1, v1 = RECTANGLES["skin"]
    aspect = (v1 - v0) / (u1 - u0)
    unit = embed(corners, local, outline, outline_uv, density[origin], iterations, aspect)
    return Island(quads, corners, place(unit, "skin"))


def disk_island(quads: NDArray[np.int64], points: NDArray[np.float64], name: str) -> Island:
    """Spread an open surface with one rim over the circle inside its rectangle."""
    used, corners = np.unique(quads, return_inverse=True)
    corners = corners.reshape(quads.shape)
    rim = boundary_loops(corners)[0]
    start = int(np.argmax(points[used[rim], 0]))
    rim = np.roll(rim, -start)
    lengths = np.linalg.norm(np.diff(points[used[np.r_[rim, rim[:1]]]], axis=0), axis=1)
    angle = 2 * np.pi * np.r_[0, np.cumsum(lengths)[:-1]] / lengths.sum()
    circle = 0.5 + 0.5 * np.c_[np.cos(angle), np.sin(angle)]
    unit = embed(corners, points[used], rim, circle, np.ones(len(used)), 12)
    # The rim runs against the clock of the picture: no island may be a mirror image.
    unit[:, 1] = 1 - unit[:, 1]
    return Island(quads, corners, place(unit, name))


def strip_island(
    quads: NDArray[np.int64], points: NDArray[np.float64], near: NDArray[np.float64], name: str
) -> Island:
    """Spread a ribbon of quads over its rectangle; the edge closest to `near` lies at v = 1."""
    used, corners = np.unique(quads, return_inverse=True)
    corners = corners.reshape(quads.shape)
    rim = boundary_loops(corners)[0]
    count = np.bincount(corners.ravel(), minlength=len(used))
    ends = [i for i, v in enumerate(rim) if count[v] == 1]
    sides = [_between(rim, a, b) for a, b in zip(ends, ends[1:] + ends[:1], strict=True)]
    distance = [np.linalg.norm(points[used[s]] - near, axis=1).mean() for s in sides]
    long_sides = sorted(sorted(range(4), key=lambda i: -len(sides[i]))[:2])
    root = min(long_sides, key=lambda i: distance[i])
    order = [sides[(root + i) % 4] for i in range(4)]
    # A ribbon that runs toward -X is flipped so that no island is mirrored.
    square = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], float)
    outline = np.concatenate([s[:-1] for s in order])
    outline_uv = np.concatenate(
        [
            square[i] + np.linspace(0, 1, len(s))[:-1, None] * (square[(i + 1) % 4] - square[i])
            for i, s in enumerate(order)
        ]
    )
    unit = embed(corners, points[used], outline, outline_uv, np.ones(len(used)), 0)
    return Island(quads, corners, place(unit, name))


def affine_island(
    quads: NDArray[np.int64], quads_uv: NDArray[np.int64], uv: NDArray[np.float64], name: str
) -> Island:
    """Keep the uv of the base mesh, scaled to fill the rectangle."""
    used, corners = np.unique(quads_uv, return_inverse=True)
    old = uv[used]
    unit = (old - old.min(0)) / (old.max(0) - old.min(0))
    unit[:, 1] = 1 - unit[:, 1]
    return Island(quads, corners.reshape(quads.shape), place(unit, name))


def embed(
    quads: NDArray[np.int64],
    points: NDArray[np.float64],
    outline: NDArray[np.int64],
    outline_uv: NDArray[np.float64],
    density: NDArray[np.float64],
    iterations: int,
    aspect: float = 1.0,
) -> NDArray[np.float64]:
    """Return `(n, 2)` coordinates inside a convex outline without folds.

    Holes other than the outline are closed by a hub at their middle, so that they keep a size.
    """
    n = len(points)
    quads_list = [tuple(q) for q in quads]
    hubs = [loop for loop in boundary_loops(quads) if not np.isin(loop, outline).any()]
    edges = {(a, b) for q in quads_list for a, b in zip(q, q[1:] + q[:1], strict=True) if a != b}
    edges |= {(v, n + i) for i, loop in enumerate(hubs) for v in loop}
    pairs = np.array(sorted({(min(e), max(e)) for e in edges}))
    source = np.r_[pairs[:, 0], pairs[:, 1]]
    target = np.r_[pairs[:, 1], pairs[:, 0]]
    weight = np.ones(len(source))
    scale = np.array([1.0, aspect])
    best, best_cost = None, np.inf
    for _ in range(iterations + 1):
        uv = _solve(n + len(hubs), source, target, weight, outline, outline_uv)
        stretch = _stretch(quads, points, uv[:n] * scale, density)
        cost = float(np.std(np.log(stretch)))
        if cost < best_cost:
            best, best_cost = uv[:n], cost
        full = np.r_[stretch, np.ones(len(hubs))]
        weight = np.clip(weight / np.clip(full[target], 0.2, 5.0) ** 0.6, 1e-7, 1e7)
    assert best is not None
    return best


def boundary_loops(quads: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the rims of a surface as ordered vertex loops, longest first."""
    edges = {
        (a, b) for q in quads.tolist() for a, b in zip(q, q[1:] + q[:1], strict=True) if a != b
    }
    follow = {a: b for a, b in edges if (b, a) not in edges}
    loops = []
    while follow:
        start, here = follow.popitem()
        loop = [start]
        while here != start:
            loop.append(here)
            here = follow.pop(here)
        loops.append(np.array(loop))
    return sorted(loops, key=len, reverse=True)


def _between(rim: NDArray[np.int64], a: int, b: int) -> NDArray[np.int64]:
    return rim[a : b + 1] if a < b else np.r_[rim[a:], rim[: b + 1]]


def _open_seam(
    quads: NDArray[np.int64], points: NDArray[np.float64], seam: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Duplicate the seam's vertices (all but the last) for the quads on the +X side."""
    used, corners = np.unique(quads, return_inverse=True)
    corners = corners.reshape(quads.shape)
    place_of = {int(v): i for i, v in enumerate(used)}
    left = points[quads][:, :, 0].mean(axis=1) > 0
    origin = list(used)
    for vertex in seam[:-1]:
        copy = len(origin)
        origin.append(vertex)
        rows, columns = np.nonzero((corners == place_of[int(vertex)]) & left[:, None])
        corners[rows, columns] = copy
    origin = np.array(origin)
    return points[origin], corners, origin


def _skin_outline(
    corners: NDArray[np.int64],
    local: NDArray[np.float64],
    origin: NDArray[np.int64],
    seam: Sequence[int],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Lay the neck loop on the lower edge and the two sides of the seam on the other three."""
    rim = next(loop for loop in boundary_loops(corners) if seam[0] in origin[loop])
    foot = [i for i, v in enumerate(rim) if origin[v] == seam[0]]
    crown = next(i for i, v in enumerate(rim) if origin[v] == seam[-1])
    rim = np.roll(rim, -crown)
    foot = sorted((i - crown) % len(rim) for i in foot)
    pieces = [rim[: foot[0] + 1], rim[foot[0] : foot[1] + 1], np.r_[rim[foot[1] :], rim[:1]]]
    side = 1.0 if _side(corners, local, pieces[0]) > 0 else 0.0
    path = [(0.5, 0.0), (side, 0.0), (side, 1.0), (1 - side, 1.0), (1 - side, 0.0), (0.5, 0.0)]
    outline_uv = [
        _along(local[pieces[0]], path[:3])[:-1],
        _along(local[pieces[1]], path[2:4])[:-1],
        _along(local[pieces[2]], path[3:])[:-1],
    ]
    return np.concatenate([p[:-1] for p in pieces]), np.concatenate(outline_uv)


def _side(
    corners: NDArray[np.int64], local: NDArray[np.float64], piece: NDArray[np.int64]
) -> float:
    """Return on which side of x = 0 the quads lie that touch this piece of the rim."""
    touching = np.isin(corners, piece[1:-1]).any(axis=1)
    return float(local[corners[touching]][:, :, 0].mean())


def _along(points: NDArray[np.float64], path: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Spread points by arc length along a polyline in the unit square."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    t = np.r_[0, np.cumsum(steps)] / steps.sum()
    corners = np.array(path)
    lengths = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    knots = np.r_[0, np.cumsum(lengths)] / lengths.sum()
    return np.c_[np.interp(t, knots, corners[:, 0]), np.interp(t, knots, corners[:, 1])]


def _solve(
    n: int,
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    weight: NDArray[np.float64],
    outline: NDArray[np.int64],
    outline_uv: NDArray[np.float64],
) -> NDArray[np.float64]:
    fixed = np.zeros(n, bool)
    fixed[outline] = True
    inner = ~fixed[source]
    total = np.bincount(source[inner], weight[inner], n)
    rows = np.r_[source[inner], np.arange(n)]
    columns = np.r_[target[inner], np.arange(n)]
    values = np.r_[-weight[inner] / total[source[inner]], np.ones(n)]
    right = np.zeros((n, 2))
    right[outline] = outline_uv
    return splu(coo_matrix((values, (rows, columns)), shape=(n, n)).tocsc()).solve(right)


def _stretch(
    quads: NDArray[np.int64],
    points: NDArray[np.float64],
    uv: NDArray[np.float64],
    density: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return per vertex how much too small its surroundings are in the atlas, mean one."""
    solid = np.linalg.norm(np.cross(*_diagonals(points, quads)), axis=1)
    a, b = _diagonals(uv, quads)
    flat = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    wanted = solid * density[quads].mean(axis=1) ** 2
    top: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(points)))
    for corner in quads.T:
        np.add.at(top["wanted"], corner, wanted)
        np.add.at(top["flat"], corner, flat)
    ratio = np.sqrt(top["wanted"] / np.maximum(top["flat"], 1e-12))
    return ratio / np.exp(np.mean(np.log(ratio)))


def _diagonals(
    points: NDArray[np.float64], quads: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return points[quads[:, 2]] - points[quads[:, 0]], points[quads[:, 3]] - points[quads[:, 1]]
