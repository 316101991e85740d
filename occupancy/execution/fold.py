"""What becomes of a configuration on a fold of a log; `unit` and `pool` carry that to all cores, or to a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from occupancy.arrays import Ints, Rows
from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.metrics import score
from occupancy.models import make_estimator
from occupancy.models.estimator import Estimator, Steps
from occupancy.models.rooms import predict_by_room
from occupancy.prediction import Prediction

COSTS = ("fit_s", "predict_us", "parameters")
"""What folds take: seconds to fit, microseconds to predict a row, numbers learned in a fold."""


@dataclass(frozen=True)
class FoldResult:
    """What one fold gave.

    Attributes:
        fold: the fold.
        estimator: the fitted model, its history in it.
        prediction: its predictions for the rows that were asked for, the test rows as a rule.
        truth: (N,) people at those rows.
        metrics: the scores of the prediction.
        fit_s: seconds that the fit took.
        predict_s: seconds that the predictions took.
    """

    fold: Fold
    estimator: Estimator
    prediction: Prediction
    truth: Ints
    metrics: dict[str, float]
    fit_s: float
    predict_s: float


def run_fold(config: Config, fold: Fold, steps: Steps) -> FoldResult:
    """Return what a model learned from a fold and how it did on the fold's test rows.

    Under the honest protocol the model meets the test rows blank until it is fitted, and their
    labels never.

    Args:
        config: the experiment; the fold's log is the one it asks for.
        fold: the rows to learn from and those to score.
        steps: the progress of the fit.
    """
    shown = fold.sealed() if config.protocol == "honest" else fold
    return _run(config, fold, shown, fold.log.frame, fold.test, steps)


def validate_fold(config: Config, fold: Fold, steps: Steps) -> FoldResult:
    """Return what a model learned from a fold's training rows and how it did on the fold's validation rows.

    That is the score by which settings are chosen: the test rows are not there, not even as the past of a
    validation row, and validation rows choose no more than the number of epochs.

    Args:
        config: the experiment, under the honest protocol.
        fold: the rows to learn from and those to score.
        steps: the progress of the fit.
    """
    assert config.protocol == "honest", "the report's protocol stops on the test rows"
    config = config.model_copy(update={"train": config.train.model_copy(update={"refit": False})})
    sealed = fold.sealed()
    return _run(config, fold, sealed, sealed.log.frame[~fold.test], fold.validation[~fold.test], steps)


def _run(config: Config, fold: Fold, shown: Fold, frame: pd.DataFrame, asked: Rows, steps: Steps) -> FoldResult:
    """Return what a model learned from a fold as it is shown, and what it gives for the rows asked (N,) of a frame."""
    estimator = make_estimator(config)
    count = fold.log.schema.count
    with one_thread():
        start = time.perf_counter()
        estimator.fit(shown, steps)
        fitted = time.perf_counter()
        # The rows asked for alone are a decoder's past: the model may have learned the labels of those before by heart.
        prediction = predict_by_room(estimator, frame.drop(columns=count), asked, fold.log, past=asked)
        predicted = time.perf_counter()
    truth = frame.loc[asked, count].to_numpy(np.int64)
    metrics = score([(prediction, truth)], fold.log.max_gap)
    return FoldResult(fold, estimator, prediction, truth, metrics, fitted - start, predicted - fitted)


def costs(results: Sequence[FoldResult]) -> dict[str, float]:
    """Return what folds took together, see `COSTS`."""
    rows = sum(len(result.truth) for result in results)
    fit_s = sum(result.fit_s for result in results)
    predict_us = 1e6 * sum(result.predict_s for result in results) / rows
    parameters = float(max(result.estimator.parameters for result in results))
    return dict(zip(COSTS, (fit_s, predict_us, parameters), strict=True))


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch and numpy to one thread within: models are so small that threads cost more than they give."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)
