"""A model in rooms that nothing was chosen by: its MSE beside the clock's and that of plain boosted trees.

    python -m benchmarks.strange_rooms
    python -m benchmarks.strange_rooms --config configs/best.yaml --rooms 4

Each of the simulated rooms of `benchmarks.rooms_of_weeks` is learned and tested by its own two folds, whose test rows
are later than those learned. A line of Markdown is printed for each room: the MSE of the test rows of both folds
together by the `clock` model, by gradient-boosted trees on lags, rolling means and the hour (`trees`, scikit-learn with
its own settings), and by the config. At the end: in how many rooms the model is better, and the geometric mean of the
ratios of the MSE. All rooms take tens of minutes. These are test rows: settings are chosen by `benchmarks.ablation`,
never by this table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.ablation import CLOCK, mean_ratio
from benchmarks.rooms_of_weeks import NUMBER, MadeRoom, open_room, rooms, write_room
from occupancy.arrays import Floats
from occupancy.config import Config
from occupancy.config.parsing import load_config
from occupancy.data.folds import Fold
from occupancy.errors import InputError, InputWarning
from occupancy.execution.fold import one_thread, run_fold
from occupancy.models.estimator import NO_STEPS

LAGS_S = (0, 300, 600, 1200, 2400, 3600)
SPANS_S = (600, 1800, 3600, 7200)


def main() -> None:
    """Print the table, each line as soon as its room and those before it are done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/best.yaml"))
    parser.add_argument("--rooms", type=int, default=NUMBER, help="how many rooms")
    parser.add_argument("--workers", type=int, default=2, help="processes at once")
    options = parser.parse_args()
    configs = load_config(CLOCK), load_config(options.config)
    print("| room | clock | trees | model |\n| --- | --- | --- | --- |", flush=True)
    lines = []
    jobs = (delayed(compare)(room, *configs) for room in rooms(options.rooms))
    for name, *scores in Parallel(options.workers, return_as="generator")(jobs):
        lines.append(scores)
        print(f"| {name} | {' | '.join(f'{score:.3f}' for score in scores)} |", flush=True)
    by_clock, by_trees, model = np.array(lines).T
    done = ~np.isnan(model)
    for other, errors in (("clock", by_clock), ("trees", by_trees)):
        print(f"\nbetter than {other}: {(model < errors).sum()} of {len(lines)} rooms", end=", ")
        print(f"MSE / {other}: {mean_ratio(model[done], errors[done]):.3f}", flush=True)


def compare(room: MadeRoom, clock: Config, config: Config) -> tuple[str, float, float, float]:
    """Return the name of a room and the MSE of its test rows by the clock, by trees and by a config.

    It is NaN, which counts as a loss, where the config refuses the room.
    """
    with tempfile.TemporaryDirectory() as folder, one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        data, folds = open_room(write_room(room, Path(folder)))

        def label(chosen: Config) -> Callable[[Fold], Floats]:
            used = chosen.model_copy(update={"data": data})
            return lambda fold: run_fold(used, fold, NO_STEPS).prediction.label.astype(np.float64)

        scores = [mse(folds, each) for each in (label(clock), trees, label(config))]
    return room.name, scores[0], scores[1], scores[2]


def mse(folds: list[Fold], label: Callable[[Fold], Floats]) -> float:
    """Return the mean squared error of labels over the test rows of all folds; NaN if a fold is refused."""
    try:
        return float(np.concatenate([np.square(label(fold) - fold.counts(fold.test)) for fold in folds]).mean())
    except InputError as error:
        print(error, file=sys.stderr, flush=True)
        return float("nan")


def trees(fold: Fold) -> Floats:
    """Return the label of each test row by gradient-boosted trees of scikit-learn's own settings."""
    log, learned = fold.log, fold.train | fold.validation
    sensors = log.frame.drop(columns=log.schema.count)
    times = pd.DatetimeIndex(sensors.index)
    parts = [sensors.shift(round(lag_s / log.step_s)).add_suffix(f" {lag_s} s ago") for lag_s in LAGS_S]
    parts += [sensors.rolling(f"{span_s}s").mean().add_suffix(f" over {span_s} s") for span_s in SPANS_S]
    inputs = pd.concat(parts, axis=1).assign(hour=times.hour + times.minute / 60, weekday=times.dayofweek)
    model = HistGradientBoostingClassifier(random_state=0)
    model.fit(inputs[learned], fold.counts(learned))
    labels: Floats = model.predict(inputs[fold.test]).astype(np.float64)
    return labels


if __name__ == "__main__":
    main()
