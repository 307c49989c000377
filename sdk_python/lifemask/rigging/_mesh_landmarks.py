"""Landmarks on any surface: pictures are drawn of it, and what is found in them is cast back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.geometry import Camera, Pose, axis_angle_matrix, rasterize, vertex_normals
from lifemask.tracking import FACE_POINTS, LANDMARK_COUNT, MIRRORED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.geometry import Raster
    from lifemask.tracking import Landmarker

PLAIN_SKIN: Final = (0.80, 0.62, 0.53)
"""Colour, sRGB in [0, 1], of a surface that has none."""

FRONT_VIEWS: Final = tuple((yaw, pitch) for yaw in (-24, -12, 0, 12, 24) for pitch in (-10, 0, 10))
"""Yaw and pitch, degrees, of the views that landmarks are taken from."""

_SIZE = 768
_FILL = 0.42
"""Share of the picture's width that the width of a head takes."""
_SIDEWAYS = 12.0 * 20.0 / 768.0
"""Degrees times picture widths: a view turned by 12 degrees loses what lies that far sideways."""
_SLANT = 0.15
"""Cosine below which a surface is seen too obliquely for a landmark to be cast on it."""
_BEHIND = 0.004
"""Metres that what carries a landmark may lie behind what is seen in its place."""
_BACKGROUND = 0.55
_LIGHT = np.array([0.2, 0.35, 0.9])


@dataclass(frozen=True)
class PaintedMesh:
    """A surface to draw.

    Attributes:
        points: `(n, 3)` float64 m, +Y up and the face toward +Z as far as it is known.
        faces: `(m, 3)` int32.
        colours: `(n, 3)` floats in [0, 1], sRGB, where there is no texture.
        carriers: `(k,)` rows of `faces` that may carry a landmark; all when left out.
        texture: `(uv, faces_uv, picture)` as in `Mesh`.
        shaded: Whether light is to be drawn; scans with colours show their own.
    """

    points: NDArray[np.float64]
    faces: NDArray[np.int32]
    colours: NDArray[np.floating]
    carriers: NDArray[np.int64] | None = None
    texture: tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.uint8]] | None = None
    shaded: bool = True


@dataclass(frozen=True)
class Sighting:
    """Landmarks in one view and on the surface.

    Attributes:
        places: `(478, 2)`, shares of the picture's width.
        points: `(478, 3)` m, NaN where the surface is not there or is seen edge-on.
        yaw: Degrees.
    """

    places: NDArray[np.float64]
    points: NDArray[np.float64]
    yaw: float


def draw_mesh(mesh: PaintedMesh, camera: Camera, pose: Pose) -> NDArray[np.uint8]:
    """Draw a mesh on grey, plain ones under a soft frontal light; `(h, w, 3)` uint8 sRGB."""
    at = pose.apply(mesh.points)
    raster = _raster(at, mesh.faces, camera)
    if mesh.texture is not None:
        picture = _textured(raster, mesh.texture)
    else:
        picture = raster.interpolate(mesh.faces, np.asarray(mesh.colours))
    if mesh.shaded:
        normals = raster.interpolate(mesh.faces, vertex_normals(at, mesh.faces))
        # Scans may have their triangles inside out: what is seen faces the camera.
        normals = np.where(normals[:, :, 2:] < 0, -normals, normals)
        picture = picture * (0.45 + 0.55 * np.clip(normals @ _LIGHT, 0, 1))[:, :, None]
    picture[raster.face < 0] = _BACKGROUND
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _textured(
    raster: Raster, texture: tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.uint8]]
) -> NDArray[np.float32]:
    uv, corners, picture = texture
    place = raster.interpolate(corners, uv) % 1.0
    height, width = picture.shape[:2]
    column = np.clip((place[..., 0] * width).astype(int), 0, width - 1)
    row = np.clip((place[..., 1] * height).astype(int), 0, height - 1)
    return picture[row, column].astype(np.float32) / np.float32(255)


def look_at(
    middle: NDArray[np.floating], width: float, yaw: float, pitch: float, size: int = _SIZE
) -> tuple[Camera, Pose]:
    """Return a camera that sees a head from a direction.

    Args:
        middle: `(3,)` m, what the camera looks at.
        width: Of the head, metres.
        yaw: Degrees that the head turns toward its left.
        pitch: Degrees that it turns down.
        size: Width and height of the picture, pixels.
    """
    rotation = axis_angle_matrix([0, np.radians(yaw), 0]) @ axis_angle_matrix(
        [np.radians(pitch), 0, 0]
    )
    distance = 5.0 * width
    camera = Camera(size, size, _FILL * size * distance / width)
    return camera, Pose(rotation, np.array([0, 0, -distance]) - rotation @ middle)


