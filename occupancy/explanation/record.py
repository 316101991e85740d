"""The record of an explanation in MLflow, in the run that is open."""

from __future__ import annotations

from collections.abc import Mapping

import mlflow
from matplotlib.figure import Figure

FOLDER = "explanation"


def log_files(
    figures: Mapping[str, Figure], texts: Mapping[str, str] | None = None, metrics: Mapping[str, float] | None = None
) -> None:
    """Record figures, by name, and files of text, by file name, under ``explanation/``; and metrics, by key."""
    for name, figure in figures.items():
        mlflow.log_figure(figure, f"{FOLDER}/{name}.png")
    for name, text in (texts or {}).items():
        mlflow.log_text(text, f"{FOLDER}/{name}")
    mlflow.log_metrics(dict(metrics or {}))
