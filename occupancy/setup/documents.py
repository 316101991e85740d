"""The three files that training needs, as text with comments: the schema, the folds and the config of a room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import yaml

from occupancy.data.schema import Schema
from occupancy.errors import plain
from occupancy.setup.columns import Column
from occupancy.setup.folds import Parts
from occupancy.setup.survey import Survey

_WIDTH = 10**6  # of a line: what is not broken can be commented


def schema_text(schema: Schema, columns: Sequence[Column]) -> str:
    """Return the schema as YAML.

    Args:
        schema: the schema.
        columns: the columns with the reason for each.
    """
    why = {column.name: _why(column) for column in columns}
    lines = [
        "# What the columns of the log mean. Written by `occupancy setup`; change what is wrong, and train again.",
        _line("name", schema.name, "the fold file refers to it"),
        _line("time", schema.time),
        _line("time_format", schema.time_format),
        "columns:  # the sensors; kinds: temperature, light, sound, co2, motion, humidity, voc, pressure, door, ...",
    ]
    lines += [
        _commented(f"  - {_flow(column.model_dump(include={'name', 'kind', 'unit'}))}", why.get(column.name, ""))
        for column in schema.columns
    ]
    lines.append(_line("count", schema.count, why.get(schema.count, "")))
    if schema.labels:
        lines.append(_line("labels", schema.labels, "words of the count column, and the people that each means"))
    if schema.ignore:
        lines.append("ignore:  # columns that are not read")
        lines += [_commented(f"  - {_flow(name)}", why.get(name, "")) for name in schema.ignore]
    lines.append(_line("volume_m3", schema.volume_m3, "of the room, if known; for the mass balance of CO2"))
    lines.append(_line("most_people", schema.most_people, "that the room holds, if known"))
    return "\n".join(lines) + "\n"


def scheme_tree(name: str, folds: Sequence[Parts]) -> dict[str, Any]:
    """Return folds as the content of a fold file.

    Args:
        name: name of the schema.
        folds: the parts of each fold.
    """
    return {
        "name": name,
        "log": name,
        "folds": [
            {part: [[_moment(start), _moment(end)] for start, end in intervals] for part, intervals in parts.items()}
            for parts in folds
        ],
    }


def scheme_text(survey: Survey) -> str:
    """Return the folds as YAML."""
    tree = scheme_tree(survey.name, survey.folds)
    lines = [
        "# Which times train and which test: train on the past, test on what follows. Written by `occupancy setup`.",
        "# Cut where nobody is in, so that no visit is in two parts. Intervals have their start and not their end;",
        "# validation is cut out of train. Test rows are only scored.",
        _line("name", tree["name"]),
        _line("log", tree["log"], "the name in schema.yaml"),
        "folds:",
    ]
    for parts in tree["folds"]:
        for part, intervals in parts.items():
            lines.append(f"  {'- ' if part == 'train' else '  '}{part}:")
            lines += [f"      - {_flow(interval)}" for interval in intervals]
    return "\n".join(lines) + "\n"


def config_text(survey: Survey, schema: str, folds: str) -> str:
    """Return the config as YAML.

    Args:
        survey: what was understood of the log.
        schema: path of the schema file.
        folds: path of the fold file.
    """
    data, choice = {**survey.data}, survey.choice
    lines = [
        "# How to train on this log. Written by `occupancy setup`; paths are as seen from the folder it was called in.",
        "# All keys: docs/configuration.md. Another value for once: occupancy train --config THIS_FILE key=value",
        _line("name", survey.name, "of the experiment, and of the model to use: occupancy-NAME"),
        "data:",
    ]
    lines += _block({"source": data.pop("source"), "schema": schema, "folds": folds, **data}, _why_data(survey))
    lines += [f"# {plain(reason)}" for reason in choice.reasons]
    lines.append(_line("features", choice.features))
    model = {**choice.model}
    members = model.pop("members")
    lines += ["model:", _line("  name", model.pop("name")), "  members:"]
    lines += [f"    - {_flow(member)}" for member in members]
    lines += _block(model, {"weights": "of the members"})
    lines += [
        "calibration:",
        *_block(choice.calibration, {"answered_mse": "squared error of the rows that are answered"}),
    ]
    return "\n".join(lines) + "\n"


def _why_data(survey: Survey) -> dict[str, str]:
    return {
        "max_count": "the most people in the log",
        "time_zone": survey.zone.check or survey.zone.why,
        "step": f"seconds; {survey.rhythm.why}",
        "max_gap": "seconds; rows further apart are not neighbours",
        "hold_counts": "seconds that a count holds until the next one",
    }


def _block(tree: dict[str, Any], why: dict[str, str]) -> list[str]:
    return [_line(f"  {key}", value, why.get(key, "")) for key, value in tree.items()]


def _line(key: str, value: Any, why: str = "") -> str:
    return _commented(f"{key}: {_flow(value)}", why)


def _commented(line: str, why: str) -> str:
    return f"{line}  # {plain(why)}" if why else line


def _why(column: Column) -> str:
    return f"{column.why}; CHECK: {column.check}" if column.check else column.why


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump(_whole(value), default_flow_style=True, sort_keys=False, width=_WIDTH, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _whole(value: Any) -> Any:
    """Return a value in which 60.0 is 60, as people write it."""
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _moment(time: pd.Timestamp) -> str:
    return f"{time:%Y-%m-%d}" if time == time.normalize() else f"{time:%Y-%m-%d %H:%M:%S}"
