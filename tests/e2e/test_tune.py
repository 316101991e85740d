"""`occupancy tune` as a user runs it: stopped in every way, and taken up again."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import psutil
import pytest

from occupancy.errors import Interrupted
from occupancy.execution.in_process import InProcess
from occupancy.execution.unit import OnShare, Outcome, Unit, ignore
from occupancy.tune import main
from tests.places import ROOT

PATIENCE_S = 240.0
SEARCH = f"""
data:
  source: simulated
  folds: {ROOT / "tests" / "e2e" / "two_folds.yaml"}
  max_gap: 600
  simulation: {{days: 3, room: {{step_s: 300}}}}
model: {{name: lstm, window: 3, layers: 1, hidden: 4}}
train: {{max_epochs: 2, members: 1, batch_size: 256, device: cpu}}
search:
  over:
    model.window: [1, 2, 4]
    train.learning_rate: [1e-3, 1e-1]
"""
FOREST = f"""{SEARCH.partition("model:")[0]}
model: {{name: random_forest, trees: 2}}
search:
  over:
    model.min_samples_leaf: [1, 5, 20]
    model.trees: [1, 2]
"""
"""Seeded as a network is, but processes of a pool import neither torch nor Lightning for it, which takes longest."""
TRIALS, FOLDS = 6, 2
ADAPTIVE = (
    SEARCH.partition("search:")[0]
    + """
search:
  method: adaptive
  metric: mse_mean
  trials: 4
  batch: 2
  over:
    model.window: {low: 1, high: 4}
    train.learning_rate: {low: 1e-4, high: 1e-1, log: true}
