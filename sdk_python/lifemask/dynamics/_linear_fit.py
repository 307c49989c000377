"""Fitting the linear back-end: weighted ridge regression for each texel, then a few maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.dynamics._contract import InputRange
from lifemask.dynamics._linear import (
    GROUPS,
    ZERO,
    LinearGroup,
    LinearTexture,
    group_texels,
    linear_features,
)
from lifemask.dynamics._views import PRIOR_WEIGHT
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lifemask.dynamics._samples import TextureSamples

MAPS: Final = 15
"""Basis maps of each group at most; with the mean they fill four rows of four."""
_COMPONENTS: Final = 32
"""Directions of the features in which texels are regressed."""
_SMALLEST_SPREAD: Final = 0.04
"""Standard deviation below which a feature is not blown up to one."""
_RIDGES: Final = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""In frames: what is tried for each group, the best on held-out stretches is taken."""
_MEAN_RIDGE: Final = 0.3
"""Frames that say "no residual" beside what was seen: rarely seen texels stay nearer to it."""
_FOLDS: Final = 5
_TRIED_TEXELS: Final = 600
_CHUNK: Final = 4096
_SPREAD_TEXELS: Final = 2.0
"""Packed texels over which the mean is carried on into what was never seen."""
UNSEEN_RANGE: Final = 0.1
"""A coefficient whose range in the clip stays below this taught nothing."""
_HELD_OUT: Final = 10


@dataclass(frozen=True)
class _Features:
    """Standardised features in their main directions.

    Attributes:
        centre: `(m,)`.
        turn: `(m, c)`: components = (features - centre) @ turn.
        components: `(n, c + 1)` of the training frames, a one in front.
    """

    centre: NDArray[np.float64]
    turn: NDArray[np.float64]
    components: NDArray[np.float32]

    @classmethod
    def of(cls, inputs: NDArray[np.float32]) -> _Features:
        features = linear_features(inputs).astype(np.float64)
        centre = features.mean(axis=0)
        scale = np.maximum(features.std(axis=0), _SMALLEST_SPREAD)
        spread = (features - centre) / scale
        values, vectors = np.linalg.eigh(spread.T @ spread)
        # Directions without any spread would only add noise.
        best = np.argsort(values)[::-1][: min(_COMPONENTS, len(inputs) - 1)]
        best = best[values[best] > 1e-6 * max(values.max(), 1e-12)]
        turn = vectors[:, best] * _signs(vectors[:, best]) / scale[:, None]
        components = (features - centre) @ turn
        ones = np.ones((len(inputs), 1))
        return cls(centre, turn, np.concatenate([ones, components], axis=1).astype(np.float32))


def fit_linear(
    samples: TextureSamples, *, maps: int = MAPS, ridges: Mapping[str, float] | None = None
) -> LinearTexture:
    """Fit the linear back-end to the frames of a clip.

    For each texel and channel: min over b of sum w (t - b z)^2 + ridge |b|^2, z the standardised
    features in their main directions with a constant, w the texel's trust in each frame. Then the
    predictions of each group of regions are cut to a few maps (reduced-rank regression: singular
    vectors of the predictions over the training frames). What was never seen keeps no residual
    but for a soft edge.

    Args:
        samples: See `texture_samples`.
        maps: Basis maps of each group at most, 1 to 15.
        ridges: By group; those that predict held-out stretches best (see `best_ridges`) when left
            out.

    Raises:
        ValueError: Fewer than two frames.
    """
    if len(samples) < 2 or not 1 <= maps <= MAPS:
        raise ValueError(f"{maps} maps from {len(samples)} frames")
    layout = samples.layout
    features = _Features.of(samples.inputs)
    chosen = ridges or best_ridges(samples)
    packed = np.full((maps + 1, layout.size * layout.size, 3), ZERO, np.uint8)
    groups = []
    for name in GROUPS:
        index = group_texels(layout, name)
        group, bytes_ = _fit_group(name, samples, index, features, chosen[name], maps)
        packed[: len(bytes_), index] = bytes_
        groups.append(group)
    used = max(len(group.scales) for group in groups)
    shape = (used, layout.size, layout.size, 3)
    return LinearTexture(
        layout, InputRange.of(samples.inputs), tuple(groups), packed[:used].reshape(shape)
    )


