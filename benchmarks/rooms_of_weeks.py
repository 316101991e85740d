"""Twenty simulated rooms with weeks of rhythm, each a folder with a log, its schema and folds.

    python -m benchmarks.rooms_of_weeks rooms/

Five offices, meeting rooms, lecture rooms and homes, with 14 to 28 days, 1 to 40 people, a row every 30 s to 10 min,
and their own volume, ventilation and sensors; light, which gives the answer away, is left out. Room n, from 0, is drawn
with the seeds ``SeedSequence(2024, spawn_key=(n,))``. Each folder has ``log.csv``, ``schema.yaml`` and ``folds.yaml``:
two folds that train on the first part and test on what follows, cut at 04:00. `data_of` gives the settings of a log for
any folder with a schema, folds and a log, also for that of a real room.
"""

from __future__ import annotations

import argparse
import dataclasses
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.random import Generator, SeedSequence, default_rng

from occupancy.arrays import Rows
from occupancy.config import Data, Kind, Room, Simulation
from occupancy.config.parsing import load_config
from occupancy.data.folds import Fold
from occupancy.data.room_folds import folds_of
from occupancy.data.simulation import simulate_kinds
from occupancy.data.source import open_log
from occupancy.errors import InputError, InputWarning
from occupancy.room.simulator import START

SEED, NUMBER = 2024, 20
USES = ("office", "meeting_room", "lecture_room", "home")  # in turn, so that the first rooms are of all uses
STEPS_S = (60.0, 300.0, 120.0, 600.0, 30.0)  # of the five rooms of a use
VENTILATIONS = ("fan", "window", "none", "window", "fan")
SENSORS: dict[Kind, float] = {"motion": 0.6, "sound": 0.5, "humidity": 0.7, "voc": 0.4, "ventilation": 0.5}
"""The share of rooms that have each kind of sensor, besides CO2 and temperature, which all have."""
FEWEST_DAYS, MOST_DAYS, MOST_ROWS = 14, 28, 30_000
CUT_H, VALIDATION_DAYS = 4, 3
SUFFIXES = (".csv", ".csv.gz", ".zip", ".parquet")
GAP = 2.5  # steps; rows further apart are of two recordings


@dataclass(frozen=True)
class MadeRoom:
    """A room to simulate.

    Attributes:
        name: its use and number.
        simulation: its days, seed and room.
        kinds: its sensors.
    """

    name: str
    simulation: Simulation
    kinds: tuple[Kind, ...]


