"""Absolute size, which pictures do not show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.heads import JOINT_NAMES

if TYPE_CHECKING:
    from lifemask.heads import Head

MEAN_PUPIL_DISTANCE: Final = 0.063
"""Metres between the pupils of the average adult looking far away."""

PUPIL_DISTANCES: Final = (0.04, 0.09)
"""Metres: the least and the most that people have, children included."""


def scale_to_pupil_distance(head: Head, metres: float = MEAN_PUPIL_DISTANCE) -> Head:
    """Return the head in the size that puts its eyes `metres` apart.

    A camera cannot tell a small near head from a large far one, so a fit leaves the size to its
    priors. The distance of the pupils varies least among adults and is what opticians measure.

    Args:
        head: Shapes and joints grow with it.
        metres: Distance of the eye joints.

    Raises:
        ValueError: `metres` is not a human distance.
    """
    low, high = PUPIL_DISTANCES
    if not low <= metres <= high:
        raise ValueError(f"a pupil distance of {metres} m, expected {low} to {high}")
    eyes = head.joints[[JOINT_NAMES.index("EyeLeft"), JOINT_NAMES.index("EyeRight")]]
    factor = np.float32(metres / np.linalg.norm(eyes[0] - eyes[1]))
    return replace(
        head,
        neutral=head.neutral * factor,
        expression_deltas=head.expression_deltas * factor,
        joints=head.joints * factor,
    )


def scale_between(before: Head, after: Head) -> float:
    """Return how much larger a head is than the same head before it was scaled."""
    eyes = [JOINT_NAMES.index("EyeLeft"), JOINT_NAMES.index("EyeRight")]
    first, second = (np.linalg.norm(np.diff(head.joints[eyes], axis=0)) for head in (before, after))
    return float(second / first)
