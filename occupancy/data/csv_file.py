"""A CSV file as cells of text, with one message for what is wrong with the file as a whole."""

from __future__ import annotations

import codecs
import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occupancy.errors import InputError
from occupancy.files import read

LONGEST_CELL = 1_000  # characters
MOST_COLUMNS = 10_000
MOST_BYTES = 200_000_000  # of a CSV file: two million rows of the UCI log
_BLOCK = 1 << 23  # bytes of text that are checked at once
_SEPARATORS = np.frombuffer(b",\r\n", np.uint8)


def read_cells(path: Path, most: int = MOST_BYTES) -> pd.DataFrame:
    """Return the cells of a CSV file as text, one row for each line; each column is a categorical.

    Args:
        path: the file, or an open pipe.
        most: largest size of the file in bytes.

    Raises:
        InputError: if the file is missing, too large, not text, empty, has rows of different lengths or a cell of
            more than `LONGEST_CELL` characters, or is not separated by commas.
    """
    content = read(path, most, "a CSV file", "data.max_csv_mb")
    _check_text(content, path)
    raw = _parse_cells(content, path)
    for name in raw.columns:
        if max(len(name), raw[name].cat.categories.str.len().max()) > LONGEST_CELL:
            raise InputError(_too_long(path))
    return raw


def _too_long(path: Path) -> str:
    return (
        f"{path}: has a cell of more than {LONGEST_CELL:,} characters; shorten it, and close every quotation mark that "
        "begins a cell"
    )


def _check_text(content: bytes, path: Path) -> None:
    """Check that the bytes of a file are text with a header whose cells are separated by commas.

    Raises:
        InputError: if they are not.
    """
    if not content.removeprefix(codecs.BOM_UTF8).strip():
        raise InputError(f"{path}: is empty; expected a header line and one line for each sample")
    decoder, blocks = codecs.getincrementaldecoder("utf-8")(), range(0, len(content), _BLOCK)
    for start in blocks:  # in blocks, since the whole text would take as much memory again, or four times as much
        block = content[start : start + _BLOCK]
        try:
            decoder.decode(block, final=start == blocks[-1])
        except UnicodeDecodeError as error:
            place = start + error.start - (len(error.object) - len(block))
            raise InputError(f"{path}: is not text (byte {place}); save it as CSV in UTF-8") from None
        ends = np.flatnonzero(np.isin(np.frombuffer(block, np.uint8), _SEPARATORS))
        if np.diff(ends, prepend=-1, append=len(block)).max(initial=0) > 4 * LONGEST_CELL:  # bytes of a character
            raise InputError(_too_long(path))
    if b"\0" in content:
        raise InputError(f"{path}: is not text (byte {content.index(0)} is zero); save it as CSV in UTF-8")
    _check_header(re.split(rb"\r\n|\r|\n", content, maxsplit=1)[0].decode("utf-8-sig"), path)


def _check_header(header: str, path: Path) -> None:
    if not header.strip():
        raise InputError(f"{path}: row 1 is blank, expected the header; delete the blank lines above it")
    separator = next((sign for sign in (";", "\t", "|") if sign in header and "," not in header), None)
    if separator is not None:
        raise InputError(f"{path}: cells are separated by {separator!r}, expected commas; save it with commas")
    try:
        names = Counter(name.strip() for name in next(csv.reader([header])))
    except csv.Error as error:
        raise InputError(f"{path}: is not CSV: row 1: {error}; expected a header line with commas") from None
    if names.total() > MOST_COLUMNS:
        raise InputError(f"{path}: has {names.total():,} columns, expected at most {MOST_COLUMNS:,}; delete some")
    twice = sorted(name for name, times in names.items() if times > 1)
    if twice:
        raise InputError(f"{path}: column {', '.join(twice)} is in the header twice; rename or delete one of them")


def _parse_cells(content: bytes, path: Path) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            raw = pd.read_csv(
                io.BytesIO(content),
                dtype="category",  # readings repeat, so this takes much less memory than text
                keep_default_na=False,
                skip_blank_lines=False,  # skipped lines would shift the row numbers after them
                index_col=False,
                encoding="utf-8-sig",
            )
    except pd.errors.ParserWarning:
        raise InputError(f"{path}: rows have more cells than the header; give every column a name") from None
    except pd.errors.ParserError as error:
        said = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        raise InputError(f"{path}: {said}; give every row as many cells as the header has") from None
    raw = pd.DataFrame({str(name).strip(): _filled(raw[name]) for name in raw.columns})
    blank = np.logical_and.reduce([in_each(cells, lambda text: text.str.strip() == "") for _, cells in raw.items()])
    last = len(raw) - int(np.argmin(blank[::-1])) if not blank.all() else 0
    if last == 0:
        raise InputError(f"{path}: has a header but no rows; expected one line for each sample")
    return raw.iloc[:last]


def _filled(cells: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column with empty text in rows that end before it."""
    if not cells.hasnans:
        return cells
    return cells.cat.add_categories(sorted({""} - set(cells.cat.categories))).fillna("")


def in_each(cells: pd.Series[Any], convert: Callable[[pd.Series[Any]], pd.Series[Any]]) -> NDArray[Any]:
    """Return the converted cells of a column, (N,); each different value is converted once.

    Args:
        cells: (N,) text or numbers.
        convert: returns the converted values.
    """
    place, values = pd.factorize(cells, use_na_sentinel=False)
    return convert(pd.Series(np.asarray(values))).to_numpy()[place]
