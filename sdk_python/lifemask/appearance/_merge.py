"""Merging what many pictures show of each texel, without smearing and without outliers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask.appearance._lighting import weighted_median
from lifemask.appearance._skin import SeenSkin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.appearance._atlas import Texels
    from lifemask.appearance._projection import View
    from lifemask.appearance._skin import SkinTone

_COARSE: Final = 300.0
"""Share of the atlas over which colours are averaged to tell what a texel is."""
_NOISE: Final = 0.012
"""Spread of the luminance among pictures that is never called an outlier."""
_DARKER: Final = 3.0
_BRIGHTER: Final = 2.0
"""Spreads below and above the median from which a picture is an outlier: highlights only add."""
_SQUAREST: Final = 4
"""Power of the trust with which the smooth part of the colours is averaged."""
_SHARPEST: Final = 24
"""Power of trust and sharpness with which the fine structure is averaged."""
_WITNESSES: Final = 3
"""Pictures of many that have to show a texel for it to be trusted fully."""
_SIDES: Final = 0.35
"""Share of their difference from the person's tone that colours outside of the face keep."""
_BLOCK: Final = 262_144


class _Reading(NamedTuple):
    """One picture: smooth and fine colour `(n, 3)`, trust, likeness and detail `(n,)`."""

    smooth: NDArray[np.float32]
    fine: NDArray[np.float32]
    trust: NDArray[np.float32]
    like: NDArray[np.float32]
    detail: NDArray[np.float32]


def merge_views(
    texels: Texels,
    views: Sequence[View],
    albedos: Sequence[NDArray[np.float32]],
    tone: SkinTone,
    sharp: Sequence[float],
    *,
    doubted: NDArray[np.float32] | None = None,
) -> SeenSkin:
    """Merge the pictures' colours without light, texel by texel.

    The smooth part is a mean weighted by visibility and viewing angle over the pictures whose
    luminance is near the weighted median; blinks, highlights and passing shadows are none of
    them. The fine structure comes from the sharpest and squarest of those.

    Args:
        texels: Of the skin.
        views: One per picture, aligned.
        albedos: `(n, 3)` sRGB of each view without light, exposure and cast.
        tone: The person's skin.
        sharp: Relative sharpness of each view.
        doubted: `(n,)` in [0, 1], texels that count only where their colour can be skin: behind
            glasses, whose lenses mirror the room.
    """
    doubt = np.zeros(len(texels.index), np.float32) if doubted is None else doubted
    readings = [_read(texels, *pair, tone, doubt) for pair in zip(views, albedos, strict=True)]
    faced = np.stack([view.facing > 0 for view in views])
    trust = np.stack([r.trust for r in readings])
    accepted = _accepted(np.stack([r.smooth.mean(axis=1) for r in readings]), trust)
    share = trust**_SQUAREST * accepted + 1e-9 * faced
    relative = np.asarray(sharp, np.float32) / max(max(sharp), 1e-9)
    finest = (trust * relative[:, None]) ** _SHARPEST * accepted + 1e-9 * faced
    share, finest = (w / np.maximum(w.sum(axis=0), 1e-20) for w in (share, finest))

    def mean(weights: NDArray[np.float32], values: Sequence[NDArray[np.float32]]) -> NDArray:
        total = np.zeros_like(values[0])
        for weight, value in zip(weights, values, strict=True):
            total += value * (weight if value.ndim == 1 else weight[:, None])
        return total

    colour = mean(share, [r.smooth for r in readings]) + mean(finest, [r.fine for r in readings])
    kept = _confirmed(trust)
    detail = mean(share, [r.detail for r in readings])
    colour = _calm_sides(texels, colour, detail, kept, tone)
    return SeenSkin(
        texels.image(colour),
        texels.image(mean(share, [view.colours for view in views])),
        texels.image(kept),
        texels.image(np.max([view.facing for view in views], axis=0), -1.0),
        texels.image(mean(share, [r.like for r in readings])),
        tone,
    )


def _read(
    texels: Texels,
    view: View,
    albedo: NDArray[np.float32],
    tone: SkinTone,
    doubted: NDArray[np.float32],
) -> _Reading:
    # Averaged over a few millimetres, so that pores and single hairs do not decide.
    seen = (view.trust > 0).astype(np.float32)
    smooth = texels.smooth(albedo, texels.size / _COARSE, seen)
    like = tone.likeness(smooth)
    # What is seen at a slant within the oval may already be hair or the backdrop; collars and
    # jewellery begin where the neck does, and often in the colour of skin.
    core = view.core * np.clip(like + (view.facing - 0.35) / 0.25, 0, 1)
    trust = view.trust * (core + (1 - core) * like * (1 - texels.mask("neck")))
    trust = trust * (1 - doubted * (1 - like))
    squarely = np.clip((view.facing - 0.75) / 0.15, 0, 1)
    detail = np.maximum(core, squarely * like)
    return _Reading(smooth, albedo - smooth, trust.astype(np.float32), like, detail)


def _accepted(grey: NDArray[np.float32], trust: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `(f, n)` in [0, 1]: whether a picture agrees with the others about a texel."""
    if len(grey) < 3:
        return np.ones_like(grey)
    accepted = np.empty_like(grey)
    for start in range(0, grey.shape[1], _BLOCK):
        run = slice(start, start + _BLOCK)
        values, weights = grey[:, run], trust[:, run] ** _SQUAREST + np.float32(1e-9)
        middle = weighted_median(values, weights)
        away = values - middle
        spread = 1.48 * weighted_median(np.abs(away), weights) + _NOISE
        limit = np.where(away > 0, _BRIGHTER, _DARKER) * spread
        accepted[:, run] = np.clip(2.0 - np.abs(away) / limit, 0, 1)
    return accepted


def _confirmed(trust: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the trust `(n,)` that a few pictures share: one among many may be fitted badly."""
    count = min(_WITNESSES, 1 + len(trust) // 4)
    best = np.partition(trust, len(trust) - count, axis=0)[len(trust) - count :]
    return np.asarray(best.mean(axis=0), np.float32)


def _calm_sides(
    texels: Texels,
    albedo: NDArray[np.float32],
    detail: NDArray[np.float32],
    trust: NDArray[np.float32],
    tone: SkinTone,
) -> NDArray[np.float32]:
    """Keep only smooth colour near the person's tone outside of the face.

    Strands and shadows there would smear, and ears are not where the landmarks could put them.
    """
    smooth = texels.smooth(albedo, texels.size / 90.0, trust * trust)
    smooth = tone.encoded + _SIDES * (smooth - tone.encoded)
    return np.asarray(albedo * detail[:, None] + smooth * (1 - detail)[:, None], np.float32)
