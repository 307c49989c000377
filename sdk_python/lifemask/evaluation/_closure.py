"""Blinks and lip closure of a clip, where a person has marked its frames."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from lifemask.evaluation._marks import ClipMarks, Closure, score_marks
from lifemask.tracking import FrameSolution, LandmarkShape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lifemask.evaluation._states import States
    from lifemask.heads import Head


def score_closure(
    marks: Path | None, stem: str, count: int, head: Head, modes: Mapping[str, States]
) -> dict[str, Any] | None:
    """Score the avatar's lids and lips in every frame of a clip.

    Args:
        marks: Folder with a file of marks for some clips, `NAME.json`.
        stem: Of the clip's file.
        count: Frames of the clip.
        head: Of the avatar.
        modes: What the head did, by mode.

    Returns:
        By mode and measure what `Closure` holds; None where the clip has no marks, or marks of
        another number of frames.

    Raises:
        ImageError: The file does not hold marks.
    """
    path = None if marks is None else marks / f"{stem}.json"
    if path is None or not path.is_file():
        return None
    known = ClipMarks.load(path)
    if len(known.closed) != count:
        return None
    shape = LandmarkShape.from_head(head)
    return {
        mode: {
            name: {key: round(value, 4) for key, value in asdict(one).items()}
            for name, one in score_marks(_solutions(states, count), shape, known).items()
        }
        for mode, states in modes.items()
    }


def _solutions(states: States, count: int) -> list[FrameSolution | None]:
    found = (states.frames.get(i) for i in range(count))
    return [
        None if one is None else FrameSolution(one.coefficients, one.gaze, one.pose, np.nan)
        for one in found
    ]


def pooled(document: dict[str, Any], mode: str, name: str) -> Closure | None:
    """Return the score of all marked clips of a report together, None where there is none."""
    parts = [Closure(**one[mode][name]) for one in _scores(document)]
    return Closure.pooled(parts) if parts else None


def _scores(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in document["inputs"]:
        if one.get("closure"):
            yield one["closure"]
