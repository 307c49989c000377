"""Clips as every method sees them: landmarks, MediaPipe's scores, face crops, solver, truth."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.evaluation.synthetic import clip_b, still_clip
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX
from lifemask.rigging import face_crop
from lifemask.tracking import (
    FaceLandmarker,
    FaceLandmarks,
    FrameSolution,
    FrameSolver,
    fit_performer,
    solve_clip,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from lifemask.evaluation.synthetic import SyntheticClip

SIZE: Final = (360, 640)
"""Width and height of synthetic clips, pixels; the size of `bench_tracking_quality.py`."""


@dataclass(frozen=True)
class Observed:
    """One clip's `n` frames; rows without a face hold NaN and zeros.

    Attributes:
        points: `(n, 478, 3)` float32 pixels.
        crops: `(n, 128, 128)` uint8.
        scores: `(n, 52)` float32, MediaPipe's own.
        live: `(n, 52)` float32 of the solver, frame by frame.
        offline: `(n, 52)` float32 of the solver, the clip at once.
        gaze: `(n, 4)` float32 rad of the offline solver.
        truth: `(n, 52)` float32, NaN where nothing is known.
        true_gaze: `(n, 4)` float32 rad, likewise.
        rate_hz: Frames per second.
        solver_ms: Of one live frame.
    """

    points: NDArray[np.float32]
    crops: NDArray[np.uint8]
    scores: NDArray[np.float32]
    live: NDArray[np.float32]
    offline: NDArray[np.float32]
    gaze: NDArray[np.float32]
    truth: NDArray[np.float32]
    true_gaze: NDArray[np.float32]
    rate_hz: float
    solver_ms: float

    @property
    def seen(self) -> NDArray[np.bool_]:
        """`(n,)` whether there is a face."""
        return np.isfinite(self.points[:, 0, 0])

    @classmethod
    def load(cls, path: Path) -> Observed:
        """Read a file that `save` wrote."""
        with np.load(path) as archive:
            arrays = {name: archive[name] for name in archive.files}
        numbers = {name: float(arrays.pop(name)) for name in ("rate_hz", "solver_ms")}
        return cls(**arrays, **numbers)

    def save(self, path: Path) -> None:
        """Write everything."""
        np.savez(path, **asdict(self))


def observe_synthetic(seed: int, seconds: float) -> Observed:
    """Draw and track Clip B of a person who was not trained on."""
    return _observe_drawn(clip_b(seed, seconds=seconds, size=SIZE))


def observe_still(seed: int, seconds: float) -> Observed:
    """Draw and track a person who does not move; only the camera's noise changes."""
    return _observe_drawn(still_clip(seed, seconds=seconds, size=SIZE))


def _observe_drawn(clip: SyntheticClip) -> Observed:
    truth = clip.truth
    return observe(clip.frames(), clip.rate_hz, truth.coefficients, truth.gaze)


def observe(
    pictures: Iterable[NDArray[np.uint8]],
    rate_hz: float,
    truth: NDArray[np.float32] | None = None,
    true_gaze: NDArray[np.float32] | None = None,
) -> Observed:
    """Run the landmarker and the solver over the pictures of a clip."""
    faces: list[FaceLandmarks | None] = []
    crops = []
    with FaceLandmarker(max_faces=1) as landmarker:
        for number, picture in enumerate(pictures):
            face = landmarker.track(picture, number / rate_hz)
            faces.append(face)
            empty = np.zeros((128, 128), np.uint8)
            crops.append(empty if face is None else face_crop(picture, face.points))
    performer = fit_performer(faces)
    solver = FrameSolver(performer.shape, performer.camera)
    start = time.process_time()
    live = [None if face is None else solver.solve(face) for face in faces]
    spent = time.process_time() - start
    offline = solve_clip(faces, performer, rate_hz=rate_hz)
    count = len(faces)
    missing = np.full((478, 3), np.nan, np.float32)
    return Observed(
        points=np.stack([missing if face is None else face.points for face in faces]),
        crops=np.stack(crops),
        scores=np.stack([_scores(face) for face in faces]),
        live=_coefficients(live),
        offline=_coefficients(offline),
        gaze=np.stack([np.zeros(4) if s is None else s.gaze for s in offline]).astype(np.float32),
        truth=np.full((count, COEFFICIENT_COUNT), np.nan, np.float32) if truth is None else truth,
        true_gaze=np.full((count, 4), np.nan, np.float32) if true_gaze is None else true_gaze,
        rate_hz=rate_hz,
        solver_ms=1000 * spent / max(count, 1),
    )


def _coefficients(solutions: list[FrameSolution | None]) -> NDArray[np.float32]:
    empty = np.zeros(COEFFICIENT_COUNT)
    rows = [empty if one is None else one.coefficients for one in solutions]
    return np.stack(rows).astype(np.float32)


def _scores(face: FaceLandmarks | None) -> NDArray[np.float32]:
    out = np.zeros(COEFFICIENT_COUNT, np.float32)
    for name, value in (face.scores if face else {}).items():
        out[COEFFICIENT_INDEX[name]] = value
    return out
