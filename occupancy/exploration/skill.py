"""What a quick model of the sensors tells beyond the hour, before any training: each row by a model without its day."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from occupancy.arrays import Floats, Ints
from occupancy.cli.format import shown
from occupancy.config import Clock, Config, Data, Logistic, Majority
from occupancy.config.model import Single
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.errors import InputError
from occupancy.execution.fold import one_thread
from occupancy.exploration.parts import Section, Subject
from occupancy.metrics import log_loss
from occupancy.models import make_estimator
from occupancy.models.postprocess.out_of_fold import ENOUGH_DAYS, UNGROUPED, days_with_people, left_out, out_of_fold

MOST_ROWS, FEWEST_ROWS = 20_000, 3_000
"""With more rows than the first, every n-th day is used; the second is enough where there are many labels."""
_MOST_CELLS = 80_000  # rows times labels, which the time of the model grows with; these take seconds
_GROUPS = 4  # models of the sensors that are fitted
_TITLE = "What do the sensors tell beyond the hour?"
_NOBODY, _SHARES, _CLOCK, _SENSORS = "nobody", "label shares", "clock", "sensors"
_KNOWS = {
    _NOBODY: "nothing; always counts 0",
    _SHARES: "how often each count occurs",
    _CLOCK: "the hour and the weekday",
    _SENSORS: "the readings: logistic regression",
}
CAUTION = "the sensors of this room tell less than the clock"

Scores = Mapping[str, tuple[float, float]]
"""MSE and NLL of each model; NaN: it has no NLL."""


def section(subject: Subject) -> Section | None:
    """Return how well a quick model of the sensors counts beside the hour; None for a log without counts or sensors."""
    if not subject.labelled or not subject.varying or not np.isfinite(subject.log.step_s):
        return None
    log, every = _thinned(subject.log)
    counts = subject.counts[subject.log.labelled]
    if len(log.frame) > 4 * MOST_ROWS:
        return Section(_TITLE, f"Not measured: a day of the log has {len(log.frame):,} rows.", in_short=False)
    if len(np.unique(counts)) < 2 or len(np.unique(log.frame[log.schema.count].dropna())) < 2:
        return None
    nothing = np.zeros(len(log.frame), bool)
    fold = Fold(1, log, log.labelled, nothing, nothing, None if log.labelled.all() else ~log.labelled)
    try:
        with one_thread():
            scores = measure(fold)
    except InputError as error:
        return Section(_TITLE, f"Not measured: {error}.", in_short=False)
    by_days = days_with_people(fold, fold.train) >= ENOUGH_DAYS
    return _told(scores, "days" if by_days else "visits", every)


def _told(scores: Scores, groups: str, every: int) -> Section:
    """Return the section, given what was left out, and of how many days one was used."""
    mse = {name: shown(value) for name, (value, _) in scores.items()}
    is_worse, too_few = scores[_SENSORS][0] >= scores[_CLOCK][0], groups == "visits" and every > 1
    verdict = f"CAUTION: {CAUTION}." if is_worse else "The sensors tell more than the clock."
    line = f"skill    mse: {', '.join(f'{name} {value}' for name, value in mse.items())}"
    return Section(
        _TITLE,
        f"With whole {groups} left out, the mean squared error of a quick model of the sensors is {mse[_SENSORS]}; of "
        f"the clock, which knows only the hour and the weekday, {mse[_CLOCK]}; of counting nobody, {mse[_NOBODY]}. "
        + ("The clock has seen too few days here to be compared." if too_few else verdict),
        [
            f"Each row is predicted by models that did not learn from its {groups[:-1]}; a log with people on few days "
            "is divided into visits, or into parts in time. The label is the count nearest to the mean.",
            *([f"To save time, one day in {every} is used."] if every > 1 else []),
        ],
        table=(
            [["model"], ["what it", "knows"], ["MSE"], ["NLL"]],
            [[name, _KNOWS[name], shown(error), shown(loss)] for name, (error, loss) in scores.items()],
        ),
        printed=[line, *([f"CAUTION  {CAUTION}"] if is_worse and not too_few else [])],
    )


def measure(fold: Fold) -> Scores:
    """Return the scores of the references and of a quick model of the sensors on the training rows of a fold.

    Each row is predicted by models that left out its day or visit, see `left_out`. Rows that the model of the sensors
    does not answer, because readings are missing, are left out for all.

    Args:
        fold: a fold without validation and test rows.

    Raises:
        InputError: the sensors are not enough for a model.
    """
    groups = left_out(fold, fold.train)
    groups = np.where(groups == UNGROUPED, UNGROUPED, groups % _GROUPS)
    probs = {name: _probs(name, fold, groups) for name in (_SHARES, _CLOCK, _SENSORS)}
    answered = np.asarray(np.isfinite(np.stack(list(probs.values()))).all(axis=(0, 2)))
    if not answered.any():
        raise InputError("no row has the readings that a model of the sensors needs")
    truth = fold.counts(answered)
    scores = {_NOBODY: (float(np.square(truth).mean()), np.nan)}
    for name, of in probs.items():
        label = np.rint(of[answered] @ np.arange(of.shape[1]))
        scores[name] = float(np.square(label - truth).mean()), log_loss(of[answered], truth)
    return scores


def _probs(name: str, fold: Fold, groups: Ints) -> Floats:
    """Return the out-of-fold probabilities (N, C) of a reference or of the model of the sensors."""
    settings: dict[str, Single] = {_SHARES: Majority(), _CLOCK: Clock(), _SENSORS: Logistic(balanced=False)}
    log = fold.log
    most = max(int(np.nanmax(log.frame[log.schema.count])), 1)
    config = Config(name="explore", model=settings[name], data=Data(max_count=most, max_gap=log.max_gap))
    if name != _SENSORS:
        return out_of_fold(config, fold, groups, make_estimator)
    try:
        return out_of_fold(config.model_copy(update={"features": "physics"}), fold, groups, make_estimator)
    except InputError:  # it lacks what physics is computed from, or has too little of it
        return out_of_fold(config, fold, groups, make_estimator)


def _thinned(log: Log) -> tuple[Log, int]:
    """Return a log of few enough rows, whose missing readings are NaN, and n if it has every n-th day only."""
    frame = log.frame.astype(np.float64)
    frame[log.missing.columns] = frame[log.missing.columns].mask(log.missing)
    labels = 1 + np.nanmax(log.frame[log.schema.count])
    most = min(MOST_ROWS, max(FEWEST_ROWS, int(_MOST_CELLS / labels)))
    day = (log.wall.normalize() - log.wall[0].normalize()).days.to_numpy()
    every = -(-len(frame) // most)
    every += every % 7 == 0  # else all days would be of one weekday
    taken = day % every == 0
    carried = None if log.carried is None else log.carried[taken]
    part = dataclasses.replace(log, frame=frame[taken], missing=log.missing[taken], lines=None, carried=carried)
    return part, every
