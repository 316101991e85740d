"""Counting a log that nobody labelled, by a model of the room that learns from its sensors alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from occupancy import predict
from occupancy.config import Room, Simulation
from occupancy.data.simulation import simulate_kinds
from tests.e2e.predict.home import Capture, call
from tests.places import ROOT

CONFIG = str(ROOT / "configs" / "room.yaml")
BRIEF = ("model.sets=2",)


@pytest.fixture(scope="module")
def made() -> pd.DataFrame:
    """Two simulated days, with the columns that a person would give them."""
    room = Room(step_s=120.0, volume_m3=77.0)
    frame, schema = simulate_kinds(Simulation(days=2, seed=3, room=room), ["co2", "motion", "humidity"])
    names = {column.name: f"office {column.kind}" for column in schema.columns}
    return frame.rename(columns={**names, schema.count: "people"}).rename_axis("when").reset_index()


def counted(
    frame: pd.DataFrame, folder: Path, capsys: Capture, *settings: str, most: int = 3
) -> tuple[pd.DataFrame, str]:
    """Return the table of a log's counts, and what is said of them."""
    frame.to_csv(folder / "log.csv", index=False)
    out = folder / "counts.csv"
    assert (
        call(
            predict.main,
            "--config",
            CONFIG,
            "--csv",
            str(folder / "log.csv"),
            "--out",
            str(out),
            *BRIEF,
            f"data.max_count={most}",
            *settings,
        )
        == 0
    )
    return pd.read_csv(out), capsys.readouterr().err


def test_a_log_without_counts_is_counted_better_than_by_counting_nobody(
    made: pd.DataFrame, tmp_path: Path, capsys: Capture
) -> None:
    table, said = counted(made.drop(columns="people"), tmp_path, capsys, "model.volume_m3=77")
    truth = made["people"].to_numpy()
    assert len(table) == len(made)
    assert np.mean((table["count"] - truth) ** 2) < 0.5 * np.mean(truth**2)
    assert "no count was used; assumed: at most 3 people (data.max_count)" in said
    assert "a room of 77 m3" in said
    assert "found in 48.0 hours of sensors: " in said
    assert "one person adds" in said
    assert "office co2: co2" in said


def test_counts_that_a_log_has_are_compared_and_not_learned(
    made: pd.DataFrame, tmp_path: Path, capsys: Capture
) -> None:
    without, _ = counted(made.drop(columns="people"), tmp_path, capsys)
    turned = made.assign(people=made["people"].to_numpy()[::-1])
    for frame in (made, turned):
        table, said = counted(frame, tmp_path, capsys)
        pd.testing.assert_frame_equal(table[without.columns], without)
        assert "against people: mse" in said


def test_a_room_of_unknown_volume_has_wider_counts_and_says_how_to_narrow_them(
    made: pd.DataFrame, tmp_path: Path, capsys: Capture
) -> None:
    frame = made.drop(columns=["people", "office motion"])
    known, _ = counted(frame, tmp_path, capsys, "model.volume_m3=77")
    unknown, said = counted(frame, tmp_path, capsys)
    assert "give model.volume_m3=" in said
    occupied = known["count"] > 0
    assert unknown["std"][occupied].mean() > known["std"][occupied].mean()


def test_a_schema_names_the_columns_where_their_names_do_not(
    made: pd.DataFrame, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "schema.yaml").write_text(
        "name: office\ntime: [when]\ncount: people\ncolumns:\n- {name: a, kind: co2, unit: ppm}\n"
    )
    frame = made[["when", "office co2"]].rename(columns={"office co2": "a"})
    table, said = counted(frame, tmp_path, capsys, f"data.schema={tmp_path / 'schema.yaml'}")
    assert len(table) == len(made)
    assert "read as" not in said


def test_names_of_the_uci_log_for_the_time_alone_do_not_make_it_that_log(
    made: pd.DataFrame, tmp_path: Path, capsys: Capture
) -> None:
    day, hour = made["when"].dt.strftime("%Y/%m/%d"), made["when"].dt.strftime("%H:%M:%S")
    table, said = counted(made.drop(columns=["when", "people"]).assign(Date=day, Time=hour), tmp_path, capsys)
    assert len(table) == len(made)
    assert "office co2: co2" in said


def test_hourly_rows_are_counted(made: pd.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    table, _ = counted(made.drop(columns="people").iloc[::30], tmp_path, capsys)
    assert np.isfinite(table["mean"]).all()


def test_more_people_than_the_model_tells_leave_their_rows_answered(
    made: pd.DataFrame, tmp_path: Path, capsys: Capture
) -> None:
    without, _ = counted(made.drop(columns="people"), tmp_path, capsys, most=1)
    table, said = counted(made, tmp_path, capsys, most=1)
    pd.testing.assert_frame_equal(table[without.columns], without)
    assert "answered" not in table or table["answered"].all()
    assert "data.max_count" in said


def test_a_column_that_may_be_a_sensor_or_a_count_is_named(made: pd.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    there = (made["people"] > 0).astype(int)
    _, said = counted(made.drop(columns="people").assign(occupancy=there), tmp_path, capsys)
    assert "occupancy is taken for the number of people; is it what people counted, or a sensor's?" in " ".join(
        said.split()
    )


def test_rows_whose_co2_is_not_believed_are_counted_by_the_other_sensors(
    made: pd.DataFrame, tmp_path: Path, capsys: Capture
) -> None:
    frame = made.drop(columns="people")
    frame.loc[frame.index >= 700, "office co2"] = frame["office co2"][700]
    table, said = counted(frame, tmp_path, capsys, "model.volume_m3=77")
    assert "health   office co2" in said
    assert "answered" not in table or table["answered"].mean() > 0.9


def test_an_hour_of_sensors_is_called_too_little(made: pd.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    _, said = counted(made.drop(columns="people").head(30), tmp_path, capsys)
    assert "less than a day: what is assumed decides more than what was seen" in said


@pytest.mark.parametrize(
    ("config", "content", "more", "told"),
    [
        ("best.yaml", "when,co2\n2024-01-01 00:00,400\n", (), "the model mixture has to be trained first"),
        ("room.yaml", "a,b\nx,y\n", (), "are lines of a schema file here: data.schema=FILE"),
        (
            "room.yaml",
            "when,humidity\n2024-01-01 00:00,40\n2024-01-01 00:01,41\n",
            (),
            "needs a column of kind co2, motion, sound",
        ),
        ("room.yaml", "when,co2\n2024-01-01 00:00,400\n", (), "expected two or more"),
        ("room.yaml", "when,co2\n2024-01-01 00:00,400\n", ("--fold", "1"), "goes with neither --fold nor --explain"),
        ("room.yaml", "when,co2\n2024-01-01 00:00,400\n", ("decision.loss=zero_one",), "set decision=null"),
        ("room.yaml", "when,co2\n2024-01-01 00:00,400\n", ("model.volum=3",), "did you mean model.volume_m3?"),
        ("room.yaml", "when,co2\n2024-01-01 00:00,400\n", ("--model", "x"), "not allowed with argument"),
    ],
)
def test_what_cannot_be_counted_so_is_refused_in_one_line(
    config: str, content: str, more: tuple[str, ...], told: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "log.csv").write_text(content)
    given = ("--config", str(ROOT / "configs" / config), "--csv", str(tmp_path / "log.csv"))
    assert call(predict.main, *given, "--out", str(tmp_path / "counts.csv"), *more) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert not (tmp_path / "counts.csv").exists()
