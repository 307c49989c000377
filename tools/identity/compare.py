"""Fitting a head as `lifemask.build` does, and comparing heads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.rigging import align_to_landmarks, scale_to_pupil_distance
from lifemask.tracking import fit_photos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.heads import Head, HeadModel
    from lifemask.tracking import FaceLandmarks


def fitted_head(
    model: HeadModel, faces: Sequence[FaceLandmarks], *, same_camera: bool = False
) -> Head:
    """Return the head that a build makes of landmarks."""
    fits = fit_photos(faces, model, same_camera=same_camera)
    return scale_to_pupil_distance(align_to_landmarks(model.head(fits[0].identity), fits))


def rms_millimetres(head: Head, other: Head, *, similarity: bool = False) -> float:
    """Return how far two neutral faces are apart after alignment, root mean square, mm."""
    distance = 1e3 * face_distances(head, other, similarity=similarity)
    return float(np.sqrt(np.mean(distance**2)))


def median_millimetres(head: Head, other: Head) -> float:
    """Return the median distance of two neutral faces after similarity alignment, mm."""
    return float(1e3 * np.median(face_distances(head, other, similarity=True)))


def face_distances(head: Head, other: Head, *, similarity: bool = False) -> NDArray[np.float64]:
    """Return the distance of each face vertex after alignment, metres.

    Args:
        head: Moved onto the other, `(n_vertices, 3)` of the same topology.
        other: Stays.
        similarity: Align the size as well.
    """
    rows = np.flatnonzero(head.topology.masks["face"] > 0.5)
    a, b = head.neutral[rows].astype(np.float64), other.neutral[rows].astype(np.float64)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    u, _, vt = np.linalg.svd(b.T @ a)
    rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
    a = a @ rotation.T
    if similarity:
        a *= np.sum(a * b) / np.sum(a * a)
    return np.linalg.norm(a - b, axis=1)
