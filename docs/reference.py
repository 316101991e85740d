"""The page docs/configuration.md and the table of kinds in docs/your_own_data.md, written from the code.

    python docs/reference.py

The meaning of a key is the text under its field in the code. A test fails if a page is out of date.
"""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from occupancy.config import (
    Calibration,
    Config,
    Data,
    Decision,
    Decoding,
    Explanation,
    Model,
    Room,
    Section,
    Simulation,
    Tracking,
    Train,
)
from occupancy.config.search import AdaptiveSearch, GridSearch, Range
from occupancy.data.folds import Scheme, Times
from occupancy.data.kinds import KINDS, Facts, Rule
from occupancy.data.schema import Column, Schema

PAGE = Path(__file__).with_name("configuration.md")
OWN = Path(__file__).with_name("your_own_data.md")
START, END = "<!-- kinds: written by `python docs/reference.py` -->", "<!-- end of kinds -->"
INTRODUCTION = """\
# Configuration

<!-- Written by `python docs/reference.py` from the types in occupancy/config: change the text under a field there. -->

A config is a YAML file. On the command line, every key can be given another value:

```console
$ occupancy train --config configs/lstm_regression.yaml \\
    model.dropout=0.5 train.max_epochs=5
$ occupancy train --config configs/lstm_regression.yaml \\
    data.folds=blocked --dry-run
```

- `--dry-run` prints the whole config, defaults included, and trains nothing.
- A key that is not on this page is refused. So is a value of another type (`5.0` or `"5"` for a whole number) or
  outside its bounds; the message says what is allowed.
- `null` means none. A key without a default must be given.
- A file has at most 1 MB and 100,000 values, with what aliases (`*name`) and merges (`<<`) repeat, and is nested at
  most 20 deep; values have no tags (`!!int`). Settings on the command line have at most 100,000 characters in all.
- In place of a file, a shell may open a pipe: `--config <(sed s/lstm/gru/ my.yaml) name=gru`. A pipe has no name, so
  give one. Other things that are no files, such as a named pipe, are refused. This holds for schemas and folds, too.
- Quote values with brackets or spaces: `"search.over.model.window=[5,10]"`.
- The files in `configs/` state every number that affects a result, so a changed default does not change them.
- The commands `occupancy data` and `occupancy explore` take the keys of `data`, with or without `data.` in front."""

SEARCH = """\
`occupancy tune` takes a config with one more section, `search`. The searches of the student report are in
`configs/grids/`. Everything else in the file applies to every trial:

```yaml
search:
  over:
    model.window: [5, 10, 15]
    train.learning_rate: [1e-2, 1e-3]
```

On the command line, quote a list: `"search.over.model.window=[5,10]"`."""

ADAPTIVE = """\
```yaml
search:
  method: adaptive
  trials: 32
  over:
    model.window: {low: 3, high: 30}
    model.hidden: [16, 32, 64]
    train.learning_rate: {low: 1e-4, high: 1e-2, log: true}
```

On the command line, quote a range: `"search.over.model.window={low: 3, high: 30}"`."""


def reference() -> str:
    """Return the page."""
    models = [typing.get_args(tagged)[0] for tagged in typing.get_args(typing.get_args(Model)[0])]
    return "\n\n".join(
        [
            INTRODUCTION,
            "## The experiment\n\n" + _section("", Config),
            "## `data`: the log and its folds\n\n" + _section("data.", Data),
            "### `data.simulation`: the simulated log\n\n" + _section("data.simulation.", Simulation),
            "### `data.simulation.room`: the simulated room\n\n" + _section("data.simulation.room.", Room),
            "## `model`: one of these, by its name\n\nThe default is `lstm`.",
            *(f"### `model.name: {_name(each)}`\n\n{_section('model.', each)}" for each in models),
            "## `decoding`: counts over time\n\n" + _section("decoding.", Decoding),
            "## `calibration`: probabilities and intervals to act on\n\n" + _section("calibration.", Calibration),
            "## `decision`: one count from the probabilities\n\n" + _section("decision.", Decision),
            "## `train`: the training\n\n" + _section("train.", Train),
            "## `tracking`: the record\n\n" + _section("tracking.", Tracking),
            "## `explanation`: which sensors the counts use\n\n" + _section("explanation.", Explanation),
            "## A schema file\n\n" + _section("", Schema),
            "### Each of its columns\n\n" + _section("columns[].", Column),
            "## A fold file\n\n" + _section("", Scheme),
            "### Each of its folds\n\n" + _section("folds[].", Times),
            "## A search\n\n" + SEARCH,
            "### `search.method: grid`\n\nThe default. " + _section("search.", GridSearch),
            "### `search.method: adaptive`\n\n" + ADAPTIVE + "\n\n" + _section("search.", AdaptiveSearch),
            "### A range\n\n" + _section("search.over.<key>.", Range),
        ]
    )


