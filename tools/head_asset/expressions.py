"""The 52 ARKit shapes as vertex deltas of the assembled head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from head_asset.assemble import EYEBALL_RADIUS
from head_asset.makehuman import METRES_PER_UNIT
from head_asset.parts import fit_sphere, similarity
from lifemask.heads import COEFFICIENT_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from head_asset.assemble import Layout
    from head_asset.makehuman import Wheel

_LID_CLEARANCE = 0.004
"""Decimetres between a lid that passes over the eye and the eyeball."""


def expression_deltas(wheel: Wheel, layout: Layout) -> NDArray[np.float64]:
    """Return `(52, n_vertices, 3)`, metres, in the order of `COEFFICIENT_NAMES`."""
    return np.stack([_one(wheel, layout, name) for name in COEFFICIENT_NAMES]) * METRES_PER_UNIT


def _one(wheel: Wheel, layout: Layout, name: str) -> NDArray[np.float64]:
    mesh, raw = wheel.mesh, wheel.expression(name)
    deltas = np.zeros((max(s.stop for s in layout.slices.values()), 3))
    deltas[layout.slices["skin"]] = raw[layout.shell]
    deltas[layout.slices["tongue"]] = raw[layout.tongue]
    deltas[layout.slices["lashes"]] = raw[layout.lashes]
    if name.startswith("jaw"):
        helper = mesh.group_vertices("helper-lower-teeth")
        _, rotation, shift = similarity(
            mesh.vertices[helper], mesh.vertices[helper] + raw[helper], scale=False, rotate=True
        )
        teeth = layout.arches["teeth_lower"].points
        deltas[layout.slices["teeth_lower"]] = teeth @ rotation.T + shift - teeth
    if name.startswith("eye"):
        rest = mesh.vertices[layout.shell]
        deltas[layout.slices["skin"]] = _keep_off_eyeballs(
            mesh.vertices, rest, deltas[layout.slices["skin"]], layout
        )
    return deltas


def _keep_off_eyeballs(
    base: NDArray[np.float64],
    rest: NDArray[np.float64],
    deltas: NDArray[np.float64],
    layout: Layout,
) -> NDArray[np.float64]:
    """Push lid vertices that would pass through the eyeball back to its surface."""
    moved = rest + deltas
    for group in ("helper-l-eye", "helper-r-eye"):
        centre, _ = fit_sphere(base[layout.mesh.group_vertices(group)])
        limit = EYEBALL_RADIUS + _LID_CLEARANCE
        before = np.linalg.norm(rest - centre, axis=1)
        away = moved - centre
        distance = np.linalg.norm(away, axis=1)
        sunk = (distance < limit) & (before >= distance) & (np.abs(deltas).max(axis=1) > 1e-4)
        # Vertices that already rest deeper (the inner corner) keep their depth.
        wanted = np.minimum(limit, before)
        moved[sunk] = centre + away[sunk] * (wanted[sunk] / distance[sunk])[:, None]
    return moved - rest
