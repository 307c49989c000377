"""Fine structure for skin that no picture shows, quilted from skin that one does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask.appearance._pyramid import blur, shrink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.appearance._atlas import Texels
    from lifemask.appearance._skin import SeenSkin
    from lifemask.heads import Head

_PATCH: Final = 32
_OVERLAP: Final = 8
_CANDIDATES: Final = 24
"""Patches that are tried at each place."""
_COARSE: Final = 1 / 170
"""Standard deviation of what is colour rather than fine structure, as a share of the atlas."""
_STRONGEST: Final = 3.0
"""Deviations beyond which structure is a mark of its own, which must not be repeated."""
_SCALES: Final = (1, 2, 3)
"""How much coarser the texels of a place may be than those of the exemplar."""
_LEAST_PATCHES: Final = 6


class Exemplar(NamedTuple):
    """Structure to copy from: a picture `(h, w, k)`, and where patches of it may begin `(n, 2)`."""

    picture: NDArray[np.float32]
    places: NDArray[np.int64]


def synthesise_detail(
    texels: Texels, seen: SeenSkin, head: Head, needed: NDArray[np.bool_], seed: int = 0
) -> NDArray[np.float32]:
    """Return fine structure `(size, size, 3)` to add to smooth sRGB where it is needed.

    Exemplars are cheeks and forehead, never lips, brows, lids or beard. Texels of neck and ears
    show more millimetres than those of the face, so there the exemplar is shrunk.

    Args:
        texels: Of the skin.
        seen: What the pictures show.
        head: Whose geometry tells how large texels are.
        needed: `(size, size)`.
        seed: Which of many possible results.
    """
    size = texels.size
    detail = seen.colour - blur(seen.colour, size * _COARSE)
    usable = _usable(texels, seen, head)
    inside = detail[usable]
    if len(inside) < 4 * _PATCH**2:
        return np.zeros_like(seen.colour)
    spread = 1.48 * np.median(np.abs(inside), axis=0) + 1e-5
    detail = np.clip(detail, -_STRONGEST * spread, _STRONGEST * spread)
    exemplars = []
    for scale in _SCALES:
        picture = shrink(detail, size // scale, size // scale)
        # Shrinking averages the structure away; skin is about as rough at every scale.
        share = shrink(usable.astype(np.float32), size // scale, size // scale) > 0.99
        gain = spread.mean() / (1.48 * np.median(np.abs(picture[share])) + 1e-5)
        exemplars.append(exemplar(picture * np.float32(np.clip(gain, 1, 1.3)), share))
    coarseness = _coarseness(texels, head, usable)
    return quilt(exemplars, coarseness, needed, seed)


def exemplar(picture: NDArray[np.float32], usable: NDArray[np.bool_]) -> Exemplar:
    """Return an exemplar of the patches of a picture that lie wholly in the usable part."""
    sums = np.pad(usable.astype(np.int64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    p = _PATCH
    whole = sums[p:, p:] - sums[:-p, p:] - sums[p:, :-p] + sums[:-p, :-p]
    return Exemplar(picture, np.argwhere(whole == p * p))


def quilt(
    exemplars: Sequence[Exemplar],
    coarseness: NDArray[np.floating],
    needed: NDArray[np.bool_],
    seed: int = 0,
) -> NDArray[np.float32]:
    """Cover a region with patches that overlap along the least visible seams.

    Image quilting (Efros and Freeman 2001): at each place of a grid the candidate that differs
    least from what lies there already is taken, cut along the path of least difference.

    Args:
        exemplars: Of rising coarseness, 1, 2, 3 ...; those without patches are passed over.
        coarseness: `(h, w)` which of them suits a texel.
        needed: `(h, w)` what to cover.
        seed: Of the choice of candidates.
    """
    height, width = needed.shape
    channels = exemplars[0].picture.shape[2]
    out = np.zeros((height, width, channels), np.float32)
    done = np.zeros((height, width), bool)
    random = np.random.default_rng(seed)
    usable = [e for e in exemplars if len(e.places) >= _LEAST_PATCHES]
    if not usable:
        return out
    step = _PATCH - _OVERLAP
    for top in range(0, height, step):
        for left in range(0, width, step):
            rows, columns = slice(top, top + _PATCH), slice(left, left + _PATCH)
            wanted = needed[rows, columns]
            if not wanted.any():
                continue
            level = float(np.median(coarseness[rows, columns][wanted]))
            source = usable[min(max(round(level) - 1, 0), len(usable) - 1)]
            patch = _best(source, out[rows, columns], done[rows, columns], random)
            cut = _cut(out[rows, columns], patch, done[rows, columns])
            out[rows, columns][cut] = patch[cut]
            done[rows, columns] = True
    return out


def _best(
    source: Exemplar,
    there: NDArray[np.float32],
    done: NDArray[np.bool_],
    random: np.random.Generator,
) -> NDArray[np.float32]:
    """Return the candidate that is most like what lies there."""
    from lifemask.appearance._atlas_kernels import patch_errors

    height, width = done.shape
    chosen = source.places[random.integers(0, len(source.places), _CANDIDATES)]
    best = int(np.argmin(patch_errors(source.picture, chosen, there, done))) if done.any() else 0
    top, left = chosen[best]
    return source.picture[top : top + height, left : left + width]


def _cut(
    there: NDArray[np.float32], patch: NDArray[np.float32], done: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return where the patch replaces what lies there: beyond the cheapest seams."""
    from lifemask.appearance._atlas_kernels import cheapest_path

    height, width = done.shape
    taken = np.ones((height, width), bool)
    error = ((there - patch) ** 2).sum(axis=2)
    if width > _OVERLAP and done[:, 0].mean() > 0.5:
        seam = cheapest_path(np.ascontiguousarray(error[:, :_OVERLAP]))
        taken[:, :_OVERLAP] &= np.arange(_OVERLAP) >= seam[:, None]
    if height > _OVERLAP and done[0].mean() > 0.5:
        seam = cheapest_path(np.ascontiguousarray(error[:_OVERLAP].T))
        taken[:_OVERLAP] &= np.arange(_OVERLAP)[:, None] >= seam
    return taken | ~done


def _usable(texels: Texels, seen: SeenSkin, head: Head) -> NDArray[np.bool_]:
    """Return `(size, size)` where plain skin of cheeks and forehead is seen well."""
    points = head.landmarks(head.neutral)
    height = texels.spread(head.neutral[:, 1])
    value = texels.mask("face") * (height > points[0, 1])
    for region in ("brows", "lips", "eyelids", "hair"):
        value *= 1 - np.clip(2.0 * texels.mask(region), 0, 1)
    socket = texels.mask("sockets") if "sockets" in texels.topology.masks else 0 * value
    value *= 1 - np.clip(socket, 0, 1)
    picture = texels.image(value) > 0.8
    return picture & (seen.weight > 0.85) & (seen.likeness > 0.7) & (seen.facing > 0.6)


def _coarseness(texels: Texels, head: Head, usable: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return `(size, size)` how many times as many millimetres a texel shows as the exemplar's."""
    topology = head.topology
    a, b, c = (head.neutral[topology.faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    u, v, w = (topology.uv[topology.faces_uv[:, k]] for k in range(3))
    area_uv = np.abs((v - u)[:, 0] * (w - u)[:, 1] - (v - u)[:, 1] * (w - u)[:, 0])
    size = np.sqrt(area / np.maximum(area_uv, 1e-12))
    picture = texels.image(size[texels.face].astype(np.float32))
    usual = float(np.median(picture[usable])) if usable.any() else 1.0
    return np.asarray(picture / max(usual, 1e-9), np.float32)
