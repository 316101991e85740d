"""The room model in rooms that nobody labelled: how wide its counts are, and how wrong.

    python -m benchmarks.unlabelled_rooms
    python -m benchmarks.unlabelled_rooms --rooms 10 --volume

Fifty simulated rooms of 15 to 300 m3 with 0.3 to 4 air changes per hour, 1 to 12 people and a row every 10 s to 5 min,
in which one person finally adds 40 ppm or more; a week each, CO2 always, motion and sound in some. Every second room
has what the model lacks: two zones with the sensor in the one without people, a window, a sensor that lags, or people
who breathe unevenly. Room n, from 0, is drawn with ``SeedSequence(2025, spawn_key=(n,))``, whatever the model does. The
model sees the sensors of the whole week and no count, then counts that week, each row from the rows before. A line of
Markdown is printed for each room: its MSE over the variance of its counts, and the coverage of its 90 % interval.
"""

from __future__ import annotations

import argparse
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.random import Generator, SeedSequence, default_rng
from scipy.linalg import expm
from scipy.signal import lfilter

from occupancy.arrays import Floats
from occupancy.config import Config, Data, Kind, Room
from occupancy.config.parsing import load_config
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.schema import Column, Schema
from occupancy.errors import InputWarning
from occupancy.execution.fold import one_thread
from occupancy.metrics import score
from occupancy.models import make_estimator
from occupancy.models.estimator import NO_STEPS
from occupancy.room.air import mix
from occupancy.room.sensors import read_co2
from occupancy.room.simulator import Readings, read_sensors

SEED, NUMBER, DAYS = 2025, 50, 7
STEPS_S = (10.0, 30.0, 60.0, 120.0, 300.0)
LACKS = ("two zones", "window", "lag", "uneven breath")
LEAST_PPM = 40.0  # that one person finally adds
ENOUGH_COVERED, MOST_WRONG = 0.85, 0.5
CONFIG = Path("configs/room_zero.yaml")


@dataclass(frozen=True)
class UnlabelledRoom:
    """A room to simulate.

    Attributes:
        number: its place in the list.
        room: its settings.
        kinds: its sensors.
        lacks: what it has that the model lacks; empty if nothing.
        seeds: of its week.
    """

    number: int
    room: Room
    kinds: tuple[Kind, ...]
    lacks: str
    seeds: SeedSequence


