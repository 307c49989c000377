"""From pictures to textures of the head atlas."""

from lifemask.appearance._atlas import Texels, sample_bilinear
from lifemask.appearance._bake import ATLAS_SIZE, BakedTextures, bake_textures
from lifemask.appearance._lighting import harmonics
from lifemask.appearance._provenance import Provenance

__all__ = [
    "ATLAS_SIZE",
    "BakedTextures",
    "Provenance",
    "Texels",
    "bake_textures",
    "harmonics",
    "sample_bilinear",
]
