"""Colour and coverage of a hair cap: what pictures show of it, and strands where they do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._atlas import sample_bilinear
from lifemask.appearance._hair_coverage import view_weight
from lifemask.appearance._noise import periodic_noise
from lifemask.appearance._pyramid import blur, grow, push_pull, shrink
from lifemask.geometry import rasterize, vertex_normals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.appearance._hair_coverage import Sighting
    from lifemask.appearance._hair_grid import HairGrid
    from lifemask.appearance._hair_shape import HairShape

_SURE: Final = 0.85
"""Share of hair in a pixel from which its colour is hair's alone."""
_EVEN: Final = 0.35
"""Share of broad differences in brightness that is taken for light."""
_OWN_CHROMA: Final = 0.3
"""How far made-up strands follow the tint of the nearest seen hair rather than of all of it."""
_STRANDS: Final = {
    False: ((1100, 46, 0.7), (420, 26, 0.55), (90, 11, 0.4)),
    True: ((900, 14, 0.6), (300, 9, 0.6), (70, 5, 0.45)),
}
"""Cells around and down, and strength, of fine strands, of locks and of tufts: of short hair,
and of long hair."""
_SWIRL: Final = 0.05
"""Turns by which strands wind around the crown on their way down."""
_MARGIN: Final = 1 / 100
"""Share of the texture over which colours go on beyond the hair, for filtering."""
_FRINGE: Final = 0.55
"""How far coverage is broken up along strands."""


