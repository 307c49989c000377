"""What a texture network learns from: inputs made comparable, weights, and chances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._errors import InputError
from lifemask.dynamics._contract import InputRange, encode_residual
from lifemask.dynamics._export import InputScaling
from lifemask.dynamics._pixels import unshuffled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.dynamics._contract import Layout
    from lifemask.dynamics._samples import TextureSamples

FEWEST_SAMPLES: Final = 12
_STILL: Final = 0.02
"""An input that moves less than this in a clip tells nothing and is left out."""
_SMALLEST_SPREAD: Final = 0.05
_NOISE_RANGE: Final = (0.003, 0.05)
_REGION_WEIGHTS: Final = {"face": 1.0, "forehead": 4.0, "eye": 10.0, "mouth": 10.0, "teeth": 20.0}
"""By the first part of a region's name; what is not listed counts as the mouth does."""
_HELD_SHARE: Final = 0.1
_FEWEST_HELD: Final = 6
_NEIGHBOURS: Final = 6
_RARE_LIMIT: Final = 4.0


@dataclass(frozen=True)
class TrainingSet:
    """Samples in the form that training reads.

    Attributes:
        inputs: `(n, 59)` normalised.
        targets: `(n, size / 2, size / 2, 12)` float16 in [-0.5, 0.5], residual over twice its
            scale, `unshuffled`.
        seen: `(n, size / 2, size / 2, 4)` uint8, how well each texel was seen, likewise.
        importance: `(size, size)` how much an error counts, mean 1 where it is not 0.
        noise: `(59,)` standard deviation of the tracker's noise, normalised.
        chances: `(n_train,)` how often a training sample is drawn, sum 1.
        neighbours: `(n_train, k)` training samples whose inputs are nearest.
        train: Number of training samples; those behind them, if any, are held out.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.float16]
    seen: NDArray[np.uint8]
    importance: NDArray[np.float32]
    noise: NDArray[np.float32]
    chances: NDArray[np.float64]
    neighbours: NDArray[np.int64]
    train: int


def input_scaling(inputs: NDArray[np.float32]) -> InputScaling:
    """Measure what the inputs `(n, 59)` were.

    Inputs that hardly moved get gain 0: nothing can be learnt about them, and a weight that
    training left at chance would show as soon as they move in a game.
    """
    spread = np.maximum(inputs.std(axis=0), _SMALLEST_SPREAD)
    moved = np.ptp(inputs, axis=0) > _STILL
    gain = np.where(moved, 1.0 / spread, 0.0).astype(np.float32)
    return InputScaling(InputRange.of(inputs), inputs.mean(axis=0), gain)


def training_set(samples: TextureSamples, inputs: InputScaling) -> TrainingSet:
    """Prepare samples for training.

    Args:
        samples: Of one clip, in the order of time.
        inputs: What `input_scaling` says of them.

    Raises:
        InputError: There are too few samples, or hardly anything was seen.
    """
    count = len(samples.inputs)
    if count < FEWEST_SAMPLES:
        raise InputError(
            f"a texture network cannot learn from {count} frames",
            hint=f"Use a clip with at least {FEWEST_SAMPLES} frames that show the face, better "
            "300; the linear and key textures need fewer.",
        )
    importance = texel_weights(samples.layout) * samples.weights.any(axis=0)
    if not importance.any():
        raise InputError(
            "no frame shows the face well enough to learn its texture from",
            hint="Use a sharper clip in which the face is larger.",
        )
    importance /= importance[importance > 0].mean()
    normalized = inputs.normalized(samples.inputs)
    return TrainingSet(
        normalized,
        _encoded(samples),
        unshuffled(samples.weights[..., None]),
        importance.astype(np.float32),
        _tracking_noise(samples.inputs, inputs),
        *_company(normalized),
        count,
    )


def without_tail(data: TrainingSet) -> TrainingSet:
    """Hold the last tenth of the samples out; nothing is held out of very few."""
    count = len(data.inputs)
    train = count - max(round(_HELD_SHARE * count), _FEWEST_HELD)
    if train < FEWEST_SAMPLES:
        return data
    chances, neighbours = _company(data.inputs[:train])
    return replace(data, chances=chances, neighbours=neighbours, train=train)


def texel_weights(layout: Layout) -> NDArray[np.float32]:
    """Return `(size, size)`, how much an error of the output counts; 0 where nothing is shown.

    Eyes and mouth count most, because people look there. Errors count in the units of the
    albedo, as far as the mask lets them through.
    """
    importance = layout.masks() / np.float32(255) * layout.scales()[..., 0]
    for region in layout.regions:
        part = region.name.split("_")[0]
        importance[region.window] *= _REGION_WEIGHTS.get(part, _REGION_WEIGHTS["mouth"])
    return np.asarray(importance, np.float32)


def _encoded(samples: TextureSamples) -> NDArray[np.float16]:
    half = samples.layout.size // 2
    encoded = np.empty((len(samples.targets), half, half, 12), np.float16)
    for index, target in enumerate(samples.targets):
        encoded[index] = unshuffled(encode_residual(target, samples.layout)[None] - 0.5)[0]
    return encoded


def _tracking_noise(raw: NDArray[np.float32], inputs: InputScaling) -> NDArray[np.float32]:
    """Return the noise of each input `(59,)`: what differs from the mean of both neighbours."""
    rough = raw[1:-1] - 0.5 * (raw[:-2] + raw[2:])
    deviation = 1.4826 * np.median(np.abs(rough), axis=0) / np.sqrt(1.5)
    return (np.clip(deviation, *_NOISE_RANGE) * inputs.gain).astype(np.float32)


def _company(inputs: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return how often each sample is drawn, and which lie nearest to it.

    Rare expressions are drawn up to two and a half times as often as others.
    """
    squares = np.square(inputs).sum(axis=1)
    distances = squares[:, None] + squares[None] - 2.0 * inputs @ inputs.T
    distances[np.diag_indices(len(inputs))] = -1.0
    order = np.argsort(distances, axis=1, kind="stable")[:, 1 : _NEIGHBOURS + 1]
    near = np.take_along_axis(distances, order, axis=1).astype(np.float64)
    near = np.sqrt(np.maximum(near, 0.0)).mean(axis=1)
    chances = 0.5 + 0.5 * np.minimum(near / max(float(near.mean()), 1e-9), _RARE_LIMIT)
    return chances / chances.sum(), order


def varied_inputs(data: TrainingSet, rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Return `(count, 59)` normalised inputs such as a game may send.

    Training inputs with tracking noise; half of them on the way to a neighbour, a quarter on the
    way to any other expression, and a quarter exaggerated.
    """
    chosen = rng.choice(data.train, count, p=data.chances)
    near = data.neighbours[chosen, rng.integers(data.neighbours.shape[1], size=count)]
    kind = rng.random(count)
    other = np.where(kind < 0.5, near, rng.integers(data.train, size=count))
    share = np.where(kind < 0.75, rng.random(count), 0.0)[:, None].astype(np.float32)
    inputs = data.inputs[chosen]
    inputs += share * (data.inputs[other] - inputs)
    more = np.where(kind >= 0.75, 1.0 + 0.5 * rng.random(count), 1.0)[:, None]
    inputs = inputs * more.astype(np.float32)
    noise = data.noise * rng.standard_normal(inputs.shape, np.float32)
    return np.asarray(inputs + noise, np.float32)
