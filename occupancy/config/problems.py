"""The errors that pydantic finds in a configuration, each as a message that says what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from occupancy.config.keys import COMMAND_LINE, known_keys
from occupancy.errors import typed

_LONGEST_KEY = 100  # characters of an unknown key that are compared with the known ones


def describe(model: type[BaseModel], tree: dict[str, Any], places: Mapping[str, str], where: str, problem: Any) -> str:
    """Return one problem in words: where it is, its key, what was got, and what was expected.

    Args:
        model: the type of the configuration.
        tree: its content, with the overrides.
        places: how the message calls the place of a key, where that is not ``where``.
        where: how it calls the place of all other keys.
        problem: one of the errors of pydantic's ``ValidationError``.
    """
    key = _key(tree, problem["loc"], problem["type"] == "missing")
    own = (place for k, place in places.items() if key == k or key.startswith(f"{k}.") or k.startswith(f"{key}."))
    where = next(own, where)
    is_typed = where == COMMAND_LINE
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key {_cut(key)}; {_suggest(model, key, tree)}"
    where = f"{where}: {_cut(key)}" if key else where
    if problem["type"] == "missing":
        return f"{where} is missing"
    if problem["type"] == "value_error":  # our own checks
        return f"{where}: {problem['ctx']['error']}"
    if problem["type"] == "union_tag_invalid":
        return f"{where}.name: got {typed(problem['input']['name'])}, expected {problem['ctx']['expected_tags']}"
    if problem["type"] in {"model_type", "union_tag_not_found"}:
        return f"{where}: got {typed(problem['input'])}, expected keys with values"
    said = problem["msg"]
    expected = said.removeprefix("Input should be ")
    remedy = f", expected {expected}" if expected != said else f"; {said[0].lower()}{said[1:]}"
    if problem["type"] == "list_type" and is_typed:  # shells read brackets without quotes
        items = str(problem["input"]).strip("[] ")
        example = items if re.fullmatch(r"[\w., -]{1,60}", items, re.ASCII) else "..."
        remedy += f" such as '{key}=[{example}]', with the quotes"
    return f"{where}: got {typed(problem['input'])}{remedy}"


def _cut(key: str) -> str:
    return key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}..."


def _key(tree: Any, location: Sequence[str | int], is_missing: bool) -> str:
    """Return the dotted key of a problem; its location also names members of unions, which no user wrote."""
    parts = []
    below = tree
    for part in location:
        if part in below if isinstance(below, dict) else isinstance(below, list) and isinstance(part, int):
            below = below[part]
            parts.append(part)
    if is_missing:
        parts.append(location[-1])
    return ".".join(map(str, parts or location))


def _suggest(model: type[BaseModel], key: str, tree: dict[str, Any]) -> str:
    known = list(known_keys(model, tree))
    parent, siblings = key, list[str]()
    while not siblings:  # of the nearest section that there is
        parent = parent.rpartition(".")[0]
        siblings = [k for k in known if k.rpartition(".")[0] == parent]
    nearest = _nearest(key[-_LONGEST_KEY:], siblings, 0.6) or _nearest(key[-_LONGEST_KEY:], known, 0.8)
    allowed = ", ".join(map(_last, siblings))
    return (f"did you mean {nearest}? " if nearest else "") + f"allowed in {parent or 'the top level'}: {allowed}"


def _nearest(key: str, known: Sequence[str], least: float) -> str | None:
    """Return the known key whose last part is most like that of another, if the likeness is at least this, 0 to 1."""
    last = difflib.get_close_matches(_last(key), {_last(k) for k in known}, 1, least)
    alike = [k for k in known if _last(k) in last]
    return max(alike, key=lambda k: difflib.SequenceMatcher(None, key, k).ratio(), default=None)


def _last(key: str) -> str:
    return key.rpartition(".")[2]
