"""Faults of sensors on the real log: is each named, how soon, and what are the counts worth that are still given?

    python -m benchmarks.faults
    python -m benchmarks.faults --config configs/best.yaml --folds forward

Each fault lasts over a whole test block of each fold. The model and what it knows of its sensors come from the fold's
training rows alone; a file that ends with the block, and in which the fault begins with it, is then counted as
`occupancy predict` would. A line of Markdown is printed for each fault and block: after how many recorded minutes, and
minutes with people, it was named; the MSE of the answered rows; the share of rows, and of occupied rows, that are
answered; and whether the block is told to be useless. No threshold was chosen on these blocks.
"""

from __future__ import annotations

import argparse
import dataclasses
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from occupancy.config import Config
from occupancy.config.parsing import load_config
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.room_folds import folds_of
from occupancy.data.schema import Schema
from occupancy.data.source import open_log
from occupancy.errors import InputError, InputWarning
from occupancy.execution.fold import one_thread
from occupancy.health.effects import answerable, believed, is_useless
from occupancy.health.examine import examine
from occupancy.health.finding import Finding
from occupancy.health.profile import Profile, learn
from occupancy.models import make_estimator
from occupancy.models.estimator import NO_STEPS, Estimator
from occupancy.models.inputs import columns_read
from occupancy.prediction import Prediction

Change = Callable[[pd.DataFrame, Schema], pd.DataFrame]


def _each(kind: str, change: Callable[[pd.Series[float]], Any]) -> Change:
    def changed(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        return frame.assign(**{c.name: change(frame[c.name]) for c in schema.columns if c.kind == kind})

    return changed


def _half_of_rows(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    del schema
    return frame[np.random.default_rng(0).random(len(frame)) < 0.5]


def _half_of_readings(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    lost = np.random.default_rng(0).random(frame.shape) < 0.5
    lost[:, frame.columns.get_loc(schema.count)] = False
    return frame.mask(lost)


FAULTS: Mapping[str, tuple[Change, tuple[str, ...]]] = {
    "both motion sensors dead": (_each("motion", lambda cells: 0.0), ("silent", "constant")),
    "CO2 stuck": (_each("co2", lambda cells: cells.iloc[0]), ("stuck", "constant")),
    "sound in dB": (_each("sound", lambda cells: 20 * np.log10(cells.clip(lower=0.01) / 0.001)), ("unit",)),
    "CO2 -200 ppm": (_each("co2", lambda cells: cells - 200), ("shifted",)),
    "temperature in degF": (_each("temperature", lambda cells: cells * 1.8 + 32), ("unit",)),
    "half of the rows missing": (_half_of_rows, ("rhythm",)),
    "half of the readings missing": (_half_of_readings, ("missing",)),
}
"""What is done to a test block, and what it may be called."""


@dataclass(frozen=True)
class Block:
    """A test block, the model that counts it, and what it gives undisturbed.

    Attributes:
        name: scheme and fold.
        log: the rows of the file, up to the end of the block.
        start: when the block begins, and each fault.
        estimator: fitted on the fold's training rows.
        profile: of the sensors in these rows.
    """

    name: str
    log: Log
    start: pd.Timestamp
    estimator: Estimator
    profile: Profile


def main() -> None:
    """Print a table: a line for each fault and test block."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/best.yaml"))
    parser.add_argument("--folds", nargs="+", default=["forward", "blocked"], help="schemes")
    parser.add_argument("--alone", action="store_true", help="let the file begin with the block")
    options = parser.parse_args()
    warnings.simplefilter("ignore", InputWarning)
    print("| block | fault | named after | occupied minutes | MSE answered | rows | occupied | told |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for scheme in options.folds:
        config = load_config(options.config, [f"data.folds={scheme}"])
        log, data = open_log(config.data)
        config = config.model_copy(update={"data": data})
        for fold in folds_of(log, data):
            block, told = learned(config, fold, f"{scheme} {fold.number}", options.alone)
            print(f"| {block.name} | none | {' | '.join(told)} |", flush=True)
            for fault in FAULTS:
                print(f"| {block.name} | {fault} | {' | '.join(measure(block, fault))} |", flush=True)


def learned(config: Config, fold: Fold, name: str, is_alone: bool) -> tuple[Block, list[str]]:
    """Return a test block with its model, and the cells of the undisturbed block."""
    estimator = make_estimator(config)
    rows = fold.train | fold.validation
    with one_thread():
        estimator.fit(fold.sealed(), NO_STEPS)
    profile = learn(fold.log, rows, [column.name for column in columns_read(config, fold.log.schema)])
    start, end = fold.log.times[fold.test][[0, -1]]
    file = (fold.log.times <= end) & ((fold.log.times >= start) | (not is_alone))
    log = dataclasses.replace(fold.log, frame=fold.log.frame[file], missing=fold.log.missing[file], lines=None)
    block = Block(name, log, start, estimator, profile)
    findings = examine(log, profile)
    prediction = count(block, log, findings)
    errors = np.square(prediction.label - log.frame[log.schema.count].loc[start:].to_numpy(np.int64))
    told = [", ".join(finding.tag for finding in findings) or "nothing", f"MSE of all rows {errors.mean():.3f}"]
    return block, [*told, *worth(prediction, log)]


def measure(block: Block, fault: str) -> list[str]:
    """Return the cells of a fault: when it was named, and what the counts are worth."""
    change, names = FAULTS[fault]
    before = block.log.frame[block.log.times < block.start]
    good = block.log.frame.loc[block.start :]
    frame = pd.concat([before, change(good, block.log.schema)])
    missing = block.log.missing.loc[frame.index] | frame[block.log.missing.columns].isna()
    log = dataclasses.replace(block.log, frame=frame, missing=missing)
    findings = examine(log, block.profile)
    found = [each.named for each in findings if each.fault in names and each.named >= block.start]
    after = ["not named", ""]
    if found:
        until = good[: min(found)]
        minutes = np.array([len(until) - 1, (until[log.schema.count] > 0).sum()]) * block.log.step_s / 60
        after = [f"{each:.0f}" for each in minutes]
    try:
        prediction = count(block, log, findings)
    except InputError as error:
        return [*after, f"refused: {str(error)[:60]}", "", "", ""]
    return [*after, *worth(prediction, log)]


def count(block: Block, log: Log, findings: list[Finding]) -> Prediction:
    """Return the people in the block by the readings that are believed, as `occupancy predict` does."""
    trusted = believed(log, findings)
    sensors = trusted.frame.drop(columns=log.schema.count)
    with one_thread():
        prediction = block.estimator.predict(sensors, np.ones(len(sensors), bool))
    is_calibrated = block.estimator.config.calibration is not None
    history_s = block.estimator.history_s
    whole = answerable(prediction, findings, trusted, block.profile.read, is_calibrated, history_s)
    return whole.at(np.asarray(log.times >= block.start))


def worth(prediction: Prediction, log: Log) -> list[str]:
    """Return the MSE of the answered rows, which share of all and of occupied rows they are, and if that is useless."""
    truth = log.frame[log.schema.count].loc[prediction.times[0] :].to_numpy(np.int64)
    answered = np.ones(len(truth), bool) if prediction.answered is None else prediction.answered
    errors, occupied = np.square(prediction.label - truth), truth > 0
    mse = f"{errors[answered].mean():.3f}" if answered.any() else "none"
    return [
        mse,
        f"{answered.mean():.0%}",
        f"{answered[occupied].mean():.0%}",
        "useless" if is_useless(prediction) else "",
    ]


if __name__ == "__main__":
    main()