def best_ridges(samples: TextureSamples) -> dict[str, float]:
    """Return for each group the ridge that predicts held-out stretches of the clip best."""
    count, side = len(samples), samples.layout.size
    flat = samples.targets.reshape(count, side * side, 3)
    trust = samples.weights.reshape(count, side * side)
    components = _Features.of(samples.inputs).components
    found = {}
    for name in GROUPS:
        index = group_texels(samples.layout, name)
        tried = index[:: max(len(index) // _TRIED_TEXELS, 1)]
        found[name] = _best_ridge(flat[:, tried], trust[:, tried], components)
    return found


def unseen_shapes(inputs: NDArray[np.floating]) -> tuple[str, ...]:
    """Return the coefficients whose range in inputs `(n, 59)` is too small to learn from."""
    coefficients = np.asarray(inputs)[:, :COEFFICIENT_COUNT]
    ranges = np.ptp(coefficients, axis=0)
    return tuple(
        name for name, x in zip(COEFFICIENT_NAMES, ranges, strict=True) if x < UNSEEN_RANGE
    )


def held_out(count: int) -> NDArray[np.bool_]:
    """Return `(count,)` which of the frames are held out: a tenth, in three stretches."""
    length = max(count // (3 * _HELD_OUT), 1)
    chosen = np.zeros(count, bool)
    for start in np.linspace(0, count, 4, dtype=int)[:-1] + count // 6:
        chosen[start : start + length] = True
    return chosen


def residual_errors(texture: Any, samples: TextureSamples) -> dict[str, tuple[float, float]]:
    """Measure a back-end on samples.

    Args:
        texture: A `DynamicTexture` of the samples' layout.
        samples: That it was not trained on.

    Returns:
        By region: root mean square of the residual that the static albedo leaves, and of what the
        back-end leaves; weighted by trust and mask, encoded albedo. Regions that the samples do
        not show are left out.
    """
    from lifemask.dynamics._contract import decode_residual

    layout = samples.layout
    sums = {region.name: np.zeros(3) for region in layout.regions}
    for inputs, target, weights in zip(
        samples.inputs, samples.targets, samples.weights, strict=True
    ):
        left = target.astype(np.float32) - decode_residual(texture.evaluate(inputs), layout)
        for region in layout.regions:
            seen = np.where(weights[region.window] > PRIOR_WEIGHT, weights[region.window], 0)
            trust = seen * (region.mask / np.float32(255.0**2))
            before = np.square(target[region.window].astype(np.float32)).mean(axis=2)
            after = np.square(left[region.window]).mean(axis=2)
            sums[region.name] += [(trust * before).sum(), (trust * after).sum(), trust.sum()]
    return {
        name: (float(np.sqrt(a / n)), float(np.sqrt(b / n)))
        for name, (a, b, n) in sums.items()
        if n > 1.0
    }


def _fit_group(
    name: str,
    samples: TextureSamples,
    index: NDArray[np.int64],
    features: _Features,
    ridge: float,
    maps: int,
) -> tuple[LinearGroup, NDArray[np.uint8]]:
    count, side = len(samples), samples.layout.size
    flat = samples.targets.reshape(count, side * side, 3)
    trust = samples.weights.reshape(count, side * side)
    size = features.components.shape[1]
    found = np.empty((size, len(index), 3), np.float32)
    for start in range(0, len(index), _CHUNK):
        part = index[start : start + _CHUNK]
        found[:, start : start + len(part)] = _solve(
            flat[:, part], trust[:, part], features.components, ridge
        )
    seen = trust[:, index].sum(axis=0, dtype=np.float64) / 255.0
    mean = _carried_on(found[0], seen, index, side)
    slopes = found[1:].reshape(size - 1, -1)
    basis, mixed = _reduced(slopes, features.components[:, 1:], maps)
    weights = features.components[:, 1:] @ mixed
    matrix = features.turn @ mixed
    bytes_, scales = _as_bytes(np.concatenate([mean.reshape(1, -1), basis]))
    group = LinearGroup(
        name,
        matrix.astype(np.float32),
        (-features.centre @ matrix).astype(np.float32),
        weights.min(axis=0).astype(np.float32) * np.float32(1.1),
        weights.max(axis=0).astype(np.float32) * np.float32(1.1),
        scales,
    )
    return group, bytes_.reshape(len(scales), -1, 3)


def _solve(
    targets: NDArray[np.float16],
    trust: NDArray[np.uint8],
    components: NDArray[np.float32],
    ridge: float,
) -> NDArray[np.float32]:
    """Return `(c + 1, p, 3)` coefficients of p texels, each with its own weights.

    The normal matrices of all texels are one product: weights times products of components.
    """
    size = components.shape[1]
    upper = np.triu_indices(size)
    squares = components[:, upper[0]] * components[:, upper[1]]
    weights = trust.astype(np.float32) / np.float32(255)
    sums = weights.T @ squares
    matrices = np.empty((len(sums), size, size), np.float32)
    matrices[:, upper[0], upper[1]] = sums
    matrices[:, upper[1], upper[0]] = sums
    diagonal = np.arange(size)
    matrices[:, diagonal, diagonal] += np.where(diagonal == 0, _MEAN_RIDGE, ridge)
    weighted = targets.astype(np.float32) * weights[..., None]
    right = components.T @ weighted.reshape(len(weighted), -1)
    right = right.reshape(size, -1, 3).transpose(1, 0, 2)
    return np.linalg.solve(matrices, right).transpose(1, 0, 2).astype(np.float32)


def _best_ridge(
    targets: NDArray[np.float16], trust: NDArray[np.uint8], components: NDArray[np.float32]
) -> float:
    fold = np.arange(len(components)) * _FOLDS // len(components)
    if len(components) < 4 * _FOLDS:
        return _RIDGES[len(_RIDGES) // 2]
    errors = np.zeros(len(_RIDGES))
    for number in range(_FOLDS):
        out = fold == number
        for place, ridge in enumerate(_RIDGES):
            solved = _solve(targets[~out], trust[~out], components[~out], ridge)
            guess = (components[out] @ solved.reshape(len(solved), -1)).reshape(targets[out].shape)
            off = np.square(targets[out].astype(np.float32) - guess).mean(axis=2)
            errors[place] += float((off * trust[out]).sum())
    return _RIDGES[int(np.argmin(errors))]


def _reduced(
    slopes: NDArray[np.float32], components: NDArray[np.float32], maps: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Cut slopes `(c, 3 p)` to a few maps `(k, 3 p)` and a matrix `(c, k)` that mixes them.

    The maps are singular vectors of the predictions over the training frames, scaled so that
    weights have unit spread there.
    """
    inner = slopes @ slopes.T
    left = components.astype(np.float64)
    # Singular values of the predictions P = Z S through the small matrix (Z S)(Z S)^T.
    gram = left @ inner.astype(np.float64) @ left.T
    values, vectors = np.linalg.eigh(gram)
    order = np.argsort(values)[::-1][: min(maps, len(components), len(slopes))]
    order = order[values[order] > 1e-9 * max(float(values.max()), 1e-12)]
    if not len(order):
        return np.zeros((1, slopes.shape[1]), np.float32), np.zeros((len(slopes), 1))
    chosen = vectors[:, order] * _signs(vectors[:, order])
    spread = np.sqrt(len(components))
    basis = (chosen.T @ left @ slopes) / spread
    # Weights of any z: project z S on the maps.
    norms = values[order] / len(components)
    mixed = slopes.astype(np.float64) @ basis.T / norms
    return basis.astype(np.float32), mixed


def _carried_on(
    mean: NDArray[np.float32], seen: NDArray[np.float64], index: NDArray[np.int64], side: int
) -> NDArray[np.float32]:
    """Let the mean `(p, 3)` fade out where nothing was seen, instead of ending at an edge."""
    import cv2

    picture = np.zeros((side * side, 4), np.float32)
    confidence = np.clip(seen / 3.0, 0.0, 1.0).astype(np.float32)
    picture[index, :3] = mean * confidence[:, None]
    picture[index, 3] = confidence
    blurred = cv2.GaussianBlur(picture.reshape(side, side, 4), (0, 0), _SPREAD_TEXELS)
    near = blurred.reshape(-1, 4)[index]
    filled = near[:, :3] / np.maximum(near[:, 3:], 0.15)
    return np.asarray(confidence[:, None] * mean + (1 - confidence[:, None]) * filled, np.float32)


def _as_bytes(maps: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return maps `(n, p)` in biased bytes, and what 255 stands for in each."""
    scales = np.maximum(np.abs(maps).max(axis=1), 1e-4).astype(np.float32)
    steps = np.rint(maps / scales[:, None] * (255 - ZERO)) + ZERO
    return np.clip(steps, 0, 255).astype(np.uint8), scales


def _signs(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `(k,)` signs that make the largest entry of each column positive."""
    largest = np.abs(vectors).argmax(axis=0)
    return np.where(vectors[largest, np.arange(vectors.shape[1])] < 0, -1.0, 1.0)
