"""A triangle mesh as it comes out of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Mesh:
    """Triangles in the file's own unit and axes.

    Attributes:
        points: `(n, 3)` float64, finite.
        faces: `(m, 3)` int32, indices into `points`; m >= 1.
        colours: `(n, 3)` float32 sRGB in [0, 1]; None where the file has none.
        uv: `(k, 2)` float32, v down; None where there is no texture.
        faces_uv: `(m, 3)` int32, indices into `uv`.
        texture: `(h, w, 3)` uint8 sRGB.
    """

    points: NDArray[np.float64]
    faces: NDArray[np.int32]
    colours: NDArray[np.float32] | None = None
    uv: NDArray[np.float32] | None = None
    faces_uv: NDArray[np.int32] | None = None
    texture: NDArray[np.uint8] | None = None

    @property
    def is_coloured(self) -> bool:
        """Whether the surface says how it looks."""
        return self.colours is not None or self.texture is not None
