"""Compiled loops over faces: normals, texel density, visibility."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

from lifemask.geometry.raster_kernels import SUBPIXELS, edge, edge_bias, pixel_range, snap

if TYPE_CHECKING:
    from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def vertex_normals(
    positions: NDArray[np.float32], faces: NDArray[np.int32], normals: NDArray[np.float32]
) -> None:
    """Sum the face normals, weighted by area, at each vertex and scale them to length 1."""
    normals[:] = 0.0
    for index in range(faces.shape[0]):
        i, j, k = faces[index]
        a, b, c = positions[i], positions[j], positions[k]
        ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (i, j, k):
            normals[corner, 0] += x
            normals[corner, 1] += y
            normals[corner, 2] += z
    for index in range(normals.shape[0]):
        x, y, z = normals[index]
        length = math.sqrt(x * x + y * y + z * z)
        if length > 0:
            normals[index] /= np.float32(length)


@numba.njit(cache=True, nogil=True)
def round_edges(
    points: NDArray[np.float64],
    count: int,
    normals: NDArray[np.float32],
    edges: NDArray[np.int32],
    roundness: float,
) -> None:
    """Fill the rows after `count` with the middles of edges, bent onto the curved surface.

    The tangent planes of both ends are where the surface would go; the middle moves from the
    straight edge toward the mean of its projections onto them.
    """
    for index in range(edges.shape[0]):
        a, b = edges[index, 0], edges[index, 1]
        x = 0.5 * (points[b, 0] - points[a, 0])
        y = 0.5 * (points[b, 1] - points[a, 1])
        z = 0.5 * (points[b, 2] - points[a, 2])
        above_a = x * normals[a, 0] + y * normals[a, 1] + z * normals[a, 2]
        above_b = -(x * normals[b, 0] + y * normals[b, 1] + z * normals[b, 2])
        middle = points[a, 0] + x, points[a, 1] + y, points[a, 2] + z
        for axis in range(3):
            away = above_a * normals[a, axis] + above_b * normals[b, axis]
            points[count + index, axis] = middle[axis] - 0.5 * roundness * away


@numba.njit(cache=True, nogil=True)
def texel_footprints(
    points: NDArray[np.float64],
    faces: NDArray[np.int32],
    faces_uv: NDArray[np.int32],
    uv: NDArray[np.float32],
    footprints: NDArray[np.float32],
) -> None:
    """Fill the binary logarithm of the side of a pixel in uv, one a face."""
    for index in range(faces.shape[0]):
        a, b, c = points[faces[index, 0]], points[faces[index, 1]], points[faces[index, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        u, v, w = uv[faces_uv[index, 0]], uv[faces_uv[index, 1]], uv[faces_uv[index, 2]]
        area_uv = (v[0] - u[0]) * (w[1] - u[1]) - (w[0] - u[0]) * (v[1] - u[1])
        footprints[index] = 0.5 * math.log2((abs(area_uv) + 1e-16) / (abs(area) + 1e-6))


@numba.njit(cache=True, nogil=True)
def draw_faces(
    points: NDArray[np.float64],
    faces: NDArray[np.int32],
    start: int,
    stop: int,
    cull_back: bool,
    scale: float,
    face_out: NDArray[np.int32],
    inverse_depth_out: NDArray[np.float32],
) -> None:
    """Draw a run of faces at `scale` samples a pixel side; keeps number and inverse depth."""
    height, width = face_out.shape
    fixed = np.empty(6, np.int64)
    for index in range(start, stop):
        corners = faces[index]
        area, swapped = snap(points, corners, cull_back, fixed, scale)
        if area == 0:
            continue
        x_start, x_stop = pixel_range(fixed[0], fixed[2], fixed[4], width)
        y_start, y_stop = pixel_range(fixed[1], fixed[3], fixed[5], height)
        second, third = (2, 1) if swapped else (1, 2)
        i0 = 1.0 / points[corners[0], 2] / area
        i1 = 1.0 / points[corners[second], 2] / area
        i2 = 1.0 / points[corners[third], 2] / area
        x = x_start * SUBPIXELS + SUBPIXELS // 2
        y = y_start * SUBPIXELS + SUBPIXELS // 2
        e0 = edge(fixed[2], fixed[3], fixed[4], fixed[5], x, y)
        e1 = edge(fixed[4], fixed[5], fixed[0], fixed[1], x, y)
        e2 = edge(fixed[0], fixed[1], fixed[2], fixed[3], x, y)
        b0 = edge_bias(fixed[2], fixed[3], fixed[4], fixed[5])
        b1 = edge_bias(fixed[4], fixed[5], fixed[0], fixed[1])
        b2 = edge_bias(fixed[0], fixed[1], fixed[2], fixed[3])
        dx0, dy0 = (fixed[3] - fixed[5]) * SUBPIXELS, (fixed[4] - fixed[2]) * SUBPIXELS
        dx1, dy1 = (fixed[5] - fixed[1]) * SUBPIXELS, (fixed[0] - fixed[4]) * SUBPIXELS
        dx2, dy2 = (fixed[1] - fixed[3]) * SUBPIXELS, (fixed[2] - fixed[0]) * SUBPIXELS
        row_value = e0 * i0 + e1 * i1 + e2 * i2
        value_dx, value_dy = dx0 * i0 + dx1 * i1 + dx2 * i2, dy0 * i0 + dy1 * i1 + dy2 * i2
        for row in range(y_start, y_stop):
            r0, r1, r2 = e0 - b0, e1 - b1, e2 - b2
            for column in range(x_start, x_stop):
                if (r0 | r1 | r2) >= 0:
                    inverse = np.float32(row_value + (column - x_start) * value_dx)
                    if inverse > inverse_depth_out[row, column]:
                        inverse_depth_out[row, column] = inverse
                        face_out[row, column] = index
                r0 += dx0
                r1 += dx1
                r2 += dx2
            e0 += dy0
            e1 += dy1
            e2 += dy2
            row_value += value_dy
