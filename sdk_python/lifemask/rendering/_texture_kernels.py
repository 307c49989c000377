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
    zero, half, one = np.float32(0.0), np.float32(0.5), np.float32(1.0)
    last, log_size = texture.offsets.shape[0] - 1, np.float32(texture.log_size)
    for n in range(count):
        lod = min(max(footprint[n] + log_size, zero), np.float32(last))
        if not texture.blend_levels:
            lod = np.floor(lod + half)
        first = int(lod)
        share = lod - np.float32(first)
        # Below a twentieth the second level would not change an 8-bit result visibly.
        steps = 1 if share < 0.05 or first == last else 2
        red = green = blue = alpha = zero
        for step in range(steps):
            level = first + step
            part = one if steps == 1 else (share if step == 1 else one - share)
            width, height = texture.widths[level], texture.heights[level]
            x = min(max(uv[n, 0] * np.float32(width) - half, zero), np.float32(width - 1))
            y = min(max(uv[n, 1] * np.float32(height) - half, zero), np.float32(height - 1))
            column, row = int(x), int(y)
            fx, fy = x - np.float32(column), y - np.float32(row)
            place = texture.offsets[level] + row * width + column
            right = 1 if column + 1 < width else 0
            below = width if row + 1 < height else 0
            a, b = texels[place], texels[place + right]
            c, d = texels[place + below], texels[place + below + right]
            wa, wb = (one - fx) * (one - fy) * part, fx * (one - fy) * part
            wc, wd = (one - fx) * fy * part, fx * fy * part
            red += wa * table[a & 255] + wb * table[b & 255]
            red += wc * table[c & 255] + wd * table[d & 255]
            green += wa * table[a >> 8 & 255] + wb * table[b >> 8 & 255]
            green += wc * table[c >> 8 & 255] + wd * table[d >> 8 & 255]
            blue += wa * table[a >> 16 & 255] + wb * table[b >> 16 & 255]
            blue += wc * table[c >> 16 & 255] + wd * table[d >> 16 & 255]
            alpha += wa * np.float32(a >> 24) + wb * np.float32(b >> 24)
            alpha += wc * np.float32(c >> 24) + wd * np.float32(d >> 24)
        result[n, 0], result[n, 1], result[n, 2] = red, green, blue
        result[n, 3] = alpha * np.float32(1.0 / 255.0)
