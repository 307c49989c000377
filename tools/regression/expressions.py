"""Random expressions as faces show them: sparse, mostly symmetric, in groups that go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.capture._script_motion import DOUBT, SMILE, SURPRISE, VISEMES
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX, COEFFICIENT_NAMES, mirrored_name
from lifemask.tracking import gaze_coefficients
from lifemask.tracking._settings import EXCLUSIVE_PAIRS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def _both(**weights: float) -> dict[str, float]:
    """Spread `eyeBlink_=1` to both sides."""
    return {
        name: value
        for key, value in weights.items()
        for name in ([key[:-1] + "Left", key[:-1] + "Right"] if key.endswith("_") else [key])
    }


GROUPS: Final[tuple[Mapping[str, float], ...]] = (
    SMILE,
    SURPRISE,
    DOUBT,
    *VISEMES,
    # laughter
    _both(mouthSmile_=0.9, jawOpen=0.45, cheekSquint_=0.6, eyeSquint_=0.5, mouthUpperUp_=0.3),
    # a smile with closed lips
    _both(mouthSmile_=0.5, mouthDimple_=0.3, mouthPress_=0.25),
    # a grin that bares the teeth
    _both(mouthSmile_=0.6, mouthStretch_=0.5, mouthLowerDown_=0.5, mouthUpperUp_=0.5),
    # sadness
    _both(mouthFrown_=0.8, browInnerUp=0.7, mouthShrugLower=0.5, eyeSquint_=0.2),
    # anger
    _both(browDown_=0.9, eyeSquint_=0.4, mouthPress_=0.5, noseSneer_=0.4, jawForward=0.2),
    # disgust
    _both(noseSneer_=0.9, mouthUpperUp_=0.6, browDown_=0.5, cheekSquint_=0.5, mouthFrown_=0.3),
    # fear
    _both(eyeWide_=0.9, browInnerUp=0.8, browOuterUp_=0.6, mouthStretch_=0.6, jawOpen=0.25),
    # shouting
    _both(jawOpen=1.0, mouthLowerDown_=0.4, mouthUpperUp_=0.35, mouthStretch_=0.3),
    # a wide open mouth, then one whose lips stay closed while the jaw drops
    _both(jawOpen=0.9),
    _both(jawOpen=0.6, mouthClose=0.55),
    # kissing, blowing
    _both(mouthPucker=0.95, mouthFunnel=0.15),
    _both(cheekPuff=0.9, mouthPress_=0.3, mouthPucker=0.3),
    # lips rolled in, shrugged, to one side
    _both(mouthRollLower=0.8, mouthRollUpper=0.8, mouthPress_=0.3),
    _both(mouthShrugLower=0.8, mouthShrugUpper=0.6, mouthFrown_=0.35),
    {"mouthLeft": 0.8, "jawLeft": 0.25, "mouthSmileLeft": 0.25},
    {"jawLeft": 0.8, "jawOpen": 0.2},
    {"jawForward": 0.8, "jawOpen": 0.1},
)
"""Weights by coefficient name; one-sided ones are mirrored half of the time."""

_KINDS: Final = (0.12, 0.43, 0.20, 0.25)
"""Shares of faces whose mouth is neutral, shows groups, one shape, or a random few."""

_GAZE_LIMIT: Final = np.array([0.6, 0.4])
_SIDES: Final = {
    side: np.array([name.endswith(side) for name in COEFFICIENT_NAMES])
    for side in ("Left", "Right")
}
_MIRROR: Final = np.array([COEFFICIENT_INDEX[mirrored_name(name)] for name in COEFFICIENT_NAMES])
_EYES: Final = np.array([name.startswith("eye") for name in COEFFICIENT_NAMES])
_LOOKS: Final = np.array([name.startswith("eyeLook") for name in COEFFICIENT_NAMES])
_BROWS: Final = np.array([name.startswith("brow") for name in COEFFICIENT_NAMES])
_DRAWN: Final = ~_LOOKS & np.array([name != "tongueOut" for name in COEFFICIENT_NAMES])


def draw_expressions(
    count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw random expressions.

    Args:
        count: How many.
        rng: Source of chance.

    Returns:
        Coefficients `(count, 52)` in [0, 1] and gaze `(count, 4)` rad: left yaw, left pitch,
        right yaw, right pitch. The `eyeLook` coefficients go with the gaze; `tongueOut` is 0.
    """
    weights = np.zeros((count, COEFFICIENT_COUNT))
    kind = rng.choice(len(_KINDS), count, p=_KINDS)
    for number, draw in ((1, _grouped), (2, _single), (3, _sparse)):
        rows = np.flatnonzero(kind == number)
        weights[rows] = draw(len(rows), rng)
    weights += _brows(count, rng) + _lids(count, rng)
    weights *= _unequal_sides(count, rng)
    weights = np.clip(weights, 0.0, 1.0)
    _keep_possible(weights)
    gaze = _gaze(count, rng)
    for row, angles in zip(weights, gaze, strict=True):
        gaze_coefficients(angles, row)
    return weights.astype(np.float32), gaze.astype(np.float32)


