"""Gaze angles from iris landmarks, and the coefficients that move the lids with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.geometry import axis_angle_matrix
from lifemask.heads import COEFFICIENT_INDEX, gaze_matrix
from lifemask.tracking._projection import project
from lifemask.tracking._regions import (
    EYE_CORNERS_LEFT,
    EYE_CORNERS_RIGHT,
    IRIS_LEFT,
    IRIS_RIGHT,
    LID_PAIRS_LEFT,
    LID_PAIRS_RIGHT,
    lid_opening,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lifemask.geometry import Camera, Pose
    from lifemask.tracking._shape import LandmarkShape

EYE_LOOK_RANGE: Final = {"In": 0.61, "Out": 0.61, "Up": 0.44, "Down": 0.52}
"""Gaze angle, radians, at which an `eyeLook` coefficient reaches 1."""

EYE_REST: Final = (0.055, -0.07)
"""Yaw outward and pitch, radians, at which the lids are at rest.

An eyeball that looks into the camera points a few degrees outward, because the line of sight
does not pass through the middle of the pupil (angle kappa), and a little down in its lids."""

GAZE_LIMIT: Final = np.array([0.87, 0.70, 0.87, 0.70])
"""Largest gaze angles, radians."""

_IRISES = (IRIS_LEFT, IRIS_RIGHT)
_CORNERS = (EYE_CORNERS_LEFT, EYE_CORNERS_RIGHT)
_LIDS = (LID_PAIRS_LEFT, LID_PAIRS_RIGHT)

_NOISE = 0.01
"""Standard deviation of an iris point, share of the inter-ocular distance."""

_REST_SPREAD = 0.35
"""Standard deviation of the gaze around straight ahead, radians."""

_PAIR_SPREAD = (0.06, 0.02)
"""Standard deviation, radians, of the difference between the eyes in yaw and in pitch."""

_CLOSED, _OPEN = 0.08, 0.18
"""Lid openings below which an iris counts nothing and above which it counts fully."""

_ITERATIONS = 3


def gaze_coefficients(gaze: ArrayLike, out: NDArray[np.floating]) -> None:
    """Write the eight `eyeLook` coefficients that go with a gaze.

    The shapes move the lids only: eyeballs turn by their joints.

    Args:
        gaze: `(4,)` rad: left yaw, left pitch, right yaw, right pitch.
        out: `(52,)` coefficients, changed in place.
    """
    for side, (yaw, pitch) in zip(("Left", "Right"), np.reshape(gaze, (2, 2)), strict=True):
        outward = (float(yaw) if side == "Left" else -float(yaw)) - EYE_REST[0]
        upward = float(pitch) - EYE_REST[1]
        angles = {"Out": outward, "In": -outward, "Up": upward, "Down": -upward}
        for direction, angle in angles.items():
            value = angle / EYE_LOOK_RANGE[direction]
            out[COEFFICIENT_INDEX[f"eyeLook{direction}{side}"]] = min(max(value, 0.0), 1.0)


def solve_gaze(
    shape: LandmarkShape,
    points: NDArray[np.float64],
    pixels: NDArray[np.floating],
    pose: Pose,
    camera: Camera,
    unit: float,
    start: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Turn the eyeballs until their irises lie where they were seen.

    What counts is the place of the iris between the corners of its eye, so that a small error
    of the pose or of the lids does not turn the eyes. An eye that is closed follows the other
    one and `start`.

    Args:
        shape: Irises at rest and eye centres.
        points: `(478, 3)` m, the face points of the same expression in the head frame.
        pixels: `(478, 2)` landmarks seen.
        pose: Of the head.
        camera: Of the picture.
        unit: Inter-ocular distance, pixels.
        start: `(4,)` rad, the gaze of the previous frame.

    Returns:
        `(4,)` rad: left yaw, left pitch, right yaw, right pitch.
    """
    gaze = np.zeros(4) if start is None else start.copy()
    rest = np.zeros(4) if start is None else start
    seen = [_iris_targets(eye, points, pixels, pose, camera, unit) for eye in (0, 1)]
    for _ in range(_ITERATIONS):
        hessian, gradient = _gaze_prior(gaze, rest)
        for eye, (target, weight) in enumerate(seen):
            part = slice(2 * eye, 2 * eye + 2)
            jacobian, pixels_now = _iris_jacobian(shape, eye, gaze[part], pose, camera)
            residual = (pixels_now - target) / (unit * _NOISE)
            jacobian = jacobian.reshape(-1, 2) / (unit * _NOISE)
            hessian[part, part] += weight * jacobian.T @ jacobian
            gradient[part] += weight * jacobian.T @ residual.ravel()
        gaze = np.clip(gaze - np.linalg.solve(hessian, gradient), -GAZE_LIMIT, GAZE_LIMIT)
    return gaze


def _gaze_prior(
    gaze: NDArray[np.float64], rest: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    hessian = np.eye(4) / _REST_SPREAD**2
    for axis, spread in enumerate(_PAIR_SPREAD):
        difference = np.zeros(4)
        difference[[axis, axis + 2]] = 1.0 / spread, -1.0 / spread
        hessian += np.outer(difference, difference)
    together = hessian - np.eye(4) / _REST_SPREAD**2
    return hessian, together @ gaze + (gaze - rest) / _REST_SPREAD**2


def _iris_targets(
    eye: int,
    points: NDArray[np.float64],
    pixels: NDArray[np.floating],
    pose: Pose,
    camera: Camera,
    unit: float,
) -> tuple[NDArray[np.float64], float]:
    """Return where the model's iris points should fall, and how far the eye is to be trusted."""
    corners = _CORNERS[eye]
    drawn = project(pose.apply(points[corners]), camera).pixels
    local_error = (drawn - pixels[corners]).mean(axis=0)
    opening = lid_opening(np.asarray(pixels, np.float64), _LIDS[eye], corners)
    trust = min(max((opening - _CLOSED) / (_OPEN - _CLOSED), 0.0), 1.0)
    return pixels[_IRISES[eye]] + local_error, trust


def _iris_jacobian(
    shape: LandmarkShape, eye: int, angles: NDArray[np.float64], pose: Pose, camera: Camera
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the derivative `(5, 2, 2)` of one iris' pixels by yaw and pitch, and the pixels."""
    yaw, pitch = float(angles[0]), float(angles[1])
    arm = (shape.neutral[_IRISES[eye]] - shape.eye_centres[eye]) @ gaze_matrix(yaw, pitch).T
    drawn = project(pose.apply(shape.eye_centres[eye] + arm), camera)
    sideways = axis_angle_matrix([0.0, yaw, 0.0])[:, 0]
    by_angle = np.stack([np.cross([0.0, 1.0, 0.0], arm), np.cross(-sideways, arm)], axis=2)
    return drawn.by_point @ pose.rotation @ by_angle, drawn.pixels
