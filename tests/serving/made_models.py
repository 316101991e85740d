"""A small network, saved as MLflow has it, and an hour of readings for it."""

from __future__ import annotations

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from occupancy.config import LSTM, Config, Data, Room, Simulation, Train
from occupancy.data.folds import Fold
from occupancy.data.schema import UCI
from occupancy.data.source import open_log
from occupancy.models import make_estimator
from occupancy.models.estimator import NO_STEPS
from occupancy.serving.model import save
from occupancy.tracking.model import signature

DATA = Data(source="simulated", max_gap=600, simulation=Simulation(days=1, room=Room(step_s=300)))


def save_for_mlflow(folder: Path) -> None:
    """Write a fitted model into ``saved`` below a folder, and MLflow's model of it into ``mlflow``."""
    training = Train(max_epochs=1, members=1, device="cpu")
    config = Config(name="it", data=DATA, model=LSTM(window=3, layers=1, hidden=4), train=training)
    estimator, log = make_estimator(config), open_log(DATA)[0]
    row = np.arange(len(log.frame))
    estimator.fit(Fold(1, log, row < 180, (row >= 180) & (row < 230), row >= 230), NO_STEPS)
    (folder / "saved").mkdir()
    save(estimator, UCI, folder / "saved")
    mlflow.pyfunc.save_model(
        folder / "mlflow",
        loader_module="occupancy.serving",
        data_path=str(folder / "saved"),
        signature=signature(config, UCI),
        pip_requirements=["pandas"],
    )


def an_hour() -> pd.DataFrame:
    """Return an hour of the day, without counts, as ``pandas.read_csv`` gives it."""
    frame = open_log(DATA)[0].frame.drop(columns=UCI.count).reset_index()[120:132]
    times = frame.pop("time").dt
    frame.insert(0, "Date", times.strftime("%Y/%m/%d"))
    frame.insert(1, "Time", times.strftime("%H:%M:%S"))
    return frame.reset_index(drop=True)
