"""Compiled loops over fragments: from visibility to places on the surface, and to the picture.

Loops stay flat and arrays are indexed, never sliced, inside them: passing arrays on to a function
or making a view of one costs a reference count, which is dearer than the arithmetic.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.rendering._scene import Buffers, Fragments, Mesh, Surface

    Triple = tuple[float, float, float]

SAME_SURFACE = np.float32(0.005)
"""Samples of one pixel whose depths differ by less than this share are shaded once."""
SMOOTHEST = np.float32(0.08)
"""Roughness below which a highlight is smaller than a pixel and flickers."""
SKIN = 0
"""Number of the part `skin`, the first of `PART_NAMES`."""
ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)


@numba.njit(cache=True, nogil=True)
def dot(a: Triple, b: Triple) -> float:
    """Return the inner product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@numba.njit(cache=True, nogil=True)
def unit(x: float, y: float, z: float) -> Triple:
    """Scale to length 1; the zero vector becomes +Z."""
    square = x * x + y * y + z * z
    if square < 1e-20:
        return ZERO, ZERO, ONE
    scale = ONE / np.float32(math.sqrt(square))
    return x * scale, y * scale, z * scale


@numba.njit(cache=True, nogil=True, inline="always")
def is_one_surface(buffers: Buffers, parts: NDArray[np.uint8], top: int, left: int, n: int) -> bool:
    """Return whether all samples of a pixel lie on one part, near each other, without lashes."""
    first = buffers.face[top, left]
    low = high = buffers.inverse_depth[top, left]
    same = True
    for row in range(top, top + n):
        for column in range(left, left + n):
            face = buffers.face[row, column]
            if (
                (face < 0) != (first < 0)
                or buffers.lash_face[row, column] >= 0
                or (face >= 0 and parts[face] != parts[first])
            ):
                same = False
            low = min(low, buffers.inverse_depth[row, column])
            high = max(high, buffers.inverse_depth[row, column])
    return same and high - low <= SAME_SURFACE * high


@numba.njit(cache=True, nogil=True, inline="always")
def emit(fragments: Fragments, start: int, count: int, face: int, place: Triple, layer: int) -> int:
    """Add a fragment, or its weight to the same face of the same pixel; return the new count.

    `place` is x, y in pixels and the weight; the pixel's own fragments begin at `start`.
    """
    for n in range(start, count):
        if fragments.face[n] == face:
            fragments.weight[n] += np.float32(place[2])
            return count
    fragments.face[count] = face
    fragments.place[count, 0] = place[0]
    fragments.place[count, 1] = place[1]
    fragments.weight[count] = place[2]
    fragments.layer[count] = layer
    return count + 1


