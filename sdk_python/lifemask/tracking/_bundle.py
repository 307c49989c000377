"""Gauss-Newton over several pictures of one person: shared and local unknowns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.heads import COEFFICIENT_COUNT
from lifemask.tracking._bounded import minimise_in_box
from lifemask.tracking._coefficients import SOLVED, CoefficientPrior, highest, step_bounds
from lifemask.tracking._gaze import gaze_coefficients, solve_gaze
from lifemask.tracking._linearise import LandmarkTerm, face_basis
from lifemask.tracking._products import product
from lifemask.tracking._projection import guess_pose, interocular_pixels
from lifemask.tracking._regions import FACE_POINTS
from lifemask.tracking._settings import landmark_weights
from lifemask.tracking._shape import LandmarkShape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.heads import LandmarkModel
    from lifemask.tracking._faces import FaceLandmarks
    from lifemask.tracking._settings import SolveSettings

_POSE = 6
_SHARED_ERRORS = 1.0
"""Power of the number of pictures with which the identity's prior grows. What the model cannot
show is wrong in every picture alike, so more pictures of one person are not more evidence."""
_SETTLED = 1e-5
"""Share of the energy that a step must win for another one to follow."""

_HALVINGS = 6
_FOCAL_STEP = 0.25
"""Largest change of the focal length's logarithm in one step."""


@dataclass(frozen=True)
class PictureState:
    """Unknowns of one picture."""

    pose: Pose
    camera: Camera
    coefficients: NDArray[np.float64]
    gaze: NDArray[np.float64]


class _Columns(NamedTuple):
    """Where the unknowns stand in the normal equations of one picture."""

    identity: NDArray[np.int64]
    coefficients: NDArray[np.int64]
    focal: int
    shared: NDArray[np.int64]
    local: NDArray[np.int64]
    focal_is_shared: bool


class _Step(NamedTuple):
    """A Gauss-Newton step: shared unknowns, then those of each picture."""

    shared: NDArray[np.float64]
    local: list[NDArray[np.float64]]


