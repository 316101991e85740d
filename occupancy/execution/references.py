"""References that need no sensor, on the rows of a model: nobody in the room, the label shares, and the clock."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from occupancy.arrays import Ints, Rows
from occupancy.config import Clock, Config, Majority
from occupancy.data.folds import Fold
from occupancy.errors import InputError
from occupancy.metrics import log_loss
from occupancy.models import make_estimator
from occupancy.models.estimator import NO_STEPS
from occupancy.models.rooms import predict_by_room
from occupancy.prediction import Prediction, decide

REFERENCES = ("nobody", "shares", "clock")
"""The names of the references: a count of 0 for every row, the model ``majority``, and the model ``clock``."""
MEANS = ("mse_nobody", "mse_shares", "nll_shares", "mse_clock", "nll_clock")
"""The scores of the references. Each is a mean over rows."""
SKILLS = ("skill_nobody", "skill_clock")
"""The skill of a model over two of them, see `skills`."""


def score_references(config: Config, shown: Fold, frame: pd.DataFrame, asked: Rows, truth: Ints) -> dict[str, float]:
    """Return the scores of the references on the rows that a model is asked for, by the keys of `MEANS`.

    They learn from the same rows as the model. The label of the shares and of the clock is the count nearest to their
    mean. The scores of the clock are NaN if the rows have no step, because no two of them follow each other.

    Args:
        config: the experiment of the model.
        shown: the fold as the model saw it; sealed under the honest protocol.
        frame: N rows of the log, of which only the times are used.
        asked: (N,) the rows to score, K of them.
        truth: (K,) the counts at these rows.
    """
    found = {"mse_nobody": float(np.square(truth).mean())}
    for name, settings in (("shares", Majority()), ("clock", Clock())):
        alone = config.model_copy(update={"model": settings, "decoding": None, "calibration": None})
        estimator = make_estimator(alone)
        estimator.fit(shown, NO_STEPS)
        try:
            prediction = predict_by_room(estimator, frame[[]], asked, shown.log)
        except InputError:  # no number is finite without a step
            found |= {f"mse_{name}": math.nan, f"nll_{name}": math.nan}
        else:
            found |= _scores(name, prediction, truth)
    return found


def _scores(name: str, prediction: Prediction, truth: Ints) -> dict[str, float]:
    errors = np.square(decide(prediction).label - truth)
    return {f"mse_{name}": float(errors.mean()), f"nll_{name}": log_loss(prediction.probs, truth)}


def skills(scores: Mapping[str, float]) -> dict[str, float]:
    """Return 1 - mse / mse of the reference, by the keys of `SKILLS`; NaN if the reference makes no error.

    Args:
        scores: ``mse`` of the model, and the scores of the references on the same rows.
    """
    pairs = {key: scores[f"mse_{key.removeprefix('skill_')}"] for key in SKILLS}
    return {key: 1 - scores["mse"] / mse if mse else math.nan for key, mse in pairs.items()}


def pool(scores: pd.DataFrame, rows: Sequence[int]) -> dict[str, float]:
    """Return the scores of the references and the skills over the rows of all folds, by the keys of both.

    Args:
        scores: a row a fold (or a room that has its own model), with ``mse`` and `MEANS` as columns.
        rows: how many rows each was scored on.
    """
    means = {key: float(np.average(scores[key], weights=rows)) for key in ("mse", *MEANS)}
    return {**{key: means[key] for key in MEANS}, **skills(means)}
