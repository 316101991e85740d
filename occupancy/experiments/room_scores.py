"""The scores of each of many rooms in one table, whether each has its own model or all share one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from occupancy.execution.references import pool
from occupancy.execution.unit import Failure, Outcome
from occupancy.metrics import aggregate, score
from occupancy.tracking.fold import Tested

ROOM, ROWS, ERROR = "room", "rows", "error"
_BY_ROW = ("mse", "mse_mean", "f1_micro", "nll", "brier")  # means over rows, so those of rooms make that of all rows


def of_folds(results: Sequence[Tested]) -> pd.DataFrame:
    """Return a row a room that was tested: its name, its fold, its tested rows and its scores; sorted by name."""
    rows: list[dict[str, Any]] = []
    for result in results:
        log, start = result.fold.log, 0
        for place in log.rooms:
            if tested := int(result.fold.test[place.first : place.end].sum()):
                part = slice(start, start + tested)
                scores = score([(result.prediction.at(part), result.truth[part])], log.max_gap)
                rows.append({ROOM: place.name, "fold": result.fold.number, ROWS: tested, **scores})
                start += tested
    return pd.DataFrame(rows).sort_values(ROOM, ignore_index=True)


def of_outcomes(outcomes: Mapping[str, Outcome]) -> pd.DataFrame:
    """Return a row a room: its name, its tested rows, its scores, or why it has none; sorted by name."""
    rows = [
        {ROOM: name, ROWS: 0, ERROR: outcome.error}
        if isinstance(outcome, Failure)
        else {ROOM: name, ROWS: outcome.rows.get("test", 0), ERROR: "", **outcome.metrics}
        for name, outcome in sorted(outcomes.items())
    ]
    return pd.DataFrame(rows)


def over_rooms(table: pd.DataFrame) -> dict[str, float]:
    """Return ``_avg`` and ``_std`` of each score over the rooms that have scores, and what can be told of all rows.

    ``mse`` also has ``_median`` and ``_worst``; means over rows have ``_pooled``.
    """
    scored = table[table[ROWS] > 0]
    scores = scored.drop(columns=[ROOM, ROWS, "fold", ERROR], errors="ignore")
    metrics = aggregate([{str(key): float(value) for key, value in row.items()} for row in scores.to_dict("records")])
    mse = scored["mse"].to_numpy(np.float64)
    means = {key: float(np.average(scored[key], weights=scored[ROWS])) for key in _BY_ROW}
    pooled = {f"{key}_pooled": value for key, value in (means | pool(scored, scored[ROWS].tolist())).items()}
    return {**metrics, "mse_median": float(np.median(mse)), "mse_worst": float(mse.max()), **pooled}


def worst(table: pd.DataFrame, rooms: int) -> pd.DataFrame:
    """Return so many rooms with the largest squared error, the largest first."""
    return table[table[ROWS] > 0].nlargest(rooms, "mse")
