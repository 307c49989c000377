"""A finer level of the head as a stored sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Subdivision:
    """One level of Catmull-Clark on skin, mouth, tongue and lashes.

    Eyes and teeth are already fine and keep their vertices; their faces are those of the coarse
    level.

    Attributes:
        quads: `(n, 4)` int32 vertex indices of the fine level.
        quads_uv: `(n, 4)` int32 indices into the fine uv.
    """

    quads: NDArray[np.int32]
    quads_uv: NDArray[np.int32]
    _vertices: tuple[NDArray[np.float32], NDArray[np.integer], NDArray[np.int32]]
    _uv: tuple[NDArray[np.float32], NDArray[np.integer], NDArray[np.int32]]

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray]) -> Subdivision:
        """Build from the arrays `fine_*` of the head asset."""
        return cls(
            arrays["fine_quads"].astype(np.int32),
            arrays["fine_quads_uv"].astype(np.int32),
            (arrays["fine_data"], arrays["fine_indices"], arrays["fine_indptr"]),
            (arrays["fine_uv_data"], arrays["fine_uv_indices"], arrays["fine_uv_indptr"]),
        )

    def check(self, vertex_count: int, uv_count: int) -> None:
        """Raise ValueError if the level does not belong to a head of this size."""
        levels = (
            ("fine_quads", self.quads, self._vertices, vertex_count),
            ("fine_quads_uv", self.quads_uv, self._uv, uv_count),
        )
        for name, quads, (data, indices, starts), coarse in levels:
            if int(quads.max()) >= len(starts) - 1:
                raise ValueError(f"{name} points outside 0..{len(starts) - 2}")
            if int(indices.max()) >= coarse or not len(data) == len(indices) == starts[-1]:
                raise ValueError(f"the matrix of {name} does not fit {coarse} points")

    @cached_property
    def matrix(self) -> csr_matrix:
        """`(n_fine, n_vertices)`, rows sum to one."""
        return _csr(self._vertices)

    def refine(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return fine points `(n_fine, 3)` for coarse points `(n_vertices, 3)`; linear."""
        return np.asarray(self.matrix @ points, np.float32)

    def refine_uv(self, uv: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return fine atlas coordinates `(n_fine_uv, 2)` for coarse ones."""
        return np.asarray(_csr(self._uv) @ uv, np.float32)


def _csr(
    arrays: tuple[NDArray[np.float32], NDArray[np.integer], NDArray[np.int32]],
) -> csr_matrix:
    from scipy.sparse import csr_matrix

    data, indices, indptr = arrays
    width = int(indices.max()) + 1
    return csr_matrix((data, indices.astype(np.int32), indptr), shape=(len(indptr) - 1, width))
