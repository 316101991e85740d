"""Many rooms: their files found, their logs laid one after another on one time axis, and the folds of both."""

from __future__ import annotations

import glob
import hashlib
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from occupancy.config import EACH_ROOM, LEAVE_ROOMS_OUT, Data
from occupancy.data.folds import Fold, check_labels, cut, load_scheme
from occupancy.data.schema import Schema, load_schema
from occupancy.data.table import Log, Place, read_log
from occupancy.data.times import STEP_TOLERANCE
from occupancy.errors import InputError, InputWarning

FOLDS = 4
FEWEST = 3  # rooms: one to train on, one to choose with, one to test on
TRAINED, VALIDATED = 0.6, 0.25  # share of a room's rows that trains, and share of these that validates
VALIDATION_STRIDE = 4  # of the rooms that are not tested, every so manieth validates
UNREADABLE = "unreadable"  # in place of a digest; the gate says why
SHOWN = 3  # rooms that a message spells out
_WEEK = pd.Timedelta(weeks=1)


def find_rooms(rooms: str) -> dict[str, Path]:
    """Return the file of each room by the room's name, sorted by it: the file's path below what all have in common.

    Args:
        rooms: a folder, of which every ``*.csv`` is a room, or a glob.

    Raises:
        InputError: there is no such file.
    """
    pattern = str(Path(glob.escape(rooms)) / "*.csv") if Path(rooms).is_dir() else rooms
    paths = [Path(found) for found in sorted(glob.glob(pattern, recursive=True)) if Path(found).is_file()]  # noqa: PTH207
    if not paths:
        got = "a folder without a *.csv" if Path(rooms).is_dir() else "which matches no file"
        raise InputError(f"data.rooms: got {rooms!r}, {got}; expected a folder of CSV files, or a glob of them")
    common = os.path.commonpath([path.parent for path in paths])
    return {path.relative_to(common).as_posix(): path for path in paths}


def open_rooms(settings: Data) -> Log:
    """Return the log of all rooms together, each validated, one after another on one time axis.

    Every room is shifted by whole weeks to where the one before it has ended and a gap lies between: hours and
    weekdays stay true, and nothing that looks back in time looks into another room.

    Warns:
        InputWarning: some rooms lack an optional column, which is then left out of all.

    Raises:
        InputError: there are too few rooms, some of them don't pass the gate, two are the same, or they differ in
            their step.
    """
    assert settings.rooms is not None, "these settings are of a single log"
    if settings.folds == EACH_ROOM:
        raise InputError(
            f"data.folds: {EACH_ROOM!r} is for occupancy.train and occupancy.tune; this takes one model for all rooms, "
            f"so give {LEAVE_ROOMS_OUT!r}, or one room by data.source and a fold file"
        )
    paths = find_rooms(settings.rooms)
    if len(paths) < FEWEST:
        raise InputError(
            f"data.rooms: got {_listed(list(paths))}; {LEAVE_ROOMS_OUT} needs {FEWEST} rooms or more: one to train on, "
            "one to choose with and one to test on"
        )
    schema = load_schema(settings.log_schema)
    logs = _read_all(paths, schema, settings)
    _check_twins(logs, paths)
    _check_steps(logs, paths)
    columns = _common_columns(logs, schema)
    places = tuple(_places(logs, settings.max_gap))
    moved = {place.name: logs[place.name].times + place.shift for place in places}
    frame = pd.concat([logs[name].frame[[*columns, schema.count]].set_axis(times) for name, times in moved.items()])
    missing = pd.concat([logs[name].missing[columns].set_axis(times) for name, times in moved.items()])
    for table in (frame, missing):
        table.index.name = "time"
    return Log(settings.rooms, schema.name, schema, frame, missing, settings.max_gap, places)


