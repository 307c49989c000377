"""How far hair stands off the skull: read off outlines, continued smoothly elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._atlas import sample_bilinear
from lifemask.appearance._hair_coverage import (
    Sighting,
    lowest_ring,
    seen_rings,
    solve_coverage,
)
from lifemask.appearance._hair_grid import AROUND, DOME, ROWS
from lifemask.appearance._hair_plate import blurred, smoothness, solve
from lifemask.geometry import vertex_normals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.appearance._hair_grid import HairGrid
    from lifemask.heads import Head

LEAST: Final = 0.003
"""Metres that hair lies above the skin at the least."""
_MOST: Final = 0.14
_FRONT: Final = 0.05
"""Metres in front of the axis to which curtains reach beside the face."""
_USUAL: Final = 0.012
_CROWN: Final = 0.03
_STEPS: Final = np.arange(-0.012, 0.15, 0.001)
"""Metres along a ray at which a picture is read."""
_OUTLINE: Final = 0.25
"""Cosine of the viewing angle below which a vertex belongs to the outline."""
_ROUNDS: Final = 3
_STIFFNESS: Final = 1.5
_TENSION: Final = 0.02
_PRIOR: Final = 2e-4
_BACK: Final = 0.02
_RING: Final = 0.0068
"""Metres from ring to ring."""
_RISE: Final = 0.055
"""Metres behind the hairline over which hair reaches its full height."""


@dataclass(frozen=True)
class HairShape:
    """The surface of the hair.

    Attributes:
        radius: `(ROWS, AROUND)` metres from where the rays leave.
        coverage: `(ROWS, AROUND)` in [0, 1], where there is hair.
        long: Whether hair falls below the ears.
    """

    radius: NDArray[np.float64]
    coverage: NDArray[np.float64]
    long: bool


def solve_shape(grid: HairGrid, sightings: Sequence[Sighting], head: Head) -> HairShape:
    """Fit the radius of all rays to the outlines of hair against the background.

    Where a ray is seen from the side, its picture shows hair up to some radius and background
    beyond: that radius is wanted there. In between, the height over the skull (of long hair:
    over a curtain that hangs from it) is as smooth as a thin plate with some tension (the least
    squares of its umbrella Laplacian, its gradient, and the data).

    Args:
        grid: Rays.
        sightings: Pictures with hair.
        head: Of the person.
    """
    # At the back nothing but the usual height of the ring is known.
    behind = np.clip((np.abs(grid.azimuth) - 1.9) / 0.5, 0, 1)
    prior = _PRIOR + _BACK * behind * np.clip((np.arange(ROWS)[:, None] - 6) / 6, 0, 1)
    smooth = smoothness(_STIFFNESS, _TENSION)
    long = _hangs(grid, sightings)
    base = _hanging(grid) if long else grid.skull
    floor = grid.skull + LEAST
    radius = np.maximum(base + _USUAL, floor)
    weight = np.zeros_like(radius)
    for _ in range(_ROUNDS):
        found = [_outline(grid, radius, sighting) for sighting in sightings]
        weight = sum((one[1] for one in found), np.zeros_like(radius))
        wanted = sum((one[0] * one[1] for one in found), np.zeros_like(radius))
        wanted = wanted / np.maximum(weight, 1e-9) - base
        lift = solve(smooth, wanted, weight, _typical(wanted, weight), prior)
        radius = np.clip(base + lift, floor, grid.skull + _MOST)
        radius = np.minimum(radius, _beside_face(grid))
    coverage = solve_coverage(grid, radius, sightings, head, long=long)
    radius = _tapered(grid, radius, coverage, weight, long=long)
    return HairShape(_over_ears(grid, radius, coverage), coverage, long)


def _beside_face(grid: HairGrid) -> NDArray[np.float64]:
    """Return `(ROWS, AROUND)` metres beyond which a curtain would hang in front of the face."""
    forward = np.cos(grid.azimuth)
    furthest = np.where(forward > 0.15, _FRONT / np.maximum(forward, 0.15), np.inf)
    lying = grid.skull + LEAST + 0.004
    # Above the brows the limit opens up, so that no shelf forms.
    above = 0.012 * np.maximum(DOME - 1 - np.arange(ROWS), 0)[:, None]
    return np.maximum(lying, furthest + above)


def _hangs(grid: HairGrid, sightings: Sequence[Sighting]) -> bool:
    """Return whether hair falls below the ears at a side of the head."""
    radius = _hanging(grid) + _USUAL
    seen, trust = seen_rings(grid, radius, sightings)
    return lowest_ring(grid, seen, trust) > 0


def _hanging(grid: HairGrid) -> NDArray[np.float64]:
    """Return `(ROWS, AROUND)` metres: the skull, and below its widest ring straight down.

    In front of the ears the curtain keeps to the roundness of the sides: it does not follow the
    face.
    """
    base = grid.skull.copy()
    base[DOME - 1 :] = np.maximum.accumulate(base[DOME - 1 :], axis=0)
    side = np.abs(np.abs(grid.azimuth) - 1.4) < 0.08
    round_front = base[:, side].mean(axis=1, keepdims=True)
    front = np.clip((1.4 - np.abs(grid.azimuth)) / 0.3, 0, 1) * np.ones((ROWS, 1))
    front[:DOME] = 0.0
    return base * (1 - front) + round_front * front


def _typical(wanted: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `(ROWS, AROUND)`: the usual height of each ring, from what was seen of it."""
    total = weight.sum(axis=1)
    mean = (wanted * weight).sum(axis=1) / np.maximum(total, 1e-9)
    rows = np.arange(ROWS)
    known = total > 0.5
    if not known.any():
        return np.full_like(wanted, _USUAL)
    first = int(np.argmax(known))
    typical = np.interp(rows, rows[known], mean[known])
    # A crown that is cut off by the border of the picture is not as high as the sides are wide.
    typical[:first] = min(typical[first], _CROWN)
    return np.repeat(typical[:, None], AROUND, axis=1)