def main() -> None:
    """Print a line for each room, and in how many the counts are good."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=NUMBER, help="how many rooms")
    parser.add_argument("--volume", action="store_true", help="tell the model the volume of each room")
    parser.add_argument("--workers", type=int, default=2, help="processes at once")
    options = parser.parse_args()
    print("| room | m3 | changes/h | people | step s | sensors | lacks | MSE / variance | coverage |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    jobs = (delayed(measure)(made, options.volume) for made in map(draw, range(options.rooms)))
    found = []
    for line, wrong, covered in Parallel(options.workers, return_as="generator")(jobs):
        print(line, flush=True)
        found.append((wrong, covered))
    wrong, covered = np.array(found).T
    print(f"\ncoverage of {ENOUGH_COVERED} or more: {(covered >= ENOUGH_COVERED).sum()} of {len(found)} rooms")
    print(f"MSE below {MOST_WRONG} of the variance of the counts: {(wrong < MOST_WRONG).sum()} of {len(found)} rooms")


def draw(number: int) -> UnlabelledRoom:
    """Return a room; it is the same whatever was drawn before."""
    seeds = SeedSequence(SEED, spawn_key=(number,))
    for_room, for_week = seeds.spawn(2)
    rng = default_rng(for_room)
    lacks = LACKS[number // 2 % len(LACKS)] if number % 2 else ""
    while True:
        volume_m3, changes = (
            math.exp(rng.uniform(math.log(low), math.log(high))) for low, high in ((15, 300), (0.3, 4))
        )
        breath = rng.uniform(13.0, 20.0)
        if breath * 1e3 / (volume_m3 * changes) >= LEAST_PPM:
            break
    room = Room(
        use=("sessions", "office", "meeting_room")[int(rng.integers(3))],
        volume_m3=volume_m3,
        air_changes_per_h=changes,
        generation_l_per_h=breath,
        ventilation="window" if lacks == "window" else "none",
        outdoor_ppm=rng.uniform(400.0, 440.0),
        co2_noise_ppm=rng.uniform(1.0, 8.0),
        movements_per_min=rng.uniform(0.3, 1.2),
        step_s=STEPS_S[int(rng.integers(len(STEPS_S)))],
        max_people=int(rng.integers(1, 13)),
        opens_h=rng.uniform(7.0, 9.0),
        closes_h=rng.uniform(17.0, 19.5),
    )
    kinds: list[Kind] = ["co2"]
    kinds += ["motion"] if rng.random() < 0.6 else []
    kinds += ["sound"] if rng.random() < 0.4 else []
    return UnlabelledRoom(number, room, tuple(kinds), lacks, for_week)


def week(made: UnlabelledRoom) -> Log:
    """Return the log of a room, with counts, which the model is not shown."""
    for_sensors, for_air = made.seeds.spawn(2)
    read = read_sensors(made.room, DAYS, for_sensors)
    columns: dict[str, Floats] = {"co2": _co2(made, read, default_rng(for_air))}
    if "motion" in made.kinds:
        columns |= {"motion_1": read.motion[:, 0], "motion_2": read.motion[:, 1]}
    if "sound" in made.kinds:
        columns |= {"sound": read.sound_v[:, 0]}
    units = {"co2": "ppm", "motion": "0 or 1", "sound": "V"}
    kinds: list[Kind] = [kind for name in columns for kind in made.kinds if name.startswith(kind)]
    described = [Column(name=name, kind=kind, unit=units[kind]) for name, kind in zip(columns, kinds, strict=True)]
    schema = Schema(name="room", time=["time"], columns=described, count="people")
    frame = pd.DataFrame(columns, index=read.times)
    return Log("room", "room", schema, frame.assign(people=read.count), frame.isna(), 2.5 * made.room.step_s)


def _co2(made: UnlabelledRoom, read: Readings, rng: Generator) -> Floats:
    """Return the readings of CO2 (N,) in ppm of a room as the model thinks of it, or of one that has what it lacks."""
    room, people, rates = made.room, read.count.astype(np.float64), read.air_changes_per_h
    if made.lacks == "uneven breath":
        people = people * _around_one(len(people), room.step_s, rng)
    added = room.generation_l_per_h * 1e3 * people / room.volume_m3
    outdoors = np.full(len(people), room.outdoor_ppm)
    if made.lacks == "two zones":
        air = room.outdoor_ppm + _far_zone(room, added, float(rates[0]), rng)
    else:
        air = mix(added, outdoors, rates, room.step_s)
    if made.lacks == "lag":
        kept = math.exp(-room.step_s / rng.uniform(300.0, 900.0))
        air = room.outdoor_ppm + lfilter([1 - kept], [1, -kept], air - room.outdoor_ppm)
    return read_co2(room, air, rng)


def _around_one(rows: int, step_s: float, rng: Generator, std: float = 0.25, hours: float = 1.0) -> Floats:
    """Return factors (N,) that wander around 1 within an hour, by which people breathe more or less."""
    kept = math.exp(-step_s / 3600 / hours)
    drawn = rng.standard_normal(rows) * std * math.sqrt(1 - kept**2)
    return np.asarray(np.exp(lfilter([1.0], [1.0, -kept], drawn)))


def _far_zone(room: Room, added: Floats, rate: float, rng: Generator) -> Floats:
    """Return the CO2 (N,) above outdoors, in ppm, of a zone without people beside one with them.

    Args:
        room: its step.
        added: (N,) what people would add to the whole room, in ppm per hour.
        rate: air changes of both zones, per hour.
        rng: draws how much of the room the far zone is, and how fast the two mix.
    """
    far, mixing = rng.uniform(0.3, 0.5), rng.uniform(2.0, 6.0)  # share of the volume; volumes of the room per hour
    near = 1 - far
    flow = np.array([[-rate - mixing / near, mixing / near], [mixing / far, -rate - mixing / far]])
    step = expm(flow * room.step_s / 3600)
    source = np.linalg.solve(flow, (step - np.eye(2)) @ np.array([1 / near, 0.0]))
    state, found = np.zeros(2), np.empty(len(added))
    for row, people in enumerate(added):
        found[row] = state[1]
        state = step @ state + source * people
    return found


def measure(made: UnlabelledRoom, with_volume: bool) -> tuple[str, float, float]:
    """Return the line of a room, its MSE over the variance of its counts, and the coverage of its 90 % interval."""
    room, log = made.room, week(made)
    config = _config(room, with_volume)
    estimator, everything = make_estimator(config), np.ones(len(log.frame), bool)
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        estimator.fit(Fold(1, log, everything, ~everything, ~everything), NO_STEPS)
        prediction = estimator.predict(log.frame.drop(columns="people"), everything)
    counts = log.frame["people"].to_numpy(np.int64)
    scores = score([(prediction, counts)], log.max_gap)
    wrong, covered = scores["mse"] / max(float(counts.var()), 1e-9), scores["coverage_90"]
    cells = (f"{made.number}", f"{room.volume_m3:.0f}", f"{room.air_changes_per_h:.2f}", f"{room.max_people}")
    more = (f"{room.step_s:g}", ", ".join(made.kinds), made.lacks, f"{wrong:.3f}", f"{covered:.3f}")
    return f"| {' | '.join((*cells, *more))} |", wrong, covered


def _config(room: Room, with_volume: bool) -> Config:
    config = load_config(CONFIG)
    data = Data(max_count=room.max_people, max_gap=2.5 * room.step_s)
    settings = config.model.model_copy(update={"volume_m3": room.volume_m3 if with_volume else None})
    return config.model_copy(update={"data": data, "model": settings})


if __name__ == "__main__":
    main()
