"""sRGB transfer function as tables."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from lifemask.geometry import linear_to_srgb, srgb_to_linear

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENCODE_STEPS = 16384
"""Fine enough that the darkest two codes still lie five steps apart."""


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
