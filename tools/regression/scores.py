"""How well coefficients are estimated, channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lifemask.heads import COEFFICIENT_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Score(NamedTuple):
    """How well one channel is estimated.

    Attributes:
        name: Of the channel.
        error: Mean absolute error.
        neutral_error: The same of the answer 0.
        correlation: Pearson's r; 0 where the estimate or the truth never changes.
    """

    name: str
    error: float
    neutral_error: float
    correlation: float


def channel_scores(guess: NDArray[np.floating], truth: NDArray[np.floating]) -> list[Score]:
    """Return a score for each of the 52 channels that occurs in `truth`.

    Args:
        guess: `(n, 52)`.
        truth: `(n, 52)`.
    """
    occurring = np.flatnonzero(truth.std(axis=0) > 0)
    return [
        Score(
            COEFFICIENT_NAMES[i],
            float(np.abs(guess[:, i] - truth[:, i]).mean()),
            float(np.abs(truth[:, i]).mean()),
            correlation(guess[:, i], truth[:, i]),
        )
        for i in occurring
    ]


def correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return Pearson's r of two series; 0 where one of them is constant."""
    if min(first.std(), second.std()) < 1e-6:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def summary(title: str, scores: Sequence[Score]) -> str:
    """Return one line about all channels."""
    r = np.array([score.correlation for score in scores])
    error = np.mean([score.error for score in scores])
    neutral = np.mean([score.neutral_error for score in scores])
    better = sum(score.error < score.neutral_error for score in scores)
    return (
        f"{title}: mean error {error:.4f} (always neutral {neutral:.4f}, better on {better} of "
        f"{len(scores)}), r median {np.median(r):.2f}, least {r.min():.2f}, "
        f"{(r >= 0.9).sum()} channels from 0.9, {(r >= 0.8).sum()} from 0.8"
    )


def table(columns: dict[str, Sequence[Score]]) -> str:
    """Return a Markdown table with a row for each channel.

    Args:
        columns: Scores of the same channels by what they were measured on.
    """
    titles = [f"{title}: error (of neutral), r" for title in columns]
    lines = ["| channel | " + " | ".join(titles) + " |", "| --- |" + " --- |" * len(titles)]
    for row in zip(*columns.values(), strict=True):
        cells = [f"{s.error:.3f} ({s.neutral_error:.3f}), {s.correlation:.2f}" for s in row]
        lines.append(f"| `{row[0].name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)
