"""What MLflow's page of an experiment shows first: its description, columns and charts.

Left to itself, MLflow shows no scores in the table of runs, and draws all metrics by the alphabet. A view that is
saved in the experiment's tags says otherwise; MLflow lists it under "Views", and an address can name it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

NAME = "scores"
_SAVED = f"mlflow.sharedViewState.{NAME}"
_COLUMNS = {  # those that people compare come first; widths in pixels
    "attributes.`Run Name`": 190,
    "runDateAndNestInfo": 150,
    "metrics.`mse_avg`": 105,
    "metrics.`f1_macro_avg`": 115,
    "metrics.`mse_pooled`": 105,
    "params.`seed`": 95,
    "tags.`folds`": 85,
    "tags.`protocol`": 80,
}
_CHARTS = ("mse_avg", "f1_macro_avg", "mse_pooled", "nll_avg", "coverage_90_avg", "latency_s_avg")
_ABOUT = """\
Compare `mse_avg` (lower is better) and `f1_macro_avg` (higher is better), the means over the folds.

A run is one config, its children are its folds; `mse_pooled` is over all test rows. Only runs of the same `folds` and
dataset compare. Protocol *report* stops on the test rows, so its figures are optimistic. With intervals for the
differences: `python -m occupancy.compare`.
"""


def tags() -> dict[str, str]:
    """Return the tags that an experiment is created with."""
    sections = [{"uuid": NAME, "name": NAME, "display": True, "isReordered": True, "deleted": False}]
    charts = [
        {"uuid": key, "type": "BAR", "metricKey": key, "displayName": key, "metricSectionId": NAME}
        | {"runsCountToCompare": 10, "deleted": False, "isGenerated": True}
        for key in _CHARTS
    ]
    state = {
        "selectedColumns": list(_COLUMNS),
        "columnOrder": list(_COLUMNS),
        "columnWidths": _COLUMNS,
        "compareRunSections": sections,
        "compareRunCharts": charts,
        "isAccordionReordered": True,  # otherwise sections are sorted by name
    }
    return {
        "mlflow.note.content": _ABOUT,
        "mlflow.experimentKind": "custom_model_development",  # older versions of MLflow ask for it in a dialog
        "mlflow.experiment.primaryMetric.name": "mse_avg",
        "mlflow.experiment.primaryMetric.greaterIsBetter": "False",
        _SAVED: json.dumps({"name": NAME, "createdAt": 0, "state": json.dumps(state)}),
    }


def route(experiment_id: str, tags: Mapping[str, str]) -> str:
    """Return what follows a server's address to open an experiment's runs, in that view if its tags have it."""
    # Without its workflow, or with a view that is not there, MLflow takes any experiment for one with language models,
    # and shows their traces.
    view = f"&viewStateShareKey={NAME}" if _SAVED in tags else ""
    return f"/#/experiments/{experiment_id}/runs?workflowType=machine_learning{view}"
