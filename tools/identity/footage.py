"""Frames of a clip by what the face does in them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from lifemask.geometry import open_video
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.tracking import FaceLandmarker, FrameSolver, fit_performer

if TYPE_CHECKING:
    from pathlib import Path

    from lifemask.tracking import FaceLandmarks

_COUNT = 3
_APART = 5
"""Frames that lie between two of one kind at least."""
_LEAST = 0.15
"""What a coefficient must reach to be called an expression."""


@functools.cache
def landmarks_of(path: Path) -> list[FaceLandmarks | None]:
    """Return the landmarks of all frames of a clip."""
    with FaceLandmarker() as landmarker:
        return [landmarker.track(f.image, f.time_seconds) for f in open_video(path)]


def expressive_frames(path: Path) -> dict[str, list[FaceLandmarks]]:
    """Return the calmest frames, and those that show most of a smile and of an open mouth.

    The head that solves the frames here is fitted to the whole clip; what it finds only decides
    which frames are compared.
    """
    faces = landmarks_of(path)
    performer = fit_performer(faces)
    solver = FrameSolver(performer.shape, performer.camera)
    seen = [(face, solver.solve(face).coefficients) for face in faces if face is not None]
    weights = np.array([values for _, values in seen])
    index = COEFFICIENT_INDEX
    still = [k for name, k in index.items() if not name.startswith("eye")]
    smile = weights[:, [index["mouthSmileLeft"], index["mouthSmileRight"]]].mean(axis=1)
    jaw = weights[:, index["jawOpen"]]
    brows = weights[:, [index["browInnerUp"], index["browDownLeft"]]].max(axis=1)
    calm = _spread(-weights[:, still].sum(axis=1), 2 * _COUNT)
    groups = {"calm": calm[::2], "other calm": calm[1::2]}
    for name, score in (("smile", smile), ("open mouth", jaw), ("brows", brows)):
        if score.max() > score[calm].mean() + _LEAST:
            groups[name] = _spread(score, _COUNT)
    return {name: [seen[i][0] for i in rows] for name, rows in groups.items()}


def _spread(score: np.ndarray, count: int) -> list[int]:
    """Return the frames of highest score that are not neighbours."""
    chosen: list[int] = []
    for i in np.argsort(-score, kind="stable"):
        if all(abs(int(i) - j) >= _APART for j in chosen):
            chosen.append(int(i))
        if len(chosen) == count:
            break
    return chosen
