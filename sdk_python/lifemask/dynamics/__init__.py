"""Textures that change with the expression: regions, training samples, back-ends."""

from lifemask.dynamics._activation import DRIVER_NAMES, activation_masks, driver_values
from lifemask.dynamics._choice import choose_frames
from lifemask.dynamics._compose import (
    add_residual,
    compose,
    region_patches,
    region_rectangle,
    weighted_residual,
)
from lifemask.dynamics._contract import (
    GAZE,
    INPUT_COUNT,
    VIEW,
    DynamicTexture,
    InputRange,
    decode_residual,
    dynamic_input,
    encode_residual,
    view_direction,
)
from lifemask.dynamics._files import BACK_ENDS, read_back_end
from lifemask.dynamics._key import KeyRegion, KeyTexture
from lifemask.dynamics._key_fit import fit_key_textures
from lifemask.dynamics._linear import LinearTexture
from lifemask.dynamics._linear_fit import (
    best_ridges,
    fit_linear,
    held_out,
    residual_errors,
    unseen_shapes,
)
from lifemask.dynamics._network_texture import NetworkTexture
from lifemask.dynamics._ratio import generic_key_textures
from lifemask.dynamics._regions import (
    PROFILE_SIZES,
    REGION_NAMES,
    SKIN_REGIONS,
    Layout,
    Profile,
    Region,
    RegionTexels,
    face_layout,
    layout_texels,
)
from lifemask.dynamics._samples import TextureSamples, texture_samples
from lifemask.dynamics._shader import NetworkShader, ShaderPass, network_shader
from lifemask.dynamics._train import TrainedNetwork, train_network
from lifemask.dynamics._views import PRIOR_WEIGHT, Sampler, SampleView, clip_light_of, packed_albedo

__all__ = [
    "BACK_ENDS",
    "DRIVER_NAMES",
    "GAZE",
    "INPUT_COUNT",
    "PRIOR_WEIGHT",
    "PROFILE_SIZES",
    "REGION_NAMES",
    "SKIN_REGIONS",
    "VIEW",
    "DynamicTexture",
    "InputRange",
    "KeyRegion",
    "KeyTexture",
    "Layout",
    "LinearTexture",
    "NetworkShader",
    "NetworkTexture",
    "Profile",
    "Region",
    "RegionTexels",
    "SampleView",
    "Sampler",
    "ShaderPass",
    "TextureSamples",
    "TrainedNetwork",
    "activation_masks",
    "add_residual",
    "best_ridges",
    "choose_frames",
    "clip_light_of",
    "compose",
    "decode_residual",
    "driver_values",
    "dynamic_input",
    "encode_residual",
    "face_layout",
    "fit_key_textures",
    "fit_linear",
    "generic_key_textures",
    "held_out",
    "layout_texels",
    "network_shader",
    "packed_albedo",
    "read_back_end",
    "region_patches",
    "region_rectangle",
    "residual_errors",
    "texture_samples",
    "train_network",
    "unseen_shapes",
    "view_direction",
    "weighted_residual",
]
