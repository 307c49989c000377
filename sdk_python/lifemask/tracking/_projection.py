"""Projected points with their derivatives, the first guess of the pose, and the error."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lifemask.geometry import Camera, Pose
from lifemask.tracking._regions import OUTER_EYE_CORNERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIRROR_YZ = np.array([1.0, -1.0, -1.0])
"""From MediaPipe's x right, y down, z away to the camera frame."""


class Projection(NamedTuple):
    """Pixels of points and how they change.

    Attributes:
        pixels: `(n, 2)`.
        by_point: `(n, 2, 3)` pixels per metre in the camera frame.
    """

    pixels: NDArray[np.float64]
    by_point: NDArray[np.float64]


def project(points: NDArray[np.floating], camera: Camera) -> Projection:
    """Project camera-frame points `(n, 3)` m and differentiate by them."""
    scale = camera.focal / -points[:, 2]
    x0, y0 = camera.principal_point
    offset = points[:, :2] * scale[:, None] * (1.0, -1.0)
    by_point = np.zeros((len(points), 2, 3))
    by_point[:, 0, 0] = scale
    by_point[:, 1, 1] = -scale
    by_point[:, :, 2] = offset / -points[:, 2:]
    return Projection(offset + np.array([x0, y0]), by_point)


def pose_jacobian(
    rotated: NDArray[np.float64], by_point: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Differentiate pixels by a left axis-angle perturbation (rad) and the translation (m).

    Args:
        rotated: `(n, 3)` `R x_head`, without the translation.
        by_point: `(n, 2, 3)` of `Projection`.

    Returns:
        `(n, 2, 6)`: `d(exp(w) R x + t) = -[R x]_x dw + dt`.
    """
    # Row i of -[a]_x against p is the cross product a x p, so no skew matrix is built.
    a, p = np.moveaxis(rotated[:, None, :], 2, 0), np.moveaxis(by_point, 2, 0)
    out = np.empty((*by_point.shape[:2], 6))
    for axis in range(3):
        after, last = (axis + 1) % 3, (axis + 2) % 3
        out[:, :, axis] = a[after] * p[last] - a[last] * p[after]
    out[:, :, 3:] = by_point
    return out


def shape_jacobian(
    basis: NDArray[np.float64], rotation: NDArray[np.float64], by_point: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Differentiate pixels by the weights of displacements.

    Args:
        basis: `(n, 3, m)` metres in the head frame per unit weight.
        rotation: `(3, 3)` of the pose.
        by_point: `(n, 2, 3)` of `Projection`.

    Returns:
        `(n, 2, m)`.
    """
    return (by_point @ rotation) @ basis


def guess_pose(
    points: NDArray[np.float64],
    landmarks: NDArray[np.floating],
    weights: NDArray[np.float64],
    camera: Camera,
) -> Pose:
    """Guess the pose from landmarks that carry a relative depth.

    Similarity Procrustes (Umeyama 1991) between the head's points and the landmarks, then the
    distance at which the camera sees them in that size.

    Args:
        points: `(n, 3)` m, head frame.
        landmarks: `(n, 3)` pixels and relative depth.
        weights: `(n,)`.
        camera: Its focal length decides the distance.
    """
    seen = np.asarray(landmarks, np.float64) * _MIRROR_YZ
    share = weights / weights.sum()
    middle, seen_middle = share @ points, share @ seen
    covariance = (seen - seen_middle).T @ (share[:, None] * (points - middle))
    u, _, vt = np.linalg.svd(covariance)
    rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
    turned = (points - middle) @ rotation.T
    # The depth of the landmarks is vague: the size comes from x and y alone.
    planar = np.sum(share[:, None] * turned[:, :2] * (seen - seen_middle)[:, :2])
    scale = planar / np.sum(share[:, None] * turned[:, :2] ** 2)
    x0, y0 = camera.principal_point
    depth = camera.focal / scale
    centre = np.array([seen_middle[0] - x0, seen_middle[1] + y0, -camera.focal]) / scale
    centre[2] = -depth
    return Pose(rotation, centre - rotation @ middle)


def interocular_pixels(points: NDArray[np.float64], pose: Pose, camera: Camera) -> float:
    """Return the distance of the outer eye corners projected as if the head had no yaw, pixels.

    Args:
        points: `(478, 3)` m, head frame.
        pose: Of the head.
        camera: Of the picture.
    """
    corners = points[list(OUTER_EYE_CORNERS)]
    depth = -pose.apply(corners.mean(axis=0)[None])[0, 2]
    return float(camera.focal * np.linalg.norm(corners[1] - corners[0]) / depth)
