"""Setup on exports of six tools: columns, values, folds and config, up to a training that starts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from occupancy.__main__ import main
from occupancy.config.parsing import parse_overrides, resolve
from occupancy.errors import InputError
from occupancy.setup.answers import Answers
from occupancy.setup.look import look
from tests.setup.exports import MAKERS, SHAPES, Export, exports, grafana, wrong_columns


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(tmp_path)


def answers(*texts: str) -> Answers:
    return resolve(Answers, {}, "test", parse_overrides(texts))


@pytest.mark.parametrize("number", SHAPES)
def test_an_export_of_a_tool_is_understood_and_read_with_the_counts_it_holds(number: int, tmp_path: Path) -> None:
    export = next(exports([number]))
    found = look(export.write(tmp_path), answers(*export.answers), "room")
    assert wrong_columns(found.columns, export.truth) == []
    counts = found.log.frame[found.schema.count]
    counts = counts[counts.notna()]
    true = export.people.reindex(export.people.index.union(counts.index)).ffill().reindex(counts.index)
    assert len(counts) >= 0.9 * len(export.people)
    assert np.mean(counts.to_numpy() == true.to_numpy()) > 0.98
    assert found.folds


def test_there_are_twenty_exports_of_six_tools() -> None:
    assert len(MAKERS) == 20
    assert len({export.tool for export in exports(SHAPES)}) == 6


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Export]:
    export = grafana(1)
    (path,) = export.write(tmp_path_factory.mktemp("office"))
    return path, export


def test_training_starts_from_the_three_files_with_no_edit(
    office: tuple[Path, Export], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["setup", str(office[0]), "--out", "room", "volume_m3=77"]) == 0
    assert "next     occupancy train --config room/config.yaml" in capsys.readouterr().out
    assert sorted(path.name for path in Path("room").iterdir()) == ["config.yaml", "folds.yaml", "schema.yaml"]
    assert main(["train", "--config", "room/config.yaml", "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["config"]["name"] == "room"
    assert next(member["name"] for member in plan["config"]["model"]["members"]) == "mass_balance"


def test_without_a_folder_it_only_shows(
    office: tuple[Path, Export], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["setup", str(office[0])]) == 0
    shown = capsys.readouterr().out
    assert "nothing is written; add --out FOLDER" in shown
    assert max(map(len, shown.splitlines())) <= 80
    for word in ("Office CO₂ (ppm)", "left out", "step", "time zone", "people", "holes", "model", "check:"):
        assert word in shown
    assert not list(Path.cwd().iterdir())


def test_files_of_an_earlier_setup_are_replaced_only_when_asked(
    office: tuple[Path, Export], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("room").mkdir()
    Path("room/config.yaml").write_text("mine")
    assert main(["setup", str(office[0]), "--out", "room"]) == 2
    assert "config.yaml is there already; name another folder, or replace it with --force" in capsys.readouterr().err
    assert Path("room/config.yaml").read_text() == "mine"
    assert main(["setup", str(office[0]), "--out", "room", "--force"]) == 0
    assert Path("room/config.yaml").read_text() != "mine"


def test_json_is_one_line_with_every_column(office: tuple[Path, Export], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", str(office[0]), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    tree = json.loads(line)
    assert next(column["name"] for column in tree["columns"]) == "Time"
    assert tree["wrote"] == []


def test_what_the_user_tells_is_taken(office: tuple[Path, Export]) -> None:
    found = look([office[0]], answers("count=PIR", "ignore=[WiFi*]", "keep=Outdoor*", "max_count=12+"), "room")
    roles = {column.name: column.role for column in found.columns}
    assert roles["PIR"] == "count"
    assert roles["WiFi clients"] == "ignored"
    assert roles["Outdoor temperature (°C)"] == "sensor"
    assert roles["People"] == "ignored"
    assert found.data["max_count"] == "12+"


def test_a_key_is_taken_as_notes_of_training_name_it(
    office: tuple[Path, Export], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["setup", str(office[0]), "data.time_zone=Asia/Tokyo", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["time_zone"] == "Asia/Tokyo"


def test_a_key_that_is_no_answer_is_refused_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", "a.csv", "timezone=UTC"]) == 2
    assert "did you mean time_zone?" in capsys.readouterr().err
    assert main(["setup", "time_zone=Europe/Berlin"]) == 2
    assert "got no file" in capsys.readouterr().err


def test_odd_columns_are_left_out_and_several_sensors_of_a_kind_are_kept(tmp_path: Path) -> None:
    export = grafana(2)
    table = pd.read_csv(export.write(tmp_path)[0])
    table.insert(0, "", range(1, len(table) + 1))
    table["room_id"] = "R-4.12"
    table["fw"] = 3
    table["CO2 desk"] = table["Office CO₂ (ppm)"] + 12
    table["People"] = table["People"].astype(float)
    table.to_csv("odd.csv", index=False)
    found = look([Path("odd.csv")], answers(), "room")
    assert [column.name for column in found.schema.of_kind("co2")] == ["Office CO₂ (ppm)", "CO2 desk"]
    assert {"room_id", "fw"} <= {column.name for column in found.columns if column.role == "ignored"}


def test_rows_of_several_rooms_are_refused_with_what_to_do(tmp_path: Path) -> None:
    tables = [pd.read_csv(grafana(seed).write(tmp_path / str(seed))[0]).assign(room=f"R{seed}") for seed in (1, 2)]
    pd.concat(tables).sort_values("Time").to_csv("rooms.csv", index=False)
    with pytest.raises(InputError, match=r"rows of several rooms.*column room: R1, R2.*a file each"):
        look([Path("rooms.csv")], answers(), "room")
