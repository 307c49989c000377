"""Which frames of a clip a method may learn from, and which it is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from lifemask._errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SplitName = Literal["blocks", "last"]

SPLIT_NAMES: Final[tuple[SplitName, ...]] = ("blocks", "last")
BLOCK_FRAMES: Final = 12
TEST_EVERY: Final = 5
"""Every fifth block is test."""
BLOCK_GAP: Final = 4
LAST_SHARE: Final = 0.2
LAST_GAP: Final = 10
FEWEST_FRAMES: Final = 72
"""A shorter clip has no whole test block with frames on both sides of it."""


@dataclass(frozen=True)
class Split:
    """Frame numbers by role; those in the gap belong to neither.

    Attributes:
        name: `"blocks"` tests inside the range of the training frames, `"last"` beyond it.
        train: Rising frame numbers.
        test: Rising frame numbers, disjoint from `train`.
        count: Frames of the clip.
    """

    name: SplitName
    train: tuple[int, ...]
    test: tuple[int, ...]
    count: int

    def limited_to(self, usable: NDArray[np.bool_]) -> Split:
        """Return the split without the frames that are not `usable` `(count,)`, e.g. no face."""
        train = tuple(i for i in self.train if usable[i])
        test = tuple(i for i in self.test if usable[i])
        return Split(self.name, train, test, self.count)


def make_split(name: SplitName, count: int) -> Split:
    """Split a clip of `count` frames.

    `blocks`: the frames are cut into blocks of 12, every fifth of them is test, and the four
    frames on either side of a test block belong to neither part. `last`: the last 20 percent are
    test, the ten frames before them belong to neither.

    Args:
        name: Which of the two.
        count: Frames of the clip.

    Raises:
        InputError: The clip is too short.
    """
    if count < FEWEST_FRAMES:
        raise InputError(
            f"a clip of {count} frames is too short to hold frames back",
            hint=f"Use one of at least {FEWEST_FRAMES} frames, or measure the fit alone "
            "(--fit-only).",
        )
    numbers = np.arange(count)
    if name == "last":
        first = count - round(LAST_SHARE * count)
        return Split(name, _tuple(numbers[: first - LAST_GAP]), _tuple(numbers[first:]), count)
    # The fifth, tenth, … block; a rest shorter than a block belongs to the last whole one's role.
    test = (numbers // BLOCK_FRAMES) % TEST_EVERY == TEST_EVERY - 1
    near = np.convolve(test, np.ones(2 * BLOCK_GAP + 1), mode="same") > 0.5
    return Split(name, _tuple(numbers[~near]), _tuple(numbers[test]), count)


@dataclass(frozen=True)
class Coverage:
    """How far the test expressions lie from the training expressions.

    Distances are Euclidean over the 52 coefficients, from each test frame to its nearest training
    frame.

    Attributes:
        median: Over the test frames.
        percentile_90: Over the test frames.
        largest: Over the test frames.
        step: Median distance between consecutive frames: what is as good as the same.
    """

    median: float
    percentile_90: float
    largest: float
    step: float


def nearest_distances(coefficients: NDArray[np.float64], split: Split) -> NDArray[np.float64]:
    """Return `(n_test,)` distances to the nearest training expression.

    Args:
        coefficients: `(n_frames, 52)`; rows of frames outside the split are not read.
        split: Which frames are which.
    """
    train, test = coefficients[list(split.train)], coefficients[list(split.test)]
    return np.array([np.linalg.norm(train - one, axis=1).min() for one in test])


def coverage(coefficients: NDArray[np.float64], split: Split) -> Coverage:
    """Summarise `nearest_distances`; arguments as there."""
    far = nearest_distances(coefficients, split)
    used = coefficients[sorted({*split.train, *split.test})]
    return Coverage(
        float(np.median(far)),
        float(np.percentile(far, 90)),
        float(far.max()),
        float(np.median(np.linalg.norm(np.diff(used, axis=0), axis=1))),
    )


def _tuple(numbers: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(number) for number in numbers)
