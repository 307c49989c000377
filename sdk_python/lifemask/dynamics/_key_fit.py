"""Choosing key textures from a clip, and learning when each one shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask._errors import InputError
from lifemask.dynamics._activation import (
    DRIVER_NAMES,
    EVERYWHERE,
    REST,
    activation_masks,
    driver_values,
)
from lifemask.dynamics._contract import InputRange
from lifemask.dynamics._key import (
    KEY_COUNT,
    KEY_ZERO,
    MASK_CHANNELS,
    KeyRegion,
    KeyTexture,
    empty_region,
    encode_key,
    key_matrix,
    key_weights,
)
from lifemask.dynamics._key_masks import factor_masks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.dynamics._regions import Region
    from lifemask.dynamics._samples import TextureSamples
    from lifemask.heads import Head

OWN_FOOTAGE: Final = "learnt from the user's own footage"

_REACHES: Final = 0.02
"""Mean activation over a region from which a driver counts as one of its own."""
_SHOWN: Final = 0.04
"""Range of a driver in the clip from which it counts as shown."""
_NEAREST: Final = 5
"""Frames whose median is a key: an odd few, so that noise goes and what they share stays."""
_TEXELS: Final = 1500
"""Texels of a region that gains are learnt from."""
_ROUNDS: Final = 2
_CALM: Final = 0.06
"""Ridge of the gains, relative to the mean diagonal: unshown drivers change nothing."""
_CALM_VIEW: Final = 10.0
"""How much harder view drivers are held: an orbiting camera is to leave an expression alone."""
_FEW: Final = 20
"""Frames, counted by how much of the region they show, at which that ridge is doubled."""
_EVENLY: Final = 0.15
"""How much a driver acts on all of a region that it reaches: shadows fall beyond what moves."""
_KEEP: Final = 0.005
"""Ridge that holds a refined key to the frames that it was chosen from, in frames per frame."""
_BATCH: Final = 32
"""Frames that keys are refined with at a time."""


class _Shown(NamedTuple):
    """What the clip shows of one region."""

    drivers: NDArray[np.float32]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]


def fit_key_textures(samples: TextureSamples, head: Head) -> KeyTexture:
    """Make key textures of a clip (paper 004, section 5, on frames instead of a generator).

    Each region chooses its own six moments: the farthest from rest and from each other in the
    drivers that act there, among frames that show the region well. A key is the weighted median
    of the few frames nearest to its moment, so that tracking noise of one frame is not baked.
    Where the paper takes the coefficients of a key as its gains `a_e^k`, which makes a key weigh
    more than 1 or less than its due when several shapes are active, gains here are the least
    squares that show the clip best; then keys are refined for these gains. Drivers that the clip
    never shows get no gain: the region stays static for them.

    Args:
        samples: The clip's training set.
        head: Geometry with the shapes that the clip was tracked with.

    Raises:
        InputError: Fewer than two frames.
    """
    if len(samples) < 2:
        raise InputError(
            "one frame is too few for key textures",
            hint="Record some seconds in which the face moves.",
        )
    layout = samples.layout
    activation = activation_masks(head, layout)
    drivers = driver_values(samples.inputs)
    keys = np.full((KEY_COUNT, layout.size, layout.size, 3), KEY_ZERO, np.uint8)
    masks = np.zeros((layout.size, layout.size, MASK_CHANNELS), np.uint8)
    regions = {}
    for region in layout.regions:
        fitted = _fit_region(samples, region, activation[:, *region.window], drivers)
        regions[region.name], keys[:, *region.window], masks[region.window] = fitted
    return KeyTexture(layout, keys, masks, regions, InputRange.of(samples.inputs), OWN_FOOTAGE)


def _fit_region(
    samples: TextureSamples,
    region: Region,
    activation: NDArray[np.float32],
    drivers: NDArray[np.float32],
) -> tuple[KeyRegion, NDArray[np.uint8], NDArray[np.uint8]]:
    """Return one region with its keys `(6, h, w, 3)` and masks `(h, w, 6)`."""
    height, width = region.mask.shape
    inside = region.mask.ravel() > 0
    mean = activation.reshape(len(activation), -1)[:, inside].mean(axis=1)
    mean[EVERYWHERE] = 0
    reaches = mean > _REACHES * mean.max()
    shown = np.ptp(drivers, axis=0) > _SHOWN
    reaches[EVERYWHERE] = True
    shown[REST] = True
    used = reaches & shown
    unseen = tuple(DRIVER_NAMES[i] for i in np.flatnonzero(reaches & ~shown))
    keys = np.full((KEY_COUNT, height, width, 3), KEY_ZERO, np.uint8)
    even = _EVENLY + (1 - _EVENLY) * activation
    channels, masks = factor_masks(even * used[:, None, None])
    targets = samples.targets[:, *region.window].reshape(len(samples), -1, 3)
    weights = samples.weights[:, *region.window].reshape(len(samples), -1)
    weights = np.multiply(weights, region.mask.ravel() / (255.0 * 255.0), dtype=np.float32)
    seen = weights.sum(axis=1)
    if not used.any() or not seen.any():
        part = empty_region()
        return KeyRegion(part.gains, part.channels, (), unseen), keys, masks
    data = _Shown(drivers * used, targets.astype(np.float32) / region.scale, weights)
    chosen = _moments(data, mean * used, seen)
    textures = np.stack([_key_of(data, mean, moment) for moment in chosen])
    textures = np.pad(textures, [(0, KEY_COUNT - len(textures)), (0, 0), (0, 0)])
    gains = np.zeros((KEY_COUNT, len(DRIVER_NAMES)), np.float32)
    flat = np.multiply(masks.reshape(-1, MASK_CHANNELS), 1 / 255, dtype=np.float32)
    for _ in range(_ROUNDS):
        gains = _gains(data, textures, flat, channels, used)
        textures = _refined(data, textures, flat, KeyRegion(gains, channels))
    keys[:] = encode_key(textures).reshape(keys.shape)
    frames = tuple(int(samples.frames[moment]) for moment in chosen)
    return KeyRegion(gains, channels, frames, unseen), keys, masks


def _moments(data: _Shown, importance: NDArray[np.float32], seen: NDArray[np.float32]) -> list[int]:
    """Choose up to six frames: farthest first from rest, then from each other."""
    points = data.drivers * np.sqrt(importance)
    good = seen >= 0.6 * np.quantile(seen, 0.9)
    quality = np.where(good, 1.0, 0.25) * _sharpness(data)
    distance = np.linalg.norm(points, axis=1)
    floor = 0.15 * float(distance.max())
    chosen: list[int] = []
    while len(chosen) < KEY_COUNT and float(distance.max()) > floor:
        chosen.append(int(np.argmax(distance * quality)))
        apart = np.linalg.norm(points - points[chosen[-1]], axis=1)
        distance = np.minimum(distance, apart)
        if distance[chosen[-1]] > 0:
            break
    return chosen or [int(np.argmax(seen))]


def _sharpness(data: _Shown) -> NDArray[np.float32]:
    """Return a factor `(n,)` from 0.5 to 1: how much detail a frame has against the others."""
    step = np.abs(np.diff(data.targets, axis=1)).mean(axis=2)
    both = data.weights[:, 1:] * data.weights[:, :-1]
    detail = (step * both).sum(axis=1) / (both.sum(axis=1) + 1e-6)
    order = np.argsort(np.argsort(detail, kind="stable"), kind="stable")
    return (0.5 + 0.5 * np.minimum(2 * order / max(len(order) - 1, 1), 1)).astype(np.float32)


def _key_of(data: _Shown, mean: NDArray[np.float32], moment: int) -> NDArray[np.float32]:
    """Return the weighted median `(n_texels, 3)` of the frames nearest to a moment.

    Texels that none of them saw are residual zero.
    """
    points = data.drivers * np.sqrt(mean)
    near = np.linalg.norm(points - points[moment], axis=1)
    frames = np.argsort(near, kind="stable")[:_NEAREST]
    return weighted_median(data.targets[frames], data.weights[frames])


def weighted_median(
    values: NDArray[np.floating], weights: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Return the per-texel, per-channel weighted median over the first axis.

    Args:
        values: `(k, n, 3)`.
        weights: `(k, n)`, not negative.

    Returns:
        `(n, 3)` float32, 0 where all weights are 0.
    """
    order = np.argsort(values, axis=0, kind="stable")
    spread = np.broadcast_to(weights[..., None], values.shape)
    mass = np.cumsum(np.take_along_axis(spread, order, axis=0), axis=0)
    place = (mass < 0.5 * mass[-1:]).sum(axis=0)
    index = np.take_along_axis(order, place[None].clip(max=len(values) - 1), axis=0)
    median = np.take_along_axis(values, index, axis=0)[0]
    return np.where(mass[-1] > 0, median, 0).astype(np.float32)


