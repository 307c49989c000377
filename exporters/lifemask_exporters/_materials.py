"""The textures and materials of a glTF avatar: plain metallic-roughness, no extensions."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from lifemask.avatar import encode_png

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lifemask_exporters._glb_builder import GlbBuilder

ImageFormat = Literal["jpeg", "png"]

JPEG_QUALITY = 90
NORMAL_STEP = 2
HAIR_STEP = 4
"""Steps of 255 to which pictures are rounded that JPEG would spoil but that may lose a little."""
ALPHA_CUTOFF = 0.5
_MARGIN_PIXELS = 4


class Look(NamedTuple):
    """What a material is like where no texture says it.

    Attributes:
        color: Linear RGB.
        roughness: 0 to 1.
    """

    color: tuple[float, float, float]
    roughness: float


LOOKS = {
    "Skin": Look((0.55, 0.31, 0.22), 0.55),
    "Teeth": Look((0.75, 0.69, 0.58), 0.3),
    "Eyes": Look((0.8, 0.8, 0.8), 0.15),
    "Lashes": Look((0.01, 0.008, 0.006), 0.8),
    "Hair": Look((0.03, 0.02, 0.015), 0.6),
}


def add_materials(
    builder: GlbBuilder, textures: Mapping[str, NDArray[np.uint8]], image_format: ImageFormat
) -> dict[str, int]:
    """Add the materials that share the head atlas: all but the lashes.

    The normal map always is PNG: the blocks of JPEG show in reflections. With JPEG for the others
    it is rounded, which takes a quarter off it.
    """
    albedo = normal = orm = None
    if "albedo" in textures:
        opaque = textures["albedo"][..., :3]
        albedo = builder.add_texture(*_encode(opaque, image_format), "albedo")
    if "normal" in textures:
        bumps = textures["normal"][..., :3]
        if image_format == "jpeg":
            bumps = _rounded(bumps, NORMAL_STEP)
        normal = builder.add_texture(*_encode(bumps, "png"), "normal")
    if "orm" in textures:
        orm = builder.add_texture(*_encode(textures["orm"][..., :3], image_format), "orm")
    return {
        name: builder.add_material(
            name,
            color=_factor(look, albedo),
            roughness=look.roughness if orm is None else 1.0,
            base_color=albedo,
            normal=normal,
            orm=orm,
        )
        for name, look in LOOKS.items()
        if name not in ("Lashes", "Hair")
    }


def add_lash_material(
    builder: GlbBuilder, albedo: NDArray[np.uint8] | None, uv: NDArray[np.float32]
) -> tuple[int, NDArray[np.float32]]:
    """Add the material of the lashes with a texture of their own.

    Coverage needs an alpha channel, which JPEG lacks and a whole atlas as PNG would pay for in
    megabytes; so the lashes' corner of the atlas becomes a small PNG.

    Returns:
        The material, and the UV `(n, 2)` in its texture.
    """
    look = LOOKS["Lashes"]
    texture = cutoff = None
    if albedo is not None:
        picture, uv = crop_atlas(albedo, uv)
        texture = builder.add_texture(*_encode(picture, "png"), "lashes")
        cutoff = ALPHA_CUTOFF if picture.shape[2] == 4 else None
    # Lashes are open cards that are seen from both sides.
    material = builder.add_material(
        "Lashes",
        color=_factor(look, texture),
        roughness=look.roughness,
        base_color=texture,
        alpha_cutoff=cutoff,
        double_sided=True,
    )
    return material, uv


def add_hair_material(
    builder: GlbBuilder, texture: NDArray[np.uint8] | None, image_format: ImageFormat
) -> int:
    """Add the material of the cap of hair: cut out, because blending would need sorted faces."""
    look, base = LOOKS["Hair"], None
    if texture is not None:
        if image_format == "jpeg":
            texture = _rounded(texture, HAIR_STEP)
        base = builder.add_texture(*_encode(texture, "png"), "hair")
    return builder.add_material(
        "Hair",
        color=_factor(look, base),
        roughness=look.roughness,
        base_color=base,
        alpha_cutoff=None if base is None else ALPHA_CUTOFF,
        double_sided=True,
    )


def crop_atlas(
    picture: NDArray[np.uint8], uv: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Cut out what `uv` `(n, 2)` covers; sides are powers of two where the picture is as large.

    Returns:
        The cut-out, and the UV that show the same pixels in it.
    """
    size = np.array(picture.shape[1::-1])
    low = np.floor(uv.min(axis=0) * size).astype(int) - _MARGIN_PIXELS
    high = np.ceil(uv.max(axis=0) * size).astype(int) + _MARGIN_PIXELS
    side = np.minimum(2 ** np.ceil(np.log2(np.maximum(high - low, 1))).astype(int), size)
    left, top = np.clip(low, 0, size - side)
    cut = picture[top : top + side[1], left : left + side[0]]
    return cut, ((uv * size - [left, top]) / side).astype(np.float32)


def _rounded(image: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Round to multiples of a step; 255, which covers fully, stays."""
    table = (np.arange(256) + step // 2) // step * step
    return np.minimum(table, 255).astype(np.uint8)[image]


def _factor(look: Look, texture: int | None) -> tuple[float, ...]:
    return (*look.color, 1.0) if texture is None else (1.0, 1.0, 1.0, 1.0)


def _encode(image: NDArray[np.uint8], image_format: ImageFormat) -> tuple[bytes, str]:
    """Return the encoded picture and its media type; JPEG keeps full colour resolution."""
    if image_format == "png":
        return encode_png(image), "image/png"
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    return buffer.getvalue(), "image/jpeg"
