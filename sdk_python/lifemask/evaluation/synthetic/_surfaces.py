"""Vertex errors with known correspondence: alignment, regions, statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.evaluation.synthetic._chart import LIDS, LIPS, Chart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head

_NEAR: Final = 12.0
"""Millimetres around lids and lips that count as the eye and the mouth region."""
_DISC: Final = 0.7
"""Radius of the face disc over the sum of outer eye distance and length of the nose (NoW)."""
_OUTER_EYES: Final = (33, 263)
_NOSE: Final = (168, 4)
_FOREHEAD: Final = 151


@dataclass(frozen=True)
class Regions:
    """Vertices of a head by region, each with the area that it stands for.

    Attributes:
        weights: `(n_vertices,)` float64 in mm² by name: `face` (the disc of the NoW benchmark),
            `eyes`, `mouth`, `forehead`, `sides` (skin beyond the disc in front of the ears),
            `ears`; zero outside.
    """

    weights: dict[str, NDArray[np.float64]]

    @classmethod
    def of(cls, head: Head) -> Regions:
        """Find the regions of a head at rest by its landmarks, and its ears by their mask."""
        points, landmarks = 1000.0 * head.neutral, 1000.0 * head.landmarks(head.neutral)
        area = _areas(head, points)
        eyes = float(np.linalg.norm(landmarks[_OUTER_EYES[0]] - landmarks[_OUTER_EYES[1]]))
        nose = float(np.linalg.norm(landmarks[_NOSE[0]] - landmarks[_NOSE[1]]))
        centre = landmarks[list(_NOSE)].mean(axis=0)
        away = np.linalg.norm(points - centre, axis=1)
        outer = _outer(head)
        skin = area * outer
        ears = head.topology.masks.get("ears", np.zeros(len(points), np.float32)) > 0.5
        front = points[:, 2] > landmarks[[234, 454], 2].mean() - 5.0
        chart = Chart(points.astype(np.float32), landmarks.astype(np.float32))
        lids = np.minimum(*(chart.to_line([*loop, loop[0]]) for loop in LIDS.values()))
        lips = np.minimum(chart.to_line([*LIPS, LIPS[0]]), _NEAR - chart.inside(LIPS) * 99)
        disc = (away < _DISC * (eyes + nose)) & ~ears & front
        behind = points[:, 2] > landmarks[[234, 454], 2].mean() - 45.0
        level = points[:, 1] > landmarks[152, 1]
        level &= points[:, 1] < landmarks[10, 1]
        return cls(
            {
                "face": skin * disc,
                "eyes": skin * (disc & (lids < _NEAR)),
                "mouth": skin * (disc & (lips < _NEAR)),
                "forehead": skin * (disc & (chart.to_point(_FOREHEAD) < 25.0)),
                "sides": skin * (~disc & ~ears & behind & level),
                "ears": area * ears,
            }
        )

    def limited_to(self, vertices: NDArray[np.integer]) -> Regions:
        """Return the same regions without what lies outside the given vertices."""
        known = np.zeros(len(self.weights["face"]), bool)
        known[vertices] = True
        return Regions({name: area * known for name, area in self.weights.items()})


@dataclass(frozen=True)
class Alignment:
    """Maps points of one head frame to another: `scale * R x + t`."""

    scale: float
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    @classmethod
    def between(
        cls,
        moving: NDArray[np.floating],
        fixed: NDArray[np.floating],
        weights: NDArray[np.floating],
        *,
        scaled: bool = False,
    ) -> Alignment:
        """Return the weighted least-squares alignment (Umeyama 1991, eqs. 40-42).

        Args:
            moving: `(n, 3)`.
            fixed: `(n, 3)`.
            weights: `(n,)`.
            scaled: Whether the scale is free; else it is 1.
        """
        share = np.asarray(weights, np.float64) / np.sum(weights)
        a, b = np.asarray(moving, np.float64), np.asarray(fixed, np.float64)
        centre_a, centre_b = share @ a, share @ b
        a, b = a - centre_a, b - centre_b
        u, values, vt = np.linalg.svd((b * share[:, None]).T @ a)
        sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        rotation = (u * sign) @ vt
        scale = float((values * sign).sum() / (share @ (a**2).sum(axis=1))) if scaled else 1.0
        return cls(scale, rotation, centre_b - scale * rotation @ centre_a)

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Move points `(n, 3)`."""
        return self.scale * np.asarray(points, np.float64) @ self.rotation.T + self.translation


@dataclass(frozen=True)
class Millimetres:
    """Distances between corresponding vertices, weighted by area, millimetres."""

    rmse: float
    mean: float
    median: float
    percentile_90: float

    @classmethod
    def of(cls, distances: NDArray[np.floating], weights: NDArray[np.floating]) -> Millimetres:
        """Summarise distances `(n,)` mm with weights `(n,)`."""
        used = np.flatnonzero(weights > 0)
        away, weight = np.asarray(distances, np.float64)[used], np.asarray(weights)[used]
        weight = weight / weight.sum()
        order = np.argsort(away)
        reached = np.cumsum(weight[order])
        half, most = (away[order][np.searchsorted(reached, q)] for q in (0.5, 0.9))
        return cls(float(np.sqrt(weight @ away**2)), float(weight @ away), float(half), float(most))

    @classmethod
    def mean_of(cls, several: list[Millimetres]) -> Millimetres:
        """Return the mean of each number; the mean of squares for the RMSE."""
        rows = np.array([[one.rmse**2, one.mean, one.median, one.percentile_90] for one in several])
        square, mean, median, most = rows.mean(axis=0)
        return cls(float(np.sqrt(square)), float(mean), float(median), float(most))


def distances(
    built: NDArray[np.floating],
    true: NDArray[np.floating],
    weights: NDArray[np.floating],
    *,
    scaled: bool = False,
) -> tuple[NDArray[np.float64], Alignment]:
    """Align vertices `(n, 3)` m by the weighted ones and return all distances `(n,)` in mm."""
    alignment = Alignment.between(built, true, weights, scaled=scaled)
    return 1000.0 * np.linalg.norm(alignment.apply(built) - true, axis=1), alignment


def _areas(head: Head, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return a third of the area of the faces around each vertex, mm²."""
    faces = head.topology.faces[head.topology.parts["skin"].faces]
    corners = points[faces].astype(np.float64)
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.zeros(len(points))
    np.add.at(area, faces.ravel(), np.repeat(np.linalg.norm(sides, axis=1) / 6.0, 3))
    return area


def _outer(head: Head) -> NDArray[np.bool_]:
    """Return which vertices are outer skin: no eye sockets, no mouth, no neck."""
    outer = np.zeros(len(head.neutral), bool)
    outer[head.topology.parts["skin"].vertices] = True
    for name in ("sockets", "mouth", "neck"):
        if name in head.topology.masks:
            outer &= head.topology.masks[name] < 0.5
    return outer