"""
)

pytestmark = [
    pytest.mark.usefixtures("no_drawing"),
    # MLflow asks SQLAlchemy for what SQLAlchemy is about to give up.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]


Ended = tuple[int, str, str]
"""Exit code, standard output and standard error of a command."""


class Stopping(InProcess):
    """Carries units out in this process, until the user stops it.

    Attributes:
        left: how many units are still carried out before that.
    """

    left: ClassVar[int] = 0

    def execute(self, units: Sequence[Unit], on_share: OnShare = ignore) -> Generator[tuple[Unit, Outcome]]:
        for carried in super().execute(units, on_share):
            if Stopping.left == 0:
                raise Interrupted
            Stopping.left -= 1
            yield carried


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "occupancy.tune", "--config", str(prepared(folder, FOREST)), *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def prepared(folder: Path, search: str) -> Path:
    """Return the file of a search in a folder, which is made."""
    folder.mkdir(exist_ok=True)
    (folder / "quick.yaml").write_text(search)
    return folder / "quick.yaml"


def call(folder: Path, search: str, stop_after: int | None = None) -> Ended:
    """Run the command in this process, which spares it the imports, and stop it after some units."""
    arguments = ["--config", str(prepared(folder, search)), store_in(folder), "--json", "--workers", "1"]
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(io.StringIO()) as output,
        contextlib.redirect_stderr(io.StringIO()) as errors,
    ):
        if stop_after is not None:
            patch.setattr(Stopping, "left", stop_after)
            patch.setattr("occupancy.execution.in_process.InProcess", Stopping)
        code = main(arguments)
    return code, output.getvalue(), errors.getvalue()


def store_in(folder: Path) -> str:
    """Return the override that names a store by its whole path: MLflow keeps what a relative one first meant."""
    return f"tracking.uri=sqlite:///{folder / 'mlflow.db'}"


def ask(folder: Path, question: str) -> list[Any]:
    path = folder / "mlflow.db"
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(question).fetchall()


def finished(folder: Path) -> list[str]:
    """Return the key of each unit that is recorded as finished."""
    done = "select value from tags join runs using (run_uuid) where key = 'unit_key' and status = 'FINISHED'"
    return [key for (key,) in ask(folder, done)]


def wait_for(folder: Path, units: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len(finished(folder)) < units:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


@dataclass
class Told:
    """What became of one search that was let be, and of the same one that was stopped four times."""

    folder: Path
    whole: Ended = (-1, "", "")
    recorded: list[int] = field(default_factory=list)
    interrupted: list[Ended] = field(default_factory=list)
    orphans: list[psutil.Process] = field(default_factory=list)
    resumed: Ended = (-1, "", "")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, new_store: Callable[[Path], str]) -> Told:
    """A search that is killed and one that is interrupted, each with two processes of its own; the rest runs here."""
    whole, folder = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("stopped")
    new_store(whole / "mlflow.db")
    told = Told(folder)
    for units, number in ((1, signal.SIGKILL), (5, signal.SIGINT)):
        process = start(folder, store_in(folder), "--json", "--workers", "2")
        wait_for(folder, units, process)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        output, errors = process.communicate(timeout=PATIENCE_S)
        if number == signal.SIGINT:
            told.interrupted.append((process.returncode, output, errors))
        told.recorded.append(len(finished(folder)))
        _, alive = psutil.wait_procs(children, timeout=20)
        told.orphans += alive
    for units in (1, TRIALS * FOLDS + 1 - told.recorded[-1]):  # while settings are tried, and while choices are tested
        told.interrupted.append(call(folder, FOREST, stop_after=units))
        told.recorded.append(len(finished(folder)))
    told.resumed = call(folder, FOREST)
    told.whole = call(whole, FOREST)
    return told


def result(ended: Ended) -> dict[str, Any]:
    code, output, errors = ended
    assert (code, errors) == (0, "")
    assert output.count("\n") == 1
    tree: dict[str, Any] = json.loads(output)
    del tree["run_id"]
    return tree


def test_stopped_four_times_and_with_fewer_processes_it_gives_the_same_to_the_last_digit(told: Told) -> None:
    assert result(told.resumed) == result(told.whole)


def test_what_was_recorded_is_not_done_again(told: Told) -> None:
    assert 1 <= told.recorded[0] < told.recorded[1] < told.recorded[2] < TRIALS * FOLDS < told.recorded[3]
    keys = finished(told.folder)
    nested = ask(told.folder, "select run_uuid from tags where key = 'group' and value in ('nested', 'shared')")
    assert len(set(keys)) <= TRIALS * FOLDS + 2 * FOLDS
    assert len(keys) == TRIALS * FOLDS + len(nested) - 2  # each once in its place: none beside the two groups' own runs


def test_a_stopped_search_leaves_no_process_behind(told: Told) -> None:
    assert told.orphans == []


def test_ctrl_c_is_one_line_and_exit_code_130(told: Told) -> None:
    said = "occupancy tune: interrupted; what was recorded so far is kept\n"
    assert told.interrupted == [(130, "", said)] * 3


def test_the_record_is_one_parent_with_trials_and_folds_that_all_ended_well(told: Told) -> None:
    runs = ask(told.folder, "select name, status, run_uuid from runs")
    names = [name for name, *_ in runs]
    assert names.count("quick") == 1
    assert sorted(name for name in names if name.startswith("trial")) == [f"trial {n}" for n in range(1, TRIALS + 1)]
    assert {status for _, status, _ in runs} == {"FINISHED"}
    experiments = {name for (name,) in ask(told.folder, "select name from experiments")}
    assert experiments == {"Default", "occupancy-search"}  # beside the experiments that compare reads


def test_the_record_holds_the_search_and_its_figures(told: Told) -> None:
    ((uri,),) = ask(told.folder, "select artifact_uri from runs where name = 'quick'")
    held = {path.name for path in Path(unquote(urlsplit(uri).path)).rglob("*") if path.is_file()}
    assert held == {"search.yaml", "boxes.png", "parallel.png", "importance.png"}


def test_each_fold_is_tested_with_its_own_choice_and_the_shared_one_is_tagged(told: Told) -> None:
    tree = result(told.whole)
    scored = (
        "select t.value, f.value, m.value from metrics m join tags t using (run_uuid) join tags f using (run_uuid) "
        "where m.key = 'validation_mse' and t.key = 'group' and f.key = 'fold'"
    )
    scores = {(int(group.split()[1]), int(fold)): mse for group, fold, mse in ask(told.folder, scored)}
    assert len(scores) == TRIALS * FOLDS
    for one in tree["nested"]["folds"]:
        of_fold = {trial: mse for (trial, fold), mse in scores.items() if fold == one["fold"]}
        assert one["trial"] == min(of_fold, key=lambda trial: (of_fold[trial], trial))
        assert one["validation"] == of_fold[one["trial"]]
    means = {trial: (scores[trial, 1] + scores[trial, 2]) / 2 for trial, _ in scores}
    assert {one["trial"] for one in tree["shared"]["folds"]} == {min(means, key=lambda trial: (means[trial], trial))}
    assert (tree["shared"]["selection"], tree["shared"]["optimistic"]) == ("shared", True)
    tagged = "select name, value from tags join runs using (run_uuid) where key = 'selection'"
    assert set(ask(told.folder, tagged)) == {("nested", "nested"), ("shared", "shared"), ("quick", "nested")}


def test_a_finished_search_is_told_again_and_not_run_again(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    before = len(ask(told.folder, "select 1 from runs"))
    again_and_again = ["--config", str(told.folder / "quick.yaml"), store_in(told.folder)]
    assert main([*again_and_again, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert main(again_and_again) == 0
    table = capsys.readouterr().out
    assert again == json.loads(told.resumed[1])
    assert "this search was finished before; nothing was run" in table
    assert "shared   optimistic: one setting for all folds, chosen on validation rows that other folds test" in table
    assert len(ask(told.folder, "select 1 from runs")) == before


def test_an_adaptive_search_that_was_stopped_gives_the_same_as_one_that_was_let_be(tmp_path: Path) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "stopped"
    assert call(folder, ADAPTIVE, stop_after=5)[0] == 130  # the second proposals of each fold have begun
    before = finished(folder)
    resumed = result(call(folder, ADAPTIVE))
    assert resumed == result(call(whole, ADAPTIVE))
    assert len(before) == 5
    assert {*before} < {*finished(folder)}
    assert {status for (status,) in ask(folder, "select status from runs")} == {"FINISHED"}
    names = [name for (name,) in ask(folder, "select name from runs")]
    assert sum(name.startswith("fold") and "trial" in name for name in names) == 4 * FOLDS
    ((uri,),) = ask(folder, "select artifact_uri from runs where name = 'quick'")
    held = {path.name for path in Path(unquote(urlsplit(uri).path)).rglob("*") if path.is_file()}
    assert held == {"search.yaml", "boxes.png", "parallel.png", "importance.png"}


def test_a_comparison_does_not_take_trials_for_experiments(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    from occupancy.compare import main as compare

    assert compare([store_in(told.folder), "data.folds=two_folds"]) == 2
    assert f"got 'occupancy', which sqlite:///{told.folder / 'mlflow.db'} does not hold" in capsys.readouterr().err


def test_a_dry_run_says_how_much_there_is_to_do_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quick.yaml").write_text(SEARCH)
    assert main(["--config", "quick.yaml", "--dry-run"]) == 0
    assert "6 trials x 2 folds = 12 fits" in " ".join(capsys.readouterr().out.split())
    assert main(["--config", "quick.yaml", "--dry-run", "--json"]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert (tree["trials"], tree["units"], tree["tests"]) == (6, 12, 4)
    assert main(["--config", "quick.yaml", "--dry-run", "--cluster", "tcp://127.0.0.1:1"]) == 0  # nobody listens there
    assert [path.name for path in tmp_path.iterdir()] == ["quick.yaml"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "required: --config"),
        (
            ["--config", "quick.yaml", "search.over.model.hiden=[4]"],
            "unknown key model.hiden; did you mean model.hidden?",
        ),
        (["--config", "quick.yaml", "--workers", "0"], "--workers: got '0', expected a whole number from 1 to 100,000"),
        (["--config", str(ROOT / "configs" / "smoke.yaml")], "has no section search"),
        (["--config", "quick.yaml", "search.over.features=[no_light,[other]]"], "features: got ['other'], but the log"),
    ],
)
def test_a_mistake_is_one_line_exit_code_2_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quick.yaml").write_text(SEARCH)
    with contextlib.suppress(SystemExit):
        assert main(arguments) == 2
    output, errors = capsys.readouterr()
    assert output in {"", "searching quick: loading the log\n"}
    assert errors.count("\n") == 1
    assert text in errors
    assert [path.name for path in tmp_path.iterdir()] == ["quick.yaml"]


def test_without_optuna_it_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("occupancy.tune.find_spec", lambda _name: None)
    assert main(["--config", "quick.yaml"]) == 2
    assert capsys.readouterr().err.endswith("which a search needs; pip install occupancy[tune]\n")


def test_help_answers_without_torch(tmp_path: Path) -> None:
    asked = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "occupancy.tune", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "usage: occupancy tune" in asked.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in asked.stderr.splitlines()}
    assert "rich" in imported
    assert not imported & {"torch", "mlflow", "pandas", "numpy", "joblib", "dask", "distributed"}
