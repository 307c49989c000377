"""How much of the sky each vertex of the resting head sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.geometry import sky_visibility

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head


def resting_sky(head: Head, normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much of the sky each vertex of the resting head sees.

    Args:
        head: Whose neutral face is measured.
        normals: `(n_vertices, 3)` unit normals of the neutral face.

    Returns:
        `(n_vertices,)` float32 in [0, 1]; lashes and eyes are left open.
    """
    faces = head.topology.faces
    solid = faces[: head.topology.parts["lashes"].faces.start]
    open_sky = sky_visibility(head.neutral, normals, solid)
    for name in ("lashes", "eye_left", "eye_right"):
        open_sky[head.topology.parts[name].vertices] = 1.0
    return open_sky.astype(np.float32)
