"""The identity space: random adults in MakeHuman's sliders, reduced to whitened modes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from head_asset.makehuman import Wheel

_DETAIL_FOLDERS = (
    "head", "forehead", "eyebrows", "eyes", "nose", "mouth", "ears", "chin", "cheek", "neck",
)  # fmt: skip
# What moves the head against the body, copies a macro slider or is a caricature.
_SKIPPED = (
    "head-trans",
    "neck-trans",
    "head-age",
    "measure-neck-height",
    "ear-shape",
    "neck-double",
)
_OPPOSITES = (
    ("-incr", "-decr"), ("-up", "-down"), ("-out", "-in"), ("-forward", "-backward"),
    ("-convex", "-concave"), ("-compress", "-uncompress"),
)  # fmt: skip

LOCAL_SIGMA = 0.4
"""Standard deviation of a local slider in [-1, 1]."""
WHOLE_HEAD_SIGMA = 0.2
"""The same for sliders of the whole head, which otherwise leave the human range of sizes."""
SIDE_CORRELATION = 0.9
"""Correlation of a slider's left and right copy: faces are nearly symmetric."""
KEPT_VARIANCE = 0.999
"""The position of the face against the head joint makes most of the variance; at 99.5 % lips and
lids lose modes that lower the landmark error of a fit by a tenth of a percent of the
inter-ocular distance."""


@dataclass(frozen=True)
class Modes:
    """Whitened principal modes.

    Attributes:
        mean: `(n, 3)`.
        basis: `(k, n, 3)`, each for a coefficient of unit variance.
        kept: Share of the weighted variance that the modes explain.
    """

    mean: NDArray[np.float64]
    basis: NDArray[np.float64]
    kept: float


@dataclass(frozen=True)
class _Slider:
    """One local control: deltas for its positive and its negative end."""

    name: str
    positive: NDArray[np.float32]
    negative: NDArray[np.float32] | None


class Sampler:
    """Draws adult heads: positions of the chosen base vertices, in decimetres."""

    def __init__(self, wheel: Wheel, vertices: NDArray[np.int64]) -> None:
        """Load all targets restricted to `vertices`."""
        self._base = wheel.mesh.vertices[vertices]
        self._vertices = vertices
        self._macro: dict[str, NDArray[np.float32] | None] = {}
        self._wheel = wheel
        self._sliders = _sliders(wheel, lambda name: self._load(name))

    @property
    def slider_count(self) -> int:
        """Number of local controls."""
        return len(self._sliders)

    def draw(self, random: np.random.Generator) -> NDArray[np.float64]:
        """Return one head `(n, 3)`, decimetres, in the frame of the base mesh."""
        points = self._base.copy()
        for name, weight in _macro_weights(random):
            delta = self._macro_delta(name)
            if delta is not None:
                points += weight * delta
        for slider, value in zip(self._sliders, self._local_values(random), strict=True):
            if slider.negative is None:
                points += abs(value) * slider.positive
            else:
                points += abs(value) * (slider.positive if value > 0 else slider.negative)
        return points

    def _local_values(self, random: np.random.Generator) -> NDArray[np.float64]:
        """Draw all sliders; the right copy follows the left one."""
        shared: dict[str, float] = {}
        values = []
        for slider in self._sliders:
            leaf = slider.name.split("/")[-1]
            key = leaf[2:] if leaf[:2] in ("l-", "r-") else leaf
            common = shared.setdefault(key, random.standard_normal())
            own = random.standard_normal()
            if key != leaf:
                common = np.sqrt(SIDE_CORRELATION) * common + np.sqrt(1 - SIDE_CORRELATION) * own
            sigma = WHOLE_HEAD_SIGMA if slider.name.startswith("head/") else LOCAL_SIGMA
            values.append(np.clip(sigma * common, -1.0, 1.0))
        return np.array(values)

    def _macro_delta(self, name: str) -> NDArray[np.float32] | None:
        if name not in self._macro:
            known = self._wheel.has_detail(name)
            self._macro[name] = self._load(name) if known else None
        return self._macro[name]

    def _load(self, name: str) -> NDArray[np.float32]:
        return self._wheel.detail(name)[self._vertices].astype(np.float32)


