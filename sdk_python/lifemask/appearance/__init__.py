"""From pictures to textures of the head atlas."""

from lifemask.appearance._bake import ATLAS_SIZE, BakedTextures, bake_textures
from lifemask.appearance._provenance import Provenance

__all__ = ["ATLAS_SIZE", "BakedTextures", "Provenance", "bake_textures"]
