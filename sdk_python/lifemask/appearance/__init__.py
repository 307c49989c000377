"""From pictures to textures of the head atlas."""

from lifemask.appearance._atlas import Texels, sample_bilinear
from lifemask.appearance._bake import ATLAS_SIZE, BakedTextures, bake_textures
from lifemask.appearance._clip_light import ClipLight, Lit, fit_clip_light
from lifemask.appearance._hair_cap import HAIR_SIZE, FittedHair, HairCap, fit_hair_cap
from lifemask.appearance._lighting import harmonics
from lifemask.appearance._opening_shadows import LidShadow, MouthShadow
from lifemask.appearance._provenance import Provenance

__all__ = [
    "ATLAS_SIZE",
    "HAIR_SIZE",
    "BakedTextures",
    "ClipLight",
    "FittedHair",
    "HairCap",
    "LidShadow",
    "Lit",
    "MouthShadow",
    "Provenance",
    "Texels",
    "bake_textures",
    "fit_clip_light",
    "fit_hair_cap",
    "harmonics",
    "sample_bilinear",
]
