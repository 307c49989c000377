"""Where MediaPipe's 478 landmarks lie on the head: run the landmarker on renders of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from lifemask.geometry import Camera, Pose, axis_angle_matrix, rasterize, vertex_normals
from lifemask.heads import IRIS_ANGLE, PUPIL_ANGLE
from lifemask.tracking import FaceLandmarker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from head_asset.assemble import Layout

IRIS_FIRST = 468
"""Landmarks 468 to 472 lie on the subject's right eye, 473 to 477 on the left one; of each five
the first is the middle."""

INNER_LIPS = (
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
"""Landmarks of the inner lip line: told apart only while the mouth is open."""

_VIEWS = [(yaw, pitch) for yaw in (-24, -12, 0, 12, 24) for pitch in (-10, 0, 10)]
_SIZE = 768
_SIDEWAYS = 12 * 20
"""Degrees times pixels: a view turned by 12 degrees loses what lies 20 pixels off the middle."""
_DISTANCE = 0.75


def landmark_points(
    layout: Layout,
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    colours: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return `(478, 3)` landmark positions on the surface, metres.

    The median over the views is taken, for each side over those that turn it to the camera: on
    the far side of a turned head, landmarks slide along the silhouette.

    Raises:
        RuntimeError: The landmarker missed the head in most views.
    """
    skin = faces_of(faces, layout.slices["skin"])
    casts = []
    with FaceLandmarker() as landmarker:
        for yaw, pitch in _VIEWS:
            camera, pose = _view(yaw, pitch)
            found = landmarker.detect(paint(vertices, faces, colours, camera, pose))
            if len(found) == 1:
                pixels = found[0].points[:, :2]
                casts.append((yaw, pixels, _cast(pixels, vertices, skin, camera, pose)))
    if len(casts) < len(_VIEWS) // 2:
        raise RuntimeError(f"the landmarker found the head in {len(casts)} views only")
    yaws = np.array([yaw for yaw, _, _ in casts])
    points = np.stack([p for _, _, p in casts])
    side = np.median([pixels[:, 0] - _SIZE / 2 for yaw, pixels, _ in casts if yaw == 0], axis=0)
    points[yaws[:, None] * side > _SIDEWAYS] = np.nan
    return np.nanmedian(points, axis=0)


