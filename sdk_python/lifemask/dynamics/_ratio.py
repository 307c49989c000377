"""Wrinkles and shadows of expressions for a head built from one photo: the same for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask.dynamics._activation import DRIVER_NAMES, activation_masks
from lifemask.dynamics._contract import INPUT_COUNT, InputRange
from lifemask.dynamics._key import (
    KEY_COUNT,
    KEY_ZERO,
    MASK_CHANNELS,
    KeyRegion,
    KeyTexture,
    encode_key,
)
from lifemask.dynamics._key_masks import factor_masks
from lifemask.dynamics._ratio_folds import fold_lines
from lifemask.dynamics._ratio_shadow import inner_keys, occlusion_ratio, sky
from lifemask.dynamics._ratio_strain import compression, vertex_compression
from lifemask.dynamics._regions import SKIN_REGIONS, layout_texels
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lifemask.dynamics._regions import Layout, Region, RegionTexels
    from lifemask.heads import Head

GENERIC: Final = "generic: computed from the geometry of the head, not seen on the person"


class _Moment(NamedTuple):
    """One key: the shapes that are drawn at weight 1, and how much each shape shows it."""

    shapes: tuple[str, ...]
    gains: Mapping[str, float]


def _both(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}{side}" for name in names for side in ("Left", "Right"))


def _moment(*shapes: str, half: tuple[str, ...] = ()) -> _Moment:
    return _Moment(shapes, dict.fromkeys(shapes, 1.0) | dict.fromkeys(half, 0.5))


def _eye(side: str) -> tuple[_Moment, ...]:
    """Both sides are drawn, since that is needed anyway; those of one eye show its keys."""
    return tuple(
        _Moment(
            moment.shapes,
            {name: gain for name, gain in moment.gains.items() if name.endswith((side, "Up"))},
        )
        for moment in (
            _moment(*_both("browDown")),
            _moment("browInnerUp", *_both("browOuterUp")),
            _moment(*_both("eyeSquint")),
            _moment(*_both("cheekSquint"), half=_both("mouthSmile")),
            _moment(*_both("noseSneer")),
        )
    )


_MOMENTS: Final[Mapping[str, tuple[_Moment, ...]]] = {
    "mouth": (
        _moment(*_both("mouthSmile"), half=_both("cheekSquint")),
        _moment("jawOpen"),
        _moment(*_both("mouthFrown"), half=("mouthShrugLower",)),
        _moment("mouthPucker", half=("mouthFunnel",)),
        _moment(*_both("mouthDimple"), half=_both("mouthStretch", "mouthPress")),
        _moment(*_both("noseSneer"), half=_both("mouthUpperUp")),
    ),
    "eye_left": _eye("Left"),
    "eye_right": _eye("Right"),
    "forehead": (
        _moment("browInnerUp", *_both("browOuterUp")),
        _moment(*_both("browDown")),
        _moment(*_both("noseSneer")),
    ),
    "face": (
        _moment(*_both("mouthSmile"), half=_both("cheekSquint")),
        _moment("jawOpen"),
        _moment(*_both("noseSneer")),
        _moment("mouthPucker", half=("mouthFunnel",)),
    ),
}
_WAVELENGTH: Final[Mapping[str, float]] = {
    "forehead": 0.009,
    "eye_left": 0.0045,
    "eye_right": 0.0045,
    "mouth": 0.006,
    "face": 0.008,
}
"""Metres between folds."""
_FOLD_DEPTH: Final = 0.3
"""Share of light that the middle of a fold loses where the skin is fully compressed."""
_FOLDS: Final = (0.04, 0.25)
"""Compression at which folds begin to show, and are as deep as they get."""
_TINT: Final = np.array([0.8, 1.05, 1.1], np.float32)
"""A fold is redder than what it darkens: light has gone through skin."""
_SKIN: Final = np.array([0.78, 0.6, 0.52], np.float32)
"""Encoded albedo that ratios are turned into residuals for when the person's is not given."""
_WIDER: Final = 2.5
"""Folds lie where displacements end, so masks are widened by this factor before they saturate."""


