from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from occupancy.errors import InputError
from occupancy.features.learned import Learned


def learned(value: Any) -> Learned:
    return Learned({"it": value}, "whole")


def test_what_is_right_is_returned_as_it_is() -> None:
    whole = Learned({"a": 1, "b": [[0.25, 0.75], [1, 0]], "c": True, "d": {"e": 2.5}})
    assert whole.number("a") == 1.0
    assert whole.whole("a") == 1
    assert whole.flag("c") is True
    assert whole.part("d").number("e", 2, 3) == 2.5
    np.testing.assert_array_equal(whole.numbers("b", (2, None)), [[0.25, 0.75], [1, 0]])
    np.testing.assert_array_equal(whole.distributions("b", (None, 2)), [[0.25, 0.75], [1, 0]])
    assert ("a" in whole, "z" in whole) == (True, False)


@pytest.mark.parametrize("value", ["1", True, None, [1.0], {}, float("nan"), float("inf"), 10**400, -1, 6])
def test_a_number_is_neither_text_nor_a_truth_value_nor_out_of_its_range(value: Any) -> None:
    with pytest.raises(InputError, match=r"^whole\.it: got .*, expected a number from 0 up to 5$"):
        learned(value).number("it", 0, 5)


def test_a_number_may_have_to_be_above_its_bound() -> None:
    with pytest.raises(InputError, match="expected a number above 0"):
        learned(0.0).number("it", 0, above=True)


@pytest.mark.parametrize(
    "value",
    ["12", 1.0, [], [1.0], [1.0, 2.0, 3.0], [1.0, "2"], [1.0, True], [1.0, None], [[1.0, 2.0]], [1.0, [2.0]]],
)
def test_numbers_have_their_size_and_nothing_else_among_them(value: Any) -> None:
    with pytest.raises(InputError, match=r"^whole\.it: got .*, expected 2 numbers$"):
        learned(value).numbers("it", (2,))


def test_probabilities_add_up_to_one() -> None:
    with pytest.raises(InputError, match="probabilities that add up to 1"):
        learned([[0.5, 0.5], [0.5, 0.6]]).distributions("it", (2, 2))


@pytest.mark.parametrize("read", [Learned.number, Learned.whole, Learned.flag, Learned.part])
def test_a_missing_value_is_named(read: Callable[[Learned, str], Any]) -> None:
    with pytest.raises(InputError, match=r"^whole\.step_s is missing$"):
        read(learned(1), "step_s")


@pytest.mark.parametrize("tree", [[1], "a", None, 3])
def test_settings_are_keys_with_values(tree: Any) -> None:
    with pytest.raises(InputError, match=r"^decoder: got .*, expected keys with values$"):
        Learned(tree, "decoder")


def test_a_number_that_is_not_finite_is_found_at_any_depth() -> None:
    deep = {"a": [[1.0, 2.0], [3.0, float("-inf")]]}
    assert Learned({"x": 1.0, "features": deep}).first_not_finite() == "features.a"
    assert Learned({"x": 1.0, "features": {"a": None, "b": "NaN"}}).first_not_finite() is None


def test_a_long_value_is_cut() -> None:
    with pytest.raises(InputError) as caught:
        learned(["x" * 1000] * 1000).numbers("it", (2,))
    assert len(str(caught.value)) < 1_200
