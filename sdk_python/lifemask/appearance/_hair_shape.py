"""How far hair stands off the skull: read off outlines, continued smoothly elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.appearance._atlas import sample_bilinear
from lifemask.appearance._hair_grid import AROUND, DOME, ROWS
from lifemask.geometry import rasterize, vertex_normals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.appearance._hair_grid import HairGrid
    from lifemask.appearance._hair_matte import HairMatte
    from lifemask.heads import Head
    from lifemask.tracking import PhotoFit

LEAST: Final = 0.003
"""Metres that hair lies above the skin at the least."""
_MOST: Final = 0.14
_DEPTH_SIDE: Final = 320
"""Longer side of the picture of what the bare head hides."""
_HIDDEN: Final = 0.006
"""Metres behind the bare head at which hair counts as hidden by it."""
_FRONT: Final = 0.05
"""Metres in front of the axis to which curtains reach beside the face."""
_USUAL: Final = 0.012
_CROWN: Final = 0.03
_STEPS: Final = np.arange(-0.012, 0.15, 0.001)
"""Metres along a ray at which a picture is read."""
_OUTLINE: Final = 0.35
"""Cosine of the viewing angle below which a vertex belongs to the outline."""
_ROUNDS: Final = 3
_STIFFNESS: Final = 1.5
_TENSION: Final = 0.02
_PRIOR: Final = 2e-4
_RING: Final = 0.0068
"""Metres from ring to ring."""
_LONG: Final = 0.66
"""Share of the rings, from the crown, below which hair counts as long."""
_RISE: Final = 0.055
"""Metres behind the hairline over which hair reaches its full height."""


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


def solve_shape(grid: HairGrid, sightings: Sequence[Sighting]) -> HairShape:
    """Fit the radius of all rays to the outlines of hair against the background.

    Where a ray is seen from the side, its picture shows hair up to some radius and background
    beyond: that radius is wanted there. In between, the height over the skull (of long hair:
    over a curtain that hangs from it) is as smooth as a thin plate with some tension (the least
    squares of its umbrella Laplacian, its gradient, and the data).

    Args:
        grid: Rays.
        sightings: Pictures with hair.
    """
    smooth = _smoothness()
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
        lift = _solve(smooth, wanted, weight, _typical(wanted, weight))
        radius = np.clip(base + lift, floor, grid.skull + _MOST)
        radius = np.minimum(radius, _beside_face(grid))
    coverage = solve_coverage(grid, radius, sightings, long=long)
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
    seen, trust = _seen(grid, radius, sightings)
    return _lowest_ring(grid, seen, trust) > 0


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
    wanted[chosen] = grid.skull[chosen] + _STEPS[last] + 0.0005
    weight[chosen] = ok * telling * (1 - np.abs(facing[chosen]) / _OUTLINE)
    return wanted, weight


def solve_coverage(
    grid: HairGrid, radius: NDArray[np.float64], sightings: Sequence[Sighting], *, long: bool
) -> NDArray[np.float64]:
    """Return `(ROWS, AROUND)` in [0, 1] where there is hair.

    What pictures show squarely is taken from them; the rest is continued, and falls back on the
    usual hairline. Long hair seen at the sides goes on around the back.
    """
    seen, trust = _seen(grid, radius, sightings)
    # A hairline lies a little above where the asset's mask ends in the nape.
    back = np.clip((np.abs(grid.azimuth) - 1.9) / 0.4, 0, 1)
    raised = np.concatenate([grid.usual[2:], np.zeros((2, AROUND))])
    prior = grid.usual * (1 - back) + raised * back
    if long:
        last = _lowest_ring(grid, seen, trust)
        depth = np.clip((np.abs(grid.azimuth) / np.pi - 0.34) / 0.1, 0, 1)
        rows = np.clip((last + 1.5 - np.arange(ROWS)) / 2.0, 0, 1)
        prior = np.maximum(prior, rows[:, None] * depth)
    weight = np.minimum(trust, 1.0)
    # In front of the ears pictures tell where hair ends, and what lies between is hair or not
    # as its surroundings are; behind them the usual hairline is all there is.
    doubt = 0.003 + 0.05 * np.clip((np.abs(grid.azimuth) - 1.6) / 0.4, 0, 1)
    doubt = np.broadcast_to(doubt, seen.shape)
    return np.clip(_solve(_smoothness(0.1, 0.1), seen, weight, prior, doubt), 0, 1)


def _seen(
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


def _lowest_ring(grid: HairGrid, seen: NDArray[np.float64], trust: NDArray[np.float64]) -> int:
    """Return the last ring at which hair hangs beside the neck, 0 where it is short."""
    side = np.abs(np.abs(grid.azimuth) - np.pi / 2) < 0.9
    found = []
    for half in (grid.azimuth > 0, grid.azimuth < 0):
        amount = np.minimum(trust, 1.0) * seen
        found.append((amount[:, side & half] > 0.5).sum(axis=1) >= 3)
    hangs = np.logical_or(*found) & (np.arange(ROWS) >= ROWS // 2)
    last = int(np.flatnonzero(hangs).max(initial=0))
    return last if last > _LONG * ROWS else 0


def _over_ears(
    grid: HairGrid, radius: NDArray[np.float64], coverage: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Lift hair over ears that it covers; ears that show stick out of it."""
    bulge = np.clip(grid.ears - grid.skull, 0, None)
    covered = np.clip((coverage - 0.45) / 0.2, 0, 1) * (bulge > 0.002)
    floor = _blurred((bulge + LEAST) * covered, 1.0)
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
    told = np.clip(3.0 * _blurred(outlines, 1.5), 0, 1)
    told *= np.clip((np.abs(grid.azimuth) - 0.8) / 0.4, 0, 1)
    rise = np.clip((away + 0.003) / _RISE, 0, 1)
    share = 1 - flat * dome[:, None] * (1 - told) * (1 - rise)
    low = grid.skull + LEAST
    return low + np.maximum(radius - low, 0) * share