def _grouped(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """One group, or two that mix, with each weight a little off."""
    table = _group_table()
    out = np.zeros((count, COEFFICIENT_COUNT))
    for share in (1.0, 0.35):
        drawn = table[rng.integers(len(table), size=count)]
        used = rng.random(count) < share
        out += drawn * (used * rng.uniform(0.1, 1.15, count))[:, None]
    return out * np.exp(0.3 * rng.standard_normal(out.shape))


def _group_table() -> NDArray[np.float64]:
    table = np.zeros((len(GROUPS), COEFFICIENT_COUNT))
    for row, group in zip(table, GROUPS, strict=True):
        for name, value in group.items():
            row[COEFFICIENT_INDEX[name]] = value
    return np.concatenate([table, table[:, _MIRROR]])


def _single(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """One shape, mostly with its partner on the other side."""
    out = np.zeros((count, COEFFICIENT_COUNT))
    chosen = rng.choice(np.flatnonzero(_DRAWN), count)
    value = rng.random(count)
    out[np.arange(count), chosen] = value
    paired = rng.random(count) < 0.65
    # Shapes that exclude their own partner (a jaw to both sides) lose one of the two later.
    out[np.arange(count)[paired], _MIRROR[chosen[paired]]] = value[paired]
    return out


def _sparse(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A few shapes that need not go together."""
    used = rng.random((count, COEFFICIENT_COUNT)) < 0.08
    value = rng.beta(1.0, 1.5, used.shape)
    paired = rng.random((count, 1)) < 0.75
    partner = _SIDES["Right"] & paired
    used = np.where(partner, used[:, _MIRROR], used)
    value = np.where(partner, value[:, _MIRROR], value)
    return used * value * _DRAWN


def _brows(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    used = rng.random((count, COEFFICIENT_COUNT)) < 0.12
    used = np.where(_SIDES["Right"], used[:, _MIRROR], used)
    return used * rng.random((count, 1)) * _BROWS


def _lids(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Blinks, half closed and wide eyes, on top of whatever else the face does."""
    out = np.zeros((count, COEFFICIENT_COUNT))
    kind = rng.choice(4, count, p=(0.6, 0.22, 0.09, 0.09))
    full = np.where(rng.random(count) < 0.4, rng.uniform(0.85, 1.0, count), rng.random(count))
    value = np.where(kind == 1, full, rng.random(count))
    for number, name in ((1, "eyeBlink"), (2, "eyeSquint"), (3, "eyeWide")):
        for side in ("Left", "Right"):
            out[:, COEFFICIENT_INDEX[name + side]] = value * (kind == number)
    return out


def _unequal_sides(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Factors that weaken one side a little, now and then silence it."""
    lean = np.clip(0.12 * rng.standard_normal((count, 2)), -0.6, 0.6)
    silent = rng.random((count, 2)) < 0.12
    lean = np.where(silent, np.sign(lean), lean)
    # Eyes and the rest of the face lean independently.
    lean = np.where(_EYES, lean[:, :1], lean[:, 1:])
    left, right = 1.0 - np.maximum(lean, 0.0), 1.0 + np.minimum(lean, 0.0)
    return np.where(_SIDES["Left"], left, np.where(_SIDES["Right"], right, 1.0))


def _keep_possible(weights: NDArray[np.float64]) -> None:
    """Drop the weaker one of shapes that exclude each other; keep closed lips possible."""
    for first, second in EXCLUSIVE_PAIRS:
        stronger = weights[:, first] >= weights[:, second]
        weights[:, second] *= ~stronger
        weights[:, first] *= stronger
    close, jaw = COEFFICIENT_INDEX["mouthClose"], COEFFICIENT_INDEX["jawOpen"]
    weights[:, close] = np.minimum(weights[:, close], weights[:, jaw])


def _gaze(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Both eyes together, half of the time near the middle, with a little vergence."""
    spread = np.where(rng.random((count, 1)) < 0.5, 0.25, 1.0)
    common = rng.uniform(-1.0, 1.0, (count, 2)) * spread * _GAZE_LIMIT
    apart = 0.03 * rng.standard_normal((count, 2)) * (1.0, 0.3)
    return np.concatenate([common + apart, common - apart], axis=1)
