"""Several files of one room as one table: rows of other times follow each other, other sensors stand side by side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occupancy.data.order import setback
from occupancy.data.reading.cells import Cells
from occupancy.data.reading.long_form import GENERIC
from occupancy.data.reading.odd_rows import time_columns
from occupancy.data.time_formats import Parsed, fitting, in_iso, leaps, parse
from occupancy.data.times import falls, format_of, in_utc, joined_text
from occupancy.errors import InputError

_RESOLVED = "resolved"  # times of a wall clock that a zone has put in order, and that are to be written in UTC
_EPOCH = re.compile(r"\s*\d{10}(?:\d{3}){0,3}(?:\.\d+)?\s*")  # a whole time; a column of 0.5 beside it is a sensor's
_CLOCK = re.compile(r"\s*\d{1,2}:\d\d.*|\s*0?\.\d+\s*")


@dataclass(frozen=True)
class _Part:
    """The cells of a file, and when its rows are.

    Attributes:
        cells: the cells.
        times: the columns with the time.
        parsed: (N,) the times.
        format: how they are written.
    """

    cells: Cells
    times: tuple[str, ...]
    parsed: Parsed
    format: str

    @property
    def moments(self) -> NDArray[Any]:
        """The times of the rows, (N,)."""
        return self.parsed.times.to_numpy()

    @property
    def name(self) -> str:
        return str(self.cells.files[0])

    @property
    def sensors(self) -> list[str]:
        return [str(name) for name in self.cells.frame.columns if name not in self.times]


def join(parts: Sequence[Cells], zone: str | None = None, time_format: str | None = None) -> Cells:
    """Return the cells of several files of one room as one table.

    Files with the same columns hold rows of other times; what two of them share has to be the same. Files with other
    columns hold other sensors: there is a row for each time of any of them, blank where a sensor sent nothing.

    Args:
        parts: the cells of each file.
        zone: the zone of the room.
        time_format: the format of the times, where it is known.

    Raises:
        InputError: if times can't be read, files disagree, or a column is in files of other sensors.
    """
    times = [_time_columns(cells) for cells in parts]
    texts = [joined_text(cells.frame, columns) for cells, columns in zip(parts, times, strict=True)]
    formats = _formats(texts, parts, time_format)
    placed = _named_by_file([_place(*given, zone) for given in zip(parts, times, texts, formats, strict=True)])
    kinds: dict[tuple[str, ...], list[_Part]] = {}
    for part in placed:
        kinds.setdefault((*sorted(part.times), "", *sorted(part.sensors)), []).append(part)
    groups = [_append(group) for group in kinds.values()]
    return groups[0].cells if len(groups) == 1 else _beside(groups)


def _time_columns(cells: Cells) -> tuple[str, ...]:
    """Return the column with date and time, or those with the date and with the time of day."""
    dated = time_columns(cells.frame)[:1]
    if not dated:
        raise InputError(
            f"{cells.files[0]}: has no column with dates, by which several files are put together; add one"
        )
    head = cells.frame.iloc[:50]
    if not any(":" in text or _EPOCH.fullmatch(text) for text in head[dated[0]].astype(str)):
        others = [str(name) for name in cells.frame.columns if name not in dated]
        dated += [
            name for name in others if head[name].astype(str).map(lambda text: bool(_CLOCK.fullmatch(text))).all()
        ][:1]
    return tuple(dated)


def _formats(texts: Sequence[pd.Series[str]], parts: Sequence[Cells], known: str | None) -> list[str]:
    """Return the format of the times of each file. Where a file leaves a choice, the others decide."""
    found: list[str | InputError] = []
    for text, cells in zip(texts, parts, strict=True):
        try:
            found.append(format_of(text, known, cells.label))
        except InputError as error:
            found.append(error)
    sure = {one for one in found if isinstance(one, str)}
    formats = []
    for one, text, cells in zip(found, texts, parts, strict=True):
        if isinstance(one, str):
            formats.append(one)
            continue
        fit = _steady(text, sorted(sure)) or _steady(text, fitting(pd.concat(texts, ignore_index=True)))
        if len(fit) != 1:
            raise InputError(f"{cells.files[0]}: {one}") from None
        formats += fit
    return formats


def _steady(text: pd.Series[str], formats: Sequence[str]) -> list[str]:
    """Return the formats that read all texts (N,) as times without leaps of months."""
    read = {one: parse(text, one).times for one in formats}
    return [one for one, times in read.items() if not times.hasnans and not leaps(times)]


def _place(cells: Cells, times: tuple[str, ...], text: pd.Series[str], time_format: str, zone: str | None) -> _Part:
    parsed = parse(text, time_format)
    if falls(parsed.times):
        cells = replace(cells, frame=cells.frame[::-1].reset_index(drop=True), rows=cells.rows[::-1])
        parsed = parse(text[::-1].reset_index(drop=True), time_format)
    if not _is_known(parsed):
        if zone is not None:
            parsed, time_format = Parsed(in_utc(parsed.times, zone), zulu=True), _RESOLVED
        elif said := setback(parsed.times, cells.label, None):
            raise InputError(f"{cells.files[0]}: {said}")
    return _Part(cells, times, parsed, time_format)


def _named_by_file(parts: list[_Part]) -> list[_Part]:
    """Return the files of one sensor each, whose column has a name such as value, with the column named by the file."""
    lone = [part for part in parts if _says_nothing(part)]
    spans = sorted((part.moments.min(), part.moments.max()) for part in lone)
    if len(lone) < 2 and len(parts) == len(lone):
        return parts
    if len(lone) == len(parts) and all(one[1] < two[0] for one, two in pairwise(spans)):
        return parts  # one sensor, one time after another
    named = []
    for part in parts:
        if _says_nothing(part):
            old, new = part.sensors[0], Path(part.cells.files[0]).name.split(".")[0]
            units = {new: part.cells.units[old]} if old in part.cells.units else {}
            note = f"{part.name}: column {old} is called {new}, as its file"
            cells = replace(
                part.cells,
                frame=part.cells.frame.rename(columns={old: new}),
                units=units,
                notes=(*part.cells.notes, note),
            )
            part = replace(part, cells=cells)  # noqa: PLW2901
        named.append(part)
    return named


def _says_nothing(part: _Part) -> bool:
    return len(part.sensors) == 1 and part.sensors[0].lower() in GENERIC


def _notes(parts: Sequence[_Part]) -> tuple[str, ...]:
    """Return the notes of several files, one that holds for all of them once."""
    notes = [(part.name, note) for part in parts for note in part.cells.notes]
    times = Counter(note for _, note in notes)
    return tuple(
        dict.fromkeys(
            note if times[note] == len(parts) or note.startswith(name) else f"{name}: {note}" for name, note in notes
        )
    )


def _append(parts: list[_Part]) -> _Part:
    """Return files with the same columns as one, sorted by time, without the rows that repeat another."""
    parts = sorted(parts, key=lambda part: part.moments.min())
    parts = _in_one_format(parts)
    first = parts[0]
    columns = list(first.cells.frame.columns)
    frame = pd.concat([part.cells.frame[columns].astype(object) for part in parts], ignore_index=True)
    moments = np.concatenate([part.moments for part in parts])
    again = (frame.assign(**{"\0": moments}).duplicated()).to_numpy()
    kept = moments[~again]
    if (np.diff(kept) < np.timedelta64(0)).any() and all(_rises(part.moments) for part in parts):
        _refuse_overlap(parts, moments, again)
    number = np.repeat(np.arange(len(parts)), [len(part.moments) for part in parts])
    rows = np.concatenate([part.cells.rows for part in parts])
    files = tuple(file for part in parts for file in part.cells.files)
    notes = _notes(parts)
    if again.any():
        notes = (*notes, f"{int(again.sum()):,} rows repeat another, and are read once")
    cells = replace(
        first.cells,
        frame=frame[~again].reset_index(drop=True).astype("category"),
        rows=rows[~again],
        of=number[~again],
        files=files,
        notes=notes,
        units={name: unit for part in reversed(parts) for name, unit in part.cells.units.items()},
    )
    offsets = None
    if all(part.parsed.offset_s is not None for part in parts):
        offsets = pd.concat([part.parsed.offset_s for part in parts])[~again]
    return replace(first, cells=cells, parsed=Parsed(pd.Series(kept), offsets, first.parsed.zulu))


def _rises(moments: NDArray[Any]) -> bool:
    return bool((np.diff(moments) >= np.timedelta64(0)).all())


def _refuse_overlap(parts: Sequence[_Part], moments: NDArray[Any], again: NDArray[np.bool_]) -> None:
    one, two = next((a, b) for a, b in pairwise(parts) if a.moments.max() >= b.moments.min())
    raise InputError(
        f"{one.name} and {two.name} have the same columns, and other rows for the same time (from "
        f"{pd.Timestamp(two.moments.min())}): give rooms of their own as data.rooms, give a column of another sensor a "
        "name of its own, or delete the rows of one of them"
    )


def _in_one_format(parts: list[_Part]) -> list[_Part]:
    """Return parts whose times are written alike."""
    if len({(part.format, part.times) for part in parts}) == 1 and parts[0].format != _RESOLVED:
        return parts
    known = {_is_known(part.parsed) for part in parts}
    if len(known) > 1:
        named = {_is_known(part.parsed): part.name for part in parts}
        raise InputError(
            f"times in {named[True]} have an offset from UTC, and those in {named[False]} have none; write all "
            "files in one way"
        )
    columns = parts[0].times
    if len({len(part.times) for part in parts}) > 1:
        raise InputError(
            f"{parts[0].name} and {parts[-1].name} write their times in different ways; write them in one column each"
        )
    changed = []
    for part in parts:
        text = in_iso(part.parsed.times, known == {True}).set_axis(part.cells.frame.index)
        frame = part.cells.frame.rename(columns=dict(zip(part.times, columns, strict=True)))
        written = [text] if len(columns) == 1 else [text.str[:10], text.str[11:]]
        frame = frame.assign(**{name: cells.astype("category") for name, cells in zip(columns, written, strict=True)})
        changed.append(replace(part, cells=replace(part.cells, frame=frame), times=columns, format="iso"))
    return changed


def _is_known(parsed: Parsed) -> bool:
    return parsed.zulu or parsed.offset_s is not None


def _beside(groups: list[_Part]) -> Cells:
    """Return groups of other sensors side by side, a row for each time of any of them."""
    groups = _in_one_format(groups)
    owners: dict[str, str] = {}
    for group in groups:
        for name in group.sensors:
            if (owner := owners.setdefault(name, group.name)) != group.name:
                raise InputError(
                    f"{owner} and {group.name} both have a column {name}, and other columns; give it another name in "
                    "one of them"
                )
    for group in groups:
        if pd.Series(group.moments).duplicated().any():
            at = pd.Series(group.moments)[pd.Series(group.moments).duplicated()].iloc[0]
            raise InputError(f"{group.name}: has two rows for {at}, so it can't be put beside other files; delete one")
    moments = np.unique(np.concatenate([group.moments for group in groups]))
    columns: dict[str, NDArray[Any]] = {}
    rows, of = np.ones(len(moments), np.int64), np.zeros(len(moments), np.int64)
    done = 0
    for group in groups:
        place = np.searchsorted(moments, group.moments)
        for name in (*group.times, *group.sensors):
            cells = columns.setdefault(name, np.full(len(moments), "", dtype=object))
            cells[place] = group.cells.frame[name].astype(object).to_numpy()
        rows[place], of[place] = group.cells.rows, done + (0 if group.cells.of is None else group.cells.of)
        done += len(group.cells.files)
    named = [group.name for group in groups]
    return Cells(
        pd.DataFrame({name: pd.Categorical(cells) for name, cells in columns.items()}),
        rows,
        (
            *_notes(groups),
            f"{', '.join(named[:3])}{' and more' if len(named) > 3 else ''} are put side by side by time",
        ),
        {name: unit for group in groups for name, unit in group.cells.units.items()},
        tuple(file for group in groups for file in group.cells.files),
        groups[0].cells.layout,
        of,
    )
