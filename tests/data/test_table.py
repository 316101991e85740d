"""What comes out of the gate: the real log and its re-saved copies, filled cells, and other rooms."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from occupancy.config import Data
from occupancy.data.log import Log
from occupancy.data.schema import UCI, Column, Schema, load_schema
from occupancy.data.table import read_log, validate
from occupancy.data.times import recordings
from occupancy.errors import InputError

SMALL = Schema(
    name="small",
    time=["time"],
    time_format="%Y-%m-%d %H:%M:%S.%f",
    columns=[Column(name="warm", kind="temperature", unit="degC"), Column(name="air", kind="co2", unit="ppm")],
    count="people",
)
SHAKY = Data(source="room.csv", missing="hold")
BLANK = float("nan")


def text_of(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def saved(cells: pd.DataFrame, folder: Path) -> Path:
    path = folder / "copy.csv"
    cells.to_csv(path, index=False)
    return path


def cells_of(warm: list[float], step_s: float = 30.0) -> pd.DataFrame:
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(warm)) * step_s, unit="s")
    text = times.strftime("%Y-%m-%d %H:%M:%S.%f")
    return pd.DataFrame({"time": text, "warm": warm, "air": 400.0, "people": 0})


def gate(cells: pd.DataFrame, settings: Data = SHAKY) -> Log:
    return validate(cells, SMALL, settings, "room")


def test_an_ignored_column_is_not_looked_at() -> None:
    cells = cells_of([20.0, 21.0]).assign(light_1="broken", light_2="")
    log = validate(cells, SMALL.model_copy(update={"ignore": ["light_?"]}), SHAKY, "room")
    assert list(log.frame.columns) == ["warm", "air", "people"]
    with pytest.raises(InputError, match=r"unknown column light_1, light_2; .*list it under ignore in the schema file"):
        gate(cells)


@pytest.mark.parametrize("name", ["time", "warm", "people", "note"])
def test_a_column_that_is_there_twice_is_refused_in_one_line_that_names_it(name: str) -> None:
    cells = cells_of([20.0, 21.0]).assign(note="")
    with pytest.raises(
        InputError, match=rf"^room: got more than one column '{name}', expected each name once; remove "
    ):
        gate(pd.concat([cells, cells[[name]]], axis=1))


def test_the_real_log_passes_as_it_is(uci_log: Log) -> None:
    frame = uci_log.frame
    assert (uci_log.name, uci_log.family) == ("Occupancy_Estimation.csv", "uci")
    assert list(frame.columns) == [*UCI.sensors, UCI.count]
    assert len(frame) == 10_129
    assert frame.index.name == "time"
    assert uci_log.times.tz is None
    assert uci_log.times.is_monotonic_increasing
    assert (str(uci_log.times[0]), str(uci_log.times[-1])) == ("2017-12-22 10:49:41", "2018-01-11 09:00:09")
    assert set(frame[UCI.sensors].dtypes) == {np.dtype(np.float64)}
    assert frame[UCI.count].dtype == np.int64
    assert frame[UCI.count].value_counts().to_dict() == {0: 8228, 1: 459, 2: 748, 3: 694}
    assert not uci_log.missing.to_numpy().any()
    assert uci_log.missing.shape == (10_129, 16)


def test_the_values_of_the_real_log_are_those_of_the_file(uci_log: Log, uci_path: Path) -> None:
    cells = text_of(uci_path)
    for column in UCI.sensors:
        assert uci_log.frame[column].tolist() == [float(cell) for cell in cells[column]]
    assert uci_log.frame[UCI.count].astype(str).tolist() == cells[UCI.count].tolist()
    assert uci_log.times.strftime("%Y/%m/%d %H:%M:%S").tolist() == (cells["Date"] + " " + cells["Time"]).tolist()


def fractions(cells: pd.DataFrame) -> pd.DataFrame:
    day = pd.to_timedelta(cells["Time"]).dt.total_seconds() / 86_400
    return cells.assign(Time=day.map("{:.9f}".format))


def american(cells: pd.DataFrame) -> pd.DataFrame:
    return cells.assign(Date=pd.to_datetime(cells["Date"], format="%Y/%m/%d").dt.strftime("%m/%d/%Y"))


@pytest.mark.parametrize(
    ("resave", "time_format"),
    [
        (american, "%m/%d/%Y %H:%M:%S"),
        (fractions, "%Y/%m/%d day-fraction"),
        (lambda cells: fractions(american(cells)), "%m/%d/%Y day-fraction"),
    ],
    ids=["american dates", "fractions of a day", "both"],
)
def test_a_copy_of_the_real_log_with_other_times_is_read_as_the_real_one_and_says_so(
    uci_log: Log, uci_path: Path, tmp_path: Path, resave: Any, time_format: str
) -> None:
    path = saved(resave(text_of(uci_path)), tmp_path)
    log = read_log(path, UCI, Data(source=str(path)))
    pd.testing.assert_frame_equal(log.frame, uci_log.frame)
    assert log.digest == uci_log.digest
    assert log.notes == (f"times are read as {time_format!r}, not as '%Y/%m/%d %H:%M:%S' of the schema",)
    with pytest.raises(InputError) as refused:  # what the settings ask for is not passed over
        read_log(path, UCI, Data(source=str(path), time_format="%d.%m.%Y %H:%M"))
    assert str(refused.value).startswith(f"{path}: unreadable time (10129): row 2 Date Time '")
    assert str(refused.value).endswith(f" and 10119 more; set data.time_format={time_format!r}")


def test_a_copy_of_the_real_log_with_emptied_cells_is_refused_or_read_as_the_settings_say(
    uci_log: Log, uci_path: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    emptied = rng.random((10_129, 16)) < 0.01
    emptied[0] = False
    cells = text_of(uci_path)
    cells[UCI.sensors] = cells[UCI.sensors].mask(emptied, "")
    path = saved(cells, tmp_path)
    with pytest.raises(InputError) as refused:
        read_log(path, UCI, Data(source=str(path), missing="refuse"))
    assert str(refused.value).startswith(f"{path}: missing ({emptied.sum()}): row ")
    assert str(refused.value).endswith("set data.missing=keep to leave it missing")
    log = read_log(path, UCI, Data(source=str(path), missing="hold"))
    assert (log.missing.to_numpy() == emptied).all()
    readings = uci_log.frame[UCI.sensors].mask(emptied)
    expected = readings.groupby(recordings(uci_log.times, 120)).ffill()  # nothing is held over a gap
    pd.testing.assert_frame_equal(log.frame[UCI.sensors], expected)
    assert log.digest != uci_log.digest


def test_the_simulated_log_saved_as_csv_reads_back_to_the_same_digest(simulated_log: Log, tmp_path: Path) -> None:
    cells = simulated_log.frame.assign(
        Date=simulated_log.times.strftime("%Y/%m/%d"), Time=simulated_log.times.strftime("%H:%M:%S")
    )
    assert read_log(saved(cells, tmp_path), UCI, Data()).digest == simulated_log.digest


def test_prediction_needs_no_labels(uci_log: Log, uci_path: Path, tmp_path: Path) -> None:
    path = saved(text_of(uci_path).drop(columns=UCI.count).head(50), tmp_path)
    log = read_log(path, UCI, Data(), labelled=False)
    pd.testing.assert_frame_equal(log.frame, uci_log.frame[UCI.sensors].head(50))
    with pytest.raises(InputError, match=rf"missing column {UCI.count}; add it, or describe .* \(data\.schema\)$"):
        read_log(path, UCI, Data())


def test_another_room_loads_by_a_schema_of_its_own(tmp_path: Path) -> None:
    described = tmp_path / "office.yaml"
    described.write_text(
        "name: office\ntime: [recorded at]\ntime_format: '%d.%m.%Y %H:%M'\ncount: heads\ncolumns:\n"
        "  - {name: 'CO2 [ppm]', kind: co2, unit: ppm}\n"
        "  - {name: door, kind: other, unit: 0 or 1, optional: true}\n"
    )
    path = tmp_path / "week.csv"
    path.write_text("heads,recorded at,CO2 [ppm]\n0,31.12.2023 23:55,400\n5,01.01.2024 00:00,400.5\n")
    office = Data(source=str(path), schema=str(described), max_count=5, max_gap=600)
    log = read_log(path, load_schema(str(described)), office)
    assert (log.name, log.family) == ("week.csv", "office")
    assert log.frame.to_dict("list") == {"CO2 [ppm]": [400.0, 400.5], "heads": [0, 5]}
    assert [str(time) for time in log.times] == ["2023-12-31 23:55:00", "2024-01-01 00:00:00"]


def test_missing_cells_hold_the_last_reading_and_stay_marked() -> None:
    log = gate(cells_of([20.0, BLANK, BLANK, 23.0, BLANK, BLANK]))
    assert log.frame["warm"].tolist() == [20.0, 20.0, 20.0, 23.0, 23.0, 23.0]
    assert log.missing["warm"].tolist() == [False, True, True, False, True, True]
    assert not log.missing["air"].any()


def test_cells_before_the_first_reading_stay_blank_since_only_the_future_could_fill_them() -> None:
    log = gate(cells_of([BLANK, BLANK, 22.0, 23.0]))
    assert log.frame["warm"].isna().tolist() == [True, True, False, False]
    assert log.missing["warm"].tolist() == [True, True, False, False]


@settings(max_examples=25)
@given(
    st.lists(st.one_of(st.just(BLANK), st.floats(-50, 50)), min_size=1, max_size=9),
    st.data(),
)
def test_filling_never_looks_ahead(later: list[float], data: st.DataObject) -> None:
    warm = [20.0, *later]
    altered = data.draw(st.integers(1, len(later)))
    other = [*warm]
    other[altered] = data.draw(st.one_of(st.just(BLANK), st.floats(-50, 50)))
    one, two = gate(cells_of(warm)), gate(cells_of(other))
    pd.testing.assert_frame_equal(one.frame[:altered], two.frame[:altered])
    pd.testing.assert_frame_equal(one.missing[:altered], two.missing[:altered])


finite = st.floats(-1e19, 1e19)


@given(st.data())
def test_any_valid_frame_written_to_csv_reads_back_equal(data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 8))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return data.draw(st.lists(values, min_size=rows, max_size=rows))

    steps_us = column(st.integers(1, 10**13))
    times = pd.Timestamp("2000-01-01") + pd.to_timedelta(np.cumsum(steps_us), unit="us")
    frame = pd.DataFrame(
        {"warm": column(finite), "air": column(finite), "people": column(st.integers(0, 3))},
        index=pd.DatetimeIndex(times, name="time").as_unit("ns"),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = saved(frame.assign(time=times.strftime("%Y-%m-%d %H:%M:%S.%f")), Path(folder))
        log = read_log(path, SMALL, Data(max_gap=1e8))
    pd.testing.assert_frame_equal(log.frame, frame, check_exact=True)
    assert not log.missing.to_numpy().any()


@pytest.mark.parametrize("column", ["warm", "air", "people"])
@pytest.mark.parametrize("row", [0, 3])
def test_the_digest_changes_with_any_cell(column: str, row: int) -> None:
    cells = cells_of([20.0, 21.0, 22.0, 23.0])
    other = cells.copy()
    values = other[column].to_numpy().copy()
    values[row] += 1 if column == "people" else 1e-12
    other[column] = values
    assert gate(cells).digest == gate(cells.copy()).digest
    assert gate(other).digest != gate(cells).digest


def test_the_digest_changes_with_times_rows_and_names() -> None:
    log = gate(cells_of([20.0, 21.0, 22.0]))
    frame = log.frame
    others = [
        frame[:2],
        frame.set_axis(frame.index + pd.Timedelta("1ns")),
        frame.rename(columns={"warm": "cold"}),
        frame.iloc[:, [1, 0, 2]],
    ]
    digests = [dataclasses.replace(log, frame=other).digest for other in others]
    assert len({log.digest, *digests}) == 5
    assert all(len(digest) == 16 for digest in digests)


def test_the_digest_does_not_depend_on_where_the_log_lies() -> None:
    cells = cells_of([20.0, 21.0])
    assert validate(cells, SMALL, SHAKY, "here").digest == validate(cells, SMALL, Data(), "there").digest


@pytest.mark.parametrize(
    ("seconds", "step_s"),
    [([0, 30, 61, 91, 121], 30.0), ([0, 60], 60.0), ([0, 30, 9000, 99_000], 30.0)],
    ids=["steps of 30 and 31", "one step", "gaps do not count"],
)
def test_the_step_is_the_median_inside_recordings(seconds: NDArray[np.int64], step_s: float) -> None:
    cells = cells_of([20.0] * len(seconds))
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s")
    log = gate(cells.assign(time=times.strftime("%Y-%m-%d %H:%M:%S.%f")))
    assert log.step_s == step_s


def test_one_row_has_no_step() -> None:
    assert np.isnan(gate(cells_of([20.0])).step_s)


def test_the_step_of_the_real_log_is_half_a_minute(uci_log: Log) -> None:
    assert uci_log.step_s in {30.0, 31.0}


def test_a_frame_of_numbers_passes_the_same_gate_with_rows_from_zero() -> None:
    cells = cells_of([20.0, 21.0, 22.0]).set_index(pd.Index([7, 8, 9]))
    assert gate(cells).frame["warm"].tolist() == [20.0, 21.0, 22.0]
    with pytest.raises(
        InputError, match=r"^room: negative count \(1\): row 1 people '-1'; write a count of 0 or more$"
    ):
        gate(cells.assign(people=[0, -1, 0]))


def test_a_frame_without_rows_is_refused() -> None:
    with pytest.raises(InputError, match=r"^room: has no rows; expected one row for each sample$"):
        gate(cells_of([20.0])[:0])


def test_validating_leaves_the_given_cells_as_they_were() -> None:
    cells = cells_of([20.0, BLANK, 22.0])
    before = cells.copy(deep=True)
    gate(cells)
    pd.testing.assert_frame_equal(cells, before)


def test_a_log_whose_every_step_is_a_gap_is_refused_with_the_remedy(tmp_path: Path, uci_path: Path) -> None:
    lines = uci_path.read_text().splitlines()
    path = tmp_path / "sparse.csv"
    path.write_text("\n".join([lines[0], *lines[1:200:20]]))
    with pytest.raises(InputError, match=r"the shortest step is .* s and data\.max_gap is 120 s; raise data\.max_gap"):
        read_log(path, UCI, Data())


def test_a_state_that_became_unavailable_holds_no_longer_on_a_grid(tmp_path: Path) -> None:
    def row(name: str, state: object, seconds: int) -> str:
        return f"{name},{state},{pd.Timestamp('2024-03-04 08:00') + pd.Timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}"

    rows = [row("sensor.air", 400 + second // 60 % 9, second) for second in range(0, 7200, 60)]
    rows += [row("binary_sensor.pir", "on" if count % 2 else "off", 290 * count + count % 3) for count in range(1, 12)]
    rows += [row("binary_sensor.pir", "unavailable", 3300), row("binary_sensor.pir", "off", 6900)]
    path = tmp_path / "room.csv"
    path.write_text("\n".join(["entity_id,state,last_changed", *rows]) + "\n")
    columns = [
        Column(name="sensor.air", kind="co2", unit="ppm"),
        Column(name="binary_sensor.pir", kind="motion", unit="0 or 1"),
    ]
    schema = Schema(name="room", time=["last_changed"], columns=columns, count="people")
    log = read_log(path, schema, Data(source="room.csv", step=60), labelled=False)
    motion = log.frame["binary_sensor.pir"]
    gone = motion.loc["2024-03-04 08:55":"2024-03-04 09:54"]
    assert len(gone) == 60
    assert gone.isna().all()
    assert motion.loc["2024-03-04 08:54"] == 1
    assert motion.loc["2024-03-04 09:55":].eq(0).all()
