"""An experiment under way: its units, its open record, and its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from occupancy.errors import InputError
from occupancy.execution.unit import Failure, Outcome, Unit
from occupancy.experiments.plan import Plan
from occupancy.experiments.result import Result
from occupancy.tracking.outcomes import ERROR
from occupancy.tracking.record import Record, open_record
from occupancy.tracking.request import Request


class Experiment(ABC):
    """An experiment under way.

    Attributes:
        plan: the experiment.
        outcomes: what units gave so far.
        failure: the first unit's that failed, if the experiment cannot do without it.
    """

    key: str | None = None
    """By which a stopped record is found and continued; None: the record is always a new one."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.outcomes: dict[Unit, Outcome] = {}
        self.failure: Failure | None = None
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
        return self.failure is not None or len(self.outcomes) == len(self.units)

    def open(self) -> Record:
        """Return the record, which is opened by the first call."""
        if self._record is None:
            self._record = self._stack.enter_context(open_record(self._request()))
        return self._record

    @property
    @abstractmethod
    def units(self) -> Sequence[Unit]:
        """What is to be carried out, always the same objects."""

    @abstractmethod
    def take(self, unit: Unit, outcome: Outcome) -> None:
        """Record what a unit gave."""

    @abstractmethod
    def summarize(self) -> Result:
        """Record what all units gave together, and return it. Raise InputError if that is nothing."""

    def finish(self) -> Result | Failure:
        """Return what the experiment gave, its record ended: as FAILED if it failed."""
        try:
            with self._stack:
                if self.failure is not None:
                    self.open().summarize({}, {ERROR: self.failure.error})
                    raise InputError(self.failure.error)
                return self.summarize()
        except InputError as error:
            return Failure(str(error))

    def _request(self) -> Request:
        config = self.plan.config
        tags: Mapping[str, str] = {
            "protocol": config.protocol,
            "dataset": str(self.plan.dataset["name"]),
            "digest": str(self.plan.dataset["digest"]),
            "folds": config.data.folds,
            "folds_digest": self.plan.folds_digest,
            "model": config.model.name,
            "config_key": config.key,
            # One setting for all folds was chosen on rows that are some other fold's test.
            "selection": "shared",
        }
        # As MLflow itself writes them: runs of other versions hold the same text for the same setting.
        params = {key: str(value) for key, value in config.flat().items()}
        files = {"config.yaml": config.to_yaml()}
        return Request(config.tracking, config.name, tags, params, files, self.plan.log, self.key)
