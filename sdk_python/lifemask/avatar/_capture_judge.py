"""Which frames of a clip can be used, and why the others cannot."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.avatar._capture_clip import NOT_COUNTED
from lifemask.heads import load_head_model
from lifemask.tracking import FACE_OVAL, FACE_POINTS, REGIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lifemask.avatar._capture_clip import Clip

SMALLEST_FACE: Final = 64
"""Pixels; a smaller face has no texture to speak of."""

BLURRED: Final = 0.35
"""Sharpness, share of what is usual among the clip's sharp frames of like yaw."""

COVERED: Final = 0.12
"""Share of the face that does not look like itself from which it counts as covered."""

UNLIKE_LIGHT: Final = 0.5
"""Change of exposure against the frames of like yaw, stops."""

SAME_SIZE: Final = 0.5
"""Size of another face, share of that of the one that is followed, from which it is not clear who
is meant."""

_JUMP: Final = 0.6
"""Way of a face between two frames, share of its size, which no head goes."""

_GROWN: Final = np.log(1.67)
"""Change of size between two frames, logarithm, likewise."""

_GAP: Final = 3
"""Frames without a face, after which it may be anywhere."""

_SHARP: Final = 80.0
_YAW_BIN: Final = np.deg2rad(10.0)
_FEWEST: Final = 8
_UNLIKE: Final = (0.22, 0.11)
"""Least deviation of brightness and of colour, natural logarithms, that counts as unlike."""

_DEVIATIONS: Final = 6.0
REASONS: Final = ("dark", "no face", "cut off", "small", "jump", "blurred", "covered", "light")
"""Why a frame is left out, in the order in which it is tried. A frame in odd light still tells
the shape and the expression: only the texture leaves it out."""


@dataclass(frozen=True)
class Verdict:
    """What the frames of one clip are worth.

    Attributes:
        reasons: `(n,)` index into `REASONS`, -1 where the frame is good.
        sharpness: `(n,)` share of what is usual among the clip's sharp frames, NaN where lost.
        covered: `(n,)` share of the face that does not look like itself, NaN where lost.
        exposure: `(n,)` stops brighter than the frames of like yaw, NaN where lost.
    """

    reasons: NDArray[np.int8]
    sharpness: NDArray[np.float64]
    covered: NDArray[np.float64]
    exposure: NDArray[np.float64]

    @property
    def for_shape(self) -> NDArray[np.bool_]:
        """`(n,)` frames that tell shape and expression."""
        return (self.reasons < 0) | (self.reasons == REASONS.index("light"))

    @property
    def for_texture(self) -> NDArray[np.bool_]:
        """`(n,)` frames that tell the skin as well."""
        return self.reasons < 0

    def counts(self) -> dict[str, int]:
        """Return the number of frames by reason; only reasons that occur."""
        found = Counter(REASONS[i] for i in self.reasons.tolist() if i >= 0)
        return {reason: found[reason] for reason in REASONS if found[reason]}


def judge(clip: Clip) -> Verdict:
    """Judge every frame of a clip against the clip itself."""
    seen = clip.seen
    groups = _groups(clip)
    sharp = clip.sharpness / _usual(clip.sharpness, groups, _SHARP)
    with np.errstate(divide="ignore", invalid="ignore"):
        bright = np.log2(clip.luminance.astype(np.float64))
    exposure = bright - _usual(bright, groups, 50.0)
    covered = np.where(seen, _covered(clip, groups), np.nan)
    faults = {
        "dark": clip.dark,
        "no face": ~seen,
        "cut off": _each(clip, lambda i: clip.face(i).reaches_border()),
        "small": _each(clip, lambda i: clip.face(i).size < SMALLEST_FACE),
        "jump": _jumps(clip),
        "blurred": sharp < BLURRED,
        "covered": covered > COVERED,
        "light": np.abs(exposure) > UNLIKE_LIGHT,
    }
    reasons = np.full(len(clip), -1, np.int8)
    for number, reason in reversed(list(enumerate(REASONS))):
        reasons[faults[reason]] = number
    return Verdict(reasons, np.asarray(sharp, np.float64), covered, exposure)


def crowded(clip: Clip) -> NDArray[np.int64]:
    """Return the frames in which another face is large enough to be the one that is meant."""
    return np.flatnonzero(clip.others >= SAME_SIZE)


def searched_for_others(clip: Clip) -> int:
    """Return the number of frames that were searched for other people."""
    return int(np.count_nonzero(clip.others != NOT_COUNTED))


def _each(clip: Clip, test: Callable[[int], bool]) -> NDArray[np.bool_]:
    return np.array([bool(seen and test(i)) for i, seen in enumerate(clip.seen)], np.bool_)


