"""Expression, gaze and pose of one frame after another, for a head that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lifemask.capture import PerformanceFrame
from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.heads import COEFFICIENT_COUNT, Head
from lifemask.tracking._bounded import minimise_in_box
from lifemask.tracking._closure import close_gaps, shut_lids
from lifemask.tracking._coefficients import SOLVED, CoefficientPrior, highest, step_bounds
from lifemask.tracking._fit import landmark_error
from lifemask.tracking._gaze import gaze_coefficients, solve_gaze
from lifemask.tracking._linearise import LandmarkTerm, face_basis
from lifemask.tracking._projection import guess_pose, interocular_pixels
from lifemask.tracking._regions import FACE_POINTS
from lifemask.tracking._settings import SolveSettings, firm, landmark_weights
from lifemask.tracking._shape import LandmarkShape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.tracking._calibration import Calibration
    from lifemask.tracking._faces import FaceLandmarks
    from lifemask.tracking._linearise import NormalEquations

_FIRST_ROUNDS = 10
_ROUNDS = 3
_STEP_DONE = 2e-3
"""Largest change of a coefficient or of the rotation, radians, after which a frame is solved."""

_LARGEST_TURN = 0.35
"""Turn between frames, radians, beyond which the previous pose is no help."""


@dataclass(frozen=True)
class FrameSolution:
    """What one frame shows.

    Attributes:
        coefficients: `(52,)` float64 in [0, 1]; `tongueOut` is always 0.
        gaze: `(4,)` float64 rad: left yaw, left pitch, right yaw, right pitch.
        pose: Of the head against the camera.
        error_interocular: Mean distance of the 468 face points from their landmarks, divided by
            the distance of the outer eye corners without yaw.
    """

    coefficients: NDArray[np.float64]
    gaze: NDArray[np.float64]
    pose: Pose
    error_interocular: float

    def performance_frame(
        self, capture_time_nanos: int, calibration: Calibration | None = None
    ) -> PerformanceFrame:
        """Return the frame that is streamed and recorded.

        Args:
            capture_time_nanos: When the picture was taken.
            calibration: Of the performer; applied here and nowhere else.
        """
        values = self.coefficients if calibration is None else calibration(self.coefficients)
        return PerformanceFrame(
            capture_time_nanos=capture_time_nanos,
            coefficients=values.astype(np.float32),
            head_rotation=self.pose.quaternion.astype(np.float32),
            head_translation=self.pose.translation.astype(np.float32),
            gaze=self.gaze.astype(np.float32),
        )


class FrameSolver:
    """Solves frames in order of time, each from where the last one ended.

    Only the places of the landmarks count. The landmarker's own ARKit scores are not used, not
    even as a prior: MediaPipe's stay at zero for `noseSneer*`, `cheekSquint*`, `cheekPuff`,
    `mouthFrown*` and `jawLeft`, `jawRight`, `jawForward` on most faces.

    Args:
        head: The performer's, with personal shapes if there are any.
        camera: Of the pictures.
        settings: Weights of the terms.
    """

    def __init__(
        self,
        head: Head | LandmarkShape,
        camera: Camera,
        *,
        settings: SolveSettings | None = None,
    ) -> None:
        self._shape = LandmarkShape.from_head(head) if isinstance(head, Head) else head
        self._camera = camera
        self._settings = settings or SolveSettings()
        if self._shape.rest_known:
            self._settings = firm(self._settings)
        self._prior = CoefficientPrior(self._settings)
        self._term = LandmarkTerm(self._settings, self._shape.neutral[:FACE_POINTS])
        self._basis = face_basis(self._shape.deltas[SOLVED])
        self._last: FrameSolution | None = None

    def reset(self) -> None:
        """Forget the last frame, as after a cut."""
        self._last = None

    def solve(self, landmarks: FaceLandmarks) -> FrameSolution:
        """Solve one frame.

        Args:
            landmarks: Of the face.
        """
        pose = self.guess(landmarks)
        last = self._last
        if last is not None and not far_apart(last.pose, pose):
            self._last = self._refine(landmarks, last.pose, last, _ROUNDS)
        else:
            self._last = self._refine(landmarks, pose, None, _FIRST_ROUNDS)
        return self._last

    def _refine(
        self, landmarks: FaceLandmarks, pose: Pose, last: FrameSolution | None, rounds: int
    ) -> FrameSolution:
        seen = self.closed(landmarks)
        before = None if last is None else last.coefficients
        coefficients = np.zeros(COEFFICIENT_COUNT) if last is None else last.coefficients.copy()
        gaze = np.zeros(4) if last is None else last.gaze
        for number in range(rounds):
            coefficients = np.minimum(coefficients, highest(coefficients))
            step, unit = self._step(seen, pose, coefficients, before)
            pose, coefficients = moved(pose, coefficients, step)
            if number == 0 or last is None:
                points = self._shape.points(coefficients)
                gaze = solve_gaze(
                    self._shape, points, landmarks.pixels, pose, self._camera, unit, gaze
                )
                gaze_coefficients(gaze, coefficients)
            if np.abs(step[:-3]).max() < _STEP_DONE:
                break
        coefficients = shut_lids(coefficients, seen, self._shape)
        points = self._shape.points(coefficients)
        error = landmark_error(points, landmarks.pixels, pose, self._camera)
        return FrameSolution(coefficients, gaze, pose, error)

    def guess(self, landmarks: FaceLandmarks) -> Pose:
        """Return a first guess of the pose, from the landmarks' relative depth."""
        return guess_pose(
            self._shape.neutral[:FACE_POINTS],
            landmarks.points[:FACE_POINTS],
            landmark_weights(self._settings),
            self._camera,
        )

    def system(
        self, landmarks: FaceLandmarks, pose: Pose, coefficients: NDArray[np.float64]
    ) -> NormalEquations:
        """Return the normal equations of one frame at one state, without any temporal term.

        Args:
            landmarks: Of the face.
            pose: Of the head.
            coefficients: `(52,)`.

        Returns:
            Unknowns in this order: the coefficients of `SOLVED`, rotation (3, left axis-angle)
            and translation (3).
        """
        return self._system(self.closed(landmarks), pose, coefficients)[0]

    def finish(
        self, landmarks: FaceLandmarks, pose: Pose, coefficients: NDArray[np.float64]
    ) -> FrameSolution:
        """Turn the eyes of a solved frame and measure what is left over.

        Args:
            landmarks: Of the face.
            pose: Of the head.
            coefficients: `(52,)`; the `eyeLook*` are replaced by what goes with the gaze.
        """
        coefficients = shut_lids(coefficients, self.closed(landmarks), self._shape)
        points = self._shape.points(coefficients)
        unit = interocular_pixels(points, pose, self._camera)
        gaze = solve_gaze(self._shape, points, landmarks.pixels, pose, self._camera, unit)
        gaze_coefficients(gaze, coefficients)
        points = self._shape.points(coefficients)
        error = landmark_error(points, landmarks.pixels, pose, self._camera)
        return FrameSolution(coefficients, gaze, pose, error)

    def closed(self, landmarks: FaceLandmarks) -> NDArray[np.float64]:
        """Return `(468, 2)` pixels, with lids and lips together where they touch.

        Args:
            landmarks: Of the face.
        """
        pixels = close_gaps(landmarks, self._shape).pixels
        return pixels[:FACE_POINTS].astype(np.float64)

    def _step(
        self,
        seen: NDArray[np.float64],
        pose: Pose,
        coefficients: NDArray[np.float64],
        before: NDArray[np.float64] | None,
    ) -> tuple[NDArray[np.float64], float]:
        """Return the step in coefficients, rotation and translation, and the unit in pixels."""
        data, unit = self._system(seen, pose, coefficients)
        if before is not None and self._settings.temporal > 0.0:
            solved = np.arange(len(SOLVED))
            data.hessian[solved, solved] += self._settings.temporal
            data.gradient[solved] += self._settings.temporal * (coefficients - before)[SOLVED]
        return minimise_in_box(data.hessian, data.gradient, *unknown_bounds(coefficients)), unit

    def _system(
        self, seen: NDArray[np.float64], pose: Pose, coefficients: NDArray[np.float64]
    ) -> tuple[NormalEquations, float]:
        """Return data and priors at one state, and the unit in pixels."""
        points = self._shape.points(coefficients)
        unit = interocular_pixels(points, pose, self._camera)
        data = self._term.linearise(
            points[:FACE_POINTS], self._basis, seen, pose, self._camera, unit
        )
        solved = np.arange(len(SOLVED))
        data.hessian[solved, solved] += self._prior.curvature()
        data.gradient[solved] += self._prior.gradient(coefficients)
        return data, unit


def unknown_bounds(
    coefficients: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest step of the unknowns of `FrameSolver.system`."""
    low, high = step_bounds(coefficients)
    free = np.full(6, np.inf)
    return np.concatenate([low, -free]), np.concatenate([high, free])


def moved(
    pose: Pose, coefficients: NDArray[np.float64], step: NDArray[np.float64]
) -> tuple[Pose, NDArray[np.float64]]:
    """Apply a step of the unknowns of `FrameSolver.system`."""
    coefficients = coefficients.copy()
    coefficients[SOLVED] = np.clip(coefficients[SOLVED] + step[:-6], 0.0, 1.0)
    turned = axis_angle_matrix(step[-6:-3]) @ pose.rotation
    return Pose(turned, pose.translation + step[-3:]), coefficients


def far_apart(first: Pose, second: Pose) -> bool:
    """Whether two poses differ by more than happens between frames."""
    cosine = (np.trace(first.rotation.T @ second.rotation) - 1.0) / 2.0
    return bool(cosine < np.cos(_LARGEST_TURN))
