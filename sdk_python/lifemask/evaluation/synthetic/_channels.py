"""Errors of what is tracked frame by frame: coefficients, gaze, pose, focal length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES, gaze_matrix
from lifemask.tracking import measured_channels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.evaluation.synthetic._surfaces import Alignment
    from lifemask.geometry import Pose

MOVING: Final = 0.02
"""Standard deviation of the truth from which a channel can be judged."""
_OPEN: Final = 0.4
"""Blink below which an eye shows where it looks."""


@dataclass(frozen=True)
class ChannelError:
    """One coefficient over the frames of a clip.

    Attributes:
        error: Mean absolute error.
        neutral: That of an answer that is always 0: the mean of the truth.
        correlation: Pearson's r with the truth; 0 where the answer never moves.
        gain: Slope of the answer over the truth (least squares); 1 is right.
    """

    error: float
    neutral: float
    correlation: float
    gain: float

    @property
    def helps(self) -> bool:
        """Whether it beats the answer that is always 0."""
        return self.error < self.neutral


@dataclass(frozen=True)
class CoefficientErrors:
    """All channels that the truth moves and that landmarks can show."""

    channels: dict[str, ChannelError]

    @classmethod
    def of(
        cls,
        solved: NDArray[np.floating],
        true: NDArray[np.floating],
        unavailable: Sequence[str] = (),
    ) -> CoefficientErrors:
        """Compare coefficients `(n, 52)` in [0, 1].

        Args:
            solved: By the tracker.
            true: In the same frames.
            unavailable: Channels that the head model of the truth does not have.
        """
        seen = measured_channels()
        found = {}
        for name, number in COEFFICIENT_INDEX.items():
            mine, truth = solved[:, number].astype(float), true[:, number].astype(float)
            if seen[number] and name not in unavailable and truth.std() >= MOVING:
                found[name] = _channel(mine, truth)
        return cls(found)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain values."""
        return {
            "mae": self.mean,
            "always_neutral_mae": self.neutral,
            "followed": self.followed,
            "observable": len(self.channels),
            "not_better_than_neutral": self.useless,
            "channels": {name: vars(one) for name, one in self.channels.items()},
        }

    @property
    def mean(self) -> float:
        """Mean absolute error over the channels."""
        return float(np.mean([one.error for one in self.channels.values()]))

    @property
    def neutral(self) -> float:
        """That of an answer that is always neutral."""
        return float(np.mean([one.neutral for one in self.channels.values()]))

    @property
    def followed(self) -> int:
        """Number of channels with r of at least 0.9."""
        return sum(one.correlation >= 0.9 for one in self.channels.values())

    @property
    def useless(self) -> list[str]:
        """Channels on which always-neutral is as good or better."""
        return [name for name, one in self.channels.items() if not one.helps]


def _channel(mine: NDArray[np.float64], truth: NDArray[np.float64]) -> ChannelError:
    moves = mine.std() > 1e-6
    covariance = float(np.mean((mine - mine.mean()) * (truth - truth.mean())))
    return ChannelError(
        error=float(np.abs(mine - truth).mean()),
        neutral=float(np.abs(truth).mean()),
        correlation=covariance / float(mine.std() * truth.std()) if moves else 0.0,
        gain=covariance / float(truth.var()),
    )


def gaze_errors(
    solved: NDArray[np.floating], true: NDArray[np.floating], blinks: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the angle between solved and true directions of open eyes, degrees `(m,)`.

    Args:
        solved: `(n, 4)` rad.
        true: `(n, 4)` rad.
        blinks: `(n, 2)` true blink of the left and the right eye.
    """
    angles = []
    for eye in (0, 1):
        pair = slice(2 * eye, 2 * eye + 2)
        for mine, truth, blink in zip(solved[:, pair], true[:, pair], blinks[:, eye], strict=True):
            if blink < _OPEN:
                first, second = (gaze_matrix(*map(float, one))[:, 2] for one in (mine, truth))
                angles.append(np.degrees(np.arccos(np.clip(first @ second, -1.0, 1.0))))
    return np.array(angles)


def true_blinks(coefficients: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return `(n, 2)` blinks of the left and the right eye."""
    return coefficients[:, [COEFFICIENT_NAMES.index(f"eyeBlink{s}") for s in ("Left", "Right")]]


@dataclass(frozen=True)
class PoseErrors:
    """Over the frames of a clip.

    Attributes:
        degrees: Mean angle between solved and true rotation.
        lateral: Mean distance of the face's middle across the line of sight, mm.
        depth: Mean relative error of its distance from the camera.
    """

    degrees: float
    lateral: float
    depth: float


def pose_errors(
    solved: Sequence[Pose],
    true: Sequence[Pose],
    frame: Alignment,
    middle: NDArray[np.floating],
) -> PoseErrors:
    """Compare poses of a head whose frame differs from the truth's by an alignment.

    Args:
        solved: Of the built head.
        true: Of the true head, the same frames.
        frame: From the built head's frame to the true head's.
        middle: `(3,)` m, a point of the true head in the middle of the face.
    """
    turns, lateral, depth = [], [], []
    own = frame.rotation.T @ (np.asarray(middle, np.float64) - frame.translation) / frame.scale
    for mine, truth in zip(solved, true, strict=True):
        turn = mine.rotation @ frame.rotation.T @ truth.rotation.T
        turns.append(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1.0, 1.0))))
        here = mine.rotation @ own + mine.translation
        there = truth.rotation @ middle + truth.translation
        depth.append(abs(here[2] / there[2] - 1.0))
        # Depth and size trade off; across the line of sight the two are compared at one depth.
        lateral.append(1000 * np.linalg.norm(here[:2] * there[2] / here[2] - there[:2]))
    return PoseErrors(float(np.mean(turns)), float(np.mean(lateral)), float(np.mean(depth)))


def lag_frames(solved: NDArray[np.floating], true: NDArray[np.floating]) -> float:
    """Return by how many frames a signal `(n,)` is late, by cross-correlation (parabola peak)."""
    mine, truth = (np.asarray(one, float) - np.mean(one) for one in (solved, true))
    reach = min(6, len(mine) // 3)
    scores = []
    for shift in range(-reach, reach + 1):
        late = mine[max(0, shift) : len(mine) + min(0, shift)]
        early = truth[max(0, -shift) : len(truth) - max(0, shift)]
        norm = np.linalg.norm(late) * np.linalg.norm(early)
        scores.append(float(late @ early) / norm if norm > 0 else 0.0)
    best = int(np.argmax(scores))
    if not 0 < best < len(scores) - 1:
        return float(best - reach)
    below, peak, above = scores[best - 1 : best + 2]
    return best - reach + 0.5 * (below - above) / (below - 2 * peak + above)
