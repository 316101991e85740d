"""Numbers as people and devices write them, as numbers with a decimal point: 21,5 and 1.234,5 and 40 %."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from occupancy.data.blanks import is_blank_text
from occupancy.data.kinds import KINDS
from occupancy.data.reading.layout import UNITS

_COMMA = re.compile(
    r"[-+]?(?:\d+|\d{1,3}(?:[. '\u2019\u00a0\u202f]\d{3})+),\d+"
)  # a decimal comma, or one of thousands
_SURE_COMMA = re.compile(
    r"[-+]?(?:\d+,(?:\d{1,2}|\d{4,})|0+,\d+|\d{4,},\d+|\d{1,3}(?:[. '\u2019\u00a0\u202f]\d{3})+,\d+)"
)
_POINT = re.compile(r"[-+]?(?:\d+|\d{1,3}(?:[, '\u2019\u00a0\u202f]\d{3})+)(?:\.\d*)?(?:[eE][-+]?\d+)?")
_SURE_POINT = re.compile(
    r"[-+]?(?:\d*\.(?:\d{1,2}|\d{4,})|0+\.\d+|\d{4,}\.\d+|\d{1,3}(?:,\d{3})+\.\d+|\d{1,3}(?:,\d{3}){2,})"
)
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:\.\d{3})+")
_PLAIN = re.compile(r"[-+]?\d{1,3}")
_GROUPS = re.compile(r"[ '\u2019\u00a0\u202f]")
_UNIT = re.compile(r"([-+\u2212]?[\d.,' \u00a0\u202f]*\d)\s*([^\d\s.,+-][^\d.,]*(?:[m/]?[23³²])?)")
_LISTED = 5


def to_points(frame: pd.DataFrame, times: Sequence[str]) -> tuple[pd.DataFrame, dict[str, str], list[str]]:
    """Return the cells with numbers in Python's form, the units that stood behind numbers, and notes of what changed.

    Whether a comma is the decimal sign is decided for the whole file, by cells that leave no choice, such as ``21,5``
    and ``1,234.5``. Cells that can be read in two ways stay as they are, so that the gate refuses them.

    Args:
        frame: (N rows) cells as text, each column a categorical.
        times: the columns with times, which stay as they are.
    """
    odd = {str(name): cells for name in frame.columns if name not in times and len(cells := _odd(frame[name]))}
    if not odd and not _may_group(frame, times):
        return frame, {}, []
    odd, units = _cut_units(frame, odd)
    texts = [text for cells in odd.values() for text in cells.values()]
    comma = any(_SURE_COMMA.fullmatch(text) for text in texts)
    point = any(_SURE_POINT.fullmatch(text) for text in (*texts, *_plain_numbers(frame, times)))
    changed: dict[str, dict[str, str]] = {}
    for name in [str(name) for name in frame.columns if name not in times]:
        mapping = _mapping(frame[name], odd.get(name, {}), comma, point)
        if mapping:
            changed[name] = mapping
    return (
        _renamed(frame, changed),
        {name: unit for name, unit in units.items() if name in changed},
        _notes(changed, units),
    )


def _odd(cells: pd.Series[Any]) -> dict[str, str]:
    """Return the different cells of a column that Python reads as no number, as they stand and stripped."""
    values = cells.cat.categories
    unread = values[pd.to_numeric(pd.Series(values, dtype=object), errors="coerce").isna().to_numpy()]
    return {cell: cell.strip().replace("\u2212", "-") for cell in unread if not is_blank_text(cell)}


def _may_group(frame: pd.DataFrame, times: Sequence[str]) -> bool:
    return any(_grouped(frame[name]) for name in frame.columns if name not in times)


def _grouped(cells: pd.Series[Any]) -> bool:
    """Return whether points in a column can only stand between thousands: 987, 1.234, 1.250 and no other decimals."""
    values = [cell for text in cells.cat.categories[:_MOST] if (cell := text.strip()) and not is_blank_text(cell)]
    pointed = [cell for cell in values if "." in cell]
    whole = [cell for cell in values if "." not in cell]
    return (
        bool(pointed)
        and all(_THOUSANDS.fullmatch(cell) for cell in pointed)
        and all(_PLAIN.fullmatch(cell) for cell in whole)
        and _reach_thousands(whole, len(values))
        and (any(cell.endswith("0") for cell in pointed) or len(pointed) >= _MANY)
    )


def _reach_thousands(whole: Sequence[str], of: int) -> bool:
    """Return whether whole numbers are those just below the thousands of a column, and no errors of its sensor.

    Args:
        whole: the different whole numbers of the column.
        of: how many different numbers it has.
    """
    hundreds = [number for cell in whole if (number := int(cell)) >= 100 and number not in _SENTINELS]
    return bool(hundreds) and (max(hundreds) >= _NEAR or len(hundreds) >= max(_FEW, of * _SHARE))


_MOST, _MANY = 2_000, 20
_NEAR, _FEW, _SHARE = 900, 3, 0.05
_SENTINELS = {error for facts in KINDS.values() for error in facts.sentinels} | {999.0}


def _cut_units(frame: pd.DataFrame, odd: dict[str, dict[str, str]]) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Return the odd cells without the unit behind their numbers, where a column has one known unit."""
    units = {}
    for name, cells in odd.items():
        found = [_UNIT.fullmatch(text) for text in cells.values()]
        named = {match[2].strip() for match in found if match}
        if all(found) and len(named) == 1 and (unit := named.pop()).lower() in UNITS:
            units[name] = unit
            odd[name] = {cell: match[1].strip() for cell, match in zip(cells, found, strict=True) if match}
    return odd, units


