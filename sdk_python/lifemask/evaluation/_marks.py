"""Blinks and lip closure of solved clips, scored against frames that were marked by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._errors import ImageError
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.tracking import lid_gaps, lip_gap

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lifemask.tracking import FrameSolution, LandmarkShape

BLINK_COEFFICIENT: Final = 0.5
"""`eyeBlink*` from which an eye counts as closed."""

LID_GAP: Final = 0.3
"""Gap of the lids, share of the eye's own gap at rest, up to which an eye counts as closed."""

JAW_DROP: Final = 0.05
"""`jawOpen` less `mouthClose` up to which lips count as closed."""

LIP_GAP: Final = 0.001
"""Gap of the middle of the lips, beyond the head's own at rest, where they touch, up to which they
count as closed; metres on a head of 86 mm between the outer corners of the eyes."""

_NOMINAL_INTEROCULAR: Final = 0.086
_FORGIVEN: Final = 1
"""Frames by which a mark and a solution may differ."""

MARKED: Final = ("left eye", "right eye", "lips")


@dataclass(frozen=True)
class ClipMarks:
    """States of one clip's frames, as a person marked them.

    Attributes:
        closed: `(n_frames, 3)` bool in the order of `MARKED`: certainly closed.
        opened: `(n_frames, 3)` bool: certainly open. The other frames are unclear.
    """

    closed: NDArray[np.bool_]
    opened: NDArray[np.bool_]

    @classmethod
    def load(cls, path: Path) -> ClipMarks:
        """Read a file of intervals, see `benchmarks/marks/README.md`.

        Raises:
            ImageError: The file does not hold such marks.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            parts = [data["eyes"]["left"], data["eyes"]["right"], data["lips"]]
            closed = _frames([part["closed"] for part in parts], data["frames"])
            unclear = _frames([part["unclear"] for part in parts], data["frames"])
        except (KeyError, TypeError, ValueError) as error:
            raise ImageError(
                f"{path.name} does not hold marks", hint="see benchmarks/marks/README.md"
            ) from error
        return cls(closed, ~closed & ~unclear)


@dataclass(frozen=True)
class Closure:
    """How well closed eyes or lips were found.

    Attributes:
        marked: Frames marked as closed.
        recalled: Share of them that the solution has closed, at most one frame away.
        reported: Frames that the solution has closed.
        false: Share of them in which the mark says open, also one frame before and after.
    """

    marked: int
    recalled: float
    reported: int
    false: float

    @classmethod
    def of(
        cls, found: NDArray[np.bool_], closed: NDArray[np.bool_], opened: NDArray[np.bool_]
    ) -> Closure:
        """Score `(n, k)` flags; the columns are pooled."""
        marked, reported = int(closed.sum()), int(found.sum())
        recalled = closed & _widened(found)
        false = found & ~_widened(~opened)
        return cls(
            marked,
            float(recalled.sum() / marked) if marked else 1.0,
            reported,
            float(false.sum() / reported) if reported else 0.0,
        )

    @classmethod
    def pooled(cls, parts: Sequence[Closure]) -> Closure:
        """Return the score of several clips together."""
        marked, reported = sum(p.marked for p in parts), sum(p.reported for p in parts)
        recalled = sum(p.recalled * p.marked for p in parts)
        false = sum(p.false * p.reported for p in parts)
        return cls(marked, recalled / max(marked, 1), reported, false / max(reported, 1))


def score_marks(
    solutions: Sequence[FrameSolution | None], shape: LandmarkShape, marks: ClipMarks
) -> dict[str, Closure]:
    """Score a solved clip, by its coefficients and by the geometry that they make.

    Args:
        solutions: One for each frame of the clip, None where the face was lost, which counts as
            open.
        shape: Landmark points of the head that was solved with.
        marks: Of the clip.

    Returns:
        `blink coefficients`, `lid gap`, `jaw coefficients` and `lip gap`.

    Raises:
        ValueError: The clip has another number of frames than the marks.
    """
    if len(solutions) != len(marks.closed):
        raise ValueError(f"{len(solutions)} solutions for {len(marks.closed)} marked frames")
    flags = np.array([_closed(one, shape) for one in solutions])
    eyes, lips = slice(0, 2), slice(2, 3)
    return {
        name: Closure.of(flags[:, columns], marks.closed[:, part], marks.opened[:, part])
        for name, columns, part in (
            ("blink coefficients", slice(0, 2), eyes),
            ("lid gap", slice(2, 4), eyes),
            ("jaw coefficients", slice(4, 5), lips),
            ("lip gap", slice(5, 6), lips),
        )
    }


def _closed(one: FrameSolution | None, shape: LandmarkShape) -> list[bool]:
    if one is None:
        return [False] * 6
    values = one.coefficients
    blinks = [bool(values[COEFFICIENT_INDEX[f"eyeBlink{s}"]] >= BLINK_COEFFICIENT)
              for s in ("Left", "Right")]  # fmt: skip
    points = shape.points(values, one.gaze)
    lids = lid_gaps(points) <= LID_GAP * lid_gaps(shape.neutral)
    drop = values[COEFFICIENT_INDEX["jawOpen"]] - values[COEFFICIENT_INDEX["mouthClose"]]
    lips = (lip_gap(points) - lip_gap(shape.neutral)) * _NOMINAL_INTEROCULAR / shape.interocular
    return [*blinks, *map(bool, lids), bool(drop <= JAW_DROP), bool(lips <= LIP_GAP)]


def _frames(parts: list[list[list[int]]], count: int) -> NDArray[np.bool_]:
    out = np.zeros((count, len(parts)), bool)
    for column, intervals in enumerate(parts):
        for first, last in intervals:
            if not 0 <= first <= last < count:
                raise ValueError(f"frames {first} to {last} of {count}")
            out[first : last + 1, column] = True
    return out


def _widened(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    out = flags.copy()
    for shift in range(1, _FORGIVEN + 1):
        out[shift:] |= flags[:-shift]
        out[:-shift] |= flags[shift:]
    return out
