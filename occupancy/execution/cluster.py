"""Units on a Dask cluster: one at a time in the process of each worker; no unit is lost if a worker dies."""

from __future__ import annotations

import logging
import pickle
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from itertools import islice
from queue import Empty, SimpleQueue
from uuid import uuid4

from dask.typing import Key
from distributed import CancelledError, Client, Future, KilledWorker, get_client
from threadpoolctl import threadpool_limits

from occupancy.errors import InputError, InputWarning
from occupancy.execution.sent import take_up
from occupancy.execution.unit import Failure, OnShare, Outcome, Source, Unit, carry_out, code_version, ignore

_CONNECT_S = 10.0
_LOOK_S = 1.0  # how often to check that there are workers, while no unit ends
_AHEAD = 1000  # units on the cluster at once: enough that no worker is idle, and a few megabytes
DIED = "its worker died twice while it ran; it may need more memory than the worker has"


class _Client(Client):
    """A client that, where it never connected, does not wait for its end."""

    def __del__(self) -> None:
        """Close the client if it is open."""
        if getattr(self, "status", None) == "running":
            super().__del__()  # type: ignore[no-untyped-call]


def _connected(address: str) -> Client:
    client: Client = _Client(address, timeout=_CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    return client


class Cluster:
    """The workers of a Dask scheduler."""

    def __init__(self, address: str, patience_s: float = 60.0) -> None:
        """Describe the cluster.

        Args:
            address: where its scheduler listens, such as ``tcp://host:8786``.
            patience_s: seconds to wait for a worker while there is none.
        """
        self._address = address
        self._patience_s = patience_s
        self._folds: dict[int, Source] = {}  # those on the scheduler, by id; kept here so that no other gets their id
        self._anchor: Future[int] | None = None  # the scheduler forgets the folds with this task

    def __enter__(self) -> Cluster:
        """Connect, and wait for a worker.

        Warns:
            InputWarning: there is no worker yet.

        Raises:
            InputError: nothing answers at the address, or there is no worker.
        """
        for name in ("distributed", "distributed.client", "asyncio"):  # what matters becomes an error of ours
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self._client = _connected(self._address)
        except (OSError, ValueError, TypeError) as error:  # also odd hosts, and TLS that is not configured
            raise InputError(
                f"--cluster: no Dask scheduler answers at {self._address} ({error}); start one with `dask scheduler` "
                "and give the address that it prints"
            ) from error
        try:
            with _answering(self._address):
                self._wait_for_a_worker()
        except BaseException:
            self._client.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the cluster; a running unit finishes, and its result is ignored."""
        self._client.close()

    def execute(self, units: Sequence[Unit], _on_share: OnShare = ignore) -> Generator[tuple[Unit, Outcome]]:
        """Yield each unit with its outcome, in the order in which they end.

        Dask runs a unit again if its worker dies. A unit whose worker died twice fails, and no other unit with it.

        Args:
            units: what to carry out.

        Warns:
            InputWarning: there is no worker any more.

        Raises:
            InputError: the scheduler or all workers are gone, or a worker cannot run units.
        """
        with _answering(self._address):
            yield from self._execute(units)

    def _execute(self, units: Sequence[Unit]) -> Generator[tuple[Unit, Outcome]]:
        waiting = iter(units)
        running: dict[Future[Outcome], Unit] = {}
        ended: SimpleQueue[Future[Outcome]] = SimpleQueue()
        folds = self._send_folds(units)

        def start(unit: Unit, deaths: int) -> None:
            future = self._submit(unit, folds, deaths)
            running[future] = unit
            future.add_done_callback(ended.put)

        try:
            while True:
                for unit in islice(waiting, _AHEAD - len(running)):
                    start(unit, deaths=0)
                if not running:
                    return
                try:
                    future = ended.get(timeout=_LOOK_S)
                except Empty:
                    self._wait_for_a_worker()
                    continue
                unit, outcome = running.pop(future), _outcome(future)
                if outcome is None:
                    start(unit, self._client.get_metadata(future.key, 0))
                else:
                    yield unit, outcome
        finally:
            if self._client.status == "running":
                self._client.cancel(list(running))

    def _wait_for_a_worker(self) -> None:
        if self._client.status != "running":
            raise ConnectionError("connection lost")
        if self._client.nthreads():
            return
        command = f"`dask worker {self._address} --nthreads 1`"
        warnings.warn(f"no worker; waiting {self._patience_s:g} s for {command}", InputWarning, stacklevel=2)
        try:
            self._client.wait_for_workers(1, timeout=self._patience_s)
        except TimeoutError as error:
            raise InputError(
                f"--cluster: {self._address} has had no worker for {self._patience_s:g} s; start some with {command} "
                "and give the same command again"
            ) from error

    def _send_folds(self, units: Sequence[Unit]) -> Key:
        """Send the folds of units ahead, in one piece that holds their log once, unless they are there already.

        The scheduler keeps them, so that they outlive any worker. Dask does not know them as inputs of the units: it
        would prefer the workers that hold the input, and leave others idle.

        Returns:
            The key of the folds.
        """
        folds = {id(unit.source): unit.source for unit in units}
        if self._anchor is None or not folds.keys() <= self._folds.keys():
            self._folds = folds
            self._anchor = self._client.submit(int, key=f"folds-{uuid4().hex}")
            self._client.set_metadata(self._anchor.key, pickle.dumps(folds))
        return self._anchor.key

    def _submit(self, unit: Unit, folds: Key, deaths: int) -> Future[Outcome]:
        key = f"unit-{uuid4().hex}"
        bare = replace(unit, source=None)  # type: ignore[arg-type]
        job = pickle.dumps(partial(_work, bare, id(unit.source), folds, key, deaths))
        return self._client.submit(take_up, code_version(), job, key=key)


@contextmanager
def _answering(address: str) -> Iterator[None]:
    """Turn a lost connection to the scheduler into an error of one line."""
    try:
        yield
    except (OSError, CancelledError) as error:
        raise InputError(
            f"--cluster: {address} does not answer any more ({type(error).__name__}); what was recorded is kept: "
            "start the scheduler again and give the same command"
        ) from error


def _outcome(future: Future[Outcome]) -> Outcome | None:
    """Return the outcome of a unit that ended, or None if it has to run again.

    Raises:
        InputError: its worker cannot run units.
    """
    if not future.done():  # it ended, but its worker died before the result was fetched
        return None
    try:
        return future.result(timeout=_CONNECT_S)
    except (TimeoutError, KilledWorker):  # the same; or Dask gave it up, as it does units that waited at dying workers
        return None
    except (OSError, CancelledError):
        raise
    except Exception as error:
        raise InputError(f"--cluster: {error}") from error


def _work(unit: Unit, fold: int, folds: Key, key: str, deaths: int) -> Outcome:
    """Return the outcome of a unit. The scheduler keeps, under its key, how many workers died while they ran it."""
    client = get_client()
    deaths = client.get_metadata(key, deaths)
    if deaths == 2:
        return Failure(DIED, passing=True)
    client.set_metadata(key, deaths + 1)
    with threadpool_limits(1):
        outcome = carry_out(replace(unit, source=_folds(folds)[fold]))
    client.set_metadata(key, deaths)
    return outcome


@lru_cache(maxsize=1)
def _folds(key: Key) -> dict[int, Source]:
    return pickle.loads(get_client().get_metadata(key))  # type: ignore[no-any-return]  # noqa: S301 (as above)
