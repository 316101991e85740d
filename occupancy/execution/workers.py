"""Where units are carried out, as a command's options say: in this process, on all cores, or on a cluster."""

from __future__ import annotations

import argparse
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from occupancy.errors import InputError

if TYPE_CHECKING:
    from occupancy.execution.unit import OnShare, Outcome, Unit


class Workers(Protocol):
    """What carries out units."""

    def execute(self, units: Sequence[Unit], on_share: OnShare = ..., /) -> Generator[tuple[Unit, Outcome]]:
        """Yield each unit with what it gave, in the order in which they end.

        Args:
            units: what to carry out.
            on_share: told how much of a unit is done, where that is known.
        """


def open_workers(options: argparse.Namespace) -> AbstractContextManager[Workers]:
    """Return the workers that a command's options name, to be entered.

    Raises:
        InputError: Dask is not installed.
    """
    workers = options.workers or _cores()
    if options.cluster is None and workers == 1:
        from occupancy.execution.in_process import InProcess  # noqa: PLC0415 (late: it needs the models)

        return InProcess()
    if options.cluster is None:
        from occupancy.execution.process_pool import Pool  # noqa: PLC0415

        return Pool(workers)
    if find_spec("distributed") is None:
        raise InputError("Dask is not installed, which --cluster needs; pip install occupancy[cluster]")
    from occupancy.execution.cluster import Cluster  # noqa: PLC0415

    return Cluster(options.cluster)


def _cores() -> int:
    """Return how many cores this process may use, by its affinity and by the quota of its container."""
    from joblib import cpu_count  # noqa: PLC0415 (late: `--help` is to answer at once)

    cores: int = cpu_count()
    return cores
