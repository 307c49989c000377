"""One person's head: geometry, shapes, joints; what exporters, renderers and trackers read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lifemask.geometry import axis_angle_matrix
from lifemask.heads._names import COEFFICIENT_COUNT, JOINT_NAMES, JOINT_PARENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

PART_NAMES = (
    "skin",
    "mouth",
    "tongue",
    "teeth_upper",
    "teeth_lower",
    "eye_left",
    "eye_right",
    "lashes",
)
"""Order of the parts in the vertex and face arrays. `mouth` is the cavity behind the lips and
shares its rim vertices with `skin`; every other part has vertices of its own."""


class Part(NamedTuple):
    """A contiguous run of vertices and faces.

    `skin` and `mouth` share the rim of the lips, so both carry the vertex range of the whole
    shell; their face ranges differ.
    """

    vertices: slice
    faces: slice


@dataclass(frozen=True)
class Topology:
    """What all heads of one head asset share.

    Attributes:
        asset_id: Name of the head asset, e.g. `"lifemask-head"`.
        asset_version: Semantic version; the island layout is frozen per major version.
        faces: `(n_faces, 3)` int32 vertex indices, counter-clockwise seen from outside.
        faces_uv: `(n_faces, 3)` int32 indices into `uv`.
        uv: `(n_uv, 2)` float32, glTF convention (v down), one atlas for all parts.
        parts: Runs of vertices and faces by part name, see `PART_NAMES`.
        masks: `(n_vertices,)` float32 in [0, 1] by region name (`face`, `lips`, `eyelids`,
            `ears`, `neck`, `scalp`, `brows`, `nose`, `forehead` ...).
        mirror: `(n_vertices,)` int32, the vertex on the subject's other side.
        landmark_faces: `(478,)` int32, the face that carries each MediaPipe landmark.
        landmark_barycentric: `(478, 3)` float32.
        neck_loop: `(n,)` int32, ordered boundary vertices where a body joins.
    """

    asset_id: str
    asset_version: str
    asset_sha256: str
    faces: NDArray[np.int32]
    faces_uv: NDArray[np.int32]
    uv: NDArray[np.float32]
    parts: Mapping[str, Part]
    masks: Mapping[str, NDArray[np.float32]]
    mirror: NDArray[np.int32]
    landmark_faces: NDArray[np.int32]
    landmark_barycentric: NDArray[np.float32]
    neck_loop: NDArray[np.int32]


@dataclass(frozen=True)
class Head:
    """One person's head at rest, with personal shapes and joints.

    Attributes:
        topology: Faces, atlas and regions.
        neutral: `(n_vertices, 3)` float32, metres, head frame (origin at the head joint,
            +Y up, the face looks along +Z, the subject's left is +X).
        expression_deltas: `(52, n_vertices, 3)` float32, metres, order `COEFFICIENT_NAMES`.
        joints: `(6, 3)` float32, metres, rest positions, order `JOINT_NAMES`.
        joint_weights: `(n_vertices, 6)` float32, rows sum to 1, at most four non-zero.
    """

    topology: Topology
    neutral: NDArray[np.float32]
    expression_deltas: NDArray[np.float32]
    joints: NDArray[np.float32]
    joint_weights: NDArray[np.float32]

    def vertices(
        self,
        coefficients: ArrayLike | None = None,
        *,
        gaze: ArrayLike | None = None,
        neck_rotation: ArrayLike | None = None,
    ) -> NDArray[np.float32]:
        """Return the vertices of one pose in the head frame.

        Args:
            coefficients: `(52,)` in [0, 1]; neutral when left out.
            gaze: `(4,)` radians: left yaw, left pitch, right yaw, right pitch; yaw is
                positive toward +X, pitch is positive up.
            neck_rotation: `(3,)` left axis-angle, radians, of the head against the root. The
                result stays in the head frame: the neck and shoulders move against the head.

        Returns:
            `(n_vertices, 3)` float32, metres.
        """
        points = self.neutral
        if coefficients is not None:
            weights = np.asarray(coefficients, np.float32)
            if weights.shape != (COEFFICIENT_COUNT,):
                raise ValueError(f"coefficients have shape {weights.shape}, expected (52,)")
            flat = self.expression_deltas.reshape(COEFFICIENT_COUNT, -1)
            moved = np.asarray(weights @ flat, np.float32)
            points = points + moved.reshape(points.shape)
        if gaze is not None or neck_rotation is not None:
            points = self._skin(points, self._joint_rotations(gaze, neck_rotation))
        if points is self.neutral:
            # Many heads may share it, and what is returned is the caller's own.
            return points.astype(np.float32)
        return np.ascontiguousarray(points, np.float32)

    def landmarks(self, vertices: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the 478 landmark points `(478, 3)` on the given vertices `(n_vertices, 3)`."""
        corners = vertices[self.topology.faces[self.topology.landmark_faces]]
        return np.einsum("lk,lkd->ld", self.topology.landmark_barycentric, corners)

    def _joint_rotations(
        self, gaze: ArrayLike | None, neck_rotation: ArrayLike | None
    ) -> NDArray[np.float64]:
        rotations = np.tile(np.eye(3), (len(JOINT_NAMES), 1, 1))
        if gaze is not None:
            for joint, (yaw, pitch) in zip(
                ("EyeLeft", "EyeRight"), np.reshape(gaze, (2, 2)), strict=True
            ):
                rotations[JOINT_NAMES.index(joint)] = gaze_matrix(float(yaw), float(pitch))
        if neck_rotation is not None:
            # The head frame is fixed to the head joint, so the body turns the other way.
            half = -0.5 * np.asarray(neck_rotation, np.float64)
            rotations[JOINT_NAMES.index("Neck")] = axis_angle_matrix(half)
            rotations[JOINT_NAMES.index("Root")] = axis_angle_matrix(half)
        return rotations

    def _skin(
        self, points: NDArray[np.float32], rotations: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Linear blend skinning with the head joint held fixed."""
        head = JOINT_NAMES.index("Head")
        matrices = np.tile(np.eye(4), (len(JOINT_NAMES), 1, 1))

        def about(joint: int, rotation: NDArray[np.float64]) -> NDArray[np.float64]:
            matrix = np.eye(4)
            matrix[:3, :3] = rotation
            matrix[:3, 3] = self.joints[joint] - rotation @ self.joints[joint]
            return matrix

        neck, root = JOINT_NAMES.index("Neck"), JOINT_NAMES.index("Root")
        matrices[neck] = about(head, rotations[neck])
        matrices[root] = matrices[neck] @ about(neck, rotations[root])
        for joint, parent in enumerate(JOINT_PARENTS):
            if parent == head:
                matrices[joint] = about(joint, rotations[joint])
        moved = np.zeros_like(points)
        for joint, matrix in enumerate(matrices):
            weight = self.joint_weights[:, joint]
            rows = np.flatnonzero(weight)
            image = points[rows] @ matrix[:3, :3].T.astype(np.float32) + matrix[:3, 3].astype(
                np.float32
            )
            moved[rows] += weight[rows, None] * image
        return moved


def gaze_matrix(yaw: float, pitch: float) -> NDArray[np.float64]:
    """Return the `(3, 3)` rotation that turns +Z to the gaze direction.

    Args:
        yaw: Radians, positive toward +X (the subject's left).
        pitch: Radians, positive up.
    """
    return axis_angle_matrix([0.0, yaw, 0.0]) @ axis_angle_matrix([-pitch, 0.0, 0.0])
