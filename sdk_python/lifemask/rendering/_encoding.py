"""sRGB transfer function as tables."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ENCODE_STEPS = 16384
"""Fine enough that the darkest two codes still lie five steps apart."""


def srgb_to_linear(values: ArrayLike) -> NDArray[np.float64]:
    """Decode sRGB in [0, 1] to linear light (IEC 61966-2-1)."""
    v = np.asarray(values, np.float64)
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(values: ArrayLike) -> NDArray[np.float64]:
    """Encode linear light in [0, 1] as sRGB."""
    v = np.clip(np.asarray(values, np.float64), 0.0, 1.0)
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


@functools.cache
def decode_table() -> NDArray[np.float32]:
    """Return `(256,)` linear light of each sRGB code."""
    return srgb_to_linear(np.arange(256) / 255.0).astype(np.float32)


@functools.cache
def identity_table() -> NDArray[np.float32]:
    """Return `(256,)` in [0, 1] for textures that hold numbers, not colour."""
    return (np.arange(256) / 255.0).astype(np.float32)


@functools.cache
def encode_table() -> NDArray[np.uint8]:
    """Return `(ENCODE_STEPS,)` sRGB codes of linear light in [0, 1]."""
    linear = np.arange(ENCODE_STEPS) / (ENCODE_STEPS - 1)
    return np.round(linear_to_srgb(linear) * 255.0).astype(np.uint8)