def leave_rooms_out(log: Log, folds: int) -> list[Fold]:
    """Return the folds of a log of many rooms: each tests a group of rooms, chooses with others, trains on the rest.

    There are as many as asked for, but no more than rooms, and enough for each to leave two rooms untested.

    Warns:
        InputWarning: a label is tested that was never trained.

    Raises:
        InputError: the training rooms of a fold have a single label.
    """
    rooms = len(log.rooms)
    fewest = -(-rooms // (rooms - 2))  # so that one room trains and one validates
    groups = deal(rooms, min(max(folds, fewest), rooms))
    sizes = [place.end - place.first for place in log.rooms]
    found = []
    for group in range(groups.max() + 1):
        test = groups == group
        validation = np.zeros_like(test)
        validation[np.flatnonzero(~test)[::VALIDATION_STRIDE]] = True
        parts = (np.repeat(part, sizes) for part in (~test & ~validation, validation, test))
        fold = Fold(group + 1, log, *parts)
        found.append(check_labels(fold, f"folds {LEAVE_ROOMS_OUT}: fold {fold.number}"))
    return found


def folds_of(log: Log, settings: Data) -> list[Fold]:
    """Return the folds that the settings ask for, of a log of many rooms or of one.

    Raises:
        InputError: see `leave_rooms_out` and `occupancy.data.folds.cut`.
    """
    return leave_rooms_out(log, settings.room_folds or FOLDS) if log.rooms else cut(log, load_scheme(settings.folds))


def deal(rooms: int, groups: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the group of each room, (rooms,), from 0: equally large groups, whatever the rooms hold.

    Each group in turn gets one of so many successive rooms, in an order drawn anew but always the same. A room
    that is added behind the others leaves theirs as they are, and names that follow a pattern don't end in one group.
    """
    rng = np.random.default_rng(0)
    rounds = [rng.permutation(groups) for _ in range(-(-rooms // groups))]
    return np.concatenate(rounds)[:rooms]


def cut_within(log: Log, where: str) -> Fold:
    """Return the one fold of a room's log: its past trains, the end of that validates, and what follows tests.

    Rows are counted, not days: that is recorded time, whatever gaps there are.

    Raises:
        InputError: there are too few rows, or the training rows have a single label; begins with where.
    """
    rows = np.arange(len(log.frame))
    trained = round(TRAINED * len(rows))
    learned = round((1 - VALIDATED) * trained)
    parts = rows < learned, (rows >= learned) & (rows < trained), rows >= trained
    if not all(part.any() for part in parts):
        raise InputError(f"{where}: has {len(rows)} rows, too few to train, to validate and to test")
    return check_labels(Fold(1, log, *parts), where)


@dataclass(frozen=True)
class StoredRoom:
    """A room that is not read yet, so that thousands of them weigh nothing; whoever works on it reads it.

    Attributes:
        number: its place among the rooms, from 1.
        name: what people call it.
        path: its file, from the root on: whoever reads it may have another working directory.
        digest: hash of what the file held when it was found.
        schema: the meaning of its columns.
        settings: how it is read.
    """

    number: int
    name: str
    path: Path
    digest: str
    schema: Schema
    settings: Data

    def load(self) -> Fold:
        """Return the room's fold.

        Raises:
            InputError: the file is not the one that was found, does not pass the gate, or can't be cut.
        """
        if (digest := _digest_of(self.path, self.schema)) not in {self.digest, UNREADABLE}:
            raise InputError(
                f"{self.path}: has the digest {digest}, but {self.digest} when the command began: it was changed, "
                "or another file lies there on this machine; give the command again, on a cluster with the same files "
                "everywhere"
            )
        return cut_within(read_log(self.path, self.schema, self.settings), str(self.path))


def stored_rooms(settings: Data) -> list[StoredRoom]:
    """Return the rooms that the settings ask for, unread.

    Raises:
        InputError: there are none, or the schema is none.
    """
    assert settings.rooms is not None, "these settings are of a single log"
    schema = load_schema(settings.log_schema)
    return [
        StoredRoom(number, name, path.resolve(), _digest_of(path, schema), schema, settings)
        for number, (name, path) in enumerate(find_rooms(settings.rooms).items(), start=1)
    ]


def _digest_of(path: Path, schema: Schema) -> str:
    """Return a hash of a file's bytes and of what its columns mean, or `UNREADABLE`."""
    digest = hashlib.sha256(schema.model_dump_json().encode())
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return UNREADABLE
    return digest.hexdigest()[:16]


def _read_all(paths: Mapping[str, Path], schema: Schema, settings: Data) -> dict[str, Log]:
    logs, problems = {}, []
    for name, path in paths.items():
        try:
            logs[name] = read_log(path, schema, settings)
        except InputError as error:
            problems.append(str(error))
    if problems:
        more = f"; and so for {len(problems) - SHOWN} more rooms" if len(problems) > SHOWN else ""
        raise InputError("; ".join(problems[:SHOWN]) + more)
    return logs


def _check_twins(logs: Mapping[str, Log], paths: Mapping[str, Path]) -> None:
    seen: dict[str, str] = {}
    for name, log in logs.items():
        if (twin := seen.setdefault(log.digest, name)) != name:
            raise InputError(
                f"{paths[name]}: holds the same rows as {paths[twin]}; a room that is tested must not be learned from "
                "under another name, so take one of them away"
            )


def _check_steps(logs: Mapping[str, Log], paths: Mapping[str, Path]) -> None:
    steps = {name: log.step_s for name, log in logs.items() if not np.isnan(log.step_s)}  # a lone row has none
    if not steps:
        return
    shortest, longest = min(steps, key=steps.__getitem__), max(steps, key=steps.__getitem__)
    # Whichever rooms a fold trains on, no other may be further from their step than a model allows.
    if steps[longest] / steps[shortest] - 1 > STEP_TOLERANCE:
        raise InputError(
            f"{paths[longest]}: has a row every {steps[longest]:g} s, but {paths[shortest]} one every "
            f"{steps[shortest]:g} s; one model over all rooms needs one step, so bring them to it, or take "
            "data.folds=each_room"
        )


def _common_columns(logs: Mapping[str, Log], schema: Schema) -> list[str]:
    """Return the sensors that every room has."""
    having = {column: [name for name, log in logs.items() if column in log.missing] for column in schema.sensors}
    partial = {column: names for column, names in having.items() if 0 < len(names) < len(logs)}
    if partial:
        lacking = sorted({name for names in partial.values() for name in logs.keys() - set(names)})
        warnings.warn(
            f"data.rooms: {_listed(lacking)} of {len(logs)} rooms lack {', '.join(partial)}, which is left out of all",
            InputWarning,
            stacklevel=4,
        )
    return [column for column, names in having.items() if len(names) == len(logs)]


def _places(logs: Mapping[str, Log], max_gap: float) -> Iterator[Place]:
    row, end = 0, None
    for name, log in logs.items():
        try:
            weeks = 0 if end is None else (end + pd.Timedelta(seconds=max_gap) - log.times[0]) // _WEEK + 1
            end = log.times[-1] + weeks * _WEEK
        except (OverflowError, pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta):
            raise InputError(
                f"data.rooms: {len(logs)} rooms one after another, data.max_gap {max_gap:g} s apart, reach beyond the "
                "year 2262, where times end; take a smaller data.max_gap, fewer rooms or shorter logs, or "
                "data.folds=each_room"
            ) from None
        yield Place(name, row, row + len(log.frame), weeks * _WEEK)
        row += len(log.frame)


def _listed(names: list[str]) -> str:
    """Return how many rooms there are, with the first of them."""
    more = ", ..." if len(names) > SHOWN else ""
    return f"{len(names)} ({', '.join(names[:SHOWN])}{more})"
