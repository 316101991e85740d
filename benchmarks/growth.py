"""Time and memory against the rows of a log, of the commands as people type them.

    python benchmarks/growth.py [--rows 10000 100000 1000000] [--config configs/lstm_regression.yaml]

For each number of rows it simulates a log, trains one network for one epoch on the first four fifths and tests the
last (`occupancy.train`), and counts people in all rows by the fitted model (`occupancy.predict`). Prints a table in
Markdown: seconds of each command and the most memory that its process held, that of Python and the libraries included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from occupancy.config import Simulation
from occupancy.data.simulation import simulate

ROOT = Path(__file__).parents[1]
ONE_EPOCH = [
    "train.max_epochs=1",
    "train.epoch_choices=null",
    "train.members=1",
    "train.refit=false",
    "train.final=false",
]
PER_DAY = 2_880


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Attributes:
        seconds: from its start to its end.
        gib: the most memory that its process held, in GiB.
        output: what it printed.
    """

    seconds: float
    gib: float
    output: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, a line as soon as it is measured."""
    parser = argparse.ArgumentParser(description="Measure time and memory against the rows of a log.")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "lstm_regression.yaml")
    options = parser.parse_args(arguments)
    print("| rows | train, one epoch | memory | predict | memory |\n| --- | --- | --- | --- | --- |")
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            train, predict = measure(rows, options.config.resolve(), Path(folder))
        cells = (f"{cost.seconds:.0f} s | {cost.gib:.2f} GiB" for cost in (train, predict))
        print(f"| {rows:,} | {' | '.join(cells)} |", flush=True)


def measure(rows: int, config: Path, folder: Path) -> tuple[Cost, Cost]:
    """Return what training and counting take on a simulated log of so many rows."""
    log = simulate(Simulation(days=-(-rows // PER_DAY))).iloc[:rows]
    times = pd.DatetimeIndex(log.index)
    log.insert(0, "Date", times.strftime("%Y/%m/%d"))
    log.insert(1, "Time", times.strftime("%H:%M:%S"))
    log.to_csv(folder / "log.csv", index=False)
    folds = _folds(times)
    (folder / "folds.yaml").write_text(yaml.safe_dump(folds), encoding="utf-8")
    del log
    data = ["data.source=log.csv", "data.folds=folds.yaml"]
    train = _run(["train", "--config", str(config), "--json", *data, *ONE_EPOCH], folder)
    run = json.loads(train.output)["run_id"]
    return train, _run(["predict", "--run", run, "--csv", "log.csv", "--out", "counts.csv"], folder)


def _folds(times: pd.DatetimeIndex) -> dict[str, object]:
    """Return a scheme of one fold: the first four fifths train, the last quarter of them validates, the rest tests."""
    start, validation, test, end = (str(times[int(share * (len(times) - 1))]) for share in (0, 0.6, 0.8, 1))
    fold = {"train": [[start, test]], "validation": [[validation, test]], "test": [[test, end]]}
    return {"log": "uci", "folds": [fold]}


def _run(command: list[str], folder: Path) -> Cost:
    module, *arguments = command
    start = time.perf_counter()
    with (folder / "output").open("w+", encoding="utf-8") as output:
        # Not `run`: the kernel tells the memory of a child by its number alone.
        child = subprocess.Popen([sys.executable, "-m", f"occupancy.{module}", *arguments], cwd=folder, stdout=output)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        if child.returncode:
            raise SystemExit(f"occupancy.{module} ended with {child.returncode}")
        output.seek(0)
        return Cost(seconds, usage.ru_maxrss / 2**20, output.read())


if __name__ == "__main__":
    main()
