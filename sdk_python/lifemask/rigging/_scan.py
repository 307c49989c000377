"""A scan or any other mesh of a head instead of photos."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._errors import InputError, NoFaceError
from lifemask.geometry import ClosestPoints, Mesh
from lifemask.heads import JOINT_NAMES, Head, HeadModel
from lifemask.rigging._mesh_landmarks import (
    FRONT_VIEWS,
    PLAIN_SKIN,
    PaintedMesh,
    Sighting,
    merge,
    sight,
    strays,
)
from lifemask.rigging._registration import (
    TargetSurface,
    fit_identity,
    follow_surface,
    rigid_motion,
    surface_weights,
)
from lifemask.tracking import FACE_POINTS, OUTER_EYE_CORNERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.tracking import Landmarker

UNITS: Final = {"m": 1.0, "dm": 0.1, "inch": 0.0254, "cm": 0.01, "mm": 0.001}
"""Metres in each unit that a mesh may be in."""

_WITHIN: Final = 0.3
"""Share by which the distance of the outer eye corners may differ from the mean adult's."""
_FACE_LIKE: Final = 0.010
"""Metres, root mean square, between landmarks and a mean face above which they are no face."""
_SURELY: Final = 0.006
"""The same, below which no other orientation is tried."""
_FEWEST_GIVEN: Final = 12
"""Landmarks that must be given where none are looked for."""
_FEWEST: Final = 150
"""Landmarks that must lie on the surface."""
_MIDDLE: Final = np.array([0.0, 0.015, 0.08])
_WIDTH: Final = 0.125
_SEARCH: Final = 0.5
"""Metres that a mesh of unknown size is taken to be long while its face is looked for."""
_SEARCH_SIZE: Final = 400
"""Pixels of the pictures in which it is looked for."""
_TURNS: Final = ((0.0, 0.0), (-40.0, 0.0), (40.0, 0.0))
"""Yaw and pitch, degrees, from which each orientation is looked at, one pass after the other."""


