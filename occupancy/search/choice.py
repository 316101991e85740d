"""What a search chooses: for each fold by that fold's own validation rows, and one setting for all folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from occupancy.errors import InputError
from occupancy.execution.unit import Failure, Outcome, Scores


def score_of(outcome: Outcome, metric: str) -> float:
    """Return one score of a unit, nan where there is none."""
    return outcome.metrics.get(metric, np.nan) if isinstance(outcome, Scores) else np.nan


def score_table(outcomes: Mapping[tuple[int, int], Outcome], metric: str) -> pd.DataFrame:
    """Return one score of each trial (rows, by number) on each fold (columns, by number); nan where there is none.

    Args:
        outcomes: by trial and fold.
        metric: the name of the score.
    """
    scores = {place: score_of(outcome, metric) for place, outcome in outcomes.items()}
    return pd.Series(scores, dtype=float).unstack().sort_index().sort_index(axis=1)  # noqa: PD010 (not a pivot)


def choose_nested(scores: pd.DataFrame, outcomes: Mapping[tuple[int, int], Outcome]) -> dict[int, int]:
    """Return for each fold the number of the trial with the lowest score on its own validation rows.

    Args:
        scores: one of each trial (rows) on each fold (columns).
        outcomes: what they come from, by trial and fold.

    Raises:
        InputError: every trial failed on a fold.
    """
    trials, folds = scores.index.to_numpy(np.int64), scores.columns.to_numpy(np.int64)
    for fold in folds[scores.isna().all()]:
        errors = [outcomes[int(trial), int(fold)] for trial in trials]
        said = error_of(errors) or "its score is undefined"
        raise InputError(f"fold {fold}: none of {len(errors)} trials gave a score; the first: {said}")
    return {int(fold): int(trials[np.nanargmin(scores[fold])]) for fold in folds}


def choose_shared(scores: pd.DataFrame) -> int | None:
    """Return the number of the trial with the lowest mean score over all folds, or none if each failed somewhere.

    In effect test rows take part in the choice, for one fold's validation rows are another's test.
    """
    means = scores.mean(axis=1, skipna=False)
    return None if means.isna().all() else int(scores.index.to_numpy(np.int64)[np.nanargmin(means)])


def error_of(outcomes: Sequence[Outcome]) -> str | None:
    """Return why the first of some units failed that did, or none if all gave scores."""
    return next((outcome.error for outcome in outcomes if isinstance(outcome, Failure)), None)


def mean_of(outcomes: Sequence[Outcome], keys: Sequence[str]) -> dict[str, float]:
    """Return the mean of each score over the folds where it is defined; nan for all if a fold failed."""
    if error_of(outcomes) is not None:
        return dict.fromkeys(keys, np.nan)
    values = {key: [o.metrics.get(key, np.nan) for o in outcomes if isinstance(o, Scores)] for key in keys}
    return {key: float(pd.Series(column, dtype=float).mean()) for key, column in values.items()}
