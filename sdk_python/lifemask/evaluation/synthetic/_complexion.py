"""Random but plausible colours of a person: skin from very light to very dark, hair, iris."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Colour = NDArray[np.float32]

SKIN_TONES: Final = np.array(
    [
        (0.930, 0.795, 0.735),
        (0.885, 0.725, 0.640),
        (0.830, 0.650, 0.545),
        (0.760, 0.570, 0.450),
        (0.660, 0.475, 0.360),
        (0.540, 0.370, 0.275),
        (0.420, 0.280, 0.205),
        (0.310, 0.205, 0.155),
    ],
    np.float32,
)
"""sRGB of the cheeks' base, from very light to very dark."""

_HAIR: Final = np.array(
    [(0.07, 0.055, 0.05), (0.14, 0.10, 0.075), (0.27, 0.18, 0.115), (0.50, 0.38, 0.24),
     (0.42, 0.40, 0.38)], np.float32
)  # fmt: skip
_IRIS: Final = np.array(
    [(0.20, 0.115, 0.065), (0.33, 0.20, 0.11), (0.36, 0.34, 0.20), (0.36, 0.46, 0.55),
     (0.43, 0.47, 0.50)], np.float32
)  # fmt: skip


@dataclass(frozen=True)
class Complexion:
    """Colours of one person. All colours are `(3,)` sRGB in [0, 1].

    Attributes:
        darkness: 0 very light to 1 very dark; where `skin` lies among `SKIN_TONES`.
        skin: Base colour.
        lips: Colour of the lips.
        hair: Colour of scalp, brows and stubble.
        iris: Colour of the iris.
        sclera: Colour of the white of the eye.
        redness: Blood in cheeks, nose and ears, 0 to 1.
        brows: How dense the brows are, 0.5 to 1.
        stubble: How dark the beard's shadow is, 0 (none) to 1.
        freckles: Number of spots on the face.
        pores: How strong the fine structure is, about 1.
    """

    darkness: float
    skin: Colour
    lips: Colour
    hair: Colour
    iris: Colour
    sclera: Colour
    redness: float
    brows: float
    stubble: float
    freckles: int
    pores: float


def draw_complexion(rng: np.random.Generator, darkness: float | None = None) -> Complexion:
    """Draw the colours of a person.

    Args:
        rng: Source of chance.
        darkness: Of the skin, 0 to 1; drawn evenly when left out.
    """
    drawn = float(rng.uniform(0, 1))
    dark = drawn if darkness is None else float(np.clip(darkness, 0, 1))
    places = np.linspace(0, 1, len(SKIN_TONES))
    skin = np.array([np.interp(dark, places, channel) for channel in SKIN_TONES.T])
    skin = np.clip(skin * (1 + 0.02 * rng.standard_normal(3)), 0.05, 0.97)
    # Dark skin goes with dark hair and brown eyes more often than not.
    fair = 1 - min(1.0, 1.6 * dark)
    hair = _between(_HAIR, rng.uniform(0, 1) * (0.35 + 0.65 * fair))
    iris = _between(_IRIS, rng.uniform(0, 1) * (0.3 + 0.7 * fair))
    red = np.array([0.93, 0.66, 0.66]) + 0.05 * rng.standard_normal(3)
    return Complexion(
        darkness=dark,
        skin=skin.astype(np.float32),
        lips=np.clip(skin * red + 0.02, 0.03, 0.95).astype(np.float32),
        hair=hair,
        iris=iris,
        sclera=(np.array([0.84, 0.82, 0.80]) - 0.05 * dark).astype(np.float32),
        redness=float(rng.uniform(0.3, 1.0)),
        brows=float(rng.uniform(0.6, 1.0)),
        stubble=float(max(0.0, rng.uniform(-0.8, 0.9))),
        freckles=int(rng.integers(4, 40)),
        pores=float(rng.uniform(0.7, 1.3)),
    )


def _between(table: NDArray[np.float32], share: float) -> Colour:
    places = np.linspace(0, 1, len(table))
    return np.array([np.interp(share, places, channel) for channel in table.T], np.float32)