@dataclass(frozen=True)
class Similarity:
    """`x = scale * rotation @ y + translation`."""

    scale: float
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Move points `(n, 3)`."""
        return self.scale * (points @ self.rotation.T) + self.translation

    def after(self, first: Similarity) -> Similarity:
        """Return this motion of the result of another one."""
        return Similarity(
            self.scale * first.scale,
            self.rotation @ first.rotation,
            self.apply(first.translation[None])[0],
        )


@dataclass(frozen=True)
class ScanFit:
    """A head in the shape of a scan.

    Attributes:
        head: With the generic expression shapes, in the head frame.
        identity: `(n_modes,)`, what the model's modes show of it.
        unit: What the file was taken to be in: a key of `UNITS`, or `"unknown"` where its size is
            that of no head, and that of the mean adult was taken.
        motion: From the file into the head frame, metres.
        surface: The scan in the head frame, to be drawn.
        coloured: Whether the scan says how it looks.
        landmarks: `(478, 3)` m on the scan, head frame, NaN where none was found.
        distance_mm: From the fitted face to the scan: `mean`, `median`, `90_percent`.
    """

    head: Head
    identity: NDArray[np.float64]
    unit: str
    motion: Similarity
    surface: PaintedMesh
    coloured: bool
    landmarks: NDArray[np.float64]
    distance_mm: dict[str, float]


def fit_scan(
    mesh: Mesh,
    model: HeadModel,
    landmarker: Landmarker | None,
    *,
    landmarks: NDArray[np.floating] | None = None,
) -> ScanFit:
    """Fit a head to a scan, or to any mesh that has a face.

    The mesh is looked at from all sides until the landmarker sees a face; its landmarks, cast
    back onto the mesh, tell size and axes. Then identity and pose are fitted to the landmarks
    (point to point, eq. 1a of the engine-ready paper) and to the surface (point to surface,
    eq. 1b), and what the modes cannot show is followed non-rigidly. Hair, shoulders and holes
    are left alone: only near points whose normals agree count. Eyes, teeth, tongue and lashes
    keep their shape and move with the lids and the lips.

    Args:
        mesh: In any unit and orientation; not mirrored.
        model: Of the head.
        landmarker: Finds faces in pictures; not asked where the landmarks are given.
        landmarks: `(478, 3)` on the mesh in its own frame and unit, NaN where unknown, in place of
            those that are found.

    Raises:
        NoFaceError: No face was seen from any side, or the landmarks given are those of none.
        InputError: The face that was seen does not lie on the mesh.
    """
    if landmarks is not None:
        motion = _placed_by(np.asarray(landmarks, np.float64), model)
        painted, landmarks = _painted(mesh, motion), motion.apply(landmarks)
    else:
        assert landmarker is not None
        motion = _upright(mesh, model, landmarker)
        painted = _painted(mesh, motion)
        landmarks = _landmarks(painted, model, landmarker)
    unit, resize = _unit(landmarks, model, motion.scale)
    painted = replace(painted, points=painted.points * resize)
    landmarks = landmarks * resize
    painted = _outside_out(painted, landmarks)
    surface = TargetSurface.from_mesh(painted.points, painted.faces)
    fit = fit_identity(model, surface, landmarks)
    placed = Similarity(1.0, fit.rotation, fit.translation)
    surface = surface.moved(fit.rotation, fit.translation)
    landmarks = placed.apply(landmarks)
    known = np.flatnonzero(np.isfinite(landmarks[:FACE_POINTS, 0]))
    rest = model.head(fit.identity)
    skin = follow_surface(
        rest.neutral.astype(np.float64), model.topology, surface, (known, landmarks[known])
    )
    resized = Similarity(resize, np.eye(3), np.zeros(3))
    return ScanFit(
        head=seat_parts(rest, skin),
        identity=fit.identity,
        unit=unit,
        motion=placed.after(resized).after(motion),
        surface=replace(painted, points=surface.points),
        coloured=mesh.is_coloured,
        landmarks=landmarks,
        distance_mm=_distances(model, skin, surface),
    )


def seat_parts(rest: Head, skin: NDArray[np.floating]) -> Head:
    """Return a head with a moved skin, and what lies behind it moved along.

    Eyeballs shift with their lids, teeth and tongue with the lips, lashes with the skin at their
    roots: none of them is bent, so eyes stay round.

    Args:
        rest: The head before.
        skin: `(n_vertices, 3)` m; only skin and mouth cavity are read.
    """
    topology, before = rest.topology, rest.neutral.astype(np.float64)
    points, joints = np.asarray(skin, np.float64).copy(), rest.joints.astype(np.float64)
    shell = topology.parts["skin"].vertices
    shift = np.zeros_like(before)
    shift[shell] = points[shell] - before[shell]
    lids, side = topology.masks["eyelids"] > 0.5, before[:, 0] > 0
    for part, joint, mine in (("eye_left", "EyeLeft", side), ("eye_right", "EyeRight", ~side)):
        run = topology.parts[part].vertices
        moved = shift[lids & mine].mean(axis=0)
        points[run] = before[run] + moved
        joints[JOINT_NAMES.index(joint)] += moved
    lips = shift[topology.masks["lips"] > 0.5].mean(axis=0)
    for part in ("teeth_upper", "teeth_lower", "tongue"):
        run = topology.parts[part].vertices
        points[run] = before[run] + lips
    lashes = topology.parts["lashes"].vertices
    faces = topology.faces[topology.parts["skin"].faces]
    roots = ClosestPoints(before, faces)(before[lashes])
    along = np.einsum("nk,nkd->nd", roots.barycentric, shift[faces[roots.faces]])
    points[lashes] = before[lashes] + along
    return replace(rest, neutral=points.astype(np.float32), joints=joints.astype(np.float32))


def _upright(mesh: Mesh, model: HeadModel, landmarker: Landmarker) -> Similarity:
    """Return the motion that brings the face of a mesh roughly onto the mean head."""
    used = mesh.points[np.unique(mesh.faces)]
    low, high = used.min(axis=0), used.max(axis=0)
    size = float((high - low).max())
    if not size > 0:
        raise InputError("the mesh has no extent", hint="Give a mesh of a head.")
    scale, middle = _SEARCH / size, 0.5 * (low + high)
    best: tuple[float, Similarity] | None = None
    for turn in _TURNS:
        for rotation in _axis_rotations():
            first = Similarity(scale, rotation, -scale * rotation @ middle)
            seen = _painted(mesh, first)
            found = sight(seen, np.zeros(3), 0.45 * _SEARCH, [turn], landmarker, _SEARCH_SIZE)
            for one in found:
                judged = _aligned(one, model)
                if judged is not None and (best is None or judged[0] < best[0]):
                    best = judged[0], judged[1].after(first)
            if best is not None and best[0] < _SURELY:
                return best[1]
        if best is not None:
            return best[1]
    raise NoFaceError(
        "no face was seen on the mesh from any side",
        hint="Give a mesh of one head with open eyes, without anything before the face.",
    )


def _placed_by(landmarks: NDArray[np.float64], model: HeadModel) -> Similarity:
    """Return the motion that brings given landmarks onto the mean head's."""
    rest = model.landmark_model().neutral[:FACE_POINTS]
    points = landmarks[:FACE_POINTS]
    known = np.isfinite(points[:, 0])
    if known.sum() >= _FEWEST_GIVEN:
        motion, away = _similar(points, rest, known)
        if np.sqrt(np.mean(away[known] ** 2)) < _FACE_LIKE:
            return motion
    raise NoFaceError(
        "the landmarks are not those of a face",
        hint=f"Give at least {_FEWEST_GIVEN} of MediaPipe's 468 points by number, on the mesh, "
        "in its own frame and unit.",
    )


def _axis_rotations() -> list[NDArray[np.float64]]:
    """Return the 24 rotations that map axes onto axes, the usual ones first."""
    found = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[range(3), order] = signs
            if np.linalg.det(matrix) > 0:
                found.append(matrix)
    return found


