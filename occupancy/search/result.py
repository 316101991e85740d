"""What a search gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from occupancy.execution.unit import Failure, Outcome
from occupancy.search.plan import SearchPlan
from occupancy.search.space import Point, Trial


@dataclass(frozen=True)
class Tested:
    """A setting that was chosen for a fold, and its test there.

    Attributes:
        fold: the number of the fold.
        trial: the setting.
        validation: the score that it was chosen by, nan where it has none on this fold.
        outcome: what it gave on the fold's test rows.
    """

    fold: int
    trial: Trial
    validation: float
    outcome: Outcome


@dataclass(frozen=True)
class Result:
    """What a search gave.

    Attributes:
        run_id: its parent run in MLflow.
        plan: the search.
        points: each setting that did not fail, with its score.
        scores: of each trial (rows, by number) on the validation rows of each fold (columns); nan: it failed.
        failures: what failed, by trial and fold.
        nested: each fold with its own choice.
        shared: each fold with the one choice for all; empty if every trial failed on some fold.
        was_finished: whether all of it was recorded before.
    """

    run_id: str
    plan: SearchPlan
    points: Sequence[Point]
    scores: pd.DataFrame
    failures: Mapping[tuple[int, int], Failure]
    nested: Sequence[Tested]
    shared: Sequence[Tested]
    was_finished: bool
