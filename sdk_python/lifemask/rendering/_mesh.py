"""What the compiled loops know about a head: faces, atlas, textures, materials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.heads import PART_NAMES
from lifemask.rendering._scene import Materials, Mesh
from lifemask.rendering._textures import build_texture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lifemask.heads import Head, Topology
    from lifemask.rendering._refinement import Refinement

_TEXELS_PER_ISLAND = 16
"""A part is never sampled more coarsely than this many texels across its island."""

_MATERIALS = {
    # part: roughness, specular, scatter of red, green, blue
    "skin": (0.5, 0.65, (0.2, 0.12, 0.09)),
    "mouth": (0.4, 1.0, (0.3, 0.1, 0.1)),
    "tongue": (0.4, 1.0, (0.3, 0.1, 0.1)),
    "teeth_upper": (0.25, 1.0, (0.2, 0.2, 0.15)),
    "teeth_lower": (0.25, 1.0, (0.2, 0.2, 0.15)),
    "eye_left": (0.12, 1.3, (0.15, 0.12, 0.1)),
    "eye_right": (0.12, 1.3, (0.15, 0.12, 0.1)),
    "lashes": (0.8, 0.2, (0.0, 0.0, 0.0)),
}


_BAKED_SHINE = {"mouth": 0.05, "tongue": 0.05, "teeth_upper": 0.05, "teeth_lower": 0.05,
                "eye_left": 0.6, "eye_right": 0.6}  # fmt: skip
"""Share of the reflection of parts whose dynamic texture has the footage's highlights and shadow
in it: lips and lids would cover the lamps."""


def matte_inside(materials: Materials) -> Materials:
    """Return materials for a head with a dynamic texture."""
    share = np.ones_like(materials.specular)
    for number, name in enumerate(PART_NAMES):
        share[number] = _BAKED_SHINE.get(name, 1.0)
    return materials._replace(specular=materials.specular * share)


def make_mesh(
    head: Head,
    textures: Mapping[str, NDArray[np.uint8]],
    neck_fade: float,
    refinement: Refinement | None,
) -> Mesh:
    """Prepare a head for drawing.

    Args:
        head: Geometry.
        textures: See `Renderer`.
        neck_fade: Metres.
        refinement: Of the same topology, or none.

    Raises:
        ValueError: A face that names no vertex, or a texture that is none.
    """
    topology = head.topology
    _check_indices(topology.faces, len(head.neutral))
    _check_indices(topology.faces_uv, len(topology.uv))
    parts = np.zeros(len(topology.faces), np.uint8)
    for number, name in enumerate(PART_NAMES):
        parts[topology.parts[name].faces] = number
    presence = _presence(head, neck_fade)
    if refinement is not None:
        parts, presence = np.repeat(parts, 4), refinement.values(presence)
    fine, factor = refinement or topology, 1 if refinement is None else 4
    lashes = topology.parts["lashes"].faces
    rough, specular, scatter = zip(*(_MATERIALS[name] for name in PART_NAMES), strict=True)
    grey = np.full((1, 1, 3), 128, np.uint8)
    return Mesh(
        np.ascontiguousarray(fine.faces, np.int32),
        np.ascontiguousarray(fine.faces_uv, np.int32),
        np.ascontiguousarray(np.nan_to_num(fine.uv), np.float32),
        parts,
        (factor * lashes.start, factor * lashes.stop),
        build_texture(textures.get("albedo", grey), topology),
        build_texture(textures.get("normal"), topology, color=False),
        build_texture(textures.get("orm"), topology, color=False),
        Materials(*(np.array(values, np.float32) for values in (rough, specular, scatter))),
        _coarsest(topology),
        presence,
        build_texture(None, topology),
    )


def _coarsest(topology: Topology) -> NDArray[np.float32]:
    """Return the binary logarithm of a small share of each part's island in the atlas."""
    sides = []
    for name in PART_NAMES:
        corners = topology.uv[topology.faces_uv[topology.parts[name].faces]].reshape(-1, 2)
        sides.append(np.ptp(np.nan_to_num(corners), axis=0).min() if len(corners) else 1.0)
    return np.log2(np.maximum(sides, 1e-6) / _TEXELS_PER_ISLAND).astype(np.float32)


def _check_indices(faces: NDArray[np.int32], count: int) -> None:
    """Refuse what would make the compiled loops read outside their arrays."""
    if faces.size and not 0 <= faces.min() <= faces.max() < count:
        raise ValueError(f"a face names a vertex outside 0..{count - 1}")


def _presence(head: Head, neck_fade: float) -> NDArray[np.float32]:
    """Return 0 at the end of the neck, rising smoothly to 1 within the given length (m)."""
    if neck_fade <= 0:
        return np.ones(len(head.neutral), np.float32)
    end = head.neutral[head.topology.neck_loop]
    nearest = np.full(len(head.neutral), np.inf, np.float32)
    for point in end:
        np.minimum(nearest, np.linalg.norm(head.neutral - point, axis=1), out=nearest)
    share = np.clip(nearest / neck_fade, 0.0, 1.0)
    return (share * share * (3 - 2 * share)).astype(np.float32)
