from __future__ import annotations

import pytest

from occupancy.config.keys import known_keys, put
from occupancy.errors import InputError


def test_known_keys_are_dotted_and_hold_sections_and_aliases() -> None:
    keys = list(known_keys())
    assert len(keys) == len(set(keys))
    assert {"seed", "data", "data.schema", "data.simulation.room.step_s", "model.dropout"} <= set(keys)
    assert not [key for key in keys if "log_schema" in key]


def test_of_alternative_sections_only_the_one_that_is_named_is_listed() -> None:
    keys = set(known_keys(tree={"model": {"name": "clock"}}))
    assert "model.prior_s" in keys
    assert "model.dropout" not in keys


def test_a_value_is_put_under_its_dotted_key_and_its_neighbours_stay() -> None:
    tree = {"train": {"members": 3}, "explanation": None}
    put(tree, "train.refit", False)
    put(tree, "explanation.repeats", 2)
    assert tree == {"train": {"members": 3, "refit": False}, "explanation": {"repeats": 2}}


def test_a_key_below_a_single_value_is_refused() -> None:
    with pytest.raises(InputError, match=r"^here: seed.first: 'seed' is a single value \(1\) and has no keys in it$"):
        put({"seed": 1}, "seed.first", 2, "here")


def test_an_item_of_a_list_is_named_by_its_number() -> None:
    tree = {"model": {"members": [{"name": "clock"}, {"name": "logistic"}]}, "features": ["co2"]}
    put(tree, "model.members.1.balanced", False)
    put(tree, "features.0", "motion")
    assert tree["model"] == {"members": [{"name": "clock"}, {"name": "logistic", "balanced": False}]}
    assert tree["features"] == ["motion"]


@pytest.mark.parametrize("item", ["2", "-1", "first", "0" * 50, "\u0661"])
def test_an_item_that_a_list_lacks_is_refused(item: str) -> None:
    with pytest.raises(InputError, match=r"got item '.*' of a list, expected 0 to 1"):
        put({"members": [1, 2]}, f"members.{item}", 3)
