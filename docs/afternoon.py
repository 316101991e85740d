"""The picture of the README: an afternoon that the best model has not seen.

    make train
    python docs/afternoon.py [tracking.uri=sqlite:///mlflow.db]

Draws docs/images/predictions.png from the predictions that the newest run of configs/best.yaml recorded on the third
fold of `forward`: from the fold's first row until the room has been empty for half an hour.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from occupancy.cli.command import run
from occupancy.compare import Question
from occupancy.config.parsing import COMMAND_LINE, parse_overrides, resolve
from occupancy.errors import InputError
from occupancy.plots.prediction import counts
from occupancy.prediction import Prediction
from occupancy.tracking.read import PREDICTIONS, read_runs

NAME, FOLD = "best", 3
EMPTY = pd.Timedelta("30min")  # of the night that follows, after the last person left
IMAGE = Path(__file__).parent / "images" / "predictions.png"


def main(overrides: Sequence[str]) -> None:
    """Draw the picture from the store that the overrides name."""
    question = resolve(Question, {}, COMMAND_LINE, parse_overrides(overrides))
    named = [one for one in read_runs(question.tracking) if one.name == NAME and one.status == "FINISHED"]
    if not named:
        raise InputError(f"{question.tracking.uri} has no finished run of {NAME}; run `make train` first")
    fold = next(fold for fold in named[0].folds if fold.number == FOLD)
    mlflow.set_tracking_uri(question.tracking.uri.plain())
    text = mlflow.artifacts.load_text(f"{fold.artifact_uri}/{PREDICTIONS}")
    rows = pd.read_csv(io.StringIO(text), index_col="time", parse_dates=["time"])
    rows = rows[: rows.index[rows["truth"] > 0].max() + EMPTY]
    columns = {name: rows[name].to_numpy() for name in ("mean", "std", "lower", "upper")}
    label, probs = rows["count"].to_numpy(), rows.filter(regex=r"^p\d+$").to_numpy()
    wrong = float(np.mean(label != rows["truth"]))
    title = f"{rows.index[0]:%d %B %Y}: counted by {NAME}, trained on the rows before; {wrong:.0%} of rows wrong"
    prediction = Prediction(pd.DatetimeIndex(rows.index), label, probs, **columns)
    counts(prediction, title, truth=rows["truth"].to_numpy()).savefig(IMAGE)
    print(f"picture  {IMAGE}")


if __name__ == "__main__":
    sys.exit(run("docs/afternoon.py", lambda: main(sys.argv[1:])))
