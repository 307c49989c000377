"""Hair caps in the renderer: joined to the head's arrays, cut out by their coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.heads import PART_NAMES
from lifemask.rendering._scene import Fragments, Materials, Mesh, Surface
from lifemask.rendering._textures import plain_texture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.appearance import HairCap
    from lifemask.geometry import Camera, Pose

HAIR_PART = len(PART_NAMES)
"""Part number of hair in the renderer: after those of the head."""

_ROUGHNESS, _SPECULAR, _SCATTER = 0.55, 0.35, (0.25, 0.22, 0.2)
_END_OF_NECK = -0.09
"""Metres, head frame, above which hair is short: its end does not fade with the neck's."""
_INSIDE = np.float32(0.45)
"""How much of the sky the inner side of a curtain of hair sees."""


def with_hair(mesh: Mesh, hair: HairCap, texture: NDArray[np.uint8], fade: float) -> Mesh:
    """Return the mesh with the faces of a hair cap after those of the head.

    Args:
        mesh: Of the head.
        hair: Cap; its texture is its own.
        texture: `(h, w, 4)` uint8 sRGB with coverage.
        fade: Metres over which the lower end of long hair fades, as the neck does.
    """
    vertex, corner = len(mesh.presence), len(mesh.uv)
    _check(hair)
    height = hair.vertices[:, 1]
    end = np.clip((height - height.min(initial=0.0)) / max(fade, 1e-6), 0, 1)
    # Only curtains reach down to the end of the neck; short hair ends above it.
    low = fade > 0 and len(height) > 0 and float(height.min()) < _END_OF_NECK
    presence = end if low else np.ones(len(height))
    materials = Materials(
        np.append(mesh.materials.roughness, np.float32(_ROUGHNESS)),
        np.append(mesh.materials.specular, np.float32(_SPECULAR)),
        np.concatenate([mesh.materials.scatter, np.array([_SCATTER], np.float32)]),
    )
    return mesh._replace(
        faces=np.concatenate([mesh.faces, hair.faces + np.int32(vertex)]).astype(np.int32),
        faces_uv=np.concatenate([mesh.faces_uv, hair.faces + np.int32(corner)]).astype(np.int32),
        uv=np.concatenate([mesh.uv, hair.uv]).astype(np.float32),
        parts=np.append(mesh.parts, np.full(len(hair.faces), HAIR_PART, np.uint8)),
        hair=plain_texture(texture),
        materials=materials,
        coarsest=np.append(mesh.coarsest, np.float32(-4.0)),
        presence=np.append(mesh.presence, presence.astype(np.float32)),
    )


def _check(hair: HairCap) -> None:
    count = len(hair.vertices)
    if hair.uv.shape != (count, 2) or hair.normals.shape != (count, 3):
        raise ValueError("a hair cap's vertices, uv and normals do not belong together")
    if hair.faces.size and not 0 <= hair.faces.min() <= hair.faces.max() < count:
        raise ValueError(f"a face of the hair names a vertex outside 0..{count - 1}")


def add_hair_surface(surface: Surface, hair: HairCap, pose: Pose, camera: Camera) -> Surface:
    """Return the surface of one frame with the vertices of the hair after those of the head."""
    from lifemask.rendering._surface_kernels import texel_footprints

    at = np.asarray(pose.apply(hair.vertices.astype(np.float64)), np.float64)
    points = np.column_stack([camera.project(at), -at[:, 2]]).astype(np.float64)
    footprints = np.empty(len(hair.faces), np.float32)
    texel_footprints(points, hair.faces, hair.faces, hair.uv, footprints)
    normals = hair.normals @ pose.rotation.T.astype(np.float32)
    return Surface(
        np.concatenate([surface.points, points]),
        np.concatenate([surface.positions, at.astype(np.float32)]),
        np.concatenate([surface.normals, normals]).astype(np.float32),
        np.append(surface.open_sky, np.ones(len(at), np.float32)),
        np.append(surface.footprints, footprints),
    )


def shade_hair(
    mesh: Mesh, fragments: Fragments, count: int, scratch: NDArray[np.float32]
) -> NDArray[np.intp]:
    """Give fragments of hair the colours of its texture, and turn their normals to the viewer.

    Args:
        mesh: With hair.
        fragments: Located already.
        count: How many there are.
        scratch: `(n, 4)` room.

    Returns:
        The rows that show hair.
    """
    from lifemask.rendering._texture_kernels import sample

    rows = np.flatnonzero(fragments.part[:count] == HAIR_PART)
    if len(rows):
        uv, footprint = fragments.uv[rows], fragments.footprint[rows]
        sample(mesh.hair, uv, footprint, len(rows), scratch)
        fragments.color[rows] = scratch[: len(rows)]
        facing = (fragments.normal[rows] * fragments.toward[rows]).sum(axis=1)
        behind = rows[facing < 0]
        fragments.normal[behind] *= np.float32(-1)
        fragments.open_sky[behind] *= _INSIDE
    return rows
