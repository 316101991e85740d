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
from occupancy.search.grid import SECTION, Grid, Trial


@dataclass(frozen=True)
class Plan:
    """A search on a log.

    Attributes:
        config: the experiment whose settings are searched, as it will be carried out (``auto`` is decided).
        search: what is tried, and what it is chosen by.
        trials: every setting to try.
        log: the validated log.
        folds: its rows by part.
    """

    config: Config
    search: Search
    trials: list[Trial]
    log: Log
    folds: list[Fold]

    @property
    def tracking(self) -> Tracking:
        """Where it is recorded: beside the experiments and not among them, for a trial is none to compare."""
        name = f"{self.config.tracking.experiment}-search"
        return self.config.tracking.model_copy(update={"experiment": name})

    @property
    def key(self) -> str:
        """Hash of what decides the result: a search with the same key is the same search."""
        trials = [trial.config.key for trial in self.trials]
        rows = [self.log.digest, digest_of(self.folds)]
        whole = [trials, self.config.key, self.config.seed, self.search.model_dump(), rows, code_version()]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:16]

    def to_yaml(self) -> str:
        """Return the search as YAML that `occupancy.search.grid.load_grid` reads."""
        tree = {**self.config.shown(), SECTION: self.search.model_dump()}
        return yaml.safe_dump(tree, sort_keys=False)


def plan(grid: Grid) -> Plan:
    """Return the search that can begin, after checking device, store, log, folds and every trial's sensors.

    Raises:
        InputError: something about it is wrong; nothing has been written.
    """
    one = experiment.plan(grid.config)
    trials = []
    for trial in grid.trials:
        config = trial.config.model_copy(update={"data": one.config.data, "tracking": one.config.tracking})
        experiment.check_sensors(one.log, config)
        trials.append(Trial(trial.number, trial.setting, config))
    return Plan(one.config, grid.search, trials, one.log, one.folds)
