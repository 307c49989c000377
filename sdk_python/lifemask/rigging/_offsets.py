"""Move a fitted head so that its landmarks lie where the pictures show them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.heads import JOINT_NAMES, Head
from lifemask.tracking import FACE_OVAL, FACE_POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.tracking import PhotoFit

_SCALES: Final = ((0.022, 0.0022), (0.09, 0.0025))
"""Reach and standard deviation, metres, of what the identity modes leave over: features, and
the width of the whole skull, which no landmark shows."""
_NOISE: Final = 0.0009
"""Metres, standard deviation of a landmark's position on a face of natural size."""
_OUTLINE_NOISE: Final = 0.003
"""The same for the face's outline, whose landmarks slide along it."""

_LIDS: Final = {
    "eye_left": (263, 362, 386, 374, 385, 380, 387, 373),
    "eye_right": (33, 133, 159, 145, 158, 153, 160, 144),
}
_LIPS: Final = (13, 14, 78, 308, 82, 312, 87, 317)


def align_to_landmarks(head: Head, fits: Sequence[PhotoFit]) -> Head:
    """Return the head with smooth per-vertex offsets that close the landmarks' residuals.

    The residuals of all pictures, moved back into the head frame parallel to the image plane,
    are the observations of a Gaussian process with an exponential-times-linear (Matern 3/2)
    kernel of two reaches on the neutral head; its mean is added to the neutral. Eyeballs, teeth
    and tongue move as rigid pieces, so that eyes stay spheres.

    Args:
        head: Of the fitted identity.
        fits: Of that identity to one or more pictures.
    """
    points = head.landmarks(head.neutral)[:FACE_POINTS].astype(np.float64)
    observed, weights = _observations(head, fits)
    noise = np.full(FACE_POINTS, _NOISE)
    noise[list(FACE_OVAL)] = _OUTLINE_NOISE
    covariance = _kernel(points, points) + np.diag(noise**2 / np.maximum(weights, 1e-3))
    gains = np.linalg.solve(covariance, observed)
    offsets = _kernel(head.neutral.astype(np.float64), points) @ gains
    at_landmarks = _kernel(points, points) @ gains
    joints = _stiffen(head, offsets, at_landmarks)
    return replace(
        head,
        neutral=(head.neutral + offsets).astype(np.float32),
        joints=(head.joints + joints).astype(np.float32),
    )


def _observations(
    head: Head, fits: Sequence[PhotoFit]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean residuals `(468, 3)` m in the head frame and how often each was seen."""
    total = np.zeros((FACE_POINTS, 3))
    weights = np.zeros(FACE_POINTS)
    for fit in fits:
        posed = head.landmarks(head.vertices(fit.coefficients, gaze=fit.gaze))[:FACE_POINTS]
        at = np.asarray(fit.pose.apply(posed.astype(np.float64)), np.float64)
        residual = fit.landmarks.pixels[:FACE_POINTS] - fit.camera.project(at)
        metres = residual * (-at[:, 2:] / fit.camera.focal) * [1, -1]
        weight = _facing(at)
        total += weight[:, None] * (np.c_[metres, np.zeros(len(at))] @ fit.pose.rotation)
        weights += weight
    return total / np.maximum(weights, 1e-9)[:, None], weights


def _facing(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight of each landmark by the side of the head that it lies on: the near side counts."""
    middle = at.mean(axis=0)
    toward = -middle / np.linalg.norm(middle)
    depth = (at - middle) @ toward
    return np.clip(0.6 + depth / 0.08, 0.05, 1.0)


def _kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    distance = np.linalg.norm(a[:, None] - b[None], axis=2) * np.sqrt(3.0)
    covariance = np.zeros_like(distance)
    for reach, sigma in _SCALES:
        covariance += sigma**2 * (1.0 + distance / reach) * np.exp(-distance / reach)
    return covariance


def _stiffen(
    head: Head, offsets: NDArray[np.float64], at_landmarks: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give each rigid piece one offset, in place; return the joints' offsets `(6, 3)`."""
    joints = np.zeros((len(JOINT_NAMES), 3))
    for part, lids in _LIDS.items():
        shift = at_landmarks[list(lids)].mean(axis=0)
        offsets[head.topology.parts[part].vertices] = shift
        joints[JOINT_NAMES.index("EyeLeft" if part == "eye_left" else "EyeRight")] = shift
    lips = at_landmarks[list(_LIPS)].mean(axis=0)
    for part in ("teeth_upper", "teeth_lower", "tongue"):
        offsets[head.topology.parts[part].vertices] = lips
    return joints
