"""Where there is hair: what pictures show, and what is usual where they show nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._atlas import sample_bilinear
from lifemask.appearance._hair_grid import AROUND, DOME, ROWS
from lifemask.appearance._hair_plate import smoothness, solve
from lifemask.geometry import rasterize, vertex_normals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.appearance._hair_grid import HairGrid
    from lifemask.appearance._hair_matte import HairMatte
    from lifemask.heads import Head
    from lifemask.tracking import PhotoFit

_DEPTH_SIDE: Final = 320
"""Longer side of the picture of what the bare head hides."""
_HIDDEN: Final = 0.006
"""Metres behind the bare head at which hair counts as hidden by it."""
_LONG: Final = 0.66
"""Share of the rings, from the crown, below which hair counts as long."""
_BORROWED: Final = 0.4
"""How much the other side of the head counts where a side is not seen."""
_EAR_POINTS: Final = 12
"""Vertices of an ear that have to be seen to tell whether hair covers it."""


@dataclass(frozen=True)
class Sighting:
    """A picture with its hair.

    Attributes:
        image: `(h, w, 3)` uint8 sRGB.
        fit: Of the picture.
        matte: Of the picture.
        nearest: `(h, w)` metres along the view to the bare head, at a smaller size; far where
            there is none.
    """

    image: NDArray[np.uint8]
    fit: PhotoFit
    matte: HairMatte
    nearest: NDArray[np.float32]

    @classmethod
    def of(cls, image: NDArray[np.uint8], fit: PhotoFit, matte: HairMatte, head: Head) -> Sighting:
        """Draw the bare head into the picture."""
        camera = fit.camera.scaled(min(1.0, _DEPTH_SIDE / max(image.shape[:2])))
        at = np.asarray(fit.pose.apply(head.vertices(fit.coefficients).astype(np.float64)))
        faces = head.topology.faces[head.topology.parts["skin"].faces]
        raster = rasterize(camera.project(at), -at[:, 2], faces, camera.width, camera.height)
        nearest = np.where(raster.face >= 0, raster.depth, np.float32(1e3))
        return cls(image, fit, matte, nearest.astype(np.float32))


def solve_coverage(
    grid: HairGrid,
    radius: NDArray[np.float64],
    sightings: Sequence[Sighting],
    head: Head,
    *,
    long: bool,
) -> NDArray[np.float64]:
    """Return `(ROWS, AROUND)` in [0, 1] where there is hair.

    What pictures show squarely is taken from them; the rest is continued, and falls back on the
    usual hairline. Long hair seen at the sides goes on around the back.
    """
    seen, trust = seen_rings(grid, radius, sightings)
    # A hairline lies a little above where the asset's mask ends in the nape.
    back = np.clip((np.abs(grid.azimuth) - 1.9) / 0.4, 0, 1)
    raised = np.concatenate([grid.usual[2:], np.zeros((2, AROUND))])
    prior = grid.usual * (1 - back) + raised * back
    if long:
        last = lowest_ring(grid, seen, trust)
        depth = np.clip((np.abs(grid.azimuth) / np.pi - 0.34) / 0.1, 0, 1)
        rows = np.clip((last + 1.5 - np.arange(ROWS)) / 2.0, 0, 1)
        prior = np.maximum(prior, rows[:, None] * depth)
    # What one side does not show, the other one tells weakly: hairlines are about symmetric.
    other = np.roll(np.arange(AROUND)[::-1], 1)
    # Below the eyes strands fall as they like.
    above = np.clip((DOME + 1 - np.arange(ROWS)) / 3.0, 0, 1)[:, None]
    borrowed = _BORROWED * above * np.minimum(trust[:, other], 1.0) * np.clip(1 - 4 * trust, 0, 1)
    seen = (seen * trust + seen[:, other] * borrowed) / np.maximum(trust + borrowed, 1e-9)
    weight = np.minimum(trust + borrowed, 1.0)
    # In front of the ears pictures tell where hair ends, and what lies between is hair or not
    # as its surroundings are; behind them, and below the eyes, the usual hairline decides.
    usual = np.clip((np.abs(grid.azimuth) - 1.6) / 0.4, 0, 1)[None, :]
    low = np.clip((np.arange(ROWS) - DOME) / 4.0, 0, 1)[:, None] * (not long)
    doubt = 0.003 + 0.05 * np.maximum(usual, low)
    found = solve(smoothness(0.1, 0.1), seen, weight, prior, doubt)
    return np.clip(_around_ears(grid, found, head, sightings), 0, 1)


def _around_ears(
    grid: HairGrid,
    coverage: NDArray[np.float64],
    head: Head,
    sightings: Sequence[Sighting],
) -> NDArray[np.float64]:
    """Take the hair off ears that show, and lay it over those that do not."""
    ear = np.clip((grid.ears - grid.skull - 0.002) / 0.004, 0, 1)
    result = coverage.copy()
    found = [_ear_shown(head, sightings, left=left) for left in (True, False)]
    for left, own, across in ((True, *found), (False, *found[::-1])):
        side = (grid.azimuth > 0) == left
        shown = across if own is None else own
        # Ears that no picture shows are left as their surroundings are.
        if shown is not None:
            share = ear[:, side]
            result[:, side] = result[:, side] * (1 - share) + (shown < 0.5) * share
    return result


def _ear_shown(head: Head, sightings: Sequence[Sighting], *, left: bool) -> float | None:
    """Return how much of an ear pictures show without hair over it, None where they do not."""
    ears = head.topology.masks["ears"] > 0.6
    chosen = ears & ((head.neutral[:, 0] > 0) == left)
    normals = vertex_normals(head.neutral, head.topology.faces)[chosen]
    points = head.neutral[chosen].astype(np.float64)
    bare, total = 0.0, 0.0
    for sighting in sightings:
        pixels, facing, inside = view_weight(points, normals.astype(np.float64), sighting)
        use = inside & (facing > 0.2)
        if not use.any():
            continue
        seen = sample_bilinear(sighting.matte.hair[..., None], pixels[use])[:, 0]
        bare, total = bare + float((1 - seen).sum()), total + float(use.sum())
    return bare / total if total >= _EAR_POINTS else None


def seen_rings(
    grid: HairGrid, radius: NDArray[np.float64], sightings: Sequence[Sighting]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return hair as the pictures show it and how much that counts, `(ROWS, AROUND)` each."""
    seen, trust = np.zeros((ROWS, AROUND)), np.zeros((ROWS, AROUND))
    for sighting in sightings:
        value, weight = seen_hair(grid.points(radius), grid.faces, sighting)
        value, weight = (one[1:].reshape(ROWS, AROUND) for one in (value, weight))
        seen += value * weight
        trust += weight
    return seen / np.maximum(trust, 1e-9), trust