def generic_key_textures(
    head: Head, layout: Layout, albedo: NDArray[np.uint8] | None = None
) -> KeyTexture:
    """Make ratio maps of expressions from the head's geometry, for builds without footage.

    For each of a few moments per region: how much more or less of the sky the skin sees than at
    rest, and fine folds where the shape compresses it, across the principal compression. Mouth
    and eyeballs get the shadow of lips and lids. Ratios of linear light multiply the person's
    albedo (after Liu et al. 2001, expression ratio images); they are kept as key textures, so
    every engine that shows those shows these (paper 004, section 5). Nothing here was seen on
    the person: `KeyTexture.generic` and the JSON say so.

    Args:
        head: The person's head.
        layout: Packed regions.
        albedo: `(h, w, 3 or 4)` uint8 sRGB of the person; a usual skin when left out.
    """
    texels = layout_texels(head.topology, layout)
    base = _base(albedo, layout)
    activation = activation_masks(head, layout)
    keys = np.full((KEY_COUNT, layout.size, layout.size, 3), KEY_ZERO, np.uint8)
    masks = np.zeros((layout.size, layout.size, MASK_CHANNELS), np.uint8)
    regions, drawn = {}, _Drawn(head)
    for number, region in enumerate(layout.regions):
        window = region.window
        own = texels.where(texels.region == number)
        acts = np.minimum(1, _WIDER * activation[:, *window])
        if region.name in SKIN_REGIONS:
            moments = _MOMENTS[region.name]
            ratios = [_skin_ratio(drawn, layout, region, own, m) for m in moments]
            gains = _gains(moments)
        else:
            acts = np.ones_like(acts)
            ratios, gains = inner_keys(head, layout, region, own)
        used = np.abs(gains).max(axis=0) > 0
        channels, masks[window] = factor_masks(acts * used[:, None, None])
        for key, ratio in enumerate(ratios):
            moved = base[window] * (np.clip(ratio, 0.01, 4) ** (1 / 2.4) - 1)
            keys[key][window] = encode_key(np.clip(moved, -1, 1) / region.scale)
        regions[region.name] = KeyRegion(gains, channels)
    high = np.ones(INPUT_COUNT, np.float32)
    low = np.where(np.arange(INPUT_COUNT) < COEFFICIENT_COUNT, 0, -high).astype(np.float32)
    return KeyTexture(layout, keys, masks, regions, InputRange(low, high), GENERIC, generic=True)


def _gains(moments: tuple[_Moment, ...]) -> NDArray[np.float32]:
    gains = np.zeros((KEY_COUNT, len(DRIVER_NAMES)), np.float32)
    for key, moment in enumerate(moments):
        for name, gain in moment.gains.items():
            gains[key, DRIVER_NAMES.index(name)] = gain
    return gains


class _Drawn:
    """What is computed once for each moment, at vertices."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self._rest = sky(head, head.neutral)
        self._known: dict[tuple[str, ...], tuple[NDArray[np.float32], NDArray[np.float64]]] = {}

    def of(self, shapes: tuple[str, ...]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the ratio of seen sky `(n_vertices,)`, and `vertex_compression`."""
        if shapes not in self._known:
            coefficients = np.zeros(COEFFICIENT_COUNT, np.float32)
            coefficients[[COEFFICIENT_INDEX[name] for name in shapes]] = 1
            moved = self.head.vertices(coefficients)
            shade = occlusion_ratio(self._rest, sky(self.head, moved))
            self._known[shapes] = shade, vertex_compression(self.head, moved)
        return self._known[shapes]


def _skin_ratio(
    drawn: _Drawn, layout: Layout, region: Region, texels: RegionTexels, moment: _Moment
) -> NDArray[np.float32]:
    """Return the ratio of light `(height, width, 3)` at full expression over rest."""
    at_vertices, tensors = drawn.of(moment.shapes)
    corners = drawn.head.topology.faces[texels.face]
    shade = np.einsum("nk,nk->n", texels.barycentric, at_vertices[corners])
    squeezed, across, step = compression(drawn.head, tensors, layout, texels)
    low, high = _FOLDS
    depth = _FOLD_DEPTH * np.clip((squeezed - low) / (high - low), 0, 1)
    picture = _laid_out(np.column_stack([shade - 1, depth, across, step]), layout, region, texels)
    shade, depth, step = 1 + picture[..., 0], picture[..., 1], picture[..., 4]
    typical = float(np.median(step[step > 0])) if (step > 0).any() else 1.0
    waves = _WAVELENGTH[region.name] / np.where(step > 0, step, typical)
    across = picture[..., 2:4] * (depth > 0)[..., None]
    lines = fold_lines(across, np.clip(waves, 3, 40), seed=len(moment.shapes))
    light = shade * (1 - _soft(depth) * lines)
    return np.asarray(_soft(light)[..., None] ** _TINT, np.float32)


def _soft(picture: NDArray[np.floating]) -> NDArray[np.float32]:
    import cv2

    return np.asarray(cv2.GaussianBlur(np.asarray(picture, np.float32), (0, 0), 0.7), np.float32)


def _laid_out(
    values: NDArray[np.floating], layout: Layout, region: Region, texels: RegionTexels
) -> NDArray[np.float32]:
    """Return texel values `(n, k)` as a picture of their region, 0 where there is no skin."""
    packed = np.zeros((layout.size * layout.size, values.shape[1]), np.float32)
    packed[texels.index] = values
    return packed.reshape(layout.size, layout.size, -1)[region.window]


def _base(albedo: NDArray[np.uint8] | None, layout: Layout) -> NDArray[np.float32]:
    """Return the encoded albedo that ratios multiply, `(size, size, 3)` in [0, 1]."""
    from lifemask.dynamics._views import packed_albedo

    if albedo is None:
        return np.broadcast_to(_SKIN, (layout.size, layout.size, 3))
    return packed_albedo(albedo, layout)[..., :3]
