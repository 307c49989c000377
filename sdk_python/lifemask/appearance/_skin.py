"""The skin of the atlas: what the pictures show, and what has to be filled in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._pyramid import blur, grow, push_pull, shrink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.appearance._atlas import Texels
    from lifemask.appearance._projection import View

_SAMPLES: Final = 60_000
_SKIN_FAR: Final = (1.9, 3.2)
"""Mahalanobis distances between which a colour stops counting as skin."""
_DOUBTFUL: Final = 0.12
"""Trust below which a texel is not used at all."""


@dataclass(frozen=True)
class SkinTone:
    """Colour of a person's skin without light.

    Attributes:
        encoded: `(3,)` sRGB in [0, 1].
        mean: `(3,)` of the features of `_features`.
        precision: `(3, 3)` inverse covariance of the features.
    """

    encoded: NDArray[np.float32]
    mean: NDArray[np.float64]
    precision: NDArray[np.float64]

    def likeness(self, encoded: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return `(n,)` in [0, 1]: whether sRGB colours `(n, 3)` can be this skin."""
        away = _features(encoded) - self.mean
        distance = np.sqrt(np.einsum("nk,kl,nl->n", away, self.precision, away))
        low, high = _SKIN_FAR
        return np.clip((high - distance) / (high - low), 0, 1).astype(np.float32)


@dataclass(frozen=True)
class SeenSkin:
    """The merged evidence of all pictures, as atlas pictures.

    Attributes:
        colour: `(size, size, 3)` float32 sRGB without light.
        weight: `(size, size)` float32 in [0, 1]: trust that this is skin of the face.
        lit: `(size, size, 3)` the same colours with their light.
        facing: `(size, size)` best cosine of the viewing angle, -1 where unseen.
        likeness: `(size, size)` in [0, 1], whether the colour can be skin.
        tone: The person's skin.
    """

    colour: NDArray[np.float32]
    lit: NDArray[np.float32]
    weight: NDArray[np.float32]
    facing: NDArray[np.float32]
    likeness: NDArray[np.float32]
    tone: SkinTone


def fill_skin(texels: Texels, seen: SeenSkin) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the whole skin `(size, size, 3)` sRGB: seen, else mirrored, else continued.

    What is stored is the difference to the person's mean skin; it is taken from the other side
    where only that was seen, then continued smoothly (push-pull), so that no seam appears.

    Returns:
        The skin, and `(size, size)` how far it was seen on either side rather than continued.
    """
    base = seen.tone.encoded
    difference = (seen.colour - base) * (seen.weight[..., None] > 0)
    other = texels.mirrored(np.dstack([difference, seen.weight]))
    mirrored, mirrored_weight = texels.image(other[:, :3]), texels.image(other[:, 3])
    own = seen.weight
    borrowed = (1 - own) * mirrored_weight
    # Coarse levels add weights up, so many doubtful texels would count as one certain one.
    weight = np.clip((own + borrowed - _DOUBTFUL) / (1 - _DOUBTFUL), 0, 1)
    level = _level_sides(difference, own, mirrored, mirrored_weight)
    mixed = (own[..., None] * difference + borrowed[..., None] * (mirrored + level)) / np.maximum(
        own + borrowed, 1e-6
    )[..., None]
    filled = push_pull(mixed, weight)
    # The seam up the back of the head has two edges, each other's mirror image: unseen skin is
    # made symmetric, so that it meets itself there.
    unseen = 0.5 * (1 - weight)[..., None]
    filled = (1 - unseen) * filled + unseen * texels.image(texels.mirrored(filled))
    return np.asarray(np.clip(base + filled, 0, 1), np.float32), np.asarray(weight, np.float32)


def plain_skin(texels: Texels) -> NDArray[np.float32]:
    """`(n,)` in [0, 1]: face without brows, lips and lids."""
    plain = texels.mask("face")
    for region in ("brows", "lips", "eyelids"):
        plain *= 1 - np.clip(1.5 * texels.mask(region), 0, 1)
    return plain


def skin_tone(
    albedos: Sequence[NDArray[np.float32]], views: Sequence[View], plain: NDArray[np.float32]
) -> SkinTone:
    samples = []
    for albedo, view in zip(albedos, views, strict=True):
        chosen = np.flatnonzero((plain > 0.8) & (view.trust > 0.6) & (view.core > 0.8))
        samples.append(albedo[chosen[:: max(1, len(chosen) // _SAMPLES)]])
    colours = np.concatenate(samples)
    middle = np.median(colours, axis=0)
    # Beard, glasses and strands of hair are left out: the nearer half decides.
    distance = np.abs(colours - middle).sum(axis=1)
    inner = colours[distance <= np.median(distance) * 1.5]
    features = _features(inner)
    mean = np.median(features, axis=0)
    covariance = np.cov((features - mean).T) * 2.0 + np.diag([0.03, 0.012, 0.012]) ** 2
    precision = np.asarray(np.linalg.inv(covariance), np.float64)
    return SkinTone(inner.mean(axis=0).astype(np.float32), mean, precision)


def _features(encoded: NDArray[np.floating]) -> NDArray[np.float64]:
    """Log luminance and two log chromaticities: light changes the first most."""
    rgb = np.maximum(np.asarray(encoded, np.float64), 0.02)
    log = np.log(rgb)
    return np.stack([0.5 * log.mean(axis=1), log[:, 0] - log[:, 1], log[:, 1] - log[:, 2]], axis=1)


def _level_sides(
    own: NDArray[np.float32],
    own_weight: NDArray[np.float32],
    mirrored: NDArray[np.float32],
    mirrored_weight: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the smooth difference of the two sides where both were seen, continued elsewhere."""
    size = own.shape[0]
    small = size // 8
    both = own_weight * mirrored_weight
    weighted = shrink((own - mirrored) * both[..., None], small, small)
    both = shrink(both, small, small)
    gap = push_pull(weighted / np.maximum(both, 1e-4)[..., None], (both > 0.2) * both)
    return grow(blur(gap, small / 40), size, size)
