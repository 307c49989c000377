"""Hair on the scalp, as texture: colour and hairline from the pictures, strands from noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._atlas import sample_bilinear
from lifemask.appearance._noise import periodic_noise
from lifemask.appearance._pyramid import grow
from lifemask.geometry import vertex_normals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.appearance._atlas import Texels
    from lifemask.appearance._skin import SeenSkin
    from lifemask.heads import Head
    from lifemask.tracking import PhotoFit

_BALD: Final = 0.36
"""Share of the rim of the seen scalp that has to differ from skin for hair to be painted."""
_LIFTS: Final = (0.005, 0.010, 0.015)
"""Metres outside of the scalp at which hair is read."""
_SAME_HAIR: Final = 0.45
"""Sum of the differences of three channels up to which a colour belongs to hair of the rim."""
_OFF_SKULL: Final = 0.3
"""Share of what lies outside of the scalp that has to be hair for the hair to have volume."""
_LEAST: Final = 20
"""Samples that a colour is read from at the least."""
_NONE: Final = 0.01
"""Coverage below which no strand is drawn: the broken edge has none left there."""
_DEFAULT_HAIR: Final = np.array([0.22, 0.17, 0.13], np.float32)
_STRANDS: Final = (1400, 10)
_STRANDS_PER_TEXEL: Final = 0.68
"""Cells around the head for each texel along a side of the atlas, at most."""
_LOCKS: Final = (160, 6)


def hair_colour(
    head: Head,
    images: Sequence[NDArray[np.uint8]],
    fits: Sequence[PhotoFit],
    rim: NDArray[np.float32],
) -> tuple[NDArray[np.float32], float]:
    """Read colour `(3,)` sRGB and contrast (relative standard deviation) of a person's hair.

    Hair stands off the skull: it is read a centimetre outside of the scalp's outline, between
    the temples. What differs there from the rim of the scalp is the backdrop behind short hair.

    Args:
        head: Of the person.
        images: Pictures.
        fits: Of the pictures.
        rim: `(n, 3)` sRGB in [0, 1] of hair on the rim of the visible scalp.
    """
    outside = _around_scalp(head, images, fits)
    if len(rim) >= _LEAST:
        near = np.abs(outside - np.median(rim, axis=0)).sum(axis=1) < _SAME_HAIR
        outside = outside[near] if near.mean() > _OFF_SKULL else rim
    if len(outside) < _LEAST:
        return _DEFAULT_HAIR, 0.15
    tone = np.median(outside, axis=0)
    near = np.abs(outside - tone).sum(axis=1) < 0.35
    contrast = float(np.std(outside[near].mean(axis=1))) / max(float(tone.mean()), 0.05)
    return tone.astype(np.float32), float(np.clip(contrast, 0.08, 0.3))


def _around_scalp(
    head: Head, images: Sequence[NDArray[np.uint8]], fits: Sequence[PhotoFit]
) -> NDArray[np.float32]:
    """Return the colours `(n, 3)` of the pictures a little outside of the scalp."""
    samples = []
    for image, fit in zip(images, fits, strict=True):
        at = fit.pose.apply(head.vertices(fit.coefficients))
        normals = vertex_normals(at, head.topology.faces)
        facing = -(normals * at).sum(axis=1) / np.linalg.norm(at, axis=1)
        brow = head.landmarks(head.neutral)[[105, 334], 1].max()
        chosen = (head.topology.masks["hair"] > 0.5) & (head.neutral[:, 1] > brow)
        chosen &= (facing > -0.15) & (facing < 0.45)
        for lift in _LIFTS:
            pixels = fit.camera.project((at + lift * normals)[chosen])
            inside = np.all((pixels > 0) & (pixels < [image.shape[1], image.shape[0]]), axis=1)
            samples.append(sample_bilinear(image, pixels[inside]) / np.float32(255))
    return np.concatenate(samples)


def paint_hair(
    skin: NDArray[np.float32],
    texels: Texels,
    seen: SeenSkin,
    head: Head,
    pictures: tuple[Sequence[NDArray[np.uint8]], Sequence[PhotoFit]],
    seed: int = 0,
) -> NDArray[np.float32]:
    """Return the skin picture with hair where the person has it.

    Where a picture shows scalp or forehead squarely, what is not skin is hair and keeps its
    pixels; elsewhere the usual hairline of the asset decides and strands are drawn in the
    person's hair colour.

    Args:
        skin: `(size, size, 3)` sRGB in [0, 1].
        texels: Of the skin at the size of the evidence, which may be smaller.
        seen: The evidence.
        head: Of the person.
        pictures: Pictures and their fits.
        seed: Of the strands.
    """
    usual = texels.mask("hair")
    facing = seen.facing.ravel()[texels.index]
    unlike = 1 - seen.likeness.ravel()[texels.index]
    # Over the forehead every picture from the front shows hair if there is any: a high hairline
    # leaves it on the rim of the visible scalp only.
    points = head.landmarks(head.neutral)
    above = texels.spread(head.neutral[:, 1]) > points[10, 1]
    rim = (usual > 0.5) & above & (facing > 0.04) & (facing < 0.35)
    if rim.sum() < 50 or unlike[rim].mean() < _BALD:
        return skin
    on_rim = seen.lit.reshape(-1, 3)[texels.index[rim & (unlike > 0.5)]]
    tone, contrast = hair_colour(head, *pictures, on_rim)
    lit = texels.smooth(seen.lit.reshape(-1, 3)[texels.index], texels.size / 200.0)
    unlike = unlike * _no_highlight(lit, tone, seen.tone.encoded)
    # Forehead above the landmarks' oval may be covered too; ears and cheeks are left alone.
    possible = np.clip(usual + texels.mask("face") * _forehead(texels, head), 0, 1)
    squarely = np.clip((facing - 0.25) / 0.25, 0, 1)
    coverage = possible * squarely * unlike + usual * (1 - squarely)
    coverage = texels.smooth(coverage, texels.size / 500.0)
    own = np.clip((facing - 0.4) / 0.3, 0, 1) * (unlike > 0.5)
    own = texels.smooth(own, texels.size / 400.0)
    some = coverage > _NONE
    hairy, coverage, own = texels.where(some), coverage[some], own[some, None]
    soft = _strand_edge(hairy, head, coverage, seed)[:, None]
    # Light fitted to skin says nothing about the crown, so hair keeps the picture's own.
    lit = seen.lit.reshape(-1, 3)[hairy.index]
    painted = own * lit + (1 - own) * _strands(hairy, head, tone, contrast, seed)
    return _laid_over(skin, texels, hairy.image(np.concatenate([painted * soft, soft], axis=1)))


def _laid_over(
    skin: NDArray[np.float32], texels: Texels, hair: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the skin under hair `(size, size, 4)`, which is multiplied by its coverage."""
    size = skin.shape[0]
    if size != texels.size:
        # Islands end between texels; beyond them there is no bare skin that may shine through.
        covered = texels.image(np.ones(len(texels.index), np.float32))
        hair = grow(hair, size, size)
        hair /= np.maximum(grow(covered, size, size), 1e-3)[..., None]
        np.clip(hair, 0, 1, out=hair)
    return np.asarray(skin * (1 - hair[..., 3:]) + hair[..., :3], np.float32)


