"""Pinhole camera, rigid pose and rotations in the conventions of the product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Camera:
    """Pinhole without distortion; right-handed, +Y up, looking along -Z.

    Attributes:
        width: Image width, pixels.
        height: Image height, pixels.
        focal: Focal length, pixels (square pixels).
        center: Principal point `(x, y)`, pixels from the top left corner; pixel centres lie at
            +0.5. The middle of the image when left out.
    """

    width: int
    height: int
    focal: float
    center: tuple[float, float] | None = None

    @property
    def principal_point(self) -> tuple[float, float]:
        """`(x, y)` in pixels."""
        return self.center or (self.width / 2.0, self.height / 2.0)

    def project(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Project camera-frame points `(..., 3)` m to pixels `(..., 2)`, origin top left."""
        x0, y0 = self.principal_point
        depth = -points[..., 2]
        return np.stack(
            [x0 + self.focal * points[..., 0] / depth, y0 - self.focal * points[..., 1] / depth],
            axis=-1,
        )

    def scaled(self, factor: float) -> Camera:
        """Return the same view at `factor` times the resolution."""
        x0, y0 = self.principal_point
        return Camera(
            round(self.width * factor),
            round(self.height * factor),
            self.focal * factor,
            (x0 * factor, y0 * factor),
        )


@dataclass(frozen=True)
class Pose:
    """Rigid motion from the head frame to the camera frame: `x_camera = R x_head + t`.

    Attributes:
        rotation: `(3, 3)` float64. A head that faces the camera has the identity.
        translation: `(3,)` float64, metres; z is negative in front of the camera.
    """

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    @classmethod
    def from_quaternion(cls, quaternion: ArrayLike, translation: ArrayLike) -> Pose:
        """Build from a unit quaternion `(4,)` x y z w and a translation `(3,)` m."""
        return cls(quaternion_matrix(quaternion), np.asarray(translation, np.float64))

    @property
    def quaternion(self) -> NDArray[np.float64]:
        """`(4,)` x y z w, w >= 0."""
        return matrix_quaternion(self.rotation)

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Move head-frame points `(n, 3)` m into the camera frame."""
        return points @ self.rotation.T.astype(points.dtype) + self.translation.astype(points.dtype)


def axis_angle_matrix(axis_angle: ArrayLike) -> NDArray[np.float64]:
    """Return the rotation `(3, 3)` of an axis-angle vector `(3,)` in radians (Rodrigues)."""
    vector = np.asarray(axis_angle, np.float64)
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3) + cross_matrix(vector)
    k = cross_matrix(vector / angle)
    return np.eye(3) + np.sin(angle) * k + (1.0 - np.cos(angle)) * (k @ k)


def cross_matrix(vector: ArrayLike) -> NDArray[np.float64]:
    """Return the `(3, 3)` matrix whose product with x is `vector x x`."""
    x, y, z = np.asarray(vector, np.float64)
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def matrix_axis_angle(rotation: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the axis-angle vector `(3,)`, radians, of a rotation `(3, 3)`."""
    x, y, z, w = matrix_quaternion(rotation)
    vector = np.array([x, y, z])
    sine = float(np.linalg.norm(vector))
    if sine < 1e-12:
        return 2.0 * vector
    return vector * (2.0 * np.arctan2(sine, w) / sine)


def matrix_quaternion(rotation: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the unit quaternion `(4,)` x y z w, w >= 0, of a rotation `(3, 3)`.

    The largest of the four components is solved for first, so that no angle loses precision.
    """
    m = np.asarray(rotation, np.float64)
    trace = np.trace(m)
    squares = np.array(
        [
            1 + 2 * m[0, 0] - trace,
            1 + 2 * m[1, 1] - trace,
            1 + 2 * m[2, 2] - trace,
            1 + trace,
        ]
    )
    pairs = np.array(
        [
            [squares[0], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[2, 1] - m[1, 2]],
            [m[0, 1] + m[1, 0], squares[1], m[1, 2] + m[2, 1], m[0, 2] - m[2, 0]],
            [m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], squares[2], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], squares[3]],
        ]
    )
    quaternion = pairs[int(np.argmax(squares))]
    quaternion = quaternion / np.linalg.norm(quaternion)
    return -quaternion if quaternion[3] < 0 else quaternion


def quaternion_matrix(quaternion: ArrayLike) -> NDArray[np.float64]:
    """Return the rotation `(3, 3)` of a quaternion `(4,)` x y z w (normalised here)."""
    q = np.asarray(quaternion, np.float64)
    norm = float(np.linalg.norm(q))
    if norm < 1e-9:
        raise ValueError("a zero quaternion is not a rotation")
    x, y, z, w = q / norm
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
