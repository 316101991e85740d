"""Files as tools write them are read as the clean file is, with a note for what is skipped, or refused in a line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from occupancy.config import Data
from occupancy.data.clock import with_offset
from occupancy.data.log import Log
from occupancy.data.reading.files import read_file
from occupancy.data.source import open_log
from occupancy.data.table import read_log
from occupancy.errors import InputError, InputWarning
from tests.data.made_days import CELLS, DAY, HEADER, SETTINGS, TIMES, TRUTH, lines

IN_UTC = (
    "times are in UTC, so that hours and days are those of UTC; set data.time_zone to the zone of the room (such as "
    "Europe/Berlin)"
)
SECONDS = [*TIMES.strftime("%Y-%m-%d %H:%M:%S")]
EPOCH = [str(second) for second in TIMES.to_numpy("datetime64[s]").astype(int)]
ROWS = lines()


def opened(content: list[str] | bytes, folder: Path, **settings: object) -> Log:
    path = folder / "day.csv"
    path.write_bytes(content if isinstance(content, bytes) else "\n".join(content).encode())
    return read_log(path, DAY, SETTINGS.model_copy(update=settings))


def refused(content: list[str], folder: Path, **settings: object) -> str:
    with pytest.raises(InputError) as caught:
        opened(content, folder, **settings)
    return str(caught.value)


LAYOUTS: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "as it is": ([HEADER, *ROWS], ()),
    "iso with T, Z and milliseconds": (
        [HEADER, *lines([f"{at:%Y-%m-%dT%H:%M:%S}.000Z" for at in TIMES])],
        (IN_UTC,),
    ),
    "iso with an offset": ([HEADER, *lines([f"{at:%Y-%m-%dT%H:%M:%S}+01:00" for at in TIMES])], ()),
    "epoch": (
        [HEADER, *lines(EPOCH)],
        ("times are read as seconds since 1970, not as '%Y-%m-%d %H:%M:%S' of the schema", IN_UTC),
    ),
    "epoch with milliseconds": (
        [HEADER, *lines([f"{second}000" for second in EPOCH])],
        ("times are read as milliseconds since 1970, not as '%Y-%m-%d %H:%M:%S' of the schema", IN_UTC),
    ),
    "title above the header": (
        ["Station: office, export of 2024-01-23", "", HEADER, *ROWS],
        ("row 1 above the header, which is row 3: skipped",),
    ),
    "two titles as wide as the rows": (
        ["a,b,c,d,e", "by,a,logger,of,ours", HEADER, *ROWS],
        ("rows 1 to 2 above the header, which is row 3: skipped",),
    ),
    "separator named": (["sep=,", HEADER, *ROWS], ()),
    "semicolons, decimal commas, points as commas in dates": (
        [
            HEADER.replace(",", ";"),
            *lines(
                [*TIMES.strftime("%d,%m,%Y %H:%M")],
                [[cell.replace(".", ",") for cell in row] for row in CELLS],
                ";",
            ),
        ],
        (
            "decimal commas in temperature: '20,57' is read as 20.57",
            "times are read as '%d,%m,%Y %H:%M', not as '%Y-%m-%d %H:%M:%S' of the schema",
        ),
    ),
    "units below the header": (
        [HEADER, ",degC,ppm,,persons", *ROWS],
        ("row 2 holds units or the like, not readings: skipped",),
    ),
    "four header lines of a logger": (
        ['"TOA5","station","CR1000"', HEADER, '"TS","degC","ppm","",""', '"","Avg","Smp","Max","Smp"', *ROWS],
        (
            "row 1 above the header, which is row 2: skipped",
            "rows 3 to 4 hold units or the like, not readings: skipped",
        ),
    ),
    "header again": ([HEADER, *ROWS[:120], HEADER, *ROWS[120:]], ("row 122 repeats the header: skipped",)),
    "summary": ([HEADER, *ROWS, "Average,25.3,428,0.11,0.4"], ("row 290 holds a summary, not readings: skipped",)),
    "summary of several rows below a blank one": (
        [HEADER, *ROWS, ",,,,", "Min,20,400,0,0", "Max,30,900,1,2", "Total rows: 288"],
        ("row 290 is blank: skipped", "row 291, row 292, row 293 holds a summary, not readings: skipped"),
    ),
    "comments": (["# made by a logger", HEADER, *ROWS[:9], "# it was restarted, twice, here", *ROWS[9:]], ()),
    "header in a comment": (["# made by a logger", f"# {HEADER}", *ROWS], ()),
    "row names of R": (
        [HEADER, *(f'"{number}",{row}' for number, row in enumerate(ROWS, start=1))],
        ("column 1, which has no name, numbers the rows: left out",),
    ),
    "index of pandas": (
        [f",{HEADER}", *(f"{number},{row}" for number, row in enumerate(ROWS))],
        ("column 1, which has no name, numbers the rows: left out",),
    ),
    "separators at the ends": ([f"{HEADER},", *(f"{row}," for row in ROWS)], ()),
    "separators at the ends of rows alone": ([HEADER, *(f"{row}," for row in ROWS)], ()),
    "newest first": ([HEADER, *reversed(ROWS)], ("the newest row is the first: the rows are turned round",)),
    "row twice": (
        [HEADER, *ROWS[:9], ROWS[8], *ROWS[9:]],
        ("rows that repeat another (1, the first is row 11): skipped",),
    ),
    "words": (
        [HEADER, *lines(cells=[[*row[:2], "on" if row[2] == "1" else "off", row[3]] for row in CELLS])],
        (),
    ),
    "units behind numbers": (
        [HEADER, *lines(cells=[[f"{row[0]} °C", f"{row[1]} ppm", *row[2:]] for row in CELLS])],
        (
            "unit °C in temperature: '20.57 °C' is read as 20.57",
            "unit ppm in co2: '1,001 ppm' is read as 1001",
        ),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_is_read_as_the_clean_one_is_and_what_was_done_is_noted(layout: str, tmp_path: Path) -> None:
    content, notes = LAYOUTS[layout]
    log = opened(content, tmp_path)
    pd.testing.assert_frame_equal(log.frame[[*TRUTH]], TRUTH, check_freq=False)
    assert len(log.notes) == len(notes)
    for noted, expected in zip(log.notes, notes, strict=True):
        assert noted.startswith(expected.split(": '")[0])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_an_encoding_with_a_mark_is_read(encoding: str, tmp_path: Path) -> None:
    log = opened("\r\n".join([HEADER, *ROWS]).encode(encoding), tmp_path)
    pd.testing.assert_frame_equal(log.frame[[*TRUTH]], TRUTH, check_freq=False)


def test_fractions_of_a_second_may_come_and_go(tmp_path: Path) -> None:
    times = TIMES + pd.to_timedelta(np.arange(288) % 3 * 250_001, unit="us")
    log = opened([HEADER, *lines([time.isoformat(sep=" ") for time in times])], tmp_path)
    assert (log.times == times).all()
    assert log.notes == ()


def test_notes_are_told_once_in_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text("\n".join([HEADER, ",degC,ppm,,persons", *ROWS, "Average,25.3,428,0.11,0.4"]))
    described = tmp_path / "day.yaml"
    described.write_text(DAY.model_dump_json())
    said = (
        "day.csv: row 2 holds units or the like, not readings: skipped; row 291 holds a summary, not readings: skipped"
    )
    with pytest.warns(InputWarning, match=f"^{re.escape(said)}$"):
        log, _ = open_log(Data(source=str(path), schema=str(described), max_count=2, max_gap=400))
    assert len(log.frame) == 288


def test_a_row_with_a_broken_time_is_no_summary_and_no_unit(tmp_path: Path) -> None:
    for place, broken in ((0, "2024-01-22 0:"), (287, "2024-01-99 23:55:00"), (287, ""), (100, "Average")):
        times = [*SECONDS]
        times[place] = broken
        said = refused([HEADER, *lines(times)], tmp_path)
        assert f"unreadable time (1): row {place + 2} when {broken!r}; correct the time, or delete the row" in said


def test_readings_without_a_header_are_refused(tmp_path: Path) -> None:
    said = refused(ROWS, tmp_path)
    assert said.endswith(
        "row 1 holds readings ('2024-01-22 00:00:00'), expected a header; put a line with the names of the 5 columns "
        "above it"
    )


def test_decimal_commas_between_commas_are_refused_with_the_way_out(tmp_path: Path) -> None:
    cells = [[cell.replace(".", ",") for cell in row] for row in CELLS]
    said = refused([HEADER, *lines(cells=cells)], tmp_path)
    assert said.endswith(
        "rows have more cells than the header; give every column a name, and if numbers have decimal commas, save the "
        "file with semicolons between the cells"
    )
    log = opened([HEADER.replace(",", ";"), *lines(cells=cells, separator=";")], tmp_path)
    pd.testing.assert_frame_equal(log.frame[[*TRUTH]], TRUTH, check_freq=False)


def test_words_in_the_count_column_are_refused_with_what_the_schema_may_say(tmp_path: Path) -> None:
    cells = [[*row[:3], "occupied" if row[3] != "0" else "not_occupied"] for row in CELLS]
    said = refused([HEADER, *lines(cells=cells)], tmp_path)
    assert "not a count (288): row 2 people 'not_occupied'" in said
    assert said.endswith(
        "write the number of people, or say in the schema what each word means, such as labels: {not_occupied: 0, "
        "occupied: 1}"
    )


def test_a_word_that_is_no_state_is_refused_with_those_that_are(tmp_path: Path) -> None:
    cells = [[*row[:2], "maybe", row[3]] for row in CELLS]
    assert "no state (288): row 2 motion 'maybe'" in refused([HEADER, *lines(cells=cells)], tmp_path)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_times_in_utc_become_those_of_the_room(zone: str, tmp_path: Path) -> None:
    utc = TIMES.tz_localize(zone).tz_convert("UTC")
    for times in ([f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in utc], [at.isoformat() for at in TIMES.tz_localize(zone)]):
        log = opened([HEADER, *lines(times)], tmp_path, time_zone=zone)
        pd.testing.assert_frame_equal(log.frame[[*TRUTH]], TRUTH, check_freq=False)
        assert (with_offset(log.times, log.clock) == TIMES.tz_localize(zone)).all()
        assert with_offset(log.times, log.clock)[0].utcoffset() == TIMES.tz_localize(zone)[0].utcoffset()


@pytest.mark.parametrize("turned", [False, True], ids=["oldest first", "newest first"])
def test_an_hour_that_comes_twice_is_told_apart_by_the_zone(turned: bool, tmp_path: Path) -> None:
    real = pd.date_range("2024-10-26 14:00:07", periods=288, freq="301s", tz="Europe/Berlin")
    rows = lines([f"{at:%Y-%m-%d %H:%M:%S}" for at in real])
    rows = rows[::-1] if turned else rows
    place = int(np.argmax([at.utcoffset() != real[0].utcoffset() for at in real]))
    said = refused([HEADER, *rows], tmp_path)
    row = 2 + (287 - place if turned else place)
    assert f"the clock went back about an hour at row {row} (from " in said
    assert "set data.time_zone to the zone of the room (such as Europe/Berlin)" in said
    assert "sort" not in said
    assert "delete" not in said
    log = opened([HEADER, *rows], tmp_path, time_zone="Europe/Berlin")
    assert (with_offset(log.times, log.clock) == real).all()
    assert (np.diff(log.times) == np.timedelta64(301, "s")).all()
    assert (log.frame["co2"].to_numpy() == TRUTH["co2"].to_numpy()).all()
    assert log.notes[-1 - turned] == "clocks change within the log; its times run on from the first row's (+02:00)"


def test_a_clock_set_back_that_no_zone_explains_is_never_to_be_sorted(tmp_path: Path) -> None:
    times = TIMES.to_series().to_numpy(copy=True)
    times[200:] -= np.timedelta64(3600 - 23, "s")
    rows = lines([*pd.DatetimeIndex(times).strftime("%Y-%m-%d %H:%M:%S")])
    for zone in (None, "Europe/Berlin"):
        said = refused([HEADER, *rows], tmp_path, time_zone=zone)
        assert "the clock went back about an hour at row 202 (from 2024-01-22 16:35:00 to 2024-01-22 15:40:23)" in said
        assert "do not sort them" in said
        assert "set data.time_zone" not in said


def test_a_clock_that_never_changes_is_not_bent_by_a_zone_whose_clocks_do(tmp_path: Path) -> None:
    for day, way in (("2024-10-26 14:00:00", "back"), ("2024-03-30 14:00:00", "forward")):
        times = pd.date_range(day, periods=288, freq="5min")
        rows = [HEADER, *lines([*times.strftime("%Y-%m-%d %H:%M:%S")])]
        said = refused(rows, tmp_path, time_zone="Europe/Berlin")
        assert f"clocks in Europe/Berlin go {way} on 2024-" in said
        (advised,) = re.findall(r"set data\.time_zone=([\w/+-]+)", said)
        assert (opened(rows, tmp_path, time_zone=advised).times == times).all()


def test_a_unit_in_the_file_that_is_not_that_of_the_schema_is_refused(tmp_path: Path) -> None:
    warm = [[f"{float(row[0]) * 1.8 + 32:.2f} °F", *row[1:]] for row in CELLS]
    said = "column temperature is in °F, but the schema says degC; set unit: degF for it in the schema"
    assert said in refused([HEADER, *lines(cells=warm)], tmp_path)
    assert said in refused([HEADER, ",°F,ppm,,persons", *ROWS], tmp_path)
    same = opened([HEADER, *lines(cells=[[f"{row[0]} °C", *row[1:]] for row in CELLS])], tmp_path)
    assert same.frame["temperature"].tolist() == TRUTH["temperature"].tolist()


@pytest.mark.parametrize("time", ["", "n/a", "?"])
@pytest.mark.parametrize("above", [[], ["Station: office,,,,"]])
@pytest.mark.parametrize("below", [[], [",degC,ppm,,persons"]])
def test_a_first_row_without_its_time_is_no_header(
    time: str, above: list[str], below: list[str], tmp_path: Path
) -> None:
    spoiled = time + ROWS[0][ROWS[0].index(",") :]
    said = refused([*above, HEADER, *below, spoiled, *ROWS[1:]], tmp_path)
    row = 2 + len(above) + len(below)
    assert f"unreadable time (1): row {row} when '{time}'; correct the time, or delete the row" in said


def test_a_header_of_numbers_below_a_title_stays_the_header(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["Sensors of the office,,,", "time,1,2,3", "2024-01-22 10:00,20,21,22"]))
    assert [*read_file(path, 1_000_000).frame.columns] == ["time", "1", "2", "3"]