@numba.njit(cache=True, nogil=True)
def gather(
    buffers: Buffers,
    parts: NDArray[np.uint8],
    first_row: int,
    last_row: int,
    samples: int,
    fragments: Fragments,
) -> int:
    """List what is to be shaded in a band of rows; return how many fragments there are.

    A pixel inside a surface becomes one fragment at its centre; a pixel where surfaces end
    becomes one fragment for each face that its samples see.
    """
    width, share = buffers.face.shape[1] // samples, ONE / np.float32(samples * samples)
    count = 0
    for row in range(first_row, last_row):
        for column in range(width):
            start, top, left = count, row * samples, column * samples
            fragments.start[(row - first_row) * width + column] = start
            if is_one_surface(buffers, parts, top, left, samples):
                face = buffers.face[top + samples // 2, left + samples // 2]
                if face >= 0:
                    count = emit(fragments, start, count, face, (column + 0.5, row + 0.5, ONE), 0)
                continue
            for y in range(top, top + samples):
                for x in range(left, left + samples):
                    place = (x + 0.5) / samples, (y + 0.5) / samples, share
                    face, lash = buffers.face[y, x], buffers.lash_face[y, x]
                    hidden = buffers.inverse_depth[y, x] > buffers.lash_inverse_depth[y, x]
                    if face >= 0:
                        count = emit(fragments, start, count, face, place, 0)
                    if lash >= 0 and not hidden:
                        count = emit(fragments, start, count, lash, place, 1)
    fragments.start[(last_row - first_row) * width] = count
    return count


@numba.njit(cache=True, nogil=True)
def locate(mesh: Mesh, surface: Surface, fragments: Fragments, count: int) -> None:
    """Fill where on its face each fragment lies, and what is interpolated there."""
    points, positions, normals = surface.points, surface.positions, surface.normals
    for n in range(count):
        face = fragments.face[n]
        i, j, k = mesh.faces[face, 0], mesh.faces[face, 1], mesh.faces[face, 2]
        x, y = fragments.place[n, 0], fragments.place[n, 1]
        x0, y0, x1, y1 = points[i, 0], points[i, 1], points[j, 0], points[j, 1]
        x2, y2 = points[k, 0], points[k, 1]
        # The sign makes all three positive inside, whichever way the face is seen.
        sign = -1.0 if (x1 - x0) * (y2 - y0) < (x2 - x0) * (y1 - y0) else 1.0
        w0 = max(sign * ((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)) / points[i, 2], 0.0)
        w1 = max(sign * ((x0 - x2) * (y - y2) - (y0 - y2) * (x - x2)) / points[j, 2], 0.0)
        w2 = max(sign * ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) / points[k, 2], 0.0)
        scale = 1.0 / (w0 + w1 + w2 + 1e-30)
        a, b, c = np.float32(w0 * scale), np.float32(w1 * scale), np.float32(w2 * scale)
        part = mesh.parts[face]
        fragments.part[n] = part
        fragments.footprint[n] = min(surface.footprints[face], mesh.coarsest[part])
        fragments.open_sky[n] = (
            a * surface.open_sky[i] + b * surface.open_sky[j] + c * surface.open_sky[k]
        )
        fragments.weight[n] *= a * mesh.presence[i] + b * mesh.presence[j] + c * mesh.presence[k]
        view = unit(
            -(a * positions[i, 0] + b * positions[j, 0] + c * positions[k, 0]),
            -(a * positions[i, 1] + b * positions[j, 1] + c * positions[k, 1]),
            -(a * positions[i, 2] + b * positions[j, 2] + c * positions[k, 2]),
        )
        normal = unit(
            a * normals[i, 0] + b * normals[j, 0] + c * normals[k, 0],
            a * normals[i, 1] + b * normals[j, 1] + c * normals[k, 1],
            a * normals[i, 2] + b * normals[j, 2] + c * normals[k, 2],
        )
        for d in range(3):
            fragments.toward[n, d] = view[d]
            fragments.normal[n, d] = normal[d]
        i, j, k = mesh.faces_uv[face, 0], mesh.faces_uv[face, 1], mesh.faces_uv[face, 2]
        for d in range(2):
            fragments.uv[n, d] = a * mesh.uv[i, d] + b * mesh.uv[j, d] + c * mesh.uv[k, d]


