"""Key-expression textures: dynamic texture without a network, one fragment pass (paper 004)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from lifemask.dynamics._activation import DRIVER_NAMES, driver_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from lifemask.dynamics._contract import InputRange
    from lifemask.dynamics._regions import Layout

KEY_COUNT: Final = 6
"""Key textures per region, K of paper 004: so many texture reads per pixel."""

MASK_CHANNELS: Final = 6
"""Activation masks per region after factoring: two reads of three channels."""

KEY_ZERO: Final = 128
"""Byte of a key texture that means no residual; a byte b means `scale * (b - 128) / 127`."""


@dataclass(frozen=True)
class KeyRegion:
    """How strongly each key of one region shows.

    Attributes:
        gains: `(6, 65)` float32: how much each driver calls for each key, or speaks against it;
            the `a_e^k` of paper 004 equation 4.
        channels: `(65, 6)` float32, never negative: each driver's activation mask as a sum of
            the region's mask channels.
        frames: Capture index of the frame at the middle of each key; empty for generic maps.
        unseen: Names of drivers that reach this region, but that the clip never shows; they
            change nothing.
    """

    gains: NDArray[np.float32]
    channels: NDArray[np.float32]
    frames: tuple[int, ...] = ()
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeyTexture:
    """Blends a few key textures by where the current expression acts (paper 004, equation 4).

    Per texel v of a region: `w_k(v) = max(0, sum_c masks_c(v) sum_e gains_ke channels_ec x_e)`
    with the drivers x of `driver_values`, divided by `max(1, sum_k w_k)`; the residual is
    `sum_k w_k T_k`. That is equation 4 with `w_0 T_0` left out, because keys are residuals and
    the static texture is residual zero. Weights are never negative and sum to at most 1, so the
    result stays between the keys for every input.

    Attributes:
        layout: Packed regions.
        keys: `(6, size, size, 3)` uint8, see `KEY_ZERO`; each region has keys of its own.
        masks: `(size, size, 6)` uint8, 255 where a channel acts fully.
        regions: By region name.
        range: Inputs that it was made for; others are clamped.
        data: What the maps were made from, for people.
        generic: Whether the maps are the same kind for everybody and not of this person.
    """

    layout: Layout
    keys: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    regions: Mapping[str, KeyRegion]
    range: InputRange
    data: str
    generic: bool = False
    kind: Literal["key"] = "key"

    def evaluate(self, inputs: ArrayLike) -> NDArray[np.float32]:
        """Return the packed residual atlas of one expression.

        Args:
            inputs: `(59,)` of `dynamic_input`.

        Returns:
            `(size, size, 3)` float32 in [0, 1], 0.5 where nothing changes.
        """
        drivers = driver_values(self.range.clamp(inputs))
        result = np.full((self.layout.size, self.layout.size, 3), 0.5, np.float32)
        for region in self.layout.regions:
            part = self.regions.get(region.name)
            matrix = None if part is None else key_matrix(part, drivers)
            if matrix is None or not matrix.any():
                continue
            masks = self.masks[region.window].reshape(-1, MASK_CHANNELS).astype(np.float32) / 255
            keys = self.keys[:, *region.window].reshape(KEY_COUNT, -1, 3)
            moved = blend_keys(keys, key_weights(masks, matrix))
            result[region.window] += 0.5 * moved.reshape(*result[region.window].shape)
        return np.clip(result, 0, 1)

    def to_files(self) -> Mapping[str, bytes]:
        """Return `key.json`, `key_textures.png` and `key_masks.png`, see `key_files`."""
        from lifemask.dynamics._key_files import key_files

        return key_files(self)


def key_matrix(region: KeyRegion, drivers: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return how much each key `(6, 6)` shows through each mask channel, for drivers `(65,)`."""
    return np.asarray((region.gains * drivers) @ region.channels, np.float32)


def key_weights(masks: NDArray[np.floating], matrix: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return weights `(n, 6)` of the keys at texels with mask values `(n, 6)`, equation 4."""
    weights = np.maximum(masks @ matrix.T, 0)
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1), np.float32)


def blend_keys(keys: NDArray[np.uint8], weights: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return `(n, 3)` residuals in units of the region's scale, from keys `(6, n, 3)`."""
    total = np.zeros(keys.shape[1:], np.float32)
    for key, weight in zip(keys, weights.T, strict=True):
        total += (key.astype(np.float32) - KEY_ZERO) * (weight / (255 - KEY_ZERO))[:, None]
    return total


def encode_key(residual: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Quantise residuals in units of the region's scale."""
    steps = np.rint(np.asarray(residual, np.float32) * (255 - KEY_ZERO))
    return np.clip(steps + KEY_ZERO, 1, 255).astype(np.uint8)


def empty_region() -> KeyRegion:
    """Return a region that never changes."""
    drivers = len(DRIVER_NAMES)
    return KeyRegion(
        np.zeros((KEY_COUNT, drivers), np.float32), np.zeros((drivers, MASK_CHANNELS), np.float32)
    )
