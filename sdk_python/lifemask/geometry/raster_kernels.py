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
def snap_points(
    points: NDArray[np.float64],
    scale: float,
    places: NDArray[np.int64],
    inverse_depths: NDArray[np.float64],
) -> None:
    """Round positions to subpixels.

    Args:
        points: `(n, 3)` x, y in pixels, depth.
        scale: Factor from the unit of `points` to pixels of the raster.
        places: `(n, 2)` result, subpixels.
        inverse_depths: `(n,)` result; 0 marks a point that no face may use.
    """
    for index in range(points.shape[0]):
        x, y = points[index, 0] * scale, points[index, 1] * scale
        # Written so that a NaN fails every comparison.
        inside = -LIMIT < x < LIMIT and -LIMIT < y < LIMIT
        if inside and NEAR < points[index, 2] < np.inf:
            places[index, 0] = np.int64(np.floor(x * SUBPIXELS + 0.5))
            places[index, 1] = np.int64(np.floor(y * SUBPIXELS + 0.5))
            inverse_depths[index] = 1.0 / points[index, 2]
        else:
            places[index, 0] = places[index, 1] = 0
            inverse_depths[index] = 0.0


@numba.njit(cache=True, nogil=True)
def doubled_area(x0: int, y0: int, x1: int, y1: int, x2: int, y2: int) -> int:
    """Return the signed area times two; positive where the corners run clockwise on the screen.

    Faces are counter-clockwise with y up, so with y down a face toward the camera is negative.
    """
    return (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)


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
    places: NDArray[np.int64],
    inverse_depths: NDArray[np.float64],
    faces: NDArray[np.int32],
    cull_back: bool,
    face_out: NDArray[np.int32],
    barycentric_out: NDArray[np.float32],
    inverse_depth_out: NDArray[np.float32],
) -> None:
    """Draw all faces; the inverse depth is 0 where nothing was drawn."""
    height, width = face_out.shape
    for index in range(faces.shape[0]):
        i, j, k = faces[index, 0], faces[index, 1], faces[index, 2]
        x0, y0 = places[i, 0], places[i, 1]
        x1, y1, x2, y2 = places[j, 0], places[j, 1], places[k, 0], places[k, 1]
        area = doubled_area(x0, y0, x1, y1, x2, y2)
        valid = inverse_depths[i] > 0 and inverse_depths[j] > 0 and inverse_depths[k] > 0
        if area == 0 or (area > 0 and cull_back) or not valid:
            continue
        second, third = 1, 2
        if area < 0:
            second, third, area = 2, 1, -area
            x1, y1, x2, y2, j, k = x2, y2, x1, y1, k, j
        x_start, x_stop = pixel_range(x0, x1, x2, width)
        y_start, y_stop = pixel_range(y0, y1, y2, height)
        share = 1.0 / area
        i0, i1 = inverse_depths[i] * share, inverse_depths[j] * share
        i2 = inverse_depths[k] * share
        x, y = x_start * SUBPIXELS + SUBPIXELS // 2, y_start * SUBPIXELS + SUBPIXELS // 2
        row0, row1 = edge(x1, y1, x2, y2, x, y), edge(x2, y2, x0, y0, x, y)
        row2 = edge(x0, y0, x1, y1, x, y)
        bias0, bias1 = edge_bias(x1, y1, x2, y2), edge_bias(x2, y2, x0, y0)
        bias2 = edge_bias(x0, y0, x1, y1)
        dx0, dy0 = (y1 - y2) * SUBPIXELS, (x2 - x1) * SUBPIXELS
        dx1, dy1 = (y2 - y0) * SUBPIXELS, (x0 - x2) * SUBPIXELS
        dx2, dy2 = (y0 - y1) * SUBPIXELS, (x1 - x0) * SUBPIXELS
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
