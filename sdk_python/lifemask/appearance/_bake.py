"""From pictures and their fits to the textures of the head atlas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._atlas import Texels
from lifemask.appearance._eyes import iris_and_sclera, paint_eye, paint_lashes
from lifemask.appearance._hair import paint_hair
from lifemask.appearance._mouth import paint_cavity, paint_teeth, paint_tongue
from lifemask.appearance._projection import project_picture
from lifemask.appearance._pyramid import push_pull
from lifemask.appearance._skin import fill_skin, merge_views

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lifemask.heads import Head, Topology
    from lifemask.tracking import PhotoFit

ATLAS_SIZE: Final = 2048

_LASH_COLOUR: Final = np.array([0.10, 0.075, 0.06], np.float32)
_ROUGHNESS: Final = {
    "skin": 0.55, "mouth": 0.35, "tongue": 0.4, "teeth_upper": 0.2, "teeth_lower": 0.2,
    "eye_left": 0.08, "eye_right": 0.08, "lashes": 0.8,
}  # fmt: skip
_LIP_ROUGHNESS: Final = 0.38
_HAIR_ROUGHNESS: Final = 0.7
_OCCLUSION: Final = {"mouth": 0.45, "tongue": 0.6, "teeth_upper": 0.8, "teeth_lower": 0.75}


@dataclass(frozen=True)
class BakedTextures:
    """Textures of one head.

    Attributes:
        albedo: `(size, size, 4)` uint8 sRGB; the fourth channel is the coverage of the lashes.
        orm: `(size / 2, size / 2, 3)` uint8 linear: occlusion, roughness, metallic; priors by
            region, not measured.
        provenance: `(size, size)` uint8: 255 seen in a picture, 0 filled in.
    """

    albedo: NDArray[np.uint8]
    orm: NDArray[np.uint8]
    provenance: NDArray[np.uint8]


def bake_textures(
    head: Head,
    images: Sequence[NDArray[np.uint8]],
    fits: Sequence[PhotoFit],
    *,
    size: int = ATLAS_SIZE,
) -> BakedTextures:
    """Project pictures into the head atlas and fill in what they do not show.

    Light is estimated per picture with order-2 spherical harmonics and mostly divided out; views
    merge by visibility and viewing angle; unseen skin comes from the other side or continues
    smoothly; hair, eyes, lashes and the inside of the mouth are painted in the person's colours.

    Args:
        head: Of the person.
        images: `(h, w, 3)` uint8 sRGB, one per fit.
        fits: Pose, camera, expression and gaze of each picture.
        size: Width and height of the albedo, texels.

    Raises:
        ValueError: No picture, or a different number of pictures and fits.
    """
    if not images or len(images) != len(fits):
        raise ValueError(f"{len(images)} images and {len(fits)} fits")
    skin = Texels.of(head.topology, size, ("skin",))
    views = [project_picture(i, f, head, skin) for i, f in zip(images, fits, strict=True)]
    seen = merge_views(skin, views)
    albedo = paint_hair(fill_skin(skin, seen), skin, seen, head, (images, fits))
    lips = _mean_lips(skin, albedo)
    covered = np.zeros((size, size), np.float32)
    covered.ravel()[skin.index] = 1.0
    alpha = np.ones((size, size), np.float32)
    for texels, colours, coverage in _painted_parts(head, size, images, fits, lips):
        albedo.reshape(-1, 3)[texels.index] = colours
        covered.ravel()[texels.index] = 1.0
        if coverage is not None:
            alpha.ravel()[texels.index] = coverage
    # Gutters continue the islands, so that filtering and mip levels do not bleed.
    albedo = push_pull(albedo, covered)
    rgba = np.dstack([np.clip(albedo, 0, 1), alpha])
    return BakedTextures(
        np.round(255 * rgba).astype(np.uint8),
        _orm(head.topology, size // 2),
        np.round(255 * np.clip(seen.weight, 0, 1)).astype(np.uint8),
    )


def _painted_parts(
    head: Head,
    size: int,
    images: Sequence[NDArray[np.uint8]],
    fits: Sequence[PhotoFit],
    lips: NDArray[np.float32],
) -> Iterator[tuple[Texels, NDArray[np.float32], NDArray[np.float32] | None]]:
    """Yield texels, colours and coverage of all parts but the skin."""
    topology = head.topology
    iris, sclera = iris_and_sclera(images, fits)
    for side in ("left", "right"):
        texels = Texels.of(topology, size, (f"eye_{side}",))
        yield texels, paint_eye(texels, head, side, iris, sclera), None
    texels = Texels.of(topology, size, ("mouth",))
    yield texels, paint_cavity(texels, head, lips), None
    texels = Texels.of(topology, size, ("tongue",))
    yield texels, paint_tongue(texels, head), None
    for part in ("teeth_upper", "teeth_lower"):
        texels = Texels.of(topology, size, (part,))
        yield texels, paint_teeth(texels, head), None
    texels = Texels.of(topology, size, ("lashes",))
    colours = np.broadcast_to(_LASH_COLOUR, (len(texels.index), 3))
    yield texels, colours, paint_lashes(texels)


def _mean_lips(skin: Texels, albedo: NDArray[np.float32]) -> NDArray[np.float32]:
    inner = skin.mask("lips") > 0.9
    return np.median(albedo.reshape(-1, 3)[skin.index[inner]], axis=0).astype(np.float32)


def _orm(topology: Topology, size: int) -> NDArray[np.uint8]:
    """Lay out priors by region."""
    picture = np.zeros((size, size, 3), np.float32)
    covered = np.zeros((size, size), np.float32)
    for part, roughness in _ROUGHNESS.items():
        texels = Texels.of(topology, size, (part,))
        rough = np.full(len(texels.index), roughness, np.float32)
        if part == "skin":
            rough += (_LIP_ROUGHNESS - roughness) * texels.mask("lips")
            rough += (_HAIR_ROUGHNESS - roughness) * texels.mask("hair")
        occlusion = np.full(len(rough), _OCCLUSION.get(part, 1.0), np.float32)
        values = np.stack([occlusion, rough, np.zeros_like(rough)], axis=1)
        picture.reshape(-1, 3)[texels.index] = values
        covered.ravel()[texels.index] = 1.0
    return np.round(255 * np.clip(push_pull(picture, covered), 0, 1)).astype(np.uint8)
