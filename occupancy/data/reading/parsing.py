"""The rows of a text as columns of cells, each with its line in the file."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from occupancy.arrays import Ints
from occupancy.data.numbers import in_each
from occupancy.data.reading.content import LONGEST_CELL, too_long
from occupancy.data.reading.layout import Layout
from occupancy.errors import InputError

_LINE = re.compile(rb"\r\n|\r|\n")
_COMMENT = re.compile(rb"[\r\n]\"?#")
_PLACE = re.compile(r"(?<=in line )\d+|(?<=at row )\d+")


def parse_rows(content: bytes, layout: Layout, path: Path) -> tuple[pd.DataFrame, Ints]:
    """Return the cells below the header as text, (N rows), and the line of each row in the file, from 1, (N,).

    Each column is a categorical. A column without a name is called by its place, ``column 3``.

    Raises:
        InputError: if rows have different lengths, or a cell is too long.
    """
    start = _offset(content, layout.first)
    lines = None
    comments = _COMMENT.search(content, max(0, start - 1))
    buffer = io.BytesIO(content)
    buffer.seek(start)
    if comments is not None:
        kept = _without_comments(content[start:])
        lines = np.array([number for number, _ in kept], dtype=np.int64)
        buffer = io.BytesIO(b"\n".join(line for _, line in kept))
    frame = _parse(buffer, layout, path, lines)
    rows = np.arange(len(frame), dtype=np.int64) if lines is None else lines[: len(frame)]
    for name in frame.columns:
        if max(len(name), frame[name].cat.categories.str.len().max()) > LONGEST_CELL:
            raise InputError(too_long(path))
    return frame, rows + layout.first + 1


def _offset(content: bytes, line: int) -> int:
    """Return where a line begins, counted from 0."""
    ends = _LINE.finditer(content)
    end = 0
    for _ in range(line):
        found = next(ends, None)
        if found is None:
            return len(content)
        end = found.end()
    return end


def _without_comments(content: bytes) -> list[tuple[int, bytes]]:
    """Return the lines that are no comments, with their numbers from 0."""
    lines = enumerate(_LINE.split(content))
    return [(number, line) for number, line in lines if not line.lstrip(b'"').startswith(b"#")]


def _parse(buffer: io.BytesIO, layout: Layout, path: Path, lines: Ints | None) -> pd.DataFrame:
    names = [name or f"column {place}" for place, name in enumerate(layout.names, start=1)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            raw = pd.read_csv(
                buffer,
                sep=layout.separator,
                names=range(len(names)),
                header=None,
                dtype="category",  # readings repeat, so this takes much less memory than text
                keep_default_na=False,
                skip_blank_lines=False,  # skipped lines would shift the row numbers after them
                index_col=False,
                encoding="utf-8-sig",
            )
    except pd.errors.ParserWarning:
        raise InputError(
            f"{path}: rows have more cells than the header; give every column a name, and if numbers have decimal "
            "commas, save the file with semicolons between the cells"
        ) from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{path}: has a header but no rows; expected one line for each sample") from None
    except pd.errors.ParserError as error:
        said = _said(error, layout, lines)
        remedy = "give every row as many cells as the header has"
        if "EOF inside string" in said:
            remedy = "close every quotation mark that begins a cell"
        raise InputError(f"{path}: {said}; {remedy}") from None
    raw.columns = pd.Index(names)
    raw = pd.DataFrame({name: filled(raw[name]) for name in names})
    blank = np.logical_and.reduce([in_each(cells, lambda text: text.str.strip() == "") for _, cells in raw.items()])
    last = len(raw) - int(np.argmin(blank[::-1])) if not blank.all() else 0
    if last == 0:
        raise InputError(f"{path}: has a header but no rows; expected one line for each sample")
    return raw.iloc[:last]


def _said(error: Exception, layout: Layout, lines: Ints | None) -> str:
    said = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")

    def in_file(found: re.Match[str]) -> str:
        counted = int(found[0]) - said[: found.start()].endswith("in line ")  # lines from 1, rows from 0
        return str(layout.first + 1 + (counted if lines is None else int(lines[min(counted, len(lines) - 1)])))

    return _PLACE.sub(in_file, said)


def filled(cells: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of text with empty cells where it has none."""
    if not cells.hasnans:
        return cells
    return cells.cat.add_categories(sorted({""} - set(cells.cat.categories))).fillna("")


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a table of any types as categoricals of text."""

    def text(cells: pd.Series[Any]) -> pd.Series[Any]:
        if isinstance(cells.dtype, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_any_dtype(cells):
            return cells.map(lambda time: time.isoformat(), na_action="ignore")
        if pd.api.types.is_bool_dtype(cells):
            return cells.map({True: "1", False: "0"}, na_action="ignore")
        return cells.astype(object).map(_plain, na_action="ignore")

    texts = {
        str(name).strip(): text(table[name]).astype(object).where(table[name].notna(), "") for name in table.columns
    }
    return pd.DataFrame({name: cells.astype("category") for name, cells in texts.items()})


def _plain(value: Any) -> str:
    return repr(float(value)) if isinstance(value, float) else str(value)
