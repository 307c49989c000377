"""Which frames of a clip a dynamic texture is learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.dynamics._contract import GAZE, INPUT_COUNT, VIEW
from lifemask.heads import COEFFICIENT_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_FRAMES: Final = 320
_RARE: Final = 0.6
"""Share of the frames that are chosen for being unlike those chosen before."""
_EMPHASIS: Final = {"mouth": 1.5, "jaw": 2.0, "eye": 1.5, "brow": 1.0}
_GAZE: Final = 2.5
_VIEW: Final = 1.5


def choose_frames(inputs: NDArray[np.floating], limit: int = MOST_FRAMES) -> NDArray[np.int64]:
    """Choose frames that show as many expressions as possible.

    Most are chosen farthest first (Gonzalez 1985): each time the frame that is farthest from all
    chosen ones, mouth, eyes and gaze counting more; so every rare expression is among them. The
    others lie evenly in between, because what is usual has to look right as well.

    Args:
        inputs: `(n, 59)`, see `dynamic_input`, in order of time.
        limit: How many at most.

    Returns:
        Rising places.
    """
    count = len(inputs)
    if count <= limit:
        return np.arange(count)
    points = np.asarray(inputs, np.float32) * _importance()
    far = max(int(_RARE * limit), 1)
    chosen = [int(np.argmin(np.linalg.norm(points - np.median(points, axis=0), axis=1)))]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < far:
        chosen.append(int(np.argmax(distance)))
        np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1), out=distance)
    rest = np.setdiff1d(np.arange(count), chosen)
    even = rest[np.linspace(0, len(rest) - 1, limit - len(set(chosen))).round().astype(int)]
    return np.union1d(chosen, even)


def _importance() -> NDArray[np.float32]:
    weights = np.ones(INPUT_COUNT, np.float32)
    for i, name in enumerate(COEFFICIENT_NAMES):
        stem = next((one for one in _EMPHASIS if name.startswith(one)), "")
        weights[i] = _EMPHASIS.get(stem, 1.0)
    weights[GAZE], weights[VIEW] = _GAZE, _VIEW
    return weights
