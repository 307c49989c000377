"""Unknowns of a bundle of pictures: where they stand, what they cost, how a step moves them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.tracking._coefficients import SOLVED, CoefficientPrior
from lifemask.tracking._settings import SolveSettings, prior_factors

if TYPE_CHECKING:
    from numpy.typing import NDArray


POSE: Final = 6
_FOCAL_STEP: Final = 0.25
"""Largest change of the focal length's logarithm in one step."""
_START: Final = 1.3
"""Factor on what the first bit of a coefficient costs a live solver."""
_KNEE: Final = 0.3
"""Coefficient from which sparsity costs less and less."""
_RIDGE: Final = 0.6
"""Share of a live solver's ridge that a bundle keeps."""


@dataclass(frozen=True)
class PictureState:
    """Unknowns of one picture.

    Attributes:
        weight: Share with which the picture counts, less than 1 where it fits worse than others.
        calm: Share with which it counts for the identity, less the more expression it shows.
    """

    pose: Pose
    camera: Camera
    coefficients: NDArray[np.float64]
    gaze: NDArray[np.float64]
    weight: float = 1.0
    calm: float = 1.0


class Columns(NamedTuple):
    """Where the unknowns stand in the normal equations of one picture.

    Identity, coefficients, focal length, pose. The focal length is shared by the pictures
    of a camera, which are few or many, so it stands among the shared unknowns behind the identity.
    """

    identity: NDArray[np.int64]
    coefficients: NDArray[np.int64]
    focal: int
    local: NDArray[np.int64]

    @classmethod
    def of(cls, modes: int) -> Columns:
        """Lay out the unknowns for `modes` of the identity."""
        coefficients = modes + np.arange(len(SOLVED))
        focal = modes + len(SOLVED)
        local = np.concatenate([coefficients, focal + 1 + np.arange(POSE)])
        return cls(np.arange(modes), coefficients, focal, local)

    def shared(self, camera: int) -> NDArray[np.int64]:
        """Return where a picture's shared columns go in the shared system."""
        return np.append(self.identity, len(self.identity) + camera)


class BundlePrior(CoefficientPrior):
    """The prior of the coefficients without the damping that a live solver needs.

    A sparse prior that costs as much at the top as at the bottom leaves a tenth of every
    expression unexplained, and in a bundle the identity explains it. Here sparsity follows
    `s k log(1 + c / k)` (reweighted L1, Candès, Wakin and Boyd 2008): small coefficients stay
    away, large ones are hardly held back.
    """

    def __init__(self, settings: SolveSettings) -> None:
        super().__init__(replace(settings, sparsity=0.0, ridge=_RIDGE * settings.ridge))
        self._cost = _START * settings.sparsity * prior_factors()

    def gradient(self, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `(n_solved,)`."""
        slope = self._cost * _KNEE / (coefficients + _KNEE)
        return super().gradient(coefficients) + slope[SOLVED]

    def energy(self, coefficients: NDArray[np.float64]) -> float:
        """Return the prior's value."""
        cost = self._cost * _KNEE * np.log1p(coefficients / _KNEE)
        return super().energy(coefficients) + float(cost[SOLVED].sum())


def moved(state: PictureState, local: NDArray[np.float64], focal: float) -> PictureState:
    """Return the state after a step in its own unknowns and in its focal length's logarithm."""
    count = len(SOLVED)
    coefficients = state.coefficients.copy()
    coefficients[SOLVED] = np.clip(coefficients[SOLVED] + local[:count], 0.0, 1.0)
    pose = Pose(
        axis_angle_matrix(local[-POSE:-3]) @ state.pose.rotation,
        state.pose.translation + local[-3:],
    )
    factor = float(np.exp(np.clip(focal, -_FOCAL_STEP, _FOCAL_STEP)))
    return replace(
        state,
        pose=pose,
        camera=replace(state.camera, focal=state.camera.focal * factor),
        coefficients=coefficients,
    )
