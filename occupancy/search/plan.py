"""A search that can begin: nothing about it is known to be wrong, and every unit of it has its place."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import yaml

from occupancy import experiment
from occupancy.config import Config, Tracking
from occupancy.config.search import Search
from occupancy.data.folds import Fold, digest_of
from occupancy.data.table import Log
from occupancy.engine.unit import code_version
from occupancy.models import check_sensors
from occupancy.search.request import Method
from occupancy.search.space import SECTION


@dataclass(frozen=True)
class Plan:
    """A search on a log.

    Attributes:
        method: says which settings are tried.
        log: the validated log.
        folds: its rows by part.
    """

    method: Method
    log: Log
    folds: list[Fold]

    @property
    def config(self) -> Config:
        """The experiment whose settings are searched, as it will be carried out (``auto`` is decided)."""
        return self.method.space.config

    @property
    def search(self) -> Search:
        """What is tried, and what it is chosen by."""
        return self.method.space.search

    @property
    def fits(self) -> int:
        """How many fits there are to choose by."""
        return self.method.trials_per_fold * len(self.folds)

    @property
    def tracking(self) -> Tracking:
        """Where it is recorded: beside the experiments and not among them, for a trial is none to compare."""
        name = f"{self.config.tracking.experiment}-search"
        return self.config.tracking.model_copy(update={"experiment": name})

    @property
    def key(self) -> str:
        """Hash of what decides the result: a search with the same key is the same search."""
        rows = [self.log.digest, digest_of(self.folds)]
        search = self.search.model_dump()
        whole = [self.method.identity, self.config.key, self.config.seed, search, rows, code_version()]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:16]

    def to_yaml(self) -> str:
        """Return the search as YAML that `occupancy.search.request.load_search` reads."""
        tree = {**self.config.shown(), SECTION: self.search.model_dump()}
        return yaml.safe_dump(tree, sort_keys=False)


def plan(method: Method) -> Plan:
    """Return the search that can begin, after checking device, store, log, folds and every trial's sensors.

    Raises:
        InputError: something about it is wrong; nothing has been written.
    """
    one = experiment.plan(method.space.config)
    decided = method.on(one.config)
    for trial in decided.samples():
        check_sensors(one.log, trial.config)
    return Plan(decided, one.log, one.folds)
