"""What an experiment gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from occupancy.experiments.plan import Plan


@dataclass(frozen=True)
class FoldScores:
    """What one fold gave.

    Attributes:
        number: the fold, from 1.
        rows: its test rows.
        epochs: how many the used fit took; 0 for a model without epochs.
        metrics: its scores.
    """

    number: int
    rows: int
    epochs: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Result:
    """What an experiment gave.

    Attributes:
        run_id: its parent run in MLflow.
        plan: the experiment.
        metrics: every metric with ``_avg`` and ``_std`` over folds and ``_pooled`` over all test rows; for rooms with
            a model each, see `occupancy.experiments.room_scores.over_rooms`.
        rows: of all logs that could be read.
        folds: one for each fold; empty for rooms with a model each.
        rooms: a row a room where there are many, see `occupancy.experiments.room_scores`.
        model: the model to use as ``predict --model`` takes it, if there is one.
    """

    run_id: str
    plan: Plan
    metrics: Mapping[str, float]
    rows: int
    folds: Sequence[FoldScores] = ()
    rooms: pd.DataFrame | None = None
    model: str | None = None
