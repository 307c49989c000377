"""Occlusion, roughness and metalness: priors by region, geometry, and the detail of the skin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._atlas import Texels
from lifemask.appearance._pyramid import blur, push_pull, shrink
from lifemask.appearance._thickness import FULL_SCALE, vertex_thickness
from lifemask.geometry import sky_visibility, vertex_normals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head

_ROUGHNESS: Final = {
    "skin": 0.55, "mouth": 0.3, "tongue": 0.32, "teeth_upper": 0.16, "teeth_lower": 0.16,
    "eye_left": 0.06, "eye_right": 0.06, "lashes": 0.8,
}  # fmt: skip
_SKIN_REGIONS: Final = (("lips", 0.36), ("eyelids", 0.48), ("ears", 0.52), ("neck", 0.6))
_HAIR_ROUGHNESS: Final = 0.7
_OILY: Final = 0.44
"""Roughness of forehead, nose and chin, where skin is oily."""
_OILY_PLACES: Final = ((9, 0.032), (151, 0.034), (4, 0.018), (195, 0.013), (199, 0.018))
"""Landmarks of the T-zone and how far (m) their influence reaches."""
_GUMS: Final = 0.24
_MODULATION: Final = 0.09
"""Largest change of the roughness by the fine structure: pits are dull, ridges shine."""
_OCCLUSION: Final = {"mouth": 0.45, "tongue": 0.6, "teeth_upper": 0.8, "teeth_lower": 0.75}
"""Inside the mouth, as an open mouth needs it: at rest nothing would be left of it."""
_DEPTH: Final = 0.7
"""Share of the geometric occlusion that is baked: colours hold part of it already."""


def occlusion_roughness(head: Head, albedo: NDArray[np.floating], size: int) -> NDArray[np.uint8]:
    """Return `(size, size, 3)` uint8 linear: occlusion, roughness, metalness.

    Occlusion of the skin is measured on the resting head; roughness is a prior by region,
    modulated by the fine structure of the albedo. None of it is measured from pictures.

    Args:
        head: Of the person.
        albedo: `(n, n, 3)` sRGB in [0, 1].
        size: Of the map.
    """
    topology = head.topology
    picture = np.zeros((size, size, 3), np.float32)
    covered = np.zeros((size, size), np.float32)
    fine = _fine_structure(albedo, size)
    for part, usual in _ROUGHNESS.items():
        texels = Texels.of(topology, size, (part,))
        occlusion = np.full(len(texels.index), _OCCLUSION.get(part, 1.0), np.float32)
        rough = np.full(len(texels.index), usual, np.float32)
        if part == "skin":
            occlusion = texels.spread(_skin_occlusion(head))
            rough = _skin_roughness(texels, head) + fine.ravel()[texels.index]
        if part.startswith("teeth"):
            rough += (_GUMS - usual) * (1 - texels.mask("enamel"))
        values = np.stack([occlusion, rough, np.zeros_like(rough)], axis=1)
        picture.reshape(-1, 3)[texels.index] = values
        covered.ravel()[texels.index] = 1.0
    return np.round(255 * np.clip(push_pull(picture, covered), 0, 1)).astype(np.uint8)


def thickness_map(head: Head, size: int) -> NDArray[np.uint8]:
    """Return `(size, size)` uint8 linear thickness of the skin; 255 is `FULL_SCALE` metres.

    What is not skin is shown as thick.
    """
    texels = Texels.of(head.topology, size, ("skin",))
    covered = np.zeros((size, size), np.float32)
    covered.ravel()[texels.index] = 1.0
    picture = texels.image(texels.spread(vertex_thickness(head)))[..., None]
    metres = push_pull(picture, covered)[..., 0]
    others = [name for name in head.topology.parts if name != "skin"]
    metres.ravel()[Texels.of(head.topology, size, tuple(others)).index] = FULL_SCALE
    return np.round(255 * np.clip(metres / FULL_SCALE, 0, 1)).astype(np.uint8)


def _skin_occlusion(head: Head) -> NDArray[np.float32]:
    topology = head.topology
    solid = topology.faces[: topology.parts["lashes"].faces.start]
    normals = vertex_normals(head.neutral, topology.faces)
    return (1 - _DEPTH * (1 - sky_visibility(head.neutral, normals, solid))).astype(np.float32)


def _skin_roughness(texels: Texels, head: Head) -> NDArray[np.float32]:
    rough = np.full(len(texels.index), _ROUGHNESS["skin"], np.float32)
    landmarks = head.landmarks(head.neutral)
    oily = np.zeros(len(head.neutral), np.float32)
    for landmark, reach in _OILY_PLACES:
        square = ((head.neutral - landmarks[landmark]) ** 2).sum(axis=1)
        np.maximum(oily, np.exp(-square / reach**2), out=oily)
    rough += (_OILY - rough) * texels.spread(oily)
    for region, usual in (*_SKIN_REGIONS, ("hair", _HAIR_ROUGHNESS)):
        rough += (usual - rough) * texels.mask(region)
    return rough


def _fine_structure(albedo: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """Return the change of the roughness `(size, size)`: dull in pits, shiny on ridges."""
    grey = shrink(np.asarray(albedo, np.float32).mean(axis=2), size, size)
    band = blur(grey, size / 1200) - blur(grey, size / 200)
    scale = max(float(np.median(np.abs(band[band != 0]))) if band.any() else 0.0, 0.004)
    return np.asarray(-_MODULATION * np.tanh(0.4 * band / scale), np.float32)
