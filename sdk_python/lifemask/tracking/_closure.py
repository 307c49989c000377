"""Lids and lips that touch in the picture touch in the landmarks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.heads import COEFFICIENT_INDEX
from lifemask.tracking._lids import lid_gaps
from lifemask.tracking._regions import (
    LID_PAIRS_LEFT,
    LID_PAIRS_RIGHT,
    LIP_PAIRS,
    OUTER_EYE_CORNERS,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.tracking._faces import FaceLandmarks
    from lifemask.tracking._shape import LandmarkShape

_LIDS_SHUT: Final = 0.3
"""Opening, share of the eye at rest, that the landmarker reports of eyes that are shut."""

_LIDS_OPEN: Final = 0.6
"""Opening from which it is taken at its word."""

_LIPS_SHUT: Final = 0.012
"""Gap of two lip points, share of the inter-ocular distance, reported of lips that touch."""

_LIPS_OPEN: Final = 0.04
"""Gap from which it is taken at its word."""

_UPPER_LID: Final = 0.8
"""Share of a lid gap's correction that the upper lid takes: it is the one that moves."""

_MIDDLE: Final = 3


def close_gaps(face: FaceLandmarks, shape: LandmarkShape) -> FaceLandmarks:
    """Return the landmarks with lids and lips together where the picture has them together.

    The landmarker hardly ever reports an eye as shut: of closed eyes it leaves a quarter of the
    gap, of lips that touch about a millimetre. Small gaps are stretched, from touching to
    the gap from which it is right, so that a blink arrives at closed lids and nothing jumps.

    Args:
        face: As reported.
        shape: Of the person; its eyes at rest are the measure of an opening.
    """
    points = face.points.astype(np.float64)
    right, left = OUTER_EYE_CORNERS
    unit = float(np.linalg.norm(points[left] - points[right]))
    if not unit > 0.0:
        return face
    rest = lid_gaps(shape.neutral) / shape.interocular
    for pairs, own in zip((LID_PAIRS_LEFT, LID_PAIRS_RIGHT), rest, strict=True):
        opening = float(_gaps(points, pairs[:_MIDDLE]).mean()) / (unit * max(float(own), 1e-6))
        factor = _stretched(np.array([opening]), _LIDS_SHUT, _LIDS_OPEN)
        _scale_gaps(points, pairs, np.repeat(factor, len(pairs)), _UPPER_LID)
    factors = _stretched(_gaps(points, LIP_PAIRS) / unit, _LIPS_SHUT, _LIPS_OPEN)
    _scale_gaps(points, LIP_PAIRS, factors, 0.5)
    return replace(face, points=points.astype(np.float32))


def shut_lids(
    coefficients: NDArray[np.float64], seen: NDArray[np.float64], shape: LandmarkShape
) -> NDArray[np.float64]:
    """Return the coefficients with blinks that close as far as the lids in the picture do.

    A blink lasts a few frames and moves a few of 468 landmarks: priors, and neighbours in time,
    keep it from arriving. Where the picture has the lids closing, `eyeBlink*` alone makes up for
    what is missing; it is never lowered.

    Args:
        coefficients: `(52,)` as solved.
        seen: `(468, 2)` pixels, see `close_gaps`.
        shape: Of the person.
    """
    coefficients = coefficients.copy()
    right, left = OUTER_EYE_CORNERS
    unit = max(float(np.linalg.norm(seen[left] - seen[right])), 1e-6)
    rest = lid_gaps(shape.neutral)
    now = lid_gaps(shape.points(coefficients))
    sides = (("eyeBlinkLeft", LID_PAIRS_LEFT), ("eyeBlinkRight", LID_PAIRS_RIGHT))
    for eye, (name, pairs) in enumerate(sides):
        own = max(float(rest[eye]), 1e-6)
        opening = float(_gaps(seen, pairs[:_MIDDLE]).mean()) / unit * shape.interocular / own
        sure = np.clip((_LIDS_OPEN - opening) / (_LIDS_OPEN - _LIDS_SHUT), 0.0, 1.0)
        missing = float(now[eye]) / own - opening
        if sure > 0.0 and missing > 0.0:
            # At weight one the lids of a shape just meet, see `blink_scales`.
            blink = COEFFICIENT_INDEX[name]
            coefficients[blink] = min(1.0, coefficients[blink] + sure * missing)
    return coefficients


def _stretched(gaps: NDArray[np.float64], shut: float, opened: float) -> NDArray[np.float64]:
    """Return the factor on each gap: 0 up to `shut`, 1 from `opened`, linear gaps between."""
    target = opened * np.clip((gaps - shut) / (opened - shut), 0.0, 1.0)
    return np.where(gaps < opened, target / np.maximum(gaps, 1e-9), 1.0)


def _gaps(points: NDArray[np.float64], pairs: NDArray[np.integer]) -> NDArray[np.float64]:
    return np.linalg.norm(points[pairs[:, 0], :2] - points[pairs[:, 1], :2], axis=1)


def _scale_gaps(
    points: NDArray[np.float64],
    pairs: NDArray[np.integer],
    factors: NDArray[np.float64],
    upper_share: float,
) -> None:
    """Bring the points of each pair together, in place."""
    upper, lower = pairs.T
    change = (1.0 - factors)[:, None] * (points[lower, :2] - points[upper, :2])
    points[upper, :2] += upper_share * change
    points[lower, :2] -= (1.0 - upper_share) * change
