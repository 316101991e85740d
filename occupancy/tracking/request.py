"""What is to be recorded, and where in the record each unit belongs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from occupancy.config import Tracking
from occupancy.data.log import Log
from occupancy.execution.unit import Unit


@dataclass(frozen=True)
class Request:
    """What is to be recorded.

    Attributes:
        tracking: where.
        name: of the parent run.
        tags: of every run.
        params: of the parent run.
        files: texts beside the parent run, by file name.
        log: what is learned from, if it is at hand.
        key: hash of what decides the result. A stopped record of the same key is continued. None: each
            record is a new one.
        finished_stands: whether a record of the same key that is finished is given back as it is; else a new one.
        failures_stand: whether a unit that failed is not tried again when the record is continued.
    """

    tracking: Tracking
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, Any]
    files: Mapping[str, str]
    log: Log | None = None
    key: str | None = None
    finished_stands: bool = False
    failures_stand: bool = False


@dataclass(frozen=True)
class Job:
    """A unit, and where in the record it belongs.

    Attributes:
        unit: what is to be carried out.
        name: of its run.
        params: of its run.
        tags: of its run, beside those of all.
        group: the run that its run lies under, such as ``trial 7``; None: the parent run.
    """

    unit: Unit
    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
