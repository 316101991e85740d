"""The column with the number of people, and what the words in it mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from occupancy.arrays import Floats
from occupancy.data.blanks import is_blank_text
from occupancy.data.numbers import in_each
from occupancy.errors import InputError, shortened
from occupancy.setup.names import bare, people_in, words_of
from occupancy.setup.values import Values

MOST_PEOPLE = 1000  # as `data.max_count` allows
_MOST_WORDS = 1000  # as the schema allows
_NOBODY = re.compile(
    r"(un|not |non |nicht |niet |no )(occupied|presen\w*|belegt|besetzt|occupe\w*|bezet|ocupad\w*|anwesend|aanwezig)|"
    r"unoccupied|vacant|empty|away|absent\w*|absence|free|frei|leer|vrij|leeg|libre|vide|vacio|nobody|no one|none|off|"
    r"false|no|n|nein|nee|non|clear|closed|idle|not home|zero|nicht erkannt|abwesend"
)
_SOMEBODY = re.compile(
    r"occupied|presen\w*|belegt|besetzt|bezet|occupe\w*|ocupad\w*|home|in use|somebody|someone|busy|detected|on|true|"
    r"yes|y|ja|oui|si|open|active|anwesend|aanwezig|erkannt"
)
_OR_MORE = re.compile(r"(\d{1,3})\s*(\+|or more|and more|oder mehr|et plus)")


@dataclass(frozen=True)
class People:
    """The column with the number of people.

    Attributes:
        name: its name.
        labels: its words and the number of people of each.
        most: the largest number.
        capped: whether the largest number means so many people or more.
        share: share of the rows that have a number.
        why: how it was seen, for people.
        check: what is doubtful about it; empty if nothing is.
        others: columns that say the same in another way.
    """

    name: str
    labels: Mapping[str, int]
    most: int
    capped: bool
    share: float
    why: str
    check: str
    others: tuple[str, ...]


def find_people(text: pd.DataFrame, values: Mapping[str, Values], asked: str | None) -> People:
    """Return the column with the number of people.

    Args:
        text: (N rows) the cells.
        values: what the values of each column are like.
        asked: the name of the column, if the user gave it.

    Raises:
        InputError: if there is none, or the one that was asked for holds no counts.
    """
    if asked is not None and asked not in text.columns:
        raise InputError(f"count: got {shortened(asked)}, expected a column: {', '.join(map(str, text.columns))}")
    sure = {name: people_in(name) for name in text.columns if name in values}
    wanted = [asked] if asked is not None else [name for name, points in sure.items() if points]
    rounds = {name: name == asked or sure[name] > 1 for name in wanted}
    found = {name: one for name in wanted if (one := _counts(text[name], rounds[name])) is not None}
    unread = [name for name in wanted if rounds[name] or not found]
    spoiled = "" if any(rounds[name] for name in found) else _spoiled(text, unread)
    if not found:
        raise _refusal(text, values, asked, spoiled)
    best = max(found, key=lambda name: (sure[name] + (found[name][1] > 1), found[name][2]))
    labels, most, share = found[best]
    others = tuple(name for name in text.columns if sure.get(name) and name != best)
    capped = any(_OR_MORE.fullmatch(word.lower()) for word in labels)
    by_name = "named by you" if asked is not None else words_of(bare(best))
    doubt = _doubt(best, labels, asked is not None or sure[best] > 1)
    if spoiled:
        doubt = f"{doubt}; {spoiled}, so it is not taken: empty these cells if it is what people counted"
    return People(best, labels, most, capped, share, by_name, doubt, others)


def _refusal(text: pd.DataFrame, values: Mapping[str, Values], asked: str | None, spoiled: str) -> InputError:
    """Return what to tell where no column holds counts, see `find_people`."""
    expected = f"expected whole numbers of people from 0 to {MOST_PEOPLE}"
    if spoiled:
        return InputError(f"count: {spoiled}, {expected}; empty these cells, so that these rows have no count")
    if asked is not None:
        words = ", ".join(map(repr, values[asked].words)) or values[asked].range()
        return InputError(f"count: column {asked} holds {words}, {expected}")
    return InputError(
        "no column says how many people are in, which training needs; name it with count=COLUMN, or add one to the "
        f"file, blank where the number is not known; the columns are {', '.join(map(str, text.columns))}"
    )


def _spoiled(text: pd.DataFrame, names: Sequence[str]) -> str:
    """Return which column would hold counts but for negative numbers, as stand for unknown; empty if none would."""
    for name in names:
        cells = text[name].astype(str).str.strip()
        negative = cells.map(lambda word: (_number(word) or 0) < 0)
        if negative.any() and _counts(cells[~negative], True) is not None:
            return f"column {name} holds {cells[negative].iloc[0]} in {int(negative.sum()):,} rows"
    return ""


def _doubt(name: str, labels: Mapping[str, int], is_sure: bool) -> str:
    """Return what is doubtful about the column of the counts; empty if nothing is."""
    if fractions := [word for word in labels if _number(word) is not None]:
        return (
            f"{name} has fractions, such as {fractions[0]}, as means over a time have; each is read as the nearest "
            "whole number, by labels in the schema"
        )
    return "" if is_sure else f"{name} is taken for the number of people; is it what people counted, or a sensor's?"


def _counts(cells: pd.Series[Any], rounds: bool) -> tuple[dict[str, int], int, float] | None:
    """Return words with numbers, the most people, and the share of rows with a count; None if it holds no counts.

    Args:
        cells: (N,) the cells.
        rounds: whether fractions, as of means over a time, are rounded; they are then among the words.
    """
    labels: dict[str, int] = {}
    most, rows = -1, 0
    for word, times in cells.astype(str).str.strip().value_counts().items():
        if is_blank_text(str(word)):
            continue
        count = _number(str(word))
        if count is None or (rounds and count != np.floor(count)):
            meaning = meaning_of(str(word)) if count is None else int(np.floor(count + 0.5))
            if meaning is None or len(labels) >= _MOST_WORDS:
                return None
            labels[str(word)], count = meaning, float(meaning)
        if not 0 <= count <= MOST_PEOPLE or count != np.floor(count):
            return None
        most, rows = max(most, int(count)), rows + int(times)
    return (labels, most, rows / len(cells)) if rows else None


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def counts_of(cells: pd.Series[Any], labels: Mapping[str, int]) -> Floats:
    """Return the counts in a column (N,), NaN where there is none.

    Args:
        cells: (N,) the cells.
        labels: the words among them, and the number of people of each.
    """

    def read(values: pd.Series[Any]) -> pd.Series[float]:
        text = values.astype(str).str.strip()
        return text.map(labels).astype(float).fillna(pd.to_numeric(text, errors="coerce"))

    return np.asarray(in_each(cells, read), np.float64)


def meaning_of(word: str) -> int | None:
    """Return the number of people that a word means; None if it means none."""
    plain = words_of(word)
    if (found := _OR_MORE.fullmatch(word.strip().lower())) is not None:
        return int(found[1])
    if _NOBODY.fullmatch(plain):
        return 0
    return 1 if _SOMEBODY.fullmatch(plain) else None
