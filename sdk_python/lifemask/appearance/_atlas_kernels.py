"""Compiled loops over texels and vertices; imported at first use: numba is slow to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def spread_values(
    values: NDArray[np.float32],
    faces: NDArray[np.int32],
    face: NDArray[np.int32],
    barycentric: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Interpolate vertex values `(n_vertices, k)` to texels `(n, k)`, in place of `out`."""
    for n in range(face.shape[0]):
        i, j, k = faces[face[n], 0], faces[face[n], 1], faces[face[n], 2]
        a, b, c = barycentric[n, 0], barycentric[n, 1], barycentric[n, 2]
        for d in range(values.shape[1]):
            out[n, d] = a * values[i, d] + b * values[j, d] + c * values[k, d]


@numba.njit(cache=True, nogil=True)
def inner_balls(
    points: NDArray[np.float32],
    normals: NDArray[np.float32],
    others: NDArray[np.float32],
    other_normals: NDArray[np.float32],
    own_sheet: float,
    radius: NDArray[np.float32],
) -> None:
    """Shrink the radius `(n,)` of the ball inside each point until it holds none of the others.

    Others whose normal is within the cosine `own_sheet` of the point's are its neighbours.
    """
    for n in range(points.shape[0]):
        for m in range(others.shape[0]):
            x, y = points[n, 0] - others[m, 0], points[n, 1] - others[m, 1]
            z = points[n, 2] - others[m, 2]
            along = x * normals[n, 0] + y * normals[n, 1] + z * normals[n, 2]
            square = x * x + y * y + z * z
            if along <= 1e-5 or square >= 2.0 * along * radius[n]:
                continue
            alike = (
                normals[n, 0] * other_normals[m, 0]
                + normals[n, 1] * other_normals[m, 1]
                + normals[n, 2] * other_normals[m, 2]
            )
            if alike < own_sheet:
                radius[n] = square / (2.0 * along)


@numba.njit(cache=True, nogil=True)
def patch_errors(
    picture: NDArray[np.float32],
    places: NDArray[np.int64],
    there: NDArray[np.float32],
    done: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the squared difference of patches `(n,)` to what is done of a place `(h, w, k)`.

    Patches begin at the rows and columns `places` `(n, 2)` of the picture.
    """
    errors = np.zeros(places.shape[0])
    for n in range(places.shape[0]):
        top, left = places[n, 0], places[n, 1]
        for row in range(done.shape[0]):
            for column in range(done.shape[1]):
                if done[row, column]:
                    for d in range(there.shape[2]):
                        apart = picture[top + row, left + column, d] - there[row, column, d]
                        errors[n] += apart * apart
    return errors


@numba.njit(cache=True, nogil=True)
def cheapest_path(error: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the column in each row of the cheapest connected path from first to last row."""
    length, width = error.shape
    total = error.copy()
    for row in range(1, length):
        for column in range(width):
            best = total[row - 1, column]
            if column > 0:
                best = min(best, total[row - 1, column - 1])
            if column + 1 < width:
                best = min(best, total[row - 1, column + 1])
            total[row, column] += best
    path = np.empty(length, np.int64)
    path[length - 1] = np.argmin(total[length - 1])
    for row in range(length - 2, -1, -1):
        path[row] = path[row + 1]
        for column in range(max(path[row + 1] - 1, 0), min(path[row + 1] + 2, width)):
            if total[row, column] < total[row, path[row]]:
                path[row] = column
    return path


@numba.njit(cache=True, nogil=True)
def nearest_square(points: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the squared distance of each point to the nearest of the others."""
    result = np.empty(points.shape[0], np.float32)
    for p in range(points.shape[0]):
        nearest = np.float32(np.inf)
        for q in range(others.shape[0]):
            x, y = points[p, 0] - others[q, 0], points[p, 1] - others[q, 1]
            z = points[p, 2] - others[q, 2]
            nearest = min(nearest, x * x + y * y + z * z)
        result[p] = nearest
    return result