class Bundle:
    """The pictures of one person, the unknowns that they share and their own.

    Args:
        pictures: Landmarks of the same person.
        model: Of the head.
        settings: Weights of the terms.
        shared_focal: Whether the pictures have one focal length.

    Attributes:
        identity: `(n_modes,)`, present estimate.
        shape: Landmark points of that identity.
        states: Unknowns of each picture.
    """

    def __init__(
        self,
        pictures: Sequence[FaceLandmarks],
        model: LandmarkModel,
        settings: SolveSettings,
        *,
        shared_focal: bool,
    ) -> None:
        self._pictures = pictures
        self._model = model
        self._settings = settings
        self._prior = CoefficientPrior(settings)
        self._columns = _columns(len(model.identity), shared_focal)
        identity, expressions = face_basis(model.identity), face_basis(model.expressions)
        self._basis = np.concatenate([identity, expressions[:, :, SOLVED]], axis=2)
        self._seen = [face.pixels[:FACE_POINTS].astype(np.float64) for face in pictures]
        self._identity_weight = settings.identity * len(pictures) ** _SHARED_ERRORS
        self.identity = np.zeros(len(model.identity))
        self.shape = LandmarkShape.from_model(model, self.identity)
        self.states = [self._first_state(face) for face in pictures]

    def solve(self, rounds: int) -> None:
        """Step until the energy settles, and turn the eyes along."""
        for _ in range(rounds):
            settled = self._round()
            self._follow_gaze()
            if settled:
                break

    def _first_state(self, face: FaceLandmarks) -> PictureState:
        focal = self._settings.focal_guess * max(face.width, face.height)
        camera = Camera(face.width, face.height, focal)
        pose = guess_pose(
            self._model.neutral[:FACE_POINTS],
            face.points[:FACE_POINTS],
            landmark_weights(self._settings),
            camera,
        )
        return PictureState(pose, camera, np.zeros(COEFFICIENT_COUNT), np.zeros(4))

    def _round(self) -> bool:
        """Take one step; return whether it won next to nothing."""
        self.states = [
            replace(s, coefficients=np.minimum(s.coefficients, highest(s.coefficients)))
            for s in self.states
        ]
        term = LandmarkTerm(self._settings, self.shape.neutral[:FACE_POINTS])
        step = self._step(term)
        before = self._energy(term, self.identity, self.states)
        for halving in range(_HALVINGS):
            identity, states = self._moved(step, 0.5**halving)
            after = self._energy(term, identity, states)
            if after < before:
                self.identity, self.states = identity, states
                self.shape = LandmarkShape.from_model(self._model, identity)
                return before - after < _SETTLED * before
        return True

    def _step(self, term: LandmarkTerm) -> _Step:
        shared, size = self._columns.shared, len(self._columns.shared)
        hessian, gradient = self._shared_prior()
        systems = []
        for state, seen in zip(self.states, self._seen, strict=True):
            h, g = self._normal_equations(term, state, seen)
            free = self._free(h, g, state)
            coupling = h[np.ix_(shared, free)]
            gain = np.linalg.solve(h[np.ix_(free, free)], np.c_[coupling.T, g[free]])
            eliminated = product(coupling, gain)
            hessian += h[np.ix_(shared, shared)] - eliminated[:, :size]
            gradient += g[shared] - eliminated[:, size]
            systems.append((h, g))
        step = np.asarray(-np.linalg.solve(hessian, gradient), np.float64)
        local = [
            self._solve_local(h, g + h[:, shared] @ step, state)
            for (h, g), state in zip(systems, self.states, strict=True)
        ]
        return _Step(step, local)

    def _normal_equations(
        self, term: LandmarkTerm, state: PictureState, seen: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        points = self.shape.points(state.coefficients)
        unit = interocular_pixels(points, state.pose, state.camera)
        data = term.linearise(
            points[:FACE_POINTS], self._basis, seen, state.pose, state.camera, unit, focal=True
        )
        hessian, gradient = data.hessian, data.gradient
        columns = self._columns.coefficients
        hessian[columns, columns] += self._prior.curvature()
        gradient[columns] += self._prior.gradient(state.coefficients)
        if not self._columns.focal_is_shared:
            focal = self._columns.focal
            hessian[focal, focal] += self._settings.focal**-2
            gradient[focal] += self._focal_offset(state.camera) * self._settings.focal**-2
        depth, weight = state.pose.translation[2], self._settings.distance**-2
        hessian[-1, -1] += weight / depth**2
        gradient[-1] += weight * self._distance_offset(state.pose) / depth
        return hessian, gradient

    def _shared_prior(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        modes = len(self.identity)
        diagonal = np.full(len(self._columns.shared), self._identity_weight)
        gradient = np.zeros(len(diagonal))
        gradient[:modes] = self._identity_weight * self.identity
        if self._columns.focal_is_shared:
            diagonal[modes] = self._settings.focal**-2
            gradient[modes] = diagonal[modes] * self._focal_offset(self.states[0].camera)
        return np.diag(diagonal), gradient

    def _focal_offset(self, camera: Camera) -> float:
        guess = self._settings.focal_guess * max(camera.width, camera.height)
        return float(np.log(camera.focal / guess))

    def _distance_offset(self, pose: Pose) -> float:
        return float(np.log(-pose.translation[2] / self._settings.distance_guess))

    def _free(
        self, h: NDArray[np.float64], g: NDArray[np.float64], state: PictureState
    ) -> NDArray[np.int64]:
        """Return the columns of the picture's unknowns that no bound holds."""
        step = self._solve_local(h, g, state)
        low, high = self._local_bounds(state)
        return self._columns.local[(step > low) & (step < high)]

    def _solve_local(
        self, h: NDArray[np.float64], g: NDArray[np.float64], state: PictureState
    ) -> NDArray[np.float64]:
        local = self._columns.local
        return minimise_in_box(h[np.ix_(local, local)], g[local], *self._local_bounds(state))

    def _local_bounds(self, state: PictureState) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        low, high = step_bounds(state.coefficients)
        others = np.full(len(self._columns.local) - len(low), np.inf)
        return np.concatenate([low, -others]), np.concatenate([high, others])

    def _moved(self, step: _Step, scale: float) -> tuple[NDArray[np.float64], list[PictureState]]:
        modes = len(self.identity)
        states = []
        for state, local in zip(self.states, step.local, strict=True):
            focal = step.shared[modes] if self._columns.focal_is_shared else local[len(SOLVED)]
            states.append(_moved_state(state, scale * local, scale * float(focal)))
        return self.identity + scale * step.shared[:modes], states

    def _energy(
        self, term: LandmarkTerm, identity: NDArray[np.float64], states: list[PictureState]
    ) -> float:
        shape = LandmarkShape.from_model(self._model, identity)
        total = 0.5 * self._identity_weight * float(identity @ identity)
        focals = states[:1] if self._columns.focal_is_shared else states
        for state in focals:
            total += 0.5 * (self._focal_offset(state.camera) / self._settings.focal) ** 2
        for state, before, seen in zip(states, self.states, self._seen, strict=True):
            if state.pose.translation[2] >= 0.0:
                return np.inf
            total += 0.5 * (self._distance_offset(state.pose) / self._settings.distance) ** 2
            points = shape.points(state.coefficients)
            # In units of the step's start, or shrinking the head would look like progress.
            unit = interocular_pixels(
                self.shape.points(before.coefficients), before.pose, before.camera
            )
            total += term.energy(points[:FACE_POINTS], seen, state.pose, state.camera, unit)
            total += self._prior.energy(state.coefficients)
        return total

    def _follow_gaze(self) -> None:
        states = []
        for state, face in zip(self.states, self._pictures, strict=True):
            points = self.shape.points(state.coefficients)
            unit = interocular_pixels(points, state.pose, state.camera)
            gaze = solve_gaze(self.shape, points, face.pixels, state.pose, state.camera, unit)
            coefficients = state.coefficients.copy()
            gaze_coefficients(gaze, coefficients)
            states.append(replace(state, gaze=gaze, coefficients=coefficients))
        self.states = states


def _columns(modes: int, shared_focal: bool) -> _Columns:
    """Lay out identity, coefficients, focal length, pose."""
    identity = np.arange(modes)
    coefficients = modes + np.arange(len(SOLVED))
    focal = modes + len(SOLVED)
    pose = focal + 1 + np.arange(_POSE)
    shared = [*identity, focal] if shared_focal else [*identity]
    local = [*coefficients, *pose] if shared_focal else [*coefficients, focal, *pose]
    return _Columns(identity, coefficients, focal, np.array(shared), np.array(local), shared_focal)


def _moved_state(state: PictureState, local: NDArray[np.float64], focal: float) -> PictureState:
    coefficients = state.coefficients.copy()
    moved = coefficients[SOLVED] + local[: len(SOLVED)]
    coefficients[SOLVED] = np.clip(moved, 0.0, 1.0)
    pose = Pose(
        axis_angle_matrix(local[-_POSE:-3]) @ state.pose.rotation,
        state.pose.translation + local[-3:],
    )
    factor = float(np.exp(np.clip(focal, -_FOCAL_STEP, _FOCAL_STEP)))
    camera = replace(state.camera, focal=state.camera.focal * factor)
    return PictureState(pose, camera, coefficients, state.gaze)