def _groups(clip: Clip) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return frames by yaw, each group with the frames to compare it with."""
    seen = np.flatnonzero(clip.seen)
    bins = np.floor(clip.yaw[seen] / _YAW_BIN + 0.5).astype(int)
    groups = []
    for one in np.unique(bins):
        near = seen[np.abs(bins - one) <= 1]
        groups.append((seen[bins == one], near if len(near) >= _FEWEST else seen))
    return groups


def _usual(
    values: NDArray[np.floating],
    groups: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
    percentile: float,
) -> NDArray[np.float64]:
    """Return for each frame a percentile over the frames of like yaw."""
    usual = np.full(len(values), np.nan)
    for members, near in groups:
        usual[members] = np.nanpercentile(values[near], percentile)
    return usual


def _jumps(clip: Clip) -> NDArray[np.bool_]:
    """Mark runs of frames in which the face is not where the longest run has it.

    A run ends where the face goes further, or changes more in size, than a head can between two
    frames: a cut, or the landmarker has gone over to somebody else.
    """
    jumps = np.zeros(len(clip), np.bool_)
    seen = np.flatnonzero(clip.seen)
    if not len(seen):
        return jumps
    middles = clip.points[seen, :FACE_POINTS, :2].mean(axis=1)
    sizes = np.array([clip.face(int(i)).size for i in seen])
    steps = np.diff(clip.numbers[seen])
    far = np.linalg.norm(np.diff(middles, axis=0), axis=1) > _JUMP * sizes[1:]
    grown = np.abs(np.log(sizes[1:] / sizes[:-1])) > _GROWN
    run = np.concatenate([[0], np.cumsum((far | grown) & (steps <= _GAP))])
    longest = run == np.argmax(np.bincount(run))
    home, size = np.median(middles[longest], axis=0), float(np.median(sizes[longest]))
    for one in np.unique(run[~longest]):
        inside = run == one
        away = np.linalg.norm(np.median(middles[inside], axis=0) - home) > _JUMP * size
        other = abs(np.log(np.median(sizes[inside]) / size)) > _GROWN
        jumps[seen[inside]] = away or other
    return jumps


def _covered(
    clip: Clip, groups: list[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> NDArray[np.float64]:
    """Return the share of the face whose colours are not those of most frames of like yaw.

    A smooth change of brightness over the face is light; what remains where a hand, a cup or hair
    is before the face is a patch of other colours and edges. Lips and lids, which move, do not
    count, nor does the outline, where the background shows.
    """
    points = _steady_points()
    places = load_head_model().landmark_model().neutral[points, :2]
    places = (places - places.mean(axis=0)) / places.std()
    plane = np.c_[np.ones(len(points)), places]
    share = np.full(len(clip), np.nan)
    for members, near in groups:
        looks = _looks(clip.colours[np.union1d(members, near)][:, points])
        usual = np.median(_looks(clip.colours[near][:, points]), axis=0)
        spread = 1.4826 * np.median(np.abs(looks - usual), axis=0)
        difference = _looks(clip.colours[members][:, points]) - usual
        weights = clip.facing[members][:, points] * (clip.facing[members][:, points] > 0.3)
        limit = np.maximum(
            np.minimum(_DEVIATIONS * spread, 1.0), [_UNLIKE[0], _UNLIKE[1], _UNLIKE[1]]
        )
        for member, row, weight in zip(members, difference, weights, strict=True):
            unlike = (np.abs(_without_light(row, plane, weight)) > limit).any(axis=1)
            share[member] = (weight * unlike).sum() / max(weight.sum(), 1e-6)
    return share


def _steady_points() -> NDArray[np.int64]:
    """Return the face points whose colour is the same whatever the face does."""
    moving = {*FACE_OVAL, *REGIONS["lips"].tolist(), *REGIONS["eyes"].tolist()}
    return np.array([i for i in range(FACE_POINTS) if i not in moving])


def _looks(colours: NDArray[np.float16]) -> NDArray[np.float64]:
    """Return brightness and two differences of colour, all logarithms."""
    log = colours.astype(np.float64)
    return np.stack(
        [log.mean(axis=-1), log[..., 0] - log[..., 1], log[..., 1] - log[..., 2]], axis=-1
    )


def _without_light(
    row: NDArray[np.float64], plane: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Take the plane that most points agree on out of a frame's deviations `(n, 3)`."""
    trust = weight.copy()
    rest = row
    for _ in range(4):
        fitted = np.linalg.lstsq(plane * trust[:, None], row * trust[:, None], rcond=None)[0]
        rest = row - plane @ fitted
        scale = max(1.4826 * float(np.median(np.abs(rest[:, 0]))), 0.05)
        trust = weight / (1.0 + (rest[:, 0] / (2.0 * scale)) ** 2)
    return rest
