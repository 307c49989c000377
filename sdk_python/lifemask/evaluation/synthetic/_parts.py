"""Procedural colours of eyes, teeth, mouth and lashes, by the geometry of the part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.evaluation.synthetic._chart import ramp
from lifemask.evaluation.synthetic._noise import space_noise
from lifemask.heads import IRIS_ANGLE, PUPIL_ANGLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.evaluation.synthetic._complexion import Complexion

_FLESH: Final = np.array([0.50, 0.20, 0.19], np.float32)
_TONGUE: Final = np.array([0.64, 0.33, 0.32], np.float32)
_GUM: Final = np.array([0.62, 0.31, 0.31], np.float32)
_ENAMEL: Final = np.array([0.91, 0.88, 0.80], np.float32)


def paint_eye(
    directions: NDArray[np.float32], look: Complexion, seed: int, iris_angle: float = IRIS_ANGLE
) -> NDArray[np.float32]:
    """Return colours `(n, 3)` of an eyeball.

    Args:
        directions: `(n, 3)` from the eye's centre, any length; +Z is the axis of the pupil.
        look: Colours of the person.
        seed: Of fibres and veins.
        iris_angle: Polar angle of the limbus, radians.
    """
    away = directions / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-9)
    angle = np.arccos(np.clip(away[:, 2], -1, 1))
    r, pupil = angle / iris_angle, PUPIL_ANGLE / IRIS_ANGLE
    spokes = np.arctan2(away[:, 1], away[:, 0])
    ring = np.stack([np.cos(spokes), np.sin(spokes), 0.15 * r], axis=1)
    fibres = space_noise(ring, 0.045, seed) + 0.6 * space_noise(ring, 0.14, seed + 1)
    shade = 1 + 0.16 * fibres + 0.3 * np.exp(-(((r - pupil - 0.15) / 0.13) ** 2))
    shade *= 1 - 0.6 * ramp(r, 0.78, 1.0)
    colours = np.asarray(look.iris * shade[:, None], np.float32)
    veins = np.maximum(space_noise(40 * away, (2.0, 6.0, 6.0), seed + 2) - 0.8, 0)
    red = np.clip(0.16 * ramp(angle, 0.6, 1.4) * (0.4 + veins), 0, 0.4)[:, None]
    white = look.sclera * (1 - red * np.array([0.1, 1.0, 1.0], np.float32))
    colours += ramp(r, 0.94, 1.06)[:, None] * (white - colours)
    colours += (1 - ramp(r, pupil - 0.05, pupil + 0.05))[:, None] * (0.012 - colours)
    return np.clip(colours, 0.0, 1.0)


def paint_mouth(points: NDArray[np.float32], look: Complexion) -> NDArray[np.float32]:
    """Return colours `(n, 3)` of the cavity at points `(n, 3)` mm: darker toward the throat."""
    deep = np.clip((points[:, 2].max() - points[:, 2]) / 40.0, 0, 1)[:, None]
    near = 0.55 * look.lips + 0.45 * _FLESH
    return np.asarray(near * (1 - deep) ** 1.7 + 0.03 * deep, np.float32)


def paint_tongue(points: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Return colours `(n, 3)` of the tongue at points `(n, 3)` mm."""
    back = np.clip((points[:, 2].max() - points[:, 2]) / max(np.ptp(points[:, 2]), 1.0), 0, 1)
    shade = (1 - 0.5 * back) * (1 + 0.05 * space_noise(points, 0.8, seed))
    return np.asarray(_TONGUE * shade[:, None], np.float32)


def paint_teeth(
    points: NDArray[np.float32],
    enamel: NDArray[np.float32],
    gap: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return colours `(n, 3)` of teeth and gums.

    Args:
        points: `(n, 3)` mm.
        enamel: `(n,)` 1 on the crowns, 0 on the gums.
        gap: `(n,)` 1 between two teeth.
    """
    back = np.clip((points[:, 2].max() - points[:, 2]) / 45.0, 0, 1)[:, None]
    colours = _GUM + ramp(enamel, 0.1, 0.25)[:, None] * (_ENAMEL - _GUM)
    colours = colours * (1 - 0.25 * (ramp(gap, 0.7, 1.0) * ramp(enamel, 0.1, 0.25))[:, None])
    return np.asarray(colours * (1 - 0.5 * back), np.float32)


def paint_lashes(
    along: NDArray[np.float32], tip: NDArray[np.float32], lower: NDArray[np.float32], seed: int
) -> NDArray[np.float32]:
    """Return the coverage `(n,)` in [0, 1] of single hairs.

    Args:
        along: `(n,)` place along the lid, 0 to 1.
        tip: `(n,)` 0 at the root, 1 at the tip of the strip.
        lower: `(n,)` 1 on the strips of the lower lids.
        seed: Of lengths and leans.
    """
    count = 52
    rng = np.random.default_rng([seed, 0x1A54])
    shift, length = rng.uniform(-0.3, 0.3, count + 2), rng.uniform(0.55, 1.0, count + 2)
    place = along * count
    coverage = np.zeros(len(along), np.float32)
    for step in (-1, 0, 1):
        hair = np.clip(np.floor(place).astype(int) + step, 0, count) + 1
        rest = 1 - tip / (length[hair] * np.where(lower > 0.5, 0.45, 0.85))
        width = np.where(lower > 0.5, 0.18, 0.30) * rest
        middle = hair - 0.5 + shift[hair] + 0.9 * (hair / count - 0.5) * tip
        edge = np.clip((width - np.abs(place - middle)) / 0.12 + 0.5, 0, 1) * (rest > 0)
        coverage = np.maximum(coverage, edge).astype(np.float32)
    return coverage
