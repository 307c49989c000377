"""Move a fitted head to where a person's face is at rest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.rigging._landmark_field import LandmarkField, kernel
from lifemask.rigging._offsets import stiffen
from lifemask.tracking import FACE_POINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head

_NOISE: Final = 0.0005
"""Metres that a landmark's rest is uncertain by."""


def settle_at_rest(head: Head, rest: NDArray[np.floating]) -> Head:
    """Return the head whose landmarks at rest lie where a clip shows them at rest.

    One picture cannot tell a person's raised brows from high ones; the calm frames of a clip can
    (`lifemask.tracking.shape_at_rest`). Live tracking holds coefficients of such a face at zero,
    so the head that they drive has to look like the person then. Displacements between landmarks
    are those of the smooth field that `align_to_landmarks` uses; eyeballs, teeth and tongue move
    as rigid pieces.

    Args:
        head: Of the person.
        rest: `(468, 3)` m, head frame, the landmarks at rest.
    """
    points = head.landmarks(head.neutral)[:FACE_POINTS].astype(np.float64)
    covariance = kernel(points, points)
    certain = covariance + _NOISE**2 * np.eye(FACE_POINTS)
    gains = np.linalg.solve(certain, np.asarray(rest, np.float64) - points)
    field = LandmarkField(points, np.asarray(gains, np.float64))
    offsets = field.at(head.neutral)
    joints = stiffen(head, offsets, field.at(points))
    return replace(
        head,
        neutral=(head.neutral + offsets).astype(np.float32),
        joints=(head.joints + joints).astype(np.float32),
    )
