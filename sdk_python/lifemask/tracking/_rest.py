"""Where a detector sees one person's face at rest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX
from lifemask.tracking._calibration import LARGEST_OFFSET, SMALL_OFFSETS, half_sample_mode
from lifemask.tracking._coefficients import SOLVED
from lifemask.tracking._frame_solver import FrameSolver
from lifemask.tracking._lids import lip_gap
from lifemask.tracking._projection import project
from lifemask.tracking._regions import FACE_POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.geometry import Camera
    from lifemask.tracking._faces import FaceLandmarks
    from lifemask.tracking._frame_solver import FrameSolution
    from lifemask.tracking._settings import SolveSettings
    from lifemask.tracking._shape import LandmarkShape

_FEWEST_FRAMES: Final = 30
"""Frames with a face below which nothing is known about a person's rest."""

_MOST_FRAMES: Final = 60
"""Frames, evenly spread over the clip, that are solved to find the rest."""

_REST_SHARE: Final = 0.15
"""Share of the frames, nearest to the modes of the coefficients, that count as rest."""

_LEAST_MOTION: Final = 0.5
"""Sum of the coefficients' standard deviations below which a face holds still: it may hold any
expression, so nothing tells its rest."""

_LIPS_TOUCH: Final = 0.012
"""Gap of the lips, share of the inter-ocular distance, up to which the mouth is shut and the jaw
at rest, however far it hangs on the fitted head. Of an open mouth the jaw's rest is not known."""

_FARTHEST: Final = 0.05
"""Most by which a point at rest is moved beyond what coefficients explain, same unit."""


def shape_at_rest(
    frames: Sequence[FaceLandmarks | None],
    shape: LandmarkShape,
    camera: Camera,
    settings: SolveSettings | None = None,
) -> LandmarkShape:
    """Move a person's neutral points to where the detector sees them at rest.

    A detector places brows and lips of one person always a little beside where the fitted head
    has them, and coefficients would make up for that in every frame. The frames nearest to the
    modes of the coefficients over the less expressive half of the frames (half-sample mode,
    Robertson and Cryer 1974) show the rest: what they have in common, coefficients within the
    bounds of `Calibration` and leftover distances, becomes part of the neutral points. Irises and
    displacements stay as they are.

    Args:
        frames: Landmarks of one person from one camera, None where the face was lost.
        shape: Of the fitted head.
        camera: Of the pictures.
        settings: Weights of the solver.

    Returns:
        A shape with `rest_known`, or `shape` itself where fewer than 30 frames have a face
        or the face holds still.
    """
    faces = [face for face in frames if face is not None and not face.reaches_border()]
    if len(faces) < _FEWEST_FRAMES:
        return shape
    picked = np.linspace(0, len(faces) - 1, min(_MOST_FRAMES, len(faces))).round().astype(int)
    faces = [faces[i] for i in picked]
    solver = FrameSolver(shape, camera, settings=settings)
    solutions = [solver.solve(face) for face in faces]
    values = np.array([one.coefficients for one in solutions])
    solved = values[:, SOLVED]
    if solved.std(axis=0).sum() < _LEAST_MOTION:
        return shape
    # Somebody who talks without a pause dwells at an open mouth as well as at a closed one.
    least = solved[solved.sum(axis=1) <= np.median(solved.sum(axis=1))]
    modes = np.array([half_sample_mode(column) for column in least.T])
    distance = np.abs(solved - modes).sum(axis=1)
    calm = np.argsort(distance, kind="stable")[: round(_REST_SHARE * len(faces))]
    seen = [(solver.closed(faces[i]), solutions[i]) for i in calm]
    left = np.median([_leftover(shape, camera, *one) for one in seen], axis=0)
    return _moved(shape, np.median(values[calm], axis=0), left)


def _moved(
    shape: LandmarkShape, coefficients: NDArray[np.float64], left: NDArray[np.float64]
) -> LandmarkShape:
    """Return the shape with coefficients `(52,)` and leftovers `(468, 3)` m taken as its rest."""
    most = np.full(COEFFICIENT_COUNT, LARGEST_OFFSET)
    for name, limit in SMALL_OFFSETS.items():
        most[COEFFICIENT_INDEX[name]] = limit
    shut = lip_gap(shape.points(coefficients)) < _LIPS_TOUCH * shape.interocular
    most[COEFFICIENT_INDEX["jawOpen"]] = LARGEST_OFFSET if shut else 0.0
    held = np.zeros(COEFFICIENT_COUNT)
    held[SOLVED] = np.minimum(coefficients, most)[SOLVED]
    length = np.linalg.norm(left, axis=1, keepdims=True)
    share = np.minimum(1.0, _FARTHEST * shape.interocular / np.maximum(length, 1e-12))
    neutral = shape.neutral.copy()
    neutral[:FACE_POINTS] = shape.points(held)[:FACE_POINTS] + share * left
    return replace(shape, neutral=neutral, rest_known=True)


def _leftover(
    shape: LandmarkShape, camera: Camera, seen: NDArray[np.float64], solution: FrameSolution
) -> NDArray[np.float64]:
    """Return how far `(468, 3)` m, head frame, the points lie beside where they were seen."""
    points = shape.points(solution.coefficients)[:FACE_POINTS]
    drawn = project(solution.pose.apply(points), camera)
    missing = (seen - drawn.pixels)[:, :, None]
    across = (np.linalg.pinv(drawn.by_point) @ missing)[:, :, 0]
    return across @ solution.pose.rotation
