"""What the gate refuses: each mistake with its row (the header is row 1), column, value and remedy."""

from __future__ import annotations

import os
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from occupancy.config import Data
from occupancy.data.log import Log
from occupancy.data.reading import read_files
from occupancy.data.reading.content import MOST_BYTES
from occupancy.data.schema import Column, Schema
from occupancy.data.table import read_log, validate
from occupancy.errors import InputError

ROOM = Schema(
    name="office",
    time=["day", "clock"],
    time_format="%Y-%m-%d %H:%M:%S",
    columns=[
        Column(name="warm", kind="temperature", unit="degC"),
        Column(name="air", kind="co2", unit="ppm"),
        Column(name="lamp", kind="light", unit="lux", optional=True),
    ],
    count="people",
)
HEADER = "day,clock,warm,air,lamp,people"
ROWS = [f"2024-01-01,10:{minute:02d}:00,{20 + minute / 10},{400 + minute},0,{minute % 3}" for minute in range(30)]
SOUND = [HEADER, *ROWS]
SCHEMA_HINT = "or describe the log in a schema file (data.schema)"
IGNORE_HINT = "rename it, or list it under ignore in the schema file"


def column_of(name: str) -> int:
    return HEADER.split(",").index(name)


def with_cells(column: str, values: dict[int, str], lines: list[str] | None = None) -> list[str]:
    """Return the lines of a log with other cells in some rows, numbered as in an editor."""
    table = [line.split(",") for line in lines or SOUND]
    for row, value in values.items():
        table[row - 1][column_of(column)] = value
    return [",".join(cells) for cells in table]


def without(column: str, lines: list[str] | None = None) -> list[str]:
    kept = [name for name in HEADER.split(",") if name != column]
    return [",".join(line.split(",")[column_of(name)] for name in kept) for line in lines or SOUND]


