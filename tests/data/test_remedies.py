"""Each remedy that the gate advises, followed to the letter by machine, gives a log with the right values."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from occupancy.config import Data
from occupancy.data.cells import REMEDIES
from occupancy.data.log import Log
from occupancy.data.schema import Schema
from occupancy.data.table import read_log
from occupancy.errors import InputError
from tests.data.made_days import CELLS, DAY, HEADER, SETTINGS, TIMES, TRUTH, lines

COLUMNS = HEADER.split(",")
ROW = re.compile(r"row (\d+)")


class File(NamedTuple):
    """A file and what is known of it; `follow` changes it as a message says."""

    lines: list[str]
    settings: Data
    schema: Schema

    def cell(self, row: int, column: str, value: str) -> File:
        """Return the file with another cell."""
        cells = self.lines[row - 1].split(",")
        cells[COLUMNS.index(column)] = value
        return self._replace(lines=[*self.lines[: row - 1], ",".join(cells), *self.lines[row:]])

    def without_row(self, row: int) -> File:
        """Return the file without a row."""
        return self._replace(lines=[*self.lines[: row - 1], *self.lines[row:]])

    def setting(self, said: str) -> File:
        """Return the file with the setting that a message ends with."""
        key, value = re.findall(r"set data\.(\w+)=('[^']*'|[^\s;,)]+)", said)[-1]
        return self._replace(settings=self.settings.model_copy(update={key: value.strip("'")}))

    def read(self, folder: Path) -> Log:
        """Return the log."""
        path = folder / "day.csv"
        path.write_text("\n".join(self.lines))
        return read_log(path, self.schema, self.settings)


SOUND = File([HEADER, *lines()], SETTINGS, DAY)


def right(row: int, column: str) -> str:
    return CELLS[row - 2][COLUMNS.index(column) - 1]


def corrected(file: File, said: str) -> File:
    """Correct every cell that the message names by row and column."""
    for row, column in re.findall(r"row (\d+) (\w+) '", said):
        value = lines()[int(row) - 2].split(",")[0] if column == "when" else right(int(row), column)
        file = file.cell(int(row), column, value)
    return file


def emptied(file: File, said: str) -> File:
    for row, column in re.findall(r"row (\d+) (\w+) '", said):
        file = file.cell(int(row), column, "")
    return file


def deleted(file: File, said: str) -> File:
    for row in sorted({int(row) for row in ROW.findall(said)}, reverse=True):
        file = file.without_row(row)
    return file


def by_setting(file: File, said: str) -> File:
    return file.setting(said)


def more_people(file: File, said: str) -> File:
    return file._replace(settings=file.settings.model_copy(update={"max_count": 9}))


def left_out(file: File, said: str) -> File:
    place = COLUMNS.index("motion")
    kept = [",".join(cell for at, cell in enumerate(line.split(",")) if at != place) for line in file.lines]
    columns = [column for column in file.schema.columns if column.name != "motion"]
    return file._replace(lines=kept, schema=file.schema.model_copy(update={"columns": columns}))


def ordered(file: File, said: str) -> File:
    return file._replace(lines=[HEADER, *sorted(file.lines[1:])])


def with_reading(file: File, said: str) -> File:
    return file.cell(2, "motion", right(2, "motion"))


def with_count(file: File, said: str) -> File:
    for row in range(2, 60):
        file = file.cell(row, "people", right(row, "people"))
    return file


Follow = Callable[[File, str], File]


class Case(NamedTuple):
    """A mistake, what its remedy says, and what the log holds after each way to follow it."""

    kind: str
    spoil: Callable[[File], File]
    ways: dict[str, Follow]
    settings: dict[str, Any] = {}  # noqa: RUF012


def spoiled(row: int, column: str, value: str) -> Callable[[File], File]:
    return lambda file: file.cell(row, column, value)


def blank_motion(rows: range) -> Callable[[File], File]:
    def spoil(file: File) -> File:
        for row in rows:
            file = file.cell(row, "motion", "")
        return file

    return spoil


def without_counts(file: File) -> File:
    for row in range(2, 290):
        file = file.cell(row, "people", "")
    return file


def american(file: File) -> File:
    times = [*TIMES.strftime("%m/%d/%Y %H:%M:%S")]
    return file._replace(lines=[HEADER, *lines(times)])


CASES = [
    Case("not a number", spoiled(9, "co2", "hot"), {"write a number": corrected, "empty the cell": emptied}),
    Case("no state", spoiled(9, "motion", "maybe"), {"write 1 or 0": corrected, "empty the cell": emptied}),
    Case("not a count", spoiled(9, "people", "a few"), {"write the number of people": corrected}),
    Case(
        "missing",
        spoiled(9, "co2", ""),
        {"fill the cell": corrected, "data.missing=keep": by_setting},
        {"missing": "refuse"},
    ),
    Case("infinite", spoiled(9, "co2", "inf"), {"correct the cell": corrected, "empty it": emptied}),
    Case("too large", spoiled(9, "co2", "1e30"), {"correct the cell": corrected, "empty it": emptied}),
    Case(
        "sensor without a reading",
        blank_motion(range(2, 290)),
        {"give at least one reading": with_reading, "take the column out": left_out},
    ),
    Case("no count", without_counts, {"give counts for some rows at least": with_count}),
    Case("negative count", spoiled(9, "people", "-1"), {"write a count of 0 or more": corrected}),
    Case("fractional count", spoiled(9, "people", "0.5"), {"write a whole number": corrected}),
    Case(
        "count above data.max_count",
        spoiled(9, "people", "7"),
        {"correct the count": corrected, "raise data.max_count": more_people},
    ),
    Case("unreadable time", spoiled(9, "when", "x"), {"correct the time": corrected, "delete the row": deleted}),
    Case("unreadable time", american, {"set data.time_format": by_setting}, {"time_format": "%d.%m.%Y"}),
    Case("duplicate time", spoiled(9, "when", "2024-01-22 00:30:00"), {"delete one of the rows": deleted}),
    Case(
        "unsorted time",
        lambda file: file._replace(lines=[*file.lines[:7], file.lines[8], file.lines[7], *file.lines[9:]]),
        {"sort the rows": ordered},
    ),
]


@pytest.mark.parametrize(
    ("case", "way"),
    [pytest.param(case, way, id=f"{case.kind}: {way}") for case in CASES for way in case.ways],
)
def test_a_remedy_that_is_followed_to_the_letter_heals(case: Case, way: str, tmp_path: Path) -> None:
    file = case.spoil(SOUND._replace(settings=SETTINGS.model_copy(update=case.settings)))
    with pytest.raises(InputError) as refused:
        file.read(tmp_path)
    said = str(refused.value)
    assert f"{case.kind} (" in said
    assert way in said, "the remedy is no longer the one that is followed here"
    log = case.ways[way](file, said).read(tmp_path)
    expected = TRUTH.loc[log.times, [*log.frame]].astype(float)
    found = log.frame.astype(float).mask(log.missing.reindex(columns=[*log.frame], fill_value=False))
    wrong = (found != expected) & found.notna()
    if way == "raise data.max_count":
        assert wrong.to_numpy().sum() == 1
    else:
        assert not wrong.any(axis=None), "every reading and every count is the true one"
    assert len(log.frame) >= 287
    if way == "delete one of the rows":
        assert len(log.frame) == 287
    most = {"sensor without a reading": 287, "no count": 230}.get(case.kind, 1)
    assert int(found.isna().sum().sum()) <= most


def test_every_remedy_is_followed_by_a_test() -> None:
    assert {case.kind for case in CASES} == set(REMEDIES)
    assert pd.Index(CELLS[0]).size == len(COLUMNS) - 1
