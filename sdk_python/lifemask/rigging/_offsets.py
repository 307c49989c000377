"""Move a fitted head so that its landmarks lie where the pictures show them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.heads import JOINT_NAMES, Head
from lifemask.rigging._landmark_field import landmark_field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.tracking import PhotoFit

_LIDS: Final = {
    "eye_left": (263, 362, 386, 374, 385, 380, 387, 373),
    "eye_right": (33, 133, 159, 145, 158, 153, 160, 144),
}
_LIPS: Final = (13, 14, 78, 308, 82, 312, 87, 317)


def align_to_landmarks(head: Head, fits: Sequence[PhotoFit]) -> Head:
    """Return the head with smooth per-vertex offsets that close the landmarks' residuals.

    The offsets are the mean of a Gaussian process on the neutral head, given the residuals of
    all pictures, of which each picture's expression and pose may explain a share, see
    `landmark_field`. Eyeballs, teeth and tongue move as rigid pieces, so that eyes stay spheres.

    Args:
        head: Of the fitted identity.
        fits: Of that identity to one or more pictures.
    """
    field = landmark_field(head, fits)
    offsets = field.at(head.neutral)
    at_landmarks = field.at(field.points)
    joints = stiffen(head, offsets, at_landmarks)
    return replace(
        head,
        neutral=(head.neutral + offsets).astype(np.float32),
        joints=(head.joints + joints).astype(np.float32),
    )


def stiffen(
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
