"""Where to put the camera, and how a tracked head sits before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.geometry import (
    Camera,
    Pose,
    axis_angle_matrix,
    matrix_axis_angle,
    quaternion_matrix,
)
from lifemask.heads import JOINT_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.appearance import HairCap
    from lifemask.capture import PerformanceFrame
    from lifemask.heads import Head

DEFAULT_DISTANCE = 0.9
_MARGIN = 0.1
"""Space above and beside the head, as a share of its size."""


def frame_head(
    head: Head,
    width: int,
    height: int,
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    distance: float = DEFAULT_DISTANCE,
    hair: HairCap | None = None,
) -> tuple[Camera, Pose]:
    """Place a camera so that head and neck fill the picture; the neck ends on its lower border.

    Args:
        head: Whose size decides.
        width: Picture width, pixels.
        height: Picture height, pixels.
        yaw: Radians; positive turns the face toward its own left (the right of the picture).
        pitch: Radians; positive raises the face.
        distance: Metres from the camera to the middle of the head.
        hair: Cap that has to fit into the picture too.

    Returns:
        The camera, and the pose of the head in front of it.
    """
    low, high = head.neutral.min(axis=0), head.neutral.max(axis=0)
    if hair is not None and len(hair.vertices):
        low = np.minimum(low, hair.vertices.min(axis=0))
        high = np.maximum(high, hair.vertices.max(axis=0))
    bottom = float(head.neutral[head.topology.neck_loop, 1].mean())
    top = float(high[1]) + _MARGIN * (float(high[1]) - bottom)
    # A head is about an ellipsoid: turned by any angle it stays within its longer axis.
    breadth = (1 + _MARGIN) * float(max(high[0] - low[0], high[2] - low[2]))
    focal = distance * min(height / (top - bottom), width / breadth)
    pivot = np.array([0.0, 0.5 * (top + bottom), 0.5 * float(low[2] + high[2])])
    rotation = axis_angle_matrix([0.0, yaw, 0.0]) @ axis_angle_matrix([-pitch, 0.0, 0.0])
    # In a picture taller than the head the neck still ends on the lower border.
    drop = 0.5 * (height * distance / focal - (top - bottom))
    translation = np.array([0.0, -drop, -distance]) - rotation @ pivot
    return Camera(width, height, focal), Pose(rotation, translation)


def pose_vertices(head: Head, frame: PerformanceFrame) -> tuple[NDArray[np.float32], Pose]:
    """Return a performed head, and how its head frame moved while the neck's base stayed.

    Args:
        head: The avatar.
        frame: Coefficients, gaze and head rotation; the head's translation is not used.

    Returns:
        `(n_vertices, 3)` m in the head frame, and the motion from this head frame to that of the
        resting head, so that vertices bound to the root joint end where they rest.
    """
    rotation = matrix_axis_angle(quaternion_matrix(frame.head_rotation))
    vertices = head.vertices(frame.coefficients, gaze=frame.gaze, neck_rotation=rotation)
    return vertices, _root_motion(head, rotation)


def _root_motion(head: Head, rotation: NDArray[np.float64]) -> Pose:
    """Return the inverse of what `neck_rotation` does to the root joint."""
    neck = head.joints[JOINT_NAMES.index("Neck")].astype(np.float64)
    centre = head.joints[JOINT_NAMES.index("Head")].astype(np.float64)
    half = axis_angle_matrix(0.5 * rotation)
    # x -> half (x - centre) + centre, then x -> half (x - neck) + neck.
    return Pose(half @ half, half @ (centre - half @ centre - neck) + neck)


def after(outer: Pose, inner: Pose) -> Pose:
    """Return the pose that applies `inner`, then `outer`."""
    return Pose(
        outer.rotation @ inner.rotation, outer.rotation @ inner.translation + outer.translation
    )
