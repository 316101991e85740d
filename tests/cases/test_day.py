"""A day of an office as tools write it, with what goes wrong in such files: read right, or refused with the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from occupancy.config import Data, Room, Simulation
from occupancy.data.log import Log
from occupancy.data.schema import Schema
from occupancy.data.simulation import simulate
from occupancy.data.table import read_log
from occupancy.errors import InputError
from occupancy.health.examine import examine
from occupancy.health.finding import lines
from tests.health.made_logs import NAMES
from tests.health.made_logs import SCHEMA as OFFICE

SENSORS = ["temperature", "co2", "motion"]
DAY = OFFICE.model_copy(
    update={"columns": OFFICE.columns[:3], "time_format": "%Y-%m-%d %H:%M:%S"},
)
SETTINGS = Data(source="day.csv", schema="day.yaml", max_count=2, max_gap=400)
HEADER = "when,temperature,co2,motion,people"


def _truth() -> pd.DataFrame:
    frame = simulate(Simulation(days=1, seed=0, room=Room(step_s=300, max_people=2))).rename(columns=NAMES)
    return frame[[*SENSORS, "people"]].shift(freq="21D").rename_axis("time")


TRUTH = _truth()
TIMES = pd.DatetimeIndex(TRUTH.index)


def rows_of(frame: pd.DataFrame = TRUTH, form: str = "%Y-%m-%d %H:%M:%S") -> list[str]:
    """Return the rows of a frame as text."""
    cells = frame.astype(object).where(frame.notna(), "")
    return [",".join([f"{at:{form}}", *map(_cell, row)]) for at, row in zip(frame.index, cells.to_numpy(), strict=True)]


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def told(content: list[str], folder: Path, schema: Schema = DAY, **settings: Any) -> tuple[Log, str]:
    """Return the log of a file, and all that is said of it."""
    (folder / "day.csv").write_text("\n".join(content), encoding="utf-8")
    log = read_log(folder / "day.csv", schema, SETTINGS.model_copy(update=settings))
    return log, "; ".join([*log.notes, *lines(examine(log))])


def refusal(content: list[str], folder: Path, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        told(content, folder, **settings)
    return str(caught.value)


def _with(column: str, values: Any, start: int = 0, end: int | None = None) -> list[str]:
    frame = TRUTH.astype(object)
    frame.loc[frame.index[start:end], column] = values
    return [HEADER, *rows_of(frame)]


def stamped(times: Iterable[Any]) -> list[str]:
    """Return the lines of the file in which the times are others."""
    return [HEADER, *(f"{time},{row.partition(',')[2]}" for time, row in zip(times, ROWS, strict=True))]


def _decimal_commas() -> list[str]:
    rows = [row.replace(",", ";").replace(".", ",") for row in rows_of()]
    dated = [f"{at:%d,%m,%Y %H:%M};{row.partition(';')[2]}" for at, row in zip(TIMES, rows, strict=True)]
    return [HEADER.replace(",", ";"), *dated]


@dataclass(frozen=True)
class File:
    """A file that is read as the clean one is.

    Attributes:
        write: returns its lines.
        said: what is said of it, among other things.
    """

    write: Callable[[], list[str]]
    said: str = ""


ROWS = rows_of()
IN_UTC = "times are in UTC, so that hours and days are those of UTC; set data.time_zone to the zone of the room"
READ = {
    "g01 Z and milliseconds": File(lambda: [HEADER, *rows_of(form="%Y-%m-%dT%H:%M:%S.000Z")], IN_UTC),
    "g02 offset": File(lambda: [HEADER, *rows_of(form="%Y-%m-%dT%H:%M:%S+01:00")]),
    "g04 seconds since 1970": File(
        lambda: stamped([*map(str, TIMES.to_numpy("datetime64[s]").astype(int))]),
        "times are read as seconds since 1970",
    ),
    "g05b title": File(
        lambda: ["Station: office, export of 2024-01-23", "", HEADER, *ROWS],
        "row 1 above the header, which is row 3: skipped",
    ),
    "g05c separator named": File(lambda: ["sep=,", HEADER, *ROWS]),
    "g06c decimal commas": File(_decimal_commas, "decimal commas in temperature"),
    "g08 units": File(lambda: [HEADER, ",degC,ppm,,persons", *ROWS], "row 2 holds units or the like"),
    "g09 header again": File(lambda: [HEADER, *ROWS[:120], HEADER, *ROWS[120:]], "row 122 repeats the header"),
    "g10 summary": File(lambda: [HEADER, *ROWS, "Average,25.3,428,0.11,0.4"], "row 290 holds a summary"),
    "g12 words": File(lambda: _with("motion", np.where(TRUTH["motion"] > 0, "on", "off"))),
    "g31b row names": File(
        lambda: [HEADER, *(f'"{number}",{row}' for number, row in enumerate(ROWS, 1))],
        "column 1, which has no name, numbers the rows: left out",
    ),
}


@pytest.mark.parametrize("name", READ)
def test_a_file_is_read_to_the_values_of_the_clean_one(name: str, tmp_path: Path) -> None:
    log, said = told(READ[name].write(), tmp_path)
    pd.testing.assert_frame_equal(
        log.frame[[*TRUTH]], TRUTH, check_freq=False, check_dtype=False, check_index_type=False
    )
    assert READ[name].said in said
    assert READ[name].said or not said


def test_times_with_and_without_a_fraction_are_read_g03(tmp_path: Path) -> None:
    times = TIMES + pd.to_timedelta(np.arange(288) % 3 * 250_001, unit="us")
    log, said = told(stamped(times), tmp_path)
    assert (log.times == times).all()
    assert said == ""


def test_one_row_a_reading_is_put_in_shape_and_what_it_lacks_is_named_g13(tmp_path: Path) -> None:
    ids = {
        "sensor.office_temperature": "temperature",
        "sensor.office_co2": "co2",
        "binary_sensor.office_motion": "motion",
    }
    rows = [
        f"{sensor},{_cell(row[name])},{at:%Y-%m-%dT%H:%M:%S}.000Z"
        for at, row in TRUTH.iterrows()
        for sensor, name in ids.items()
    ]
    content = ["entity_id,state,last_changed", *rows]
    said = refusal(content, tmp_path)
    assert "each row is one reading (entity_id, state, last_changed): read as one column for each sensor" in said
    assert "missing column when, temperature, co2, motion, people" in said
    named = [column.model_copy(update={"name": name}) for column, name in zip(DAY.columns, ids, strict=True)]
    schema = DAY.model_copy(update={"time": ["last_changed"], "time_format": None, "columns": named})
    (tmp_path / "long.csv").write_text("\n".join(content))
    log = read_log(tmp_path / "long.csv", schema, SETTINGS, labelled=False)
    assert (log.frame[[*ids]].to_numpy() == TRUTH[SENSORS].to_numpy()).all()


def test_a_clock_that_goes_back_is_told_by_its_zone_and_never_to_be_sorted_g15b(tmp_path: Path) -> None:
    real = pd.date_range("2024-10-26 14:00:07", periods=288, freq="301s", tz="Europe/Berlin")
    content = stamped(real.strftime("%Y-%m-%d %H:%M:%S"))
    said = refusal(content, tmp_path)
    assert "the clock went back about an hour at row 158 (from " in said
    assert "set data.time_zone to the zone of the room (such as Europe/Berlin)" in said
    assert "sort" not in said
    log, _ = told(content, tmp_path, time_zone="Europe/Berlin")
    assert (np.diff(log.times) == np.timedelta64(301, "s")).all()
    assert (log.frame["co2"].to_numpy() == TRUTH["co2"].to_numpy()).all()


def test_rows_that_come_with_events_are_told_and_the_advised_grid_heals_g17(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    at = TIMES[0] + pd.to_timedelta(np.sort(generator.choice(86_000, 288, replace=False)), unit="s")
    content = [HEADER, *rows_of(TRUTH.reindex(at, method="ffill"))]
    log, said = told(content, tmp_path)
    assert len(log.frame) == 288
    assert "the rows are not regular: " in said
    step = said.partition("data.step=")[2].partition("s")[0]
    gridded, again = told(content, tmp_path, step=float(step))
    assert gridded.step_s == float(step)
    assert "not regular" not in again


def test_motion_that_is_only_written_when_seen_is_told_g18(tmp_path: Path) -> None:
    blank = int((TRUTH["motion"] == 0).sum())
    log, said = told(_with("motion", np.where(TRUTH["motion"] > 0, "1", "")), tmp_path)
    assert int(log.frame["motion"].isna().sum()) == blank, "no reading is made up"
    assert f"missing readings, which stay missing: motion {blank} of 288" in said
    assert f"motion: never changes: it reads 1 in all {288 - blank} rows" in said


@pytest.mark.parametrize("above", [0, 2], ids=["clean", "below a title"])
def test_codes_for_an_error_are_told_with_the_lines_of_the_file_g19(above: int, tmp_path: Path) -> None:
    content = _with("co2", -1, 50, 54)
    content[131] = _with("co2", 65535, 130, 131)[131]
    _, said = told([*["Station: office, export of 2024-01-23", ""][:above], *content], tmp_path)
    assert "co2: reads -1, 65535 ppm in 5 rows, which is a code for an error and no reading" in said
    assert f"rows {52 + above} to {55 + above}, {132 + above})" in said


def test_the_lines_are_those_of_the_file_where_the_newest_row_is_the_first_g19(tmp_path: Path) -> None:
    content = _with("co2", -1, 50, 54)
    _, said = told([HEADER, *content[:0:-1]], tmp_path)
    assert "rows 236 to 239)" in said
    assert [content[:0:-1][line - 2].split(",")[2] for line in (235, 236, 239, 240)].count("-1") == 2


def test_no_line_is_named_where_there_are_several_files(tmp_path: Path) -> None:
    content = _with("co2", -1, 50, 54)
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    paths[0].write_text("\n".join(content[:145]))
    paths[1].write_text("\n".join([HEADER, *content[145:]]))
    log = read_log(paths, DAY, SETTINGS)
    assert "04:10 to 04:25);" in "; ".join(lines(examine(log)))


def test_no_line_is_named_of_rows_that_are_put_on_a_grid_g19(tmp_path: Path) -> None:
    _, said = told(_with("co2", -1, 50, 54), tmp_path, step=300.0)
    assert "co2: reads -1 ppm in 4 rows" in said
    assert "04:10 to 04:25);" in said


def test_co2_that_stops_is_told_with_its_rows_g20(tmp_path: Path) -> None:
    _, said = told(_with("co2", "345", 90), tmp_path)
    assert "co2: reads 345 ppm in " in said
    assert "while others show people for" in said
    assert "to 289)" in said


def test_co2_that_never_changes_is_told_g20b(tmp_path: Path) -> None:
    _, said = told(_with("co2", "400"), tmp_path)
    assert "co2: never changes, it reads 400 ppm in 288 rows on end (24 h)" in said


def test_a_unit_that_changes_is_told_at_its_row_g21(tmp_path: Path) -> None:
    _, said = told(_with("temperature", [*(TRUTH["temperature"][150:] * 1.8 + 32)], 150), tmp_path)
    assert "temperature: jumps from 25" in said
    assert "which fits a change from degC to degF" in said
    assert "rows 152 to 289" in said


def test_rows_without_a_count_stay_as_history_g25(tmp_path: Path) -> None:
    counts = [str(count) if place % 3 == 0 else "" for place, count in enumerate(TRUTH["people"])]
    log, said = told(_with("people", counts), tmp_path)
    assert "192 of 288 rows have no count: they serve as history, unlearned and unscored" in said
    assert len(log.frame) == 288
    assert log.labelled.tolist() == [place % 3 == 0 for place in range(288)]


def test_words_for_counts_are_refused_and_the_advised_labels_heal_g26(tmp_path: Path) -> None:
    content = _with("people", np.where(TRUTH["people"] > 0, "occupied", "not_occupied"))
    said = refusal(content, tmp_path)
    assert "not a count (288): row 2 people 'not_occupied'" in said
    assert "labels: {not_occupied: 0, occupied: 1}" in said
    assert "interpolate" not in said
    log, _ = told(content, tmp_path, DAY.model_copy(update={"labels": {"not_occupied": 0, "occupied": 1}}))
    assert (log.frame["people"] == TRUTH["people"].clip(upper=1)).all()