def main() -> None:
    """Write the rooms, and print the path of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the rooms")
    parser.add_argument("--rooms", type=int, default=NUMBER, help="how many")
    options = parser.parse_args()
    for room in rooms(options.rooms):
        print(write_room(room, options.folder), flush=True)


def rooms(number: int = NUMBER) -> list[MadeRoom]:
    """Return the first rooms; each is the same whatever their number."""
    return [_room(place) for place in range(number)]


def _room(place: int) -> MadeRoom:
    """Return the room at a place in the list, from 0."""
    use, turn = USES[place % len(USES)], place // len(USES)
    seeds = SeedSequence(SEED, spawn_key=(place,))
    rng = default_rng(seeds)
    step_s = STEPS_S[turn % len(STEPS_S)]
    most = max(FEWEST_DAYS, int(MOST_ROWS * step_s) // 86_400)
    days = min(int(rng.integers(FEWEST_DAYS, MOST_DAYS + 1)), most)
    ventilation = VENTILATIONS[(turn + place) % len(VENTILATIONS)]
    kinds = [kind for kind, share in SENSORS.items() if rng.random() < share]
    if ventilation == "none":
        kinds = [kind for kind in kinds if kind != "ventilation"]
    room = Room.model_validate(
        {"use": use, "step_s": step_s, "ventilation": ventilation, **_drawn(rng), **_people(use, rng)}
    )
    room = room.model_copy(
        update={
            "temperature_rise_c_per_person": 27 / room.volume_m3,
            "sound_when_occupied_v": 0.25 * min(1.0, 3 / room.max_people),  # else a crowd is at the top of the scale
        }
    )
    seed = int(seeds.generate_state(1)[0])
    return MadeRoom(f"{use}_{turn + 1}", Simulation(days=days, seed=seed, room=room), ("co2", "temperature", *kinds))


def _drawn(rng: Generator) -> dict[str, Any]:
    """Return settings that do not depend on the use of a room."""
    ranges = {
        "air_changes_per_h": (0.2, 1.0),
        "ventilated_air_changes_per_h": (2.0, 6.0),
        "generation_l_per_h": (13.0, 20.0),
        "outdoor_ppm": (400.0, 440.0),
        "co2_noise_ppm": (1.0, 8.0),
        "base_temperature_c": (20.0, 24.0),
        "outdoor_water_g_per_m3": (4.0, 11.0),
        "movements_per_min": (0.3, 1.2),
    }
    return {name: float(rng.uniform(*bounds)) for name, bounds in ranges.items()}


def _people(use: str, rng: Generator) -> dict[str, Any]:
    """Return settings that depend on the use of a room: people, volume, hours."""
    fewest, most, low_m3, high_m3, breaks = {
        "office": (2, 12, 15.0, 35.0, 0.3),
        "meeting_room": (4, 16, 5.0, 9.0, 0.1),
        "lecture_room": (15, 40, 5.0, 9.0, 0.05),
        "home": (1, 5, 40.0, 70.0, 0.0),
    }[use]
    people = int(rng.integers(fewest, most + 1))
    return {
        "max_people": people,
        "volume_m3": people * float(rng.uniform(low_m3, high_m3)),
        "opens_h": float(rng.uniform(7.0, 9.0)),
        "closes_h": float(rng.uniform(17.0, 19.5)),
        "attendance": float(rng.uniform(0.7, 0.95)),
        "breaks_per_h": breaks,
    }


def write_room(room: MadeRoom, folder: Path) -> Path:
    """Write a room into a folder of its name below a folder, and return its path."""
    frame, schema = simulate_kinds(room.simulation, room.kinds)
    path = folder / room.name
    path.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path / "log.csv")
    tree = schema.model_dump(exclude_defaults=True)
    (path / "schema.yaml").write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    scheme = {"name": "later", "log": schema.name, "folds": _folds(room.simulation.days)}
    (path / "folds.yaml").write_text(yaml.safe_dump(scheme, sort_keys=False), encoding="utf-8")
    return path


def _folds(days: int) -> list[dict[str, list[list[str]]]]:
    """Return two folds: half of the days and three quarters of them train, the next quarter tests."""

    def night(day: int) -> str:
        return str(START + pd.Timedelta(days=day, hours=CUT_H))

    start, end = str(START), str(START + pd.Timedelta(days=days))
    first, second = days // 2, days * 3 // 4
    return [
        {
            "train": [[start, night(cut)]],
            "validation": [[night(cut - VALIDATION_DAYS), night(cut)]],  # of three days, one is a working day
            "test": [[night(cut), until]],
        }
        for cut, until in ((first, night(second)), (second, end))
    ]


def data_of(folder: Path) -> Data:
    """Return the settings of the log in a folder with ``schema.yaml``, ``folds.yaml`` and one or several log files.

    Other settings come from the ``data`` section of ``config.yaml``, if that is there. Without it, counts above those
    in the rows that the first fold learns from are capped, unless the schema says how many people the room holds.

    Raises:
        InputError: if there is no log file, or the log is not valid.
    """
    files = sorted(str(path) for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    if not files:
        raise InputError(f"{folder}: has no log; expected a file with one of {', '.join(SUFFIXES)}")
    schema, folds = str(folder / "schema.yaml"), str(folder / "folds.yaml")
    named = {"source": files[0] if len(files) == 1 else files, "log_schema": schema, "folds": folds}
    if (config := folder / "config.yaml").exists():
        return load_config(config).data.model_copy(update=named)
    data = Data(max_count=1000, max_gap=86_400.0).model_copy(update=named)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # they come again when the log is opened with these settings
        log, _ = open_log(data)
        first = untested(folds_of(log, data))
    most = log.schema.most_people or int(first.counts(first.train | first.validation).max())
    return data.model_copy(update={"max_count": most, "cap_counts": True, "max_gap": max(GAP * log.step_s, 120.0)})


def untested(folds: list[Fold]) -> Fold:
    """Return the first fold with those of its training and validation rows that no fold tests.

    By these rows settings may be chosen: in a later fold, rows are learned that an earlier one tests.
    """
    fold = folds[0]
    tested: Rows = np.any([each.test for each in folds], axis=0)
    return dataclasses.replace(fold, train=fold.train & ~tested, validation=fold.validation & ~tested)


def open_room(folder: Path) -> tuple[Data, list[Fold]]:
    """Return the settings and the folds of the log in a folder; see `data_of`."""
    data = data_of(folder)
    log, data = open_log(data)
    return data, folds_of(log, data)


if __name__ == "__main__":
    main()
