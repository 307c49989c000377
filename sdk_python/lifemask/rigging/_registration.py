"""Fit the head model to a surface: landmarks, then the surface, then what no mode can show.

Stage 1 of the engine-ready paper (eq. 1a and 1b) for the identity, and after it non-rigid
iterative closest points with a stiffness that falls step by step (Amberg, Romdhani, Vetter 2007,
with displacements in place of affine maps and targets on tangent planes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.geometry import ClosestPoints, axis_angle_matrix, vertex_normals
from lifemask.tracking import FACE_OVAL, FACE_POINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import HeadModel, Topology

LANDMARK_SIGMA: Final = 0.0025
"""Metres, standard deviation of a landmark that a landmarker found on a surface."""
_OUTLINE: Final = 3.0
"""How much less certain the face's outline is, along which landmarks slide."""
_SURFACE_SIGMA: Final = 0.001
_EFFECTIVE: Final = 500.0
"""How many independent measurements a surface is worth: neighbouring points err alike."""
_ROUNDS: Final = 12
_REACHES: Final = (0.03, 0.02, 0.012, 0.008)
"""Metres beyond which a closest point is no longer believed, round by round; the last stays."""
_AGREEMENT: Final = 0.5
"""Cosine between the normals below which a closest point is on another side of something."""
_STIFFNESS: Final = (60.0, 60.0, 25.0, 25.0, 10.0, 10.0, 4.0, 4.0, 1.5, 1.5, 0.6, 0.6)
_TANGENT: Final = 0.05
"""Share of the pull along the surface: enough that points do not gather."""


@dataclass(frozen=True)
class TargetSurface:
    """A surface to fit to, in metres, roughly upright and facing +Z.

    Attributes:
        points: `(n, 3)` float64.
        faces: `(m, 3)`.
        normals: `(n, 3)` unit.
        border: `(n,)` float64, 1 on open edges: what lies beyond them is not known.
        closest: Finds the closest point.
    """

    points: NDArray[np.float64]
    faces: NDArray[np.integer]
    normals: NDArray[np.float64]
    border: NDArray[np.float64]
    closest: ClosestPoints

    @classmethod
    def from_mesh(cls, points: NDArray[np.floating], faces: NDArray[np.integer]) -> TargetSurface:
        """Prepare a mesh; vertices that no face uses do no harm."""
        points = np.asarray(points, np.float64)
        border = np.zeros(len(points))
        border[open_edges(faces).ravel()] = 1.0
        return cls(
            points, faces, vertex_normals(points, faces), border, ClosestPoints(points, faces)
        )

    def moved(self, rotation: NDArray[np.float64], shift: NDArray[np.float64]) -> TargetSurface:
        """Return the surface at another place."""
        return TargetSurface.from_mesh(self.points @ rotation.T + shift, self.faces)


@dataclass(frozen=True)
class IdentityFit:
    """What the modes can say about a surface.

    Attributes:
        identity: `(n_modes,)`.
        rotation: `(3, 3)` from the surface's frame into the head frame.
        translation: `(3,)` m, of the same motion.
    """

    identity: NDArray[np.float64]
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]


