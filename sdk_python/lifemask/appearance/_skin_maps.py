"""From pictures to the whole skin: unwrap, align, take the light out, merge, complete."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._alignment import align_views, sharpness
from lifemask.appearance._atlas import Texels, sample_bilinear
from lifemask.appearance._evenness import even_sides, without_highlights
from lifemask.appearance._glasses import glasses_mask, wears_glasses
from lifemask.appearance._lighting import Light, fit_joint_light
from lifemask.appearance._merge import merge_views
from lifemask.appearance._projection import pixels_per_texel, project_picture
from lifemask.appearance._provenance import Provenance, provenance
from lifemask.appearance._pyramid import push_pull
from lifemask.appearance._quilting import synthesise_detail
from lifemask.appearance._skin import SeenSkin, fill_skin, plain_skin, skin_tone
from lifemask.geometry import linear_to_srgb, srgb_to_linear
from lifemask.heads import JOINT_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lifemask.appearance._projection import View
    from lifemask.heads import Head
    from lifemask.tracking import PhotoFit

_DELIGHT: Final = 0.78
"""Share of the estimated shading that is divided out; the rest hides errors of the estimate."""
_SAMPLES: Final = 3000
_FEWEST: Final = 300
"""Texels of plain skin that a light is estimated from at the least."""
_FINE_ENOUGH: Final = 0.9
"""Pixels per texel up to which nothing of a picture is lost."""
_SMALLEST: Final = 512
_LENS: Final = 0.042
"""Metres from the middle of an eye to the rim of the largest lens."""
_SHARED: Final = 0.5
"""Pixels per texel below which texels count as upsampled."""


@dataclass(frozen=True)
class SkinMaps:
    """The skin of one person at the size of the atlas.

    Attributes:
        colour: `(size, size, 3)` float32 sRGB, without light.
        texels: Of the skin at the size of the evidence.
        seen: The evidence, at the smallest size that loses nothing of it.
        labels: `(size, size)` uint8, see `Provenance`.
        metrics: What was measured.
    """

    colour: NDArray[np.float32]
    texels: Texels
    seen: SeenSkin
    labels: NDArray[np.uint8]
    metrics: dict[str, float | int | str | bool]


def skin_maps(
    head: Head,
    images: Sequence[NDArray[np.uint8]],
    fits: Sequence[PhotoFit],
    skin: Texels,
    groups: Sequence[int],
    *,
    delight: bool = True,
) -> SkinMaps:
    """Return the skin that the pictures show, completed.

    Pictures are merged at the smallest power-of-two atlas that loses nothing of them.

    Args:
        head: Of the person.
        images: Pictures.
        fits: Of the pictures.
        skin: Texels of the skin at the final size.
        groups: Pictures of one group share their light.
        delight: Whether to take the light out; without, for comparison, it stays baked in.
    """
    density = pixels_per_texel(head, fits, skin.size)
    size = _working_size(density, skin.size)
    texels = skin if size == skin.size else Texels.of(head.topology, size, ("skin",))
    views = [project_picture(i, f, head, texels) for i, f in zip(images, fits, strict=True)]
    faces = [fit.landmarks for fit in fits]
    glasses = wears_glasses(images, faces)
    covers = [glasses_mask(*pair) for pair in zip(images, faces, strict=True)] if glasses else []
    # Rims move against the skin behind them, so they must not lead the alignment either.
    views, shift = align_views(texels, [*_uncovered(views, covers)], images)
    views = [*_uncovered(views, covers)]
    plain = plain_skin(texels)
    albedos, drift = unlit(views, plain, groups, strength=_DELIGHT if delight else 0.0)
    tone = skin_tone(albedos, views, plain)
    sharp = [sharpness(texels, view) for view in views]
    behind = _behind_lenses(texels, head) if glasses else None
    seen = merge_views(texels, views, albedos, tone, sharp, doubted=behind)
    if delight:
        seen = even_sides(texels, without_highlights(texels, seen, plain), plain)
    colour, known = fill_skin(texels, seen)
    detail = synthesise_detail(texels, seen, head, (known < 0.95) & _covered(texels))
    colour = np.asarray(np.clip(colour + detail * (1 - known)[..., None], 0, 1), np.float32)
    labels = provenance(skin, texels, seen)
    if density < _SHARED:
        labels[labels == Provenance.SEEN] = Provenance.UPSAMPLED
    metrics = {
        "texture_size": skin.size,
        "texture_pixels_per_texel": round(density, 3),
        "texture_effective_size": round(min(density, 1.0) * skin.size),
        "texture_upsampled": density < _SHARED,
        "glasses": glasses,
        "texture_largest_drift": round(drift, 4),
        "texture_largest_alignment_shift": round(shift, 5),
    }
    grown = _grown(colour, texels, skin)
    return SkinMaps(grown, texels, seen, labels, metrics)


def unlit(
    views: Sequence[View],
    plain: NDArray[np.float32],
    groups: Sequence[int],
    *,
    strength: float = _DELIGHT,
) -> tuple[list[NDArray[np.float32]], float]:
    """Return sRGB colours `(n, 3)` of each view without drift and light, and the largest drift.

    Args:
        views: Of the same texels.
        plain: `(n,)` in [0, 1], skin that a light may be estimated from.
        groups: Of each view; see `fit_joint_light`.
        strength: Share of the shading that is divided out.
    """
    chosen = np.flatnonzero(plain > 0.7)
    chosen = chosen[:: max(1, len(chosen) // _SAMPLES)]
    trust = np.stack([(v.trust * v.core)[chosen] for v in views])
    trust *= trust > 0.25
    linear = [np.asarray(srgb_to_linear(v.colours), np.float32) for v in views]
    usable = (trust > 0).sum(axis=1) >= min(_FEWEST, len(chosen) // 20 + 1)
    lights, gains = [Light(_even_light())] * len(views), np.ones((len(views), 3))
    rows = [int(i) for i in np.flatnonzero(usable)]
    if rows:
        found, some = fit_joint_light(
            np.stack([linear[i][chosen] for i in rows]),
            np.stack([views[i].normals[chosen] for i in rows]),
            trust[rows],
            [groups[i] for i in rows],
        )
        gains[rows] = some
        for i, light in zip(rows, found, strict=True):
            lights[i] = light
    albedos = []
    for values, view, light, gain in zip(linear, views, lights, gains, strict=True):
        even = values / gain.astype(np.float32)
        if strength > 0:
            even = even / light.shading(view.normals) ** np.float32(strength)
        albedos.append(np.asarray(linear_to_srgb(even), np.float32))
    return albedos, float(np.abs(np.log(gains)).max())


def _uncovered(views: Sequence[View], covers: Sequence[NDArray[np.float32]]) -> Iterator[View]:
    """Yield the views without trust in what something lies over."""
    for number, view in enumerate(views):
        if not covers:
            yield view
            continue
        covered = sample_bilinear(covers[number][..., None], view.pixels)[:, 0]
        yield replace(view, trust=view.trust * (1 - np.clip(1.5 * covered, 0, 1)))


def _behind_lenses(texels: Texels, head: Head) -> NDArray[np.float32]:
    """Return `(n,)` in [0, 1]: skin around the eyes without lids and brows."""
    eyes = head.joints[[JOINT_NAMES.index("EyeLeft"), JOINT_NAMES.index("EyeRight")]]
    away = np.linalg.norm(head.neutral[:, None] - eyes, axis=2).min(axis=1)
    value = texels.spread(np.clip((_LENS - away) / 0.006, 0, 1))
    for region in ("brows", "eyelids"):
        value *= 1 - np.clip(1.5 * texels.mask(region), 0, 1)
    return value


def default_groups(fits: Sequence[PhotoFit]) -> list[int]:
    """Number the pictures so that those of one camera share a number: frames of one clip."""
    cameras = [(fit.camera.width, fit.camera.height, float(fit.camera.focal)) for fit in fits]
    return [cameras.index(camera) for camera in cameras]


def _even_light() -> NDArray[np.float64]:
    coefficients = np.zeros((9, 3))
    coefficients[0] = 1.0
    return coefficients


def _working_size(density: float, size: int) -> int:
    while size > _SMALLEST and size % 2 == 0 and 2 * density <= _FINE_ENOUGH:
        size, density = size // 2, 2 * density
    return size


def _covered(texels: Texels) -> NDArray[np.bool_]:
    covered = np.zeros((texels.size, texels.size), bool)
    covered.ravel()[texels.index] = True
    return covered


def _grown(colour: NDArray[np.float32], texels: Texels, skin: Texels) -> NDArray[np.float32]:
    """Return the skin at the final size; cubic, so that it is no softer than it has to be."""
    import cv2

    if texels.size == skin.size:
        return colour
    filled = push_pull(colour, _covered(texels).astype(np.float32))
    large = cv2.resize(filled, (skin.size, skin.size), interpolation=cv2.INTER_CUBIC)
    return np.clip(np.asarray(large, np.float32), 0, 1)
