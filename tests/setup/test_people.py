"""The column with the number of people."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest

from occupancy.errors import InputError
from occupancy.setup.people import People, find_people, meaning_of
from occupancy.setup.values import numbers_of, values_of


def found(asked: str | None = None, **columns: Sequence[object]) -> People:
    text = pd.DataFrame({name: list(map(str, cells)) for name, cells in columns.items()})
    return find_people(text, {name: values_of(text[name], numbers_of(text[name])) for name in columns}, asked)


@pytest.mark.parametrize(
    ("word", "people"),
    [
        ("occupied", 1),
        ("not_occupied", 0),
        ("Unoccupied", 0),
        ("besetzt", 1),
        ("frei", 0),
        ("on", 1),
        ("False", 0),
        ("3+", 3),
        ("maybe", None),
        ("", None),
    ],
)
def test_words_mean_people(word: str, people: int | None) -> None:
    assert meaning_of(word) == people


def test_a_count_is_preferred_to_presence_which_is_then_named() -> None:
    people = found(occupant_presence=[0, 1, 1], occupant_count=[0, 2, 5])
    assert (people.name, people.most, people.others) == ("occupant_count", 5, ("occupant_presence",))


def test_words_become_labels_and_blanks_stay_unknown() -> None:
    people = found(state=["a", "b", "c", "d"], occupancy=["occupied", "vacant", "", "unknown"])
    assert (dict(people.labels), people.most, people.share) == ({"occupied": 1, "vacant": 0}, 1, 0.5)


def test_words_with_a_plus_mean_so_many_or_more() -> None:
    people = found(people=["0", "1", "3+"])
    assert (people.most, people.capped, dict(people.labels)) == (3, True, {"3+": 3})


def test_a_column_that_holds_no_counts_is_not_taken_for_one() -> None:
    assert found(presence=[0, 1, 0], people=[-5, 1.5, 2.0]).name == "presence"


def test_fractions_of_a_column_that_is_surely_of_people_are_rounded_and_said_so() -> None:
    people = found(people=[0, 0.4, 1.5, 2])
    assert dict(people.labels) == {"0.4": 0, "1.5": 2}
    assert "fractions, such as" in people.check


def test_without_any_the_columns_are_listed_with_the_remedy() -> None:
    with pytest.raises(InputError, match=r"name it with count=COLUMN.*the columns are co2"):
        found(co2=[400, 500])
    assert found(asked="persons here", **{"persons here": [0, 4], "co2": [400, 500]}).most == 4


def test_a_column_that_was_asked_for_must_hold_counts() -> None:
    with pytest.raises(InputError, match=r"column co2 holds .*, expected whole numbers of people"):
        found(asked="co2", co2=[-400, 501])


@pytest.mark.parametrize("name", ["count", "people", "sensor.people_count"])
def test_a_negative_number_for_unknown_is_named_with_its_rows(name: str) -> None:
    cells: dict[str, Sequence[object]] = {name: [-1, 0, 2, -1, 1]}
    with pytest.raises(InputError, match=rf"column {name} holds -1 in 2 rows, .*; empty these cells"):
        found(None, co2=[400] * 5, **cells)
    healed = found(None, co2=[400] * 5, **{name: ["", 0, 2, "", 1]})
    assert (healed.name, healed.most, healed.share) == (name, 2, 0.6)


def test_presence_in_the_place_of_such_a_count_is_said_so() -> None:
    people = found(presence=[0, 1, 1], people=[0, -1, 3])
    assert people.name == "presence"
    assert "column people holds -1 in 1 rows, so it is not taken: empty these cells" in people.check
    assert found(presence=[0, 1, 1], people=[0, "", 3]).name == "people"
