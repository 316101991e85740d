"""Every number of every section has bounds, every text a longest length: no slip of the keyboard takes all memory."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from occupancy.config import Config, Tracking
from occupancy.config.keys import known_keys
from occupancy.config.parsing import resolve
from occupancy.config.search import AdaptiveSearch, GridSearch
from occupancy.data.folds import Scheme
from occupancy.data.schema import Schema
from occupancy.errors import InputError
from tests.kinds import MODELS


def sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        left = [field.annotation]
        while left:
            one = left.pop()
            left += typing.get_args(one)
            if isinstance(one, type) and issubclass(one, BaseModel):
                yield from sections(one)


# The address of the store is a type of its own.
ALL = {section for top in (Config, Schema, Scheme, GridSearch, AdaptiveSearch) for section in sections(top)} - {
    Tracking
}


def unbounded(allowed: dict[str, Any], where: str) -> Iterator[str]:
    """Yield the place of each number, text and list in a JSON schema that may be of any size."""
    for option in allowed.get("anyOf", ()):
        yield from unbounded(option, where)
    needed = {
        "integer": [{"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}],
        "number": [{"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}],
        "string": [{"maxLength", "enum", "const"}],
        "array": [{"maxItems"}],
    }
    if not all(words & allowed.keys() for words in needed.get(allowed.get("type", ""), ())):
        yield where
    if "items" in allowed:
        yield from unbounded(allowed["items"], f"{where}[]")


def test_everything_has_bounds() -> None:
    found = {
        f"{section.__name__}.{place}"
        for section in ALL
        for key, allowed in section.model_json_schema()["properties"].items()
        for place in unbounded(allowed, key)
    }
    assert found == set()


def numbers() -> Iterator[tuple[str, str]]:
    """Yield the name of a model and a dotted key of a config with that model, whose value is a number."""
    seen: set[str] = set()
    for name in MODELS:
        tree = Config.model_validate({"name": "x", **model_of(name)}).model_dump(by_alias=True)
        for key in known_keys(tree=tree):
            value: Any = tree
            for part in key.split("."):
                value = value[int(part)] if isinstance(value, list) else (value or {}).get(part)
            if isinstance(value, int | float) and not isinstance(value, bool) and key not in seen:
                seen.add(key)
                yield name, key


def model_of(name: str) -> dict[str, Any]:
    members = [{"name": "majority"}, {"name": "clock"}]
    off = {"train": {"weight_decay": 0}} if name == "bnn" else {}
    return {"model": {"name": name, **({"members": members} if name == "mixture" else {})}, **off}


NUMBERS = list(numbers())


def test_the_numbers_are_found() -> None:
    assert {("lstm", "seed"), ("lstm", "data.simulation.room.volume_m3"), ("clock", "model.prior_s")} <= set(NUMBERS)
    assert len(NUMBERS) > 50


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), True, "5", [5], 10**90, 1e308, -1e308])
def test_no_key_takes_what_is_no_sane_number_and_each_is_named(value: object) -> None:
    for name, key in NUMBERS:
        with pytest.raises(InputError, match=rf"^command line: {key}: got ") as caught:
            resolve(Config, {"name": "x", **model_of(name)}, "here", {key: value})
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\x00b", "a\nb", "\x9b2J", "\u202eabc", "\x7f"])
@pytest.mark.parametrize("key", ["name", "data.source", "data.folds", "data.time_format"])
def test_no_text_takes_control_characters(key: str, text: str) -> None:
    with pytest.raises(
        InputError, match=rf"^command line: {key}: got the control character '\\\S+' in the text, expected"
    ):
        resolve(Config, {"name": "x"}, "here", {key: text})


def test_letters_of_all_scripts_are_text() -> None:
    assert resolve(Config, {"name": "Büro 室温 😀 №\u00a05"}, "here").name == "Büro 室温 😀 №\u00a05"
