"""Carry values from one list of channels to another, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


class Retarget:
    """Maps channels of a source to those of a target by name.

    Names are compared without regard to case, and `_L`, `_R` stand for `Left`, `Right`, because
    capture systems spell the ARKit names in several ways. Channels that the target does not have
    are dropped; channels that the source does not have are 0 and not valid.

    Args:
        source_names: Names of the values that come in.
        target_names: Names of the values that go out.
        source_validity: `(n_source,)` bool, what the source can measure; all when left out.

    Attributes:
        validity: `(n_target,)` bool, what of the target is measured.

    Raises:
        ValueError: If two source channels have the same name.
    """

    def __init__(
        self,
        source_names: Sequence[str],
        target_names: Sequence[str],
        source_validity: ArrayLike | None = None,
    ) -> None:
        position = {_canonical(name): index for index, name in enumerate(source_names)}
        if len(position) != len(source_names):
            raise ValueError("two channels of the source have the same name")
        pairs = [
            (position[_canonical(name)], index)
            for index, name in enumerate(target_names)
            if _canonical(name) in position
        ]
        self._from = np.array([source for source, _ in pairs], np.intp)
        self._to = np.array([target for _, target in pairs], np.intp)
        self._source_count = len(source_names)
        valid = np.ones(len(source_names), bool)
        if source_validity is not None:
            valid = np.asarray(source_validity, bool)
        self._from_valid = valid[self._from]
        self.validity = np.zeros(len(target_names), bool)
        self.validity[self._to] = self._from_valid
        self._held = np.zeros(len(target_names), np.float32)

    def apply(self, values: ArrayLike) -> NDArray[np.float32]:
        """Return the values of the target, clamped to [0, 1].

        A value that is not finite was not measured: the last finite one of that channel stands
        in for it, 0 before the first.

        Args:
            values: `(n_source,)`.

        Returns:
            `(n_target,)` float32, a new array.

        Raises:
            ValueError: If the number of values is not that of the source's names.
        """
        incoming = np.asarray(values, np.float32)
        if incoming.shape != (self._source_count,):
            raise ValueError(f"{incoming.shape} values for {self._source_count} channels")
        picked = incoming[self._from]
        usable = self._from_valid & np.isfinite(picked)
        self._held[self._to[usable]] = np.clip(picked[usable], 0.0, 1.0)
        return self._held.copy()


def _canonical(name: str) -> str:
    lower = name.lower()
    for short, long in (("_l", "left"), ("_r", "right")):
        if lower.endswith(short):
            return lower.removesuffix(short) + long
    return lower
