"""Counts as people write them: words, ranges without an upper end, blanks, and less often than the sensors."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from occupancy.config import Data
from occupancy.data.kinds import ERRORS
from occupancy.data.numbers import STATES, in_each
from occupancy.data.schema import Schema
from occupancy.data.times import recordings

_RANGE = re.compile(r"\s*(?:>=?|≥|more than)?\s*(\d{1,4})\s*(?:\+|-\s*\d{1,4}|or more)?\s*", re.IGNORECASE)
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {**{word: number for number, word in enumerate(_WORDS)}, **dict.fromkeys(("empty", "nobody", "free"), 0)}
_OPEN = re.compile(r"\s*(\d{1,4})\s*\+\s*")


def read_counts(cells: pd.Series[Any], schema: Schema, settings: Data) -> tuple[pd.Series[float], str]:
    """Return the counts in a column (N,), NaN where a cell is blank or none that can be read, and what is to be said.

    Words mean what ``labels`` of the schema says. ``12+`` is 12 where counts are capped at 12, and larger counts are,
    but for the numbers that tell an error.

    Args:
        cells: (N,) text or numbers.
        schema: its ``labels``.
        settings: ``max_count`` and ``cap_counts``.
    """
    words = {word.strip().lower(): float(count) for word, count in schema.labels.items()}
    if settings.cap_counts:
        words.setdefault(f"{settings.max_count}+", float(settings.max_count))

    def read(values: pd.Series[Any]) -> pd.Series[float]:
        text = values.astype(str).str.strip().str.lower()
        text = text.where(~text.str.fullmatch(_OPEN), text.str.replace(" ", ""))
        exact = values.where(pd.to_numeric(values, errors="coerce").notna()).astype(np.float64)
        return text.map(words).astype(np.float64).fillna(exact)

    counts = pd.Series(in_each(cells, read), cells.index)
    above = (counts > settings.max_count) & (counts < np.inf) & ~counts.isin(ERRORS)
    if not settings.cap_counts or not above.any():
        return counts, ""
    most = settings.max_count
    said = f"{above.sum():,} counts above {most}, up to {counts[above].max():g}, count as {most}"
    return counts.mask(above, most), said


def on_words(cells: pd.Series[Any], settings: Data) -> str:
    """Return what a schema may say of cells (n,) that are no counts, as the end of a message."""
    words = list(dict.fromkeys(str(cell).strip() for cell in cells))[:4]
    meant = {word: _meaning(word) for word in words}
    shown = ", ".join(f"{_quoted(word)}: {count}" for word, count in meant.items())
    said = f", such as labels: {{{shown}}}"
    said += " with a number for each N" if "N" in meant.values() else ""
    most = [int(found[1]) for word in words if (found := _OPEN.fullmatch(word))]
    if most and max(most) >= settings.max_count:
        said += f"; or, where {max(most)}+ means so many people or more, set data.max_count={max(most)}+"
    return said


def _meaning(word: str) -> str:
    if word.lower() in STATES:
        return str(int(STATES[word.lower()]))
    if word.lower() in _NUMBERS:
        return str(_NUMBERS[word.lower()])
    found = _RANGE.fullmatch(word)
    return found[1] if found else "N"


def _quoted(word: str) -> str:
    return (
        word
        if re.fullmatch(r"[A-Za-z_][\w ]*", word)
        and word.lower() not in {"on", "off", "yes", "no", "true", "false", "n", "y"}
        else f"'{word}'"
    )


def hold_counts(counts: pd.Series[float], max_gap: float, hold_s: float | None) -> pd.Series[float]:
    """Return counts (N,) that hold for rows after them that have none.

    Args:
        counts: (N,) on sorted times, NaN where there is none.
        max_gap: seconds; no count holds across a longer step.
        hold_s: how long it holds, in seconds; None for not at all.
    """
    if hold_s is None or not counts.isna().any():
        return counts
    times = pd.DatetimeIndex(counts.index)
    recording = recordings(times, max_gap)
    held = counts.groupby(recording).ffill()
    since = pd.Series(times, counts.index).where(counts.notna()).groupby(recording).ffill()
    return held.where((pd.Series(times, counts.index) - since) <= pd.Timedelta(seconds=hold_s))