def _blurred(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Blur ring values `(ROWS, AROUND)`; rings close on themselves."""
    from lifemask.appearance._pyramid import blur

    return blur(np.tile(values, (1, 3)), sigma)[:, AROUND : 2 * AROUND].astype(np.float64)


def _smoothness(stiffness: float = _STIFFNESS, tension: float = _TENSION) -> Any:
    """Return the matrix of the smoothness energy over the ring values."""
    from scipy import sparse

    count = ROWS * AROUND
    index = np.arange(count).reshape(ROWS, AROUND)
    # Rings are small about the crown: neighbours on them are near.
    size = np.minimum(np.sin(np.minimum((np.arange(ROWS) + 1) / 18, 1.0) * np.pi / 2), 1.0)
    along = np.repeat((1.0 / np.maximum(size, 0.15))[:, None], AROUND, axis=1)
    down = np.repeat(size[:-1, None], AROUND, axis=1)
    pairs = [
        (index.ravel(), np.roll(index, -1, axis=1).ravel(), along.ravel()),
        (index[:-1].ravel(), index[1:].ravel(), down.ravel()),
        # Across the crown.
        (index[0, : AROUND // 2], index[0, AROUND // 2 :], np.full(AROUND // 2, 0.5)),
    ]
    first, second, weight = (np.concatenate([p[k] for p in pairs]) for k in range(3))
    links = sparse.coo_matrix((weight, (first, second)), (count, count))
    links = (links + links.T).tocsr()
    degree = np.asarray(links.sum(axis=1)).ravel()
    laplacian = sparse.diags(degree) - links
    umbrella = sparse.diags(1.0 / degree) @ laplacian
    return (stiffness * (umbrella.T @ umbrella) + tension * laplacian).tocsc()


def _solve(
    smooth: Any,
    wanted: NDArray[np.float64],
    weight: NDArray[np.float64],
    prior: NDArray[np.float64],
    prior_weight: float | NDArray[np.float64] = _PRIOR,
) -> NDArray[np.float64]:
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    data = weight.ravel()
    doubt = np.broadcast_to(prior_weight, weight.shape).ravel()
    matrix = smooth + sparse.diags(data + doubt)
    right = data * wanted.ravel() + doubt * prior.ravel()
    return np.asarray(spsolve(matrix.tocsc(), right)).reshape(wanted.shape)