def _outline(
    grid: HairGrid, radius: NDArray[np.float64], sighting: Sighting
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the wanted radius and its weight `(ROWS, AROUND)` from one picture."""
    fit, matte = sighting.fit, sighting.matte
    shell = grid.points(radius)
    normals = vertex_normals(shell, grid.faces)[1:].reshape(ROWS, AROUND, 3)
    at = fit.pose.apply(shell[1:]).reshape(ROWS, AROUND, 3)
    facing = -np.einsum("rak,kl,ral->ra", at, fit.pose.rotation, normals)
    facing /= np.linalg.norm(at, axis=-1)
    chosen = np.abs(facing) < _OUTLINE
    origins, directions = grid.origins[chosen], grid.directions[chosen]
    reach = grid.skull[chosen][:, None] + _STEPS
    points = origins[:, None] + reach[..., None] * directions[:, None]
    pixels = fit.camera.project(fit.pose.apply(points.reshape(-1, 3)))
    layers = np.dstack([matte.hair, matte.person])
    seen = sample_bilinear(layers, pixels).reshape(*reach.shape, 2)
    size = np.array([fit.camera.width, fit.camera.height])
    inside = np.all((pixels > 1) & (pixels < size - 1), axis=1).reshape(reach.shape)
    hair = (seen[..., 0] > 0.5) & inside
    # The last hair on the ray, with nothing but background behind it.
    any_hair = hair.any(axis=1)
    last = reach.shape[1] - 1 - np.argmax(hair[:, ::-1], axis=1)
    following = np.minimum(last[:, None] + np.arange(2, 6), reach.shape[1] - 1)
    rows = np.arange(len(last))[:, None]
    clear = (seen[rows, following, 1] < 0.5).all(axis=1) & inside[rows, following].all(axis=1)
    moved = np.linalg.norm(np.gradient(pixels.reshape(*reach.shape, 2), axis=1), axis=-1)[:, 0]
    # A ray that points at the camera moves little in the picture: its height is not told by it.
    pixel = fit.camera.focal / float(-fit.pose.translation[2]) * 0.001
    telling = np.clip(moved / max(pixel, 1e-9) - 0.5, 0, 0.5) * 2
    ok = any_hair & clear & (last > 0) & (last < reach.shape[1] - 6)
    wanted, weight = radius.copy(), np.zeros((ROWS, AROUND))
    # Beside the rim a ray meets the outline farther out than the surface: on a round head by the
    # cosine of the angle between them, whose sine is that of the viewing angle's complement.
    round_off = np.sqrt(1 - facing[chosen] ** 2)
    wanted[chosen] = (grid.skull[chosen] + _STEPS[last] + 0.0005) * round_off
    weight[chosen] = ok * telling * (1 - np.abs(facing[chosen]) / _OUTLINE) ** 2
    return wanted, weight


def _over_ears(
    grid: HairGrid, radius: NDArray[np.float64], coverage: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Lift hair over ears that it covers; ears that show stick out of it."""
    bulge = np.clip(grid.ears - grid.skull, 0, None)
    covered = np.clip((coverage - 0.45) / 0.2, 0, 1) * (bulge > 0.002)
    floor = blurred((bulge + LEAST) * covered, 1.0)
    floor = np.maximum(floor, (bulge + LEAST) * covered * (covered > 0.9))
    return np.maximum(radius, grid.skull + floor)


def _tapered(
    grid: HairGrid,
    radius: NDArray[np.float64],
    coverage: NDArray[np.float64],
    outlines: NDArray[np.float64],
    *,
    long: bool,
) -> NDArray[np.float64]:
    """Let hair begin low at the hairline, instead of with a step; ends that hang are left."""
    import cv2

    tiled = np.tile(coverage > 0.5, (1, 3)).astype(np.uint8)
    away = cv2.distanceTransform(tiled, cv2.DIST_L2, 5)[:, AROUND : 2 * AROUND] * _RING
    flat = np.clip((1.9 - np.abs(grid.azimuth)) / 0.5, 0, 1) if long else np.ones(AROUND)
    dome = np.clip((ROWS * 0.62 - np.arange(ROWS)) / 3.0, 0, 1) if long else np.ones(ROWS)
    told = np.clip(3.0 * blurred(outlines, 1.5), 0, 1)
    told *= np.clip((np.abs(grid.azimuth) - 0.8) / 0.4, 0, 1)
    rise = np.clip((away + 0.003) / _RISE, 0, 1)
    share = 1 - flat * dome[:, None] * (1 - told) * (1 - rise)
    low = grid.skull + LEAST
    return low + np.maximum(radius - low, 0) * share