def _plain_numbers(frame: pd.DataFrame, times: Sequence[str]) -> list[str]:
    """Return some of the numbers that are written with a point."""
    found: list[str] = []
    for name in frame.columns:
        if name not in times:
            found += [text for text in frame[name].cat.categories[:_MOST] if "." in text]
    return found


def _mapping(cells: pd.Series[Any], odd: dict[str, str], comma: bool, point: bool) -> dict[str, str]:
    """Return what each odd cell of a column is to be read as; empty if one of them can't be read."""
    if comma and not point:
        pointed = [text for text in cells.cat.categories if "." in text and text not in odd]
        groups = {text: text.strip().replace(".", "") for text in pointed if _THOUSANDS.fullmatch(text.strip())}
        read = {cell: _from_comma(text) for cell, text in odd.items()}
        return {cell: text for cell, text in {**groups, **read}.items() if text is not None}
    groups = {}
    if not point and _grouped(cells):
        groups = {text: text.strip().replace(".", "") for text in cells.cat.categories if "." in text}
    if comma and point:  # a file of two kinds: only what leaves no choice
        read = {
            cell: _from_comma(text) if _SURE_COMMA.fullmatch(text) else _from_point(text) for cell, text in odd.items()
        }
    else:
        read = {cell: _from_point(text, lone=point or _mixed(cells)) for cell, text in odd.items()}
    return {cell: text for cell, text in {**groups, **read}.items() if text is not None}


def _mixed(cells: pd.Series[Any]) -> bool:
    """Return whether a column has whole numbers of three digits beside those with commas: 987 and 1,234."""
    values = [text.strip() for text in cells.cat.categories[:_MOST]]
    whole = [text for text in values if text.isdecimal()]
    return all(len(text) <= 3 for text in whole) and _reach_thousands(whole, len(values))


def _from_comma(text: str) -> str | None:
    if _THOUSANDS.fullmatch(text):
        return text.replace(".", "")
    if not _COMMA.fullmatch(text):
        return _GROUPS.sub("", text) if _POINT.fullmatch(text) and "," not in text and "." not in text else None
    return _GROUPS.sub("", text).replace(".", "").replace(",", ".")


def _from_point(text: str, lone: bool = True) -> str | None:
    """Return a number with commas between thousands as Python writes it; None if it is none, or may be a decimal."""
    if not _POINT.fullmatch(text) or (not lone and "," in text and not _SURE_POINT.fullmatch(text)):
        return None
    return _GROUPS.sub("", text).replace(",", "")


def _renamed(frame: pd.DataFrame, changed: dict[str, dict[str, str]]) -> pd.DataFrame:
    if not changed:
        return frame
    frame = frame.copy(deep=False)
    for name, mapping in changed.items():
        values = [mapping.get(text, text) for text in frame[name].cat.categories]
        kinds = pd.Index(dict.fromkeys(values))
        place = kinds.get_indexer(pd.Index(values))
        codes = frame[name].cat.codes.to_numpy()
        frame[name] = pd.Categorical.from_codes(np.where(codes < 0, -1, place[codes]), categories=kinds)
    return frame


def _notes(changed: dict[str, dict[str, str]], units: dict[str, str]) -> list[str]:
    kinds: dict[str, list[tuple[str, str]]] = {}
    for name, mapping in changed.items():
        cell, read = next(iter(mapping.items()))
        what = (
            f"unit {units[name]}"
            if name in units
            else "decimal commas"
            if cell.count(",") and "." in read
            else "signs between thousands"
        )
        kinds.setdefault(what, []).append((name, f"{cell!r} is read as {read}"))
    return [
        f"{what} in {', '.join(name for name, _ in found[:_LISTED])}"
        f"{f' and {len(found) - _LISTED} more' if len(found) > _LISTED else ''}: {found[0][1]}"
        for what, found in kinds.items()
    ]
