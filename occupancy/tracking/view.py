"""What MLflow's page of an experiment shows first: its description, columns and charts.

By default MLflow shows no scores in the table of runs, and draws all metrics in alphabetical order. A view that is
saved in the experiment's tags says otherwise; MLflow lists it under "Views", and an address can name it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

NAME = "scores"
"""The view of the experiments that have scores, the best first."""
_FOLDS = "folds"  # the view of all runs, each experiment above its folds, the newest first
_SAVED = "mlflow.sharedViewState."
_SCORES = ("mse", "f1_macro", "mse_pooled")
_COLUMNS = {  # those that people compare come first; widths in pixels
    "attributes.`Run Name`": 190,
    "runDateAndNestInfo": 150,
    "tags.`mse`": 90,
    "tags.`f1_macro`": 95,
    "tags.`mse_pooled`": 105,
    "params.`seed`": 80,
    "tags.`folds`": 85,
    "tags.`protocol`": 80,
}
_CHARTS = ("mse_avg", "f1_macro_avg", "mse_pooled", "nll_avg", "coverage_90_avg", "latency_s_avg")
_ABOUT = """\
Compare `mse` (lower is better) and `f1_macro` (higher is better), the means over the folds.

A run is one config, its children are its folds (the view *folds* lists them); `mse_pooled` is
over all test rows. The tags of these names are
rounded; the metrics (`mse_avg`, `f1_macro_avg`, ...) have all digits. Only runs of the same `folds` and dataset
compare. Protocol *report* stops on the test rows, so its figures are optimistic. With intervals for the differences:
`occupancy compare`.
"""


def scores(metrics: Mapping[str, float]) -> dict[str, str]:
    """Return the tags that show a run's scores in the table, rounded: MLflow would show a metric with all its digits.

    Args:
        metrics: of a fold, or the means over folds (``_avg``) of an experiment; some may be NaN or absent.
    """
    found = {name: metrics.get(f"{name}_avg", metrics.get(name, math.nan)) for name in _SCORES}
    return {name: f"{value:.4f}" for name, value in found.items() if math.isfinite(value)}


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
    # Sorted by a score, MLflow mixes folds with experiments, so they have a view of their own.
    best_first = {"searchFilter": "metrics.mse_avg >= 0", "orderByKey": "metrics.`mse_avg`", "orderByAsc": True}
    return {
        "mlflow.note.content": _ABOUT,
        "mlflow.experimentKind": "custom_model_development",  # older versions of MLflow ask for it in a dialog
        "mlflow.experiment.primaryMetric.name": "mse_avg",
        "mlflow.experiment.primaryMetric.greaterIsBetter": "False",
        **_saved(NAME, state | best_first),
        **_saved(_FOLDS, state),
    }


def _saved(name: str, state: Mapping[str, object]) -> dict[str, str]:
    return {f"{_SAVED}{name}": json.dumps({"name": name, "createdAt": 0, "state": json.dumps(state)})}


def route(experiment_id: str, tags: Mapping[str, str]) -> str:
    """Return what follows a server's address to open an experiment's runs, in that view if its tags have it."""
    # Without its workflow, or with a view that is not there, MLflow takes any experiment for one with language models,
    # and shows their traces.
    view = f"&viewStateShareKey={NAME}" if f"{_SAVED}{NAME}" in tags else ""
    return f"/#/experiments/{experiment_id}/runs?workflowType=machine_learning{view}"