def symmetric(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average each landmark with the mirror image of its partner on the other side."""
    flip = np.array([-1.0, 1.0, 1.0])
    distance, partner = cKDTree(points).query(points * flip)
    paired = (partner[partner] == np.arange(len(points))) & (distance < 0.004)
    out = points.copy()
    out[paired] = 0.5 * (points[paired] + points[partner[paired]] * flip)
    return out


def embed(
    points: NDArray[np.float64], vertices: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the closest face and barycentric coordinates of `(n, 3)` points."""
    centres = vertices[faces].mean(axis=1)
    near = cKDTree(centres).query(points, k=24)[1]
    chosen, weights = [], []
    for point, candidates in zip(points, near, strict=True):
        found = [_closest(point, vertices[faces[c]]) for c in candidates]
        best = int(np.argmin([distance for distance, _ in found]))
        chosen.append(candidates[best])
        weights.append(found[best][1])
    return np.array(chosen, np.int32), np.array(weights, np.float32)


def iris_points(layout: Layout, vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `(10, 3)`: middle, then +image right, top, image left, bottom of each limbus."""
    out = []
    for name in ("eye_right", "eye_left"):
        ball = vertices[layout.slices[name]]
        ring = ball[1 + 4 * 24 : 1 + 5 * 24]
        out += [ball[0], ring[0], ring[6], ring[12], ring[18]]
    return np.array(out)


def paint(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    colours: NDArray[np.float64],
    camera: Camera,
    pose: Pose,
) -> NDArray[np.uint8]:
    """Draw vertex colours under a soft frontal light on a grey background."""
    at = pose.apply(vertices)
    raster = rasterize(
        camera.project(at), -at[:, 2], faces.astype(np.int32), camera.width, camera.height
    )
    normal = vertex_normals(at, faces)
    shade = 0.45 + 0.55 * np.clip(normal @ np.array([0.2, 0.35, 0.9]), 0, 1)
    picture = raster.interpolate(faces.astype(np.int32), colours * shade[:, None])
    picture[raster.face < 0] = 0.55
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


def vertex_colours(
    layout: Layout, masks: dict[str, NDArray[np.float32]], n: int
) -> NDArray[np.float64]:
    """Paint skin, lips, brows, eyes and teeth so that the landmarker sees a face."""
    colours = np.tile([0.80, 0.60, 0.50], (n, 1))

    def blend(mask: NDArray[np.float32], colour: list[float]) -> None:
        colours[:] = colours * (1 - mask[:, None]) + np.array(colour) * mask[:, None]

    blend(masks["lips"], [0.66, 0.33, 0.32])
    blend(masks["brows"], [0.25, 0.17, 0.13])
    blend(masks["mouth"], [0.25, 0.08, 0.08])
    angle = np.arccos(np.clip(layout.eyeball.points[:, 2] / 1.0, -1, 1))
    eye = np.where(angle[:, None] < IRIS_ANGLE * 1.01, [0.28, 0.20, 0.14], [0.92, 0.90, 0.88])
    eye = np.where(angle[:, None] < PUPIL_ANGLE * 1.01, [0.02, 0.02, 0.02], eye)
    for name in ("eye_left", "eye_right"):
        colours[layout.slices[name]] = eye
    for name in ("teeth_upper", "teeth_lower"):
        colours[layout.slices[name]] = [0.9, 0.87, 0.8]
    colours[layout.slices["lashes"]] = [0.1, 0.07, 0.06]
    return colours


def faces_of(faces: NDArray[np.int64], part: slice) -> NDArray[np.int64]:
    """Return the faces whose vertices lie in one part."""
    return faces[(faces[:, 0] >= part.start) & (faces[:, 0] < part.stop)]


def _view(yaw: float, pitch: float) -> tuple[Camera, Pose]:
    rotation = axis_angle_matrix([0, np.radians(yaw), 0]) @ axis_angle_matrix(
        [np.radians(pitch), 0, 0]
    )
    middle = np.array([0.0, 0.02, 0.08])
    return Camera(_SIZE, _SIZE, 1.9 * _SIZE), Pose(
        rotation, np.array([0, 0, -_DISTANCE]) - rotation @ middle
    )


def _cast(
    pixels: NDArray[np.float32],
    vertices: NDArray[np.float64],
    skin: NDArray[np.int64],
    camera: Camera,
    pose: Pose,
) -> NDArray[np.float64]:
    """Return the skin point under each pixel, NaN where there is none or it is seen edge-on."""
    at = pose.apply(vertices)
    index = skin.astype(np.int32)
    raster = rasterize(camera.project(at), -at[:, 2], index, camera.width, camera.height)
    column = np.clip(pixels[:, 0].astype(int), 0, camera.width - 1)
    row = np.clip(pixels[:, 1].astype(int), 0, camera.height - 1)
    face = raster.face[row, column]
    corners = vertices[index[face]]
    point = np.einsum("nk,nkd->nd", raster.barycentric[row, column], corners)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    toward = -(at[index[face]].mean(axis=1))
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    slant = ((normal @ pose.rotation.T) * toward).sum(axis=1)
    point[(face < 0) | (slant < 0.15)] = np.nan
    return point


def _closest(
    point: NDArray[np.float64], triangle: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return distance to a triangle and barycentric coordinates of the closest point."""
    a, b, c = triangle
    matrix = np.stack([b - a, c - a], axis=1)
    s, t = np.linalg.lstsq(matrix, point - a, rcond=None)[0]
    weights = np.array([1 - s - t, s, t])
    if weights.min() < 0:
        weights = np.clip(weights, 0, None)
        weights /= weights.sum()
    return float(np.linalg.norm(weights @ triangle - point)), weights