_RULES: dict[Rule, str] = {
    "last": "the last reading",
    "any": "whether any is above 0",
    "mean": "the mean",
    "increase": "by how much a counter grew",
}


def with_kinds(page: str) -> str:
    """Return the page on one's own log with the table of kinds as the code has it."""
    head, _, rest = page.partition(START)
    _, _, tail = rest.partition(END)
    rows = [
        "| kind | units, with the range of a working sensor | on a grid | too old after | names, for example |",
        "| --- | --- | --- | --- | --- |",
        *(_kind(kind, facts) for kind, facts in KINDS.items() if facts.scales),
    ]
    table = "\n".join(rows)
    return f"{head}{START}\n\n{table}\n\n{END}{tail}"


def _kind(kind: str, facts: Facts) -> str:
    units = ", ".join(f"{scale.unit} ({scale.low:,g} to {scale.high:,g})" for scale in facts.scales)
    hours = facts.max_age_s / 3600
    age = f"{hours:g} h" if hours >= 1 else f"{hours * 60:g} min"
    return f"| `{kind}` | {units} | {_RULES[facts.rule]} | {age} | {', '.join(facts.words[:4])} |"


def _name(model: type[Section]) -> str:
    return str(model.model_fields["name"].default)


def _section(prefix: str, settings: type[Section]) -> str:
    """Return what a section is for, then a heading for each of its keys with the key's meaning and values."""
    return "\n\n".join([_in_line(settings.__doc__), *_keys(prefix, settings)])


def _keys(prefix: str, settings: type[Section]) -> Iterator[str]:
    properties = settings.model_json_schema()["properties"]
    for name, field in settings.model_fields.items():
        allowed = properties[field.alias or name]
        if {"$ref", "oneOf", "const"} & allowed.keys():  # a section of its own; the name that tells models apart
            continue
        assert field.description, f"{prefix}{name} has no text under its field"
        value = f"Value: {_values(allowed)}."
        if not field.is_required():
            value += f" Default: `{_written(field.get_default(call_default_factory=True))}`."
        yield f"#### `{prefix}{field.alias or name}`\n\n{_in_line(field.description)}\n\n{value}"


def _values(allowed: dict[str, Any]) -> str:
    """Return in words what a JSON schema allows."""
    if options := allowed.get("anyOf", allowed.get("oneOf")):
        return " or ".join(dict.fromkeys(map(_values, options)))
    if "enum" in allowed:
        *values, last = (f"`{value}`" for value in allowed["enum"])
        return f"{', '.join(values)} or {last}"
    if "items" in allowed and allowed.get("maxItems") != 2:
        return f"list of{_size(allowed, 'Items')} ({_values(allowed['items'])})"
    if "additionalProperties" in allowed:
        return f"keys, each with a {_values(allowed['additionalProperties'])}"
    if not allowed:
        return "any value"
    words = {"boolean": "`true` or `false`", "null": "`null`", "string": "text", "array": "pair of times"}
    if "maxLength" in allowed:
        words["string"] += f" of{_size(allowed, 'Length')} characters"
    words |= {"integer": f"whole number {_bounds(allowed)}", "number": f"number {_bounds(allowed)}"}
    return "see below" if "$ref" in allowed else words[allowed["type"]].strip()


def _bounds(allowed: dict[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return " and ".join(f"{sign} {_number(allowed[bound])}" for bound, sign in signs.items() if bound in allowed)


def _size(allowed: dict[str, Any], what: str) -> str:
    least, most = allowed.get(f"min{what}"), allowed.get(f"max{what}")
    if most is not None:
        return f" {least} to {most:,}" if least else f" at most {most:,}"
    return " one or more" if least else ""


def _number(value: float) -> str:
    whole = int(value)
    return f"{whole:,}" if whole == value and abs(whole) >= 10_000 else f"{value:g}"


def _written(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.12g}"
    return value if isinstance(value, str) else json.dumps(value)


def _in_line(text: str | None) -> str:
    assert text, "a section has no text"
    return re.sub(r"\s+", " ", text.replace("``", "`")).strip()


if __name__ == "__main__":
    PAGE.write_text(reference() + "\n", encoding="utf-8")
    OWN.write_text(with_kinds(OWN.read_text(encoding="utf-8")), encoding="utf-8")
