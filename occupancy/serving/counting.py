"""The people in a log by a fitted model: the log read as the model needs it, the counts, and what to say of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from occupancy.arrays import Floats
from occupancy.config import Data, Explanation
from occupancy.data import holes
from occupancy.data.cells import LISTED_CELLS
from occupancy.data.clock import with_offset
from occupancy.data.log import Log
from occupancy.data.reading import Cells
from occupancy.data.table import validate_cells
from occupancy.data.times import recordings, steps_of
from occupancy.errors import InputError
from occupancy.explanation import figures, moment
from occupancy.health.effects import health_of, is_useless
from occupancy.health.finding import Finding
from occupancy.metrics import score
from occupancy.plots.prediction import counts
from occupancy.prediction import Prediction
from occupancy.serving.columns import needed
from occupancy.serving.evidence import check_readings, on_counts, on_held, without
from occupancy.serving.model import ServedModel, explain

SHOWN = ("mse", "f1_macro", "coverage_90")


@dataclass(frozen=True)
class Counted:
    """A log and its people by a fitted model.

    Attributes:
        log: the validated log, in which readings that are not believed are missing.
        prediction: the counts of its N rows.
        truth: (N,) the counts that the log brings, at most the largest that the model tells, NaN where it has none;
            None if it has none at all.
        remarks: what a person should know of the counts, a line each.
        model: what kind of model it was.
        findings: what is wrong with its sensors.
    """

    log: Log
    prediction: Prediction
    truth: Floats | None
    remarks: list[str]
    model: str
    findings: Sequence[Finding] = ()

    @property
    def times(self) -> list[datetime]:
        """The time of each row, (N,): that of the wall clock with its offset, where that is known."""
        return list(with_offset(self.prediction.times, self.log.clock))

    @property
    def health(self) -> list[str]:
        """What is wrong with the sensors at each row, (N,); empty where nothing is."""
        return health_of(self.findings, len(self.prediction))

    @property
    def summary(self) -> str:
        """How long somebody was in, how many at most, and how many rows the model did not answer."""
        steps = steps_of(self.log.times)
        # A row stands for the time until the next one; the last one before a gap, for the log's own step.
        step_s = 0.0 if math.isnan(self.log.step_s) else self.log.step_s
        hours = np.append(np.where(steps <= self.log.max_gap, steps, step_s), step_s) / 3600
        answered = self.prediction.answered
        count = self.prediction.label if answered is None else self.prediction.label * answered
        most = int(count.max())
        found = f"{hours[count > 0].sum():,.1f} of {hours.sum():,.1f} hours occupied, at most {most:,} "
        found += "person" if most == 1 else "people"
        return found if answered is None else f"{found}, {int((~answered).sum()):,} rows not answered"


def count_people(served: ServedModel, cells: Cells, path: Path, reading: Mapping[str, Any]) -> Counted:
    """Return the people in a log by a fitted model.

    Args:
        served: the model.
        cells: what the log's file holds, as `read_files` reads it.
        path: that file.
        reading: settings of how it is read, in place of those of the training.

    Raises:
        InputError: the log does not pass the gate, or it is none that the model can read.
    """
    read, most = served.read, served.most
    frame, needless = needed(cells.frame, served.schema, read, _settings(served, reading))
    log, truth, remark = _read(served, replace(cells, frame=frame), reading)
    check_readings(log, read, str(path))
    remarks = [*log.notes, *_on_columns(needless), *_on_readings(served, log, reading)]
    above = None
    if truth is not None:
        remarks += on_counts(truth, most, served.schema.count)
        above, truth = truth > most, np.minimum(truth, most)
    try:
        log, prediction, findings = served.count(log)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if above is not None and served.learned_counts:
        prediction = without(prediction, above)
    remarks += [*([remark] if remark else []), *_on_answers(prediction), *(_on_use(prediction) if findings else [])]
    if truth is not None:
        remarks.append(_on_scores(prediction, truth, log))
    return Counted(log, prediction, truth, remarks, served.estimator.config.model.name, findings)


def picture(counted: Counted) -> Figure:
    """Return the counts over time, with the truth where it is known."""
    title = f"{counted.log.name}: people counted by {counted.model}, with the 90 % interval"
    if counted.truth is not None:
        known = ~np.isnan(counted.truth)
        wrong = float((counted.prediction.label != counted.truth)[known].mean())
        title += f" and the truth; {wrong:.1%} of {known.sum():,} rows are wrong"
    return counts(counted.prediction, title, counted.log.max_gap, counted.truth)


def moment_picture(served: ServedModel, counted: Counted, time: pd.Timestamp) -> Figure:
    """Return what each kind of sensor adds to the count at one time of a log.

    The readings of other times are those of the log's own earlier rows, for the ones that the model learned from may
    not be at hand.

    Raises:
        InputError: the log has no row at that time, or too few before it.
    """
    log, estimator = counted.log, served.estimator
    row = int(log.times.get_indexer(pd.DatetimeIndex([time]), method="nearest")[0])
    if log.times[row] != time:
        raise InputError(f"--explain: {log.name} has no row at {time}; the nearest is at {log.times[row]}")
    settings = estimator.config.explanation or Explanation()
    try:
        earlier = np.arange(len(log.frame)) < moment.window_of(estimator, log, row)[0]
        explained = moment.explain(estimator, log, row, earlier, settings.backgrounds)
    except InputError as error:
        raise InputError(f"--explain: {log.name}: {error}") from None
    truth = None if counted.truth is None or np.isnan(counted.truth[row]) else int(counted.truth[row])
    where, source = (
        f"{log.name} by {counted.model}",
        "this log's own earlier rows, as those learned from are not at hand",
    )
    return figures.moment(explained, log.schema, where, counted.prediction.at(slice(row, row + 1)), truth, source)


def _settings(served: ServedModel, reading: Mapping[str, Any]) -> Data:
    return served.estimator.config.data.model_copy(update=dict(reading))


def _read(served: ServedModel, cells: Cells, reading: Mapping[str, Any]) -> tuple[Log, Floats | None, str]:
    """Return the log, its counts, and where it has some that can't be used, why not."""
    schema, settings = served.schema, _settings(served, reading)
    gate = partial(validate_cells, cells, schema, settings, in_use=True)
    remark = ""
    if schema.count in cells.frame.columns:
        try:
            log = gate(labelled=True)
        except InputError as error:  # of the sensors, the second check reports it again
            remark = f"without the counts of the log: {error}"
        else:
            truth = log.frame[schema.count].to_numpy(np.float64)
            return log, None if np.isnan(truth).all() else truth, ""
    try:
        return gate(labelled=False), None, remark
    except InputError as error:
        raise explain(error) from None


