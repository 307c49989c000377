"""Personal blendshapes: the 52 shapes on the face of the person whose head it is."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.geometry import ClosestPoints
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX, JOINT_NAMES, load_head_model
from lifemask.rigging._meeting import close_lids, close_lips
from lifemask.rigging._transfer import DeformationTransfer
from lifemask.tracking import blink_scales

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head, HeadModel

_JAW_OPEN: Final = COEFFICIENT_INDEX["jawOpen"]
_MOUTH_CLOSE: Final = COEFFICIENT_INDEX["mouthClose"]
_FADE: Final = 4
"""Rows of vertices beyond a generic shape's reach over which the personal one runs out."""
_FORWARD: Final = 0.005
"""Metres by which blinks move the tips of lashes forward, out of the cheek: the generic lid falls
further, past the lower one."""
_BLINKING: Final = 1.3
"""Factor on the generic turn of the lashes that blinks have, so that they point down again."""


def personal_head(head: Head) -> Head:
    """Return the head with its 52 shapes made for this face.

    The generic shapes move every face by the same millimetres. Here the skin and the cavity of
    the mouth take the template's deformation gradients (Sumner and Popovic 2004, see
    `DeformationTransfer`), `mouthClose` together with the `jawOpen` that it belongs to. Then
    blinks are made to close on these lids without passing through the eyeball, and the lips to
    meet where `jawOpen` and `mouthClose` are both one. Lower teeth turn rigidly about the
    person's jaw, the tongue moves in the person's size, lashes ride on the lids, and eyeballs and
    upper teeth stay, as they do in the template. Of the template's own neutral it returns the
    template's shapes, apart from lids and lips that do not meet there, and from 0.2 mm by which
    its own lower teeth bend under `jawOpen`.

    Args:
        head: With the generic shapes of its head model, of any size. Heads other than the
            shipped one only get their blinks scaled.
    """
    model = load_head_model()
    if head.topology.asset_id != model.topology.asset_id:
        return _scaled_blinks(head)
    return close_contacts(replace(head, expression_deltas=transferred_shapes(head)))


def close_contacts(head: Head) -> Head:
    """Return the head with shapes under which lids and lips meet, see `personal_head`."""
    shapes = close_lids(head, head.expression_deltas.astype(np.float64))
    shapes = close_lips(head, shapes)
    _carry_lashes(head, shapes, blinks=_BLINKING, forward=_FORWARD)
    return replace(head, expression_deltas=shapes.astype(np.float32))


def transferred_shapes(head: Head) -> NDArray[np.float64]:
    """Return the 52 shapes `(52, n_vertices, 3)` m by transfer alone.

    Args:
        head: Of the shipped topology.
    """
    template = _template()
    model, shell = template.model, template.shell
    generic = model.expression_deltas.astype(np.float64)
    scale = size_ratio(head)
    solver = DeformationTransfer.prepare(
        model.neutral[shell], head.neutral[shell], template.faces, template.static, scale=scale
    )
    wanted = generic[:, shell].copy()
    wanted[_MOUTH_CLOSE] += wanted[_JAW_OPEN]
    moved = solver.transfer(wanted)
    moved[_MOUTH_CLOSE] -= moved[_JAW_OPEN]
    shapes = scale * generic
    shapes[:, shell] = moved * template.fade[:, :, None]
    teeth = model.topology.parts["teeth_lower"].vertices
    shapes[:, teeth] = _lower_teeth(model, head, generic[:, teeth], scale)
    _carry_lashes(head, shapes)
    return shapes


def size_ratio(head: Head) -> float:
    """Return how much larger a head's face is than the template's."""
    template = _template()
    face = template.model.topology.masks["face"] > 0.5
    spread = [
        np.linalg.norm(points[face] - points[face].mean(axis=0))
        for points in (head.neutral.astype(np.float64), template.model.neutral.astype(np.float64))
    ]
    return float(spread[0] / spread[1])


@dataclass(frozen=True)
class _Template:
    """What does not depend on the person.

    Attributes:
        model: The shipped one.
        shell: Vertices of skin and mouth cavity.
        faces: `(m, 3)` of the shell.
        static: `(n,)` bool, vertices of the shell that no shape moves.
        fade: `(52, n)` in [0, 1], where each shape may move the shell.
    """

    model: HeadModel
    shell: slice
    faces: NDArray[np.int32]
    static: NDArray[np.bool_]
    fade: NDArray[np.float64]


