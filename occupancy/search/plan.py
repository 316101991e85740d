"""A search that can begin: nothing about it is known to be wrong, and every unit of it has its place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from occupancy.config import EACH_ROOM, Config, Tracking
from occupancy.config.search import Search
from occupancy.data.folds import Fold, digest_of
from occupancy.data.rooms import StoredRoom
from occupancy.data.source import SIMULATED
from occupancy.execution.unit import code_version
from occupancy.experiments import rooms, run
from occupancy.experiments.report import dataset as dataset_of
from occupancy.models import check_sensors
from occupancy.search.request import Method
from occupancy.search.space import SECTION


@dataclass(frozen=True)
class Plan:
    """A search on a log.

    Attributes:
        method: says which settings are tried.
        dataset: name, digest and rows of the log; of rooms that are read by whoever carries them out, no rows.
        folds: its rows by part, or rooms with a model each.
        folds_digest: hash of which rows are in which part.
        is_simulated: whether the log is no real one.
    """

    method: Method
    dataset: Mapping[str, Any]
    folds: Sequence[Fold | StoredRoom]
    folds_digest: str
    is_simulated: bool

    @property
    def config(self) -> Config:
        """The experiment whose settings are searched, as it will be carried out (``auto`` is decided)."""
        return self.method.space.config

    @property
    def search(self) -> Search:
        """What is tried, and what it is chosen by."""
        return self.method.space.search

    @property
    def rooms(self) -> dict[int, str]:
        """Names of the rooms with a model each, by number; none where the folds are those of a log."""
        return {fold.number: fold.name for fold in self.folds if isinstance(fold, StoredRoom)}

    @property
    def crossings(self) -> int:
        """How many fits more the choice for all folds takes, at most; rooms with a model each do without."""
        return 0 if self.rooms else self.method.crossings(len(self.folds))

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
        rows = [self.dataset["digest"], self.folds_digest]
        search = self.search.model_dump()
        whole = [self.method.identity, self.config.key, self.config.seed, search, rows, code_version()]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:16]

    def to_yaml(self) -> str:
        """Return the search as YAML that `occupancy.search.request.load_search` reads."""
        tree = {**self.config.shown(), SECTION: self.search.model_dump()}
        return yaml.safe_dump(tree, sort_keys=False)


def plan(method: Method) -> Plan:
    """Return the search that can begin, after checking device, store, log, folds and every trial's sensors.

    Rooms with a model each are not read before they are carried out.

    Raises:
        InputError: something about it is wrong; nothing has been written.
    """
    if method.space.config.data.folds == EACH_ROOM:
        each = rooms.plan(method.space.config)
        dataset = {"name": each.name, "digest": each.digest, "rows": None}
        return Plan(method.on(each.config), dataset, each.rooms, each.digest, is_simulated=False)
    one = run.plan(method.space.config)
    decided = method.on(one.config)
    for trial in decided.samples():
        check_sensors(one.log, trial.config)
    return Plan(decided, dataset_of(one.log), one.folds, digest_of(one.folds), one.log.family == SIMULATED)
