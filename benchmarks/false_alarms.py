"""False alarms about sensors that work: findings in a room and week, on the real log and on simulated rooms.

    python -m benchmarks.false_alarms
    python -m benchmarks.false_alarms --rooms 5 --seed 7

On the UCI log, what is known of the sensors comes from the training rows of each fold of both schemes, and its test
rows are checked. Each simulated room differs in size, ventilation, people and noise; it is learned over one week, and
the next week is checked. The thresholds were chosen on rooms of other seeds and on training rows. Each finding is
printed, for all are false.
"""

from __future__ import annotations

import argparse
import dataclasses
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from occupancy.arrays import Rows
from occupancy.config import Data, Room, Simulation
from occupancy.data.folds import cut, load_scheme
from occupancy.data.log import Log
from occupancy.data.schema import UCI
from occupancy.data.simulation import simulate_rooms
from occupancy.data.source import open_log
from occupancy.errors import InputWarning
from occupancy.health.examine import examine
from occupancy.health.finding import lines
from occupancy.health.profile import learn

WEEK_S = 7 * 86_400.0
READ = [column.name for column in UCI.columns if column.kind != "light"]
"""The sensors that `configs/best.yaml` may read."""
STEPS_S = (30.0, 60.0, 300.0)


def main() -> None:
    """Print the findings, and how many there are in a room and week."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=50, help="simulated rooms")
    parser.add_argument("--seed", type=int, default=2026, help="of the simulated rooms")
    parser.add_argument("--workers", type=int, default=1, help="processes at once")
    options = parser.parse_args()
    warnings.simplefilter("ignore", InputWarning)
    print("| log | room-weeks | findings | findings in a room and week |\n| --- | --- | --- | --- |", flush=True)
    told = []
    for scheme in ("forward", "blocked"):
        weeks, found = uci(scheme)
        print(_row(f"UCI, {scheme}", weeks, found), flush=True)
        told += found
    with Parallel(options.workers) as pool:
        each = pool(delayed(simulated)(number, options.seed) for number in range(options.rooms))
    found = [line for lines_of_room in each for line in lines_of_room]
    print(_row(f"{options.rooms} simulated rooms", options.rooms, found), flush=True)
    for line in [*told, *found]:
        print(line)


def uci(scheme: str) -> tuple[float, list[str]]:
    """Return how many weeks of test rows the folds of a scheme have, and the findings in them, a line each."""
    log, _ = open_log(Data(source="uci"))
    weeks, found = 0.0, []
    for fold in cut(log, load_scheme(scheme)):
        test = part(log, fold.test)
        profile = learn(log, fold.train | fold.validation, READ)
        weeks += len(test.frame) * log.step_s / WEEK_S
        found += [f"{scheme} {fold.number}: {line}" for line in lines(examine(test, profile))]
    return weeks, found


def simulated(number: int, seed: int) -> list[str]:
    """Return the findings in the second week of a simulated room, a line each."""
    room = Room(step_s=STEPS_S[number % len(STEPS_S)])
    (frame,) = simulate_rooms(Simulation(days=14, seed=1000 * seed + number, room=room), 1)
    missing = frame[UCI.sensors].isna()
    log = Log(f"room {number}", "simulated", UCI, frame, missing, max(120.0, 2 * room.step_s))
    week = np.asarray(frame.index < frame.index[0] + pd.Timedelta(weeks=1))
    findings = examine(part(log, ~week), learn(log, week, READ))
    return [f"{log.name}, a row every {room.step_s:g} s: {finding}" for finding in findings]


def part(log: Log, rows: Rows) -> Log:
    """Return some rows (N,) of a log."""
    return dataclasses.replace(log, frame=log.frame[rows], missing=log.missing[rows])


def _row(name: str, weeks: float, found: Sequence[str]) -> str:
    return f"| {name} | {weeks:.2f} | {len(found)} | {len(found) / weeks:.2f} |"


if __name__ == "__main__":
    main()