@dataclass(frozen=True)
class _Texels:
    """The texels of the cap as a flat list.

    Attributes:
        size: Of the texture.
        index: `(n,)` in the flattened texture.
        face: `(n,)` face of the grid.
        around: `(n,)` in [0, 1) turn about the crown.
        down: `(n,)` in [0, 1] from the crown to the last ring.
    """

    size: int
    index: NDArray[np.int64]
    face: NDArray[np.int32]
    barycentric: NDArray[np.float32]
    corners: NDArray[np.int32]
    around: NDArray[np.float32]
    down: NDArray[np.float32]

    def spread(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Interpolate vertex values `(m, k)` to `(n, k)`."""
        out = np.zeros((len(self.index), values.shape[1]), np.float32)
        for k in range(3):
            out += self.barycentric[:, k, None] * values.astype(np.float32)[self.corners[:, k]]
        return out

    def image(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Lay texel values `(n,)` or `(n, k)` out as a picture."""
        picture = np.zeros((self.size * self.size, *values.shape[1:]), np.float32)
        picture[self.index] = values
        return picture.reshape(self.size, self.size, *values.shape[1:])


def paint_cap(
    grid: HairGrid, shape: HairShape, sightings: Sequence[Sighting], size: int, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Paint the cap.

    Args:
        grid: Of the head.
        shape: Of the hair.
        sightings: Pictures with hair.
        size: Width and height of the texture, texels.
        seed: Of what is made up.

    Returns:
        `(size, size, 4)` uint8 sRGB with coverage, and `(n_faces,)` the largest coverage on each
        face of the grid.
    """
    texels = _texels(grid, size)
    colour, coverage, known, trust = _seen(grid, shape, sightings, texels)
    noise = _strand_noise(texels, shape.long, seed)
    vertex_coverage = grid.at_vertices(shape.coverage)[:, None]
    continued = _broken(texels.spread(vertex_coverage)[:, 0], noise)
    alpha = trust * coverage + (1 - trust) * continued
    sure = np.asarray(known * np.clip((coverage - 0.75) / 0.2, 0, 1), np.float32)
    picture = _filled(texels, colour, known * (coverage > 0.5), sure, noise)
    largest = np.zeros(len(grid.faces), np.float32)
    np.maximum.at(largest, texels.face, alpha)
    alpha_picture = texels.image(np.clip(alpha, 0, 1))
    # Beyond the last ring the coverage goes on, so that filtering does not thin it out.
    beyond = np.ones(size * size, np.float32)
    beyond[texels.index] = 0.0
    filled = push_pull(alpha_picture[..., None], 1 - beyond.reshape(size, size))[..., 0]
    picture = _plain_where_hidden(picture, filled)
    rgba = np.dstack([np.clip(picture, 0, 1), np.clip(filled, 0, 1)])
    return np.round(255 * rgba).astype(np.uint8), largest


def _plain_where_hidden(
    picture: NDArray[np.float32], alpha: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Continue the colours smoothly where no hair is: strands there would only take up space."""
    import cv2

    side = 2 * round(_MARGIN * len(alpha)) + 1
    shown = cv2.dilate((alpha > 0.5 / 255).astype(np.uint8), np.ones((side, side), np.uint8))
    return push_pull(picture, np.asarray(shown, np.float32))


def _texels(grid: HairGrid, size: int) -> _Texels:
    raster = rasterize(grid.uv.astype(np.float64) * size, np.ones(len(grid.uv)), grid.faces, size,
                       size)  # fmt: skip
    index = np.flatnonzero(raster.face.ravel() >= 0)
    face = raster.face.ravel()[index]
    y, x = np.divmod(index, size)
    u, v = (x + 0.5) / size - 0.5, (y + 0.5) / size - 0.5
    around = np.mod(np.arctan2(u, v) / (2 * np.pi), 1.0)
    return _Texels(
        size,
        index,
        face,
        raster.barycentric.reshape(-1, 3)[index],
        grid.faces[face],
        around.astype(np.float32),
        (2 * np.hypot(u, v)).astype(np.float32),
    )


def _seen(
    grid: HairGrid, shape: HairShape, sightings: Sequence[Sighting], texels: _Texels
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return colour `(n, 3)`, coverage, trust in the colour and in the coverage, `(n,)` each."""
    points = grid.points(shape.radius)
    normals = vertex_normals(points, grid.faces)
    place = texels.spread(np.concatenate([points, normals], axis=1))
    count = len(texels.index)
    colour, coverage = np.zeros((count, 3), np.float32), np.zeros(count, np.float32)
    known, trust = np.full(count, 1e-9, np.float32), np.full(count, 1e-9, np.float32)
    best_known, best_trust = np.zeros(count, np.float32), np.zeros(count, np.float32)
    for sighting in sightings:
        pixels, facing, inside = view_weight(place[:, :3], place[:, 3:], sighting)
        hair, inner = sample_bilinear(
            np.dstack([sighting.matte.hair, sighting.matte.inner]), pixels
        ).T
        shown = sample_bilinear(_hair_alone(sighting), pixels)
        of_colour = (np.clip((facing - 0.2) / 0.4, 0, 1) * inside * inner).astype(np.float32)
        of_coverage = (np.clip((facing - 0.18) / 0.25, 0, 1) * inside * inner).astype(np.float32)
        colour += shown * (of_colour**2)[:, None]
        known += of_colour**2
        coverage += hair * of_coverage**2
        trust += of_coverage**2
        best_known = np.maximum(best_known, of_colour)
        best_trust = np.maximum(best_trust, of_coverage)
    return colour / known[:, None], coverage / trust, best_known, best_trust


def _hair_alone(sighting: Sighting) -> NDArray[np.float32]:
    """Return the picture with the colours of hair continued over everything else."""
    import cv2

    height, width = sighting.image.shape[:2]
    sure = (sighting.matte.hair > _SURE).astype(np.uint8)
    inner = cv2.erode(sure, np.ones((3, 3), np.uint8)).astype(np.float32)
    picture = sighting.image.astype(np.float32)
    picture /= np.float32(255)
    half = max(height // 4, 1), max(width // 4, 1)
    total = shrink(inner, *half)
    mean = shrink(picture * inner[..., None], *half) / np.maximum(total, 1e-6)[..., None]
    far = grow(push_pull(mean, (total > 0.2).astype(np.float32)), height, width)
    return np.asarray(picture * inner[..., None] + far * (1 - inner[..., None]), np.float32)


def _strand_noise(texels: _Texels, long: bool, seed: int) -> NDArray[np.float32]:
    """Return `(n,)` noise that is long along the strands, about unit variance."""
    total = np.zeros(len(texels.index), np.float32)
    for number, (around, down, strength) in enumerate(_STRANDS[long]):
        wave = 0.012 * np.sin(9.0 * texels.down + 40.0 * texels.around)
        place = texels.around + _SWIRL * texels.down + wave
        total += strength * periodic_noise(place, texels.down, (around, down), seed + number)
    return total / np.float32(np.linalg.norm([s for _, _, s in _STRANDS[long]]))


def _broken(coverage: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Break a soft border up along strands."""
    soft = 4 * coverage * (1 - coverage)
    value = np.clip((coverage - 0.5) * 2.4 + 0.5 + _FRINGE * noise * soft, 0, 1)
    return np.asarray(value * value * (3 - 2 * value), np.float32)


def _filled(
    texels: _Texels,
    colour: NDArray[np.float32],
    known: NDArray[np.float32],
    sure: NDArray[np.float32],
    noise: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the picture `(size, size, 3)`: seen hair, and its broad colours with strands."""
    size, small = texels.size, max(texels.size // 8, 1)
    picture, weight = texels.image(colour), texels.image(known)
    # The hairline carries the colour of skin between its strands: only dense hair is believed.
    dense = texels.image(sure)
    if (dense > 0.5).sum() < 200:
        dense = weight + np.float32(1e-3)
    total = shrink(dense, small, small)
    low = shrink(picture * dense[..., None], small, small) / np.maximum(total, 1e-6)[..., None]
    # Both sides of the head, and its back, take what the better seen side shows.
    both, both_weight = low * total[..., None], total.copy()
    both, both_weight = both + 0.3 * both[:, ::-1], both_weight + 0.3 * both_weight[:, ::-1]
    low = both / np.maximum(both_weight, 1e-6)[..., None]
    broad = push_pull(low, np.clip(both_weight, 0, 1))
    broad = blur(broad, small / 48)
    level = broad.mean(axis=2, keepdims=True)
    # What is lit tells the colour of hair better than what lies in shadow.
    share = total * level[..., 0]
    mean = float((level[..., 0] * share).sum() / max(float(share.sum()), 1e-6))
    even = (mean / np.maximum(level, 0.02)) ** _EVEN
    # Shadows are more saturated than hair is: brightened, they would look dyed.
    usual = (broad * (total * level[..., 0] ** 2)[..., None]).sum(axis=(0, 1))
    usual = usual / max(float(usual.mean()), 1e-6)
    chroma = _OWN_CHROMA * broad / np.maximum(level, 0.02) + (1 - _OWN_CHROMA) * usual
    made_of = level * chroma
    broad_full = grow(made_of, size, size)
    gain = grow(np.asarray(even, np.float32), size, size).reshape(size, size, 1)
    contrast = _contrast(picture, grow(broad, size, size), weight)
    strands = np.clip(1 + contrast * texels.image(noise), 0.25, 2.2)[..., None]
    made = broad_full * strands
    mixed = picture * weight[..., None] + made * (1 - weight[..., None])
    return np.asarray(mixed * gain, np.float32)


def _contrast(
    picture: NDArray[np.float32], broad: NDArray[np.float32], weight: NDArray[np.float32]
) -> float:
    """Return the relative standard deviation of seen hair about its broad colours."""
    sure = weight > 0.8
    if sure.sum() < 200:
        return 0.18
    ratio = picture[sure].mean(axis=1) / np.maximum(broad[sure].mean(axis=1), 0.02)
    return float(np.clip(1.48 * np.median(np.abs(ratio - np.median(ratio))), 0.08, 0.45))
