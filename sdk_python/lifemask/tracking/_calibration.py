"""One person's gain and offset of each coefficient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX, COEFFICIENT_NAMES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lifemask.tracking._frame_solver import FrameSolution

LARGEST_OFFSET: Final = 0.6
"""Most that is taken for a person's rest: a face may also smile throughout a clip."""

GAIN_RANGE: Final = (0.75, 1.4)
"""Bounds of the gains."""

_FEWEST_FRAMES: Final = 30
_CALM_SHARE: Final = 0.5
_USED: Final = 0.5
"""Share of the population's range that a channel must cover to say something about its gain."""

_TOP: Final = 99.0
"""Percentile of a clip's values that counts as the end of a range."""

SMALL_OFFSETS: Final = {"jawOpen": 0.12, "eyeBlinkLeft": 0.2, "eyeBlinkRight": 0.2}
"""Bounds of offsets where a person at rest cannot be far from zero."""

_POPULATION: Final = {
    "eyeBlink": 0.8, "jawOpen": 0.45, "mouthSmile": 0.4, "mouthPucker": 0.5,
    "mouthUpperUp": 0.5, "mouthLowerDown": 0.6, "mouthFrown": 0.35, "browDown": 0.35,
    "browInnerUp": 0.4, "browOuterUp": 0.35,
}  # fmt: skip
"""How far the solver's coefficients go above rest on people who act all expressions, rounded;
`benchmarks/bench_tracking_quality.py synthetic` prints them. Channels that are not here are seen
too poorly for a gain."""


@dataclass(frozen=True)
class Calibration:
    """What a person's coefficients are at rest and how far they go.

    `calibrated = clip(gain * (solved - offset), 0, 1)`. The `eyeLook*` follow the gaze and
    `tongueOut` is not seen: neither is ever changed.

    Attributes:
        gains: `(52,)` float64 in `GAIN_RANGE`.
        offsets: `(52,)` float64 in [0, 0.6].
    """

    gains: NDArray[np.float64]
    offsets: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("gains", "offsets"):
            value = np.asarray(getattr(self, name), np.float64)
            if value.shape != (COEFFICIENT_COUNT,) or not np.all(np.isfinite(value)):
                raise ValueError(f"{name} must be {COEFFICIENT_COUNT} finite numbers")
            object.__setattr__(self, name, value)
        if np.any(self.gains <= 0.0):
            raise ValueError("gains must be positive")

    @classmethod
    def neutral(cls) -> Calibration:
        """Return the calibration that changes nothing."""
        return cls(np.ones(COEFFICIENT_COUNT), np.zeros(COEFFICIENT_COUNT))

    @classmethod
    def from_clip(cls, solutions: Sequence[FrameSolution | None]) -> Calibration:
        """Estimate from a solved clip; the person rests in it now and then.

        The offset is the mode of the calmer half of the frames (half-sample mode, Robertson and
        Cryer 1974). The gain compares the range above it with the population's, where the clip
        covers at least half of that.

        Args:
            solutions: Of `solve_clip` or a `FrameSolver`, None where the face was lost. Fewer
                than 30 frames with a face change nothing.
        """
        values = np.array([one.coefficients for one in solutions if one is not None])
        if len(values) < _FEWEST_FRAMES:
            return cls.neutral()
        speed = np.abs(np.gradient(values, axis=0)).sum(axis=1)
        calm = values[speed <= np.quantile(speed, _CALM_SHARE)]
        gains, offsets = np.ones(COEFFICIENT_COUNT), np.zeros(COEFFICIENT_COUNT)
        for index, name in enumerate(COEFFICIENT_NAMES):
            if name.startswith("eyeLook") or name == "tongueOut":
                continue
            most = SMALL_OFFSETS.get(name, LARGEST_OFFSET)
            offsets[index] = min(half_sample_mode(calm[:, index]), most)
            gains[index] = _gain(name, np.percentile(values[:, index], _TOP) - offsets[index])
        return cls(gains, offsets)

    def __call__(self, coefficients: ArrayLike) -> NDArray[np.float64]:
        """Return calibrated coefficients `(..., 52)` in [0, 1]."""
        values = np.asarray(coefficients, np.float64)
        return np.clip(self.gains * (values - self.offsets), 0.0, 1.0)

    def to_json(self) -> dict[str, dict[str, float]]:
        """Return what goes into a manifest: channels that differ from no calibration, by name."""
        return {
            name: {"gain": round(float(gain), 4), "offset": round(float(offset), 4)}
            for name, gain, offset in zip(COEFFICIENT_NAMES, self.gains, self.offsets, strict=True)
            if gain != 1.0 or offset != 0.0
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Mapping[str, Any]]) -> Calibration:
        """Read what `to_json` wrote.

        Raises:
            ValueError: An unknown channel, or something that is no number.
        """
        gains, offsets = np.ones(COEFFICIENT_COUNT), np.zeros(COEFFICIENT_COUNT)
        for name, entry in data.items():
            try:
                index = COEFFICIENT_INDEX[name]
                gains[index], offsets[index] = float(entry["gain"]), float(entry["offset"])
            except (KeyError, TypeError) as error:
                raise ValueError(f"'{name}' is not a channel's calibration") from error
        return cls(gains, offsets)


def _gain(name: str, reach: float) -> float:
    """Return the bounded gain of a channel that goes so far above rest."""
    group = name.removesuffix("Left").removesuffix("Right")
    usual = _POPULATION.get(group)
    if usual is None or reach < _USED * usual:
        return 1.0
    return float(np.clip(usual / reach, *GAIN_RANGE))


def half_sample_mode(values: NDArray[np.float64]) -> float:
    """Return the mode: halve the narrowest half of the sample until two values are left."""
    ordered = np.sort(values)
    while len(ordered) > 2:
        half = (len(ordered) + 1) // 2
        widths = ordered[half - 1 :] - ordered[: len(ordered) - half + 1]
        start = int(np.argmin(widths))
        if half == len(ordered):
            break
        ordered = ordered[start : start + half]
    return float(ordered.mean())