def _gains(
    data: _Shown,
    textures: NDArray[np.float32],
    masks: NDArray[np.float32],
    channels: NDArray[np.float32],
    used: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Return gains `(6, 65)`: least squares of the clip.

    The residual is linear in the gains while no weight is negative and their sum is below 1:
    `r_t(v) = sum_ke gains_ke x_te sum_c channels_ec masks_c(v) T_k(v)`, so the normal equations
    are gathered frame by frame over pairs (key, channel), and folded to (key, driver).
    """
    names = np.flatnonzero(used)
    some = _spread_texels(data.weights, masks)
    design = np.einsum("knd,nc->kcnd", textures[:, some], masks[some])
    design = design.reshape(KEY_COUNT * MASK_CHANNELS, -1)
    unknown = KEY_COUNT * len(names)
    left, right = np.zeros((unknown, unknown)), np.zeros(unknown)
    for drivers, target, weight in zip(data.drivers, data.targets, data.weights, strict=True):
        importance = np.repeat(weight[some], 3)
        fold = np.kron(np.eye(KEY_COUNT), channels[names].T * drivers[names])
        weighted = design * importance
        left += fold.T @ (weighted @ design.T) @ fold
        right += fold.T @ (weighted @ target[some].ravel())
    # A part that few frames show, such as the tongue, is not to be trusted with large gains.
    seen = data.weights.sum(axis=1)
    frames = float(seen.sum() / max(seen.max(), 1e-6))
    ridge = _CALM * (1 + _FEW / frames) * np.trace(left) / unknown
    view = (names >= EVERYWHERE.start) & (names < REST)
    held = np.tile(np.where(view, _CALM_VIEW, 1.0), KEY_COUNT) * (ridge + 1e-9)
    solution = np.linalg.solve(left + np.diag(held), right)
    gains = np.zeros((KEY_COUNT, len(DRIVER_NAMES)), np.float32)
    gains[:, names] = solution.reshape(KEY_COUNT, len(names))
    return gains


def _spread_texels(weights: NDArray[np.float32], masks: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return evenly spread texels that are seen and that some driver reaches."""
    found = np.flatnonzero((weights.sum(axis=0) > 0) & (masks.sum(axis=1) > 0))
    return found[:: max(1, len(found) // _TEXELS)]


def _refined(
    data: _Shown,
    textures: NDArray[np.float32],
    masks: NDArray[np.float32],
    region: KeyRegion,
) -> NDArray[np.float32]:
    """Return keys `(6, n, 3)` that show the clip best with given gains.

    Per texel a 6 x 6 least squares, held to the chosen frames where the clip says little.
    """
    count = textures.shape[1]
    left = np.zeros((count, KEY_COUNT, KEY_COUNT), np.float32)
    right = np.zeros((count, KEY_COUNT, 3), np.float32)
    for first in range(0, len(data.drivers), _BATCH):
        some = slice(first, first + _BATCH)
        matrices = [key_matrix(region, drivers) for drivers in data.drivers[some]]
        shares = np.stack([key_weights(masks, matrix) for matrix in matrices], axis=2)
        weighted = shares * data.weights[some].T[:, None, :]
        left += weighted @ np.swapaxes(shares, 1, 2)
        right += weighted @ np.swapaxes(data.targets[some], 0, 1)
    hold = np.float32(_KEEP * float(data.weights.sum()) / count + 1e-6)
    left += hold * np.eye(KEY_COUNT, dtype=np.float32)
    right += hold * np.swapaxes(textures, 0, 1)
    solved = np.linalg.solve(left, right)
    return np.clip(np.swapaxes(solved, 0, 1), -1, 1).astype(np.float32)