def _aligned(one: Sighting, model: HeadModel) -> tuple[float, Similarity] | None:
    """Fit landmarks to the mean face; None where they are no face."""
    rest = model.landmark_model().neutral[:FACE_POINTS]
    points = one.points[:FACE_POINTS]
    known = np.isfinite(points[:, 0])
    if known.sum() < _FEWEST:
        return None
    motion, away = _similar(points, rest, known)
    # Once more without what was cast past the face.
    known &= away < 3.0 * np.nanmedian(away)
    motion, away = _similar(points, rest, known)
    error = float(np.sqrt(np.mean(away[known] ** 2)))
    return (error, motion) if error < _FACE_LIKE else None


def _similar(
    points: NDArray[np.float64], rest: NDArray[np.float64], known: NDArray[np.bool_]
) -> tuple[Similarity, NDArray[np.float64]]:
    """Fit points onto others; return the motion and all distances, metres."""
    a, b = points[known], rest[known]
    spread = np.linalg.norm(a - a.mean(axis=0)), np.linalg.norm(b - b.mean(axis=0))
    scale = float(spread[1] / max(spread[0], 1e-9))
    rotation, shift = rigid_motion(scale * a, b, np.ones(len(a)))
    motion = Similarity(scale, rotation, shift)
    return motion, np.linalg.norm(motion.apply(points) - rest, axis=1)


def _painted(mesh: Mesh, motion: Similarity) -> PaintedMesh:
    points = motion.apply(mesh.points)
    plain = np.broadcast_to(np.array(PLAIN_SKIN, np.float32), points.shape)
    texture = None
    if mesh.texture is not None and mesh.uv is not None and mesh.faces_uv is not None:
        texture = (mesh.uv, mesh.faces_uv, mesh.texture)
    return PaintedMesh(
        points,
        mesh.faces,
        plain if mesh.colours is None else mesh.colours,
        texture=texture,
        shaded=not mesh.is_coloured,
    )


def _landmarks(
    painted: PaintedMesh, model: HeadModel, landmarker: Landmarker
) -> NDArray[np.float64]:
    """Return `(478, 3)` m on an upright mesh, from several views, NaN where unknown."""
    found = sight(painted, _MIDDLE, _WIDTH, FRONT_VIEWS, landmarker)
    if not found:
        raise NoFaceError(
            "the face on the mesh is not seen from the front",
            hint="Give a mesh of one head with open eyes, without anything before the face.",
        )
    points = merge(found)
    points[:FACE_POINTS][strays(points, model.landmark_model().neutral)] = np.nan
    if np.isfinite(points[:FACE_POINTS, 0]).sum() < _FEWEST:
        raise InputError(
            "the mesh has holes where the face is",
            hint="Close the holes, or give a mesh that holds the whole face.",
        )
    return points


def _outside_out(painted: PaintedMesh, landmarks: NDArray[np.float64]) -> PaintedMesh:
    """Turn all triangles over if they show their backs where the landmarks lie."""
    known = landmarks[np.isfinite(landmarks[:, 0])]
    near = painted.faces[ClosestPoints(painted.points, painted.faces)(known).faces]
    a, b, c = painted.points[near].transpose(1, 0, 2)
    if np.median(np.cross(b - a, c - a)[:, 2]) >= 0:
        return painted
    texture = painted.texture
    if texture is not None:
        texture = (texture[0], texture[1][:, ::-1], texture[2])
    return replace(painted, faces=painted.faces[:, ::-1], texture=texture)


def _unit(landmarks: NDArray[np.float64], model: HeadModel, scale: float) -> tuple[str, float]:
    """Return the file's unit, and by what the upright mesh grows to have its true size."""
    right, left = OUTER_EYE_CORNERS
    usual = model.landmark_model().neutral
    width = float(np.linalg.norm(landmarks[left] - landmarks[right]))
    if not np.isfinite(width):
        return "unknown", 1.0
    wanted = float(np.linalg.norm(usual[left] - usual[right]))
    sizes = {name: width / scale * metres / wanted for name, metres in UNITS.items()}
    nearest = min(sizes, key=lambda name: abs(np.log(sizes[name])))
    if abs(np.log(sizes[nearest])) > np.log1p(_WITHIN):
        return "unknown", 1.0
    return nearest, UNITS[nearest] / scale


def _distances(
    model: HeadModel, skin: NDArray[np.float64], surface: TargetSurface
) -> dict[str, float]:
    """Return how far the fitted face lies from the scan, millimetres, where the scan has one."""
    face = surface_weights(model.topology) * model.topology.masks["face"] > 0.5
    found = surface.closest(skin[face])
    border = np.einsum("nk,nk->n", found.barycentric, surface.border[surface.faces[found.faces]])
    distance = 1000.0 * found.distance[border < 0.99]
    return {
        "mean": float(distance.mean()),
        "median": float(np.median(distance)),
        "90_percent": float(np.quantile(distance, 0.9)),
    }
