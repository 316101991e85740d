"""Folds: which rows of a log are for training, validation and test, cut by hand along the time axis."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from occupancy.arrays import Rows
from occupancy.config import Name, Section
from occupancy.config.parsing import resolve
from occupancy.config.yaml_file import read_yaml
from occupancy.data.cells import hold
from occupancy.data.log import Log
from occupancy.data.times import recordings
from occupancy.errors import InputError, InputWarning, shortened

PARTS = ("train", "validation", "test")

# In a checkout the schemes lie in data/folds; a wheel carries the same files beside this one.
_FOLDERS = (Path(__file__).parents[2] / "data" / "folds", Path(__file__).parent / "schemes")


def _timestamp(value: Any) -> pd.Timestamp:
    # Only ISO: pandas would also read 5 as 5 ns after 1970, and "15:24" as today.
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if not isinstance(value, date):
        raise ValueError(f"got {shortened(value)}, expected a time such as '2017-12-22 15:24:00'")
    moment = pd.Timestamp(value)
    if moment.tzinfo is not None:
        raise ValueError(f"got {value!r}, expected a local time without a zone")
    return moment


Moment = Annotated[Any, BeforeValidator(_timestamp)]
Interval = Annotated[list[Moment], Field(min_length=2, max_length=2)]
Part = Annotated[list[Interval], Field(min_length=1, max_length=10_000)]


class Times(Section):
    """The parts of one fold, each a list of half-open time intervals ``[start, end)``.

    Validation is cut out of train: rows in both are validation rows.
    """

    train: Part
    """Rows to learn from."""
    validation: Part
    """Rows that choose the number of epochs; they must be inside ``train``."""
    test: Part
    """Rows that are only scored; they must be outside ``train``."""


class Scheme(Section):
    """A named list of folds for one log (``uci``, ``simulated``, or a schema's name)."""

    name: Name
    """Name of the scheme; the default is the name of the file without its suffix."""
    log: Name
    """The log that the folds are for: ``uci``, ``simulated``, or the ``name`` in a schema file."""
    folds: Annotated[list[Times], Field(min_length=1, max_length=1000)]
    """The folds; a model is trained for each of them."""


@dataclass(frozen=True)
class Fold:
    """The labelled rows of a log in three parts; no row is in two of them.

    Rows without a count are history. Each belongs to the part of the labelled row before it, or in front of the first
    one, after it: its sensors are seen with those of that part, and sealed with them.

    Attributes:
        number: position in the scheme, from 1.
        log: the log.
        train: (N,) rows to learn from.
        validation: (N,) rows that choose the number of epochs, cut out of the training rows.
        test: (N,) rows that are only scored.
        unlabelled: (N,) rows without a count in the intervals of the parts; None if there are none.
    """

    number: int
    log: Log
    train: Rows
    validation: Rows
    test: Rows
    unlabelled: Rows | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return f"fold {self.number}"

    @property
    def key(self) -> str:
        """Hash of the rows of each part and of the log."""
        return f"{self.number} {digest_of([self])} {self.log.digest}"

    def load(self) -> Fold:
        """Return the fold itself; a room that is not read yet is read by its own `load`."""
        return self

    def learned(self, *, validation: bool) -> Rows:
        """Return the rows (N,) that a model of the fold learns, with or without those that choose its epochs."""
        return self.train | self.validation if validation else self.train

    def seen(self, rows: Rows) -> Rows:
        """Return rows (N,) of parts, and the rows without a count among them, whose sensors may be read with theirs."""
        if self.unlabelled is None:
            return rows
        labelled = np.flatnonzero(self.train | self.validation | self.test)
        before = np.searchsorted(labelled, np.arange(len(rows)), side="right") - 1
        among: Rows = self.unlabelled & rows[labelled[before.clip(0)]]
        return rows | among

    def sealed(self) -> Fold:
        """Return the fold as a model may see it: every cell of a test row is NaN.

        A model that still reads a test row gets NaN, so it fails and leaks nothing. Counts become floats, which
        can be NaN. A cell that holds an earlier reading holds the last one of its own part again, because the reading
        that it held may be from a test row; one that a grid carries from another part is NaN.
        """
        log = self.log
        frame = log.frame.astype(np.float64)
        hidden = self.seen(self.test)
        held = log.held
        parts = np.select([self.seen(self.train), self.seen(self.validation), hidden], [1, 2, 3], 0)
        frame.loc[hidden] = np.nan
        for name in [] if log.carried is None else log.carried.columns.intersection(log.missing.columns):
            frame.loc[log.borrowed(name, parts), name] = np.nan
        refilled = log.missing.columns[held.any()]
        if len(refilled):
            runs = np.cumsum(np.diff(parts, prepend=parts[:1]) != 0)
            groups = runs * len(frame) + recordings(log.times, log.max_gap)
            readings = frame[refilled].mask(held[refilled])
            frame[refilled] = readings.where(~held[refilled], hold(readings, groups))
        return dataclasses.replace(self, log=dataclasses.replace(self.log, frame=frame))

    def counts(self, part: Rows) -> NDArray[np.int64]:
        """Return the counts at the rows (N,) of a part, in time order."""
        counts = self.log.frame.loc[part, self.log.schema.count]
        assert counts.notna().all(), "a count was asked for at a sealed row"  # NaN would become a number
        return counts.to_numpy(np.int64)

    def labels(self, part: Rows, classes: int) -> NDArray[np.int64]:
        """Return how many rows of a part have each label 0..C-1, (C,)."""
        return np.bincount(self.counts(part), minlength=classes)


def final_fold(folds: Sequence[Fold]) -> Fold:
    """Return the fold of the final model: it learns the rows of all folds, and the last validation rows choose epochs.

    Rows that are in no part of any fold stay out: whoever wrote the folds may have left out a day of a broken sensor.

    Args:
        folds: the folds of the experiment, of one labelled log.
    """
    last = folds[-1]
    used = np.logical_or.reduce([part for fold in folds for part in (fold.train, fold.validation, fold.test)])
    nothing, history = np.zeros_like(last.test), [fold.unlabelled for fold in folds if fold.unlabelled is not None]
    unlabelled = np.logical_or.reduce(history) & ~used if history else None
    train = used & ~last.validation
    return dataclasses.replace(last, number=len(folds) + 1, train=train, test=nothing, unlabelled=unlabelled)


def load_scheme(name: str) -> Scheme:
    """Return a scheme of the project by its name, or a scheme from a YAML file by its path.

    Raises:
        InputError: if there is no such scheme, or the file is not a valid scheme.
    """
    own = {path.stem: path for folder in _FOLDERS for path in sorted(folder.glob("*.yaml"))}
    path = own.get(name, Path(name))
    if not os.path.exists(path):  # noqa: PTH110 (false for a name that is too long, where Path raises)
        names = ", ".join(sorted(own))
        raise InputError(f"data.folds: got {shortened(name)}, expected {names} or the path of a fold file")
    tree = read_yaml(path)
    tree.setdefault("name", path.stem)
    return resolve(Scheme, tree, str(path))


def cut(log: Log, scheme: Scheme) -> list[Fold]:
    """Return the folds of a labelled log.

    Warns:
        InputWarning: if a test label does not occur in the training rows.

    Raises:
        InputError: if the scheme is for another log, its parts overlap, a part has no rows, or the
            training rows have a single label; the message names the scheme, the fold and the part.
    """
    if scheme.log != log.family:
        raise InputError(
            f"data.folds: scheme {scheme.name!r} is for the log {scheme.log!r}, got the log {log.family!r}; "
            f"choose a scheme for {log.family!r}"
        )
    return [_cut_one(number, log, scheme, times) for number, times in enumerate(scheme.folds, start=1)]


def digest_of(folds: Sequence[Fold]) -> str:
    """Return a hash of the parts of all rows: for the same log, equal digests mean equal folds."""
    digest = hashlib.sha256()
    for fold in folds:
        history = [] if fold.unlabelled is None else [fold.unlabelled]
        digest.update(np.stack([fold.train, fold.validation, fold.test, *history]).tobytes())
    return digest.hexdigest()[:16]


def _cut_one(number: int, log: Log, scheme: Scheme, times: Times) -> Fold:
    where = f"folds {scheme.name}: fold {number}"
    for problem in _overlaps(times):
        raise InputError(f"{where}: {problem}; a row can be in only one part")
    inside = {part: _rows_in(log.times, getattr(times, part)) for part in PARTS}
    numbers = np.select([inside["validation"], inside["train"], inside["test"]], [1, 2, 3], 0)
    labelled = log.labelled_in(numbers)
    rows = {part: mask & labelled for part, mask in inside.items()}
    outside = rows["validation"] & ~rows["train"]
    if outside.any():
        raise InputError(
            f"{where}: validation has {outside.sum()} rows outside train, the first at {log.times[outside][0]}; "
            "put the validation intervals inside the training intervals"
        )
    rows["train"] &= ~rows["validation"]
    for part, mask in rows.items():
        if not mask.any():
            if (inside[part] & ~labelled).any():
                raise InputError(
                    f"{where}: {part} has no row with a count; give {part} an interval in which some have one"
                )
            raise InputError(
                f"{where}: {part} has no rows; the log runs from {log.times[0]} to {log.times[-1]}, "
                f"so give {part} an interval in it"
            )
    return check_labels(Fold(number, log, **rows, unlabelled=rest_of(numbers > 0, labelled)), where)


def rest_of(rows: Rows, labelled: Rows) -> Rows | None:
    """Return which of some rows (N,) are not among those with a count (N,); None if all rows have one."""
    return None if labelled.all() else rows & ~labelled


def check_labels(fold: Fold, where: str) -> Fold:
    """Return the fold if its training rows have more than one label.

    Args:
        fold: the fold to check.
        where: how messages call the fold.

    Warns:
        InputWarning: if a test label does not occur in the training rows.

    Raises:
        InputError: if the training rows have a single label.
    """
    trained, tested = (set(fold.counts(part).tolist()) for part in (fold.train, fold.test))
    if len(trained) == 1:
        raise InputError(
            f"{where}: training rows have the single label {trained.pop()}, expected two or more labels; "
            "choose other training rows"
        )
    for label in sorted(tested - trained):
        message = f"{where}: label {label} is in the test rows but not in the training rows"
        warnings.warn(message, InputWarning, stacklevel=4)
    return fold


def _overlaps(times: Times) -> Iterator[str]:
    intervals = [(start, end, part) for part in PARTS for start, end in getattr(times, part)]
    for start, end, part in intervals:
        if start >= end:
            yield f"{part} interval {start} .. {end} ends before it starts"
    for inner in ("train", "validation"):  # validation is cut out of train, so these two may overlap
        apart = sorted(interval for interval in intervals if interval[-1] in {inner, "test"})
        for (start, end, part), (next_start, next_end, next_part) in itertools.pairwise(apart):
            if next_start < end:
                yield f"{part} {start} .. {end} and {next_part} {next_start} .. {next_end} overlap"


def _rows_in(times: pd.DatetimeIndex, part: list[list[pd.Timestamp]]) -> Rows:
    inside: Rows = np.logical_or.reduce([(times >= start) & (times < end) for start, end in part])
    return inside
