"""What the run of a fold shows beside its scores: curves, figures, and predictions as a table."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Metric

from occupancy.arrays import Ints
from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.files import to_csv
from occupancy.plots.prediction import confusion, predictions
from occupancy.plots.training import learning_curves, transitions
from occupancy.prediction import Prediction

PREDICTIONS = "predictions.csv"
_DRAWN_ROOMS = 3
_METRICS_AT_ONCE = 1000  # MLflow takes no more


@dataclass(frozen=True)
class Tested:
    """A fold's model on its test rows.

    Attributes:
        fold: the fold.
        prediction: of its test rows.
        truth: (N,) people at these rows.
    """

    fold: Fold
    prediction: Prediction
    truth: Ints


def log_fold(
    client: MlflowClient, run_id: str, config: Config, tested: Tested, history: pd.DataFrame, chosen_epochs: int
) -> None:
    """Write curves, figures and predictions into the run of a fold.

    Args:
        client: of the store.
        run_id: the run.
        config: the experiment.
        tested: the model on its test rows.
        history: one row an epoch, see `occupancy.models.estimator.Estimator`.
        chosen_epochs: how many epochs the used fit took.
    """
    _log_history(client, run_id, history)
    for name, figure in _figures(config, tested, history, chosen_epochs).items():
        client.log_figure(run_id, figure, f"figures/{name}.png")
    client.log_text(run_id, to_csv(_table(tested)), PREDICTIONS)


def _table(tested: Tested) -> pd.DataFrame:
    """Return a row a test row: its time, truth, room where there are many, and prediction."""
    table = tested.prediction.to_frame()
    table.insert(1, "truth", tested.truth)
    if rooms := tested.fold.log.rooms:  # whose times are shifted
        place = np.searchsorted([each.end for each in rooms], np.flatnonzero(tested.fold.test), side="right")
        table.insert(2, "room", [rooms[each].name for each in place])
        table.insert(3, "room_time", table["time"] - pd.Series([rooms[each].shift for each in place]))
    return table


def _log_history(client: MlflowClient, run_id: str, history: pd.DataFrame) -> None:
    if history.empty:
        return
    now = int(time.time() * 1000)
    # Trainings of several lengths to choose from are told apart by their length: search_8, search_12.
    lengths = history.groupby("stage")["epochs"].transform("nunique")
    stage = history["stage"].where(lengths == 1, history["stage"] + "_" + history["epochs"].astype(str))
    means = history.groupby([stage, "epoch"])[["train_loss", "val_loss"]].mean().reset_index()
    losses = means.melt(["stage", "epoch"]).dropna()
    metrics = [
        Metric(f"{row['stage']}/{row['variable']}", row["value"], now, row["epoch"])
        for row in losses.to_dict("records")
    ]
    for start in range(0, len(metrics), _METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=metrics[start : start + _METRICS_AT_ONCE])
    client.log_text(run_id, history.to_csv(index=False), "history.csv")


def _figures(config: Config, tested: Tested, history: pd.DataFrame, chosen_epochs: int) -> dict[str, Figure]:
    where = f"{config.name}, fold {tested.fold.number} of {config.data.folds}"
    prediction, truth, title = tested.prediction, tested.truth, f"{where}: predicted against true count"
    if tested.fold.log.rooms:
        first, names = _first_rooms(tested)
        prediction, truth, title = prediction.at(first), truth[first], f"{title}; {names}, their times shifted"
    figures = {
        "predictions": predictions(prediction, truth, title, tested.fold.log.max_gap),
        "confusion": confusion(
            tested.prediction.label, tested.truth, config.data.max_count + 1, f"{where}: which count is taken for which"
        ),
    }
    if not history.empty:
        figures["learning_curves"] = learning_curves(history, chosen_epochs)
    chain = transitions(history, config.data.max_count + 1, f"{where}: what the chain gives up by changing its label")
    return figures if chain is None else {**figures, "transitions": chain}


def _first_rooms(tested: Tested) -> tuple[slice, str]:
    """Return the rows and names of the first rooms that a fold tested: of all, nobody could see any in one figure."""
    rooms = [place for place in tested.fold.log.rooms if tested.fold.test[place.first]][:_DRAWN_ROOMS]
    return slice(0, sum(place.end - place.first for place in rooms)), ", ".join(place.name for place in rooms)
