"""Solving a whole clip at once: every frame knows the frames before and after it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lifemask.geometry import Pose, matrix_axis_angle
from lifemask.tracking._bounded import minimise_in_box
from lifemask.tracking._calm import calm_poses
from lifemask.tracking._coefficients import SOLVED, highest
from lifemask.tracking._frame_solver import (
    FrameSolution,
    FrameSolver,
    far_apart,
    moved,
    unknown_bounds,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.tracking._faces import FaceLandmarks
    from lifemask.tracking._linearise import NormalEquations
    from lifemask.tracking._performer import Performer
    from lifemask.tracking._settings import SolveSettings

_ROUNDS = 2
"""Times that all frames are linearised anew."""

_SWEEPS = 4
"""Forward and backward passes in each round."""

_NOMINAL_RATE = 30.0
_BEND_GROUPS = (slice(0, 3), slice(3, 5), slice(5, 6))


@dataclass(frozen=True)
class ClipPrior:
    """How faces move between neighbouring frames of a clip of 30 frames per second.

    Attributes:
        expression: Change of a coefficient at rest, one standard deviation. What moves faster
            is believed: the term follows a Student distribution.
        turn: Second difference of the head's rotation at rest, radians.
        shift: Second difference of the head's place at rest, share of its distance from the
            camera.
    """

    expression: float = 0.02
    turn: float = 0.001
    shift: float = 0.0003


def solve_clip(
    faces: Sequence[FaceLandmarks | None],
    performer: Performer,
    *,
    settings: SolveSettings | None = None,
    prior: ClipPrior | None = None,
    rate_hz: float = _NOMINAL_RATE,
) -> list[FrameSolution | None]:
    """Solve all frames of a clip together.

    Minimises the energy of `FrameSolver` summed over the frames plus a robust penalty on the
    first difference of the coefficients and on the second difference of the pose, which look
    backward and forward alike: smoother than frame by frame, and without any lag. Gauss-Newton,
    each round of which runs block Gauss-Seidel sweeps forward and backward, every frame within
    the bounds of its coefficients. A frame's influence fades within a few frames, so that a clip
    may be solved in chunks that overlap by ten.

    Args:
        faces: Landmarks in order of time, None where the face was lost.
        performer: Who is seen, see `fit_performer`.
        settings: Weights of the frames' own terms.
        prior: How faces move.
        rate_hz: Frames per second.

    Returns:
        One entry for each of `faces`, None where that is None. No value reaches across a lost
        frame or a cut.
    """
    solver = FrameSolver(performer.shape, performer.camera, settings=settings)
    prior = _at_rate(prior or ClipPrior(), rate_hz)
    middle = performer.shape.neutral.mean(axis=0).astype(np.float64)
    out: list[FrameSolution | None] = [None] * len(faces)
    for run in _runs(faces, solver):
        seen = [face for i in run if (face := faces[i]) is not None]
        solved = _solve_run(seen, solver, prior, middle, rate_hz)
        for index, solution in zip(run, solved, strict=True):
            out[index] = solution
    return out


class _State(NamedTuple):
    pose: Pose
    coefficients: NDArray[np.float64]


def _at_rate(prior: ClipPrior, rate_hz: float) -> ClipPrior:
    """Change grows with the time between frames, second differences with its square."""
    if not rate_hz > 0.0:
        raise ValueError(f"rate_hz must be positive, got {rate_hz}")
    ratio = _NOMINAL_RATE / rate_hz
    return ClipPrior(prior.expression * ratio, prior.turn * ratio**2, prior.shift * ratio**2)


def _runs(faces: Sequence[FaceLandmarks | None], solver: FrameSolver) -> list[list[int]]:
    """Return runs of frames that belong together: no lost frame, no cut between them."""
    runs: list[list[int]] = []
    last: Pose | None = None
    for index, face in enumerate(faces):
        if face is None:
            last = None
            continue
        pose = solver.guess(face)
        if last is None or far_apart(last, pose):
            runs.append([])
        runs[-1].append(index)
        last = pose
    return runs


def _solve_run(
    faces: list[FaceLandmarks],
    solver: FrameSolver,
    prior: ClipPrior,
    middle: NDArray[np.float64],
    rate_hz: float,
) -> list[FrameSolution]:
    solver.reset()
    first = [solver.solve(face) for face in faces]
    states = [_State(one.pose, one.coefficients) for one in first]
    for _ in range(_ROUNDS if len(faces) > 1 else 0):
        # Bounds move with the opponents' values, as in the solution of one frame.
        states = [
            _State(s.pose, np.minimum(s.coefficients, highest(s.coefficients))) for s in states
        ]
        systems = [
            solver.system(face, s.pose, s.coefficients)
            for face, s in zip(faces, states, strict=True)
        ]
        steps = _sweep(systems, states, prior)
        states = [
            _State(*moved(s.pose, s.coefficients, d)) for s, d in zip(states, steps, strict=True)
        ]
    poses = calm_poses([s.pose for s in states], middle, rate_hz)
    return [
        solver.finish(face, pose, s.coefficients)
        for face, pose, s in zip(faces, poses, states, strict=True)
    ]


def _sweep(
    systems: list[NormalEquations], states: list[_State], prior: ClipPrior
) -> NDArray[np.float64]:
    """Return the steps `(n, m)` of all frames that lower the sum of frames and prior."""
    motion = _Motion(states, prior)
    count, width = len(states), len(SOLVED) + 6
    steps = np.zeros((count, width))
    bounds = [unknown_bounds(s.coefficients) for s in states]
    for sweep in range(2 * _SWEEPS):
        order = range(count) if sweep % 2 == 0 else range(count - 1, -1, -1)
        for index in order:
            data = systems[index]
            diagonal, slope = motion.about(index, steps)
            hessian = data.hessian.copy()
            hessian[np.arange(width), np.arange(width)] += diagonal
            steps[index] = minimise_in_box(hessian, data.gradient + slope, *bounds[index])
    return steps


class _Motion:
    """The temporal terms, with weights fixed at the states of the round's start."""

    def __init__(self, states: list[_State], prior: ClipPrior) -> None:
        values = np.stack([s.coefficients[SOLVED] for s in states])
        self._change = np.diff(values, axis=0)
        self._change_weight = 1.0 / (prior.expression**2 + self._change**2)
        rotations = [s.pose.rotation for s in states]
        turns = [matrix_axis_angle(b @ a.T) for a, b in itertools.pairwise(rotations)]
        shifts = np.diff([s.pose.translation for s in states], axis=0)
        self._bend = np.diff(np.concatenate([np.reshape(turns, (-1, 3)), shifts], axis=1), axis=0)
        distance = float(np.mean([-s.pose.translation[2] for s in states]))
        spread = np.repeat([prior.turn, prior.shift * distance], 3)
        self._bend_weight = 1.0 / (spread**2 + _coherent_squares(self._bend))

    def about(
        self, index: int, steps: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the terms' curvature and slope `(m,)` in one frame's step, others held."""
        diagonal, slope = np.zeros(steps.shape[1]), np.zeros(steps.shape[1])
        for edge, sign in ((index - 1, 1.0), (index, -1.0)):
            if 0 <= edge < len(self._change):
                other = steps[edge if sign > 0 else edge + 1, :-6]
                weight = self._change_weight[edge]
                diagonal[:-6] += weight
                slope[:-6] += weight * (sign * self._change[edge] - other)
        for middle, factor in ((index - 1, 1.0), (index, -2.0), (index + 1, 1.0)):
            if 1 <= middle <= len(self._bend):
                weight = self._bend_weight[middle - 1]
                around = steps[middle - 1 : middle + 2, -6:]
                rest = around[0] - 2.0 * around[1] + around[2] - factor * steps[index, -6:]
                diagonal[-6:] += factor**2 * weight
                slope[-6:] += factor * weight * (self._bend[middle - 1] + rest)
        return diagonal, slope


def _coherent_squares(bend: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean squares `(n, 6)` of motion in turns, across the view and in depth.

    Of three neighbours' mean: noise of single frames, which changes sign from one to the next,
    hardly counts as motion.
    """
    if len(bend) == 0:
        return bend
    padded = np.concatenate([bend[:1], bend, bend[-1:]])
    squares = ((padded[:-2] + padded[1:-1] + padded[2:]) / 3.0) ** 2
    for group in _BEND_GROUPS:
        squares[:, group] = squares[:, group].mean(axis=1, keepdims=True)
    return squares
