"""Times, predictions, folds and losses to draw, and what a drawn figure shows of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from occupancy.arrays import Floats, Ints, Rows
from occupancy.plots.prediction import predictions
from occupancy.prediction import Prediction, from_people

UCI_LIKE = ("2017-12-22 10:50", 600), ("2017-12-25 09:10", 300), ("2018-01-10 15:25", 200)
LOGS = {
    "one row": [("2017-12-22 10:50", 1)],
    "two rows": [("2017-12-22 23:59:40", 2)],
    "four minutes": [("2017-12-22 10:50", 8)],
    "nine hours": [("2017-12-22 15:24", 1_030)],
    "two long gaps": [("2017-12-22 10:50", 5_400), ("2017-12-25 09:10", 2_800), ("2018-01-10 15:25", 2_000)],
    "a long and a very short panel": [("2017-12-22 10:50", 5_000), ("2017-12-25 09:10", 1)],
    "six lone rows": [(f"2017-12-{day} 09:10", 1) for day in range(10, 16)],
    "round times at both edges of a break": [("2017-12-22 12:00", 1_440), ("2017-12-24 00:00", 1_440)],
    "five days": [("2024-01-01", 14_400)],
    "24 working days": [(f"2024-03-{day:02d} 08:00", 1_100) for day in range(1, 25)],
}


def record(*parts: tuple[str, int]) -> pd.DatetimeIndex:
    """Return times every 30 s, a number of rows from each start."""
    ranges = [pd.date_range(start, periods=rows, freq="30s") for start, rows in parts]
    return pd.DatetimeIndex(np.concatenate(ranges))


def count(times: pd.DatetimeIndex) -> Ints:
    return (np.arange(len(times)) // 40 % 4).astype(np.int64)


def predict(times: pd.DatetimeIndex, truth: Ints) -> Prediction:
    noise = np.random.default_rng(0).normal(scale=0.4, size=(3, len(times)))
    return from_people(times, truth + noise, 0.04, max_count=3)


def show(times: pd.DatetimeIndex) -> Figure:
    return predictions(predict(times, count(times)), count(times), "LSTM, fold 1")


def cut(times: pd.DatetimeIndex) -> list[tuple[str, Rows, Rows, Rows]]:
    """Return two folds whose parts take turns along the rows; some rows of the first are in no part."""
    turn = np.arange(len(times)) * 7 // len(times)
    return [("forward 1", turn < 2, turn == 2, turn == 3), ("forward 2", (turn < 3) | (turn == 4), turn == 3, turn > 4)]


def train(members: int, epochs: int, lowest: float = 0.1) -> pd.DataFrame:
    """Return a history whose losses fall to the lowest, search and final fit."""
    rows = [
        (stage, member, epochs, epoch, lowest + 1 / epoch**2 + member, lowest + 2 / epoch + member + missing)
        for stage, missing in (("search", 0.0), ("final", np.nan))
        for member in range(members)
        for epoch in range(1, epochs + 1)
    ]
    return pd.DataFrame(rows, columns=["stage", "member", "epochs", "epoch", "train_loss", "val_loss"])


def days(times: pd.DatetimeIndex) -> Floats:
    """Return matplotlib's own numbers for times."""
    return times.as_unit("ns").asi8 / 86_400e9


def columns(figure: Figure) -> list[tuple[Axes, Axes]]:
    """Return the panels of a broken axis, each its upper and lower axes."""
    return list(zip(figure.axes[: len(figure.axes) // 2], figure.axes[len(figure.axes) // 2 :], strict=True))


def lines(axes: Axes, label: str) -> list[tuple[Floats, Floats]]:
    """Return the points of the axes' lines of one label."""
    found = [line for line in axes.get_lines() if line.get_label() == label]
    return [(np.asarray(line.get_xdata(), np.float64), np.asarray(line.get_ydata(), np.float64)) for line in found]


def bars(axes: Axes, colour: str) -> list[Bbox]:
    """Return the bars of one colour, in data coordinates."""
    found = [bar for bar in axes.collections if isinstance(bar, PolyCollection)]
    found = [bar for bar in found if (np.asarray(bar.get_facecolor()) == to_rgba(colour)).all()]
    return [path.get_extents() for bar in found for path in bar.get_paths()]


def covered(times: pd.DatetimeIndex, spans: Sequence[Bbox]) -> Rows:
    """Return the rows that begin inside a bar, (N,)."""
    second = 1 / 86_400
    inside = [(days(times) > span.x0 - second) & (days(times) < span.x1 - second) for span in spans]
    rows: Rows = np.any([np.zeros(len(times), bool), *inside], axis=0)
    return rows
