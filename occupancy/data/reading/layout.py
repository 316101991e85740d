"""How the cells of a text stand: their separator, the header and what is above it, found in its first lines."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from occupancy.data.kinds import KINDS
from occupancy.data.time_formats import looks_like_a_time
from occupancy.errors import InputError, shortened

MOST_COLUMNS = 10_000
SEPARATORS = "\t;|,"  # the more telling first: a comma may also be in numbers
HEAD = 1 << 16  # bytes in which the layout is found
_LINES = 60
_MARGIN = 0.2  # share of lines by which a less telling separator has to be better
_SEP = re.compile(r'\s*"?sep=(.)"?\s*', re.IGNORECASE)
_END = re.compile(r"\r\n|\r|\n")
_BRACKETS = re.compile(r"(?P<name>.*\S)\s*(?:\[(?P<square>[^\]]+)\]|\((?P<round>[^)]+)\))\s*")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?")
_PROCESSES = {"ts", "rn", "smp", "avg", "min", "max", "std", "tot", "med", "-", "1", "n/a", "unitless", "none"}
_OTHER_UNITS = {"people", "persons", "person", "count", "h", "s", "min", "utc", "bool", "string", "datetime", "iso"}
_OTHER_UNITS |= {
    "yyyy-mm-dd hh:mm:ss",
    "dd.mm.yyyy hh:mm",
    "m/s",
    "kwh",
    "wh",
    "mm",
    "km/h",
    "deg",
    "°",
    "v",
    "mv",
    "a",
}
UNITS = frozenset(
    {word for facts in KINDS.values() for scale in facts.scales for word in (scale.unit.lower(), *scale.spellings)}
    | _OTHER_UNITS
    | {"0 or 1", "µg/m³", "ug/m3"}
)
"""Words that are units, in lower case."""


@dataclass(frozen=True)
class Layout:
    """How the cells of a text stand.

    Attributes:
        separator: the character between two cells.
        names: the names of all cells of a row; empty for a column without one.
        header: the line of the header, from 0.
        first: the line of the first row, from 0.
        units: units by column, of a row of units or of the names themselves.
        notes: what stands above the rows and is skipped.
    """

    separator: str
    names: tuple[str, ...]
    header: int
    first: int
    units: dict[str, str]
    notes: tuple[str, ...]


def find_layout(head: str, path: Path) -> Layout:
    """Return the layout of a text.

    Args:
        head: its first `HEAD` bytes or all of it.
        path: its file, for messages.

    Raises:
        InputError: if there is no header, or a name is in it twice.
    """
    lines = _END.split(head)
    if len(lines) > 1 and len(head) >= HEAD // 4:
        lines = lines[:-1]  # it may be cut off
    named = _SEP.fullmatch(lines[0])
    above = {0} if named else set()
    above |= {number for number, line in enumerate(lines) if not line.strip() or line.lstrip('" ').startswith("#")}
    used = [number for number in range(len(lines)) if number not in above]
    if not used:
        raise InputError(f"{path}: has no header and no rows; expected one line for each sample")
    separator = named[1] if named else _separator([lines[number] for number in used[:_LINES]])
    try:
        table = {number: _cells(lines[number], separator) for number in used[: 4 * _LINES]}
    except csv.Error as error:
        raise InputError(f"{path}: is not CSV: {error}; expected a header line and one line for each sample") from None
    return _from_table(table, lines, separator, path)


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _separator(lines: Sequence[str]) -> str:
    """Return the separator under which most lines have the same number of cells, and more than one."""
    best, found = 0.0, ","
    for separator in SEPARATORS:
        try:
            sizes = Counter(len(_cells(line, separator)) for line in lines)
        except csv.Error:
            continue
        size, times = max(sizes.items(), key=lambda item: (item[1] * (item[0] > 1), item[0]))
        agreeing = len(_cells(lines[0], separator)) > 1 or len(lines) > 2
        if size > 1 and agreeing and times / len(lines) > best + (_MARGIN if best else 0.0):
            best, found = times / len(lines), separator
    return found


def _from_table(table: dict[int, list[str]], lines: Sequence[str], separator: str, path: Path) -> Layout:
    first = _first_row(table)
    width = len(table[first]) if first is not None else 0
    numbers = list(table)
    if first is None:
        header, first = numbers[0], numbers[0] + 1
    else:
        over = [number for number in numbers if number < first and len(table[number]) in {width, width - 1}]
        commented = _commented_header(lines[:first], separator, width) if not over else None
        if commented is not None:
            header, table = commented[0], {**table, commented[0]: commented[1]}
        elif not over:
            raise InputError(_no_header(first, table, path))
        else:
            header, first = _header_and_first(table, over, first)
    names = [name.strip().removeprefix("\ufeff").strip() for name in table[header]]
    if first in table:
        names = _with_nameless(names, [cells for number, cells in table.items() if number >= first])
    _check_names(names, path)
    below = [number for number in numbers if header < number < first]
    units = _units(names, [table[number] for number in below])
    return Layout(separator, tuple(names), header, first, units, _notes(table, header, below))


def _header_and_first(table: dict[int, list[str]], over: Sequence[int], first: int) -> tuple[int, int]:
    """Return the line of the header, and of the first row, which may lack its time.

    Args:
        table: the cells of each line.
        over: the lines above `first` that are about as wide.
        first: the first line that holds a time.
    """
    named = next((number for number in over if _could_be_names(table[number])), first)
    readings = [number for number in over if number > named and _are_numbers(table[number])]
    names = [number for number in over if number not in readings and not _is_below_names(table[number])]
    header = names[-1] if names else over[0]
    return header, next((number for number in readings if number > header), first)


def _are_numbers(cells: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in cells if cell.strip()]
    return sum(map(bool, map(_NUMBER.fullmatch, filled))) > len(filled) / 2


def _could_be_names(cells: Sequence[str]) -> bool:
    return all(cell.strip() and not _NUMBER.fullmatch(cell.strip()) for cell in cells)


def _first_row(table: dict[int, list[str]]) -> int | None:
    """Return the first line that holds a time and is as wide as most lines that do."""
    timed = {number: len(cells) for number, cells in table.items() if any(map(looks_like_a_time, cells))}
    widths = Counter(timed.values())
    if not widths:
        return None
    width = max(widths, key=lambda size: (widths[size], size))
    return next(number for number, size in timed.items() if size == width)


def _is_below_names(cells: Sequence[str]) -> bool:
    """Return whether a line under the names holds units, or how readings were made, as data loggers write it."""
    filled = [cell.strip().lower().strip("[]()") for cell in cells if cell.strip()]
    known = sum(cell in UNITS or cell in _PROCESSES for cell in filled)
    return not filled or known >= max(1, len(filled) / 2)


def _commented_header(lines: Sequence[str], separator: str, width: int) -> tuple[int, list[str]] | None:
    """Return a header that stands in the last comment above the rows."""
    for number in reversed(range(len(lines))):
        if lines[number].startswith("#"):
            whole, cut = _cells(lines[number], separator), _cells(lines[number].lstrip("# "), separator)
            cells = cut if cut and cut[0].strip() else whole  # the rows' numbers may be headed by the sign alone
            if len(cells) in {width, width - 1} and all(cell.strip() for cell in cells):
                return number, cells
    return None


def _no_header(first: int, table: dict[int, list[str]], path: Path) -> str:
    shown = shortened(table[first][0])
    others = sorted({len(cells) for number, cells in table.items() if number < first})
    if others:
        return (
            f"{path}: row {first + 1} has {len(table[first])} cells, and the rows above it have {others[0]}, so no "
            "header names them; give every column a name, and if numbers have decimal commas, save the file with "
            "semicolons between the cells"
        )
    return (
        f"{path}: row {first + 1} holds readings ({shown}), expected a header; put a line with the names of the "
        f"{len(table[first])} columns above it"
    )


def _with_nameless(names: list[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the names of all cells of a row, empty where the header has none."""
    more = {len(cells) - len(names) for cells in rows}
    if more != {1}:
        return names
    if all(not cells[-1].strip() for cells in rows):
        return [*names, ""]  # a separator ends each row
    if all(cells[0].strip().isdigit() for cells in rows):
        return ["", *names]  # rows are numbered, as R does it
    return names


