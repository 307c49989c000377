"""Lids and lips that meet: how far two facing rims are apart, column by column."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.geometry import rasterize
from lifemask.heads import COEFFICIENT_INDEX, load_head_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head, Topology

CELL: Final = 0.0002
"""Metres between the places at which two rims are compared."""
COLUMNS: Final = 25
"""Columns from corner to corner of an eye or of the mouth."""
_MARGINS: Final = {"eye_left": (0.13, 0.05), "eye_right": (0.13, 0.05), "mouth": (0.1, 0.1)}
"""Shares of the width at both corners, for eyes the inner one first, where the rims are one."""
_AWAY: Final = 10.0
"""Metres that the z-buffer is looked into from: then its perspective does not count."""
_RINGS: Final = 4
"""Rows of vertices beside the edge that belong to a rim."""
_DROP: Final = -0.010
"""Metres that the generic `jawOpen` moves what belongs to the lower lip, at least."""

_UPPER_LIDS: Final = {
    "eye_left": (398, 384, 385, 386, 387, 388, 466),
    "eye_right": (173, 157, 158, 159, 160, 161, 246),
}
_LOWER_LIDS: Final = {
    "eye_left": (382, 381, 380, 374, 373, 390, 249),
    "eye_right": (155, 154, 153, 145, 144, 163, 7),
}
_CORNERS: Final = {"eye_left": (362, 263), "eye_right": (133, 33)}
_CLOSED: Final = {
    "eye_left": ("eyeBlinkLeft",),
    "eye_right": ("eyeBlinkRight",),
    "mouth": ("jawOpen", "mouthClose"),
}


@dataclass(frozen=True)
class Contact:
    """Two rims that can close.

    Attributes:
        name: `"eye_left"`, `"eye_right"` or `"mouth"`.
        upper: `(k, 3)` faces of the upper rim.
        lower: `(m, 3)` faces of the lower rim.
        corners: Two vertices; of an eye the inner corner first.
        joint: `(j, 3)` faces between both rims: where only these are, the rims are one.
    """

    name: str
    upper: NDArray[np.int32]
    lower: NDArray[np.int32]
    corners: tuple[int, int]
    joint: NDArray[np.int32]

    def columns(self, neutral: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return `(COLUMNS,)` m, where along x the gap is measured on a head at rest, rising."""
        first, last = neutral[list(self.corners), 0].astype(np.float64)
        low, high = _MARGINS[self.name]
        return np.sort(first + np.linspace(low, 1.0 - high, COLUMNS) * (last - first))

    def gaps(
        self, points: NDArray[np.floating], columns: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Return how far the rims are apart, `(COLUMNS,)` m; negative where they overlap.

        In each column it is the least height of the upper rim's underside over the lower rim's
        top, wherever along the depth that is; NaN where one does not lie over the other.

        Args:
            points: `(n_vertices, 3)` m.
            columns: Of the face at rest.
        """
        z = points[np.unique(np.r_[self.upper, self.lower]), 2]
        half = 0.5 * (columns[1] - columns[0])
        x0, z0 = float(columns[0]) - half, float(z.min()) - CELL
        size = (
            int((columns[-1] + half - x0) / CELL) + 1,
            int((float(z.max()) - z0) / CELL) + 2,
        )
        pixels = (points[:, [0, 2]] - [x0, z0]) / CELL
        under = rasterize(pixels, _AWAY + points[:, 1], self.upper, *size).depth - _AWAY
        over = _AWAY - rasterize(pixels, _AWAY - points[:, 1], self.lower, *size).depth
        both = np.isfinite(under) & np.isfinite(over)
        least = np.where(both, under - over, np.inf).min(axis=0)
        place = np.clip(((np.arange(size[0]) + 0.5) * CELL) // (2 * half), 0, COLUMNS - 1)
        result = np.full(COLUMNS, np.nan)
        for column in range(COLUMNS):
            mine = least[(place == column) & np.isfinite(least)]
            if len(mine):
                result[column] = np.median(mine)
        return result

    def bridges(
        self, points: NDArray[np.floating], columns: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Return what would bring the lower rim to the upper one, `(COLUMNS, 3)` m.

        Straight up by the gap. Where neither lies over the other, lids take the height that is
        seen between them, and lips the way between their nearest vertices, without its share
        along x.
        """
        found = np.zeros((COLUMNS, 3))
        found[:, 1] = self.gaps(points, columns)
        half = columns[1] - columns[0]
        sides = [np.unique(side) for side in (self.upper, self.lower)]
        one = np.sort(points[np.unique(self.joint), 0])
        for column in np.flatnonzero(np.isnan(found[:, 1])):
            upper, lower = (
                points[rows[np.abs(points[rows, 0] - columns[column]) < half]] for rows in sides
            )
            found[column] = 0.0
            joined = np.abs(one - columns[column]).min(initial=np.inf) < half
            if not (len(upper) and len(lower)) or joined:
                continue
            if self.name != "mouth":
                # Lids are shut by what is seen from the front.
                found[column, 1] = max(float(upper[:, 1].min() - lower[:, 1].max()), 0.0)
            else:
                way = upper[:, None, 1:] - lower[None, :, 1:]
                nearest = np.argmin(np.sum(way**2, axis=2))
                found[column, 1:] = way.reshape(-1, 2)[nearest]
        return found


@functools.cache
def shipped_contacts() -> dict[str, Contact]:
    """Return the rims of the shipped head by name."""
    model = load_head_model()
    topology, neutral = model.topology, model.neutral.astype(np.float64)
    landmarks = model.head().landmarks(model.neutral).astype(np.float64)
    found = {}
    near = _rings(topology, _lid_edges(topology), "skin")
    cups = topology.masks["sockets"] > 0.5
    skin = topology.faces[topology.parts["skin"].faces]
    skin = skin[~cups[skin].all(axis=1) & (near[skin] <= _RINGS).all(axis=1)]
    for name in ("eye_left", "eye_right"):
        marks = [landmarks[list(group[name])] for group in (_UPPER_LIDS, _LOWER_LIDS)]
        distance = [np.linalg.norm(neutral[:, None] - m, axis=2).min(axis=1) for m in marks]
        mine = skin[np.minimum(*distance)[skin].max(axis=1) < 0.012]
        corners = tuple(
            int(np.argmin(np.linalg.norm(neutral - landmarks[one], axis=1)))
            for one in _CORNERS[name]
        )
        found[name] = _split(name, mine, distance[0] < distance[1], corners)
    edge = _lip_edges(topology)
    near = np.minimum(*(_rings(topology, edge, part) for part in ("skin", "mouth")))
    shell = topology.faces[: topology.parts["mouth"].faces.stop]
    lips = shell[(near[shell] <= _RINGS).all(axis=1)]
    drop = model.expression_deltas[COEFFICIENT_INDEX["jawOpen"], :, 1]
    right = int(edge[np.argmin(neutral[edge, 0])])
    corners = right, int(topology.mirror[right])
    found["mouth"] = _split("mouth", lips, drop > _DROP, corners)
    return found


def _split(
    name: str,
    faces: NDArray[np.int32],
    is_upper: NDArray[np.bool_],
    corners: tuple[int, ...],
) -> Contact:
    upper = is_upper[faces]
    every, some = upper.all(axis=1), upper.any(axis=1)
    joint = faces[some & ~every] if name == "mouth" else faces[:0]
    return Contact(name, faces[every], faces[~some], (corners[0], corners[1]), joint)


def _lid_edges(topology: Topology) -> NDArray[np.int64]:
    """Return the vertices where the cups behind the lids begin."""
    cups = topology.masks["sockets"] > 0.5
    skin = topology.faces[topology.parts["skin"].faces]
    inside = cups[skin].all(axis=1)
    return np.intersect1d(skin[inside], skin[~inside]).astype(np.int64)


def _lip_edges(topology: Topology) -> NDArray[np.int64]:
    """Return the vertices where the cavity of the mouth begins."""
    skin, mouth = (topology.faces[topology.parts[part].faces] for part in ("skin", "mouth"))
    return np.intersect1d(skin, mouth).astype(np.int64)


def _rings(topology: Topology, start: NDArray[np.int64], part: str) -> NDArray[np.int64]:
    """Return `(n_vertices,)` how many edges of a part away each vertex lies from others."""
    faces = topology.faces[topology.parts[part].faces]
    cups = topology.masks["sockets"] > 0.5
    faces = faces[~cups[faces].all(axis=1)]
    far = np.full(len(topology.mirror), 1000)
    far[start] = 0
    for step in range(1, _RINGS + 2):
        grown = np.unique(faces[(far[faces] < step).any(axis=1)])
        far[grown] = np.minimum(far[grown], step)
    return far


def worst_gaps_mm(head: Head) -> dict[str, tuple[float, float]]:
    """Return by how far closed lids and lips overlap and gape at most, millimetres.

    Lids at `eyeBlink` one, lips at `jawOpen` and `mouthClose` one, nearly from corner to corner;
    where neither rim lies over the other, their distance counts.

    Args:
        head: Of the shipped topology.

    Returns:
        Least gap, negative where the rims overlap, and largest gap of `"eye_left"`,
        `"eye_right"` and `"mouth"`.
    """
    found = {}
    for name, contact in shipped_contacts().items():
        weights = np.zeros(len(head.expression_deltas), np.float32)
        weights[[COEFFICIENT_INDEX[one] for one in _CLOSED[name]]] = 1.0
        ways = contact.bridges(head.vertices(weights), contact.columns(head.neutral))
        gap = 1000.0 * np.where(ways[:, 2] == 0, ways[:, 1], np.linalg.norm(ways, axis=1))
        found[name] = (round(float(gap.min()), 3), round(float(gap.max()), 3))
    return found
