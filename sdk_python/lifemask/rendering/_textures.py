"""Mipmap pyramids that do not bleed from one island of the atlas into the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.geometry import rasterize
from lifemask.rendering._encoding import (
    ENCODE_STEPS,
    decode_table,
    encode_table,
    identity_table,
)
from lifemask.rendering._scene import Texture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Topology


def build_texture(
    image: NDArray[np.uint8] | None, topology: Topology, *, color: bool = True
) -> Texture:
    """Build the pyramid of an atlas image.

    Each level averages only texels that an island covers, in linear light for colours; the rest
    is filled from coarser levels, so that filtering at an island's border finds its own colour.

    Args:
        image: `(h, w)`, `(h, w, 3)` or `(h, w, 4)` uint8; none gives an empty texture.
        topology: Whose atlas it is.
        color: Whether the first three channels are sRGB colour rather than numbers.
    """
    decode = decode_table() if color else identity_table()
    if image is None:
        none = np.zeros(0, np.int64)
        return Texture(np.zeros(0, np.uint32), none, none, none, decode, 0.0, color)
    rgba = _with_alpha(image)
    height, width = rgba.shape[:2]
    encode = encode_table() if color else _linear_encode_table()
    return _joined(_pyramid(rgba, _covered(topology, width, height), decode, encode), decode, color)


def plain_texture(image: NDArray[np.uint8]) -> Texture:
    """Build the pyramid of a picture `(h, w, 3|4)` uint8 sRGB that is no atlas."""
    rgba = _with_alpha(image)
    levels = _pyramid(rgba, np.ones(rgba.shape[:2], bool), decode_table(), encode_table())
    return _joined(levels, decode_table(), True)


def _joined(levels: list[NDArray[np.uint8]], decode: NDArray[np.float32], color: bool) -> Texture:
    sizes = np.array([level.shape[:2] for level in levels], np.int64)
    offsets = np.cumsum(np.append(0, sizes.prod(axis=1)[:-1]))
    return Texture(
        np.concatenate([level.reshape(-1, 4) for level in levels]).view("<u4").ravel(),
        offsets.astype(np.int64),
        np.ascontiguousarray(sizes[:, 1]),
        np.ascontiguousarray(sizes[:, 0]),
        decode,
        0.5 * float(np.log2(sizes[0].prod())),
        color,
    )


def _with_alpha(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.size == 0:
        raise ValueError(f"a texture has shape {image.shape} and type {image.dtype}")
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if image.shape[2] == 4:
        return image.copy()
    if image.shape[2] != 3:
        raise ValueError(f"a texture has {image.shape[2]} channels, expected 1, 3 or 4")
    return np.concatenate([image, np.full((*image.shape[:2], 1), 255, np.uint8)], axis=2)


def _covered(topology: Topology, width: int, height: int) -> NDArray[np.bool_]:
    """Return which texels lie on an island."""
    pixels = topology.uv.astype(np.float64) * [width, height]
    depth = np.ones(len(pixels))
    return rasterize(pixels, depth, topology.faces_uv, width, height).face >= 0


def _linear_encode_table() -> NDArray[np.uint8]:
    return np.round(np.linspace(0, 255, ENCODE_STEPS)).astype(np.uint8)


def _pyramid(
    base: NDArray[np.uint8],
    known: NDArray[np.bool_],
    decode: NDArray[np.float32],
    encode: NDArray[np.uint8],
) -> list[NDArray[np.uint8]]:
    """Push averages up to one texel, then pull colours down into what no island covers."""
    from lifemask.rendering._texture_kernels import average_down, fill_from_coarse

    levels, masks = [base], [known]
    while max(levels[-1].shape[:2]) > 1:
        height, width = ((side + 1) // 2 for side in levels[-1].shape[:2])
        coarse = np.zeros((height, width, 4), np.uint8)
        coarse_known = np.zeros((height, width), bool)
        average_down(levels[-1], masks[-1], coarse, coarse_known, decode, encode)
        levels.append(coarse)
        masks.append(coarse_known)
    for fine, coarse, mask in zip(levels[-2::-1], levels[:0:-1], masks[-2::-1], strict=True):
        fill_from_coarse(coarse, fine, mask)
    return levels
