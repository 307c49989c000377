"""The landmark points of one person as a function of coefficients and gaze."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lifemask.heads import (
    COEFFICIENT_COUNT,
    COEFFICIENT_INDEX,
    JOINT_NAMES,
    Head,
    gaze_matrix,
)
from lifemask.tracking._lids import blink_scales
from lifemask.tracking._regions import IRIS_LEFT, IRIS_RIGHT, OUTER_EYE_CORNERS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lifemask.heads import LandmarkModel


@dataclass(frozen=True)
class LandmarkShape:
    """The 478 landmark points of one person.

    Attributes:
        neutral: `(478, 3)` float64 m, head frame, eyes straight ahead.
        deltas: `(52, 478, 3)` float64 m, order `COEFFICIENT_NAMES`.
        eye_centres: `(2, 3)` float64 m, left and right.
        rest_known: Whether `neutral` is where a detector sees this person at rest, see
            `fit_performer`. Coefficients are then held at zero more firmly.
    """

    neutral: NDArray[np.float64]
    deltas: NDArray[np.float64]
    eye_centres: NDArray[np.float64]
    rest_known: bool = False

    @classmethod
    def from_model(cls, model: LandmarkModel, identity: ArrayLike) -> LandmarkShape:
        """Evaluate the head model's landmarks for an identity `(n_identity,)`."""
        weights = np.asarray(identity, np.float64)
        return cls(
            model.neutral + _weighted_sum(weights, model.identity),
            np.ascontiguousarray(model.expressions, np.float64),
            model.eye_centres + _weighted_sum(weights, model.eye_identity),
        )

    @classmethod
    def from_head(cls, head: Head) -> LandmarkShape:
        """Restrict one person's head, personal shapes included, to its landmarks.

        Landmarks of lids lie a millimetre beside the edges, so that on lids that meet they are
        still apart; detectors report them together. They are taken to meet where the lids do, at
        blink weight one.
        """
        corners = head.topology.faces[head.topology.landmark_faces]
        weights = head.topology.landmark_barycentric.astype(np.float64)
        eyes = [JOINT_NAMES.index("EyeLeft"), JOINT_NAMES.index("EyeRight")]
        return cls(
            np.einsum("lk,lkd->ld", weights, head.neutral[corners]),
            np.ascontiguousarray(
                np.einsum("lk,elkd->eld", weights, head.expression_deltas[:, corners])
            ),
            head.joints[eyes].astype(np.float64),
        ).with_meeting_lids()

    def with_meeting_lids(self) -> LandmarkShape:
        """Return the shape whose lids just meet at blink weight one, see `blink_scales`."""
        deltas = self.deltas.copy()
        for name, scale in blink_scales(self.neutral, deltas).items():
            deltas[COEFFICIENT_INDEX[name]] *= scale
        return replace(self, deltas=deltas)

    def points(self, coefficients: ArrayLike, gaze: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the landmark points in the head frame.

        Args:
            coefficients: `(52,)` in [0, 1].
            gaze: `(4,)` rad: left yaw, left pitch, right yaw, right pitch; straight ahead when
                left out.

        Returns:
            `(478, 3)` m.
        """
        weights = np.asarray(coefficients, np.float64)
        if weights.shape != (COEFFICIENT_COUNT,):
            raise ValueError(f"coefficients have shape {weights.shape}, expected (52,)")
        points = self.neutral + _weighted_sum(weights, self.deltas)
        if gaze is not None:
            for eye, (iris, angles) in enumerate(
                zip((IRIS_LEFT, IRIS_RIGHT), np.reshape(gaze, (2, 2)), strict=True)
            ):
                turn = gaze_matrix(float(angles[0]), float(angles[1]))
                centre = self.eye_centres[eye]
                points[iris] = centre + (points[iris] - centre) @ turn.T
        return points

    @property
    def interocular(self) -> float:
        """Distance of the outer eye corners at rest, metres."""
        right, left = OUTER_EYE_CORNERS
        return float(np.linalg.norm(self.neutral[left] - self.neutral[right]))


def _weighted_sum(weights: NDArray[np.float64], parts: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the sum of `(n, ...)` parts weighted by `(n,)`, float64."""
    flat = np.asarray(parts, np.float64).reshape(len(weights), -1)
    return (weights @ flat).reshape(parts.shape[1:])
