"""Points of one head's surface on another head of other topology."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from lifemask._errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True)
class TopologyMap:
    """Where vertices of one head model lie on the surface of another one.

    The default head was fitted to the other model's neutral (`tools/heads/register_ict.py`);
    each vertex of the face then has a place on a triangle of the other mesh. The face reaches
    from hairline to chin and from ear to ear; eyeballs, lashes and the insides of mouth and lids
    are not part of it.

    Attributes:
        source: Name of the model whose vertices go in: `"default"` or `"ict"`.
        target: Name of the model whose vertices come out.
        source_size: Vertices of a source head.
        vertices: `(k,)` int64, the numbers of the target's vertices, rising.
        corners: `(k, 3)` int64, the source vertices that each lies between.
        weights: `(k, 3)` float64, their shares, rows sum to one.
        floor_mm: What the registration itself is wrong by, in millimetres: an error measured
            through the map cannot be told from this. `vertex_mean` and `vertex_median` are
            distances of vertices of other heads that were registered from scratch, `surface_…`
            distances to the surface, `landmarks_…` those between both models' landmarks.
    """

    source: str
    target: str
    source_size: int
    vertices: NDArray[np.int64]
    corners: NDArray[np.int64]
    weights: NDArray[np.float64]
    floor_mm: Mapping[str, float]

    def transfer(self, vertices: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return where the target's vertices lie on a head of the source's topology.

        Args:
            vertices: `(source_size, 3)` or any number of heads `(..., source_size, 3)`, any unit
                and frame.

        Returns:
            `(..., k, 3)` in the order of `vertices`, the attribute.

        Raises:
            ValueError: It is no head of the source's topology.
        """
        if vertices.ndim < 2 or vertices.shape[-2:] != (self.source_size, 3):
            raise ValueError(
                f"vertices have shape {vertices.shape}, expected (..., {self.source_size}, 3)"
            )
        corners = vertices[..., self.corners, :].astype(np.float64)
        return np.einsum("kc,...kcd->...kd", self.weights, corners)


def topology_map(source: str, target: str) -> TopologyMap:
    """Return the map from one head model to another: `("default", "ict")`, or the other way.

    Raises:
        InputError: There is no map between the two.
    """
    if {source, target} != {"default", "ict"}:
        raise InputError(
            f"there is no map from the head model '{source}' to '{target}'",
            hint="There are maps from default to ict and from ict to default.",
        )
    arrays = _arrays()
    way = f"{source}_to_{target}"
    meta = json.loads(arrays["meta"].tobytes())
    weights = arrays[f"{way}_weights"].astype(np.float64)
    return TopologyMap(
        source=source,
        target=target,
        source_size=meta["sizes"][source],
        vertices=arrays[f"{way}_vertices"].astype(np.int64),
        corners=arrays[f"{way}_corners"].astype(np.int64),
        weights=weights / weights.sum(axis=1, keepdims=True),
        floor_mm=meta["floor_mm"][way],
    )


@functools.cache
def _arrays() -> dict[str, NDArray]:
    file = resources.files("lifemask").joinpath("data", "map_ict.npz")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
