"""Shapes refined by what a person's clip shows: example-based facial rigging.

Li, Weise and Pauly 2010 alternate two steps over a few example expressions: (A) shapes, held near
a transferred prior by weights that are small where the prior moves much, and (B) the weights of the
shapes in each example. Here the examples are tracked frames, of which 468 landmarks are known but
no surface: what they leave over is taken parallel to the picture, and a smooth random field over
the face stands for each shape's correction, so that few landmarks tell the whole surface.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.heads import (
    COEFFICIENT_COUNT,
    COEFFICIENT_INDEX,
    COEFFICIENT_NAMES,
    load_head_model,
)
from lifemask.rigging._contacts import worst_gaps_mm
from lifemask.rigging._personal import close_contacts
from lifemask.tracking import FACE_POINTS, FrameSolver, LandmarkShape, facing_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.geometry import Camera
    from lifemask.heads import Head
    from lifemask.tracking import FaceLandmarks, PhotoFit

EXAMPLES: Final = 20
"""Key expressions, most."""
_FEWEST_EXAMPLES: Final = 8
_FEWEST_HELD_OUT: Final = 12
_BLOCK: Final = 12
_EVERY: Final = 5
"""Every fifth block of twelve frames is held out, as the evaluation does."""
_GAP: Final = 4
_ROUNDS: Final = 3
_REACH: Final = 0.025
"""Metres over which corrections go together."""
_MODES: Final = 60
"""Smooth patterns of correction, the strongest ones of that reach."""
_PERSONAL: Final = 0.3
"""Standard deviation of a correction, share of what the shape itself moves there."""
_MOST: Final = 0.6
"""Share of what a shape moves somewhere by which it is corrected there at most."""
_BIAS: Final = 0.0015
"""Metres, standard deviation of what the landmarker always sees elsewhere on this face."""
_NOISE: Final = 0.0012
"""Metres, standard deviation of a landmark in one example."""
_SHOWN: Final = 0.5
"""Sum of a shape's squared coefficients over the examples below which nothing is learnt of it."""
_BETTER: Final = 0.99
"""Share of the error on held-out frames that must be reached, or the shapes stay as they were."""
_KEPT: Final = frozenset(
    COEFFICIENT_INDEX[name]
    for name in COEFFICIENT_NAMES
    if name.startswith(("eyeLook", "eyeBlink")) or name in ("mouthClose", "tongueOut")
)
"""Shapes that landmarks cannot tell, or that lids and lips which have to meet decide."""
_JAW_OPEN: Final = COEFFICIENT_INDEX["jawOpen"]
_MOUTH_CLOSE: Final = COEFFICIENT_INDEX["mouthClose"]


@dataclass(frozen=True)
class TrackedClip:
    """A clip whose frames may become examples.

    Attributes:
        faces: Landmarks, None where the face was lost.
        camera: Of the clip.
        coefficients: `(n, 52)` of the frames as they were tracked; NaN where the face was lost.
    """

    faces: Sequence[FaceLandmarks | None]
    camera: Camera
    coefficients: NDArray[np.floating]


@dataclass(frozen=True)
class Refinement:
    """What example expressions changed.

    Attributes:
        head: With the refined shapes if they are better on frames that were held out, else as it
            was.
        accepted: Which of the two.
        examples: Number of key expressions.
        held_out: Number of frames on which both were compared.
        error_before: Median landmark error on them, share of the inter-ocular distance.
        error_after: The same with the refined shapes.
    """

    head: Head
    accepted: bool
    examples: int
    held_out: int
    error_before: float
    error_after: float


def refine_from_clips(
    head: Head, clips: Sequence[TrackedClip], *, always: bool = False
) -> Refinement:
    """Refine a head's personal shapes by key expressions of tracked clips.

    Every fifth block of frames is held out. Key expressions are chosen from the others, far apart
    in coefficient space, and solved; shapes and coefficients then alternate. The result is taken
    only if it lowers the landmark error on the frames that were held out.

    Args:
        head: With shapes made by `personal_head`.
        clips: Of the person.
        always: Return the refined shapes even where they are not accepted, to be measured.
    """
    shape = LandmarkShape.from_head(head)
    splits = [_split(clip) for clip in clips]
    chosen = _key_expressions(clips, [train for train, _ in splits])
    tested = [(clip, test) for clip, (_, test) in zip(clips, splits, strict=True)]
    held_out = sum(len(test) for _, test in tested)
    if len(chosen) < _FEWEST_EXAMPLES or held_out < _FEWEST_HELD_OUT:
        return Refinement(head, False, len(chosen), held_out, float("nan"), float("nan"))
    field = _Field.over(shape.neutral[:FACE_POINTS])
    gains = np.zeros((COEFFICIENT_COUNT, _MODES, 2))
    refined = shape
    for _ in range(_ROUNDS):
        examples = [_example(shape, refined, *one) for one in chosen]
        gains = _shape_step(shape, field, examples)
        refined = _at_landmarks(shape, field, gains)
    better = close_contacts(_on_mesh(head, field, gains))
    before = _error(shape, tested)
    after = _error(LandmarkShape.from_head(better), tested)
    accepted = after < _BETTER * before
    return Refinement(
        better if accepted or always else head, accepted, len(chosen), held_out, before, after
    )


