"""Twelve head poses with all their forms, so that no language turns a head the wrong way."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.geometry import Camera, Pose, axis_angle_matrix, matrix_quaternion
from lifemask.v1 import frame_pb2 as frame_pb

if TYPE_CHECKING:
    from numpy.typing import NDArray

CAMERA: Final = Camera(width=1280, height=720, focal=1100.0, center=(652.5, 371.25))

POINTS: Final = {
    "head_joint": (0.0, 0.0, 0.0),
    "nose_tip": (0.0, 0.035, 0.12),
    "left_eye": (0.032, 0.065, 0.085),
    "right_eye": (-0.032, 0.065, 0.085),
    "chin": (0.0, -0.05, 0.095),
    "left_ear": (0.075, 0.04, 0.0),
    "crown": (0.0, 0.17, 0.0),
}
"""Points of the head frame, metres."""

# Name, axis-angle in radians, translation in metres.
_POSES: Final = (
    ("facing_the_camera", (0.0, 0.0, 0.0), (0.0, 0.0, -0.55)),
    ("turned_to_own_left", (0.0, 0.6, 0.0), (0.0, 0.0, -0.55)),
    ("turned_to_own_right", (0.0, -0.6, 0.0), (0.0, 0.0, -0.55)),
    ("looking_down", (0.4, 0.0, 0.0), (0.0, 0.0, -0.55)),
    ("looking_up", (-0.4, 0.0, 0.0), (0.0, 0.0, -0.55)),
    ("tilted_to_picture_left", (0.0, 0.0, 0.5), (0.0, 0.0, -0.55)),
    ("tilted_to_picture_right", (0.0, 0.0, -0.5), (0.0, 0.0, -0.55)),
    ("moved_right_and_up", (0.0, 0.0, 0.0), (0.12, 0.07, -0.8)),
    ("all_axes", (0.31, -0.52, 0.17), (-0.05, 0.03, -0.62)),
    ("profile", (0.0, 1.5707963267948966, 0.0), (0.0, 0.02, -0.7)),
    ("back_of_the_head", (0.0, 3.141592653589793, 0.0), (0.0, 0.0, -1.0)),
    ("almost_upside_down", (0.2, 0.1, 3.0), (0.02, -0.04, -0.9)),
)


def pose_table() -> dict[str, Any]:
    """Return the content of `poses.json`."""
    points = np.array(list(POINTS.values()))
    return {
        "conventions": (
            "x_camera = matrix * x_head + translation; right-handed, +Y up, metres; the camera "
            "looks along -Z; pixels from the top left corner, centres at +0.5; quaternions x y z "
            "w with w >= 0; all numbers of a pose are computed from its quaternion and "
            "translation, which are exact in float32. Compare with a tolerance of 1e-5 for "
            "matrices and metres and 0.01 pixels."
        ),
        "camera": {
            "width": CAMERA.width,
            "height": CAMERA.height,
            "focal": CAMERA.focal,
            "center": list(CAMERA.principal_point),
        },
        "points": {name: list(point) for name, point in POINTS.items()},
        "poses": [_row(name, turn, place, points) for name, turn, place in _POSES],
    }


def _row(
    name: str,
    turn: tuple[float, float, float],
    place: tuple[float, float, float],
    points: NDArray[np.float64],
) -> dict[str, Any]:
    quaternion = matrix_quaternion(axis_angle_matrix(turn)).astype(np.float32)
    # Without this, -0.0 and 1e-17 differ between machines.
    quaternion[np.abs(quaternion) < 1e-7] = 0.0
    translation = np.array(place, np.float32)
    pose = Pose.from_quaternion(quaternion, translation)
    moved = pose.apply(points)
    return {
        "name": name,
        "quaternion": [float(number) for number in quaternion],
        "translation": [float(number) for number in translation],
        "matrix": _rounded(pose.rotation, 9),
        "camera_points": _rounded(moved, 9),
        "pixels": _rounded(CAMERA.project(moved), 6),
        "frame": base64.b64encode(_frame(quaternion, translation)).decode("ascii"),
    }


def _frame(quaternion: NDArray[np.float32], translation: NDArray[np.float32]) -> bytes:
    x, y, z, w = quaternion.tolist()
    right, up, toward = translation.tolist()
    message = frame_pb.PerformanceFrame(
        sequence=1,
        head_rotation=frame_pb.Quaternion(x=x, y=y, z=z, w=w),
        head_translation=frame_pb.Vector3(x=right, y=up, z=toward),
    )
    return message.SerializeToString(deterministic=True)


def _rounded(array: NDArray[np.float64], digits: int) -> list[list[float]]:
    return (np.round(array, digits) + 0.0).tolist()
