"""The data term of one picture: Gauss-Newton normal equations of its landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lifemask.tracking._products import gram
from lifemask.tracking._projection import pose_jacobian, project, shape_jacobian
from lifemask.tracking._regions import FACE_POINTS
from lifemask.tracking._settings import facing_weights, gap_pairs, landmark_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.geometry import Camera, Pose
    from lifemask.tracking._settings import SolveSettings


@dataclass(frozen=True)
class NormalEquations:
    """`H d = -g` of one picture.

    Attributes:
        hessian: `(m, m)`.
        gradient: `(m,)`.
    """

    hessian: NDArray[np.float64]
    gradient: NDArray[np.float64]


class LandmarkTerm:
    """Robust reprojection error of the 468 face points and of the lid and lip gaps.

    The gaps enter a second time as differences of two points: a blink moves the lids by a few
    pixels that the absolute positions alone would spread over pose and identity.

    Args:
        settings: Weights of the terms.
        rest: `(468, 3)` m, the head's face points at rest; they tell which way skin faces.
    """

    def __init__(self, settings: SolveSettings, rest: NDArray[np.float64]) -> None:
        self._settings = settings
        self._rest = rest
        self._base = landmark_weights(settings)
        pairs, weights = gap_pairs(settings)
        self._upper, self._lower = pairs[:, 0], pairs[:, 1]
        self._pair_roots = np.sqrt(weights)

    def linearise(
        self,
        points: NDArray[np.float64],
        basis: NDArray[np.float64],
        seen: NDArray[np.float64],
        pose: Pose,
        camera: Camera,
        unit: float,
        *,
        focal: bool = False,
        trust: NDArray[np.float64] | None = None,
    ) -> NormalEquations:
        """Return the normal equations at one state.

        Args:
            points: `(468, 3)` m, head frame.
            basis: `(468, 3, m)` m per unit of each weight.
            seen: `(468, 2)` pixels.
            pose: Of the head.
            camera: Of the picture.
            unit: Inter-ocular distance, pixels.
            focal: Whether the logarithm of the focal length is an unknown.
            trust: `(468,)` factors on the weights of the points.

        Returns:
            Unknowns in this order: the `m` weights, the focal length's logarithm if asked for,
            rotation (3, left axis-angle) and translation (3).
        """
        rotated = points @ pose.rotation.T
        drawn = project(rotated + pose.translation, camera)
        columns = [shape_jacobian(basis, pose.rotation, drawn.by_point)]
        if focal:
            columns.append((drawn.pixels - camera.principal_point)[:, :, None])
        columns.append(pose_jacobian(rotated, drawn.by_point))
        scale = 1.0 / (unit * self._settings.noise)
        jacobian = np.concatenate(columns, axis=2) * scale
        residual = (drawn.pixels - seen) * scale
        return self._weighted(jacobian, residual, pose.rotation, trust)

    def energy(
        self,
        points: NDArray[np.float64],
        seen: NDArray[np.float64],
        pose: Pose,
        camera: Camera,
        unit: float,
        trust: NDArray[np.float64] | None = None,
    ) -> float:
        """Return the term's value (Huber's function of the points, squares of the gaps)."""
        drawn = project(pose.apply(points), camera)
        residual = (drawn.pixels - seen) / (unit * self._settings.noise)
        length = np.linalg.norm(residual, axis=1)
        limit = self._settings.huber / self._settings.noise
        robust = np.where(length < limit, 0.5 * length**2, limit * (length - 0.5 * limit))
        gaps = (residual[self._upper] - residual[self._lower]) * self._pair_roots[:, None]
        weights = self._base * facing_weights(self._rest, pose.rotation)
        if trust is not None:
            weights = weights * trust
        return float(weights @ robust + 0.5 * np.sum(gaps**2))

    def _weighted(
        self,
        jacobian: NDArray[np.float64],
        residual: NDArray[np.float64],
        rotation: NDArray[np.float64],
        trust: NDArray[np.float64] | None,
    ) -> NormalEquations:
        weights = self._weights(residual, rotation)
        roots = np.sqrt(weights if trust is None else weights * trust)[:, None]
        gap_roots = self._pair_roots[:, None]
        gaps = (jacobian[self._upper] - jacobian[self._lower]) * gap_roots[:, :, None]
        rows = np.concatenate([jacobian * roots[:, :, None], gaps]).reshape(-1, jacobian.shape[2])
        gap_residual = (residual[self._upper] - residual[self._lower]) * gap_roots
        right = np.concatenate([residual * roots, gap_residual]).ravel()
        return NormalEquations(*gram(rows, right))

    def _weights(
        self, residual: NDArray[np.float64], rotation: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        limit = self._settings.huber / self._settings.noise
        length = np.maximum(np.linalg.norm(residual, axis=1), 1e-12)
        robust = np.minimum(1.0, limit / length)
        return robust * self._base * facing_weights(self._rest, rotation)


def face_basis(deltas: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return `(468, 3, m)` from displacements `(m, 478, 3)`, contiguous for products."""
    face = np.asarray(deltas, np.float64)[:, :FACE_POINTS]
    return np.ascontiguousarray(np.transpose(face, (1, 2, 0)))