class Gate:
    """Sends lines or bytes through the gate; messages call the file FILE."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "room.csv"

    def read(self, content: list[str] | bytes, labelled: bool = True, **settings: Any) -> Log:
        self.path.write_bytes(content if isinstance(content, bytes) else "\n".join(content).encode())
        return read_log(self.path, ROOM, Data(source=str(self.path), **settings), labelled)

    def refuse(self, content: list[str] | bytes, labelled: bool = True, **settings: Any) -> str:
        with pytest.raises(InputError) as caught:
            self.read(content, labelled, **settings)
        said = str(caught.value)
        assert len(said.splitlines()) == 1
        return said.replace(str(self.path), "FILE")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def test_a_sound_log_passes(gate: Gate) -> None:
    assert gate.read(SOUND).frame.shape == (30, 4)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        (
            "warm",
            "warm",
            "not a number (1): row 7 warm 'warm'; write a number with a decimal point, or empty the cell",
        ),
        ("air", "1.234.5", "not a number (1): row 7 air '1.234.5'; write a number"),
        ("air", "0x1F", "not a number (1): row 7 air '0x1F'; write a number"),
        ("air", "1_000", "not a number (1): row 7 air '1_000'; write a number"),
        ("lamp", "True", "not a number (1): row 7 lamp 'True'; write a number"),
        (
            "people",
            "two",
            "not a count (1): row 7 people 'two'; write the number of people, or say in the schema what each word "
            "means, such as labels: {two: 2}",
        ),
        (
            "warm",
            "inf",
            "infinite (1): row 7 warm 'inf'; correct the cell, or empty it",
        ),
        ("warm", "-Infinity", "infinite (1): row 7 warm '-Infinity'; correct the cell, or empty it"),
        ("warm", "1e308", "too large (1): row 7 warm '1e308'; correct the cell, or empty it"),
        ("warm", "-2e19", "too large (1): row 7 warm '-2e19'; correct the cell, or empty it"),
        ("people", "-1", "negative count (1): row 7 people '-1'; write a count of 0 or more"),
        ("people", "-inf", "negative count (1): row 7 people '-inf'; write a count of 0 or more"),
        ("people", "1.5", "fractional count (1): row 7 people '1.5'; write a whole number"),
        ("people", "4", "count above data.max_count (1): row 7 people '4'; correct the count, or raise data.max_count"),
        (
            "people",
            "inf",
            "count above data.max_count (1): row 7 people 'inf'; correct the count, or raise data.max_count",
        ),
        ("clock", "10:04:00", "duplicate time (1): row 7 day clock '2024-01-01 10:04:00'; delete one of the rows"),
        ("clock", "10:03:30", "unsorted time (1): row 7 day clock '2024-01-01 10:03:30'; sort the rows by time"),
        (
            "clock",
            "later",
            "unreadable time (1): row 7 day clock '2024-01-01 later'; correct the time, or delete the row",
        ),
        ("day", "2024-13-01", "unreadable time (1): row 7 day clock '2024-13-01 10:05:00'; correct"),
        ("day", "", "unreadable time (1): row 7 day clock ' 10:05:00'; correct"),
    ],
)
def test_a_wrong_cell_is_told_by_row_column_and_value(gate: Gate, column: str, value: str, said: str) -> None:
    got = gate.refuse(with_cells(column, {7: value}))
    assert got.startswith(f"FILE: {said}")
    assert got.count("row ") == 1


@pytest.mark.parametrize("cell", ["", "NaN", "n/a", " ", "unavailable", "unknown", "-", "--"])
@pytest.mark.parametrize("column", ["warm", "lamp"])
def test_a_missing_reading_is_missing_or_refused_where_that_is_asked_for(gate: Gate, column: str, cell: str) -> None:
    lines = with_cells(column, {7: cell})
    said = gate.refuse(lines, missing="refuse")
    remedy = "fill the cell, or set data.missing=keep to leave it missing"
    assert said == f"FILE: missing (1): row 7 {column} {cell!r}; {remedy}"
    assert gate.read(lines, missing="keep").missing[column].to_numpy().nonzero()[0].tolist() == [5]


@pytest.mark.parametrize("value", ["-1", "1.5", "4", "inf", "two"])
def test_a_wrong_label_is_never_filled_in(gate: Gate, value: str) -> None:
    assert "row 7 people" in gate.refuse(with_cells("people", {7: value}), missing="hold")


@pytest.mark.parametrize("missing", ["keep", "hold", "refuse"])
def test_a_row_without_a_count_stays_without_one(gate: Gate, missing: str) -> None:
    log = gate.read(with_cells("people", {7: "", 9: "nan"}), missing=missing)
    assert log.frame["people"].isna().to_numpy().nonzero()[0].tolist() == [5, 7]
    assert (~log.labelled).sum() == 2
    assert log.notes[-1].startswith("2 of 30 rows have no count: they serve as history")


def test_a_text_in_a_sensor_column_is_never_filled_in(gate: Gate) -> None:
    assert gate.refuse(with_cells("air", {7: "broken"}), missing="hold").startswith(
        "FILE: not a number (1): row 7 air 'broken'"
    )


def test_the_first_and_the_last_row_are_numbered_as_in_an_editor(gate: Gate) -> None:
    assert "missing (2): row 2 warm '', row 31 warm ''; " in gate.refuse(
        with_cells("warm", {2: "", 31: ""}), missing="refuse"
    )


def test_row_numbers_count_blank_lines_inside_the_log(gate: Gate) -> None:
    lines = with_cells("people", {7: "9"})
    said = gate.refuse([*lines[:3], "", *lines[3:]])
    assert "count above data.max_count (1): row 8 people '9'" in said
    assert said.endswith(" (how the file was read: row 4 is blank: skipped)")


def test_every_problem_is_told_at_once(gate: Gate) -> None:
    lines = without("lamp", with_cells("warm", {3: "hot", 9: ""}, with_cells("people", {5: "-1", 6: "0.5", 7: "7"})))
    lines[0] = lines[0].replace("air", "co2")
    said = gate.refuse(lines, missing="refuse")
    assert said == (
        f"FILE: missing column air; add it, {SCHEMA_HINT}; "
        f"unknown column co2; {IGNORE_HINT}; "
        "not a number (1): row 3 warm 'hot'; write a number with a decimal point, or empty the cell; "
        "missing (1): row 9 warm ''; fill the cell, or set data.missing=keep to leave it missing; "
        "negative count (1): row 5 people '-1'; write a count of 0 or more; "
        "fractional count (1): row 6 people '0.5'; write a whole number; "
        "count above data.max_count (1): row 7 people '7'; correct the count, or raise data.max_count"
    )


def test_at_most_ten_cells_of_a_kind_are_shown_with_the_count_of_all(gate: Gate) -> None:
    cells = ", ".join(f"row {row} warm ''" for row in range(2, 12))
    ten = with_cells("warm", dict.fromkeys(range(2, 12), ""))
    assert f"missing (10): {cells}; fill" in gate.refuse(ten, missing="refuse")
    twelve = with_cells("warm", dict.fromkeys(range(2, 14), ""))
    assert f"missing (12): {cells} and 2 more; fill" in gate.refuse(twelve, missing="refuse")


def test_cells_of_a_kind_are_told_in_the_order_of_the_file(gate: Gate) -> None:
    lines = with_cells("air", {3: "", 20: ""}, with_cells("warm", {4: "", 19: ""}))
    assert "missing (4): row 3 air '', row 4 warm '', row 19 warm '', row 20 air ''; " in gate.refuse(
        lines, missing="refuse"
    )


def test_a_larger_count_passes_where_it_is_allowed(gate: Gate) -> None:
    assert gate.read(with_cells("people", {7: "9"}), max_count=9).frame["people"].max() == 9


@pytest.mark.parametrize("column", ["warm", "air", "people", "clock"])
def test_a_missing_column_is_named(gate: Gate, column: str) -> None:
    assert gate.refuse(without(column)) == f"FILE: missing column {column}; add it, {SCHEMA_HINT}"


def test_an_optional_column_may_be_missing(gate: Gate) -> None:
    assert list(gate.read(without("lamp")).frame.columns) == ["warm", "air", "people"]


def test_an_unknown_column_is_named_with_the_nearest_missing_one(gate: Gate) -> None:
    said = gate.refuse([HEADER.replace("warm", "wram"), *ROWS])
    assert said == (
        f"FILE: missing column warm; add it, {SCHEMA_HINT}; unknown column wram; did you mean warm? {IGNORE_HINT}"
    )


def test_at_most_ten_unknown_columns_are_shown(gate: Gate) -> None:
    names = [f"x{number}" for number in range(12)]
    said = gate.refuse([",".join([HEADER, *names]), *(row + ",1" * 12 for row in ROWS)])
    assert f"unknown column {', '.join(names[:10])} and 2 more; rename it" in said


def test_a_header_that_names_a_column_twice_is_refused(gate: Gate) -> None:
    said = gate.refuse([HEADER.replace("air", "warm"), *ROWS])
    assert said == "FILE: column warm is in the header twice; rename or delete one of them"


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_than_a_comma_changes_nothing(gate: Gate, separator: str) -> None:
    assert gate.read([line.replace(",", separator) for line in SOUND]).digest == gate.read(SOUND).digest


def test_a_header_separated_by_blanks_is_one_unknown_column(gate: Gate) -> None:
    said = gate.refuse([line.replace(",", " ") for line in SOUND])
    assert "missing column day, clock, warm, air, people; " in said
    assert "unknown column day clock warm air lamp people; " in said


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\t\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(gate: Gate, content: bytes) -> None:
    assert gate.refuse(content) == "FILE: is empty; expected a header line and one line for each sample"


@pytest.mark.parametrize("lines", [[HEADER], [HEADER, ""], [HEADER, ",,,,,", "  "]])
def test_a_header_alone_is_refused(gate: Gate, lines: list[str]) -> None:
    assert gate.refuse(lines) == "FILE: has a header but no rows; expected one line for each sample"


def test_a_blank_line_above_the_header_changes_row_numbers_alone(gate: Gate) -> None:
    assert gate.read(["", *SOUND]).digest == gate.read(SOUND).digest
    assert "row 8 people '9'" in gate.refuse(["", *with_cells("people", {7: "9"})])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("\n".join(SOUND).encode("utf-16")[:-1], "is not whole text in UTF-16; save it as CSV in UTF-8"),
        ("\n".join(SOUND).encode("utf-16-le"), "is not text (byte 1 is zero); save it as CSV in UTF-8"),
        ("\n".join([HEADER, "°"]).encode("latin-1"), "is not text (byte 31); save it as CSV in UTF-8"),
        (
            b"PK\x03\x04\x14\x00\x06\x00\x08\x00",
            "can't be unpacked (File is not a zip file); pack it again, or give the file that is in it",
        ),
        (b"\x89PNG\r\n", "is not text (byte 0); save it as CSV in UTF-8"),
    ],
    ids=["utf-16", "utf-16 without mark", "latin-1", "zip", "picture"],
)
def test_a_file_that_is_no_text_is_refused(gate: Gate, content: bytes, said: str) -> None:
    assert gate.refuse(content) == f"FILE: {said}"


def test_a_row_with_more_cells_than_the_header_is_refused(gate: Gate) -> None:
    lines = [*SOUND[:6], f"{SOUND[6]},1", *SOUND[7:]]
    assert gate.refuse(lines) == (
        "FILE: Expected 6 fields in line 7, saw 7; give every row as many cells as the header has"
    )


def test_rows_that_all_have_more_cells_than_the_header_are_refused(gate: Gate) -> None:
    lines = [HEADER, *(f"{row},1" for row in ROWS)]
    assert gate.refuse(lines) == (
        "FILE: rows have more cells than the header; give every column a name, and if numbers have decimal commas, "
        "save the file with semicolons between the cells"
    )


def test_a_row_that_breaks_off_is_refused(gate: Gate) -> None:
    said = gate.refuse([*SOUND[:-1], "2024-01-01,10:29:00,22"], missing="refuse")
    assert "missing (2): row 31 air '', row 31 lamp ''; " in said


def test_a_quote_that_never_ends_is_refused(gate: Gate) -> None:
    said = gate.refuse([*SOUND[:6], f'"{SOUND[6]}', *SOUND[7:]])
    assert said == "FILE: EOF inside string starting at row 7; close every quotation mark that begins a cell"


@pytest.mark.parametrize(
    ("name", "said"), [("", "Is a directory"), ("none.csv", "No such file or directory")], ids=["folder", "missing"]
)
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, name: str, said: str) -> None:
    path = tmp_path / name
    with pytest.raises(InputError, match=re.escape(f"{path}: cannot be read ({said}); give the path of a CSV file")):
        read_files([path], MOST_BYTES)


@pytest.mark.parametrize(
    "content",
    [
        "\r\n".join(SOUND).encode(),
        "\r".join(SOUND).encode(),
        "\n".join(SOUND).encode("utf-8-sig"),
        "\n".join([*SOUND, "", "", ""]).encode(),
        "\n".join([*SOUND, ",,,,,", "   ", " , ,,,,", ""]).encode(),
        "\n".join([HEADER, *(",".join(f'"{cell}"' for cell in row.split(",")) for row in ROWS)]).encode(),
        "\n".join(",".join(reversed(line.split(","))) for line in SOUND).encode(),
    ],
    ids=["crlf", "cr", "byte order mark", "blank lines at the end", "blank rows at the end", "quoted", "other order"],
)
def test_what_editors_and_spreadsheets_do_to_a_file_changes_nothing(gate: Gate, content: bytes) -> None:
    assert gate.read(content).digest == gate.read(SOUND).digest


@pytest.mark.parametrize("labelled", [True, False])
def test_a_reading_is_held_for_as_many_rows_as_are_named_and_not_at_all_without(gate: Gate, labelled: bool) -> None:
    lines = with_cells("warm", {5: "", 6: "nan", 7: " "})
    for settings, known in (({"missing": "hold", "max_missing": 2}, [3, 4]), ({"missing": "keep"}, [])):
        log = gate.read(lines, labelled, **settings)
        assert log.missing["warm"].to_numpy().nonzero()[0].tolist() == [3, 4, 5]
        assert log.held["warm"].to_numpy().nonzero()[0].tolist() == known
        assert (log.frame["warm"].iloc[known] == log.frame["warm"].iloc[2]).all()


@pytest.mark.parametrize("value", ["inf", "-inf", "1e308", "-1e39", "2e19"])
def test_a_number_that_models_cannot_compute_with_is_refused_in_training_and_missing_in_use(
    gate: Gate, value: str
) -> None:
    lines = with_cells("warm", {6: value})
    assert f"(1): row 6 warm '{value}'; correct the cell, or empty it" in gate.refuse(lines, missing="hold")
    emptied = gate.read(with_cells("warm", {6: ""}), missing="hold")
    gate.path.write_text("\n".join(lines))
    log = validate(read_files([gate.path], MOST_BYTES).frame, ROOM, Data(missing="hold"), "room", in_use=True)
    assert log.missing["warm"].to_numpy().nonzero()[0].tolist() == [4]
    pd.testing.assert_frame_equal(log.frame, emptied.frame)


def test_the_largest_number_is_read_as_it_is(gate: Gate) -> None:
    assert gate.read(with_cells("warm", {6: "1.8e19"})).frame["warm"].iloc[4] == 1.8e19


@pytest.mark.parametrize("name", ["time", "index", "level_0", "0", "column", "kind", "check", "p0", "mean", "self"])
@pytest.mark.parametrize("as_count", [True, False])
def test_a_column_may_have_any_name_that_the_package_uses_itself(gate: Gate, name: str, as_count: bool) -> None:
    old = "people" if as_count else "warm"
    columns = [column.model_copy(update={"name": name}) if column.name == old else column for column in ROOM.columns]
    schema = ROOM.model_copy(update={"columns": columns, "count": name if as_count else "people"})
    gate.path.write_text("\n".join([HEADER.replace(old, name), *ROWS]))
    log = read_log(gate.path, schema, Data(source=str(gate.path)))
    pd.testing.assert_series_equal(log.frame[name], gate.read(SOUND).frame[old].rename(name))
    wrong = ROWS[5].replace("20.5", "x").replace(",2", ",x")
    gate.path.write_text("\n".join([HEADER.replace(old, name), *ROWS[:5], wrong]))
    with pytest.raises(InputError, match=rf"row 7 {re.escape(name)} 'x"):
        read_log(gate.path, schema, Data(source=str(gate.path)))


def test_names_that_differ_by_blanks_alone_are_the_same(gate: Gate) -> None:
    assert gate.refuse([HEADER.replace("lamp", " warm"), *ROWS]) == (
        "FILE: column warm is in the header twice; rename or delete one of them"
    )


@pytest.mark.parametrize(
    "cell", ["x" * 1_001, "9" * 1_001, '"' + "a,b" * 500 + '"', '"' + "a\n" * 600 + '"', "x" * 5_000_000, "é" * 10**7]
)
def test_a_cell_of_more_than_a_thousand_characters_is_refused(gate: Gate, cell: str) -> None:
    expected = "FILE: has a cell of more than 1,000 characters; shorten it, and close every quotation mark"
    assert gate.refuse([*SOUND[:6], f"2024-01-01,10:05:00,{cell},405,0,2", *SOUND[7:]]).startswith(expected)
    if "," not in cell and "\n" not in cell:
        assert gate.refuse([HEADER.replace("lamp", cell), *ROWS]).startswith(expected)


def test_a_file_larger_than_the_limit_is_refused_before_it_is_read(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    gate.path.write_bytes(b"")
    os.truncate(gate.path, MOST_BYTES + 1)  # without a block on the disk
    tracemalloc.start()
    with pytest.raises(
        InputError,
        match=r"is larger than 200,000,000 bytes; give .* or raise data\.max_csv_mb$",
    ):
        read_files([gate.path], MOST_BYTES)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def test_a_header_with_more_columns_than_anybody_means_is_refused(gate: Gate) -> None:
    assert gate.refuse([",".join(map(str, range(10_001)))]) == (
        "FILE: has 10,001 columns, expected at most 10,000; delete some"
    )


def test_a_sensor_that_never_reads_is_refused_however_short_the_log(gate: Gate) -> None:
    lines = with_cells("warm", {2: "", 3: ""}, SOUND[:3])
    said = gate.refuse(lines, missing="hold")
    assert said == (
        "FILE: sensor without a reading (2): row 2 warm '', row 3 warm ''; "
        "give at least one reading, or take the column out of the file and of the schema"
    )


@pytest.mark.parametrize("time_format", ["%m/%d/%Y %H:%M:%S", "%Y-%m-%d day-fraction"])
def test_times_in_another_format_name_the_option_that_reads_them(gate: Gate, time_format: str) -> None:
    said = gate.refuse(SOUND, time_format=time_format)
    assert "unreadable time (30): row 2 day clock '2024-01-01 10:00:00', " in said
    assert said.endswith("'2024-01-01 10:09:00' and 20 more; set data.time_format='iso'")


def test_rows_from_the_newest_to_the_oldest_are_turned_round(gate: Gate) -> None:
    log = gate.read([HEADER, *reversed(ROWS)])
    assert log.digest == gate.read(SOUND).digest
    assert log.notes == ("the newest row is the first: the rows are turned round",)
    wrong = with_cells("people", {7: "9"}, [HEADER, *reversed(ROWS)])
    assert "row 7 people '9'; " in gate.refuse(wrong)


def test_rows_in_no_order_are_refused(gate: Gate) -> None:
    said = gate.refuse([HEADER, *ROWS[:5], ROWS[6], ROWS[5], *ROWS[7:]])
    assert said == "FILE: unsorted time (1): row 8 day clock '2024-01-01 10:05:00'; sort the rows by time"


def test_a_count_column_is_ignored_where_no_label_is_asked_for(gate: Gate) -> None:
    log = gate.read(with_cells("people", {7: "unknown", 8: "", 9: "-4"}), labelled=False)
    assert list(log.frame.columns) == ["warm", "air", "lamp"]


def test_on_a_grid_rows_of_one_time_may_add_to_each_other_but_not_contradict(gate: Gate) -> None:
    day, clock, *rest = SOUND[6].split(",")
    parts = [f"{day},{clock},{rest[0]}" + "," * (len(rest) - 1), f"{day},{clock}," + ",".join(["", *rest[1:]])]
    assert gate.read([*SOUND[:6], *parts, *SOUND[7:]], step="60s").frame.notna().all(axis=None)
    other = f"{day},{clock},{float(rest[0]) + 9}" + "," * (len(rest) - 1)
    said = gate.refuse([*SOUND[:7], other, *SOUND[7:]], step="60s")
    assert said.startswith(f"FILE: duplicate time (1): row 8 day clock '{day} {clock}'; delete one of the rows")
