"""Move a fitted head so that its outlines in turned pictures are those of the person.

Landmarks hardly tell how far nose, lips, chin and cheeks stand out: the landmarker draws what it
expects. The edge of the face against the background does. At a point of the outline with normal
`n` the edge lies `r_pc = n . (o_c + sum_k c_pk D_kc + w_p x R_p y_c + t_p) + noise` outside of it
(Furukawa and Ponce 2006, "Carved visual hulls", use the same rims), beside the landmarks' rows of
`_landmark_field`, whose residuals are taken as settled: they only resist. The offsets `o` are
identity modes with the spread that a fit leaves, plus a Gaussian process.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask.geometry import Pose, axis_angle_matrix
from lifemask.rigging._contours import Picture, face_contour
from lifemask.rigging._landmark_field import (
    DOUBTED,
    PERSONAL,
    coefficient_doubt,
    landmark_rows,
    matern,
)
from lifemask.rigging._offsets import stiffen
from lifemask.tracking import FACE_POINTS, turned_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lifemask.heads import Head, HeadModel
    from lifemask.tracking import PhotoFit

_ROUNDS: Final = 3
_NOISE: Final = 0.001
"""Metres, standard deviation of the edge beside the outline of the true head."""
_SPACING: Final = 0.010
"""Metres of outline that say as much as one edge of that noise."""
_FAR: Final = 0.006
"""Metres between edge and outline at which an edge counts a quarter."""
_LEFT: Final = 0.8
"""Standard deviation of the identity's coefficients after a fit to landmarks."""
_OFF_MODES: Final = (0.03, 0.001)
"""Reach and standard deviation, metres, of what no mode shows."""
_ANCHORS: Final = 160
"""Points that carry it."""
_HELD: Final = np.array([0.015, 0.015, 0.015, 0.002, 0.002, 0.02])
"""Standard deviations of a picture's pose after the fit: radians, then metres."""
_MOST: Final = 0.008
"""Metres; the farthest that a face is moved."""
_TURNED: Final = np.radians(20.0)
"""Yaw from which a picture shows the outline of the face and not that of the ears."""
_PICTURES: Final = 10
_ENOUGH: Final = 20
"""Points of outline below which nothing is moved."""


class _Rows(NamedTuple):
    """Whitened linear equations of one picture: shared unknowns, then its own."""

    jacobian: NDArray[np.float64]
    right: NDArray[np.float64]


def outline_pictures(fits: Sequence[PhotoFit]) -> list[int]:
    """Return the numbers of the pictures whose outlines say most, spread over the yaws.

    None of a single picture: its pose is not told well enough to tell a shape from it.

    Args:
        fits: Of one person to all pictures.
    """
    if len(fits) < 2:
        return []
    yaws = [float(np.arctan2(f.pose.rotation[0, 2], f.pose.rotation[2, 2])) for f in fits]
    turned = [i for i, yaw in enumerate(yaws) if abs(yaw) > _TURNED and fits[i].weight > 0.5]
    turned.sort(key=lambda i: (yaws[i], i))
    if len(turned) <= _PICTURES:
        return sorted(turned)
    places = np.linspace(0, len(turned) - 1, _PICTURES).round().astype(int)
    return sorted({turned[i] for i in places})


