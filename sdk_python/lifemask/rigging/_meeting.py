"""Blinks that close on this person's lids, and lips that meet under `mouthClose`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.heads import COEFFICIENT_INDEX, JOINT_NAMES
from lifemask.rigging._contacts import COLUMNS, Contact, shipped_contacts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head

_JAW_OPEN: Final = COEFFICIENT_INDEX["jawOpen"]
_MOUTH_CLOSE: Final = COEFFICIENT_INDEX["mouthClose"]
_ROUNDS: Final = 12
_SMOOTH_ROUNDS: Final = 9
"""Rounds after which columns are corrected more by themselves."""
_OVERLAP: Final = 0.0001
"""Metres by which closed lids overlap, so that no line of sight is left between them."""
_FARTHEST: Final = 0.012
"""Metres that a rim is moved at most beyond what its shape does."""
_CLEARANCE: Final = 0.0004
"""Metres between the eyeball and the skin of a lid that passes over it."""
_WIDE: Final = (0.06, 0.24, 0.4, 0.24, 0.06)
_NARROW: Final = (0.0, 0.18, 0.5, 0.18, 0.0)
_FLIP: Final = np.array([-1.0, 1.0, 1.0])
_CORNER_HOLD: Final = 1.5
_CORNER_FADE: Final = 3.5
"""Columns beyond the last one up to which a correction stays, and at which it has run out."""


def close_lids(head: Head, shapes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return shapes `(52, n, 3)` m whose blinks bring the lids together at weight one.

    Column by column of the eye, the upper lid's movement is lengthened or shortened until its
    edge lies on the lower lid's; then what would lie inside the eyeball is pushed out of it.
    The right eye is treated as the mirror image of a left one, so that even faces stay even.
    """
    shapes = shapes.copy()
    mirror = head.topology.mirror
    neutral = head.neutral.astype(np.float64)
    left = shipped_contacts()["eye_left"]
    ball = Eyeball.of(head, "eye_left", "EyeLeft")
    name = COEFFICIENT_INDEX["eyeBlinkLeft"]
    shapes[name] = blink_that_closes(neutral, shapes[name], left, ball)
    # The right eye, seen in a mirror: vertices change places, x changes sign.
    twin = neutral[mirror] * _FLIP
    ball = Eyeball.of(head, "eye_right", "EyeRight", flip=_FLIP)
    name = COEFFICIENT_INDEX["eyeBlinkRight"]
    turned = blink_that_closes(twin, shapes[name][mirror] * _FLIP, left, ball)
    shapes[name] = turned[mirror] * _FLIP
    return shapes


