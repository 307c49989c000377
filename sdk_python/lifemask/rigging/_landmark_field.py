"""Offsets of the landmarks, told apart from expression and pose: a linear Gaussian model.

In picture `p` the residual of landmark `l`, metres parallel to the image plane, is
`r_pl = P_p (o_l + sum_k c_pk D_kl + w_p x R_p y_l + t_p) + noise`: an offset `o` that all pictures
share, corrections `c_p` of the solved coefficients, and a small motion `w_p, t_p` of the head.
The offsets follow a Gaussian process over the head, the corrections have a spread that grows with
the coefficient they correct. What a picture's expression can explain, its offset need not; what
many pictures with different expressions share, no expression can explain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask.geometry import cross_matrix
from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES
from lifemask.tracking import FACE_OVAL, FACE_POINTS, turned_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.heads import Head
    from lifemask.tracking import PhotoFit

SCALES: Final = ((0.022, 0.0015), (0.09, 0.0010))
"""Reach and standard deviation, metres, of what the identity modes leave over: features, and
the width of the whole skull, which no landmark shows."""
_AXES: Final = np.array([1.0, 1.0, 0.5])
"""Factors on these across, up and along the depth, where the landmarker's errors in turned
pictures look like offsets: they go together over the face, and parallax makes them large."""
_NOISE: Final = 0.0016
"""Metres, standard deviation of a landmark's position on a face of natural size."""
_OUTLINE_NOISE: Final = 0.003
"""The same for the face's outline, whose landmarks slide along it."""
_COMMON: Final = 1.0
"""Share of a landmark's variance that stays the same from picture to picture: the landmarker errs
alike on the same face, so more pictures tell less than as many independent ones."""
PERSONAL: Final = 0.6
"""How far a person's expressions differ from the generic ones, share of the movement."""
_DOUBT: Final = (0.02, 0.3)
"""Standard deviation of a solved coefficient: at rest, and what each unit of it adds."""
_MOTION: Final = np.array([0.03, 0.03, 0.03, 0.004, 0.004, 0.03])
"""Standard deviations of a picture's pose: radians, then metres."""
_UNSEEN: Final = [COEFFICIENT_INDEX["tongueOut"]]
DOUBTED: Final = np.array(
    [
        i
        for i, name in enumerate(COEFFICIENT_NAMES)
        if i not in _UNSEEN and not name.startswith("eyeLook")
    ]
)
"""Coefficients that an offset may be mistaken for."""


