"""What each column of a log is for, and the schema that says so."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from occupancy.data.schema import Column as SchemaColumn
from occupancy.data.schema import Schema
from occupancy.errors import InputError
from occupancy.setup.answers import Answers
from occupancy.setup.columns import Column, understand
from occupancy.setup.people import People
from occupancy.setup.values import Values


def meaning_of(
    name: str,
    time: Sequence[str],
    people: People,
    values: Mapping[str, Values],
    units: Mapping[str, str],
    answers: Answers,
) -> Column:
    """Return what a column is for.

    Args:
        name: its name.
        time: the columns of the time.
        people: the column with the number of people.
        values: what the values of each other column are like.
        units: the units that the file names.
        answers: what the user told.
    """
    if name in time:
        return Column(name, "time", "other", "", "holds times" if len(time) == 1 else "date or time of day")
    if name == people.name:
        return Column(name, "count", "other", "people", people.why)
    seen = understand(name, units.get(name, ""), values[name])
    if matches(name, answers.ignore):
        return dataclasses.replace(seen, role="ignored", why="named by you", check="")
    if matches(name, answers.keep):
        return dataclasses.replace(seen, role="sensor", check="")
    if name in people.others and seen.kind not in ("motion", "devices", "door"):
        return dataclasses.replace(seen, role="ignored", why="gives the answer away", check="")
    return seen


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a name is one of some names or patterns."""
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def schema_of(
    name: str, time: Sequence[str], time_format: str, columns: Sequence[Column], people: People, answers: Answers
) -> Schema:
    """Return the schema of a log.

    Raises:
        InputError: if no column is a sensor.
    """
    sensors = [column for column in columns if column.role == "sensor"]
    if not sensors:
        seen = (
            "; ".join(f"{column.name}: {column.why}" for column in columns if column.role == "ignored") or "no others"
        )
        raise InputError(f"no column is a sensor of the room ({seen}); keep one with keep=COLUMN")
    return Schema(
        name=name,
        time=list(time),
        time_format=time_format,
        columns=[SchemaColumn(name=column.name, kind=column.kind, unit=column.unit) for column in sensors],
        count=people.name,
        labels=dict(people.labels),
        ignore=[column.name for column in columns if column.role == "ignored"],
        volume_m3=answers.volume_m3,
        most_people=answers.most_people,
    )
