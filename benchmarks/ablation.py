"""Inner scores of settings, to choose by: what they give for visits that their models left out.

    python -m benchmarks.ablation --config configs/best.yaml "calibration=null" "calibration=null model.pool=mean"
    python -m benchmarks.ablation --config configs/lstm_classification.yaml "features=physics train.members=1"

Of the rows that a fold learns from, each visit is predicted by a model of the others; test rows are not even seen.
Each argument is a variant: overrides as the commands take them, separated by spaces, quoted as in a shell. A line of
Markdown is printed for each: MSE, macro-F1, log loss and what intervals hold, averaged over the folds of a scheme, as
mean and standard deviation over seeds. With a decoding or calibration it takes as many times longer as there are
visits, for what these learn is left out too.
"""

from __future__ import annotations

import argparse
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from occupancy.config import Config
from occupancy.config.parsing import load_config
from occupancy.data.folds import Fold
from occupancy.data.room_folds import folds_of
from occupancy.data.source import open_log
from occupancy.errors import InputWarning
from occupancy.execution.fold import one_thread
from occupancy.metrics import aggregate, score
from occupancy.models import make_estimator
from occupancy.models.postprocess.out_of_fold import left_out, predictions

SHOWN = ("mse", "f1_macro", "nll", "coverage_90", "coverage_90_occupied", "set_size")


def main() -> None:
    """Print the inner score of each variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="+", metavar="OVERRIDES", help="such as 'model.pool=mean'; '' for none")
    parser.add_argument("--config", type=Path, default=Path("configs/best.yaml"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--folds", nargs="+", default=["forward", "blocked"], help="schemes")
    parser.add_argument("--workers", type=int, default=2, help="processes at once")
    options = parser.parse_args()
    columns = [f"{scheme} {key}" for scheme in options.folds for key in SHOWN]
    print(f"| variant | {' | '.join(columns)} |\n| --- {'| --- ' * len(columns)}|", flush=True)
    with Parallel(options.workers) as pool:
        for variant in options.variants:
            cells = list(_cells(options.config, shlex.split(variant), options.folds, options.seeds, pool))
            print(f"| `{variant}` | {' | '.join(cells)} |", flush=True)


def _cells(path: Path, overrides: list[str], schemes: list[str], seeds: list[int], pool: Parallel) -> Iterator[str]:
    for scheme in schemes:
        config = load_config(path, [*overrides, f"data.folds={scheme}"])
        log, data = open_log(config.data)
        configs = [config.model_copy(update={"seed": seed, "data": data}) for seed in seeds]
        folds = folds_of(log, data)
        scores = pool(delayed(inner_score)(each, fold) for each in configs for fold in folds)
        averages = [aggregate(scores[first : first + len(folds)]) for first in range(0, len(scores), len(folds))]
        for key in SHOWN:
            values = np.array([average[f"{key}_avg"] for average in averages])
            yield f"{values.mean():.3f}" + (f" ± {values.std():.3f}" if len(values) > 1 else "")


def inner_score(config: Config, fold: Fold) -> dict[str, float]:
    """Return every metric of a fold's learned rows, each predicted by a model that left out its visit."""
    sealed = fold.sealed()
    groups = left_out(sealed, fold.train | fold.validation)
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        parts = [
            (prediction, fold.counts(asked))
            for asked, prediction in predictions(config, sealed, groups, make_estimator)
        ]
    return score(parts, fold.log.max_gap)


if __name__ == "__main__":
    main()