def close_lips(head: Head, shapes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return shapes whose lips just meet where `jawOpen` and `mouthClose` are both one."""
    shapes = shapes.copy()
    shapes[_MOUTH_CLOSE] = lips_that_close(
        head.neutral.astype(np.float64),
        shapes[_JAW_OPEN],
        shapes[_MOUTH_CLOSE],
        shipped_contacts()["mouth"],
        head.topology.mirror,
    )
    return shapes


def lips_that_close(
    neutral: NDArray[np.float64],
    jaw_open: NDArray[np.float64],
    mouth_close: NDArray[np.float64],
    contact: Contact,
    mirror: NDArray[np.integer] | None = None,
) -> NDArray[np.float64]:
    """Return a `mouthClose` `(n, 3)` m that closes the lips of an open jaw.

    Args:
        neutral: `(n, 3)` m, the head at rest.
        jaw_open: `(n, 3)` m.
        mouth_close: `(n, 3)` m.
        contact: The lips.
        mirror: `(n,)` the vertex on the other side; then even faces stay even.
    """
    columns = contact.columns(neutral)
    raised = np.maximum(mouth_close[:, 1], 0.0)
    share = _shares(neutral[:, 0], raised, np.unique(contact.lower), columns)
    closed = jaw_open + mouth_close
    best = np.inf, closed
    for number in range(_ROUNDS):
        ways = contact.bridges(neutral + closed, columns)
        if mirror is not None:
            twin = (neutral + closed)[mirror] * _FLIP
            ways = 0.5 * (ways + contact.bridges(twin, -columns[::-1])[::-1] * _FLIP)
        if np.abs(ways).max() < best[0]:
            best = float(np.abs(ways).max()), closed
        ways = _eased(ways, number)
        closed = closed + share[:, None] * _at(neutral[:, 0], columns, ways)
    return best[1] - jaw_open


class Eyeball:
    """A ball that lids pass over."""

    def __init__(self, centre: NDArray[np.float64], radius: float) -> None:
        self._centre, self._radius = centre, radius

    @classmethod
    def of(
        cls, head: Head, part: str, joint: str, flip: NDArray[np.float64] | None = None
    ) -> Eyeball:
        """Return a head's eyeball, in a mirror where `flip` is given."""
        centre = head.joints[JOINT_NAMES.index(joint)].astype(np.float64)
        points = head.neutral[head.topology.parts[part].vertices] - centre
        radius = float(np.linalg.norm(points, axis=1).max())
        return cls(centre if flip is None else centre * flip, radius)

    def outside(self, rest: NDArray[np.float64], moved: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return moved points `(n, 3)` that lie no deeper than the ball allows, or than at rest."""
        before = np.linalg.norm(rest - self._centre, axis=1)
        away = moved - self._centre
        distance = np.linalg.norm(away, axis=1)
        wanted = np.minimum(self._radius + _CLEARANCE, before)
        grow = np.maximum(wanted / np.maximum(distance, 1e-6), 1.0)
        return self._centre + away * grow[:, None]


def blink_that_closes(
    neutral: NDArray[np.float64],
    shape: NDArray[np.float64],
    contact: Contact,
    ball: Eyeball,
) -> NDArray[np.float64]:
    """Return a blink `(n, 3)` m that closes an eye.

    Args:
        neutral: `(n, 3)` m, the head at rest.
        shape: `(n, 3)` m, a blink of that eye.
        contact: The eye's lids.
        ball: Its eyeball.
    """
    shape, columns = shape.copy(), contact.columns(neutral)
    best = np.inf, shape
    moving = np.flatnonzero((shape != 0).any(axis=1))
    fallen = np.maximum(-shape[:, 1], 0.0)
    share = _shares(neutral[:, 0], fallen, np.unique(contact.upper), columns)
    for number in range(_ROUNDS):
        gaps = contact.bridges(neutral + shape, columns)[:, 1] + _OVERLAP
        if np.abs(gaps).max() < best[0]:
            best = float(np.abs(gaps).max()), shape.copy()
        lower = np.clip(
            _at(neutral[:, 0], columns, _eased(gaps[:, None], number)), -_FARTHEST, _FARTHEST
        )
        shape[:, 1] -= share * lower[:, 0]
        for weight in (0.5, 1.0):
            # Movements are straight and the eye is round: half shut, a lid lies deepest.
            there = neutral[moving] + weight * shape[moving]
            shape[moving] += (ball.outside(neutral[moving], there) - there) / weight
    return best[1]


def _shares(
    x: NDArray[np.float64],
    moved: NDArray[np.float64],
    rim: NDArray[np.integer],
    columns: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return `(n,)` in [0, 1] how much of a rim's correction each vertex takes.

    As much as the shape moves it, compared with the rim in its column.
    """
    width = columns[1] - columns[0]
    near = np.abs(x[rim] - columns[:, None]) < 1.5 * width
    most = np.where(near, moved[rim], 0.0).max(axis=1)
    most = np.maximum(_smooth(most[:, None])[:, 0], 0.1 * most.max() + 1e-9)
    return np.clip(moved / np.interp(x, columns, most), 0.0, 1.0)


def _eased(values: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """Return the step of a round for gaps `(COLUMNS, k)`."""
    return _smooth(values, _WIDE if number < _SMOOTH_ROUNDS else _NARROW)


def _smooth(values: NDArray[np.float64], kernel: tuple[float, ...] = _WIDE) -> NDArray[np.float64]:
    """Return `(COLUMNS, k)` values with their quick changes along the columns taken out."""
    padded = np.pad(values, ((2, 2), (0, 0)), mode="edge")
    return sum(kernel[i] * padded[i : i + COLUMNS] for i in range(5))  # type: ignore[return-value]


def _at(
    x: NDArray[np.float64], columns: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return `(n, k)` values between the columns `(COLUMNS, k)`, running out beyond them."""
    width = columns[1] - columns[0]
    before, after = columns[0] - _CORNER_FADE * width, columns[-1] + _CORNER_FADE * width
    held = _CORNER_HOLD * width
    places = np.r_[before, columns[0] - held, columns, columns[-1] + held, after]
    padded = np.pad(np.pad(values, ((1, 1), (0, 0)), mode="edge"), ((1, 1), (0, 0)))
    return np.stack([np.interp(x, places, padded[:, k]) for k in range(values.shape[1])], axis=1)
