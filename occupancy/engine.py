"""One unit of work: a configuration, a fold of a log, and what came of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.metrics import score
from occupancy.models import make_estimator
from occupancy.models.estimator import Estimator, OnEpoch
from occupancy.prediction import Ints, Prediction


@dataclass(frozen=True)
class FoldResult:
    """What one fold gave.

    Attributes:
        fold: the fold.
        estimator: the fitted model, its history in it.
        prediction: its predictions for the fold's test rows.
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


def run_fold(config: Config, fold: Fold, on_epoch: OnEpoch) -> FoldResult:
    """Return what a model learned from a fold and how it did on the fold's test rows.

    Under the honest protocol the model meets the test rows blank until it is fitted, and their
    labels never.

    Args:
        config: the experiment; the fold's log is the one it asks for.
        fold: the rows to learn from and those to score.
        on_epoch: told of every epoch.
    """
    estimator = make_estimator(config)
    with _one_thread():
        start = time.perf_counter()
        estimator.fit(fold.sealed() if config.protocol == "honest" else fold, on_epoch)
        fitted = time.perf_counter()
        sensors = fold.log.frame.drop(columns=fold.log.schema.count)
        prediction = estimator.predict(sensors, fold.test)
        predicted = time.perf_counter()
    truth = fold.counts(fold.test)
    metrics = score([(prediction, truth)], fold.log.max_gap)
    return FoldResult(fold, estimator, prediction, truth, metrics, fitted - start, predicted - fitted)


def costs(results: Sequence[FoldResult]) -> dict[str, float]:
    """Return what folds took together: seconds to fit, microseconds to predict a row, numbers learned in a fold."""
    rows = sum(len(result.truth) for result in results)
    return {
        "fit_s": sum(result.fit_s for result in results),
        "predict_us": 1e6 * sum(result.predict_s for result in results) / rows,
        "parameters": float(max(result.estimator.parameters for result in results)),
    }


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch to one thread: these networks are so small that threads cost more than they give."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
