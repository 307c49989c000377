"""Channels go to their name, whatever their order and spelling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES
from lifemask.streaming import Retarget

# The orders in which other systems send: alphabetical, right before left, capitals.
MEDIAPIPE = ("_neutral", *sorted(COEFFICIENT_NAMES[:-1]))
PASCAL = tuple(name[0].upper() + name[1:] for name in COEFFICIENT_NAMES)
SUFFIXED = tuple(
    name.removesuffix("Left") + "_L" if name.endswith("Left") and name[:3] != "jaw" else name
    for name in reversed(COEFFICIENT_NAMES)
)


@pytest.mark.parametrize("names", [MEDIAPIPE, PASCAL, SUFFIXED], ids=["mediapipe", "pascal", "_L"])
def test_every_spelling_finds_its_place(names):
    retarget = Retarget(names, COEFFICIENT_NAMES)
    for index, name in enumerate(names):
        values = np.zeros(len(names))
        values[index] = 0.5
        result = retarget.apply(values)
        if name == "_neutral":
            assert not result.any()
            continue
        full = name.removesuffix("_L") + "Left" if name.endswith("_L") else name
        place = COEFFICIENT_INDEX[full[0].lower() + full[1:]]
        assert result[place] == 0.5
        assert np.count_nonzero(result) == 1


def test_what_the_source_lacks_is_zero_and_not_valid():
    retarget = Retarget(MEDIAPIPE, COEFFICIENT_NAMES)
    assert retarget.validity.tolist() == [True] * 51 + [False]
    assert retarget.apply(np.ones(52))[51] == 0.0


def test_what_the_source_cannot_measure_stays_zero():
    retarget = Retarget(("a", "b"), ("b", "a"), [True, False])
    assert retarget.validity.tolist() == [False, True]
    assert retarget.apply([0.25, 0.75]).tolist() == [0.0, 0.25]


def test_what_the_target_lacks_is_dropped():
    assert Retarget(("x", "jawOpen", "y"), ("jawOpen",)).apply([1, 0.5, 1]).tolist() == [0.5]


def test_values_that_are_not_finite_hold_the_last_one():
    retarget = Retarget(("a", "b"), ("a", "b"))
    assert retarget.apply([np.nan, 0.5]).tolist() == [0.0, 0.5]
    assert retarget.apply([0.25, np.inf]).tolist() == [0.25, 0.5]
    assert retarget.apply([-np.inf, np.nan]).tolist() == [0.25, 0.5]
    assert retarget.apply([2.0, -1.0]).tolist() == [1.0, 0.0]


def test_result_is_a_new_array():
    retarget = Retarget(("a",), ("a",))
    first = retarget.apply([0.25])
    retarget.apply([0.75])
    assert first.tolist() == [0.25]


@pytest.mark.parametrize("names", [("a", "a"), ("jawOpen", "JawOpen"), ("b_L", "bLeft")])
def test_double_names_are_refused(names):
    with pytest.raises(ValueError, match="same name"):
        Retarget(names, ("a",))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_wrong_number_of_values_is_refused(count):
    with pytest.raises(ValueError, match="2 channels"):
        Retarget(("a", "b"), ("a",)).apply(np.zeros(count))


@given(arrays.arrays(np.float32, 52, elements=st.floats(width=32)))
def test_result_is_always_usable(values):
    result = Retarget(COEFFICIENT_NAMES, COEFFICIENT_NAMES).apply(values)
    assert np.isfinite(result).all()
    assert result.min() >= 0 and result.max() <= 1