def open_edges(faces: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return `(k, 2)` edges that only one face has."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    unique, count = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    return unique[count == 1].astype(np.int64)


def surface_weights(topology: Topology) -> NDArray[np.float64]:
    """Return `(n_vertices,)` how far each vertex of our head is to follow a surface.

    Skin that is seen; not the mouth cavity, the pockets behind the lids and the cut of the neck.
    Ears count little, because their folds differ from model to model.
    """
    masks = topology.masks
    weights = np.zeros(len(topology.mirror))
    weights[np.unique(topology.faces[topology.parts["skin"].faces])] = 1.0
    weights *= (1.0 - masks["mouth"]) * (1.0 - masks["sockets"])
    weights *= (1.0 - 0.7 * masks["ears"]) * (1.0 - 0.7 * masks["neck"])
    weights[topology.neck_loop] = 0.0
    return weights


def landmark_certainty() -> NDArray[np.float64]:
    """Return `(468,)` in (0, 1]: how well each landmark marks the same place on every face."""
    certainty = np.ones(FACE_POINTS)
    certainty[list(FACE_OVAL)] = 1.0 / _OUTLINE
    return certainty


def fit_identity(
    model: HeadModel,
    surface: TargetSurface,
    landmarks: NDArray[np.float64],
    *,
    landmark_sigma: float = LANDMARK_SIGMA,
) -> IdentityFit:
    """Fit identity and rigid motion to landmarks (eq. 1a), then to the surface (eq. 1b).

    Gauss-Newton with the modes' unit-variance prior; closest points count by their distance and
    by whether the normals agree, and not at all on open borders.

    Args:
        model: Of the head.
        surface: In its own frame.
        landmarks: `(478, 3)` m on the surface, NaN where unknown.
        landmark_sigma: Metres, their standard deviation.
    """
    known = np.flatnonzero(np.isfinite(landmarks[:FACE_POINTS, 0]))
    small = model.landmark_model()
    strength = landmark_certainty()[known] / landmark_sigma
    basis = np.moveaxis(small.identity[:, known], 0, -1)
    rest = small.neutral[known]
    rotation, translation = rigid_motion(landmarks[known], rest, strength**2)
    fit = IdentityFit(np.zeros(model.mode_count), rotation, translation)
    for _ in range(_ROUNDS):
        at = landmarks[known] @ fit.rotation.T + fit.translation
        residual = rest + basis @ fit.identity - at
        rows = _Rows(basis * strength[:, None, None], at, strength, residual * strength[:, None])
        fit = _step(fit, rows.equations())
    return _fit_surface(model, surface, fit)


def _fit_surface(
    model: HeadModel,
    surface: TargetSurface,
    fit: IdentityFit,
) -> IdentityFit:
    """Eq. 1b: closest points, linearised along the surface's normals."""
    weights = surface_weights(model.topology)
    rows = np.flatnonzero(weights > 0.05)
    faces = model.topology.faces[model.topology.parts["skin"].faces]
    basis = np.moveaxis(model.identity_basis[:, rows], 0, -1).astype(np.float64)
    for number in range(_ROUNDS):
        points = model.neutral + np.tensordot(fit.identity, model.identity_basis, axes=1)
        normals = vertex_normals(points, faces)[rows]
        back = (points[rows] - fit.translation) @ fit.rotation
        found = match(surface, back, normals @ fit.rotation, reach(number))
        at = found.points @ fit.rotation.T + fit.translation
        normal = found.normals @ fit.rotation.T
        trust = found.trust * weights[rows]
        scale = np.sqrt(_EFFECTIVE * trust / max(trust.sum(), 1e-9)) / _SURFACE_SIGMA
        fit = _step(fit, plane_equations(basis, at, normal, scale, points[rows] - at))
    return fit


def reach(number: int) -> float:
    """Return the distance, metres, up to which closest points are believed in a round."""
    return _REACHES[min(number // 2, len(_REACHES) - 1)]


@dataclass(frozen=True)
class Match:
    """Closest points on a surface and how far to believe them, `(n, ...)`."""

    points: NDArray[np.float64]
    normals: NDArray[np.float64]
    trust: NDArray[np.float64]


def match(
    surface: TargetSurface,
    points: NDArray[np.floating],
    normals: NDArray[np.floating],
    farthest: float,
) -> Match:
    """Find closest points; trust falls with distance (Tukey) and where normals disagree."""
    found = surface.closest(points)
    corners = surface.faces[found.faces]
    normal = np.einsum("nk,nkd->nd", found.barycentric, surface.normals[corners])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    agreement = np.sum(normal * normals, axis=1)
    border = np.einsum("nk,nk->n", found.barycentric, surface.border[corners])
    trust = np.clip(1.0 - (found.distance / farthest) ** 2, 0.0, 1.0) ** 2
    trust *= np.clip((agreement - _AGREEMENT) / (1.0 - _AGREEMENT), 0.0, 1.0)
    return Match(found.points, normal, trust * (border < 0.99))


@dataclass(frozen=True)
class _Rows:
    """Point-to-point residuals: basis `(n, 3, k)`, target, strength and residual, all scaled."""

    basis: NDArray[np.float64]
    at: NDArray[np.float64]
    strength: NDArray[np.float64]
    residual: NDArray[np.float64]

    def equations(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        n = len(self.at)
        turn = _cross_columns(self.at) * self.strength[:, None, None]
        shift = np.broadcast_to(np.eye(3), (n, 3, 3)) * self.strength[:, None, None]
        jacobian = np.concatenate([self.basis, -turn, -shift], axis=2).reshape(3 * n, -1)
        return jacobian, self.residual.ravel()


def plane_equations(
    basis: NDArray[np.float64],
    at: NDArray[np.float64],
    normal: NDArray[np.float64],
    scale: NDArray[np.float64],
    residual: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Jacobian `(n, k + 6)` and residual `(n,)` along the normals.

    The target turns by the left axis-angle and moves by the shift in the last six columns.
    """
    along = np.einsum("nd,ndk->nk", normal, basis)
    turn = -np.cross(at, normal)
    jacobian = np.concatenate([along, turn, -normal], axis=1) * scale[:, None]
    return jacobian, np.sum(normal * residual, axis=1) * scale


def _step(
    fit: IdentityFit, equations: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> IdentityFit:
    """Solve one Gauss-Newton step with the prior of unit variance on the modes."""
    modes = len(fit.identity)
    jacobian, residual = equations
    hessian = jacobian.T @ jacobian
    gradient = jacobian.T @ residual
    hessian[np.arange(modes), np.arange(modes)] += 1.0
    gradient[:modes] += fit.identity
    hessian[np.arange(modes, modes + 6), np.arange(modes, modes + 6)] += 1e-3
    step = -np.linalg.solve(hessian, gradient)
    turn = axis_angle_matrix(step[modes : modes + 3])
    return IdentityFit(
        fit.identity + step[:modes],
        turn @ fit.rotation,
        turn @ fit.translation + step[modes + 3 :],
    )


def _cross_columns(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `(n, 3, 3)` derivatives of `w x p` by `w`."""
    x, y, z = points.T
    zero = np.zeros_like(x)
    return np.stack(
        [
            np.stack([zero, z, -y], axis=-1),
            np.stack([-z, zero, x], axis=-1),
            np.stack([y, -x, zero], axis=-1),
        ],
        axis=1,
    )


def rigid_motion(
    source: NDArray[np.floating], target: NDArray[np.floating], weights: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rotation and shift that bring `(n, 3)` points onto others, least squares (Kabsch)."""
    share = weights / weights.sum()
    a, b = share @ source, share @ target
    u, _, vt = np.linalg.svd((source - a).T @ ((target - b) * share[:, None]))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u @ flip @ vt).T
    return rotation, b - rotation @ a


def follow_surface(
    points: NDArray[np.float64],
    topology: Topology,
    surface: TargetSurface,
    landmarks: tuple[NDArray[np.int64], NDArray[np.float64]],
    *,
    hold: float = 0.0,
    stiffness: tuple[float, ...] = _STIFFNESS,
) -> NDArray[np.float64]:
    """Move the skin of a head onto a surface, non-rigidly.

    Each round finds closest points, puts targets onto their tangent planes, and solves for
    displacements whose Laplacian is small; the stiffness falls from round to round. What has no
    partner, or lies inside, follows its neighbours.

    Args:
        points: `(n_vertices, 3)` m, the head.
        topology: Of that head.
        surface: In the head frame.
        landmarks: Numbers `(k,)` and positions `(k, 3)` m on the surface; they count less and
            less, as the skin becomes soft.
        hold: How much of the landmarks' pull stays to the end, 0 to 1.
        stiffness: Weight of the Laplacian, round by round.

    Returns:
        `(n_vertices, 3)` m; parts other than skin and mouth are left where they were.
    """
    from scipy.sparse import diags
    from scipy.sparse.linalg import splu

    shell = topology.parts["skin"].vertices
    n = shell.stop
    runs = [topology.parts[name].faces for name in ("skin", "mouth")]
    faces = np.concatenate([topology.faces[run] for run in runs])
    smooth = _laplacian(faces, n)
    smooth = (smooth.T @ smooth).tocsc()
    weights = surface_weights(topology)[:n]
    carriers = _landmark_rows(topology, landmarks[0], n)
    certain = diags(landmark_certainty()[landmarks[0]] ** 2)
    moved = np.zeros((n, 3))
    for number, alpha in enumerate(stiffness):
        at = points[:n] + moved
        normals = vertex_normals(at, faces)
        found = match(surface, at, normals, reach(number))
        trust = found.trust * weights
        gap = found.points - at
        along = np.sum(gap * found.normals, axis=1, keepdims=True) * found.normals
        goal = moved + along + _TANGENT * (gap - along)
        pull = 0.3 * max(alpha / stiffness[0], hold)
        system = diags(trust + 1e-6) + alpha * smooth + pull * (carriers.T @ certain @ carriers)
        offset = landmarks[1] - carriers @ points[:n]
        right = (trust[:, None] * goal) + pull * (carriers.T @ (certain @ offset))
        moved = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A").solve(right)
    result = points.copy()
    result[:n] += moved
    return result


def _landmark_rows(topology: Topology, numbers: NDArray[np.int64], n: int):
    from scipy.sparse import csr_matrix

    corners = topology.faces[topology.landmark_faces[numbers]]
    rows = np.repeat(np.arange(len(numbers)), 3)
    weights = topology.landmark_barycentric[numbers].astype(np.float64)
    return csr_matrix((weights.ravel(), (rows, corners.ravel())), shape=(len(numbers), n))


def _laplacian(faces: NDArray[np.integer], n: int):
    """Return the umbrella operator `(n, n)`: a vertex minus the mean of its neighbours."""
    from scipy.sparse import coo_matrix, diags, identity

    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    both = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    joined = coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(n, n)).tocsr()
    degree = np.asarray(joined.sum(axis=1)).ravel()
    return identity(n) - diags(1.0 / np.maximum(degree, 1.0)) @ joined
