"""`occupancy predict` as a user types it, in processes of its own."""

from __future__ import annotations

import io
import resource
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.e2e.predict.home import COLUMNS, NO_SUCH_RUN, Home, snapshot

pytestmark = [
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]


def run_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "occupancy.predict", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_beside_the_store_a_run_and_a_log_are_all_it_takes(home: Home) -> None:
    before = snapshot(home.folder)
    asked = run_command(home.folder, "--run", home.run, "--csv", "log.csv")
    assert asked.returncode == 0
    table = pd.read_csv(io.StringIO(asked.stdout))
    assert list(table.columns) == [*COLUMNS, "health"]
    assert len(table) == 864
    model, remark, unused, history, scores, wrote, found = asked.stderr.splitlines()
    assert model == "model    smoke-fold-2 (trained on 576 labelled rows of simulated)"
    assert remark == (
        f"note     run {home.run} in sqlite:///mlflow.db has no final model; this is the one of its last fold, 2; "
        "--fold takes another"
    )
    assert unused == "note     not used: S1_Light, S2_Light, S3_Light, S4_Light, S5_CO2_Slope"
    assert history.startswith("note     the model looks back 1962.5 s (history_s); 7 of 864 rows, at the start of a")
    assert scores.startswith("note     against Room_Occupancy_Count: mse ")
    assert wrote == "wrote    standard output (864 rows)"
    occupied = 5 * (table["count"] > 0).sum() / 60
    assert found == f"found    {occupied:.1f} of 72.0 hours occupied, at most {table['count'].max()} people"
    assert snapshot(home.folder) == before


def imported(errors: str) -> set[str]:
    """Return the packages that `-X importtime` tells of."""
    lines = [line for line in errors.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "importtime", "-m", "occupancy.predict", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_help_answers_within_a_second_and_without_torch(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    asked = ask(tmp_path, "--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
    assert asked.returncode == 0
    assert "usage: occupancy predict" in asked.stdout
    for name in ("--run", "--model", "--fold", "--csv", "--format", "--out", "KEY=VALUE", "data.time_format"):
        assert name in asked.stdout
    assert "rich" in imported(asked.stderr), "the list of imports is empty"
    assert not imported(asked.stderr) & {"torch", "pytorch_lightning", "mlflow", "pandas", "numpy", "matplotlib"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["data.max_misssing=3"], "data.max_misssing is unknown; did you mean data.max_missing?"),
        (["--out", "room.txt"], "--out: got room.txt"),
        ([], "none.csv: cannot be read (No such file or directory)"),
    ],
    ids=["key", "ending", "log"],
)
def test_a_mistake_is_answered_without_waiting_for_torch(tmp_path: Path, arguments: list[str], text: str) -> None:
    asked = ask(tmp_path, "--run", NO_SUCH_RUN, "--csv", "none.csv", *arguments)
    said = [line for line in asked.stderr.splitlines() if not line.startswith("import time:")]
    assert asked.returncode == 2
    assert len(said) == 1
    assert text in said[0]
    assert not imported(asked.stderr) & {"torch", "pytorch_lightning", "mlflow"}