def seen_hair(
    points: NDArray[np.float64], faces: NDArray[np.int32], sighting: Sighting
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return what a picture says of the hair at points of the shell, and how much it counts."""
    pixels, facing, inside = view_weight(points, vertex_normals(points, faces), sighting)
    value, inner = sample_bilinear(np.dstack([sighting.matte.hair, sighting.matte.inner]), pixels).T
    return value, np.clip((facing - 0.18) / 0.25, 0, 1) * inside * inner


def view_weight(
    points: NDArray[np.floating], normals: NDArray[np.floating], sighting: Sighting
) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.bool_]]:
    """Return where points `(n, 3)` of the head frame lie in a picture, and how it shows them.

    Returns:
        Pixels `(n, 2)`, cosine of the viewing angle `(n,)`, and whether the picture shows it.
    """
    fit = sighting.fit
    at = fit.pose.apply(points)
    turned = normals @ fit.pose.rotation.T.astype(normals.dtype)
    facing = -(at * turned).sum(axis=1) / np.linalg.norm(at, axis=1)
    pixels = fit.camera.project(at)
    size = np.array([fit.camera.width, fit.camera.height])
    inside = np.all((pixels > 1) & (pixels < size - 1), axis=1)
    height, width = sighting.nearest.shape
    column = np.clip((pixels[:, 0] * (width / size[0])).astype(int), 0, width - 1)
    row = np.clip((pixels[:, 1] * (height / size[1])).astype(int), 0, height - 1)
    return pixels, facing, inside & (-at[:, 2] < sighting.nearest[row, column] + _HIDDEN)


def lowest_ring(grid: HairGrid, seen: NDArray[np.float64], trust: NDArray[np.float64]) -> int:
    """Return the last ring at which hair hangs beside the neck, 0 where it is short."""
    side = np.abs(np.abs(grid.azimuth) - np.pi / 2) < 0.9
    found = []
    for half in (grid.azimuth > 0, grid.azimuth < 0):
        amount = np.minimum(trust, 1.0) * seen
        found.append((amount[:, side & half] > 0.5).sum(axis=1) >= 3)
    hangs = np.logical_or(*found) & (np.arange(ROWS) >= ROWS // 2)
    last = int(np.flatnonzero(hangs).max(initial=0))
    return last if last > _LONG * ROWS else 0
