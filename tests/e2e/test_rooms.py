"""`python -m occupancy.train` and `tune` over a folder of rooms, as a user runs them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
from mlflow import MlflowClient

from occupancy.compare import main as compare
from occupancy.data.__main__ import main as data
from occupancy.execution.in_process import InProcess
from occupancy.execution.unit import Failure, OnShare, Outcome, Scores, Unit, carry_out, ignore
from occupancy.predict import main as predict
from occupancy.tracking.record import Record
from occupancy.train import main as train
from occupancy.tune import main as tune

pytestmark = [
    pytest.mark.usefixtures("no_drawing"),
    # MLflow asks SQLAlchemy for what SQLAlchemy is about to give up.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]

FOREST = "model: {name: random_forest, trees: 3}\ndata: {rooms: rooms, max_gap: 600}\n"
SEARCH = f"{FOREST}search: {{over: {{model.trees: [1, 3]}}}}\n"


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four simulated rooms, written as a user would."""
    folder = tmp_path_factory.mktemp("made")
    simulated = ["source=simulated", "simulation.days=2", "simulation.room.step_s=300"]
    assert data([*simulated, "--rooms", "4", "--out", str(folder / "rooms")]) == 0
    return folder / "rooms"


@pytest.fixture
def office(rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with these rooms, a config and a search."""
    (tmp_path / "rooms").mkdir()
    for path in rooms.iterdir():
        (tmp_path / "rooms" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "forest.yaml").write_text(FOREST)
    (tmp_path / "search.yaml").write_text(SEARCH)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stored(office: Path, new_store: Callable[[Path], str]) -> Path:
    """The working directory, with a store."""
    new_store(office / "mlflow.db")
    return office


class Watched(InProcess):
    """Carries units out in this process, and remembers them."""

    carried: ClassVar[list[Unit]] = []

    def execute(self, units: Sequence[Unit], on_share: OnShare = ignore) -> Generator[tuple[Unit, Outcome]]:
        for unit, outcome in super().execute(units, on_share):
            self.carried.append(unit)
            yield unit, outcome


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("occupancy.execution.in_process.InProcess", Watched)
    monkeypatch.setattr(Watched, "carried", [])


def store(folder: Path) -> str:
    """Return the address of a store by its whole path: MLflow keeps what a relative one first meant."""
    return f"sqlite:///{folder / 'mlflow.db'}"


def run(folder: Path, folds: str, *arguments: str) -> int:
    given = [f"data.folds={folds}", f"tracking.uri={store(folder)}", *arguments]
    return train(["--config", "forest.yaml", "--workers", "1", *given])


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    lines = [line for line in capsys.readouterr().out.splitlines() if line != "training forest: loading the log"]
    assert len(lines) == 1
    result: dict[str, Any] = json.loads(lines[0])
    return result


def children(folder: Path, parent: str) -> list[Any]:
    client = MlflowClient(store(folder))
    experiment = client.get_run(parent).info.experiment_id
    return list(client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent}'"))


def artifact(folder: Path, run_id: str, name: str) -> pd.DataFrame:
    client = MlflowClient(store(folder))
    return pd.read_csv(io.StringIO(Path(client.download_artifacts(run_id, name)).read_text()))


@pytest.mark.parametrize("folds", ["leave_rooms_out", "each_room"])
def test_an_explanation_of_many_rooms_is_left_out_with_a_word(
    office: Path, capsys: pytest.CaptureFixture[str], folds: str
) -> None:
    assert run(office, folds, "explanation={}", "--dry-run", "--json") == 0
    printed, said = capsys.readouterr()
    assert printed.count("\n") == 1
    assert "explanation: is only for the log of one room, so it is left out" in said


def test_one_model_over_all_rooms_is_tested_on_each_of_them(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(stored, "leave_rooms_out", "--json") == 0
    result = told(capsys)
    names = [f"room_{number}.csv" for number in range(1, 5)]
    assert [room["room"] for room in result["rooms"]] == names
    assert sorted(room["fold"] for room in result["rooms"]) == [1, 2, 3, 4]
    assert result["dataset"]["rows"] == sum(room["rows"] for room in result["rooms"]) == 4 * 576
    by_fold = {fold["fold"]: fold["metrics"]["mse"] for fold in result["folds"]}
    assert all(room["metrics"]["mse"] == by_fold[room["fold"]] for room in result["rooms"])
    assert artifact(stored, result["run_id"], "rooms.csv")["room"].tolist() == names
    runs = {child.data.tags["fold"]: child.info.run_id for child in children(stored, result["run_id"])}
    predictions = artifact(stored, runs["1"], "predictions.csv")
    room = next(room["room"] for room in result["rooms"] if room["fold"] == 1)
    assert set(predictions["room"]) == {room}
    original = pd.read_csv(stored / "rooms" / room)
    assert (pd.to_datetime(predictions["room_time"]) == pd.to_datetime(original["Date"] + " " + original["Time"])).all()


@pytest.mark.usefixtures("here")
def test_a_search_over_rooms_chooses_for_rooms_that_it_has_not_seen(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["data.folds=leave_rooms_out", f"tracking.uri={store(stored)}", "data.room_folds=2", "--workers", "1"]
    assert tune(["--config", "search.yaml", *given, "--json"]) == 0
    result = told(capsys)
    assert (result["trials"], result["failed"], len(result["nested"]["folds"])) == (2, [], 2)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("method", [[], ["search.method=adaptive", "search.trials=2"]])
def test_a_search_for_a_model_per_room_lets_each_room_choose_by_its_own_rows(
    stored: Path, capsys: pytest.CaptureFixture[str], method: list[str]
) -> None:
    given = ["--config", "search.yaml", "data.folds=each_room", f"tracking.uri={store(stored)}", "--workers", "1"]
    assert tune([*given, *method, "--json"]) == 0
    result = told(capsys)
    assert result["dataset"] == {"name": "rooms", "digest": result["dataset"]["digest"], "rows": None}
    rooms = [path.name for path in sorted((stored / "rooms").iterdir())]
    assert [one["room"] for one in result["nested"]["folds"]] == rooms
    validated = [unit for unit in Watched.carried if unit.scored == "validation"]
    assert {unit.source.number for unit in validated} == set(range(1, len(rooms) + 1))
    for number, one in enumerate(result["nested"]["folds"], start=1):
        own = [carry_out(unit) for unit in validated if unit.source.number == number]
        assert one["validation"] == min(outcome.metrics["mse"] for outcome in own if isinstance(outcome, Scores))
    if method:  # to try each room's choice on all others would grow with their square
        assert result["shared"] is None
    else:
        assert result["shared"]["optimistic"] is False  # no room's validation rows are another's test


@pytest.mark.usefixtures("here")
def test_a_search_for_a_model_per_room_names_a_room_that_is_broken(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stored / "rooms" / "broken.csv").write_text("Date,Time\n1,2\n")
    given = ["--config", "search.yaml", "data.folds=each_room", f"tracking.uri={store(stored)}", "--workers", "1"]
    assert tune(given) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(r"none of 2 trials gave a score; the first: .*rooms/broken\.csv: missing column", error)


def test_a_model_per_room_has_a_run_for_each_room_and_goes_on_where_a_room_is_broken(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stored / "rooms" / "broken.csv").write_text("Date,Time\n1,2\n")
    assert run(stored, "each_room", "--json") == 0
    result = told(capsys)
    rooms = {room["room"]: room for room in result["rooms"]}
    assert re.match(r".*rooms/broken\.csv: missing column", rooms.pop("broken.csv")["error"])
    mse = pd.Series({name: room["metrics"]["mse"] for name, room in rooms.items()})
    expected = {"mse_avg": mse.mean(), "mse_std": mse.std(ddof=0), "mse_median": mse.median(), "mse_worst": mse.max()}
    assert {key: result["metrics"][key] for key in expected} == pytest.approx(expected)
    runs = {child.data.tags["room"]: child for child in children(stored, result["run_id"])}
    assert runs.pop("broken.csv").info.status == "FAILED"
    assert {name: child.data.metrics["mse"] for name, child in runs.items()} == dict(mse)
    table = artifact(stored, result["run_id"], "rooms.csv")
    assert table["room"].tolist() == ["broken.csv", *sorted(rooms)]


@pytest.mark.usefixtures("here")
def test_a_model_per_room_is_taken_up_where_it_was_stopped(
    stored: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    (stored / "rooms" / "room_1.csv").write_text("broken")
    with monkeypatch.context() as patch:
        patch.setattr(Record, "summarize", stop)
        with pytest.raises(KeyboardInterrupt):
            run(stored, "each_room")
    (stopped,) = MlflowClient(store(stored)).search_runs(["1"], "attributes.status = 'KILLED'")
    assert len(Watched.carried) == 4
    assert run(stored, "each_room", "--json") == 0
    assert len(Watched.carried) == 5  # what had failed is tried again
    result = told(capsys)
    assert result["run_id"] == stopped.info.run_id
    assert [room["rows"] for room in result["rooms"]] == [0, 230, 230, 230]
    statuses = {child.data.tags["room"]: child.info.status for child in children(stored, result["run_id"])}
    assert list(statuses.values()).count("FINISHED") == 3
    assert statuses["room_1.csv"] == "FAILED"
    assert len(children(stored, result["run_id"])) == 4

    assert run(stored, "each_room") == 0
    assert len(Watched.carried) == 9  # what is finished is done anew
    shown = capsys.readouterr().out
    assert "failed   room_1.csv: " in shown
    assert stopped.info.run_id not in shown


@pytest.mark.usefixtures("here")
def test_what_is_run_anew_after_it_was_finished_is_taken_up_too(
    stored: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    assert run(stored, "each_room", "--json") == 0
    finished = told(capsys)["run_id"]
    with monkeypatch.context() as patch:
        patch.setattr(Record, "summarize", stop)
        with pytest.raises(KeyboardInterrupt):
            run(stored, "each_room")
    assert len(Watched.carried) == 8
    assert run(stored, "each_room", "--json") == 0
    assert len(Watched.carried) == 8
    anew = told(capsys)["run_id"]
    assert anew != finished
    MlflowClient(store(stored)).update_run(anew, "RUNNING")
    assert run(stored, "each_room") == 2  # nobody knows that its process is gone: it is this one
    assert f"run {anew} is this very command, under way" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_room_that_failed_once_and_then_gave_scores_has_one_run_without_an_error(
    stored: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Watched, "execute", lambda _, units, _told: ((unit, Failure("it died")) for unit in units))
        assert run(stored, "each_room") == 2
    assert run(stored, "each_room", "--json") == 0
    runs = children(stored, told(capsys)["run_id"])
    assert [child.info.status for child in runs] == 4 * ["FINISHED"]
    assert not any("error" in child.data.tags for child in runs)


@pytest.mark.usefixtures("here")
def test_what_wants_a_model_or_predictions_is_told_that_a_model_per_room_keeps_scores(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(stored, "each_room", "--json") == 0
    run_id = told(capsys)["run_id"]
    tracked = f"tracking.uri={store(stored)}"
    assert compare(["data.folds=each_room", tracked]) == 2
    said = capsys.readouterr().err
    assert f"{run_id}: has a model per room, of which scores alone are kept, in the run's rooms.csv; to compare" in said
    assert said.endswith("; to compare models over rooms, train and compare them with data.folds=leave_rooms_out\n")
    for asked in (run_id, children(stored, run_id)[0].info.run_id):
        assert predict(["--run", asked, "--csv", "rooms/room_1.csv", tracked]) == 2
        said = capsys.readouterr().err
        assert "holds no model: of a model per room, scores alone are kept" in said
        assert f"in rooms.csv of run {run_id}; for a model, train a room by data.source" in said
        assert said.count("\n") == 1


@pytest.mark.usefixtures("here")
def test_no_room_that_works_is_a_mistake(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (stored / "rooms").iterdir():
        path.write_text("Date,Time\n1,2\n")
    assert run(stored, "each_room") == 2
    assert "none of 4 rooms gave a score; the first: " in capsys.readouterr().err


@pytest.mark.parametrize("folds", ["leave_rooms_out", "each_room"])
def test_a_dry_run_says_what_there_is_and_records_nothing(
    office: Path, capsys: pytest.CaptureFixture[str], folds: str
) -> None:
    assert run(office, folds, "--dry-run", "--json") == 0
    plan = told(capsys)
    assert plan["dataset"]["rows"] == 4 * 576
    if folds == "each_room":
        assert plan["rooms"][0] == {"room": "room_1.csv", "train": 260, "validation": 86, "test": 230}
    else:
        assert [len(part["rooms"]) for part in plan["folds"][:3]] == [2, 1, 1]
    assert run(office, folds, "--dry-run") == 0
    assert "rooms" in capsys.readouterr().out
    assert not (office / "mlflow.db").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rooms", "2", "source=simulated"], "--rooms: got 2 without a folder"),
        (["--out", "here.csv"], "--out: got source=auto"),
        (
            ["--out", "rooms", "source=simulated", "simulation.days=1"],
            "--out: got rooms, expected a name",
        ),
        (["rooms=rooms", "folds=each_room"], "data.rooms: got 'rooms', but this command reads one log"),
    ],
)
def test_what_the_data_command_can_not_do_with_rooms_is_said_in_one_line(
    office: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert data(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_written_log_is_the_simulated_one(office: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulated = ["source=simulated", "simulation.days=1"]
    assert data([*simulated, "--out", "room.csv"]) == 0
    assert capsys.readouterr().out == "wrote    room.csv\n"
    digests = []
    for source in (simulated, ["source=room.csv"]):
        assert data([*source, "--json"]) == 0
        digests.append(told(capsys)["digest"])
    assert digests[0] == digests[1]