def _on_history(log: Log, history_s: float) -> str:
    if history_s <= 0:
        return "the model needs no earlier rows (history_s 0)"
    recording = recordings(log.times, log.max_gap)
    seconds = (log.times - log.times[0]).total_seconds().to_numpy()
    behind = seconds - seconds[np.searchsorted(recording, recording)]  # since the recording's first row
    slack = 0.0 if math.isnan(log.step_s) else log.step_s / 2  # a clock wanders
    short = int((behind + slack < history_s).sum())
    rows = f"{short:,} of {len(log.frame):,} rows, at the start of a recording, have less"
    return f"the model looks back {history_s:g} s (history_s); {rows} and rest on a shorter window"


def _on_columns(needless: Sequence[str]) -> list[str]:
    more = f" and {len(needless) - LISTED_CELLS} more" if len(needless) > LISTED_CELLS else ""
    return [f"not used: {', '.join(needless[:LISTED_CELLS])}{more}"] if needless else []


def _on_readings(served: ServedModel, log: Log, reading: Mapping[str, Any]) -> list[str]:
    """Return on how much history counts rest, and which of the sensors that the model reads lack readings."""
    there = [name for name in served.read if name in log.missing]
    limit = _settings(served, reading).max_missing
    missing = holes.told(log.missing[there], log.held[there], log.step_s, limit)
    history = _on_history(log, served.estimator.history_s)
    return [history, *_on_absent(served.read, there), *missing, *on_held(log, there)]


def _on_absent(read: Sequence[str], there: Sequence[str]) -> list[str]:
    absent = [name for name in read if name not in there]
    more = f" and {len(absent) - LISTED_CELLS} more" if len(absent) > LISTED_CELLS else ""
    return [f"no column {', '.join(absent[:LISTED_CELLS])}{more}: as if no reading of it were there"] if absent else []


def _on_answers(prediction: Prediction) -> list[str]:
    """Return how late the counts are, and how many rows have none."""
    remarks = []
    if not prediction.causal:
        late = f", so that it is {prediction.delay_s:g} s late" if prediction.delay_s else ""
        remarks.append(f"each count rests on later rows too{late}")
    if silent := int((~prediction.is_answered).sum()):
        remarks.append(f"{silent:,} of {len(prediction):,} rows are not answered (answered: False)")
    return remarks


def _on_use(prediction: Prediction) -> list[str]:
    """Return that the counts are of no use, if sensors fail and too little can be answered without them."""
    if prediction.answered is None or not is_useless(prediction):
        return []
    rows = f"{int(prediction.answered.sum()):,} of {len(prediction):,} rows"
    return [f"DO NOT USE these counts: only {rows} can be answered; see to the sensors"]


def _on_scores(prediction: Prediction, truth: Floats, log: Log) -> str:
    known = ~np.isnan(truth)
    scores = score([(prediction.at(known), truth[known].astype(np.int64))], log.max_gap)
    shown = ", ".join(f"{key} {scores[key]:.3f}" for key in SHOWN)
    return f"against {log.schema.count}: {shown} (no test where the model was trained on these rows)"
