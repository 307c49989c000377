"""What order-2 light leaves behind: cast shadow, coloured sides, highlights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._pyramid import blur, grow, push_pull, shrink
from lifemask.geometry import linear_to_srgb, srgb_to_linear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.appearance._atlas import Texels
    from lifemask.appearance._skin import SeenSkin

_SIDE: Final = 256
_REACH: Final = 1 / 36
"""Standard deviation of what counts as smooth, as a share of the atlas."""
_MARK: Final = 0.12
"""Difference of logarithms to its surroundings at which a colour counts as a mark, not as light."""
_LUMINANCE: Final = 0.85
_COLOUR: Final = 0.95
"""Shares of the smooth difference of the two sides that are taken for light."""
_FLAT: Final = 0.25
"""Share of the smooth difference of plain skin from its mean that is taken for light."""
_MOST: Final = 0.7
"""Largest change of a logarithm."""
_SHINE: Final = 1.10
"""Luminance against its surroundings from which skin counts as shining."""
_LEAST: Final = 0.82
"""Share of a channel that is left at least."""
_TAKEN: Final = 0.5
"""Share of the shine that is taken out, in the light's own colour."""


def even_sides(texels: Texels, seen: SeenSkin, plain: NDArray[np.float32]) -> SeenSkin:
    """Take the smooth difference of the two sides out of the colours.

    A face is nearly alike on both sides, light is not. Compared are smooth colours of plain
    skin, out of which marks are left, so that a mole does not ghost on the other cheek; the side
    that was lit within what the camera resolves counts more.

    Args:
        texels: Of the skin.
        seen: What the pictures show.
        plain: `(n,)` in [0, 1]: face without brows, lips and lids.
    """
    side = min(_SIDE, texels.size)
    like = seen.likeness * texels.image(plain)
    weight = seen.weight * np.maximum(like, 0.02 * (seen.likeness > 0.5))
    log = np.log(np.maximum(seen.colour, 0.02))
    total = shrink(weight, side, side)
    summed = shrink(log * weight[..., None], side, side)
    small = np.asarray(summed / np.maximum(total, 1e-4)[..., None], np.float32)
    smooth = _smooth_without_marks(small, total)
    sure = total * shrink(_well_exposed(seen), side, side)
    other = _mirrored(texels, np.dstack([smooth, sure]), side)
    both = sure + other[..., 3]
    middle = (sure[..., None] * smooth + other[..., 3:] * other[..., :3]) / np.maximum(both, 1e-6)[
        ..., None
    ]
    change = middle - smooth
    grey = change.mean(axis=2, keepdims=True)
    change = _LUMINANCE * grey + _COLOUR * (change - grey)
    plainly = np.minimum(sure, other[..., 3])
    usual = np.log(np.maximum(seen.tone.encoded, 0.02)).mean()
    change -= _FLAT * (middle.mean(axis=2, keepdims=True) - usual)
    change = push_pull(np.clip(change, -_MOST, _MOST), np.clip(4.0 * plainly, 0, 1))
    # Hair and the back of the head have a light of their own.
    near = np.clip(3.0 * blur(np.clip(4.0 * plainly, 0, 1), side * _REACH), 0, 1)
    change = blur(change * near[..., None], side * _REACH / 3)
    size = texels.size
    return replace(seen, colour=np.clip(seen.colour * np.exp(grow(change, size, size)), 0, 1))


def without_highlights(texels: Texels, seen: SeenSkin, plain: NDArray[np.float32]) -> SeenSkin:
    """Take most of the shine off the skin (dichromatic reflection, Shafer 1985).

    Where skin is brighter than its surroundings, the excess is light that never entered it: it
    has the colour of the light, grey by now, and is taken out of all channels alike.
    """
    size = texels.size
    linear = srgb_to_linear(seen.colour.reshape(-1, 3)[texels.index])
    grey = linear.mean(axis=1)
    like = seen.likeness.ravel()[texels.index]
    usual = max(float(srgb_to_linear(seen.tone.encoded).mean()), 1e-3)
    # Brows, lashes and beard are dark, and skin beside them does not shine for that.
    weight = seen.weight.ravel()[texels.index] * plain * like
    weight *= np.clip((grey - 0.35 * usual) / (0.25 * usual), 0, 1)
    around = _around(texels, grey, weight, usual, size / 50)
    weight = weight * np.exp(-np.maximum(grey / around - 1, 0) * 6.0)
    around = np.minimum(_around(texels, grey, weight, usual, size / 30), 1.25 * usual)
    excess = np.maximum(grey - _SHINE * around, 0) * np.clip(2 * plain - 0.5, 0, 1) * like
    calm = np.maximum(linear - _TAKEN * excess[:, None], _LEAST * linear)
    return replace(seen, colour=texels.image(np.asarray(linear_to_srgb(calm), np.float32)))


def _around(
    texels: Texels,
    grey: NDArray[np.float32],
    weight: NDArray[np.float32],
    usual: float,
    sigma: float,
) -> NDArray[np.float32]:
    """Return the smooth luminance `(n,)`; where little is known, the usual one."""
    known = texels.smooth(weight, sigma)
    mean = texels.smooth(grey, sigma, weight + np.float32(1e-5))
    share = np.clip(known / 0.1, 0, 1)
    level = share * mean + (1 - share) * np.float32(usual)
    return np.asarray(np.maximum(level, 1e-3), np.float32)


def _smooth_without_marks(
    small: NDArray[np.float32], total: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the smooth part of log colours; what differs sharply from it does not count."""
    sigma = small.shape[0] * _REACH
    weight, smooth = total, small
    for _ in range(3):
        sums = np.maximum(blur(weight, sigma), 1e-5)
        smooth = blur(small * weight[..., None], sigma) / sums[..., None]
        away = np.abs(small - smooth).max(axis=2)
        weight = total * np.exp(-((away / _MARK) ** 2)) + 1e-4 * total
    sums = blur(weight, sigma)
    return push_pull(smooth, np.clip(20.0 * sums, 0, 1))


def _well_exposed(seen: SeenSkin) -> NDArray[np.float32]:
    """Return `(size, size)` in [0.1, 1]: neither clipped nor in deep shade in the picture."""
    brightest, grey = seen.lit.max(axis=2), seen.lit.mean(axis=2)
    clipped = np.clip((1.0 - brightest) / 0.06, 0, 1)
    shade = np.clip(grey / max(0.6 * float(seen.tone.encoded.mean()), 1e-3), 0, 1)
    return np.asarray(0.1 + 0.9 * clipped * shade, np.float32)


def _mirrored(texels: Texels, small: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the picture `(side, side, k)` of the other side of the head."""
    size = texels.size
    large = texels.image(texels.mirrored(grow(small, size, size)))
    covered = np.zeros((size, size), np.float32)
    covered.ravel()[texels.index] = 1.0
    share = np.maximum(shrink(covered, side, side), 1e-4)
    return np.asarray(shrink(large, side, side) / share[..., None], np.float32)
