"""Looks at the files of a log as people have them, and opens it as training will."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from occupancy.config import Data
from occupancy.config.parsing import resolve
from occupancy.data.folds import Fold, Scheme, cut
from occupancy.data.log import Log
from occupancy.data.reading.cells import Cells
from occupancy.data.reading.files import read_files
from occupancy.data.schema import Schema
from occupancy.data.source import open_log
from occupancy.data.times import Times, joined_text, read_times, recognise
from occupancy.errors import InputWarning
from occupancy.setup.answers import Answers
from occupancy.setup.choice import Choice, choose
from occupancy.setup.clock import Zone, check_one_room, check_times, find_times, settle_zone
from occupancy.setup.columns import Column
from occupancy.setup.documents import schema_text, scheme_tree
from occupancy.setup.folds import Parts, plan_folds
from occupancy.setup.meaning import meaning_of, schema_of
from occupancy.setup.people import People, counts_of, find_people
from occupancy.setup.rhythm import Rhythm, rhythm_of
from occupancy.setup.survey import Survey
from occupancy.setup.values import Values, numbers_of, values_of

Find = Callable[[pd.DataFrame, Mapping[str, Values], str | None], People]


def look(paths: Sequence[Path], answers: Answers, name: str) -> Survey:
    """Return what can be seen in the files of one log, opened and cut as training will do it.

    Args:
        paths: the files.
        answers: what the user told.
        name: name of the room.

    Raises:
        InputError: if the files can't be read as a log, or not be trained on.
    """
    cells = read_files(paths, Data().max_csv_mb * 1_000_000)
    time, time_format, moments = times_of(cells, answers)
    zone = settle_zone(moments.clock, answers.time_zone, moments.changing)
    columns, people, rhythm = understand_all(cells, time, moments, answers)
    schema = schema_of(name, time, time_format, columns, people, answers)
    data = _data(paths, schema, people, rhythm, zone, answers)
    log, told = _open(schema, data)
    folds, choice, more = _plan(log, schema, answers)
    checks = [f"{column.name}: {column.check}" for column in columns if column.check]
    checks += [zone.check, people.check, "" if answers.hold_counts else rhythm.check, *choice.checks, *told, *more]
    return Survey(
        name,
        tuple(map(str, paths)),
        columns,
        schema,
        people,
        zone,
        rhythm,
        data,
        log,
        tuple(folds),
        choice,
        log.notes,
        tuple(dict.fromkeys(filter(None, checks))),
    )


def times_of(cells: Cells, answers: Answers) -> tuple[list[str], str, Times]:
    """Return the columns of the time, its format, and the times of the rows."""
    time = find_times(cells.frame, answers.time)
    text = joined_text(cells.frame, time)
    time_format = answers.time_format or recognise(text, label=cells.label)
    return time, time_format, read_times(text, time_format, None, answers.time_zone)


def understand_all(
    cells: Cells, time: Sequence[str], moments: Times, answers: Answers, find: Find = find_people
) -> tuple[tuple[Column, ...], People, Rhythm]:
    """Return what each column is, the one with the counts, and the step of the rows.

    Args:
        cells: what the files hold.
        time: the columns of the time.
        moments: the times of the rows.
        answers: what the user told.
        find: finds the column with the counts; of a log without one, it may give the name of one that is not there.
    """
    order = np.argsort(moments.times.to_numpy(), kind="stable")[: int(moments.times.notna().sum())]
    rest = cells.frame.drop(columns=list(time)).iloc[order]
    times = pd.DatetimeIndex(moments.times.iloc[order])
    check_one_room(rest, times)
    check_times(times)
    numbers = {str(name): numbers_of(rest[name]) for name in rest.columns}
    values = {name: values_of(rest[name], numbers[name]) for name in numbers}
    people = find(rest, values, answers.count)
    columns = tuple(meaning_of(str(name), time, people, values, cells.units, answers) for name in cells.frame.columns)
    sensors = [np.isfinite(numbers[column.name]) for column in columns if column.role == "sensor"]
    counts = counts_of(rest[people.name], people.labels) if people.name in rest else np.full(len(rest), np.nan)
    rhythm = rhythm_of(times, sensors, counts, answers.step)
    return columns, people, rhythm


def _data(
    paths: Sequence[Path], schema: Schema, people: People, rhythm: Rhythm, zone: Zone, answers: Answers
) -> dict[str, Any]:
    """Return the settings of the log, without those that are as usual."""
    source = [str(path) for path in paths]
    most: int | str = answers.max_count or (f"{people.most}+" if people.capped else max(people.most, 1))
    found = {
        "source": source[0] if len(source) == 1 else source,
        "max_count": most,
        "time_zone": zone.name,
        "step": rhythm.grid_s,
        "max_gap": rhythm.max_gap_s,
        "hold_counts": answers.hold_counts or rhythm.hold_counts_s,
    }
    return {key: value for key, value in found.items() if value is not None}


def _open(schema: Schema, data: dict[str, Any]) -> tuple[Log, list[str]]:
    """Return the log as training reads it, and what it warns of."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        path = Path(folder, "schema.yaml")
        path.write_text(schema_text(schema, []), encoding="utf-8")
        log, _ = open_log(resolve(Data, {**data, "schema": str(path)}, "what setup found"))
    told = [str(one.message) for one in caught if isinstance(one.message, InputWarning)]
    return log, [line for line in told if not log.notes or "; ".join(log.notes) not in line]


def _plan(log: Log, schema: Schema, answers: Answers) -> tuple[list[Parts], Choice, list[str]]:
    """Return folds, checked as training checks them, the model, and what the folds warn of."""
    counts = log.frame[schema.count].to_numpy(float)
    folds = plan_folds(log.times, counts, log.max_gap)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # told below, a line a fold
        made = cut(log, resolve(Scheme, scheme_tree(schema.name, folds), "the folds"))
    learned = made[0].train | made[0].validation
    days = log.wall[learned & (counts > 0)].normalize().nunique()
    kinds = {column.kind for column in schema.columns if column.name in log.frame}
    choice = choose(kinds, days, int(np.nanmax(counts)), answers.volume_m3)
    return folds, choice, [line for fold in made if (line := _lacking(fold))]


def _lacking(fold: Fold) -> str:
    """Return which counts a fold tests without a row of them to train; empty if there are none."""
    trained, tested = (set(fold.counts(part).tolist()) for part in (fold.train, fold.test))
    people = ", ".join(map(str, sorted(tested - trained)))
    return f"{fold.name} tests rows with {people} people and has none to train" if people else ""
