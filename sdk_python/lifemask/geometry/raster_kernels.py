"""Compiled parts of the rasteriser, for it and for other compiled loops that draw faces.

`lifemask.geometry` imports this module on first use only, because numba is slow to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from lifemask.geometry._raster import NEAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUBPIXELS = 256
LIMIT = float(1 << 20)
"""Pixels. Corners farther out are dropped: their edge functions would leave 64-bit integers."""


@numba.njit(cache=True, nogil=True)
def snap(
    points: NDArray[np.float64],
    corners: NDArray[np.int32],
    cull_back: bool,
    fixed: NDArray[np.int64],
    scale: float,
) -> tuple[int, bool]:
    """Fill `fixed` with x0 y0 x1 y1 x2 y2 in subpixels, counter-clockwise in y-down space.

    Returns the doubled area in squared subpixels (0: do not draw) and whether corners 1 and 2
    were exchanged to make it positive.
    """
    for k in range(3):
        x = points[corners[k], 0] * scale
        y = points[corners[k], 1] * scale
        # Written so that a NaN fails every comparison.
        if not (-LIMIT < x < LIMIT and -LIMIT < y < LIMIT):
            return 0, False
        if not (NEAR < points[corners[k], 2] < np.inf):
            return 0, False
        fixed[2 * k] = np.int64(np.floor(x * SUBPIXELS + 0.5))
        fixed[2 * k + 1] = np.int64(np.floor(y * SUBPIXELS + 0.5))
    area = (fixed[2] - fixed[0]) * (fixed[5] - fixed[1]) - (fixed[4] - fixed[0]) * (
        fixed[3] - fixed[1]
    )
    if area >= 0:
        # Faces are counter-clockwise with y up, so a positive area with y down faces away.
        return (0 if cull_back else area), False
    fixed[2], fixed[4] = fixed[4], fixed[2]
    fixed[3], fixed[5] = fixed[5], fixed[3]
    return -area, True


@numba.njit(cache=True, nogil=True)
def pixel_range(a: int, b: int, c: int, size: int) -> tuple[int, int]:
    """First and one past the last pixel whose centre lies within three subpixel coordinates."""
    half = SUBPIXELS // 2
    low = (min(a, b, c) - half + SUBPIXELS - 1) // SUBPIXELS
    high = (max(a, b, c) - half) // SUBPIXELS + 1
    return max(low, 0), min(high, size)


@numba.njit(cache=True, nogil=True)
def edge(ax: int, ay: int, bx: int, by: int, x: int, y: int) -> int:
    """Edge function of a -> b at a point: positive inside, with y down and a positive area."""
    return (bx - ax) * (y - ay) - (by - ay) * (x - ax)


@numba.njit(cache=True, nogil=True)
def edge_bias(ax: int, ay: int, bx: int, by: int) -> int:
    """What an edge function must exceed: a centre on an edge belongs to a top or left edge."""
    return 0 if (by == ay and bx > ax) or by < ay else 1


@numba.njit(cache=True, nogil=True)
def draw(
    points: NDArray[np.float64],
    faces: NDArray[np.int32],
    cull_back: bool,
    face_out: NDArray[np.int32],
    barycentric_out: NDArray[np.float32],
    inverse_depth_out: NDArray[np.float32],
) -> None:
    """Draw all faces; the inverse depth is 0 where nothing was drawn."""
    height, width = face_out.shape
    fixed = np.empty(6, np.int64)
    for index in range(faces.shape[0]):
        corners = faces[index]
        area, swapped = snap(points, corners, cull_back, fixed, 1.0)
        if area == 0:
            continue
        x_start, x_stop = pixel_range(fixed[0], fixed[2], fixed[4], width)
        y_start, y_stop = pixel_range(fixed[1], fixed[3], fixed[5], height)
        if x_start >= x_stop or y_start >= y_stop:
            continue
        second, third = (2, 1) if swapped else (1, 2)
        i0 = 1.0 / points[corners[0], 2] / area
        i1 = 1.0 / points[corners[second], 2] / area
        i2 = 1.0 / points[corners[third], 2] / area
        x = x_start * SUBPIXELS + SUBPIXELS // 2
        y = y_start * SUBPIXELS + SUBPIXELS // 2
        row0 = edge(fixed[2], fixed[3], fixed[4], fixed[5], x, y)
        row1 = edge(fixed[4], fixed[5], fixed[0], fixed[1], x, y)
        row2 = edge(fixed[0], fixed[1], fixed[2], fixed[3], x, y)
        bias0 = edge_bias(fixed[2], fixed[3], fixed[4], fixed[5])
        bias1 = edge_bias(fixed[4], fixed[5], fixed[0], fixed[1])
        bias2 = edge_bias(fixed[0], fixed[1], fixed[2], fixed[3])
        dx0, dy0 = (fixed[3] - fixed[5]) * SUBPIXELS, (fixed[4] - fixed[2]) * SUBPIXELS
        dx1, dy1 = (fixed[5] - fixed[1]) * SUBPIXELS, (fixed[0] - fixed[4]) * SUBPIXELS
        dx2, dy2 = (fixed[1] - fixed[3]) * SUBPIXELS, (fixed[2] - fixed[0]) * SUBPIXELS
        for row in range(y_start, y_stop):
            e0, e1, e2 = row0, row1, row2
            for column in range(x_start, x_stop):
                if ((e0 - bias0) | (e1 - bias1) | (e2 - bias2)) >= 0:
                    p0, p1, p2 = e0 * i0, e1 * i1, e2 * i2
                    inverse = np.float32(p0 + p1 + p2)
                    if inverse > inverse_depth_out[row, column]:
                        scale = 1.0 / (p0 + p1 + p2)
                        inverse_depth_out[row, column] = inverse
                        face_out[row, column] = index
                        barycentric_out[row, column, 0] = p0 * scale
                        barycentric_out[row, column, second] = p1 * scale
                        barycentric_out[row, column, third] = p2 * scale
                e0 += dx0
                e1 += dx1
                e2 += dx2
            row0 += dy0
            row1 += dy1
            row2 += dy2
