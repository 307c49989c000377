"""Head models that need our own head to become complete: landmarks and shapes carried over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lifemask.geometry import ClosestPoints, Mesh, closest_barycentric, vertex_normals
from lifemask.heads import HeadModel, load_head_model
from lifemask.rigging._scan import fit_scan

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lifemask.rigging._scan import ScanFit

_CANDIDATES = 40
"""Faces of the default head near a vertex among which the one that faces its way is taken."""


def load_other_head(kind: str, path: str | Path | None) -> HeadModel:
    """Return any head model complete with landmarks and the 52 shapes.

    Args:
        kind: `"default"`, `"ict"` or `"flame"`.
        path: The user's own file.

    Raises:
        InputError: See `load_head_model` and `load_flame`.
    """
    if kind != "flame" or path is None:
        return load_head_model(kind, path)
    return load_flame(path)


def load_flame(path: str | Path) -> HeadModel:
    """Return FLAME with MediaPipe's landmarks and the 52 ARKit shapes.

    The default head is fitted to FLAME's template as to a scan; its landmarks and its shapes are
    then carried over: each vertex of FLAME takes the movement of the place of the default head's
    surface that lies on it and faces its way. Eyeballs take none. FLAME has no teeth and no tongue,
    and `tongueOut` stays zero.

    Args:
        path: The user's own file: a pickle as distributed, which is read without running
            anything in it, or npz.

    Raises:
        InputError: The file is not FLAME.
        NoFaceError: The landmarker sees no face on its template.
    """
    from lifemask.tracking import FaceLandmarker

    model, default = load_head_model("flame", path), load_head_model()
    skin = model.topology.parts["skin"].faces
    faces = model.topology.faces[: model.topology.parts["eye_right"].faces.stop]
    a, b, c = faces.T
    proper = faces[(a != b) & (b != c) & (a != c)]
    with FaceLandmarker() as landmarker:
        fit = fit_scan(Mesh(model.neutral.astype(np.float64), proper), default, landmarker)
    deltas = _carried(model, default, fit)
    chosen, weights = _landmarks(model, fit, skin)
    topology = replace(
        model.topology, landmark_faces=chosen, landmark_barycentric=weights.astype(np.float32)
    )
    return replace(model, topology=topology, expression_deltas=deltas)


def _carried(model: HeadModel, default: HeadModel, fit: ScanFit) -> NDArray[np.float32]:
    """Return the default head's shapes `(52, n_vertices, 3)` m on another neutral head."""
    from scipy.spatial import KDTree

    ours = fit.head.neutral.astype(np.float64)
    faces = default.topology.faces[: default.topology.parts["mouth"].faces.stop]
    placed = fit.motion.apply(model.neutral)
    corners = ours[faces]
    near = np.asarray(KDTree(corners.mean(axis=1)).query(placed, k=_CANDIDATES)[1])
    theirs = model.topology.faces
    facing = np.einsum(
        "nkd,nd->nk",
        vertex_normals(ours, faces)[faces[near]].mean(axis=2),
        vertex_normals(placed, theirs),
    )
    away = np.linalg.norm(corners[near].mean(axis=2) - placed[:, None], axis=2)
    # Lips and lids touch their partners: the side that faces the same way is meant.
    best = np.argmin(away + 0.01 * (1.0 - facing), axis=1)
    chosen = near[np.arange(len(near)), best]
    weights = closest_barycentric(placed, corners[chosen])
    moved = np.einsum("nk,enkd->end", weights, default.expression_deltas[:, faces[chosen]])
    back = moved @ fit.motion.rotation / fit.motion.scale
    for column in (4, 5):
        back[:, model.joint_weights[:, column] > 0.5] = 0.0
    return back.astype(np.float32)


def _landmarks(
    model: HeadModel, fit: ScanFit, skin: slice
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return faces and weights of the default head's landmarks on the other head."""
    placed = fit.motion.apply(model.neutral)
    marks = fit.head.landmarks(fit.head.neutral).astype(np.float64)
    found = ClosestPoints(placed, model.topology.faces[skin])(marks)
    chosen, weights = found.faces.copy(), found.barycentric.copy()
    for rows, part in ((range(468, 473), "eye_right"), (range(473, 478), "eye_left")):
        run = model.topology.parts[part].faces
        iris = ClosestPoints(placed, model.topology.faces[run])(marks[list(rows)])
        chosen[list(rows)] = iris.faces + run.start
        weights[list(rows)] = iris.barycentric
    return chosen.astype(np.int32), weights
