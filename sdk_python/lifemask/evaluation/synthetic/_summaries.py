"""What many frames come to: means, jitter, lag, the detector's errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.evaluation.synthetic._channels import lag_frames
from lifemask.evaluation.synthetic._surfaces import Millimetres
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.tracking import FACE_POINTS, REGIONS, LandmarkShape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.evaluation.synthetic._truth import Truth
    from lifemask.heads import Head
    from lifemask.tracking import FaceLandmarks, FrameSolution

_FOREHEAD: Final = [9, 10, 67, 109, 151, 297, 338]


def jitter(solutions: Sequence[FrameSolution | None], head: Head) -> dict[str, float]:
    """Return how far the forehead moves about its mean place, mm RMS, camera frame.

    `across` the line of sight, along it (`depth`), and `all` together.
    """
    shape = LandmarkShape.from_head(head)
    places = np.array(
        [
            one.pose.apply(shape.points(one.coefficients)[_FOREHEAD])
            for one in solutions
            if one is not None
        ]
    )
    squares = np.mean((places - places.mean(axis=0)) ** 2, axis=(0, 1))
    parts = {"across": squares[:2].sum(), "depth": squares[2], "all": squares.sum()}
    return {name: float(1000 * np.sqrt(one)) for name, one in parts.items()}


def lags(solutions: Sequence[FrameSolution | None], truth: Truth) -> dict[str, float]:
    """Return by how many frames jaw, brows and yaw come late on a swinging head."""
    rows = [i for i, one in enumerate(solutions) if one is not None]
    solved = [one for one in solutions if one is not None]
    late = {}
    for name in ("jawOpen", "browInnerUp"):
        number = COEFFICIENT_INDEX[name]
        mine = np.array([one.coefficients[number] for one in solved])
        late[name] = lag_frames(mine, truth.coefficients[rows, number])
    yaw = np.array([one.pose.rotation[0, 2] for one in solved])
    late["yaw"] = lag_frames(yaw, truth.rotations[rows, 0, 2])
    return late


def averaged(several: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean of equal trees of numbers and of `Millimetres`."""
    first = several[0]
    out: dict[str, Any] = {}
    for name, value in first.items():
        values = [one[name] for one in several]
        if isinstance(value, dict):
            out[name] = averaged(values)
        elif isinstance(value, Millimetres):
            out[name] = Millimetres.mean_of(values)
        else:
            out[name] = float(np.mean(np.abs(values)))
    return out


def detector_errors(seen: Sequence[tuple[Truth, int, FaceLandmarks | None]]) -> dict[str, Any]:
    """Return how often faces are found and where landmarks lie, percent of the eye distance."""
    errors: dict[str, list[NDArray[np.float64]]] = {"0-20": [], "20-40": [], "40-65": []}
    found = 0
    for truth, frame, face in seen:
        if face is None:
            continue
        found += 1
        rotation, rest = truth.rotations[frame], truth.head.landmarks(truth.head.neutral)
        yaw = abs(float(np.degrees(np.arctan2(rotation[0, 2], rotation[2, 2]))))
        span = float(np.linalg.norm(rest[33] - rest[263]))
        unit = truth.camera.focal * span / -truth.translations[frame, 2]
        error = 100 * (face.pixels[:FACE_POINTS] - truth.landmarks(frame)[:FACE_POINTS]) / unit
        errors["0-20" if yaw < 20 else "20-40" if yaw < 40 else "40-65"].append(error)
    table: dict[str, Any] = {"pictures": len(seen), "found": found, "by_yaw": {}}
    for name, several in errors.items():
        if several:
            rows = np.array(several)
            groups = {"all": np.arange(FACE_POINTS), **REGIONS}
            table["by_yaw"][name] = {
                group: {
                    "error": float(np.linalg.norm(rows[:, points], axis=2).mean()),
                    "bias": [float(x) for x in rows[:, points].mean(axis=(0, 1))],
                }
                for group, points in groups.items()
            }
    return table