@dataclass(frozen=True)
class LandmarkField:
    """The posterior mean of a smooth offset field that landmarks were seen of.

    Attributes:
        points: `(468, 3)` m, landmarks of the neutral head.
        gains: `(468, 3)`, what the kernel spreads.
    """

    points: NDArray[np.float64]
    gains: NDArray[np.float64]

    def at(self, places: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the offsets `(n, 3)` m at places `(n, 3)` m of the neutral head."""
        return kernel(np.asarray(places, np.float64), self.points) @ self.gains


def landmark_field(head: Head, fits: Sequence[PhotoFit]) -> LandmarkField:
    """Return the offsets that the landmarks of all pictures ask for.

    Args:
        head: Of the fitted identity.
        fits: Of that identity to one or more pictures.
    """
    points = head.landmarks(head.neutral)[:FACE_POINTS].astype(np.float64)
    covariance = kernel(points, points) + 1e-12 * np.eye(FACE_POINTS)
    root = np.linalg.cholesky(covariance)
    hessian = np.zeros((FACE_POINTS, 3, FACE_POINTS, 3))
    gradient = np.zeros((FACE_POINTS, 3))
    turned = [turned_weights(fit.pose.rotation) for fit in fits]
    # Beside the picture that is turned least: a person of whom there is no other is seen in those.
    best = max(float(weights.max()) for weights in turned)
    for fit, weights in zip(fits, turned, strict=True):
        h, g = _information(head, fit, len(fits), weights / best)
        hessian += h
        gradient += g
    # Whitened, so that the prior is the identity and the system well conditioned.
    white = np.einsum("ka,kilj->ailj", root, hessian, optimize=True)
    white = np.einsum("ailj,lb->aibj", white, root, optimize=True)
    white *= _AXES[:, None, None] * _AXES
    size = 3 * FACE_POINTS
    system = white.reshape(size, size) + np.eye(size)
    right = (root.T @ gradient * _AXES).reshape(size)
    solved = np.linalg.solve(system, right).reshape(FACE_POINTS, 3) * _AXES
    return LandmarkField(points, np.linalg.solve(root.T, solved))


class LandmarkRows(NamedTuple):
    """What the landmarks of one picture say, linear in the offsets and in the picture's unknowns.

    The unknowns of a picture are corrections of the coefficients `DOUBTED`, a small rotation (left
    axis-angle, about the head's origin) and a translation, camera frame.

    Attributes:
        by_offset: `(468, 2, 3)` derivative of a landmark's place by its offset, head frame.
        local: `(468, 2, k)` derivative by the picture's unknowns.
        residual: `(468, 2)` m, parallel to the image, right and up.
        weight: `(468,)` inverse variances.
        spread: `(k,)` standard deviations of the picture's unknowns.
    """

    by_offset: NDArray[np.float64]
    local: NDArray[np.float64]
    residual: NDArray[np.float64]
    weight: NDArray[np.float64]
    spread: NDArray[np.float64]


def landmark_rows(
    head: Head, fit: PhotoFit, count: int, share: NDArray[np.float64]
) -> LandmarkRows:
    """Return what one of `count` pictures says of the landmarks.

    Args:
        head: Of the fitted identity.
        fit: Of it to the picture.
        count: Number of pictures, which share some of their errors.
        share: `(468,)` factors on the weights.
    """
    posed = head.landmarks(head.vertices(fit.coefficients, gaze=fit.gaze))[:FACE_POINTS]
    at = np.asarray(fit.pose.apply(posed.astype(np.float64)), np.float64)
    pixels = fit.landmarks.pixels[:FACE_POINTS] - fit.camera.project(at)
    residual = pixels * (-at[:, 2:] / fit.camera.focal) * [1, -1]
    # Rows of the picture's two directions, in the camera frame, at each landmark's own depth.
    rays = np.zeros((FACE_POINTS, 2, 3))
    rays[:, [0, 1], [0, 1]] = 1.0
    rays[:, :, 2] = at[:, :2] / -at[:, 2:]
    by_offset = rays @ fit.pose.rotation
    deltas = _landmark_deltas(head)
    movement = np.einsum("e,eld->ld", fit.coefficients, deltas)
    weight = _weights(at, movement, count) * share
    local = np.concatenate(
        [
            np.einsum("lij,elj->lie", by_offset, deltas[DOUBTED]),
            rays @ -np.stack([cross_matrix(p - fit.pose.translation) for p in at]),
            rays,
        ],
        axis=2,
    )
    spread = np.concatenate([coefficient_doubt(fit.coefficients), _MOTION])
    return LandmarkRows(by_offset, local, residual, weight, spread)


def _information(
    head: Head, fit: PhotoFit, count: int, turned: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what one picture says of the offsets: `(468, 3, 468, 3)` and `(468, 3)`."""
    by_offset, local, residual, weight, spread = landmark_rows(head, fit, count, turned)
    h_local = np.einsum("l,lia,lib->ab", weight, local, local) + np.diag(spread**-2)
    coupling = np.einsum("l,lij,lia->lja", weight, by_offset, local).reshape(3 * FACE_POINTS, -1)
    g_local = np.einsum("l,lia,li->a", weight, local, residual)
    g = np.einsum("l,lij,li->lj", weight, by_offset, residual)
    solved = np.linalg.solve(h_local, np.c_[coupling.T, g_local])
    eliminated = coupling @ solved
    h = -eliminated[:, :-1].reshape(FACE_POINTS, 3, FACE_POINTS, 3)
    rows = np.arange(FACE_POINTS)
    h[rows, :, rows] += np.einsum("l,lij,lik->ljk", weight, by_offset, by_offset)
    return h, g - eliminated[:, -1].reshape(FACE_POINTS, 3)


def _weights(
    at: NDArray[np.float64], movement: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Return the inverse variances `(468,)` of the residuals in one of `count` pictures."""
    noise = np.full(FACE_POINTS, _NOISE)
    noise[list(FACE_OVAL)] = _OUTLINE_NOISE
    variance = noise**2 * (1.0 + _COMMON * (count - 1))
    variance = variance + (PERSONAL**2) * np.sum(movement**2, axis=1)
    return _facing(at) / variance


def _landmark_deltas(head: Head) -> NDArray[np.float64]:
    """Return the shapes at the landmarks, `(52, 468, 3)` m."""
    topology = head.topology
    corners = topology.faces[topology.landmark_faces[:FACE_POINTS]]
    weights = topology.landmark_barycentric[:FACE_POINTS].astype(np.float64)
    return np.einsum("lk,elkd->eld", weights, head.expression_deltas[:, corners])


def _facing(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight of each landmark by the side of the head that it lies on: the near side counts."""
    middle = at.mean(axis=0)
    toward = -middle / np.linalg.norm(middle)
    depth = (at - middle) @ toward
    return np.clip(0.6 + depth / 0.08, 0.05, 1.0)


def kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariance `(n, m)` m² of offsets at places `(n, 3)` and `(m, 3)`."""
    return matern(a, b, SCALES)


def matern(
    a: NDArray[np.float64], b: NDArray[np.float64], scales: Sequence[tuple[float, float]]
) -> NDArray[np.float64]:
    """Return exponential times linear (Matern 3/2) covariances `(n, m)` m², one term per scale.

    Args:
        a: `(n, 3)` m.
        b: `(m, 3)` m.
        scales: Reach and standard deviation of each term, metres.
    """
    from scipy.spatial.distance import cdist

    distance = cdist(a, b)
    covariance = np.zeros_like(distance)
    for reach, sigma in scales:
        far = distance * (np.sqrt(3.0) / reach)
        covariance += sigma**2 * (1.0 + far) * np.exp(-far)
    return np.asarray(covariance, np.float64)


def coefficient_doubt(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviations of the corrections of the coefficients `DOUBTED`."""
    return _DOUBT[0] + _DOUBT[1] * coefficients[DOUBTED]
