"""Fitting one input and measuring what is left over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.heads import COEFFICIENT_NAMES, load_head_model
from lifemask.rigging import align_to_landmarks
from lifemask.tracking import (
    FACE_POINTS,
    REGIONS,
    FrameSolution,
    FrameSolver,
    LandmarkShape,
    fit_performer,
    fit_photo,
    interocular_pixels,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.geometry import Camera
    from lifemask.heads import HeadModel
    from lifemask.tracking import FaceLandmarks

MUST_PERCENT: Final = 1.3
"""Median landmark error, percent of the inter-ocular distance, that a fit must keep."""

AIM_PERCENT: Final = 0.9

_LIVELY = 0.02
"""Standard deviation from which the landmarker's own score says anything about a channel."""


@dataclass(frozen=True)
class ErrorStatistics:
    """Distance between landmarks and fitted head, percent of the inter-ocular distance.

    Each frame counts with the mean over the points.

    Attributes:
        median: Over the frames.
        percentile_90: Over the frames.
        largest: Over the frames.
    """

    median: float
    percentile_90: float
    largest: float

    @classmethod
    def of(cls, per_frame: NDArray[np.float64]) -> ErrorStatistics:
        """Summarise `(n_frames,)` errors."""
        return cls(
            float(np.median(per_frame)),
            float(np.percentile(per_frame, 90)),
            float(per_frame.max()),
        )


@dataclass(frozen=True)
class FitMeasurement:
    """How well one photo or video was fitted.

    Attributes:
        name: Of the input, without its folder.
        kind: `"photo"` or `"video"`.
        frames: Number of pictures.
        lost: Number of pictures without a face.
        error: Over all 468 face points.
        regions: The same for brows, eyes, nose, lips and contour.
        personal: Over all face points once the head has the personal offsets that `build` adds
            to the identity. None for a photo, where offsets explain anything.
        bias: Mean over the points of the length of the error's mean over time, percent: what a
            better head shape could still win. None for a photo.
        focal: Focal length divided by the longer side of the picture.
        identity_norm: Length of the identity divided by that of an average adult.
        mean_coefficients: Mean of each coefficient that exceeds 0.05.
        agreement: Correlation with the landmarker's own scores, for channels in which both move:
            a check of names and signs, not of truth.
        seconds: Time taken, by step.
    """

    name: str
    kind: str
    frames: int
    lost: int
    error: ErrorStatistics
    regions: dict[str, ErrorStatistics]
    personal: ErrorStatistics | None
    bias: float | None
    focal: float
    identity_norm: float
    mean_coefficients: dict[str, float]
    agreement: dict[str, float]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the median keeps the limit of 1.3 percent."""
        return self.error.median <= MUST_PERCENT


@dataclass(frozen=True)
class FittedFrames:
    """One input's frames with what was solved for them.

    Attributes:
        faces: Landmarks, None where there was no face.
        solutions: One for each face that is not None, None elsewhere.
        shape: Landmark points of the person.
        identity: `(n_modes,)`.
        camera: Of the pictures.
        personal: `(n_tracked,)` errors with the personal head, share of the inter-ocular distance.
        model: Of the head that was fitted; the default one when None.
    """

    faces: Sequence[FaceLandmarks | None]
    solutions: Sequence[FrameSolution | None]
    shape: LandmarkShape
    identity: NDArray[np.float64]
    camera: Camera
    personal: NDArray[np.float64] | None = None
    model: HeadModel | None = None

    def errors(self) -> NDArray[np.float64]:
        """Return `(n_tracked, 468, 2)` model minus landmark, percent of the inter-ocular."""
        return np.stack([self._error(i) for i in self.tracked()])

    def tracked(self) -> list[int]:
        """Return the indices of the frames with a face."""
        return [i for i, solution in enumerate(self.solutions) if solution is not None]

    def pixels(self, index: int) -> NDArray[np.float64]:
        """Return where the model's landmarks `(478, 2)` fall in a frame with a face."""
        solution = self.solutions[index]
        assert solution is not None
        points = self.shape.points(solution.coefficients, solution.gaze)
        return np.asarray(self.camera.project(solution.pose.apply(points)), np.float64)

    def _error(self, index: int) -> NDArray[np.float64]:
        face, solution = self.faces[index], self.solutions[index]
        assert face is not None and solution is not None
        points = self.shape.points(solution.coefficients)
        unit = interocular_pixels(points, solution.pose, self.camera)
        return 100.0 * (self.pixels(index) - face.pixels)[:FACE_POINTS] / unit


