"""Units on a Dask cluster: one at a time in the process of each worker, and none lost where one dies."""

from __future__ import annotations

import logging
import pickle
import threading
from collections import Counter, deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from dask.typing import Key
from distributed import Client, Future, KilledWorker
from threadpoolctl import threadpool_limits

from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.errors import InputError
from occupancy.execution.crew import POLL_S, Crew, Worker, call, process_id
from occupancy.execution.unit import Failure, OnShare, Outcome, Scored, Source, Unit, carry_out, ignore

_CONNECT_S = 10.0
DIED = "its worker died twice while at it"

# Models draw from generators that a process has once, so a second thread would change what the first one gets.
_alone = threading.Lock()


@dataclass(frozen=True)
class _Task:
    """A unit under way.

    Attributes:
        unit: what is carried out.
        worker: where.
        future: what will come of it; None where another process than the worker's was asked.
    """

    unit: Unit
    worker: Worker
    future: Future[Outcome | None]


@dataclass(frozen=True)
class _Sent:
    """Folds that are on the cluster.

    Attributes:
        folds: by their ids; kept, for the id of what is gone may be given again.
        data: all in one piece, which holds their log once; a task made it, so for one whose worker dies it is made
            again.
    """

    folds: Mapping[int, Fold]
    data: Future[bytes]


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
        self._sent: _Sent | None = None

    def __enter__(self) -> Cluster:
        """Connect, and wait for the workers.

        Raises:
            InputError: nothing answers at the address, there are no workers, or one of them has other code.
        """
        for name in ("distributed", "distributed.client", "asyncio"):  # what matters comes as an error of ours
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self._client = Client(self._address, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InputError(
                f"--cluster: no Dask scheduler answers at {self._address} ({error}); start one with `dask scheduler` "
                "and give the address that it prints"
            ) from error
        try:
            with _answering(self._address):
                self._crew = Crew(self._client, self._address, self._patience_s)
                self._crew.assemble()
        except BaseException:
            self._client.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the cluster; a unit that is under way ends there, and nobody asks for it."""
        self._client.close()

    def execute(self, units: Sequence[Unit], _on_share: OnShare = ignore) -> Generator[tuple[Unit, Outcome]]:
        """Yield each unit with what it gave, in the order in which they end.

        A worker has one unit at a time, and no other may run it, so it is known which unit a worker dies over. That
        unit is sent out once more; one whose worker dies twice fails, and no other with it.

        Raises:
            InputError: the scheduler or all workers are gone, or a worker cannot take up what it is sent.
        """
        with _answering(self._address):
            yield from self._execute(units)

    def _execute(self, units: Sequence[Unit]) -> Generator[tuple[Unit, Outcome]]:
        waiting, given = deque(units), deque[tuple[Unit, Outcome]]()
        running: dict[Key, _Task] = {}  # by the key of its future
        over: SimpleQueue[Future[Any]] = SimpleQueue()
        deaths: Counter[Unit] = Counter()
        if folds := [unit.source for unit in units if isinstance(unit.source, Fold)]:
            self._send(folds)
        try:
            while waiting or running or given:
                self._crew.look()
                for worker in self._crew.workers - {task.worker for task in running.values()}:
                    if waiting:
                        unit = waiting.popleft()
                        task = _Task(unit, worker, self._submit(unit, worker))
                        running[task.future.key] = task
                        task.future.add_done_callback(over.put)
                if given:
                    yield given.popleft()
                for task in self._ended(running, over, patient=not given):
                    outcome = self._outcome(task)
                    deaths[task.unit] += outcome is None
                    if outcome is not None or deaths[task.unit] == 2:
                        given.append((task.unit, outcome or Failure(DIED, passing=True)))
                    else:
                        waiting.append(task.unit)
        finally:
            if self._client.status == "running":
                self._client.cancel([task.future for task in running.values()])

    def _send(self, folds: Sequence[Fold]) -> None:
        """Send folds ahead of their units, unless they are there already."""
        own = {id(fold): fold for fold in folds}
        sent = self._sent
        if sent is None or sent.data.status in ("error", "cancelled") or not own.keys() <= sent.folds.keys():
            self._sent = _Sent(own, self._client.submit(bytes, pickle.dumps(list(own.values()))))

    def _submit(self, unit: Unit, worker: Worker) -> Future[Outcome | None]:
        where: Source | int
        if not isinstance(unit.source, Fold):
            where, data = unit.source, []  # a few words; the room itself is read by the worker
        else:
            assert self._sent is not None, "folds are sent ahead"
            where, data = list(self._sent.folds).index(id(unit.source)), [self._sent.data]
        job = pickle.dumps(partial(_work, worker.process, unit.config, unit.scored, where, keep=unit.keep))
        key = f"unit-{uuid4().hex}"  # new each time it is sent out
        return self._client.submit(call, job, *data, workers=[worker.address], key=key)

    def _ended(self, running: dict[Key, _Task], over: SimpleQueue[Future[Any]], patient: bool) -> list[_Task]:
        """Return the tasks that are no longer under way, having taken them from those running."""
        keys = [key for key, task in running.items() if task.worker not in self._crew.workers]
        with suppress(Empty):
            keys.append(over.get(timeout=POLL_S if patient and not keys else 0).key)
        return [running.pop(key) for key in dict.fromkeys(keys) if key in running]

    def _outcome(self, task: _Task) -> Outcome | None:
        """Return what a task gave, or None if its worker died."""
        if task.future.status == "finished":
            with suppress(TimeoutError):  # the worker died between its last word and ours
                outcome = task.future.result(timeout=_CONNECT_S)
                if outcome is not None:
                    return outcome
        elif task.future.status == "error":
            error = task.future.exception(timeout=_CONNECT_S)
            if not isinstance(error, KilledWorker):
                raise InputError(
                    f"--cluster: worker {task.worker.address} could not take up a unit ({type(error).__name__}: "
                    f"{error}); install the same versions there as here"
                )
        elif task.future.status == "cancelled":
            raise ConnectionError("connection lost")
        self._client.cancel([task.future])
        self._crew.forget(task.worker)
        return None


@contextmanager
def _answering(address: str) -> Iterator[None]:
    """Say in one line that the scheduler is gone, where it is."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"--cluster: {address} does not answer any more ({error}); what was recorded is kept: "
            "start the scheduler again and give the same command"
        ) from error


def _work(process: str, config: Config, scored: Scored, fold: Source | int, data: bytes = b"", keep: Any = None) -> Any:
    """Return what a unit gave, or None if this is not the process that was asked."""
    if process != process_id():
        return None
    with _alone, threadpool_limits(1):
        return carry_out(Unit(config, _unpacked(data)[fold] if isinstance(fold, int) else fold, scored, keep))


@lru_cache(maxsize=1)  # a worker keeps the piece itself too, so it is known again at once
def _unpacked(data: bytes) -> list[Fold]:
    return pickle.loads(data)  # type: ignore[no-any-return]  # noqa: S301 (what a worker is sent is ours)
