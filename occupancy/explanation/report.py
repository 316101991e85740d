"""The explanation of the folds of an experiment: figures and numbers of each fold, and of all folds together."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.errors import InputError, InputWarning
from occupancy.execution.fold import FoldResult, one_thread
from occupancy.explanation import figures
from occupancy.explanation.importance import KIND, MSE, SENSOR, blocks_of, importance
from occupancy.explanation.moment import Moment, explain, explainable
from occupancy.files import to_csv

HOW = "how much worse the counts of the test rows are when the readings of a sensor come from other times"
SOURCE = "the rows that the model learned from"


@dataclass(frozen=True)
class Explained:
    """The explanation of the model of one fold.

    Attributes:
        figures: the figures by name.
        texts: the numbers of the figures as text files, by file name.
        metrics: the increase of the mean squared error without each kind of sensor, by key.
        table: see `occupancy.explanation.importance.importance`; the number of the fold is in the column ``fold``.
    """

    figures: dict[str, Figure]
    texts: dict[str, str]
    metrics: dict[str, float]
    table: pd.DataFrame


def check(config: Config, folds: Sequence[Fold]) -> None:
    """Check that the explanation that a config asks for can be made, before anything is trained.

    Warns:
        InputWarning: if it is left out because the log is of many rooms.

    Raises:
        InputError: if the test rows of a fold do not hold two blocks.
    """
    if config.explanation is None:
        return
    if config.data.rooms is not None:
        warnings.warn("explanation: is only for the log of one room, so it is left out", InputWarning, stacklevel=3)
        return
    for fold in folds:
        blocks_of(fold.log, fold.test, config.explanation.block_s)


def explain_fold(result: FoldResult) -> Explained | None:
    """Return the explanation of the model of a fold; None if the config has none, or the log is of many rooms."""
    config, fold = result.estimator.config, result.fold
    if config.explanation is None or fold.log.rooms:
        return None
    where = f"{config.name}, fold {fold.number} of {config.data.folds}"
    with one_thread():
        table = importance(result.estimator, fold, result.prediction, config.explanation)
        busiest = _explain_busiest(result, config.explanation.backgrounds, where)
    drawn = {"importance": figures.importance(table, f"{where}: {HOW}")}
    texts = {"importance.csv": to_csv(table)}
    if busiest is not None:
        drawn["busiest_moment"], texts["busiest_moment.json"] = busiest
    kinds = table[table[SENSOR] == ""]
    metrics = {f"importance_mse/{kind}": float(value) for kind, value in zip(kinds[KIND], kinds[MSE], strict=True)}
    return Explained(drawn, texts, metrics, table.assign(**{figures.FOLD: fold.number}))


def draw_folds(tables: Sequence[pd.DataFrame], config: Config) -> Figure:
    """Return the figure of all folds: a bar for the mean importance of a sensor, and a dot for each fold."""
    title = f"{config.name}, {len(tables)} folds of {config.data.folds}: {HOW}"
    return figures.importance_over_folds(pd.concat(tables, ignore_index=True), title)


def to_json(moment: Moment, truth: int | None) -> str:
    """Return the numbers of the figure of one time as JSON."""
    tree = {
        "time": str(moment.time),
        "truth": truth,
        "background": moment.background,
        "contributions": moment.contributions,
        "prediction": moment.prediction,
        "history_s": moment.history_s,
        "readings": moment.readings,
        "background_times": [str(time) for time in moment.drawn],
    }
    return json.dumps(tree, indent=2)


def _explain_busiest(result: FoldResult, backgrounds: int, where: str) -> tuple[Figure, str] | None:
    """Return the figure and the numbers of the test row with the largest predicted mean and enough earlier rows.

    Warns:
        InputWarning: if there is none, because recordings or learned stretches are shorter than the model needs.
    """
    estimator, fold = result.estimator, result.fold
    tested = np.flatnonzero(fold.test)
    can = explainable(estimator, fold.log, fold.test)[tested]
    place = int(np.where(can, result.prediction.mean, -np.inf).argmax())
    learned = fold.learned(validation=estimator.config.learns_validation)
    try:
        moment = explain(estimator, fold.log, int(tested[place]), learned, backgrounds)
    except InputError as error:
        warnings.warn(f"explanation: fold {fold.number} has no figure of one time: {error}", InputWarning, stacklevel=3)
        return None
    counted, truth = result.prediction.at(slice(place, place + 1)), int(result.truth[place])
    return figures.moment(moment, fold.log.schema, where, counted, truth, SOURCE), to_json(moment, truth)
