"""Where the colour of each texel comes from."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._pyramid import grow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.appearance._atlas import Texels
    from lifemask.appearance._skin import SeenSkin

_MOSTLY: Final = 0.5
"""Weight from which a source counts as the one that a texel comes from."""


class Provenance(IntEnum):
    """Labels of the provenance map.

    Attributes:
        PAINTED: No skin, or a part that is painted: eyes, teeth, tongue, mouth, lashes.
        SEEN: Skin that a picture shows.
        MIRRORED: Skin taken from the other side of the head.
        SYNTHESISED: Skin that continues the colour, with detail from elsewhere on the skin.
        UPSAMPLED: Seen, but by less than a pixel for every four texels.
    """

    PAINTED = 0
    SEEN = 1
    MIRRORED = 2
    SYNTHESISED = 3
    UPSAMPLED = 4


def provenance(skin: Texels, texels: Texels, seen: SeenSkin) -> NDArray[np.uint8]:
    """Return the labels `(size, size)` uint8 of the skin's texels, `PAINTED` elsewhere.

    Args:
        skin: Texels of the skin at the size of the labels.
        texels: The same at the size of the evidence.
        seen: What the pictures show.
    """
    other = texels.image(texels.mirrored(seen.weight[..., None])[:, 0])
    own, other = (grow(w, skin.size, skin.size).ravel()[skin.index] for w in (seen.weight, other))
    label = np.full(len(own), Provenance.SYNTHESISED, np.uint8)
    label[other >= _MOSTLY] = Provenance.MIRRORED
    label[own >= _MOSTLY] = Provenance.SEEN
    picture = np.full((skin.size, skin.size), Provenance.PAINTED, np.uint8)
    picture.ravel()[skin.index] = label
    return picture


def seen_share(skin: Texels, labels: NDArray[np.uint8]) -> float:
    """Return the share of the skin's texels that a picture shows."""
    own = labels.ravel()[skin.index]
    return round(float(np.isin(own, (Provenance.SEEN, Provenance.UPSAMPLED)).mean()), 4)