@functools.cache
def _template() -> _Template:
    model = load_head_model()
    topology = model.topology
    shell = topology.parts["skin"].vertices
    faces = topology.faces[: topology.parts["mouth"].faces.stop]
    moving = (model.expression_deltas[:, shell] != 0).any(axis=2)
    return _Template(
        model, shell, faces, ~moving.any(axis=0), np.stack([_faded(one, faces) for one in moving])
    )


def _faded(moving: NDArray[np.bool_], faces: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return 1 where a shape moves vertices, falling to 0 over the rows beside them."""
    weight = moving.astype(np.float64)
    for step in range(1, _FADE):
        grown = np.unique(faces[(weight[faces] > 0).any(axis=1)])
        weight[grown[weight[grown] == 0]] = 1.0 - step / _FADE
    return weight


def _lower_teeth(
    model: HeadModel, head: Head, generic: NDArray[np.float64], scale: float
) -> NDArray[np.float64]:
    """Return the shapes of the lower teeth `(52, n, 3)`: rigid, about the person's own jaw."""
    run = model.topology.parts["teeth_lower"].vertices
    jaw = JOINT_NAMES.index("Jaw")
    theirs = model.neutral[run].astype(np.float64) - model.mean_joints[jaw]
    ours = head.neutral[run].astype(np.float64) - head.joints[jaw]
    shapes = np.zeros((COEFFICIENT_COUNT, *ours.shape))
    for number in np.flatnonzero((generic != 0).any(axis=(1, 2))):
        rotation, shift = _rigid(theirs, theirs + generic[number])
        shapes[number] = ours @ rotation.T + scale * shift - ours
    return shapes


def _rigid(
    before: NDArray[np.float64], after: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from lifemask.rigging._registration import rigid_motion

    return rigid_motion(before, after, np.ones(len(before)))


def _carry_lashes(
    head: Head, shapes: NDArray[np.float64], *, blinks: float = 1.0, forward: float = 0.0
) -> None:
    """Let each lash follow the skin at its root, in place.

    It keeps the turn that the generic shape gives it: only what the skin does otherwise is added.

    Args:
        head: Of the person.
        shapes: `(52, n, 3)` m.
        blinks: Factor on that turn in blinks.
        forward: Metres by which blinks move the tips out of the cheek.
    """
    template = _template()
    model = template.model
    run = model.topology.parts["lashes"].vertices
    faces, weights = _lash_roots()
    generic = model.expression_deltas.astype(np.float64)
    turn = generic[:, run] - np.einsum("nk,enkd->end", weights, generic[:, faces])
    tip = model.topology.masks["lash_tip"][run, None]
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        mine = turn[COEFFICIENT_INDEX[name]]
        moving = np.abs(mine).max(axis=1, keepdims=True) > 1e-4
        mine += moving * (np.sqrt(tip) * forward * [0.0, 0.0, 1.0] + (blinks - 1.0) * mine)
    shapes[:, run] = turn + np.einsum("nk,enkd->end", weights, shapes[:, faces])


@functools.cache
def _lash_roots() -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return corners `(n, 3)` and weights `(n, 3)` of the skin at the root of each lash vertex."""
    model = load_head_model()
    topology = model.topology
    run = topology.parts["lashes"].vertices
    along, tip = (topology.masks[f"lash_{name}"][run] for name in ("along", "tip"))
    strip = 2 * (topology.masks["lash_lower"][run] > 0.5) + (model.neutral[run, 0] > 0)
    roots = np.flatnonzero(tip < 0.01)
    apart = np.abs(along[:, None] - along[roots]) + 10.0 * (strip[:, None] != strip[roots])
    mine = roots[np.argmin(apart, axis=1)]
    skin = topology.faces[topology.parts["skin"].faces]
    found = ClosestPoints(model.neutral.astype(np.float64), skin)(model.neutral[run][mine])
    return skin[found.faces], found.barycentric


def _scaled_blinks(head: Head) -> Head:
    """Return a head of another topology with blinks scaled so that its lids meet."""
    points = head.landmarks(head.neutral)
    deltas = np.stack([head.landmarks(delta) for delta in head.expression_deltas])
    shapes = head.expression_deltas.copy()
    for name, scale in blink_scales(points, deltas).items():
        shapes[COEFFICIENT_INDEX[name]] *= np.float32(scale)
    return replace(head, expression_deltas=shapes)
