"""Pictures that show where a fit is off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.geometry import rasterize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.geometry import Camera, Pose
    from lifemask.heads import Topology

_SEEN = (40, 220, 60)
_FITTED = (255, 40, 40)
_WIRE = (90, 210, 255)
_LONGER_SIDE = 1000
_SUBPIXEL_BITS = 4


def landmark_overlay(
    image: NDArray[np.uint8], seen: NDArray[np.floating], fitted: NDArray[np.floating]
) -> NDArray[np.uint8]:
    """Draw landmarks (green), the model's points (red) and what lies between them.

    Args:
        image: `(height, width, 3)` uint8 sRGB.
        seen: `(478, 2)` pixels.
        fitted: `(478, 2)` pixels.

    Returns:
        The face at about 1000 pixels, `(height, width, 3)` uint8.
    """
    import cv2

    canvas, corner, scale = _close_up(image, np.concatenate([seen, fitted]))
    for a, b in zip(_fixed(seen, corner, scale), _fixed(fitted, corner, scale), strict=True):
        cv2.line(canvas, a, b, (255, 230, 0), 1, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.circle(canvas, a, 2 << _SUBPIXEL_BITS, _SEEN, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.circle(canvas, b, 2 << _SUBPIXEL_BITS, _FITTED, 1, cv2.LINE_AA, _SUBPIXEL_BITS)
    return canvas


def wireframe_overlay(
    image: NDArray[np.uint8],
    vertices: NDArray[np.floating],
    topology: Topology,
    pose: Pose,
    camera: Camera,
) -> NDArray[np.uint8]:
    """Draw the edges of the visible skin over the picture.

    Args:
        image: `(height, width, 3)` uint8 sRGB.
        vertices: `(n_vertices, 3)` m, head frame.
        topology: Of the head.
        pose: Of the head.
        camera: Of the picture.

    Returns:
        The head at about 1000 pixels, `(height, width, 3)` uint8.
    """
    import cv2

    points = pose.apply(np.asarray(vertices, np.float64))
    pixels = camera.project(points)
    raster = rasterize(pixels, -points[:, 2], topology.faces, camera.width, camera.height)
    skin = topology.parts["skin"].faces
    seen = np.unique(raster.face[raster.face >= 0])
    seen = seen[(seen >= skin.start) & (seen < skin.stop)]
    canvas, corner, scale = _close_up(image, pixels[topology.faces[seen]].reshape(-1, 2))
    flat = np.array(_fixed(pixels, corner, scale), np.int32)
    edges = list(flat[topology.faces[seen]])
    drawn = canvas.copy()
    cv2.polylines(drawn, edges, True, _WIRE, 1, cv2.LINE_AA, _SUBPIXEL_BITS)
    return np.asarray(cv2.addWeighted(drawn, 0.6, canvas, 0.4, 0.0), np.uint8)


def _close_up(
    image: NDArray[np.uint8], around: NDArray[np.floating]
) -> tuple[NDArray[np.uint8], NDArray[np.float64], float]:
    """Crop to some points and enlarge; return the picture, its corner in pixels and the scale."""
    import cv2

    height, width = image.shape[:2]
    low, high = around.min(axis=0), around.max(axis=0)
    margin = 0.08 * float(np.max(high - low))
    left, top = np.clip(low - margin, 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(high + margin + 1, (left + 1, top + 1), (width, height)).astype(int)
    scale = _LONGER_SIDE / max(right - left, bottom - top)
    crop = np.ascontiguousarray(image[top:bottom, left:right])
    canvas = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return np.asarray(canvas, np.uint8), np.array([left, top], np.float64), scale


def _fixed(
    pixels: NDArray[np.floating], corner: NDArray[np.float64], scale: float
) -> list[tuple[int, int]]:
    """Return fixed-point coordinates as OpenCV draws them: pixel centres at whole numbers."""
    moved = ((pixels - corner) * scale - 0.5) * (1 << _SUBPIXEL_BITS)
    return [(int(x), int(y)) for x, y in np.rint(moved)]
