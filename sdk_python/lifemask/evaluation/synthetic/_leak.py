"""How much expression leaks into identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifemask.evaluation.synthetic._surfaces import Millimetres, Regions, distances
from lifemask.rigging import MEAN_PUPIL_DISTANCE, scale_to_pupil_distance

if TYPE_CHECKING:
    from lifemask.heads import Head


def identity_leak(first: Head, second: Head) -> float:
    """Return how far two builds of one person are apart, mm RMS over the face disc.

    Both heads are brought to one pupil distance and aligned rigidly, so that only shape counts.

    Args:
        first: Built from one set of pictures, e.g. at rest.
        second: Built from another one, e.g. smiling; same topology.
    """
    a, b = (scale_to_pupil_distance(head, MEAN_PUPIL_DISTANCE) for head in (first, second))
    face = Regions.of(a).weights["face"]
    return Millimetres.of(distances(b.neutral, a.neutral, face)[0], face).rmse
