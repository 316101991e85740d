"""A search that can begin: nothing about it is known to be wrong, and every unit of it has its place."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import yaml

from occupancy.config import Config, Tracking
from occupancy.config.search import Search
from occupancy.execution.unit import code_version
from occupancy.experiments.plan import Plan, plan
from occupancy.models import check_sensors
from occupancy.search.request import Method
from occupancy.search.space import SECTION
from occupancy.tracking.request import Request


@dataclass(frozen=True)
class SearchPlan:
    """A search that can begin.

    Attributes:
        method: says which settings are tried.
        base: the experiment whose settings are searched.
    """

    method: Method
    base: Plan

    @property
    def config(self) -> Config:
        """The experiment whose settings are searched, as it will be carried out (``auto`` is decided)."""
        return self.base.config

    @property
    def search(self) -> Search:
        """What is tried, and what it is chosen by."""
        return self.method.space.search

    @property
    def rooms(self) -> dict[int, str]:
        """Names of the rooms with a model each, by number; empty if the folds are those of a log."""
        return {} if self.base.log is not None else {room.number: room.name for room in self.base.sources}

    @property
    def crossings(self) -> int:
        """How many more fits the choice for all folds takes, at most; rooms with a model each do without."""
        return 0 if self.rooms else self.method.crossings(len(self.base.sources))

    @property
    def fits(self) -> int:
        """How many fits there are to choose by."""
        return self.method.trials_per_fold * len(self.base.sources)

    @property
    def tracking(self) -> Tracking:
        """Where it is recorded: beside the experiments and not among them, since trials are not to be compared."""
        name = f"{self.config.tracking.experiment}-search"
        return self.config.tracking.model_copy(update={"experiment": name})

    @property
    def key(self) -> str:
        """Hash of what decides the result: a search with the same key is the same search."""
        rows = [self.base.dataset["digest"], self.base.folds_digest]
        search = self.search.model_dump()
        whole = [self.method.identity, self.config.key, self.config.seed, search, rows, code_version()]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:16]

    @property
    def request(self) -> Request:
        """What is recorded of it."""
        dataset = self.base.dataset
        tags = {"dataset": str(dataset["name"]), "digest": str(dataset["digest"])}
        tags |= {"folds": self.config.data.folds, "protocol": self.config.protocol}
        search = self.search.model_dump()
        searched = {f"over.{key}": values for key, values in search.pop("over").items()}
        return Request(
            self.tracking,
            self.config.name,
            tags,
            {**self.config.flat(), **searched, **search},
            {"search.yaml": self.to_yaml()},
            key=self.key,
            finished_stands=True,
            failures_stand=self.search.method == "adaptive",  # what was proposed after a failure depends on it
        )

    def to_yaml(self) -> str:
        """Return the search as YAML that `occupancy.search.request.load_search` reads."""
        tree = {**self.config.shown(), SECTION: self.search.model_dump()}
        return yaml.safe_dump(tree, sort_keys=False)


def plan_search(method: Method) -> SearchPlan:
    """Return the search that can begin, after checking device, store, log, folds and every trial's sensors.

    Rooms with a model each are not read before they are carried out.

    Raises:
        InputError: if something about it is wrong; nothing has been written.
    """
    base = plan(method.space.config)
    decided = method.on(base.config)
    if base.log is not None:
        for trial in decided.samples():
            check_sensors(base.log, trial.config)
    return SearchPlan(decided, base)