def solved_again(head: Head, fits: Sequence[PhotoFit]) -> list[PhotoFit]:
    """Return fits whose pose, expression and gaze are those of a head with shapes of its own.

    Args:
        head: Of the person.
        fits: Of pictures, with any shapes.
    """
    shape, found = LandmarkShape.from_head(head), []
    for fit in fits:
        solution = FrameSolver(shape, fit.camera).solve(fit.landmarks)
        found.append(
            replace(
                fit,
                coefficients=solution.coefficients,
                gaze=solution.gaze,
                pose=solution.pose,
                error_interocular=solution.error_interocular,
            )
        )
    return found


def shape_metrics(
    head: Head, refinement: Refinement | None = None
) -> dict[str, float | int | str | bool]:
    """Return what a report says of a person's shapes: numbers and texts by name.

    `shapes_moved_mm` holds, in the order of `COEFFICIENT_NAMES`, by how much each shape differs
    from the generic one where it differs most.

    Args:
        head: Of the shipped topology, with personal shapes.
        refinement: What example expressions changed, if there was a clip.
    """
    generic = load_head_model().expression_deltas
    change = np.linalg.norm(head.expression_deltas - generic, axis=2).max(axis=1) * 1000.0
    gaps = worst_gaps_mm(head)
    metrics: dict[str, float | int | str | bool] = {
        "shapes_moved_mm": " ".join(f"{one:.1f}" for one in change),
        "lid_gap_mm": max(gaps["eye_left"][1], gaps["eye_right"][1]),
        "lip_gap_mm": gaps["mouth"][1],
    }
    if refinement is not None:
        metrics["shapes_refined"] = refinement.accepted
        metrics["shapes_examples"] = refinement.examples
        if np.isfinite(refinement.error_before):
            metrics["shapes_held_out_frames"] = refinement.held_out
            metrics["shapes_held_out_error_before"] = round(refinement.error_before, 5)
            metrics["shapes_held_out_error_after"] = round(refinement.error_after, 5)
    return metrics


