"""Normal map: the small relief of the skin, guessed from the small structure of its colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._pyramid import blur, shrink

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.appearance._atlas import Texels

_FINE: Final = 1 / 1400
"""Standard deviation of what is taken for noise, as a share of the atlas."""
_COARSE: Final = 1 / 160
"""Standard deviation of what is taken for colour rather than relief."""
_STEEPNESS: Final = 0.9
"""Slope of the relief per doubling of brightness over the width of the fine structure."""
_STEEPEST: Final = 0.35
"""Tangent of the largest angle between normal and surface, about 19 degrees."""
_COLOURED: Final = (("brows", 0.9), ("lips", 0.4), ("hair", 0.7))
"""Where dark is not deep, and by how much the relief is lowered there."""


def relief_normals(
    albedo: NDArray[np.floating], skin: Texels, parts: Texels, size: int
) -> NDArray[np.uint8]:
    """Return a tangent-space normal map `(size, size, 3)` uint8, +Y up (glTF, OpenGL).

    Dark is taken for deep (Glencross et al. 2008): pores, wrinkles and stubble shade themselves.
    The band between noise and colour becomes a height, its slope is bounded softly. Derived from
    the albedo, hence no measurement of shape.

    Args:
        albedo: `(n, n, 3)` sRGB in [0, 1].
        skin: Texels of the skin at `size`, which alone gets relief.
        parts: Texels of all parts at `size`; what no part covers stays flat.
        size: Of the map.
    """
    small = shrink(np.asarray(albedo, np.float32), size, size)
    log = np.log(np.maximum(small.mean(axis=2), 0.03))
    height = blur(log, max(size * _FINE, 0.5)) - blur(log, size * _COARSE)
    strength = np.ones(len(skin.index), np.float32)
    for name, lowered in _COLOURED:
        strength *= 1 - lowered * skin.mask(name)
    # Islands end where other colours begin, which is no relief.
    inside = np.zeros((size, size), np.float32)
    inside.ravel()[parts.index] = 1.0
    rim = np.clip(4.0 * (blur(inside, size / 400) - 0.75), 0, 1)
    amount = skin.image(strength) * rim * _STEEPNESS * (size * _COARSE) / 3.0
    slope = np.stack([-_slope(height, 1) * amount, _slope(height, 0) * amount], axis=2)
    length = np.linalg.norm(slope, axis=2, keepdims=True)
    slope *= np.tanh(length / _STEEPEST) * _STEEPEST / np.maximum(length, 1e-6)
    normal = np.dstack([slope, np.ones_like(height)])
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    return np.round(127.5 * normal + 127.5).astype(np.uint8)


def _slope(height: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Return the central difference along an axis, per texel."""
    return np.asarray(0.5 * (np.roll(height, -1, axis) - np.roll(height, 1, axis)), np.float32)
