"""The procedural skin: pores, spots, lips, brows, lids, stubble, a shaven scalp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.evaluation.synthetic._chart import (
    BEARD,
    BROWS,
    CHEEKS,
    LIDS,
    LIPS,
    NOSTRILS,
    Chart,
    ramp,
)
from lifemask.evaluation.synthetic._noise import space_noise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lifemask.evaluation.synthetic._complexion import Complexion

_NOSE_TIP: Final = 4
_CHIN: Final = 199
_PUFFS: Final = {"right": 110, "left": 339}
"""Landmarks a little below the lower lids."""


def paint_skin(
    chart: Chart, look: Complexion, masks: Mapping[str, NDArray[np.float32]], seed: int
) -> NDArray[np.float32]:
    """Return sRGB colours `(n, 3)` in [0, 1] of points of the skin.

    Args:
        chart: The points, and the landmarks that say what they are.
        look: Colours of the person.
        masks: `(n,)` in [0, 1] of the regions `ears` and `hair` at the points; a usual hairline
            and no ears where they are missing.
        seed: Of pores, spots and hairs.
    """
    colours = np.tile(look.skin, (len(chart.points), 1))
    _blood(colours, chart, look, masks, seed)
    _grain(colours, chart, look, seed)
    _spots(colours, chart, look, seed)
    _eyes(colours, chart, look)
    for side in NOSTRILS:
        _mix(colours, 0.18 * look.skin, 0.85 * ramp(chart.to_point(NOSTRILS[side]), 4.2, 2.2))
    _stubble(colours, chart, look, seed)
    _lips(colours, chart, look, seed)
    for side in BROWS:
        _brow(colours, chart, look, side, seed)
    hair = masks["hair"] if "hair" in masks else ramp(chart.above_hairline(), -6.0, 6.0)
    _scalp(colours, chart, look, hair, seed)
    return np.clip(colours, 0.01, 0.99)


def _blood(
    colours: NDArray[np.float32],
    chart: Chart,
    look: Complexion,
    masks: Mapping[str, NDArray[np.float32]],
    seed: int,
) -> None:
    """Blotches, and more blood where skin is thin."""
    at = chart.points
    red = sum(ramp(chart.to_point(place), 32, 6) for place in CHEEKS)
    red = red + 0.9 * ramp(chart.to_point(_NOSE_TIP), 22, 4) + masks.get("ears", np.float32(0))
    red = red + 0.5 * ramp(chart.to_point(_CHIN), 22, 4)
    red = look.redness * red + 0.30 * space_noise(at, 14.0, seed) + 0.18 * space_noise(at, 6, seed)
    shade = 1 + 0.025 * space_noise(at, 30.0, seed + 1) + 0.018 * space_noise(at, 9.0, seed + 1)
    tint = np.array([0.015, -0.055, -0.045], np.float32)
    colours *= shade[:, None] * (1 + red[:, None] * tint)


def _grain(colours: NDArray[np.float32], chart: Chart, look: Complexion, seed: int) -> None:
    """Pores and the fine grain between them; the lines of the forehead and below the eyes."""
    at = chart.points
    pores = np.maximum(space_noise(at, 0.9, seed + 2) - 0.55, 0)
    coarse = 0.6 + 0.6 * ramp(chart.to_point(_NOSE_TIP), 55, 10)
    fine = 0.5 * space_noise(at, 0.55, seed + 3) + 0.5 * space_noise(at, 1.7, seed + 3)
    depth = look.pores * (0.075 * coarse * pores + 0.02 * fine)
    lines = np.maximum(space_noise(at, (22.0, 2.6, 22.0), seed + 4) - 0.9, 0)
    brow = chart.landmarks[[105, 334], 1].mean()
    depth = depth + 0.035 * lines * ramp(at[:, 1], brow + 4, brow + 14)
    colours *= (1 - depth)[:, None]


def _spots(colours: NDArray[np.float32], chart: Chart, look: Complexion, seed: int) -> None:
    """Freckles and moles at random places of the face."""
    rng = np.random.default_rng([seed, 0xF4EC])
    low, high = chart.landmarks[:468].min(axis=0), chart.landmarks[:468].max(axis=0)
    front = np.flatnonzero((chart.points > low - 8).all(axis=1) & (chart.points < high + 8).all(1))
    for place in chart.points[front[rng.integers(0, len(front), look.freckles)]]:
        radius = float(rng.choice([0.35, 0.6, 1.1], p=[0.6, 0.33, 0.07]))
        away = np.linalg.norm(chart.points - place, axis=1)
        share = float(rng.uniform(0.25, 0.65)) * ramp(away, 1.5 * radius, 0.5 * radius)
        _mix(colours, np.array([0.55, 0.42, 0.38]) * look.skin, share)


def _eyes(colours: NDArray[np.float32], chart: Chart, look: Complexion) -> None:
    """Darker lids, a line where lashes grow, a little shade below the eyes."""
    for side, loop in LIDS.items():
        rim = chart.to_line([*loop, loop[0]])
        upper = chart.to_line(loop[:9])
        colours *= (1 - 0.10 * ramp(chart.to_point(_PUFFS[side]), 13, 3))[:, None]
        _mix(colours, look.skin * np.array([0.80, 0.68, 0.66]), 0.55 * ramp(upper, 7.5, 2.5))
        _mix(colours, look.skin * np.array([0.86, 0.62, 0.58]), 0.7 * ramp(rim, 1.8, 0.6))
        _mix(colours, 0.7 * look.hair, 0.85 * ramp(upper, 1.3, 0.5))
        _mix(colours, 0.8 * look.hair, 0.35 * ramp(rim, 1.0, 0.4))


def _stubble(colours: NDArray[np.float32], chart: Chart, look: Complexion, seed: int) -> None:
    if look.stubble <= 0:
        return
    area = ramp(chart.inside(BEARD), -9.0, 7.0) * ramp(chart.inside(LIPS), 0.5, -2.0)
    area *= ramp(chart.points[:, 1], chart.landmarks[_CHIN, 1] - 45, chart.landmarks[_CHIN, 1] - 15)
    dots = ramp(space_noise(chart.points, 0.75, seed + 5), 0.3, 1.2)
    shadow = 0.35 * look.skin + 0.65 * look.hair
    _mix(colours, shadow, look.stubble * area * (0.22 + 0.5 * dots))


def _lips(colours: NDArray[np.float32], chart: Chart, look: Complexion, seed: int) -> None:
    within = chart.inside(LIPS)
    furrows = space_noise(chart.points, (0.9, 7.0, 4.0), seed + 6)
    lips = look.lips * (1 - 0.05 * np.maximum(furrows, 0))[:, None]
    _mix(colours, lips, 0.92 * ramp(within, -0.9, 0.9))
    part = chart.to_line((78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308))
    _mix(colours, 0.45 * look.lips, 0.6 * ramp(part, 1.6, 0.3))


def _brow(
    colours: NDArray[np.float32], chart: Chart, look: Complexion, side: str, seed: int
) -> None:
    """Hairs that lean outward and up, dense in the middle of the brow."""
    loop = BROWS[side]
    start, stop = chart.landmarks[loop[4], :2], chart.landmarks[loop[0], :2]
    along = (stop - start) / np.linalg.norm(stop - start)
    offset = chart.points[:, :2] - start
    u = offset @ along
    v = offset @ np.array([along[1], -along[0]]) * (-1 if side == "left" else 1)
    # Hairs cross the brow at a slant: short cells across them, long ones along.
    strand = np.stack([u - 0.9 * v, 0.9 * u + v, np.zeros_like(u)], axis=1)
    hairs = space_noise(strand, (0.55, 4.5, 1.0), seed + 7)
    within = chart.inside(loop) + 0.8 * space_noise(chart.points, 1.5, seed + 8)
    dense = ramp(within, -1.4, 1.3) * look.brows
    _mix(colours, look.hair, dense * (0.62 + 0.38 * ramp(hairs, -0.9, 0.7)))


def _scalp(
    colours: NDArray[np.float32],
    chart: Chart,
    look: Complexion,
    hair: NDArray[np.float32],
    seed: int,
) -> None:
    """Hair of a few millimetres: it covers, and adds no volume."""
    edge = hair + 0.12 * space_noise(chart.points, 3.0, seed + 9)
    strands = space_noise(chart.points, (0.9, 3.5, 3.5), seed + 10)
    locks = space_noise(chart.points, (4.0, 12.0, 12.0), seed + 11)
    colour = look.hair * (1 + 0.15 * strands + 0.10 * locks)[:, None]
    _mix(colours, np.clip(colour, 0.015, 0.9), 0.96 * ramp(edge, 0.3, 0.62))


def _mix(
    colours: NDArray[np.float32], colour: NDArray[np.floating], share: NDArray[np.floating]
) -> None:
    colours += np.asarray(share, np.float32)[:, None] * (np.asarray(colour, np.float32) - colours)
