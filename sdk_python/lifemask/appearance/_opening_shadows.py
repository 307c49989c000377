"""Shadow that moves with the face: of the lids over the eyes, and in the mouth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.heads import JOINT_NAMES, PART_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head

_LID_THICKNESS = 0.002
_LID_SHADOWS = ((0.6, 0.0045), (0.35, 0.0025))
"""Of the upper and the lower lid: how dark its shadow is, and how far it reaches (m)."""
_INNER_PARTS = ("mouth", "tongue", "teeth_upper", "teeth_lower")
_DARKENING_DEPTH = 0.045
"""Metres behind the lips at which the mouth is dark."""
_WIDE_OPEN = 0.02
"""Metres between the lips that let all the light in."""


class LidShadow:
    """Darkens an eye near its lids, wherever they are and wherever it looks.

    Args:
        head: Whose eye it is.
        side: `"left"` or `"right"`.
    """

    def __init__(self, head: Head, side: str) -> None:
        topology = head.topology
        self._eye = topology.parts[f"eye_{side}"].vertices
        centre = head.joints[JOINT_NAMES.index(f"Eye{side.capitalize()}")]
        radius = np.linalg.norm(head.neutral[self._eye] - centre, axis=1).max(initial=0.0)
        skin = np.unique(topology.faces[topology.parts["skin"].faces])
        offset = head.neutral[skin] - centre
        near = (np.linalg.norm(offset, axis=1) < radius + _LID_THICKNESS) & (offset[:, 2] > 0)
        self._lids = tuple(skin[near & above] for above in (offset[:, 1] > 0, offset[:, 1] <= 0))

    def apply(self, open_sky: NDArray[np.float32], vertices: NDArray[np.float32]) -> None:
        """Darken the eye's rows.

        Args:
            open_sky: `(n_vertices,)`, changed in place.
            vertices: `(n_vertices, 3)` m, head frame.
        """
        from lifemask.appearance._atlas_kernels import nearest_square

        eye = vertices[self._eye]
        for lid, (depth, reach) in zip(self._lids, _LID_SHADOWS, strict=True):
            if len(lid) and len(eye):
                square = nearest_square(eye, vertices[lid]) / reach**2
                open_sky[self._eye] *= 1.0 - depth * np.exp(-square)


class MouthShadow:
    """Darkens the mouth by depth behind the lips, whatever the jaw does.

    Args:
        head: Whose mouth it is.
    """

    def __init__(self, head: Head) -> None:
        topology = head.topology
        corners = {name: topology.faces[topology.parts[name].faces] for name in PART_NAMES}
        inner = np.concatenate([corners[name].ravel() for name in _INNER_PARTS])
        self._rim = np.intersect1d(corners["skin"], corners["mouth"])
        self._inner = np.setdiff1d(inner, self._rim)
        x = head.neutral[self._rim, 0]
        self._middle = self._rim[np.abs(x) < 0.4 * np.abs(x).max(initial=0.0)]

    def apply(
        self, open_sky: NDArray[np.float32], vertices: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the sky visibility of one frame.

        Args:
            open_sky: `(n_vertices,)` of the resting head.
            vertices: `(n_vertices, 3)` m, head frame.
        """
        result = open_sky.copy()
        if len(self._middle):
            # Far beyond any head, so that broken vertices overflow nothing.
            places = np.clip(np.nan_to_num(vertices), -1e3, 1e3)
            gap = np.ptp(places[self._middle, 1]) / _WIDE_OPEN
            depth = np.quantile(places[self._rim, 2], 0.9) - places[self._inner, 2]
            reach = np.clip(1.0 - depth / _DARKENING_DEPTH, 0.0, 1.0)
            result[self._inner] = 0.03 + 0.85 * reach * reach * np.clip(gap, 0.1, 1.0)
        return result

    def lift(self, open_sky: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the sky visibility with nothing dark in the mouth, for textures that are.

        Args:
            open_sky: `(n_vertices,)` of the resting head.
        """
        result = open_sky.copy()
        result[self._inner] = 1.0
        return result
