"""Z-buffer rasteriser: which face each pixel sees, and where on the face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEAR = 1e-3
"""Metres. A face with a corner nearer than this to the camera plane is not drawn."""


@dataclass(frozen=True)
class Raster:
    """What a z-buffer holds after all faces are drawn.

    Attributes:
        face: `(height, width)` int32, the nearest face at each pixel centre; -1 where there is
            none.
        barycentric: `(height, width, 3)` float32, perspective-correct weights of the corners of
            that face; they sum to 1 where there is a face, else they are 0.
        depth: `(height, width)` float32, same unit as the input; infinite where there is no face.
    """

    face: NDArray[np.int32]
    barycentric: NDArray[np.float32]
    depth: NDArray[np.float32]

    def interpolate(
        self, faces: NDArray[np.int32], values: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """Spread corner values over the pixels.

        Args:
            faces: `(n_faces, 3)` int32 indices into `values`: the drawn faces, or the same faces
                in another index space such as `Topology.faces_uv`.
            values: `(n, k)` floats.

        Returns:
            `(height, width, k)` float32, 0 where there is no face.
        """
        covered = self.face >= 0
        corners = np.asarray(values, np.float32)[faces[self.face[covered]]]
        result = np.zeros((*self.face.shape, values.shape[1]), np.float32)
        result[covered] = np.einsum("pc,pck->pk", self.barycentric[covered], corners)
        return result


def rasterize(
    pixels: NDArray[np.floating],
    depth: NDArray[np.floating],
    faces: NDArray[np.integer],
    width: int,
    height: int,
    *,
    cull_back: bool = False,
) -> Raster:
    """Draw triangles into a z-buffer, one sample at each pixel centre.

    Positions are snapped to 1/256 pixel and edges evaluated in integers, so that faces which
    share an edge never leave a gap and never cover a pixel twice (top-left rule, Pineda 1988),
    and so that equal input gives equal output on every machine. Faces are dropped, not clipped,
    when a corner lies nearer than `NEAR` or is not finite; where two faces are equally deep, the
    one that comes first stays.

    Args:
        pixels: `(n, 2)` x right, y down, origin at the top left corner, pixel centres at +0.5.
        depth: `(n,)` distance along the view axis, positive in front of the camera.
        faces: `(m, 3)` vertex indices, counter-clockwise seen from outside.
        width: Width of the result, pixels.
        height: Height of the result, pixels.
        cull_back: Leave out faces that turn away from the camera.

    Raises:
        ValueError: Arrays of the wrong shape, or indices out of range.
    """
    from lifemask.geometry.raster_kernels import draw, snap_points

    points, corners = _checked(pixels, depth, faces)
    face = np.full((height, width), -1, np.int32)
    barycentric = np.zeros((height, width, 3), np.float32)
    inverse_depth = np.zeros((height, width), np.float32)
    places, inverse_depths = np.empty((len(points), 2), np.int64), np.empty(len(points))
    snap_points(points, 1.0, places, inverse_depths)
    draw(places, inverse_depths, corners, cull_back, face, barycentric, inverse_depth)
    with np.errstate(divide="ignore"):
        return Raster(face, barycentric, np.float32(1.0) / inverse_depth)


def visible_vertices(
    raster: Raster,
    pixels: NDArray[np.floating],
    depth: NDArray[np.floating],
    *,
    tolerance: float = 0.002,
) -> NDArray[np.bool_]:
    """Return which vertices nothing hides.

    Args:
        raster: Result of drawing the scene.
        pixels: `(n, 2)` positions in the raster, pixels.
        depth: `(n,)` distance along the view axis.
        tolerance: How far a vertex may lie behind the drawn surface, in the unit of depth. The
            surface slopes within a pixel, so zero hides vertices on slanted faces.

    Returns:
        `(n,)` bool; false outside the picture.
    """
    height, width = raster.face.shape
    with np.errstate(invalid="ignore"):
        inside = np.all((pixels >= 0) & (pixels < [width, height]), axis=1) & (depth > NEAR)
    visible = np.zeros(len(pixels), bool)
    column, row = np.floor(pixels[inside]).astype(int).T
    visible[inside] = depth[inside] <= raster.depth[row, column] + tolerance
    return visible


def _checked(
    pixels: NDArray[np.floating], depth: NDArray[np.floating], faces: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return points `(n, 3)` x, y, depth and faces in the one layout the kernel is built for."""
    pixels, depth, faces = np.asarray(pixels), np.asarray(depth), np.asarray(faces)
    if pixels.ndim != 2 or pixels.shape[1] != 2 or depth.shape != (len(pixels),):
        raise ValueError(f"pixels {pixels.shape} and depth {depth.shape}, expected (n, 2) and (n,)")
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(f"faces have shape {faces.shape}, expected (m, 3)")
    if faces.size and not 0 <= faces.min() <= faces.max() < len(pixels):
        raise ValueError(f"a face names a vertex outside 0..{len(pixels) - 1}")
    points = np.empty((len(pixels), 3))
    points[:, :2] = pixels
    points[:, 2] = depth
    return points, np.ascontiguousarray(faces, np.int32)