@dataclass(frozen=True)
class _Field:
    """Smooth patterns over a neutral face.

    Attributes:
        points: `(468, 3)` m.
        modes: `(468, m)` patterns at the landmarks, each times its standard deviation.
        spread: `(468, m)`, what the kernel multiplies to give them elsewhere.
    """

    points: NDArray[np.float64]
    modes: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def over(cls, points: NDArray[np.float64]) -> _Field:
        values, vectors = np.linalg.eigh(_kernel(points, points))
        values, vectors = values[::-1][:_MODES], vectors[:, ::-1][:, :_MODES]
        roots = np.sqrt(values)
        return cls(points, vectors * roots, vectors / roots)

    def at(self, places: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the patterns `(n, m)` at places `(n, 3)` m of the neutral face."""
        return _kernel(np.asarray(places, np.float64), self.points) @ self.spread


def _kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return correlations `(n, m)`: exponential times linear (Matern 3/2)."""
    from scipy.spatial.distance import cdist

    far = cdist(a, b) * (np.sqrt(3.0) / _REACH)
    return (1.0 + far) * np.exp(-far)


@dataclass(frozen=True)
class _Example:
    """A solved key expression.

    Attributes:
        coefficients: `(52,)`.
        left: `(468, 2)` m across and up the head, by which the landmarks lie beside the shapes'
            prior with these coefficients.
        weights: `(468,)` in [0, 1].
    """

    coefficients: NDArray[np.float64]
    left: NDArray[np.float64]
    weights: NDArray[np.float64]


def _example(
    prior: LandmarkShape, present: LandmarkShape, clip: TrackedClip, number: int
) -> _Example:
    """Step B: solve one frame with the present shapes; then what the prior leaves over."""
    face = clip.faces[number]
    assert face is not None
    solver = FrameSolver(present, clip.camera)
    solution = solver.solve(face)
    rotation = solution.pose.rotation
    points = present.points(solution.coefficients)[:FACE_POINTS]
    at = solution.pose.apply(points)
    across = (solver.closed(face) - clip.camera.project(at)) * (-at[:, 2:] / clip.camera.focal)
    left = (np.c_[across * [1.0, -1.0], np.zeros(len(at))] @ rotation)[:, :2]
    robust = 1.0 / np.maximum(1.0, np.linalg.norm(left, axis=1) / (3.0 * _NOISE))
    left += (points - prior.points(solution.coefficients)[:FACE_POINTS])[:, :2]
    facing = facing_weights(prior.neutral[:FACE_POINTS], rotation)
    return _Example(solution.coefficients, left, facing * robust)


def _shape_step(
    prior: LandmarkShape, field: _Field, examples: Sequence[_Example]
) -> NDArray[np.float64]:
    """Step A: the corrections of all shapes, `(52, m, 2)`, gains of the field's patterns.

    Least squares with the prior that a shape's correction at a landmark has a standard deviation
    in proportion to what the shape moves there. One more field, the same in all examples, takes
    what the landmarker always sees elsewhere on this face; it is no part of any shape.
    """
    weights = np.stack([one.coefficients for one in examples])
    shown = (weights**2).sum(axis=0) > _SHOWN
    active = [i for i in np.flatnonzero(shown) if i not in _KEPT]
    spread = np.stack(
        [*(_spread(prior.deltas[i][:FACE_POINTS]) for i in active), np.full(FACE_POINTS, _BIAS)]
    )
    activity = np.c_[weights[:, active], np.ones(len(examples))]
    count, modes = len(spread), field.modes.shape[1]
    patterns = spread.T[:, :, None] * field.modes[:, None, :]
    system, right = np.eye(count * modes), np.zeros((count * modes, 2))
    for one, row in zip(examples, activity, strict=True):
        roots = np.sqrt(one.weights)[:, None] / _NOISE
        rows = (patterns * row[:, None]).reshape(FACE_POINTS, -1) * roots
        system += rows.T @ rows
        right += rows.T @ (one.left * roots)
    gains = np.zeros((COEFFICIENT_COUNT, modes, 2))
    gains[active] = np.linalg.solve(system, right).reshape(count, modes, 2)[:-1]
    return gains


def _spread(delta: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return `(n,)` m, the standard deviation of a shape's correction where it moves `(n, 3)`."""
    return _PERSONAL * np.linalg.norm(np.asarray(delta, np.float64), axis=1)


def _bounded(delta: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return corrections `(n, 2)` m of a shape `(n, 3)`, at most a share of what it moves there.

    Args:
        delta: The shape.
        wanted: `(n, 2)` standard deviations; small ones stay as they are.
    """
    length = np.linalg.norm(wanted, axis=1, keepdims=True)
    limit = _MOST / _PERSONAL
    return (
        _spread(delta)[:, None]
        * wanted
        * np.tanh(length / limit)
        / np.maximum(length / limit, 1e-9)
    )


def _at_landmarks(prior: LandmarkShape, field: _Field, gains: NDArray[np.float64]) -> LandmarkShape:
    """Return the shape with corrected movements."""
    deltas = prior.deltas.copy()
    for number in np.flatnonzero(gains.any(axis=(1, 2))):
        face = deltas[number, :FACE_POINTS]
        face[:, :2] += _bounded(face, field.modes @ gains[number])
    # A closed mouth on an open jaw stays as it was.
    deltas[_MOUTH_CLOSE] -= deltas[_JAW_OPEN] - prior.deltas[_JAW_OPEN]
    return replace(prior, deltas=deltas)


def _on_mesh(head: Head, field: _Field, gains: NDArray[np.float64]) -> Head:
    """Return the head with corrected movements of its skin and the cavity of the mouth."""
    shell = head.topology.parts["skin"].vertices
    patterns = field.at(head.neutral[shell])
    shapes = head.expression_deltas.astype(np.float64)
    for number in np.flatnonzero(gains.any(axis=(1, 2))):
        skin = shapes[number, shell]
        skin[:, :2] += _bounded(skin, patterns @ gains[number])
    shapes[_MOUTH_CLOSE] -= shapes[_JAW_OPEN] - head.expression_deltas[_JAW_OPEN]
    return replace(head, expression_deltas=shapes.astype(np.float32))


def _error(shape: LandmarkShape, tested: Sequence[tuple[TrackedClip, NDArray[np.int64]]]) -> float:
    """Return the median landmark error on frames, share of the inter-ocular distance."""
    errors = []
    for clip, numbers in tested:
        solver = FrameSolver(shape, clip.camera)
        last = -2
        for number in numbers:
            face = clip.faces[number]
            assert face is not None
            if number != last + 1:
                solver.reset()
            errors.append(solver.solve(face).error_interocular)
            last = number
    return float(np.median(errors))


def _split(clip: TrackedClip) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the frames to learn from and those that are held out, tracked ones alone."""
    numbers = np.arange(len(clip.faces))
    held = (numbers // _BLOCK) % _EVERY == _EVERY - 1
    near = np.convolve(held, np.ones(2 * _GAP + 1))[_GAP : _GAP + len(held)] > 0.5
    known = np.isfinite(clip.coefficients[:, 0])
    known &= np.array([face is not None for face in clip.faces], bool)
    return np.flatnonzero(known & ~near), np.flatnonzero(known & held)


def _key_expressions(
    clips: Sequence[TrackedClip], trains: Sequence[NDArray[np.int64]]
) -> list[tuple[TrackedClip, int]]:
    """Return frames far apart in coefficient space, the most expressive one first."""
    places = [(clip, int(i)) for clip, t in zip(clips, trains, strict=True) for i in t]
    if not places:
        return []
    values = np.stack([clip.coefficients[i] for clip, i in places]).astype(np.float64)
    chosen = [int(np.argmax(np.linalg.norm(values, axis=1)))]
    nearest = np.linalg.norm(values - values[chosen[0]], axis=1)
    while len(chosen) < min(EXAMPLES, len(places)) and nearest.max() > 0.05:
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.linalg.norm(values - values[chosen[-1]], axis=1))
    return [places[i] for i in chosen]
