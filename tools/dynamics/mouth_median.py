"""Mouth interiors looked up in the clip: a median of many frames keeps teeth sharp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._errors import InputError
from lifemask.dynamics import InputRange
from lifemask.dynamics._key import KEY_ZERO, encode_key
from lifemask.dynamics._key_fit import weighted_median
from lifemask.heads import COEFFICIENT_COUNT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.dynamics import Layout, TextureSamples
    from lifemask.heads import Head

INTERIOR: Final = ("cavity", "teeth", "tongue")
"""Regions that are looked up."""

_MOST: Final = 300
"""Frames that are kept, L of paper 004."""
_NEAREST: Final = 50
"""Frames that a median is taken over."""
_MASS: Final = 0.9
"""Share of all weight that these carry."""
_BISECTIONS: Final = 40
_DIRECTIONS: Final = 16


@dataclass(frozen=True)
class MouthDatabase:
    """Frames of the mouth's inside, and where the lips were in each.

    Attributes:
        layout: Of the texels.
        index: `(m,)` texels of the flattened packed atlas.
        textures: `(n, m, 3)` uint8 residuals in units of the scale, see `KEY_ZERO`.
        weights: `(n, m)` uint8, 0 where a frame did not see a texel.
        lips: `(n, r)` float32 m, positions of the lips in each frame, in `basis`.
        basis: `(52, r)` float32 m, from coefficients to those positions; distances between
            positions are root mean squares over the points of the lips.
        range: Inputs of the frames.
    """

    layout: Layout
    index: NDArray[np.int64]
    textures: NDArray[np.uint8]
    weights: NDArray[np.uint8]
    lips: NDArray[np.float32]
    basis: NDArray[np.float32]
    range: InputRange

    @property
    def size_bytes(self) -> int:
        """Memory that textures and weights take."""
        return self.textures.nbytes + self.weights.nbytes

    def apply(
        self, output: NDArray[np.floating], inputs: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """Put the inside of the mouth into what another back-end gave.

        Per texel and channel the weighted median over the nearest frames (Suwajanakorn et al.
        2017, as in paper 004, section 6). Texels that none of these saw stay as given.

        Args:
            output: `(size, size, 3)` of `DynamicTexture.evaluate`.
            inputs: `(59,)` of `dynamic_input`.
        """
        coefficients = self.range.clamp(inputs)[:COEFFICIENT_COUNT]
        frames, shares = nearest_frames(self.lips, coefficients @ self.basis)
        weights = self.weights[frames].astype(np.float32) * shares[:, None]
        values = self.textures[frames].astype(np.float32)
        median = (weighted_median(values, weights) - KEY_ZERO) / (255 - KEY_ZERO)
        seen = weights.sum(axis=0) > 0
        result = np.array(output, np.float32)
        flat = result.reshape(-1, 3)
        flat[self.index[seen]] = 0.5 + 0.5 * median[seen]
        return np.clip(result, 0, 1)


def mouth_database(samples: TextureSamples, head: Head) -> MouthDatabase:
    """Keep the frames of a clip that show the inside of the mouth, at most 300.

    Where there are more, those stay that differ most in where the lips are.

    Raises:
        InputError: No frame shows the inside of the mouth.
    """
    layout = samples.layout
    masks = np.zeros((layout.size, layout.size), bool)
    for region in layout.regions:
        if region.name in INTERIOR:
            masks[region.window] = region.mask > 0
    index = np.flatnonzero(masks.ravel())
    seen = samples.weights.reshape(len(samples), -1)[:, index]
    frames = np.flatnonzero(seen.any(axis=1))
    if not len(frames):
        raise InputError(
            "no frame shows the inside of the mouth",
            hint="Record some seconds of speech and a wide smile.",
        )
    basis = _lip_basis(head)
    lips = samples.inputs[:, :COEFFICIENT_COUNT] @ basis
    frames = frames[_spread(lips[frames], _MOST)]
    scales = layout.scales().reshape(-1, 1)[index]
    targets = samples.targets.reshape(len(samples), -1, 3)[frames][:, index]
    return MouthDatabase(
        layout,
        index,
        encode_key(targets.astype(np.float32) / scales),
        np.ascontiguousarray(seen[frames]),
        lips[frames],
        basis,
        InputRange.of(samples.inputs),
    )


def nearest_frames(
    places: NDArray[np.floating], place: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the nearest frames, at most 50, and their weights `exp(-d^2 / 2 sigma^2)`.

    Sigma is such that these carry nine tenths of the weight of all frames.

    Args:
        places: `(n, r)`.
        place: `(r,)`.
    """
    square = ((places - place) ** 2).sum(axis=1).astype(np.float64)
    order = np.argsort(square, kind="stable")
    count = min(_NEAREST, max(3, len(places) // 4), len(places))
    ranked = square[order] - square[order[0]]
    if ranked[-1] <= 0:
        return order[:count], np.ones(count, np.float32)
    low, high = 1e-12, 10 * ranked[-1] + 1e-12
    for _ in range(_BISECTIONS):
        middle = np.sqrt(low * high)
        weights = np.exp(-ranked / (2 * middle))
        if weights[:count].sum() > _MASS * weights.sum():
            low = middle
        else:
            high = middle
    return order[:count], np.exp(-ranked[:count] / (2 * low)).astype(np.float32)


def _lip_basis(head: Head) -> NDArray[np.float32]:
    """Return `(52, r)`: coefficients to a few numbers that keep distances between lips."""
    lips = np.flatnonzero(head.topology.masks["lips"] > 0.5)
    moved = head.expression_deltas[:, lips].reshape(COEFFICIENT_COUNT, -1)
    left, sizes, _ = np.linalg.svd(moved / np.sqrt(len(lips)), full_matrices=False)
    return np.ascontiguousarray((left * sizes)[:, :_DIRECTIONS], np.float32)


def _spread(places: NDArray[np.floating], most: int) -> NDArray[np.int64]:
    """Return which places to keep, farthest first from those already kept, in order."""
    if len(places) <= most:
        return np.arange(len(places))
    chosen = [0]
    distance = np.linalg.norm(places - places[0], axis=1)
    while len(chosen) < most:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return np.sort(np.array(chosen))
