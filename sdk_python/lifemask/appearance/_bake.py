"""From pictures and their fits to the textures of the head atlas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._atlas import Texels
from lifemask.appearance._eyes import CHEEKS, iris_and_sclera, paint_eye, paint_lashes
from lifemask.appearance._hair import paint_hair
from lifemask.appearance._mouth import enamel_shade, paint_cavity, paint_teeth, paint_tongue
from lifemask.appearance._provenance import seen_share
from lifemask.appearance._pyramid import push_pull
from lifemask.appearance._relief import relief_normals
from lifemask.appearance._skin_maps import default_groups, skin_maps
from lifemask.appearance._surface_maps import occlusion_roughness, thickness_map
from lifemask.heads import PART_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from lifemask.heads import Head
    from lifemask.tracking import PhotoFit

ATLAS_SIZE: Final = 2048

_THICKNESS_SIZE: Final = 512
_LASH_COLOUR: Final = np.array([0.10, 0.075, 0.06], np.float32)


@dataclass(frozen=True)
class BakedTextures:
    """Textures of one head, in its atlas.

    Attributes:
        albedo: `(size, size, 4)` uint8 sRGB without light; the fourth channel is the coverage of
            the lashes.
        orm: `(size / 2, size / 2, 3)` uint8 linear: occlusion measured on the resting head,
            roughness by region, metalness zero.
        normal: `(size / 2, size / 2, 3)` uint8 tangent-space normals, +Y up, derived from the
            albedo.
        thickness: uint8 linear, at most 512 texels wide, 255 is 40 mm.
        provenance: `(size, size)` uint8, one of `Provenance` for each texel.
        metrics: What was measured on the way, flat, with units in the names.
    """

    albedo: NDArray[np.uint8]
    orm: NDArray[np.uint8]
    normal: NDArray[np.uint8]
    thickness: NDArray[np.uint8]
    provenance: NDArray[np.uint8]
    metrics: Mapping[str, float | int | str | bool]

    def textures(self) -> dict[str, NDArray[np.uint8]]:
        """Return the pictures by the names that they have in a package."""
        names = ("albedo", "orm", "normal", "thickness", "provenance")
        return {name: getattr(self, name) for name in names}


def bake_textures(
    head: Head,
    images: Sequence[NDArray[np.uint8]],
    fits: Sequence[PhotoFit],
    *,
    size: int = ATLAS_SIZE,
    groups: Sequence[int] | None = None,
    delight: bool = True,
) -> BakedTextures:
    """Project pictures into the head atlas and fill in what they do not show.

    Views are moved onto each other by optical flow in the atlas; exposure, white balance and an
    order-2 light are solved jointly and divided out; a robust merge by visibility and viewing
    angle follows; unseen skin comes from the other side, or continues with detail quilted from
    cheeks and forehead; hair, eyes, lashes and the inside of the mouth are painted in the
    person's colours.

    Args:
        head: Of the person.
        images: `(h, w, 3)` uint8 sRGB, one per fit.
        fits: Pose, camera, expression and gaze of each picture.
        size: Width and height of the albedo, texels.
        groups: A number for each picture; those that share one were taken under one light that
            stood still. When left out, pictures of the same camera are taken for frames of a
            clip.
        delight: Whether to take the light out of the colours; without, only for comparison.

    Raises:
        ValueError: No picture, or a different number of pictures and fits.
    """
    if not images or len(images) != len(fits):
        raise ValueError(f"{len(images)} images and {len(fits)} fits")
    skin = Texels.of(head.topology, size, ("skin",))
    maps = skin_maps(head, images, fits, skin, groups or default_groups(fits), delight=delight)
    albedo = paint_hair(maps.colour, maps.texels, maps.seen, head, (images, fits))
    lips = _mean_lips(skin, albedo)
    covered = np.zeros((size, size), np.float32)
    covered.ravel()[skin.index] = 1.0
    alpha = np.ones((size, size), np.float32)
    for texels, colours, coverage in _painted_parts(
        head, size, images, fits, lips, _mean_cheeks(head, albedo)
    ):
        albedo.reshape(-1, 3)[texels.index] = colours
        covered.ravel()[texels.index] = 1.0
        if coverage is not None:
            alpha.ravel()[texels.index] = coverage
    # Gutters continue the islands, so that filtering and mip levels do not bleed.
    albedo = push_pull(albedo, covered)
    rgba = np.dstack([np.clip(albedo, 0, 1), alpha])
    everything = Texels.of(head.topology, size // 2, PART_NAMES)
    half = Texels.of(head.topology, size // 2, ("skin",))
    return BakedTextures(
        np.round(255 * rgba).astype(np.uint8),
        occlusion_roughness(head, albedo, size // 2),
        relief_normals(albedo, half, everything, size // 2),
        thickness_map(head, min(size, _THICKNESS_SIZE)),
        maps.labels,
        {**maps.metrics, "texture_seen_share": seen_share(skin, maps.labels)},
    )


def _painted_parts(
    head: Head,
    size: int,
    images: Sequence[NDArray[np.uint8]],
    fits: Sequence[PhotoFit],
    lips: NDArray[np.float32],
    cheek: NDArray[np.float32],
) -> Iterator[tuple[Texels, NDArray[np.float32], NDArray[np.float32] | None]]:
    """Yield texels, colours and coverage of all parts but the skin."""
    topology = head.topology
    iris, sclera = iris_and_sclera(images, fits, cheek)
    shade, _ = enamel_shade(images, fits)
    for side in ("left", "right"):
        texels = Texels.of(topology, size, (f"eye_{side}",))
        yield texels, paint_eye(texels, head, side, iris, sclera), None
    texels = Texels.of(topology, size, ("mouth",))
    yield texels, paint_cavity(texels, head, lips), None
    texels = Texels.of(topology, size, ("tongue",))
    yield texels, paint_tongue(texels, head, lips), None
    for part in ("teeth_upper", "teeth_lower"):
        texels = Texels.of(topology, size, (part,))
        yield texels, paint_teeth(texels, head, shade, lips), None
    texels = Texels.of(topology, size, ("lashes",))
    colours = np.broadcast_to(_LASH_COLOUR, (len(texels.index), 3))
    yield texels, colours, paint_lashes(texels)


def _mean_cheeks(head: Head, albedo: NDArray[np.float32]) -> NDArray[np.float32]:
    topology = head.topology
    rows = topology.landmark_faces[list(CHEEKS)]
    places = topology.uv[topology.faces_uv[rows]].mean(axis=1) * len(albedo)
    columns, lines = np.clip(places, 0, len(albedo) - 1).astype(int).T
    return np.median(albedo[lines, columns], axis=0).astype(np.float32)


def _mean_lips(skin: Texels, albedo: NDArray[np.float32]) -> NDArray[np.float32]:
    inner = skin.mask("lips") > 0.9
    return np.median(albedo.reshape(-1, 3)[skin.index[inner]], axis=0).astype(np.float32)
