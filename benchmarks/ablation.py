"""Inner scores of settings, to choose by: what they give for visits that their models left out.

    python -m benchmarks.ablation --config configs/best.yaml "calibration=null" "calibration=null model.pool=mean"
    python -m benchmarks.ablation --config configs/lstm_classification.yaml "features=physics train.members=1"
    python -m benchmarks.ablation --logs uci simulated rooms --paths rooms/office rooms/hall "calibration=null"

Of the rows that a fold learns from, each visit (or each day, where there are weeks of them) is predicted by a model of
the others; test rows are not even seen. Each argument is a variant: overrides as the commands take them, separated by
spaces, quoted as in a shell. With a decoding or calibration it takes as many times longer as there are visits, for what
these learn is left out too.

With ``--logs uci``, the default, a line of Markdown is printed for each variant: MSE, macro-F1, log loss and what
intervals hold, averaged over the folds of a scheme, as mean and standard deviation over seeds.

With other logs, ``simulated`` (the rooms of `benchmarks.rooms_of_weeks`) or ``rooms`` (the folders of ``--paths``, each
with a log, ``schema.yaml`` and ``folds.yaml``), a line has three numbers for each of them: the geometric mean over
rooms of the MSE divided by that of the `clock` model on the same rows, in how many rooms it is below the clock's, and
the mean log loss. A room is the first of its folds, without rows that another one tests; the schemes of UCI count as
two rooms.

The rule: a setting becomes a default only if on none of the three, ``uci``, ``simulated`` and ``rooms``, the ratio to
the clock or the log loss is worse than that of the default, beyond what seeds change. A gain on one never pays for a
loss on another. The rooms' test rows are scored once, by `benchmarks.strange_rooms`, after the choice.
"""

from __future__ import annotations

import argparse
import shlex
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from benchmarks.rooms_of_weeks import NUMBER, open_room, rooms, untested, write_room
from occupancy.config import Config, Data
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
CLOCK = Path(__file__).parents[1] / "configs" / "clock.yaml"
LEAST = 1e-3  # people squared, added to both errors of a ratio, so that none is 0
COMPARED = ("MSE / clock", "below clock", "NLL")


@dataclass(frozen=True)
class Place:
    """A room whose learned rows score settings.

    Attributes:
        data: the settings of its log.
        folds: the folds whose learned rows are predicted.
    """

    data: Data
    folds: list[Fold]


def main() -> None:
    """Print the inner score of each variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="+", metavar="OVERRIDES", help="such as 'model.pool=mean'; '' for none")
    parser.add_argument("--config", type=Path, default=Path("configs/best.yaml"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--folds", nargs="+", default=["forward", "blocked"], help="schemes of the UCI log")
    parser.add_argument("--logs", nargs="+", choices=["uci", "simulated", "rooms"], default=["uci"])
    parser.add_argument("--rooms", type=int, default=NUMBER, help="how many simulated rooms")
    parser.add_argument("--paths", type=Path, nargs="+", default=[], help="folders of the logs 'rooms'")
    parser.add_argument("--workers", type=int, default=2, help="processes at once")
    options = parser.parse_args()
    if ("rooms" in options.logs) != bool(options.paths):
        parser.error("--logs rooms needs folders by --paths, and --paths needs --logs rooms")
    variants = [shlex.split(variant) for variant in options.variants]
    configs = [load_config(options.config, overrides) for overrides in variants]
    is_plain = options.logs == ["uci"]
    if not is_plain and any(override.startswith("data.") for overrides in variants for override in overrides):
        parser.error("a variant can't set data.* here: each room has its own; score it with --logs uci")
    names, shown = (options.folds, SHOWN) if is_plain else (options.logs, COMPARED)
    columns = [f"{name} {key}" for name in names for key in shown]
    places = {} if is_plain else {name: list(_places(name, options)) for name in options.logs}
    with Parallel(options.workers) as pool:
        clocks = {name: _scores(load_config(CLOCK), made, options.seeds, pool) for name, made in places.items()}
        print(f"| variant | {' | '.join(columns)} |\n| --- {'| --- ' * len(columns)}|", flush=True)
        for variant, overrides, config in zip(options.variants, variants, configs, strict=True):
            if is_plain:
                cells = list(_cells(options.config, overrides, options.folds, options.seeds, pool))
            else:
                found = {name: _scores(config, made, options.seeds, pool) for name, made in places.items()}
                cells = [cell for name, scores in found.items() for cell in compared(scores, clocks[name])]
            print(f"| `{variant}` | {' | '.join(cells)} |", flush=True)


def _places(name: str, options: argparse.Namespace) -> Iterator[Place]:
    """Yield the rooms of one of the names of ``--logs``."""
    if name == "uci":
        for scheme in options.folds:
            log, data = open_log(load_config(options.config, [f"data.folds={scheme}"]).data)
            yield Place(data, folds_of(log, data))
        return
    with tempfile.TemporaryDirectory() as folder:
        made = (write_room(room, Path(folder)) for room in rooms(options.rooms)) if name == "simulated" else None
        for path in made or options.paths:
            data, folds = open_room(path)
            yield Place(data, [untested(folds)])


def _scores(config: Config, places: list[Place], seeds: list[int], pool: Parallel) -> list[dict[str, float]]:
    """Return the inner score of a config in each room, averaged over its folds and the seeds."""
    configs = [[config.model_copy(update={"seed": seed, "data": place.data}) for seed in seeds] for place in places]
    jobs = [
        (number, each, fold) for number, place in enumerate(places) for each in configs[number] for fold in place.folds
    ]
    found = pool(delayed(inner_score)(each, fold) for _, each, fold in jobs)
    by_place: list[list[dict[str, float]]] = [[] for _ in places]
    for (number, _, _), scores in zip(jobs, found, strict=True):
        by_place[number].append({key: scores[key] for key in ("mse", "nll")})
    return [aggregate(scores) for scores in by_place]


def compared(scores: list[dict[str, float]], clocks: list[dict[str, float]]) -> Iterator[str]:
    """Yield the cells of `COMPARED`, given the averages of a variant and of the clock in each room."""
    own, clock = (np.array([each["mse_avg"] for each in part]) for part in (scores, clocks))
    yield f"{mean_ratio(own, clock):.3f}"
    yield f"{(own < clock).sum()} of {len(own)}"
    yield f"{np.mean([each['nll_avg'] for each in scores]):.3f}"


def mean_ratio(own: np.typing.ArrayLike, others: np.typing.ArrayLike) -> float:
    """Return the geometric mean of the ratios of squared errors, (rooms,) each; both have `LEAST` added."""
    return float(np.exp(np.mean(np.log((np.asarray(own) + LEAST) / (np.asarray(others) + LEAST)))))


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
