"""Choosing the frames that tell most about a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.tracking._regions import FACE_POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.tracking._faces import FaceLandmarks


def choose_key_frames(frames: Sequence[FaceLandmarks | None], count: int = 24) -> list[int]:
    """Choose frames that differ most in pose and expression.

    Farthest-point sampling on the landmarks without their place, size and roll, from the frame
    that is nearest to the median.

    Args:
        frames: Landmarks of the frames, None where the face was lost.
        count: Most frames to choose.

    Returns:
        Indices into `frames`, ascending; empty where no frame has a face.
    """
    usable = [i for i, face in enumerate(frames) if face is not None and not face.reaches_border()]
    usable = usable or [i for i, face in enumerate(frames) if face is not None]
    if not usable:
        return []
    shapes = np.stack([_normalised(face) for i in usable if (face := frames[i]) is not None])
    chosen = [int(np.argmin(_distances(shapes, np.median(shapes, axis=0))))]
    nearest = _distances(shapes, shapes[chosen[0]])
    while len(chosen) < min(count, len(usable)):
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, _distances(shapes, shapes[chosen[-1]]))
    return sorted(usable[i] for i in chosen)


def _normalised(face: FaceLandmarks) -> NDArray[np.float64]:
    """Return `(468 * 3,)` without translation, scale and roll."""
    points = face.points[:FACE_POINTS].astype(np.float64)
    points = points - points.mean(axis=0)
    across = points[263, :2] - points[33, :2]
    cosine, sine = across / np.linalg.norm(across)
    points[:, :2] = points[:, :2] @ np.array([[cosine, -sine], [sine, cosine]])
    return (points / np.sqrt(np.mean(points**2))).ravel()


def _distances(shapes: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.norm(shapes - centre, axis=1)