def sight(
    mesh: PaintedMesh,
    middle: NDArray[np.floating],
    width: float,
    views: Sequence[tuple[float, float]],
    landmarker: Landmarker,
    size: int = _SIZE,
) -> list[Sighting]:
    """Look for a face in each view; views that show none are left out."""
    found = []
    for yaw, pitch in views:
        camera, pose = look_at(middle, width, yaw, pitch, size)
        faces = landmarker.detect(draw_mesh(mesh, camera, pose))
        if faces:
            # The largest: on a scan's shoulders, ears or hands a second face is a mistake.
            pixels = max(faces, key=lambda face: face.size).pixels.astype(np.float64)
            found.append(Sighting(pixels / size, _cast(pixels, mesh, camera, pose), yaw))
    return found


def merge(sightings: Sequence[Sighting], *, even: bool = False) -> NDArray[np.float64]:
    """Return `(478, 3)` m: the median over the views, NaN where no view saw a landmark well.

    On the far side of a turned head landmarks slide along the silhouette, so each side counts
    only in the views that turn it to the camera.

    Args:
        sightings: At least one.
        even: Average each landmark with the mirror image of its partner (a symmetric head).
    """
    points = np.stack([s.points for s in sightings])
    yaws = np.array([s.yaw for s in sightings])
    places = np.stack([s.places for s in sightings])
    calmest = np.abs(yaws) == np.abs(yaws).min()
    side = np.median(places[calmest, :, 0], axis=0) - 0.5
    points[yaws[:, None] * side > _SIDEWAYS] = np.nan
    merged = np.full((LANDMARK_COUNT, 3), np.nan)
    seen = np.isfinite(points[:, :, 0]).any(axis=0)
    merged[seen] = np.nanmedian(points[:, seen], axis=0)
    if even:
        other = merged[MIRRORED] * (-1.0, 1.0, 1.0)
        merged = np.where(np.isfinite(merged), merged, other)
        merged = 0.5 * (merged + np.where(np.isfinite(other), other, merged))
    return merged


def strays(points: NDArray[np.float64], template: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return `(468,)` whether a landmark is missing, or lies far from where its neighbours want it.

    Args:
        points: `(478, 3)` m, NaN where missing.
        template: `(478, 3)` m, any face roughly aligned with it.
    """
    offset = (points - template)[:FACE_POINTS]
    missing = ~np.isfinite(offset[:, 0])
    known = np.flatnonzero(~missing)
    distance = np.linalg.norm(template[:FACE_POINTS, None] - template[known], axis=2)
    near = known[np.argsort(distance, axis=1)[:, :12]]
    usual = np.median(offset[near], axis=1)
    return missing | (np.linalg.norm(offset - usual, axis=1) > 0.008)


def _raster(at: NDArray[np.floating], faces: NDArray[np.int32], camera: Camera) -> Raster:
    return rasterize(camera.project(at), -at[:, 2], faces, camera.width, camera.height)


def _cast(
    pixels: NDArray[np.float64], mesh: PaintedMesh, camera: Camera, pose: Pose
) -> NDArray[np.float64]:
    """Return the surface point under each pixel, NaN where there is none."""
    at = pose.apply(mesh.points)
    column = np.clip(pixels[:, 0].astype(int), 0, camera.width - 1)
    row = np.clip(pixels[:, 1].astype(int), 0, camera.height - 1)
    faces = mesh.faces
    raster = _raster(at, faces, camera)
    seen = raster.depth[row, column]
    if mesh.carriers is not None:
        faces = mesh.faces[mesh.carriers]
        raster = _raster(at, faces, camera)
    face = raster.face[row, column]
    corners = mesh.points[faces[face]]
    point = np.einsum("nk,nkd->nd", raster.barycentric[row, column], corners)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    toward = -at[faces[face]].mean(axis=1)
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    slant = np.sum((normal @ pose.rotation.T) * toward, axis=1)
    point[(face < 0) | (np.abs(slant) < _SLANT)] = np.nan
    point[raster.depth[row, column] > seen + _BEHIND] = np.nan
    return point
