"""Put the parts together: which vertices the head has and how they follow the base mesh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from head_asset.makehuman import METRES_PER_UNIT
from head_asset.parts import dental_arch, fit_sphere, similarity, unit_eyeball
from head_asset.shell import Cut, cut_group, cut_head, islands

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from head_asset.makehuman import BaseMesh
    from head_asset.parts import Piece

EYEBALL_RADIUS = 0.147
"""Decimetres on the base mesh, whose lids rest on a ball of 0.1495."""

LASH_STRIPS = {
    "lashes_upper_left": "helper-l-eyelashes-2",
    "lashes_lower_left": "helper-l-eyelashes-1",
    "lashes_upper_right": "helper-r-eyelashes-2",
    "lashes_lower_right": "helper-r-eyelashes-1",
}

_SOCKET_QUADS = 293
"""Size of the uv island behind each eye; the checks of the build catch another base mesh."""

_TEETH_GROUPS = {"teeth_upper": "helper-upper-teeth", "teeth_lower": "helper-lower-teeth"}
_SETBACK = {
    "helper-upper-teeth": np.array([0.0, -0.040, -0.040]),
    "helper-lower-teeth": np.array([0.0, -0.020, -0.064]),
}
"""Decimetres. The stand-ins touch the lips; real teeth stand behind them, and the lower row
behind the upper one, which it overlaps."""


@dataclass(frozen=True)
class Layout:
    """Where each part lies in the vertex array of the head, and what drives it.

    Attributes:
        mesh: The base mesh.
        raw: `(n,)` the base vertices that have to be known to assemble a head.
        slices: Vertex range by part; `skin` and `mouth` share one.
    """

    mesh: BaseMesh
    raw: NDArray[np.int64]
    slices: dict[str, slice]

    @cached_property
    def shell(self) -> NDArray[np.int64]:
        """Base vertices of skin and mouth cavity."""
        skin, mouth, _ = self.cuts
        return np.unique(np.r_[skin.quads.ravel(), mouth.quads.ravel()])

    @cached_property
    def cuts(self):
        """Skin, mouth cavity and neck loop."""
        return cut_head(self.mesh)

    @cached_property
    def sockets(self) -> tuple[Cut, Cut]:
        """The cups behind the lids, subject's left and right: the skin's two closed islands."""
        skin = self.cuts[0]
        island = islands(skin.quads_uv)
        sizes = np.bincount(island)
        cups = [i for i in np.unique(island) if sizes[i] == _SOCKET_QUADS]
        cuts = [Cut(skin.quads[island == i], skin.quads_uv[island == i]) for i in cups]
        left, right = sorted(cuts, key=lambda c: -self.mesh.vertices[c.quads][:, :, 0].mean())
        return left, right

    @cached_property
    def outside(self) -> Cut:
        """Skin without the cups: face, scalp, ears and neck."""
        skin = self.cuts[0]
        cups = {tuple(q) for cut in self.sockets for q in cut.quads.tolist()}
        keep = np.array([tuple(q) not in cups for q in skin.quads.tolist()])
        return Cut(skin.quads[keep], skin.quads_uv[keep])

    @cached_property
    def tongue(self) -> NDArray[np.int64]:
        """Base vertices of the tongue."""
        return self.mesh.group_vertices("helper-tongue")

    @cached_property
    def lashes(self) -> NDArray[np.int64]:
        """Base vertices of the four strips of lashes."""
        return np.unique(cut_group(self.mesh, *LASH_STRIPS.values()).quads)

    @cached_property
    def arches(self) -> dict[str, Piece]:
        """Generated teeth on the base mesh, decimetres."""
        return {
            name: dental_arch(name == "teeth_upper", self._biting_edge(group))
            for name, group in _TEETH_GROUPS.items()
        }

    @cached_property
    def eyeball(self) -> Piece:
        """Generated eyeball of radius one."""
        return unit_eyeball()

    def head_index(self, base: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return head vertex numbers of base vertices (shell, tongue and lashes only)."""
        return self._head_index[base]

    @cached_property
    def _head_index(self) -> NDArray[np.int64]:
        table = np.full(len(self.mesh.vertices), -1)
        for name, ids in (("skin", self.shell), ("tongue", self.tongue), ("lashes", self.lashes)):
            table[ids] = np.arange(self.slices[name].start, self.slices[name].stop)
        return table

    def assemble(self, base: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return head vertices and joints `(n + 6, 3)`, metres, origin at the head joint.

        Args:
            base: `(19158, 3)` base mesh of one person, decimetres; only `raw` has to be valid.
        """
        mouth = np.unique(self.cuts[1].quads)
        scale, _, shift = similarity(
            self.mesh.vertices[mouth], base[mouth], scale=True, rotate=False
        )
        pieces = [base[self.shell], scale * self.mesh.vertices[self.tongue] + shift]
        pieces += [scale * self.arches[n].points + shift for n in _TEETH_GROUPS]
        centres = []
        for group in ("helper-l-eye", "helper-r-eye"):
            centre, radius = fit_sphere(base[self.mesh.group_vertices(group)])
            centres.append(centre)
            pieces.append(centre + radius / 0.1495 * EYEBALL_RADIUS * self.eyeball.points)
        pieces.append(base[self.lashes])
        joints = self._joints(base, centres)
        return (np.concatenate([*pieces, joints]) - joints[2]) * METRES_PER_UNIT

    def _joints(
        self, base: NDArray[np.float64], centres: list[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        def cube(name: str) -> NDArray[np.float64]:
            return base[self.mesh.group_vertices(name)].mean(axis=0)

        root, head, jaw = cube("joint-neck"), cube("joint-head"), cube("joint-mouth")
        return np.stack([root, 0.5 * (root + head), head, jaw, *centres])

    def _biting_edge(self, group: str) -> NDArray[np.float64]:
        """The outermost lowest (upper teeth) or highest (lower teeth) vertex of each column."""
        points = self.mesh.vertices[self.mesh.group_vertices(group)]
        upper = group == "helper-upper-teeth"
        pick = np.argmin if upper else np.argmax
        edge = np.array([c[pick(c[:, 1])] for c in _outer_columns(points)])
        # A column of the stand-in without a vertex on the biting edge yields one on the gum.
        edge = edge[edge[:, 1] < 6.75] if upper else edge[edge[:, 1] > 6.55]
        return edge + _SETBACK[group]


def make_layout(mesh: BaseMesh) -> Layout:
    """Number the vertices of the head."""
    probe = Layout(mesh, np.zeros(0, np.int64), {})
    sizes = {
        "skin": len(probe.shell),
        "tongue": len(probe.tongue),
        "teeth_upper": len(probe.arches["teeth_upper"].points),
        "teeth_lower": len(probe.arches["teeth_lower"].points),
        "eye_left": len(probe.eyeball.points),
        "eye_right": len(probe.eyeball.points),
        "lashes": len(probe.lashes),
    }
    slices, start = {}, 0
    for name, size in sizes.items():
        slices[name] = slice(start, start + size)
        start += size
    slices["mouth"] = slices["skin"]
    helpers = [
        mesh.group_vertices(g)
        for g in ("helper-l-eye", "helper-r-eye", "joint-neck", "joint-head", "joint-mouth")
    ]
    raw = np.unique(np.concatenate([probe.shell, probe.tongue, probe.lashes, *helpers]))
    return Layout(mesh, raw, slices)


def _outer_columns(points: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Group the outward facing vertices of a stand-in row of teeth by their angle."""
    centre = np.array([0.0, 0.95])
    away = points[:, [0, 2]] - centre
    reach = np.hypot(away[:, 0] / 0.315, away[:, 1] / 0.56)
    outer = points[reach > 0.86]
    angle = np.arctan2(outer[:, 0] / 0.315, (outer[:, 2] - 0.95) / 0.56)
    bins = np.linspace(-np.pi / 2 - 0.05, np.pi / 2 + 0.05, 16)
    number = np.digitize(angle, bins)
    return [outer[number == i] for i in np.unique(number)]