@numba.njit(cache=True, nogil=True)
def bend_normals(
    mesh: Mesh, surface: Surface, fragments: Fragments, bumps: NDArray[np.float32], count: int
) -> None:
    """Turn the smooth normals by tangent-space normals in [0, 1] (glTF: green up, v down)."""
    positions, uv, normals = surface.positions, mesh.uv, fragments.normal
    for n in range(count):
        face = fragments.face[n]
        i, j, k = mesh.faces[face, 0], mesh.faces[face, 1], mesh.faces[face, 2]
        p, q, r = mesh.faces_uv[face, 0], mesh.faces_uv[face, 1], mesh.faces_uv[face, 2]
        du1, dv1 = uv[q, 0] - uv[p, 0], uv[q, 1] - uv[p, 1]
        du2, dv2 = uv[r, 0] - uv[p, 0], uv[r, 1] - uv[p, 1]
        sign = ONE if du1 * dv2 - du2 * dv1 > ZERO else -ONE
        tx = (positions[j, 0] - positions[i, 0]) * dv2 - (positions[k, 0] - positions[i, 0]) * dv1
        ty = (positions[j, 1] - positions[i, 1]) * dv2 - (positions[k, 1] - positions[i, 1]) * dv1
        tz = (positions[j, 2] - positions[i, 2]) * dv2 - (positions[k, 2] - positions[i, 2]) * dv1
        normal = normals[n, 0], normals[n, 1], normals[n, 2]
        along = tx * normal[0] + ty * normal[1] + tz * normal[2]
        t = unit(
            sign * (tx - along * normal[0]),
            sign * (ty - along * normal[1]),
            sign * (tz - along * normal[2]),
        )
        # With v down an unmirrored island winds clockwise, and up in the texture is n x t.
        up = (
            -sign * (normal[1] * t[2] - normal[2] * t[1]),
            -sign * (normal[2] * t[0] - normal[0] * t[2]),
            -sign * (normal[0] * t[1] - normal[1] * t[0]),
        )
        x, y, z = TWO * bumps[n, 0] - ONE, TWO * bumps[n, 1] - ONE, TWO * bumps[n, 2] - ONE
        bent = unit(
            x * t[0] + y * up[0] + z * normal[0],
            x * t[1] + y * up[1] + z * normal[1],
            x * t[2] + y * up[2] + z * normal[2],
        )
        for d in range(3):
            normals[n, d] = bent[d]


@numba.njit(cache=True, nogil=True)
def apply_materials(mesh: Mesh, fragments: Fragments, orm: NDArray[np.float32], count: int) -> None:
    """Set the roughness, by part or from the texture, and darken what the texture occludes.

    On the skin the darker one counts: texture and renderer measure the same resting head.
    """
    textured = mesh.orm.texels.shape[0] > 0
    for n in range(count):
        if textured:
            if fragments.part[n] == SKIN:
                fragments.open_sky[n] = min(fragments.open_sky[n], orm[n, 0])
            else:
                fragments.open_sky[n] *= orm[n, 0]
            fragments.roughness[n] = max(orm[n, 1], SMOOTHEST)
        else:
            fragments.roughness[n] = mesh.materials.roughness[fragments.part[n]]


@numba.njit(cache=True, nogil=True, inline="always")
def encoded(linear: float, encode: NDArray[np.uint8]) -> int:
    """Return the sRGB code; a NaN, which broken vertices lead to, fails the comparison."""
    inside = min(linear, ONE) if linear > ZERO else ZERO
    return encode[int(inside * np.float32(encode.shape[0] - 1) + np.float32(0.5))]


@numba.njit(cache=True, nogil=True)
def compose(
    fragments: Fragments,
    first_row: int,
    last_row: int,
    decode: NDArray[np.float32],
    encode: NDArray[np.uint8],
    picture: NDArray[np.uint8],
) -> None:
    """Sum the fragments of each pixel, lashes over the rest, and lay them over the picture.

    Where the picture has three channels it holds the background; with four it is empty, and gets
    straight colour and coverage.
    """
    width, channels = picture.shape[1], picture.shape[2]
    total = np.empty((2, 4), np.float32)
    for row in range(first_row, last_row):
        for column in range(width):
            pixel = (row - first_row) * width + column
            start, stop = fragments.start[pixel], fragments.start[pixel + 1]
            if start == stop:
                continue
            total[:] = ZERO
            for n in range(start, stop):
                layer, weight = fragments.layer[n], fragments.weight[n]
                weight *= fragments.color[n, 3] if layer == 1 else ONE
                total[layer, 3] += weight
                for k in range(3):
                    total[layer, k] += weight * fragments.color[n, k]
            behind = ONE - total[1, 3]
            cover = total[1, 3] + behind * total[0, 3]
            for k in range(3):
                linear = total[1, k] + behind * total[0, k]
                if channels == 4:
                    linear /= max(cover, np.float32(1e-6))
                else:
                    linear += (ONE - cover) * decode[picture[row, column, k]]
                picture[row, column, k] = encoded(linear, encode)
            if channels == 4:
                picture[row, column, 3] = int(min(cover, ONE) * 255.0 + 0.5)