def _check_names(names: Sequence[str], path: Path) -> None:
    if len(names) > MOST_COLUMNS:
        raise InputError(f"{path}: has {len(names):,} columns, expected at most {MOST_COLUMNS:,}; delete some")
    twice = sorted(name for name, times in Counter(names).items() if times > 1 and name)
    if twice:
        raise InputError(f"{path}: column {', '.join(twice)} is in the header twice; rename or delete one of them")


def _units(names: Sequence[str], below: Sequence[Sequence[str]]) -> dict[str, str]:
    units = {}
    for name in names:
        if (match := _BRACKETS.fullmatch(name)) and match["name"]:
            unit = (match["square"] or match["round"]).strip()
            if match["square"] or unit.lower() in UNITS:
                units[name] = unit
    for cells in below:
        for name, cell in zip(names, cells, strict=False):
            word = cell.strip().strip("[]()")
            if name and word.lower() in UNITS - _PROCESSES:
                units[name] = word
    return units


def _notes(table: dict[int, list[str]], header: int, below: Sequence[int]) -> tuple[str, ...]:
    notes = []
    above = [number for number in table if number < header]
    if above:
        notes.append(f"{_rows(above)} above the header, which is row {header + 1}: skipped")
    if below:
        notes.append(f"{_rows(below)} {'hold' if len(below) > 1 else 'holds'} units or the like, not readings: skipped")
    return tuple(notes)


def _rows(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"row {numbers[0] + 1}"
    return f"rows {numbers[0] + 1} to {numbers[-1] + 1}"