def whiten(samples: NDArray[np.float64], vertex_weights: NDArray[np.float64]) -> Modes:
    """Return the principal modes of `(m, n, 3)` samples.

    Args:
        samples: Heads in a common frame.
        vertex_weights: `(n,)` importance of each vertex in the variance.
    """
    mean = samples.mean(axis=0)
    root = np.sqrt(vertex_weights)[None, :, None]
    flat = ((samples - mean) * root).reshape(len(samples), -1)
    values, vectors = np.linalg.eigh(flat @ flat.T / len(samples))
    values, vectors = values[::-1], vectors[:, ::-1]
    share = np.cumsum(np.maximum(values, 0)) / np.maximum(values, 0).sum()
    count = int(np.searchsorted(share, KEPT_VARIANCE)) + 1
    scores = vectors[:, :count] * np.sqrt(len(samples))
    basis = np.tensordot(scores.T / len(samples), samples - mean, axes=1)
    return Modes(mean, basis, float(share[count - 1]))


def _macro_weights(random: np.random.Generator) -> list[tuple[str, float]]:
    """Blend MakeHuman's macro targets for a random adult between 18 and 80 years."""
    gender = np.clip(random.beta(0.5, 0.5), 0, 1)
    years = random.uniform(18, 80)
    age = 0.5 * (years - 1) / 24 if years < 25 else 0.5 + 0.5 * (years - 25) / 65
    genders = {"male": gender, "female": 1 - gender}
    ages = (
        {"child": (0.5 - age) / 0.3125, "young": 1 - (0.5 - age) / 0.3125}
        if age < 0.5
        else {"young": 2 - 2 * age, "old": 2 * age - 1}
    )
    muscles = _three_way(random, "minmuscle", "averagemuscle", "maxmuscle")
    weights = _three_way(random, "minweight", "averageweight", "maxweight")
    heights = _three_way(random, "minheight", "", "maxheight")
    races = dict(zip(("african", "asian", "caucasian"), random.dirichlet([0.5] * 3), strict=True))
    out = []
    for (g, wg), (a, wa) in product(genders.items(), ages.items()):
        out += [(f"macrodetails/{r}-{g}-{a}", wg * wa * wr) for r, wr in races.items()]
        for (m, wm), (b, wb) in product(muscles.items(), weights.items()):
            body = wg * wa * wm * wb
            out.append((f"macrodetails/universal-{g}-{a}-{m}-{b}", body))
            out += [
                (f"macrodetails/height/{g}-{a}-{m}-{b}-{h}", body * wh)
                for h, wh in heights.items()
                if h
            ]
    return [(name, weight) for name, weight in out if weight > 1e-4]


def _three_way(random: np.random.Generator, low: str, middle: str, high: str) -> dict[str, float]:
    value = float(np.clip(random.normal(0, 0.4), -1, 1))
    return {low: max(-value, 0.0), middle: 1 - abs(value), high: max(value, 0.0)}


def _sliders(wheel: Wheel, load: Callable[[str], NDArray[np.float32]]) -> list[_Slider]:
    """Pair opposite targets into sliders."""
    sliders = []
    for folder in _DETAIL_FOLDERS:
        names = [n for n in wheel.detail_names(folder) if not any(s in n for s in _SKIPPED)]
        taken: set[str] = set()
        for name in names:
            if name in taken:
                continue
            other = _opposite(name, set(names))
            taken |= {name, other or name}
            sliders.append(_Slider(name, load(name), load(other) if other else None))
    return sliders


def _opposite(name: str, names: set[str]) -> str | None:
    for a, b in _OPPOSITES:
        for ending, opposite in ((a, b), (b, a)):
            if name.endswith(ending) and name.removesuffix(ending) + opposite in names:
                return name.removesuffix(ending) + opposite
    return None
