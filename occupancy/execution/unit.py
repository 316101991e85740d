"""The unit of work: a configuration on a fold, a key to know it by, and what came of it, small enough to travel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

from occupancy.config import Config
from occupancy.data.folds import PARTS, Fold, digest_of
from occupancy.data.rooms import StoredRoom
from occupancy.errors import InputError
from occupancy.execution.fold import costs, run_fold, validate_fold
from occupancy.models.estimator import NO_STEPS


@dataclass(frozen=True, eq=False)
class Unit:
    """A configuration on a fold.

    Attributes:
        config: the experiment.
        fold: the rows; those of a stored room are read by whoever carries the unit out.
        scored: ``validation``, by a model of the training rows, to choose by; ``test``, by the model for use.
    """

    config: Config
    fold: Fold | StoredRoom
    scored: Literal["validation", "test"]

    @cached_property
    def key(self) -> str:
        """Hash of all that decides the outcome: settings, rows, log and code."""
        if isinstance(self.fold, StoredRoom):
            rows = f"room {self.fold.name} {self.fold.digest}"
        else:
            rows = f"{self.fold.number} {digest_of([self.fold])} {self.fold.log.digest}"
        whole = f"{self.config.key} {self.config.seed} {rows} {self.scored} {code_version()}"
        return hashlib.sha256(whole.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Scores:
    """What a unit gave.

    Attributes:
        metrics: the scores.
        costs: what they took; the only figures that differ from one time to the next.
        chosen_epochs: how many epochs the used fit took; 0 for a model without epochs.
        rows: how many rows each part of the fold has, by the part's name.
    """

    metrics: Mapping[str, float]
    costs: Mapping[str, float]
    chosen_epochs: int
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """What is left of a unit that gave no scores.

    Attributes:
        error: why, in one line.
        passing: whether it says nothing about the unit itself, which may well succeed another time.
    """

    error: str
    passing: bool = False


Outcome = Scores | Failure


def carry_out(unit: Unit) -> Outcome:
    """Return what a unit gave; an error in it is an outcome too."""
    run = run_fold if unit.scored == "test" else validate_fold
    try:
        fold = unit.fold.load() if isinstance(unit.fold, StoredRoom) else unit.fold
        result = run(unit.config, fold, NO_STEPS)
    except InputError as error:  # it says what to do, to whom it may concern
        return Failure(" ".join(str(error).split()))
    except Exception as error:
        return Failure(" ".join(f"{type(error).__name__}: {error}".split()))
    rows = {part: int(getattr(fold, part).sum()) for part in PARTS}
    return Scores(result.metrics, costs([result]), result.estimator.chosen_epochs, rows)


@cache
def code_version() -> str:
    """Return a hash of this package's source files."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
