"""Weights of the landmark solver: what each term of its energy costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES
from lifemask.tracking._regions import (
    FACE_POINTS,
    LID_PAIRS_LEFT,
    LID_PAIRS_RIGHT,
    LIP_PAIRS,
    REGIONS,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class SolveSettings:
    """Terms of the solver's energy, in units of one half of a squared standard deviation.

    Residuals are divided by the inter-ocular distance, so that nothing depends on the size of
    the picture.

    Attributes:
        noise: Standard deviation of a landmark, share of the inter-ocular distance. Larger than
            what is measured, because the errors of neighbouring landmarks go together.
        huber: Residual, same unit, from which a landmark counts linearly.
        contour: Weight of the landmarks on the face's outline, which slide along it.
        features: Weight of the landmarks of eyes and lips.
        lid_pairs: Weight of the gap between upper and lower lid points.
        lip_pairs: Weight of the gap between upper and lower lip points.
        identity: Weight of the unit-variance prior of the identity.
        focal: Standard deviation of the logarithm of the focal length. Wide, because pictures
            are cropped.
        focal_guess: Most likely focal length divided by the longer side of the picture.
        distance: Standard deviation of the logarithm of the distance from the camera. Perspective
            alone tells it from the focal length, and on a face that is not much.
        distance_guess: Most likely distance from the camera, metres.
        sparsity: Weight of the sum of the coefficients (L1).
        fade: Coefficient around which sparsity fades: its slope falls as `1 / (1 + c / fade)`,
            so that what is small vanishes and what is large keeps its amplitude.
        ridge: Weight of the squared coefficients (L2).
        exclusive: Weight of the products of coefficients that oppose each other.
        temporal: Weight of the squared change of the coefficients since the previous frame.
    """

    noise: float = 0.025
    huber: float = 0.03
    contour: float = 0.4
    features: float = 1.5
    lid_pairs: float = 3.0
    lip_pairs: float = 6.0
    identity: float = 1.0
    focal: float = 0.7
    focal_guess: float = 1.8
    distance: float = 0.3
    distance_guess: float = 0.8
    sparsity: float = 1.0
    fade: float = np.inf
    ridge: float = 1.5
    exclusive: float = 4.0
    temporal: float = 0.0


_FIRM_SPARSITY: Final = 12.0
_FIRM_LIDS: Final = 3.0
_FIRM_FADE: Final = 0.1


def firm(settings: SolveSettings) -> SolveSettings:
    """Return the weights for a person whose rest is known.

    Nothing but expression is left for coefficients to explain, so that small ones are the
    detector's noise. Lids are measured against the opening that is seen, which a blink must shut.
    """
    return replace(
        settings,
        sparsity=_FIRM_SPARSITY * settings.sparsity,
        fade=_FIRM_FADE,
        lid_pairs=_FIRM_LIDS * settings.lid_pairs,
    )


EXCLUSIVE_PAIRS: Final = tuple(
    (COEFFICIENT_INDEX[first], COEFFICIENT_INDEX[second])
    for first, second in (
        ("mouthSmileLeft", "mouthFrownLeft"),
        ("mouthSmileRight", "mouthFrownRight"),
        ("mouthPucker", "mouthStretchLeft"),
        ("mouthPucker", "mouthStretchRight"),
        ("browDownLeft", "browOuterUpLeft"),
        ("browDownRight", "browOuterUpRight"),
    )
)
"""Index pairs of coefficients that a face does not show together."""

_RARE: Final = {
    "jawForward": 4.0,
    "cheekPuff": 4.0,
    "noseSneerLeft": 2.0,
    "noseSneerRight": 2.0,
    "cheekSquintLeft": 2.0,
    "cheekSquintRight": 2.0,
    "mouthDimpleLeft": 2.0,
    "mouthDimpleRight": 2.0,
    "mouthShrugLower": 2.0,
    "mouthShrugUpper": 2.0,
}
"""Factors on the priors of coefficients that landmarks show poorly."""


def prior_factors() -> NDArray[np.float64]:
    """Return `(52,)` factors on the sparsity and ridge of each coefficient."""
    return np.array([_RARE.get(name, 1.0) for name in COEFFICIENT_NAMES])


def landmark_weights(settings: SolveSettings) -> NDArray[np.float64]:
    """Return `(468,)` weights of the face points."""
    weights = np.ones(FACE_POINTS)
    weights[REGIONS["eyes"]] = weights[REGIONS["lips"]] = settings.features
    weights[REGIONS["contour"]] = settings.contour
    return weights


def gap_pairs(settings: SolveSettings) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the `(n, 2)` lid and lip pairs and their `(n,)` weights."""
    lids = np.concatenate([LID_PAIRS_LEFT, LID_PAIRS_RIGHT])
    weights = [settings.lid_pairs] * len(lids) + [settings.lip_pairs] * len(LIP_PAIRS)
    return np.concatenate([lids, LIP_PAIRS]), np.array(weights)


def facing_weights(
    points: NDArray[np.float64], rotation: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weigh landmarks by how far their skin turns away from the camera.

    Behind the outline of a turned head the landmarks that a detector reports lie on the visible
    edge and no longer on the skin they belong to. Normals are those of a cylinder with a
    rounded end, which is all that the outline needs.

    Args:
        points: `(468, 3)` m, head frame, at rest.
        rotation: `(3, 3)` of the pose.

    Returns:
        `(468,)` in [0.05, 1].
    """
    centre = np.array([0.0, points[:, 1].mean(), points[:, 2].min()])
    normals = (points - centre) * (1.0, 0.5, 1.0)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    facing = normals @ rotation[2]
    step = np.clip((facing + 0.3) / 0.5, 0.0, 1.0)
    return 0.05 + 0.95 * step * step * (3.0 - 2.0 * step)


_SURE: Final = np.radians(12.0)
"""Yaw at which the landmarker's variance is twice that of a picture from the front."""
_SURE_OUTLINE: Final = np.radians(5.0)
"""The same for the face's outline, which slides over the skin."""


def turned_weights(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weigh landmarks by what a turned picture says of the person.

    The landmarker's error grows with the yaw, on the outline most, and it is smooth over the face,
    so that many landmarks do not average it out: weights fall a little faster than the inverse of
    its square. `tools/identity/accuracy.py` measures what a head gains from turned pictures.

    Args:
        rotation: `(3, 3)` of the pose.

    Returns:
        `(468,)` in (0, 1], 1 from the front.
    """
    yaw = np.arctan2(rotation[0, 2], rotation[2, 2])
    weights = np.full(FACE_POINTS, 1.0 / (1.0 + (yaw / _SURE) ** 2))
    weights[REGIONS["contour"]] = 1.0 / (1.0 + (yaw / _SURE_OUTLINE) ** 2)
    return weights
