"""What a configuration gives on a fold of a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from occupancy.arrays import Ints, Rows
from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.execution.references import score_references, skills
from occupancy.metrics import score
from occupancy.models import make_estimator
from occupancy.models.estimator import Estimator, Steps
from occupancy.models.rooms import predict_by_room
from occupancy.prediction import Prediction

COSTS = ("fit_s", "predict_us", "parameters")
"""What folds take: seconds to fit, microseconds to predict a row, numbers learned in a fold."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A model fitted to a fold.

    Attributes:
        fold: the fold.
        estimator: the fitted model, its history in it.
        fit_s: seconds that the fit took.
        metrics: the scores of its predictions, and of references on the same rows; empty if it was asked for none.
    """

    fold: Fold
    estimator: Estimator
    fit_s: float
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FoldResult(Fitted):
    """A fitted model and its predictions.

    Attributes:
        prediction: of the rows that were asked for, usually the test rows.
        truth: (N,) people at those rows.
        predict_s: seconds that the predictions took.
    """

    prediction: Prediction
    truth: Ints
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
    shown = ~fold.seen(fold.test)
    return _run(config, fold, sealed, sealed.log.frame, fold.validation, steps, shown)


def fit_final(config: Config, fold: Fold, steps: Steps) -> Fitted:
    """Return the model to use, which has learned from every labelled row; it scores nothing.

    Args:
        config: the experiment, under the honest protocol.
        fold: all labelled rows to learn from, some of which choose the number of epochs; see `final_fold`.
        steps: the progress of the fit.
    """
    assert config.protocol == "honest", "the report's protocol stops on the test rows, of which there are none"
    assert not fold.test.any(), "the model to use has no test rows"
    config = config.model_copy(update={"train": config.train.model_copy(update={"refit": True})})
    estimator = make_estimator(config)
    with one_thread():
        start = time.perf_counter()
        estimator.fit(fold, steps)
        return Fitted(fold=fold, estimator=estimator, fit_s=time.perf_counter() - start)


def _run(
    config: Config,
    fold: Fold,
    shown: Fold,
    frame: pd.DataFrame,
    asked: Rows,
    steps: Steps,
    there: Rows | None = None,
) -> FoldResult:
    """Return what a model learned from a fold as it is shown, and what it gives for the rows asked (N,) of a frame.

    The frame has sensors and counts; of its rows only those that are ``there`` (N,) serve the prediction, None for all.
    """
    past = fold.seen(asked)
    if there is not None:
        frame, asked, past = frame[there], asked[there], past[there]
    estimator = make_estimator(config)
    count = fold.log.schema.count
    with one_thread():
        start = time.perf_counter()
        estimator.fit(shown, steps)
        fitted = time.perf_counter()
        # The rows of the part alone are a decoder's past: the labels of those before may be learned by heart.
        prediction = predict_by_room(estimator, frame.drop(columns=count), asked, fold.log, past=past)
        predicted = time.perf_counter()
    truth = frame.loc[asked, count].to_numpy(np.int64)
    metrics = score([(prediction, truth)], fold.log.max_gap) | score_references(config, shown, frame, asked, truth)
    return FoldResult(
        fold=fold,
        estimator=estimator,
        fit_s=fitted - start,
        metrics=metrics | skills(metrics),
        prediction=prediction,
        truth=truth,
        predict_s=predicted - fitted,
    )


def costs(result: Fitted) -> dict[str, float]:
    """Return what a fold took, see `COSTS`; without predictions, no time for them."""
    predict = {"predict_us": 1e6 * result.predict_s / len(result.truth)} if isinstance(result, FoldResult) else {}
    return {"fit_s": result.fit_s, **predict, "parameters": float(result.estimator.parameters)}


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch and numpy to one thread within: models are so small that threads cost more than they give."""
    torch = sys.modules.get("torch")  # a network has imported it; other models need not wait for it
    threads = torch.get_num_threads() if torch else 1
    if torch:
        torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        if torch:
            torch.set_num_threads(threads)