def fit_frames(
    faces: Sequence[FaceLandmarks | None], model: HeadModel | None = None
) -> FittedFrames:
    """Fit one person to a video, frame after frame.

    Args:
        faces: Landmarks, None where there was no face.
        model: Of the head; the default one when left out.

    Raises:
        NoFaceError: No frame has a face.
    """
    head_model = model or load_head_model()
    performer = fit_performer(faces, model=head_model.landmark_model())
    assert performer.identity is not None
    solutions = _solve(faces, FrameSolver(performer.shape, performer.camera))
    head = align_to_landmarks(head_model.head(performer.identity), performer.fits)
    personal = _solve(faces, FrameSolver(head, performer.camera))
    return FittedFrames(
        faces,
        solutions,
        performer.shape,
        performer.identity,
        performer.camera,
        np.array([one.error_interocular for one in personal if one is not None]),
        model,
    )


def _solve(
    faces: Sequence[FaceLandmarks | None], solver: FrameSolver
) -> list[FrameSolution | None]:
    solutions: list[FrameSolution | None] = []
    for face in faces:
        solutions.append(None if face is None else solver.solve(face))
        if face is None:
            solver.reset()
    return solutions


def fit_picture(face: FaceLandmarks, model: HeadModel | None = None) -> FittedFrames:
    """Fit one photo; with the default head model when none is given."""
    restricted = (model or load_head_model()).landmark_model()
    fit = fit_photo(face, restricted)
    solution = FrameSolution(fit.coefficients, fit.gaze, fit.pose, fit.error_interocular)
    shape = LandmarkShape.from_model(restricted, fit.identity)
    return FittedFrames([face], [solution], shape, fit.identity, fit.camera, model=model)


def measure(
    name: str, kind: str, fitted: FittedFrames, seconds: dict[str, float]
) -> FitMeasurement:
    """Summarise the errors of a fit."""
    errors = fitted.errors()
    lengths = np.linalg.norm(errors, axis=2)
    video = kind == "video"
    return FitMeasurement(
        name=name,
        kind=kind,
        frames=len(fitted.faces),
        lost=len(fitted.faces) - len(errors),
        error=ErrorStatistics.of(lengths.mean(axis=1)),
        regions={
            region: ErrorStatistics.of(lengths[:, rows].mean(axis=1))
            for region, rows in REGIONS.items()
        },
        personal=None if fitted.personal is None else ErrorStatistics.of(100.0 * fitted.personal),
        bias=float(np.linalg.norm(errors.mean(axis=0), axis=1).mean()) if video else None,
        focal=fitted.camera.focal / max(fitted.camera.width, fitted.camera.height),
        identity_norm=float(np.sqrt(np.mean(np.square(fitted.identity)))),
        mean_coefficients=_mean_coefficients(fitted),
        agreement=_agreement(fitted) if video else {},
        seconds=seconds,
    )


def _mean_coefficients(fitted: FittedFrames) -> dict[str, float]:
    mean = _coefficients(fitted).mean(axis=0)
    return {
        name: round(float(value), 3)
        for name, value in zip(COEFFICIENT_NAMES, mean, strict=True)
        if value > 0.05
    }


def _agreement(fitted: FittedFrames) -> dict[str, float]:
    faces = [face for face in fitted.faces if face is not None]
    solved, out = _coefficients(fitted), {}
    for column, name in enumerate(COEFFICIENT_NAMES):
        theirs = np.array([face.scores.get(name, 0.0) for face in faces])
        ours = solved[:, column]
        if min(theirs.std(), ours.std()) > _LIVELY:
            out[name] = round(float(np.corrcoef(ours, theirs)[0, 1]), 3)
    return out


def _coefficients(fitted: FittedFrames) -> NDArray[np.float64]:
    return np.stack([one.coefficients for one in fitted.solutions if one is not None])
