"""An experiment that can begin: nothing about it is known to be wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from occupancy.config import EACH_ROOM, Config, Data
from occupancy.data.folds import PARTS, Fold, digest_of
from occupancy.data.log import Log
from occupancy.data.room_folds import folds_of
from occupancy.data.rooms import stored_rooms
from occupancy.data.source import open_log
from occupancy.errors import InputError
from occupancy.execution.unit import Source, code_version
from occupancy.experiments.screening import refuse, screen
from occupancy.explanation import report as explanation
from occupancy.health.finding import Finding
from occupancy.models import check_sensors
from occupancy.tracking.experiment import check_experiment
from occupancy.tracking.request import Request
from occupancy.tracking.store import check_store


@dataclass(frozen=True)
class Plan:
    """An experiment that can begin.

    Attributes:
        config: the settings as they will be carried out (``auto`` is decided).
        dataset: name, digest and rows of the log; for rooms that are not read yet, no rows.
        sources: the folds of the log, or rooms with a model each.
        folds_digest: hash of which rows are in which part.
        log: the log; None for rooms with a model each, which the worker reads.
        findings: what is wrong with the sensors of the log.
    """

    config: Config
    dataset: Mapping[str, Any]
    sources: Sequence[Source]
    folds_digest: str
    log: Log | None
    findings: Sequence[Finding] = ()

    @property
    def folds(self) -> list[Fold]:
        """The folds of the log."""
        assert self.log is not None, "rooms with a model each are read one at a time"
        return [source.load() for source in self.sources]

    @property
    def is_simulated(self) -> bool:
        """Whether the log is simulated."""
        return self.log is not None and self.log.family == "simulated"

    @property
    def key(self) -> str:
        """Hash of everything that decides the result: with the same key it is the same experiment."""
        whole = f"{self.config.key} {self.config.seed} {self.dataset['digest']} {self.folds_digest} {code_version()}"
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    @property
    def title(self) -> str:
        """The config and the seed, for people."""
        return f"{self.config.name}, seed {self.config.seed}"

    @property
    def request(self) -> Request:
        """What is recorded of it. The record of rooms with a model each is continued if it was stopped."""
        config = self.config
        tags: Mapping[str, str] = {
            "protocol": config.protocol,
            "dataset": str(self.dataset["name"]),
            "digest": str(self.dataset["digest"]),
            "folds": config.data.folds,
            "folds_digest": self.folds_digest,
            "model": config.model.name,
            "config_key": config.key,
            # One setting for all folds was chosen on rows that are some other fold's test.
            "selection": "shared",
        }
        # As MLflow itself writes them: runs of other versions hold the same text for the same setting.
        params = {key: str(value) for key, value in config.flat().items()}
        files = {"config.yaml": config.to_yaml()}
        key = self.key if self.log is None else None
        return Request(config.tracking, config.name, tags, params, files, self.log, key)

    def check_rooms(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of each part of each room with a model of its own, or what is wrong with it."""
        for source in self.sources:
            try:
                fold = source.load()
                check_sensors(fold.log, self.config)
            except InputError as error:
                yield {"room": source.name, "error": str(error)}
            else:
                yield {"room": source.name, **{part: int(getattr(fold, part).sum()) for part in PARTS}}


def check_means(config: Config) -> None:
    """Check that device and store are there, without a look at the log.

    Raises:
        InputError: if they are not; nothing has been written.
    """
    if config.epochs:
        from occupancy.models.neural.runtime import accelerator  # noqa: PLC0415 (late: other models need no torch)

        accelerator(config.train.device)
    check_store(config.tracking.uri)
    check_experiment(config.tracking)


def plan(config: Config) -> Plan:
    """Return the experiment that a configuration asks for; see `plan_all`."""
    return plan_all([config])[0]


def plan_all(configs: Sequence[Config]) -> list[Plan]:
    """Return the experiments that configurations ask for, after checking devices, stores, logs and folds.

    Experiments on the same log and folds share them. Rooms with a model each are not read before they are carried
    out.

    Raises:
        InputError: if something about one is wrong; nothing has been written.
    """
    opened: dict[str, tuple[Log, Data, list[Fold], list[Finding]]] = {}
    plans = []
    for config in configs:
        check_means(config)
        if config.data.folds == EACH_ROOM and config.data.rooms is not None:
            plans.append(_plan_rooms(config))
            continue
        key = config.data.model_dump_json()
        if key not in opened:
            log, data = open_log(config.data)
            log, findings = screen(log)
            opened[key] = log, data, folds_of(log, data), findings
        plans.append(_plan_folds(config, *opened[key]))
    return plans


def _plan_folds(config: Config, log: Log, data: Data, folds: list[Fold], findings: list[Finding]) -> Plan:
    check_sensors(log, config)
    refuse(findings, folds, config)
    config = config.model_copy(update={"data": data})
    explanation.check(config, folds)
    dataset = {"name": log.name, "digest": log.digest, "rows": len(log.frame)}
    return Plan(config, dataset, folds, digest_of(folds), log, findings)


def _plan_rooms(config: Config) -> Plan:
    explanation.check(config, ())
    rooms = stored_rooms(config.data)
    told = "".join(f"{room.name} {room.digest}\n" for room in rooms)
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    # How a room is cut depends on nothing but its rows.
    return Plan(config, {"name": config.data.rooms, "digest": digest, "rows": None}, rooms, digest, None)
