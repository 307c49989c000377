"""Compiled loops over texels: pyramids and filtered sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.rendering._scene import Texture


@numba.njit(cache=True, nogil=True)
def average_down(
    fine: NDArray[np.uint8],
    fine_known: NDArray[np.bool_],
    coarse: NDArray[np.uint8],
    coarse_known: NDArray[np.bool_],
    decode: NDArray[np.float32],
    encode: NDArray[np.uint8],
) -> None:
    """Fill a level with the mean of the known texels beneath each of its texels."""
    height, width = coarse_known.shape
    scale = encode.shape[0] - 1
    for row in range(height):
        for column in range(width):
            red = green = blue = alpha = np.float32(0.0)
            count = 0
            for y in range(2 * row, min(2 * row + 2, fine_known.shape[0])):
                for x in range(2 * column, min(2 * column + 2, fine_known.shape[1])):
                    if fine_known[y, x]:
                        red += decode[fine[y, x, 0]]
                        green += decode[fine[y, x, 1]]
                        blue += decode[fine[y, x, 2]]
                        alpha += fine[y, x, 3]
                        count += 1
            coarse_known[row, column] = count > 0
            if count > 0:
                share = scale / np.float32(count)
                coarse[row, column, 0] = encode[int(red * share + 0.5)]
                coarse[row, column, 1] = encode[int(green * share + 0.5)]
                coarse[row, column, 2] = encode[int(blue * share + 0.5)]
                coarse[row, column, 3] = int(alpha / count + 0.5)


@numba.njit(cache=True, nogil=True)
def fill_from_coarse(
    coarse: NDArray[np.uint8], fine: NDArray[np.uint8], fine_known: NDArray[np.bool_]
) -> None:
    """Give every unknown texel the colour of the texel above it."""
    for row in range(fine_known.shape[0]):
        for column in range(fine_known.shape[1]):
            if not fine_known[row, column]:
                above = coarse[min(row // 2, coarse.shape[0] - 1)]
                fine[row, column] = above[min(column // 2, coarse.shape[1] - 1)]


@numba.njit(cache=True, nogil=True)
def sample(
    texture: Texture,
    uv: NDArray[np.float32],
    footprint: NDArray[np.float32],
    count: int,
    result: NDArray[np.float32],
) -> None:
    """Filter a texture at many places (bilinear in each level, the border texel continues).

    Args:
        texture: Pyramid to read.
        uv: `(n, 2)` places.
        footprint: `(n,)` binary logarithm of the side of a pixel in uv.
        count: How many rows are filled.
        result: `(n, 4)` decoded values, alpha in [0, 1].
    """
    texels, table = texture.texels, texture.decode
    last, one = texture.offsets.shape[0] - 1, np.float32(1.0)
    for n in range(count):
        lod = min(max(footprint[n] + np.float32(texture.log_size), np.float32(0.0)), float(last))
        if not texture.blend_levels:
            lod = np.floor(lod + np.float32(0.5))
        first = int(lod)
        share = np.float32(lod - first)
        # Below a twentieth the second level would not change an 8-bit result visibly.
        steps = 1 if share < 0.05 or first == last else 2
        red = green = blue = alpha = np.float32(0.0)
        for step in range(steps):
            level = first + step
            part = one if steps == 1 else (share if step == 1 else one - share)
            width, height = texture.widths[level], texture.heights[level]
            x = min(max(uv[n, 0] * width - np.float32(0.5), np.float32(0.0)), width - one)
            y = min(max(uv[n, 1] * height - np.float32(0.5), np.float32(0.0)), height - one)
            column, row = int(x), int(y)
            fx, fy = np.float32(x - column), np.float32(y - row)
            a = texture.offsets[level] + row * width + column
            b = a + (1 if column + 1 < width else 0)
            below = width if row + 1 < height else 0
            c, d = a + below, b + below
            wa, wb = (one - fx) * (one - fy) * part, fx * (one - fy) * part
            wc, wd = (one - fx) * fy * part, fx * fy * part
            red += wa * table[texels[a, 0]] + wb * table[texels[b, 0]]
            red += wc * table[texels[c, 0]] + wd * table[texels[d, 0]]
            green += wa * table[texels[a, 1]] + wb * table[texels[b, 1]]
            green += wc * table[texels[c, 1]] + wd * table[texels[d, 1]]
            blue += wa * table[texels[a, 2]] + wb * table[texels[b, 2]]
            blue += wc * table[texels[c, 2]] + wd * table[texels[d, 2]]
            alpha += wa * texels[a, 3] + wb * texels[b, 3] + wc * texels[c, 3] + wd * texels[d, 3]
        result[n, 0], result[n, 1], result[n, 2] = red, green, blue
        result[n, 3] = alpha * np.float32(1.0 / 255.0)
