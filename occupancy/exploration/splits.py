"""The parts of the folds, and how much test rows differ from training rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import ks_2samp

from occupancy.arrays import Floats
from occupancy.data.folds import PARTS, Fold
from occupancy.exploration.cells import shaded_cells
from occupancy.exploration.parts import Picture, Section, Subject
from occupancy.plots.figure import NARROW, titled_figure
from occupancy.plots.folds import fold_timeline


def folds(subject: Subject) -> Section:
    """Return the folds on the time axis, with the labels of each part."""
    title = "Which rows are for training, and which for test?"
    if not subject.folds:
        return Section(title, f"No folds are shown: {subject.scheme}", in_short=False)
    classes = int(np.nanmax(subject.counts)) + 1
    rows = [_row(fold, part, classes) for fold in subject.folds for part in PARTS]
    tested = {fold.number: fold.labels(fold.test, classes) for fold in subject.folds}
    lacking = [
        f"fold {number} lacks {', '.join(map(str, np.flatnonzero(found == 0)))}"
        for number, found in tested.items()
        if not found.all()
    ]
    shares = [fold.test.sum() / len(fold.test) for fold in subject.folds]
    return Section(
        title,
        f"Scheme {subject.scheme}: {len(subject.folds)} folds, whose test parts hold {min(shares):.0%} to "
        f"{max(shares):.0%} of the rows. "
        + (
            f"Some counts are not in every test part: {'; '.join(lacking)}."
            if lacking
            else "Every test part has every count."
        ),
        [
            "Validation rows are cut out of the training rows; they choose the number of epochs. Test rows are only "
            "scored."
        ],
        [
            Picture(
                partial(fold_timeline, subject.folds, f"Folds {subject.scheme}: the part of each row, above the count"),
                "the parts of each fold on the time axis, above the count",
            )
        ],
        ([["fold"], ["part"], ["rows"], *(["count", str(count)] for count in range(classes))], rows),
    )


def drift(subject: Subject) -> Section | None:
    """Return how much test readings differ from training readings in each fold; None without folds or readings."""
    if not subject.folds or not subject.varying:
        return None
    distance, outside = distances(subject), shares_outside(subject)
    if distance.isna().all(axis=None):
        return None
    (fold, name, most), (where, far, farthest) = _largest(outside), _largest(distance)
    return Section(
        "Are test rows similar to training rows?",
        f"Test rows differ most from training rows in {far}, {where} (distance {farthest:.2f} of at most 1). "
        + (
            f"{most:.0%} of the test readings of {name} in {fold} are outside the range of the training readings."
            if most > 0
            else "No test reading is outside the range of the training readings."
        ),
        [
            "First figure: the largest difference between the two cumulative distributions (Kolmogorov and Smirnov), 0 "
            "if they are equal, 1 if they do not overlap. Second figure: the share of test readings below the smallest "
            "or above the largest training reading; there a model extrapolates. Grey: no readings in one of the parts. "
            "Part of the difference comes from people, since the parts differ in their counts. These figures use test "
            "readings only to describe the log; nothing is chosen by them."
        ],
        [
            Picture(
                partial(_draw_drift, distance, outside),
                "distance between test and training readings, and test readings out of range",
            )
        ],
    )


def distances(subject: Subject) -> pd.DataFrame:
    """Return the Kolmogorov-Smirnov distance of test from training readings, by fold (rows) and sensor (columns)."""
    return _each(subject, lambda train, test: float(ks_2samp(train, test).statistic))


def shares_outside(subject: Subject) -> pd.DataFrame:
    """Return the share of test readings outside the range of training readings, by fold (rows) and sensor (columns)."""
    return _each(subject, lambda train, test: float(np.mean((test < train.min()) | (test > train.max()))))


def _each(subject: Subject, measure: Callable[[Floats, Floats], float]) -> pd.DataFrame:
    frame = subject.log.frame[subject.varying]
    found = {}
    for fold in subject.folds:
        train, test = frame[fold.train | fold.validation], frame[fold.test]
        found[f"fold {fold.number}"] = {
            str(name): _measured(measure, train[name].dropna().to_numpy(), test[name].dropna().to_numpy())
            for name in frame
        }
    return pd.DataFrame(found).T


def _measured(measure: Callable[[Floats, Floats], float], train: Floats, test: Floats) -> float:
    """Return a measure of two parts; NaN if a sensor has no reading in one of them."""
    return measure(train, test) if len(train) and len(test) else np.nan


def _largest(table: pd.DataFrame) -> tuple[str, str, float]:
    values = table.to_numpy(np.float64)
    row, column = divmod(int(np.nanargmax(values)), values.shape[1])
    return str(table.index[row]), str(table.columns[column]), float(values[row, column])


def _row(fold: Fold, part: str, classes: int) -> list[str]:
    mask = getattr(fold, part)
    return [str(fold.number), part, f"{mask.sum():,}", *(f"{number:,}" for number in fold.labels(mask, classes))]


def _draw_drift(distance: pd.DataFrame, outside: pd.DataFrame, width: float) -> Figure:
    beside = width > NARROW
    height = (1.6 + 0.3 * distance.shape[1]) * (1 if beside else 2)
    title = "Test readings compared with training readings: darker cells differ more"
    figure = titled_figure(height, title, width, wspace=0.06)
    left, right = figure.subplots(*((1, 2) if beside else (2, 1)), sharey=True)
    shaded_cells(left, distance.T, (0.0, 1.0), "distance between distributions")
    shaded_cells(right, outside.T, (0.0, 1.0), "share of test readings out of range")
    return figure
