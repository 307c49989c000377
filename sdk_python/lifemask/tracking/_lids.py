"""How far a blink has to go on one person's eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.heads import COEFFICIENT_INDEX
from lifemask.tracking._regions import LID_PAIRS_LEFT, LID_PAIRS_RIGHT, LIP_PAIRS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIDDLE: Final = 3
"""Lid pairs, from the middle of the eye, that decide."""
_RANGE: Final = (0.35, 2.0)


def blink_scales(neutral: NDArray[np.floating], deltas: NDArray[np.floating]) -> dict[str, float]:
    """Return by which factor each blink shape makes the lids of this person just meet.

    The generic shapes lower the lid by the same millimetres on every face, so that a narrow eye
    would close at half of the weight and then pass through the lower lid.

    Args:
        neutral: `(478, 3)` m, landmarks at rest.
        deltas: `(52, 478, 3)` m, the shapes at the landmarks.

    Returns:
        Factors of `eyeBlinkLeft` and `eyeBlinkRight`.
    """
    scales = {}
    for name, pairs in (("eyeBlinkLeft", LID_PAIRS_LEFT), ("eyeBlinkRight", LID_PAIRS_RIGHT)):
        upper, lower = pairs[:_MIDDLE].T
        blink = deltas[COEFFICIENT_INDEX[name]]
        gap = neutral[upper, 1] - neutral[lower, 1]
        closing = blink[lower, 1] - blink[upper, 1]
        scales[name] = float(np.clip(np.max(gap / np.maximum(closing, 1e-6)), *_RANGE))
    return scales


def lid_gaps(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return by how far the lids of the left and the right eye are apart, `(2,)` m.

    Args:
        points: `(478, 3)` m, head frame. Lids that pass through each other count as closed.
    """
    return np.array([_gap(points, pairs) for pairs in (LID_PAIRS_LEFT, LID_PAIRS_RIGHT)])


def lip_gap(points: NDArray[np.floating]) -> float:
    """Return by how far the middle of the lips is apart, metres.

    Args:
        points: `(478, 3)` m, head frame. Lips that pass through each other count as closed.
    """
    return _gap(points, LIP_PAIRS)


def _gap(points: NDArray[np.floating], pairs: NDArray[np.integer]) -> float:
    upper, lower = pairs[:_MIDDLE].T
    return float(np.maximum(points[upper, 1] - points[lower, 1], 0.0).mean())
