from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.errors import CONTROL, LONGEST, InputError, InputWarning, plain, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("got this,\n  expected\tthat", "got this, expected that"),
        ("a \x1b[31mred\x07 \x9b2J word", r"a \x1b[31mred\x07 \x9b2J word"),
        ("turned \u202e round", r"turned \u202e round"),
        ("half of a \ud800 character", r"half of a \ud800 character"),
        ("µg/m³, 20 °C, 室温 😀", "µg/m³, 20 °C, 室温 😀"),
    ],
)
def test_a_message_is_one_line_in_which_control_characters_are_written_out(text: str, shown: str) -> None:
    assert plain(text) == shown
    assert str(InputError(text)) == shown
    assert str(InputWarning(text)) == shown


def test_of_a_long_message_the_beginning_and_the_end_stay() -> None:
    said = plain("data.source: got " + "y" * 60_000 + ", expected a file")
    assert len(said) == LONGEST == 2000
    assert said.startswith("data.source: got yyy")
    assert said.endswith("yyy, expected a file")
    assert "yyy...yyy" in said


@given(st.text() | st.text("\x1b\x00\ud800 x").map(lambda text: text * 500))
def test_every_message_is_short_printable_and_stays_as_it_is_if_shown_again(text: str) -> None:
    shown = plain(text)
    assert len(shown) <= LONGEST
    assert CONTROL.search(shown) is None
    assert plain(shown) == shown


def test_a_message_survives_the_way_from_a_worker() -> None:
    assert str(copy.copy(InputError("a\x1bb"))) == r"a\x1bb"  # made again, as pickle does


@pytest.mark.parametrize(
    "value", ["x" * 60_000, list(range(60_000)), {f"k{n}": n for n in range(60_000)}, [[[[[["x"]]]]]]]
)
def test_a_quoted_value_is_short(value: object) -> None:
    assert len(shortened(value)) <= 300


@pytest.mark.parametrize("value", ["a few", 5, 5.0, None, True, ["co2", "lihgt"], "\x1b[31m"])
def test_a_short_value_is_quoted_as_in_code(value: object) -> None:
    assert shortened(value) == repr(value)
