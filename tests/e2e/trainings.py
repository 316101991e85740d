"""Small trainings for the tests of ``occupancy train``, and what a store holds of them."""

from __future__ import annotations

import contextlib
import io
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from occupancy.train import main
from tests.places import ROOT

CONFIGS = ROOT / "configs"
SMOKE = CONFIGS / "smoke.yaml"
SMALL_LOG = (
    "data.source=simulated",
    f"data.folds={ROOT / 'tests' / 'e2e' / 'two_folds.yaml'}",
    "data.simulation.days=3",
    "data.simulation.room.step_s=300",
    "data.max_gap=600",
)
TINY = (*SMALL_LOG, "train.max_epochs=1", "train.members=1", "train.batch_size=256")

FEWER = {"trees": 5, "rounds": 3, "samples": 4, "mc_samples": 2}
"""At most so many: what is added up, which takes most of the time and runs the same code each time."""

Ended = tuple[int, str, str]
"""Exit code, standard output and standard error of a command."""


@dataclass
class Runs:
    """What a store holds: for each run its name, status and tags."""

    path: Path
    names: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    with_dataset: set[str] = field(default_factory=set)

    def of(self, pid: int) -> dict[str, str]:
        """Return the status of each run of a process by the run's name."""
        mine = [run for run, tags in self.tags.items() if tags.get("pid") == str(pid)]
        return {self.names[run]: self.statuses[run] for run in mine}


def read_runs(path: Path) -> Runs:
    found = Runs(path)
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=30)) as connection:
        for run, name, status in connection.execute("select run_uuid, name, status from runs"):
            found.names[run], found.statuses[run], found.tags[run] = name, status, {}
        for run, key, value in connection.execute("select run_uuid, key, value from tags"):
            found.tags.setdefault(run, {})[key] = value
        found.with_dataset = {run for (run,) in connection.execute("select destination_id from inputs")}
    return found


def call(*arguments: str) -> int:
    """Return the exit code of the command run in this process, which spares it the imports."""
    try:
        return main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)


def captured(*arguments: str) -> Ended:
    """Return what the command gives if it is run in this process."""
    with (
        contextlib.redirect_stdout(io.StringIO()) as output,
        contextlib.redirect_stderr(io.StringIO()) as errors,
    ):
        code = call(*arguments)
    return code, output.getvalue(), errors.getvalue()


def briefly(setting: Any) -> Any:
    """Return settings of a model with fewer trees, rounds and samples, where it has any."""
    if isinstance(setting, list):
        return [briefly(one) for one in setting]
    if not isinstance(setting, dict):
        return setting
    return {key: min(value, FEWER[key]) if key in FEWER else briefly(value) for key, value in setting.items()}


def write_brief(config: Path, folder: Path) -> Path:
    """Return the file in a folder, of the same name, of a config whose model is so short."""
    given, brief = yaml.safe_load(config.read_text()), folder / config.name
    brief.write_text(yaml.safe_dump({**given, "model": briefly(given["model"])}))
    return brief
