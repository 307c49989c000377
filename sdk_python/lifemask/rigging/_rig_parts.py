"""What the pieces of a user's head are: face, eyes, teeth, tongue, and what follows the skin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.geometry import ClosestPoints
from lifemask.heads import JOINT_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head

SKIN: Final = "skin"
FOLLOWS: Final = "follows"
"""A piece that takes the movement of the nearest skin: lashes, brows, hair, clothes."""
EYE: Final = "eye"
MOUTH_PARTS: Final = ("teeth_upper", "teeth_lower", "tongue")

_IN_THE_BALL: Final = 1.12
"""Radii of the eyeball within which all of a piece lies that is part of an eye."""
_ROUND: Final = 0.92
"""Radii from the centre at which nine tenths of an eyeball's points lie at most."""
_NEAR_TEETH: Final = 0.009
"""Metres, mean distance from our teeth or tongue up to which a piece is such a part."""
_MERGE: Final = 2e-6
"""Share of a mesh's size within which two points are one."""


@dataclass(frozen=True)
class Pieces:
    """The connected pieces of a mesh.

    Attributes:
        place: `(n,)` for each point its place: points that coincide share one.
        first: `(k,)` one point of each place.
        faces: `(m, 3)` over places.
        piece: `(k,)` number of the piece of each place.
        kinds: What each piece is.
    """

    place: NDArray[np.int64]
    first: NDArray[np.int64]
    faces: NDArray[np.int64]
    piece: NDArray[np.int64]
    kinds: tuple[str, ...]

    def of_kind(self, kind: str) -> NDArray[np.int64]:
        """Return the places of all pieces of a kind."""
        return np.flatnonzero(
            np.isin(self.piece, [i for i, k in enumerate(self.kinds) if k == kind])
        )


def find_pieces(points: NDArray[np.float64], faces: NDArray[np.integer], head: Head) -> Pieces:
    """Take a mesh apart and recognise its pieces.

    Args:
        points: `(n, 3)` m in the head frame.
        faces: `(m, 3)`.
        head: Fitted to the mesh.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    step = float(np.ptp(points, axis=0).max()) * _MERGE
    _, first, place = np.unique(
        np.round(points / step).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    place = np.reshape(place, -1).astype(np.int64)
    joined = place[faces]
    joined = joined[(np.diff(np.sort(joined, axis=1), axis=1) > 0).all(axis=1)]
    edges = joined[:, [0, 1, 1, 2]].reshape(-1, 2)
    count = len(first)
    graph = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    number, piece = connected_components(graph, directed=False)
    kinds = _kinds(points[first], joined, piece, number, head)
    return Pieces(place, first.astype(np.int64), joined, piece.astype(np.int64), kinds)


def _kinds(
    points: NDArray[np.float64],
    faces: NDArray[np.int64],
    piece: NDArray[np.int64],
    count: int,
    head: Head,
) -> tuple[str, ...]:
    marks = head.landmarks(head.neutral)[:468].astype(np.float64)
    carriers = piece[faces[ClosestPoints(points, faces)(marks).faces, 0]]
    votes = np.bincount(carriers, minlength=count)
    face = int(votes.argmax())
    near = {
        part: ClosestPoints(
            head.neutral.astype(np.float64), head.topology.faces[head.topology.parts[part].faces]
        )
        for part in MOUTH_PARTS
    }
    order = np.argsort(piece, kind="stable")
    starts = np.searchsorted(piece[order], np.arange(count + 1))
    kinds = []
    for number in range(count):
        mine = points[order[starts[number] : starts[number + 1]]]
        kinds.append(SKIN if number == face or votes[number] > 60 else _kind(mine, head, near))
    return tuple(kinds)


def _kind(points: NDArray[np.float64], head: Head, near: dict[str, ClosestPoints]) -> str:
    """Return what a piece is that is not the face."""
    for side in ("Left", "Right"):
        centre = head.joints[JOINT_NAMES.index(f"Eye{side}")].astype(np.float64)
        run = head.topology.parts[f"eye_{side.lower()}"].vertices
        radius = float(np.median(np.linalg.norm(head.neutral[run] - centre, axis=1)))
        away = np.linalg.norm(points - centre, axis=1)
        # Balls differ from ours in size and depth; what lies on the lids reaches beyond the ball.
        middle = np.linalg.norm(points.mean(axis=0) - centre)
        ball = middle < 0.5 * radius and away.max() < 1.6 * radius
        if ball or _is_ball(points, centre, radius):
            return EYE
        if away.max() < _IN_THE_BALL * radius and np.quantile(away, 0.9) < _ROUND * radius:
            return EYE
    some = points[:: max(1, len(points) // 200)]
    far = {part: float(found(some).distance.mean()) for part, found in near.items()}
    tongue = head.neutral[head.topology.parts["tongue"].vertices][::4].astype(np.float64)
    covered = np.linalg.norm(tongue[:, None] - some, axis=2).min(axis=1)
    if np.quantile(covered, 0.75) > _NEAR_TEETH:
        # It lies by the tongue, as gums do, but is none.
        del far["tongue"]
    nearest = min(far, key=lambda part: far[part])
    return nearest if far[nearest] < _NEAR_TEETH else FOLLOWS


def _is_ball(points: NDArray[np.float64], centre: NDArray[np.float64], radius: float) -> bool:
    """Whether points lie on a sphere about like an eyeball's (algebraic fit)."""
    if len(points) < 12:
        return False
    near = points - centre
    rows = np.c_[2.0 * near, np.ones(len(near))]
    solved = np.linalg.lstsq(rows, np.sum(near**2, axis=1), rcond=None)[0]
    own = np.sqrt(max(float(solved[3] + solved[:3] @ solved[:3]), 0.0))
    off = np.abs(np.linalg.norm(near - solved[:3], axis=1) - own)
    like = 0.6 * radius < own < 1.4 * radius and np.linalg.norm(solved[:3]) < 0.6 * radius
    return bool(like and np.quantile(off, 0.9) < 0.1 * own)
