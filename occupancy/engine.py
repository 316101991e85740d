"""One unit of work: a configuration, a fold of a log, and what came of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.metrics import score
from occupancy.models import ESTIMATORS
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
    """

    fold: Fold
    estimator: Estimator
    prediction: Prediction
    truth: Ints
    metrics: dict[str, float]


def run_fold(config: Config, fold: Fold, on_epoch: OnEpoch) -> FoldResult:
    """Return what a model learned from a fold and how it did on the fold's test rows.

    Under the honest protocol the model meets the test rows blank until it is fitted, and their
    labels never.

    Args:
        config: the experiment; the fold's log is the one it asks for.
        fold: the rows to learn from and those to score.
        on_epoch: told of every epoch.
    """
    estimator = ESTIMATORS[config.model.name](config)
    with _one_thread():
        estimator.fit(fold.sealed() if config.protocol == "honest" else fold, on_epoch)
        sensors = fold.log.frame.drop(columns=fold.log.schema.count)
        prediction = estimator.predict(sensors, fold.test)
    truth = fold.counts(fold.test)
    return FoldResult(fold, estimator, prediction, truth, score([(prediction, truth)], fold.log.max_gap))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch to one thread: these networks are so small that threads cost more than they give."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
