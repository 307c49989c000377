"""Gauss-Newton over several pictures of one person: shared and local unknowns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask.geometry import Camera
from lifemask.heads import COEFFICIENT_COUNT
from lifemask.tracking._bounded import minimise_in_box
from lifemask.tracking._bundle_states import (
    BundlePrior,
    Columns,
    PictureState,
    moved,
)
from lifemask.tracking._coefficients import SOLVED, highest, step_bounds
from lifemask.tracking._gaze import gaze_coefficients, solve_gaze
from lifemask.tracking._linearise import LandmarkTerm, face_basis
from lifemask.tracking._products import product
from lifemask.tracking._projection import guess_pose, interocular_pixels, project
from lifemask.tracking._regions import FACE_POINTS
from lifemask.tracking._settings import landmark_weights, turned_weights
from lifemask.tracking._shape import LandmarkShape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.heads import LandmarkModel
    from lifemask.tracking._faces import FaceLandmarks
    from lifemask.tracking._settings import SolveSettings

_SETTLED: Final = 3e-5
"""Share of the energy that a step must win for another one to follow."""
_HALVINGS: Final = 6
_PERSONAL: Final = 0.6
"""How far a person's expressions differ from the generic ones, share of the movement."""
_LIVELY: Final = 0.004
"""Metres, movement of the face (root mean square) at which a picture counts half."""
_TOLD: Final = np.radians(15.0)
"""Yaw from which perspective tells the focal length from the distance."""
_NEAR: Final = 0.5
"""Metres, a distance at which it tells on a face from the front too."""
_HELD: Final = 0.1
"""Standard deviation of the logarithm of the distance where perspective does not tell."""
_TRUSTED: Final = 4.0
"""How many times less, at most, one of several pictures says of the identity than one alone."""
_OUTLIER: Final = 2.5
"""Error of a picture, in medians of all, from which it counts half or less."""


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
        cameras: Number of the camera that took each picture, from 0; pictures of one camera have
            one focal length.

    Attributes:
        identity: `(n_modes,)`, present estimate.
        shape: Landmark points of that identity.
        states: Unknowns of each picture.
        told: Whether perspective tells each camera's focal length; known after `solve`.
    """

    def __init__(
        self,
        pictures: Sequence[FaceLandmarks],
        model: LandmarkModel,
        settings: SolveSettings,
        cameras: Sequence[int],
    ) -> None:
        self._pictures = pictures
        self._model = model
        self._settings = settings
        self._prior = BundlePrior(settings)
        self._cameras = cameras
        self._columns = Columns.of(len(model.identity))
        identity, expressions = face_basis(model.identity), face_basis(model.expressions)
        self._basis = np.concatenate([identity, expressions[:, :, SOLVED]], axis=2)
        self._shape_deltas = model.expressions[:, :FACE_POINTS]
        self._seen = [face.pixels[:FACE_POINTS].astype(np.float64) for face in pictures]
        self.identity = np.zeros(len(model.identity))
        self.shape = LandmarkShape.from_model(model, self.identity)
        self.told = [True] * (max(cameras) + 1)
        self.states = [self._first_state(face) for face in pictures]

    def solve(self, rounds: int) -> None:
        """Step until the energy settles, and turn the eyes along.

        Then pictures that fit much worse than the others lose weight, those that show much
        expression count less for the identity, cameras whose focal length nothing tells are held
        near the most likely distance, and the energy settles again.
        """
        self._settle(rounds)
        self._weigh()
        self.told = [self._tells(camera) for camera in range(len(self.told))]
        self._settle(rounds)

    def _settle(self, rounds: int) -> None:
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

    def _weigh(self) -> None:
        """Give each picture its weights (Geman and McClure's function of its error)."""
        moved = [np.sqrt(np.mean(np.sum(self._movement(s) ** 2, axis=1))) for s in self.states]
        calm = 1.0 / (1.0 + (np.array(moved) / _LIVELY) ** 2)
        self.states = [
            replace(state, calm=float(share))
            for state, share in zip(self.states, calm, strict=True)
        ]
        if len(self.states) < 3:
            return
        errors = np.array([self._error(k) for k in range(len(self.states))])
        ratio = errors / (_OUTLIER * max(float(np.median(errors)), 1e-6))
        weights = np.where(ratio < 0.5, 1.0, 1.0 / (1.0 + ratio**4))
        self.states = [
            replace(state, weight=float(w)) for state, w in zip(self.states, weights, strict=True)
        ]

    def _error(self, number: int) -> float:
        """Return the median distance of a picture's landmarks, share of the inter-ocular."""
        state = self.states[number]
        points = self.shape.points(state.coefficients)
        drawn = project(state.pose.apply(points[:FACE_POINTS]), state.camera).pixels
        distance = np.linalg.norm(drawn - self._seen[number], axis=1)
        return float(np.median(distance) / interocular_pixels(points, state.pose, state.camera))

    def _tells(self, camera: int) -> bool:
        """Whether the pictures of a camera are turned or near enough to tell its focal length."""
        for state, number in zip(self.states, self._cameras, strict=True):
            yaw = np.arctan2(state.pose.rotation[0, 2], state.pose.rotation[2, 2])
            near = -state.pose.translation[2] < _NEAR
            if number == camera and state.weight > 0.5 and (abs(yaw) > _TOLD or near):
                return True
        return False

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
        hessian, gradient = self._shared_prior()
        own = [*self._columns.identity, self._columns.focal]
        systems = []
        for number, state in enumerate(self.states):
            h, g = self._normal_equations(term, state, number)
            free = self._free(h, g, state)
            coupling = h[np.ix_(own, free)]
            gain = np.linalg.solve(h[np.ix_(free, free)], np.c_[coupling.T, g[free]])
            eliminated = product(coupling, gain)
            shared = self._columns.shared(self._cameras[number])
            hessian[np.ix_(shared, shared)] += h[np.ix_(own, own)] - eliminated[:, :-1]
            gradient[shared] += g[own] - eliminated[:, -1]
            systems.append((h, g, shared))
        step = np.asarray(-np.linalg.solve(hessian, gradient), np.float64)
        local = [
            self._solve_local(h, g + h[:, own] @ step[shared], state)
            for (h, g, shared), state in zip(systems, self.states, strict=True)
        ]
        return _Step(step, local)

    def _normal_equations(
        self, term: LandmarkTerm, state: PictureState, number: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        points = self.shape.points(state.coefficients)
        unit = interocular_pixels(points, state.pose, state.camera)
        data = term.linearise(
            points[:FACE_POINTS],
            self._basis,
            self._seen[number],
            state.pose,
            state.camera,
            unit,
            focal=True,
            trust=self._trust(state),
        )
        weight = state.weight * state.calm
        hessian, gradient = weight * data.hessian, weight * data.gradient
        columns = self._columns.coefficients
        hessian[columns, columns] += self._prior.curvature()
        gradient[columns] += self._prior.gradient(state.coefficients)
        depth, held = state.pose.translation[2], self._distance_weight(number)
        hessian[-1, -1] += held / depth**2
        gradient[-1] += held * self._distance_offset(state) / depth
        return hessian, gradient

    def _movement(self, state: PictureState) -> NDArray[np.float64]:
        """Return what the expression moves the landmarks by, `(468, 3)` m."""
        return np.tensordot(state.coefficients, self._shape_deltas, axes=1)

    def _trust(self, state: PictureState) -> NDArray[np.float64]:
        """Return how much each landmark says `(468,)` of the person rather than of an expression.

        Nobody's smile is the generic one: what an expression moves it also leaves uncertain, and
        that must not be explained by the identity.
        """
        doubt = _PERSONAL * np.linalg.norm(self._movement(state), axis=1)
        calm = 1.0 / (1.0 + (doubt / (self._settings.noise * self.shape.interocular)) ** 2)
        return calm * turned_weights(state.pose.rotation)

    def _shared_prior(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        modes = len(self.identity)
        diagonal = np.full(modes + len(self.told), self._identity_weight())
        gradient = np.zeros(len(diagonal))
        gradient[:modes] = diagonal[:modes] * self.identity
        diagonal[modes:] = self._settings.focal**-2
        for state, camera in zip(self.states, self._cameras, strict=True):
            gradient[modes + camera] = diagonal[-1] * self._focal_offset(state.camera)
        return np.diag(diagonal), gradient

    def _identity_weight(self) -> float:
        """Return the weight of the identity's prior, which grows with the number of pictures.

        What the model cannot show is wrong in every picture alike, so more pictures of one person
        are not more evidence. Several are even trusted less each: what the landmarker gets wrong
        in them is smooth over the face, and parallax turns it into depth. Where no picture is
        calm the identity is held more tightly than where one is.
        """
        weights = [
            state.weight * state.calm * float(np.median(turned_weights(state.pose.rotation)))
            for state in self.states
        ]
        total, most = sum(weights), max(max(weights), 1e-6)
        apart = min(max(total / most, 1.0) ** 1.5, _TRUSTED)
        return self._settings.identity * apart * total / most**0.5

    def _focal_offset(self, camera: Camera) -> float:
        guess = self._settings.focal_guess * max(camera.width, camera.height)
        return float(np.log(camera.focal / guess))

    def _distance_offset(self, state: PictureState) -> float:
        return float(np.log(-state.pose.translation[2] / self._settings.distance_guess))

    def _distance_weight(self, number: int) -> float:
        told = self.told[self._cameras[number]]
        return (self._settings.distance if told else min(_HELD, self._settings.distance)) ** -2

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
        states = [
            moved(state, scale * local, scale * float(step.shared[modes + camera]))
            for state, local, camera in zip(self.states, step.local, self._cameras, strict=True)
        ]
        return self.identity + scale * step.shared[:modes], states

    def _energy(
        self, term: LandmarkTerm, identity: NDArray[np.float64], states: list[PictureState]
    ) -> float:
        shape = LandmarkShape.from_model(self._model, identity)
        total = 0.5 * self._identity_weight() * float(identity @ identity)
        focals = {camera: state.camera for camera, state in zip(self._cameras, states, strict=True)}
        for camera in focals.values():
            total += 0.5 * (self._focal_offset(camera) / self._settings.focal) ** 2
        for number, (state, before) in enumerate(zip(states, self.states, strict=True)):
            if state.pose.translation[2] >= 0.0:
                return np.inf
            total += 0.5 * self._distance_weight(number) * self._distance_offset(state) ** 2
            # In units of the step's start, or shrinking the head would look like progress.
            unit = interocular_pixels(
                self.shape.points(before.coefficients), before.pose, before.camera
            )
            points = shape.points(state.coefficients)[:FACE_POINTS]
            energy = term.energy(
                points, self._seen[number], state.pose, state.camera, unit, self._trust(before)
            )
            total += state.weight * state.calm * energy
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