def _no_highlight(
    colours: NDArray[np.float32], hair: NDArray[np.float32], skin: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`(n,)` in [0, 1]: not brighter than the skin, where the hair is darker than it."""
    if hair.mean() > 0.9 * skin.mean():
        return np.ones(len(colours), np.float32)
    return np.clip((1.12 - colours.mean(axis=1) / skin.mean()) / 0.12, 0, 1)


def _forehead(texels: Texels, head: Head) -> NDArray[np.float32]:
    """`(n,)` in [0, 1]: above the middle of the forehead."""
    points = head.landmarks(head.neutral)
    brow, top = points[[105, 334], 1].mean(), points[10, 1]
    height = texels.spread(head.neutral[:, 1])
    return np.clip((height - brow) / (top - brow) * 2.0 - 0.9, 0, 1)


def _meridians(texels: Texels, head: Head) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return azimuth and polar position `(n,)` in [0, 1] around an axis through the crown."""
    skin = head.topology.parts["skin"].vertices
    top = head.neutral[skin][np.argmax(head.neutral[skin][:, 1])]
    away = texels.spread(head.neutral) - np.array([0.0, 0.03, top[2] - 0.02], np.float32)
    azimuth = np.arctan2(away[:, 0], away[:, 2]) / (2 * np.pi)
    polar = np.arctan2(np.hypot(away[:, 0], away[:, 2]), away[:, 1]) / np.pi
    return azimuth.astype(np.float32), polar.astype(np.float32)


def _strand_cells(texels: Texels) -> tuple[int, int]:
    """Return cells around and down: no strands finer than the texels."""
    around, down = _STRANDS
    return min(around, round(_STRANDS_PER_TEXEL * texels.size)), down


def _strands(
    texels: Texels, head: Head, tone: NDArray[np.float32], contrast: float, seed: int
) -> NDArray[np.float32]:
    azimuth, polar = _meridians(texels, head)
    fine = periodic_noise(azimuth + 0.03 * polar, polar, _strand_cells(texels), seed)
    locks = periodic_noise(azimuth + 0.05 * polar, polar, _LOCKS, seed + 1)
    shade = (0.6 * fine + 0.5 * locks) * contrast
    return np.clip(tone * (1 + shade[:, None]), 0, 1).astype(np.float32)


def _strand_edge(
    texels: Texels, head: Head, coverage: NDArray[np.float32], seed: int
) -> NDArray[np.float32]:
    """Return the coverage `(n,)`, broken up along the strands instead of fading like paint."""
    azimuth, polar = _meridians(texels, head)
    noise = periodic_noise(azimuth, polar, _strand_cells(texels), seed + 2)
    value = np.clip(
        (coverage - 0.5) * 1.6 + 0.5 + 0.16 * noise * 4 * coverage * (1 - coverage), 0, 1
    )
    return np.asarray(value * value * (3 - 2 * value), np.float32)