def refine_shape(
    head: Head,
    model: HeadModel,
    fits: Sequence[PhotoFit],
    images: Mapping[int, NDArray[np.uint8]],
    mattes: Mapping[int, NDArray[np.floating]] | None = None,
) -> tuple[Head, list[PhotoFit]]:
    """Return the head whose outlines meet the edges of the face, and the poses that go with it.

    Where no picture shows enough outline (none is turned, or hair hides the face), the head and
    the fits come back as they are.

    Args:
        head: That `align_to_landmarks` gave.
        model: Of the head.
        fits: Of one or more pictures; each has a pose.
        images: Pictures `(h, w, 3)` uint8 sRGB by the number of their fit, see
            `outline_pictures`.
        mattes: The person in them, `(h, w)` in [0, 1], by the same numbers; `segment_person`
            finds those that are left out.

    Raises:
        MissingExtraError: MediaPipe or a system library that it needs is missing.
    """
    known = mattes or {}
    pictures = {i: Picture(image, fits[i].landmarks, known.get(i)) for i, image in images.items()}
    basis = _Basis(head, model)
    marks = basis.at_landmarks()
    turned = [turned_weights(fit.pose.rotation) for fit in fits]
    best = max((float(weights.max()) for weights in turned), default=1.0)
    settled = [
        _landmark_equations(head, fit, len(fits), share / best, marks)
        for fit, share in zip(fits, turned, strict=True)
    ]
    moved = head
    own = [np.zeros(len(DOUBTED) + len(_HELD)) for _ in fits]
    for _ in range(_ROUNDS):
        rows = {
            i: _outline_equations(head, moved, fits[i], picture, own[i], basis)
            for i, picture in pictures.items()
        }
        if sum(len(one.right) for one in rows.values()) < _ENOUGH:
            return head, list(fits)
        shared, own = _solve(settled, rows, [_spread(fit) for fit in fits])
        moved = _moved(head, basis, shared)
    return moved, [
        replace(fit, pose=_nudged(fit.pose, one)) for fit, one in zip(fits, own, strict=True)
    ]


