"""What a cost of changing the count buys: how often counts change, how late they are, and how wrong.

    python -m benchmarks.switching
    python -m benchmarks.switching --config configs/best.yaml --folds forward --costs 0 0.25 0.5

For each cost (`decision.switch_cost`) a line of Markdown is printed: MSE, changes of the count over true changes
(`flicker`), the median latency, and the changes that were never answered. Of the rows that a fold learns from, each
visit is predicted by a model of the others, without calibration; the scores are those of all folds of a scheme
together. Test rows are not even seen, so a cost can be chosen by this table.
"""

from __future__ import annotations

import argparse
import dataclasses
import warnings
from pathlib import Path

import numpy as np

from occupancy.arrays import Ints
from occupancy.config import Config
from occupancy.config.parsing import load_config
from occupancy.data.room_folds import folds_of
from occupancy.data.source import open_log
from occupancy.errors import InputWarning
from occupancy.execution.fold import one_thread
from occupancy.metrics import score
from occupancy.models import make_estimator
from occupancy.models.postprocess.out_of_fold import left_out, pieces, predictions
from occupancy.models.postprocess.switching import switched
from occupancy.prediction import Loss, Prediction

COSTS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
HEAD = "| switch_cost | MSE | flicker | latency, s | missed changes |\n| --- | --- | --- | --- | --- |"
Part = tuple[Prediction, Ints]


def main() -> None:
    """Print a table for each scheme of folds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/best.yaml"))
    parser.add_argument("--folds", nargs="+", default=["forward", "blocked"], help="schemes")
    parser.add_argument("--costs", nargs="+", type=float, default=COSTS)
    options = parser.parse_args()
    warnings.simplefilter("ignore", InputWarning)
    for scheme in options.folds:
        config = load_config(options.config, [f"data.folds={scheme}"])
        parts, max_gap = left_out_parts(config.model_copy(update={"calibration": None, "decision": None}))
        print(f"\n{scheme}\n\n{HEAD}")
        for cost in options.costs:
            held = [(hold(prediction, config.loss or "squared", cost), truth) for prediction, truth in parts]
            found = score(held, max_gap)
            cells = (found["mse"], found["flicker"], found["latency_s"], found["missed_changes"])
            print(f"| {cost:g} | {cells[0]:.3f} | {cells[1]:.2f} | {cells[2]:.0f} | {cells[3]:.0f} |", flush=True)


def left_out_parts(config: Config) -> tuple[list[Part], float]:
    """Return prediction and counts of each run of rows of left-out visits, in all folds, and the longest gap."""
    log, data = open_log(config.data)
    config, found = config.model_copy(update={"data": data}), []
    for fold in folds_of(log, data):
        rows = fold.train | fold.validation
        groups = left_out(fold, rows)
        counts = np.zeros(len(rows), np.int64)
        counts[rows] = fold.counts(rows)
        runs = pieces(groups, log.times, log.max_gap)
        with one_thread():
            for asked, prediction in predictions(config, fold, groups, make_estimator):
                place = np.cumsum(asked) - 1
                own = [run for run in runs if asked[run[0]]]
                found += [(prediction.at(np.isin(np.arange(asked.sum()), place[run])), counts[run]) for run in own]
    return found, log.max_gap


def hold(prediction: Prediction, loss: Loss, cost: float) -> Prediction:
    """Return the prediction of rows without a gap with the counts that a cost of changing gives."""
    return switched(dataclasses.replace(prediction, samples=None), loss, cost, [np.arange(len(prediction))])


if __name__ == "__main__":
    main()
