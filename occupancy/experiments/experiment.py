"""An experiment under way: what is to be carried out next, its open record, and its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Generic, Self, TypeVar

from occupancy.errors import InputError
from occupancy.execution.unit import Failure, Outcome, Unit
from occupancy.tracking.outcomes import ERROR
from occupancy.tracking.record import Record, open_record
from occupancy.tracking.request import Request

Given = TypeVar("Given")
"""What an experiment gives at its end."""


class Experiment(ABC, Generic[Given]):
    """An experiment under way.

    Attributes:
        title: what people call it.
        outcomes: what units gave so far.
        failure: the first unit's that failed, if the experiment cannot do without it.
    """

    def __init__(self, title: str, request: Request) -> None:
        self.title = title
        self.outcomes: dict[Unit, Outcome] = {}
        self.failure: Failure | None = None
        self._request = request
        self._stack = ExitStack()
        self._record: Record | None = None

    def __enter__(self) -> Self:
        """Nothing is opened before the first outcome is there, or `open` is called."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the record, if it is open, as the error says."""
        self._stack.__exit__(kind, error, trace)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to carry out, or it would be in vain."""
        return self.failure is not None or len(self.outcomes) == self.size

    def open(self) -> Record:
        """Return the record, which is opened by the first call."""
        if self._record is None:
            self._record = self._stack.enter_context(open_record(self._request))
        return self._record

    def take_over(self) -> None:
        """Take what the record of a stopped experiment holds. Nothing, unless a subclass continues its record."""

    @property
    @abstractmethod
    def units(self) -> Sequence[Unit]:
        """What is to be carried out, as far as is known: always the same objects, perhaps more with each outcome."""

    @property
    def size(self) -> int:
        """How many units there will be, as far as is known."""
        return len(self.units)

    @property
    def waiting(self) -> Sequence[Unit]:
        """What is to be carried out next."""
        return [unit for unit in self.units if unit not in self.outcomes]

    @abstractmethod
    def take(self, unit: Unit, outcome: Outcome) -> None:
        """Record what a unit gave."""

    @abstractmethod
    def summarize(self) -> Given:
        """Record what all units gave together, and return it. Raise InputError if that is nothing."""

    def finish(self) -> Given | Failure:
        """Return what the experiment gave, its record ended: as FAILED if it failed."""
        try:
            with self._stack:
                if self.failure is not None:
                    self.open().summarize({}, {ERROR: self.failure.error})
                    raise InputError(self.failure.error)
                return self.summarize()
        except InputError as error:
            return Failure(str(error))
