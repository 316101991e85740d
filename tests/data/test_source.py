from __future__ import annotations

import re
import shutil
import socket
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from occupancy.config import Data, Room, Simulation
from occupancy.data import download
from occupancy.data.download import UCI_FILE, Unreachable
from occupancy.data.log import Log
from occupancy.data.schema import UCI
from occupancy.data.source import open_log
from occupancy.errors import InputError, InputWarning

QUICK = Simulation(days=1, room=Room(step_s=120.0))


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start in an empty folder, with no other named, and with a server that is down."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("OCCUPANCY_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setattr(download, "ADDRESSES", (f"http://127.0.0.1:{port}/{UCI_FILE}",))


def put(path: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(path, folder / UCI_FILE))


@pytest.mark.parametrize("source", ["uci", "auto"])
def test_the_real_log_is_found_in_the_folder_that_the_environment_names(
    uci_log: Log, uci_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    put(uci_path, tmp_path / "elsewhere")
    monkeypatch.setenv("OCCUPANCY_DATA_DIR", str(tmp_path / "elsewhere"))
    log, settings = open_log(Data(source=source))
    assert (log.name, log.family, log.digest) == ("uci", "uci", uci_log.digest)
    assert settings == Data(source="uci")


@pytest.mark.parametrize("source", ["uci", "auto"])
def test_the_real_log_is_found_in_data(uci_log: Log, uci_path: Path, tmp_path: Path, source: str) -> None:
    put(uci_path, tmp_path / "data")
    log, settings = open_log(Data(source=source, folds="blocked"))
    assert log.digest == uci_log.digest
    assert (settings.source, settings.folds) == ("uci", "blocked")


def test_settings_reach_the_gate(uci_path: Path, tmp_path: Path) -> None:
    put(uci_path, tmp_path / "data")
    assert open_log(Data(source="uci", max_gap=60.0))[0].max_gap == 60.0
    with pytest.raises(InputError, match=r"count above data.max_count \(694\): row .* raise data.max_count$"):
        open_log(Data(source="uci", max_count=2))


def test_the_simulator_stands_in_for_a_log_that_is_nowhere_and_says_so(tmp_path: Path) -> None:
    with pytest.warns(InputWarning) as caught:
        log, settings = open_log(Data(simulation=QUICK, max_gap=600.0))
    said = str(caught[0].message)
    assert len(caught) == 1
    assert said.startswith(
        "THIS LOG IS SIMULATED, it is not the UCI log; its folds are 'simulated' instead of 'forward'. "
        f"could not download {UCI_FILE} ({download.ADDRESSES[0]}: no connection); put the file into data/"
    )
    assert (log.name, log.family) == ("simulated", "simulated")
    assert settings == Data(source="simulated", folds="simulated", simulation=QUICK, max_gap=600.0)
    assert list(tmp_path.iterdir()) == []


def test_the_real_log_that_is_nowhere_is_refused_where_it_was_asked_for() -> None:
    with pytest.raises(Unreachable, match=f"^could not download {UCI_FILE} .*: no connection"):
        open_log(Data(source="uci"))


@pytest.mark.parametrize("source", ["uci", "auto"])
def test_a_file_with_other_content_is_refused_and_not_replaced_by_the_simulator(tmp_path: Path, source: str) -> None:
    path = tmp_path / "data" / UCI_FILE
    path.parent.mkdir()
    path.write_text("Date,Time\n")
    with pytest.raises(
        InputError, match=f"^data/{UCI_FILE} is not the UCI log: its sha256 is [0-9a-f]{{64}}, expected"
    ):
        open_log(Data(source=source))
    assert path.read_text() == "Date,Time\n"


def test_a_csv_is_read_from_its_path_and_named_after_its_file(uci_log: Log, uci_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "my room.csv"
    path.write_text("".join(uci_path.read_text().splitlines(keepends=True)[:101]))
    asked = Data(source=str(path))
    log, settings = open_log(asked)
    assert settings == asked
    assert (log.name, log.family) == ("my room.csv", "uci")
    pd.testing.assert_frame_equal(log.frame, uci_log.frame[:100])


def test_a_csv_is_read_by_the_schema_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "office.yaml").write_text(
        "name: office\ntime: [at]\ntime_format: '%Y-%m-%d %H:%M'\ncount: heads\n"
        "columns: [{name: air, kind: co2, unit: ppm}]\n"
    )
    (tmp_path / "office.csv").write_text("at,air,heads\n2024-01-01 10:00,400,7\n")
    log, _ = open_log(Data(source="office.csv", schema="office.yaml", max_count=7))
    assert (log.family, log.frame["heads"].tolist()) == ("office", [7])


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("ucl", "; did you mean uci?"),
        ("simulate", "; did you mean simulated?"),
        ("Auto", "; did you mean auto?"),
        ("my/room.csv", ""),
        (".", ""),
    ],
)
def test_a_source_that_is_none_is_refused_with_the_nearest_name(source: str, hint: str) -> None:
    said = f"data.source: got {source!r}, expected auto, uci, simulated or the path of a CSV file{hint}"
    with pytest.raises(InputError, match=f"^{re.escape(said)}$"):
        open_log(Data(source=source))


def test_a_simulated_log_looks_like_one_that_came_through_the_gate() -> None:
    asked = Data(source="simulated", simulation=QUICK)
    log, settings = open_log(asked)
    assert settings == asked
    assert list(log.frame.columns) == [*UCI.sensors, UCI.count]
    assert log.frame[UCI.count].dtype == np.int64
    assert log.missing.shape == (720, 16)
    assert not log.missing.to_numpy().any()
    assert (log.name, log.family, log.schema, log.max_gap) == ("simulated", "simulated", UCI, 120.0)


def test_a_simulated_room_for_more_people_than_the_settings_count_is_refused() -> None:
    crowd = Simulation(days=1, room=Room(max_people=5, attendance=1.0))
    said = r"^data.max_count: got 3, but the simulated room holds up to [45] people; raise it, or lower data.simulation"
    with pytest.raises(InputError, match=said):
        open_log(Data(source="simulated", simulation=crowd))
    log, _ = open_log(Data(source="simulated", simulation=crowd, max_count=5))
    assert log.frame[UCI.count].max() > 3


def test_simulated_logs_have_equal_digests_for_equal_seeds() -> None:
    def digest(seed: int) -> str:
        return open_log(Data(source="simulated", simulation=Simulation(days=1, seed=seed)))[0].digest

    assert digest(0) == digest(0)
    assert digest(0) != digest(1)
