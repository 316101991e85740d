"""The unit of work: a configuration on a fold, a key to know it by, and what came of it, small enough to travel."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from occupancy.config import Config
from occupancy.data.folds import PARTS, Fold
from occupancy.errors import InputError, InputWarning
from occupancy.execution.fold import Fitted, costs, fit_final, one_thread, run_fold, validate_fold
from occupancy.models.estimator import NO_STEPS, Steps

Scored = Literal["validation", "test", "nothing"]
"""Which rows a unit scores: those that choose settings; those that only test; or none, for the model to use."""


class Source(Protocol):
    """Where a unit finds its rows: a fold of a log in memory, or a room that whoever carries the unit out reads."""

    @property
    def number(self) -> int:
        """Position among the sources of an experiment, from 1."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def key(self) -> str:
        """Hash of the rows and of the log."""

    def load(self) -> Fold:
        """Return the fold. Raise InputError if it cannot be read."""


@dataclass(frozen=True, eq=False)
class Unit:
    """A configuration on a fold.

    Attributes:
        config: the experiment.
        source: the rows.
        scored: the rows that are scored, see `Scored`.
        keep: what to keep of the result beside its scores: a function at the top of a module, which runs where the
            unit is carried out; None: nothing.
    """

    config: Config
    source: Source
    scored: Scored
    keep: Callable[[Fitted], Any] | None = None

    @cached_property
    def key(self) -> str:
        """Hash of everything that decides the outcome: settings, rows, log and code."""
        whole = f"{self.config.key} {self.config.seed} {self.source.key} {self.scored} {code_version()}"
        return hashlib.sha256(whole.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Scores:
    """What a unit gave.

    Attributes:
        metrics: the scores; empty if nothing was scored.
        costs: time and size; the only figures that differ from one run to the next.
        chosen_epochs: how many epochs the used fit took; 0 for a model without epochs.
        rows: how many rows each part of the fold has, by the part's name.
        kept: what `Unit.keep` returned.
        warnings: what the user should know, a line each.
    """

    metrics: Mapping[str, float]
    costs: Mapping[str, float]
    chosen_epochs: int
    rows: Mapping[str, int] = field(default_factory=dict)
    kept: Any = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """What is left of a unit that gave no scores.

    Attributes:
        error: why, in one line.
        passing: whether the reason lies outside the unit, which may succeed another time.
    """

    error: str
    passing: bool = False


Outcome = Scores | Failure

OnShare = Callable[[Unit, float], object]
"""Told of a unit that went on, and of the share of it that is done, 0 to 1."""


def ignore(_unit: Unit, _share: float) -> None:
    """Ignore the progress of a unit."""


def carry_out(unit: Unit, steps: Steps = NO_STEPS) -> Outcome:
    """Return what a unit gave; an error in it is an outcome too.

    Args:
        unit: what to do.
        steps: the progress of the fit.
    """
    run = {"test": run_fold, "validation": validate_fold, "nothing": fit_final}[unit.scored]
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", InputWarning)
            result = run(unit.config, unit.source.load(), steps)
            with one_thread():  # a model that is saved may fit parts of it then
                kept = None if unit.keep is None else unit.keep(result)
    except InputError as error:  # it says what to do
        return Failure(str(error))
    except Exception as error:
        return Failure(" ".join(f"{type(error).__name__}: {error}".split()))
    rows = {part: int(getattr(result.fold, part).sum()) for part in PARTS}
    ours = [each for each in caught if issubclass(each.category, InputWarning)]
    for other in caught:
        if other not in ours:  # a library's: for developers, as it came
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    told = tuple(dict.fromkeys(str(each.message) for each in ours))
    return Scores(result.metrics, costs(result), result.estimator.chosen_epochs, rows, kept, told)


@cache
def code_version() -> str:
    """Return a hash of this package's source files."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