class _Basis:
    """Offsets of a head as a linear function of unknowns of unit variance."""

    def __init__(self, head: Head, model: HeadModel) -> None:
        self._modes = model.identity_basis
        self._head = head
        points = head.neutral.astype(np.float64)
        face = np.flatnonzero(head.topology.masks["face"] > 0.05)
        anchors = points[_spread_out(points, face)]
        root = np.linalg.cholesky(_kernel(anchors, anchors) + 1e-12 * np.eye(len(anchors)))
        # Nystroem's features: the process given its values at the anchors.
        self._features = np.linalg.solve(root, _kernel(anchors, points)).T

    def at(self, vertices: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the derivative of offsets `(n, 3, unknowns)` at vertices, m."""
        modes = np.moveaxis(self._modes[:, vertices].astype(np.float64), 0, 2) * _LEFT
        smooth = self._features[vertices][:, None, :, None] * np.eye(3)[:, None, :]
        return np.concatenate(
            [modes, smooth.reshape(len(vertices), 3, 3 * self._features.shape[1])], axis=2
        )

    def at_landmarks(self) -> NDArray[np.float64]:
        """Return the same at the face landmarks, `(468, 3, unknowns)`."""
        topology = self._head.topology
        corners = topology.faces[topology.landmark_faces[:FACE_POINTS]]
        weights = topology.landmark_barycentric[:FACE_POINTS].astype(np.float64)
        parts = [weights[:, k, None, None] * self.at(corners[:, k]) for k in range(3)]
        return parts[0] + parts[1] + parts[2]

    def offsets(self, unknowns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the offsets of all vertices `(n_vertices, 3)` m."""
        count = len(self._modes)
        modes = np.tensordot(_LEFT * unknowns[:count], self._modes, axes=1)
        return modes + self._features @ unknowns[count:].reshape(-1, 3)


def _landmark_equations(
    head: Head,
    fit: PhotoFit,
    count: int,
    share: NDArray[np.float64],
    marks: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the normal matrix of the landmarks of one picture, shared and own unknowns."""
    rows = landmark_rows(head, fit, count, share)
    jacobian = np.concatenate([rows.by_offset @ marks, rows.local], axis=2)
    jacobian = (jacobian * np.sqrt(rows.weight)[:, None, None]).reshape(-1, jacobian.shape[2])
    return jacobian.T @ jacobian


def _outline_equations(
    head: Head,
    moved: Head,
    fit: PhotoFit,
    picture: Picture,
    own: NDArray[np.float64],
    basis: _Basis,
) -> _Rows:
    """Return what the edge in one picture says, given the present head and pose."""
    coefficients = fit.coefficients.copy()
    coefficients[DOUBTED] += own[: len(DOUBTED)]
    pose = _nudged(fit.pose, own)
    found = face_contour(moved, replace(fit, coefficients=coefficients, pose=pose), picture)
    deltas = head.expression_deltas[:, found.vertices].astype(np.float64)
    normal = found.normals @ pose.rotation.T
    local = np.concatenate(
        [
            np.einsum("vd,evd->ve", found.normals, deltas[DOUBTED]),
            np.cross(found.points @ pose.rotation.T, normal),
            normal,
        ],
        axis=1,
    )
    shared = np.einsum("vd,vdr->vr", found.normals, basis.at(found.vertices))
    # The equations are about all that was moved so far, not only about the last round.
    so_far = (moved.neutral[found.vertices] - head.neutral[found.vertices]).astype(np.float64)
    right = found.offsets + np.sum(found.normals * so_far, axis=1) + local @ own
    movement = np.einsum("e,evd->vd", coefficients, deltas)
    variance = _NOISE**2 + PERSONAL**2 * np.sum(movement**2, axis=1)
    weight = np.minimum(1.0, found.lengths / _SPACING) / variance * fit.weight
    root = np.sqrt(weight) / (1.0 + (found.offsets / _FAR) ** 2)
    return _Rows(np.c_[shared, local] * root[:, None], right * root)


def _solve(
    settled: Sequence[NDArray[np.float64]],
    outlines: Mapping[int, _Rows],
    spreads: Sequence[NDArray[np.float64]],
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Return the shared unknowns and those of each picture (Schur complement)."""
    count = len(settled[0]) - len(spreads[0])
    system, right, kept = np.eye(count), np.zeros(count), []
    for number, (normal, spread) in enumerate(zip(settled, spreads, strict=True)):
        h, g = normal.copy(), np.zeros(len(normal))
        if number in outlines:
            rows = outlines[number]
            h += rows.jacobian.T @ rows.jacobian
            g += rows.jacobian.T @ rows.right
        own = h[count:, count:] + np.diag(spread**-2)
        gain = np.linalg.solve(own, np.c_[h[count:, :count], g[count:]])
        system += h[:count, :count] - h[:count, count:] @ gain[:, :-1]
        right += g[:count] - h[:count, count:] @ gain[:, -1]
        kept.append(gain)
    shared = np.asarray(np.linalg.solve(system, right), np.float64)
    return shared, [gain[:, -1] - gain[:, :-1] @ shared for gain in kept]


def _moved(head: Head, basis: _Basis, shared: NDArray[np.float64]) -> Head:
    """Return the head with its offsets, none of which is larger than `_MOST` on the face."""
    offsets = basis.offsets(shared)
    face = head.topology.masks["face"] > 0.5
    offsets *= min(1.0, _MOST / max(float(np.linalg.norm(offsets[face], axis=1).max()), 1e-9))
    joints = stiffen(head, offsets, _landmark_offsets(head, offsets))
    return replace(
        head,
        neutral=(head.neutral + offsets).astype(np.float32),
        joints=(head.joints + joints).astype(np.float32),
    )


def _landmark_offsets(head: Head, offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    topology = head.topology
    corners = topology.faces[topology.landmark_faces]
    return np.einsum("lk,lkd->ld", topology.landmark_barycentric, offsets[corners])


def _spread(fit: PhotoFit) -> NDArray[np.float64]:
    return np.concatenate([coefficient_doubt(fit.coefficients), _HELD])


def _nudged(pose: Pose, own: NDArray[np.float64]) -> Pose:
    turn, shift = own[-6:-3], own[-3:]
    return Pose(axis_angle_matrix(turn) @ pose.rotation, pose.translation + shift)


def _spread_out(points: NDArray[np.float64], among: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return up to `_ANCHORS` of the vertices, each far from those before it."""
    chosen = [int(among[0])]
    away = np.linalg.norm(points[among] - points[chosen[0]], axis=1)
    while len(chosen) < min(_ANCHORS, len(among)):
        chosen.append(int(among[int(np.argmax(away))]))
        away = np.minimum(away, np.linalg.norm(points[among] - points[chosen[-1]], axis=1))
    return np.array(chosen)


def _kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return matern(a, b, (_OFF_MODES,))
