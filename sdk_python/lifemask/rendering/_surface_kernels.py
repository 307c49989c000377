"""Compiled loops over faces: normals, texel density, visibility."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

from lifemask.geometry.raster_kernels import (
    SUBPIXELS,
    doubled_area,
    edge,
    edge_bias,
    pixel_range,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.rendering._scene import Mesh, Texture


@numba.njit(cache=True, nogil=True)
def vertex_normals(
    positions: NDArray[np.float32], faces: NDArray[np.int32], normals: NDArray[np.float32]
) -> None:
    """Sum the face normals, weighted by area, at each vertex and scale them to length 1."""
    normals[:] = 0.0
    for index in range(faces.shape[0]):
        i, j, k = faces[index, 0], faces[index, 1], faces[index, 2]
        x, y, z = positions[i, 0], positions[i, 1], positions[i, 2]
        ux, uy, uz = positions[j, 0] - x, positions[j, 1] - y, positions[j, 2] - z
        vx, vy, vz = positions[k, 0] - x, positions[k, 1] - y, positions[k, 2] - z
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (i, j, k):
            normals[corner, 0] += x
            normals[corner, 1] += y
            normals[corner, 2] += z
    for index in range(normals.shape[0]):
        x, y, z = normals[index, 0], normals[index, 1], normals[index, 2]
        length = math.sqrt(x * x + y * y + z * z)
        if length > 0:
            scale = np.float32(1.0 / length)
            normals[index, 0], normals[index, 1] = x * scale, y * scale
            normals[index, 2] = z * scale


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
    places: NDArray[np.int64],
    inverse_depths: NDArray[np.float64],
    faces: NDArray[np.int32],
    start: int,
    stop: int,
    cull_back: bool,
    face_out: NDArray[np.int32],
    inverse_depth_out: NDArray[np.float32],
) -> None:
    """Draw a run of faces, keeping only the number and the inverse depth of the nearest."""
    height, width = face_out.shape
    for index in range(start, stop):
        i, j, k = faces[index, 0], faces[index, 1], faces[index, 2]
        x0, y0 = places[i, 0], places[i, 1]
        x1, y1, x2, y2 = places[j, 0], places[j, 1], places[k, 0], places[k, 1]
        area = doubled_area(x0, y0, x1, y1, x2, y2)
        valid = inverse_depths[i] > 0 and inverse_depths[j] > 0 and inverse_depths[k] > 0
        if area == 0 or (area > 0 and cull_back) or not valid:
            continue
        if area < 0:
            x1, y1, x2, y2, j, k, area = x2, y2, x1, y1, k, j, -area
        x_start, x_stop = pixel_range(x0, x1, x2, width)
        y_start, y_stop = pixel_range(y0, y1, y2, height)
        if x_start >= x_stop or y_start >= y_stop:
            continue
        share = 1.0 / area
        i0, i1 = inverse_depths[i] * share, inverse_depths[j] * share
        i2 = inverse_depths[k] * share
        x, y = x_start * SUBPIXELS + SUBPIXELS // 2, y_start * SUBPIXELS + SUBPIXELS // 2
        e0, e1 = edge(x1, y1, x2, y2, x, y), edge(x2, y2, x0, y0, x, y)
        e2 = edge(x0, y0, x1, y1, x, y)
        dx0, dy0 = (y1 - y2) * SUBPIXELS, (x2 - x1) * SUBPIXELS
        dx1, dy1 = (y2 - y0) * SUBPIXELS, (x0 - x2) * SUBPIXELS
        dx2, dy2 = (y0 - y1) * SUBPIXELS, (x1 - x0) * SUBPIXELS
        value = e0 * i0 + e1 * i1 + e2 * i2
        value_dx, value_dy = dx0 * i0 + dx1 * i1 + dx2 * i2, dy0 * i0 + dy1 * i1 + dy2 * i2
        e0 -= edge_bias(x1, y1, x2, y2)
        e1 -= edge_bias(x2, y2, x0, y0)
        e2 -= edge_bias(x0, y0, x1, y1)
        for row in range(y_start, y_stop):
            r0, r1, r2, inverse = e0, e1, e2, value
            for column in range(x_start, x_stop):
                if (r0 | r1 | r2) >= 0 and inverse > inverse_depth_out[row, column]:
                    inverse_depth_out[row, column] = inverse
                    face_out[row, column] = index
                r0 += dx0
                r1 += dx1
                r2 += dx2
                inverse += value_dx
            e0 += dy0
            e1 += dy1
            e2 += dy2
            value += value_dy


@numba.njit(cache=True, nogil=True, inline="always")
def coverage_at(texture: Texture, u: float, v: float, level: int) -> float:
    """Return the fourth channel of a texture at a place, bilinear, in [0, 1]."""
    width, height = texture.widths[level], texture.heights[level]
    x = min(max(u * width - 0.5, 0.0), width - 1.0)
    y = min(max(v * height - 0.5, 0.0), height - 1.0)
    column, row = int(x), int(y)
    fx, fy = x - column, y - row
    place = texture.offsets[level] + row * width + column
    right = 1 if column + 1 < width else 0
    below = width if row + 1 < height else 0
    a, b = texture.texels[place] >> 24, texture.texels[place + right] >> 24
    c, d = texture.texels[place + below] >> 24, texture.texels[place + below + right] >> 24
    return ((a * (1 - fx) + b * fx) * (1 - fy) + (c * (1 - fx) + d * fx) * fy) / 255.0


@numba.njit(cache=True, nogil=True)
def draw_cutouts(
    places: NDArray[np.int64],
    inverse_depths: NDArray[np.float64],
    mesh: Mesh,
    start: int,
    footprints: NDArray[np.float32],
    samples: int,
    face_out: NDArray[np.int32],
    inverse_depth_out: NDArray[np.float32],
) -> None:
    """Draw faces from `start` on, both sides, where their texture covers the sample.

    A share of the samples of each pixel as large as the coverage is drawn (alpha to coverage),
    so that the order of the faces does not matter.
    """
    faces, faces_uv, uv, texture = mesh.faces, mesh.faces_uv, mesh.uv, mesh.hair
    height, width = face_out.shape
    count, last = samples * samples, texture.offsets.shape[0] - 1
    # Steps that share no factor with any number of samples up to 64 scatter them over a pixel.
    stride = 5 if count != 25 else 7
    for index in range(start, faces.shape[0]):
        i, j, k = faces[index, 0], faces[index, 1], faces[index, 2]
        x0, y0 = places[i, 0], places[i, 1]
        x1, y1, x2, y2 = places[j, 0], places[j, 1], places[k, 0], places[k, 1]
        area = doubled_area(x0, y0, x1, y1, x2, y2)
        valid = inverse_depths[i] > 0 and inverse_depths[j] > 0 and inverse_depths[k] > 0
        if area == 0 or not valid:
            continue
        p, q, r = faces_uv[index, 0], faces_uv[index, 1], faces_uv[index, 2]
        if area < 0:
            x1, y1, x2, y2, j, k, q, r, area = x2, y2, x1, y1, k, j, r, q, -area
        x_start, x_stop = pixel_range(x0, x1, x2, width)
        y_start, y_stop = pixel_range(y0, y1, y2, height)
        if x_start >= x_stop or y_start >= y_stop:
            continue
        level = int(max(footprints[index] + texture.log_size - math.log2(samples) + 0.5, 0.0))
        level = min(level, last)
        share = 1.0 / area
        i0, i1 = inverse_depths[i] * share, inverse_depths[j] * share
        i2 = inverse_depths[k] * share
        b0, b1 = edge_bias(x1, y1, x2, y2), edge_bias(x2, y2, x0, y0)
        b2 = edge_bias(x0, y0, x1, y1)
        for row in range(y_start, y_stop):
            y = row * SUBPIXELS + SUBPIXELS // 2
            for column in range(x_start, x_stop):
                x = column * SUBPIXELS + SUBPIXELS // 2
                e0, e1 = edge(x1, y1, x2, y2, x, y), edge(x2, y2, x0, y0, x, y)
                e2 = edge(x0, y0, x1, y1, x, y)
                if ((e0 - b0) | (e1 - b1) | (e2 - b2)) < 0:
                    continue
                w0, w1, w2 = e0 * i0, e1 * i1, e2 * i2
                inverse = w0 + w1 + w2
                if inverse <= inverse_depth_out[row, column]:
                    continue
                u = (w0 * uv[p, 0] + w1 * uv[q, 0] + w2 * uv[r, 0]) / inverse
                v = (w0 * uv[p, 1] + w1 * uv[q, 1] + w2 * uv[r, 1]) / inverse
                rank = (row % samples) * samples + column % samples
                threshold = ((rank * stride) % count + 0.5) / count
                if coverage_at(texture, u, v, level) > threshold:
                    inverse_depth_out[row, column] = inverse
                    face_out[row, column] = index
