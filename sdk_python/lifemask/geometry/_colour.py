"""The sRGB transfer function (IEC 61966-2-1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def srgb_to_linear(values: ArrayLike) -> NDArray[np.floating]:
    """Decode sRGB in [0, 1] to linear light; float32 stays float32, all else is float64."""
    v = _floats(values)
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(values: ArrayLike) -> NDArray[np.floating]:
    """Encode linear light as sRGB in [0, 1]; what lies outside of [0, 1] is clipped.

    float32 stays float32, all else is float64.
    """
    v = np.clip(_floats(values), 0.0, 1.0)
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


def _floats(values: ArrayLike) -> NDArray[np.floating]:
    array = np.asarray(values)
    return array if array.dtype == np.float32 else array.astype(np.float64, copy=False)
