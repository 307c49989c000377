"""The grid of rays on which a hair cap is built: a dome over the skull, a curtain below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.geometry import rasterize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head

AROUND: Final = 88
"""Meridians."""
DOME: Final = 18
_CURTAIN: Final = 20
ROWS: Final = DOME + _CURTAIN
"""Rings below the crown."""
_FINE: Final = 4
"""How much finer than the grid the skull is measured."""
_RIM: Final = 0.995
"""Radius of the outermost ring in the texture, of half its side."""


@dataclass(frozen=True)
class HairGrid:
    """Rays from inside the head, ring by ring from the crown down.

    A ring holds `AROUND` rays, azimuth 0 in front, a quarter turn later the subject's left.
    Above the brows the rays leave one centre, below they leave an axis horizontally. In the
    texture rings are circles about the crown, so that no seam runs down the back.

    Attributes:
        origins: `(ROWS, AROUND, 3)` metres, head frame.
        directions: `(ROWS, AROUND, 3)` unit vectors.
        skull: `(ROWS, AROUND)` metres from the origin to the outermost skin without ears.
        ears: `(ROWS, AROUND)` the same with ears.
        usual: `(ROWS, AROUND)` in [0, 1] where people have short hair (mask `hair`).
        azimuth: `(AROUND,)` radians in [-pi, pi).
        uv: `(1 + ROWS * AROUND, 2)` float32 of the vertices, the crown first.
        faces: `(n, 3)` int32 over the vertices, counter-clockwise seen from outside.
    """

    origins: NDArray[np.float64]
    directions: NDArray[np.float64]
    skull: NDArray[np.float64]
    ears: NDArray[np.float64]
    usual: NDArray[np.float64]
    azimuth: NDArray[np.float64]
    uv: NDArray[np.float32]
    faces: NDArray[np.int32]

    def points(self, radius: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the vertices `(1 + ROWS * AROUND, 3)` m at radii `(ROWS, AROUND)` m."""
        rings = self.origins + radius[..., None] * self.directions
        crown = rings[0].mean(axis=0)
        # The crown continues the slope of the first two rings.
        crown = crown + (crown - rings[1].mean(axis=0)) / 3.0
        return np.concatenate([crown[None], rings.reshape(-1, 3)])

    def at_vertices(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Lay ring values `(ROWS, AROUND)` out by vertex `(1 + ROWS * AROUND,)`."""
        flat = np.concatenate([[values[0].mean()], values.ravel()])
        return flat.astype(np.float32)


def make_grid(head: Head, lowest: float) -> HairGrid:
    """Build the grid of a head.

    Args:
        head: Of the person.
        lowest: Metres, head frame: how far down the curtain reaches.
    """
    centre, foot = _axis(head, lowest)
    # Half a step off the crown, so that the first ring is a small one.
    polar = (np.arange(DOME) + 1.0) / DOME * (np.pi / 2)
    azimuth = np.arange(AROUND) / AROUND * 2 * np.pi - np.pi
    down = (np.arange(_CURTAIN) + 1.0) / _CURTAIN
    origins = np.empty((ROWS, AROUND, 3))
    origins[:DOME] = centre
    origins[DOME:] = (centre + down[:, None] * (foot - centre))[:, None]
    tilt = np.concatenate([polar, np.full(_CURTAIN, np.pi / 2)])[:, None]
    directions = np.stack(
        [
            np.sin(tilt) * np.sin(azimuth),
            np.cos(tilt) * np.ones_like(azimuth),
            np.sin(tilt) * np.cos(azimuth),
        ],
        axis=-1,
    )
    skull, usual = _measure(head, centre, foot, with_ears=False)
    ears, _ = _measure(head, centre, foot, with_ears=True)
    uv = _layout(azimuth)
    return HairGrid(origins, directions, skull, ears, usual, azimuth, uv, _faces())


def _axis(head: Head, lowest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centre of the skull and the foot of the axis."""
    scalp = head.neutral[head.topology.masks["scalp"] > 0.5].astype(np.float64)
    brow = float(head.landmarks(head.neutral)[[105, 334], 1].mean())
    top, back = scalp[:, 1].max(), scalp[:, 2].min()
    front = float(head.landmarks(head.neutral)[10, 2])
    centre = np.array([0.0, brow - 0.1 * (top - brow), 0.5 * (front + back)])
    neck = head.neutral[head.topology.neck_loop].astype(np.float64).mean(axis=0)
    share = (centre[1] - lowest) / max(centre[1] - neck[1], 1e-6)
    foot = np.array([0.0, lowest, centre[2] + min(share, 1.0) * (neck[2] - centre[2])])
    return centre, foot


def _measure(
    head: Head, centre: NDArray[np.float64], foot: NDArray[np.float64], *, with_ears: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return distance to the outermost skin and the usual hair along all rays `(ROWS, AROUND)`.

    The skin is drawn into a picture whose columns are azimuths and whose rows are rings, the
    farther surface in front (a z-buffer over the inverse of the distance).
    """
    topology = head.topology
    faces = topology.faces[topology.parts["skin"].faces].astype(np.int64)
    if not with_ears:
        faces = faces[topology.masks["ears"][faces].max(axis=1) < 0.3]
    places, radius = _ring_coordinates(head.neutral.astype(np.float64), centre, foot)
    corners = places[faces]
    # Faces over the back are moved to one side, and drawn once more on the other.
    span = corners[..., 0].max(axis=1) - corners[..., 0].min(axis=1)
    corners[..., 0] += AROUND * ((span > AROUND / 2)[:, None] & (corners[..., 0] < AROUND / 2))
    near_crown = corners[..., 1].min(axis=1) < 0.6
    corners, faces = corners[~near_crown], faces[~near_crown]
    again = corners - [AROUND, 0.0]
    pixels = np.concatenate([corners.reshape(-1, 2), again.reshape(-1, 2)]) * _FINE
    values = np.tile(radius[faces.ravel()], 2)
    run = np.arange(len(pixels)).reshape(-1, 3)
    raster = rasterize(
        pixels, 1.0 / np.maximum(values, 1e-3), run, AROUND * _FINE, (ROWS + 1) * _FINE
    )
    known = raster.face >= 0
    distance = np.where(known, 1.0 / raster.depth, 0.0)
    usual = np.tile(topology.masks["hair"][faces.ravel()], 2)[:, None]
    hair = raster.interpolate(run.astype(np.int32), usual)[..., 0]
    from lifemask.appearance._pyramid import push_pull

    tripled = [np.tile(one, (1, 3)) for one in (distance, hair, known.astype(np.float32))]
    filled = push_pull(np.dstack(tripled[:2]), tripled[2])[:, AROUND * _FINE : 2 * AROUND * _FINE]
    rows = np.arange(1, ROWS + 1) * _FINE
    columns = np.arange(AROUND) * _FINE
    # A ray lies between four fine pixels.
    quads = [
        filled[np.minimum(rows + dy, filled.shape[0] - 1)][:, (columns + dx) % (AROUND * _FINE)]
        for dy in (-1, 0)
        for dx in (-1, 0)
    ]
    mean = np.mean(quads, axis=0)
    return mean[..., 0].astype(np.float64), mean[..., 1].astype(np.float64)


def _ring_coordinates(
    points: NDArray[np.float64], centre: NDArray[np.float64], foot: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return column and row `(n, 2)` and distance `(n,)` of points from where their rays leave."""
    from_centre = points - centre
    share = np.clip((centre[1] - points[:, 1]) / (centre[1] - foot[1]), 0.0, None)
    level = centre + share[:, None] * (foot - centre)
    below = points[:, 1] < centre[1]
    away = np.where(below[:, None], points - level, from_centre)
    flat = np.hypot(away[:, 0], away[:, 2])
    azimuth = np.arctan2(away[:, 0], away[:, 2])
    polar = np.arctan2(flat, from_centre[:, 1]) / (np.pi / 2) * DOME
    row = np.where(below, DOME + share * _CURTAIN, polar)
    radius = np.where(below, flat, np.linalg.norm(from_centre, axis=1))
    column = (azimuth + np.pi) / (2 * np.pi) * AROUND
    return np.stack([column, row], axis=1), radius


def _layout(azimuth: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return circles about the crown; the front is at the lower border (v down)."""
    radius = 0.5 * _RIM * (np.arange(1, ROWS + 1) / ROWS)[:, None]
    u, v = 0.5 + radius * np.sin(azimuth), 0.5 + radius * np.cos(azimuth)
    rings = np.stack([u, v], axis=-1).reshape(-1, 2)
    return np.concatenate([[[0.5, 0.5]], rings]).astype(np.float32)


def _faces() -> NDArray[np.int32]:
    index = 1 + np.arange(ROWS * AROUND).reshape(ROWS, AROUND)
    right = np.roll(index, -1, axis=1)
    a, b, c, d = index[:-1], right[:-1], index[1:], right[1:]
    lower = np.stack([a, c, b], axis=-1).reshape(-1, 3)
    upper = np.stack([b, c, d], axis=-1).reshape(-1, 3)
    crown = np.stack([np.zeros(AROUND, int), index[0], right[0]], axis=-1)
    return np.concatenate([crown, lower, upper]).astype(np.int32)
