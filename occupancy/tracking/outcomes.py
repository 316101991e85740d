"""What a unit gave, as its run in MLflow holds it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from occupancy.execution.fold import COSTS
from occupancy.execution.unit import Failure, Outcome, Scored, Scores
from occupancy.tracking.run import FAILED, FINISHED
from occupancy.tracking.run import write as write_run

ERROR = "error"  # the tag of a run that says why it gave no scores
_VALIDATION = "validation_"  # before the names of scores on validation rows, which are not test scores
_EPOCHS, _ROWS = "chosen_epochs", "rows"


def write(client: MlflowClient, run: Run, outcome: Outcome, params: Mapping[str, Any], scored: Scored = "test") -> str:
    """Write what a unit gave into its run, and return how the run ends: FINISHED, or FAILED with the reason.

    Args:
        client: of the store.
        run: that of the unit, as it was before; an old reason of failing is deleted if it now succeeds.
        outcome: what it gave.
        params: what it was; MLflow takes a parameter once, so what the run holds already stays.
        scored: which rows the scores are of.
    """
    run_id = run.info.run_id
    params = {name: value for name, value in params.items() if name not in run.data.params}
    if isinstance(outcome, Failure):
        write_run(client, run_id, params=params, tags={ERROR: outcome.error})
        return FAILED
    prefix = _VALIDATION if scored == "validation" else ""
    metrics = {f"{prefix}{name}": value for name, value in outcome.metrics.items()} | dict(outcome.costs)
    params |= {_EPOCHS: outcome.chosen_epochs, _ROWS: dict(outcome.rows)}
    write_run(client, run_id, metrics, params)
    if ERROR in run.data.tags:
        client.delete_tag(run_id, ERROR)
    return FINISHED


def read(run: Run) -> Scores:
    """Return what the unit of a finished run gave."""
    metrics = {name.removeprefix(_VALIDATION): value for name, value in run.data.metrics.items()}
    costs = {name: metrics.pop(name) for name in COSTS if name in metrics}
    return Scores(metrics, costs, int(run.data.params[_EPOCHS]), json.loads(run.data.params[_ROWS]))
