"""Rows and columns of a file that hold no readings: they are left out, where that is certain, with a note."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occupancy.arrays import Ints, Rows
from occupancy.data.reading.layout import UNITS
from occupancy.data.time_formats import looks_like_a_time

_TAIL = 30  # rows at the end among which a summary is looked for
_SOME = 60  # rows by which a column of times is found
_SUMMARY = re.compile(
    r"\W*(?:averages?|avg|mean|min(?:imum)?|max(?:imum)?|sum|totals?|count|st\.?d(?:ev)?|median|end|eof|generated|exported|"
    r"mittelwert|durchschnitt|summe|anzahl|rows?|records?|statistics?|summary|moyenne|media|source|note|copyright)\b.*",
    re.IGNORECASE | re.DOTALL,
)


def time_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns whose cells look like times with a date, in the order of the file."""
    if frame.empty:
        return []
    some = frame.iloc[np.unique(np.linspace(0, len(frame) - 1, _SOME).astype(int))]
    return [
        str(name)
        for name in frame.columns
        if (cells := [cell for cell in some[name].astype(str) if cell.strip()])
        and sum(map(looks_like_a_time, cells)) > len(cells) / 2
    ]


def leave_out(frame: pd.DataFrame, rows: Ints, nameless: Sequence[str]) -> tuple[pd.DataFrame, Ints, list[str]]:
    """Return the rows and columns that hold readings, and a note for what is left out.

    A row is left out if it repeats the header, or is blank; or if its time can't be read and it holds units at the
    beginning, or a summary at the end of the file.

    Args:
        frame: (N rows) cells as text.
        rows: (N,) the line of each row.
        nameless: the columns without a name.
    """
    frame, notes = _without_nameless(frame, nameless)
    keep = np.ones(len(frame), bool)
    for kind, odd in _odd(frame).items():
        if (odd & keep).any():
            notes.append(f"{_listed(rows[odd & keep])} {kind}: skipped")
        keep &= ~odd
    if keep.all() or not keep.any():
        return frame, rows, notes if keep.all() else []
    frame = frame[keep].reset_index(drop=True)
    return frame.apply(lambda cells: cells.cat.remove_unused_categories()), rows[keep], notes


def _without_nameless(frame: pd.DataFrame, nameless: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    notes, dropped = [], []
    for name in nameless:
        cells = frame[name]
        if not cells.cat.categories.str.strip().any():
            dropped.append(name)
        elif _counts_rows(cells):
            dropped.append(name)
            notes.append(f"{name}, which has no name, numbers the rows: left out")
    return frame.drop(columns=dropped), notes


def _counts_rows(cells: pd.Series[Any]) -> bool:
    numbers = pd.to_numeric(cells.astype(str), errors="coerce").dropna().to_numpy()
    steps = np.diff(numbers)
    return (
        len(numbers) > 0.9 * len(cells)
        and bool((numbers == np.round(numbers)).all() and (np.abs(steps - 1) < 0.5).mean() > 0.9)
        if len(numbers) > 1
        else len(numbers) == len(cells)
    )


def _odd(frame: pd.DataFrame) -> dict[str, Rows]:
    size = len(frame)
    kinds: dict[str, NDArray[np.bool_]] = {}
    headed = np.zeros(size, bool)
    if all(name in frame[name].cat.categories.str.strip() for name in frame.columns):
        headed = np.logical_and.reduce([_stripped(frame[name]) == name for name in frame.columns])
        kinds["repeats the header"] = headed
    first = frame[frame.columns[0]]
    if not first.cat.categories.str.strip().all() or "" in first.cat.categories:
        blank = np.logical_and.reduce([_stripped(frame[name]) == "" for name in frame.columns])
        kinds["is blank"] = blank
    times = time_columns(frame)
    if times:
        untimed = _untimed(frame, times, _SOME, 0)
        kinds["holds units, not readings"] = _heads(untimed & ~headed) & _units_rows(frame, times)
        kinds["holds a summary, not readings"] = _tails(_untimed(frame, times, 0, _TAIL), frame, times)
    return kinds


def _stripped(cells: pd.Series[Any]) -> NDArray[Any]:
    """Return the cells of a column without blanks around them, (N,)."""
    return np.asarray(cells.cat.categories.str.strip())[cells.cat.codes.to_numpy()]


def _untimed(frame: pd.DataFrame, times: Sequence[str], head: int, tail: int) -> NDArray[np.bool_]:
    """Return which of the first or last rows have no time, (N,); others are not looked at."""
    looked = np.zeros(len(frame), bool)
    looked[:head] = True
    looked[len(frame) - min(tail, len(frame)) :] = tail > 0
    found = np.zeros(len(frame), bool)
    for place in np.flatnonzero(looked):
        found[place] = not any(looks_like_a_time(str(frame[name].iloc[int(place)])) for name in times)
    return found


def _heads(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which rows belong to the run of flags at the very beginning, (N,)."""
    return np.logical_and.accumulate(flags)


def _units_rows(frame: pd.DataFrame, times: Sequence[str]) -> NDArray[np.bool_]:
    others = [name for name in frame.columns if name not in times]
    found = np.zeros(len(frame), bool)
    for place in range(min(3, len(frame))):
        filled = [cell for name in others if (cell := str(frame[name].iloc[int(place)]).strip().lower().strip("[]()"))]
        found[place] = bool(filled) and all(cell in UNITS for cell in filled)
    return found


def _tails(untimed: NDArray[np.bool_], frame: pd.DataFrame, times: Sequence[str]) -> NDArray[np.bool_]:
    """Return which rows belong to the run at the very end that has no times, and says that it is a summary."""
    run = np.logical_and.accumulate(untimed[::-1])[::-1]
    for place in np.flatnonzero(run):
        cells = [str(frame[name].iloc[int(place)]).strip() for name in frame.columns]
        texts = [cell for cell in cells if cell]
        lone = len(texts) == 1 and not any(character.isdigit() for character in texts[0][:1])
        run[place] = not texts or lone or bool(_SUMMARY.fullmatch(texts[0]))
    return np.logical_and.accumulate(run[::-1])[::-1]


def _listed(rows: Ints) -> str:
    shown = ", ".join(f"row {row}" for row in rows[:5].tolist())
    return shown if len(rows) <= 5 else f"{shown} and {len(rows) - 5:,} more"
