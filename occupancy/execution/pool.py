"""Units on the cores of this machine: a process a core, one thread in each, and none lost where a process dies."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from itertools import islice

from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.process_executor import BrokenProcessPool

from occupancy.execution.unit import Failure, Outcome, Unit, carry_out

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
DIED = "its process died twice with nothing else to do"


class Pool:
    """Processes of this machine, started when they are first needed."""

    def __init__(self, workers: int) -> None:
        """Describe the pool.

        Args:
            workers: processes at once.
        """
        self._workers = workers
        self._processes: ProcessPoolExecutor | None = None

    def __enter__(self) -> Pool:
        """Nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the processes, whatever they are at."""
        self._stop()

    def execute(self, units: Sequence[Unit]) -> Generator[tuple[Unit, Outcome]]:
        """Yield each unit with what it gave, in the order in which they end.

        A process that dies takes down the others, and nobody knows over which unit. Those that were under way are
        then run again one at a time, where it is known, and all others in new processes; so a unit that kills
        its process twice fails, and no other with it.
        """
        left = list(units)
        while left:
            suspects = []
            for unit, outcome in self._run(left, ahead=self._workers):
                left.remove(unit)
                if outcome is None:
                    suspects.append(unit)
                else:
                    yield unit, outcome
            yield from _one_by_one(suspects)

    def _run(self, units: Sequence[Unit], ahead: int) -> Iterator[tuple[Unit, Outcome | None]]:
        """Yield each unit with what it gave; if a process dies, end with those under way, which get None.

        Args:
            units: what to carry out.
            ahead: units that wait at the processes, so that none stands idle while the caller is at another one.
        """
        waiting = iter(list(units))
        running: dict[Future[Outcome], Unit] = {}
        is_whole = True
        try:
            while is_whole or running:
                for unit in islice(waiting, self._workers + ahead - len(running) if is_whole else 0):
                    running[self._submit(unit)] = unit
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    outcome = _result(future)
                    is_whole &= outcome is not None
                    yield running.pop(future), outcome
        finally:
            if running or not is_whole:
                self._stop()

    def _submit(self, unit: Unit) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        try:
            future = self._started().submit(carry_out, unit)
        except BrokenProcessPool as error:  # since it was last looked at
            future.set_exception(error)
        return future

    def _started(self) -> ProcessPoolExecutor:
        if self._processes is None:
            # Not joblib's Parallel but the pool below it: where a process dies, Parallel forgets what others finished.
            self._processes = ProcessPoolExecutor(
                self._workers, initializer=_prepare, initargs=(os.getpid(),), env=dict.fromkeys(_THREADS, "1")
            )
            with _deaf():
                self._processes.submit(os.getpid)  # the first call starts the processes
        return self._processes

    def _stop(self) -> None:
        if self._processes is not None:
            self._processes.shutdown(kill_workers=True)
            self._processes = None


def _one_by_one(units: list[Unit]) -> Iterator[tuple[Unit, Outcome]]:
    """Yield each unit with what it gave, carried out with no other beside it, twice if need be."""
    died: set[Unit] = set()
    with Pool(1) as alone:
        while units:
            for unit, outcome in alone._run(units, ahead=0):
                units.remove(unit)
                if outcome is None and unit not in died:
                    died.add(unit)
                    units.append(unit)
                else:
                    yield unit, outcome or Failure(DIED, passing=True)


def _result(future: Future[Outcome]) -> Outcome | None:
    try:
        return future.result()
    except BrokenProcessPool:
        return None


@contextmanager
def _deaf() -> Iterator[None]:
    """Start processes that do not hear Ctrl-C, which a terminal sends to them too: it is for the parent to answer."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say so; nobody types there
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _prepare(parent: int) -> None:
    """Make a process of the pool silent, for what it has to say is its outcome, and let it end with its parent."""
    warnings.simplefilter("ignore")
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 (as long as the process lives)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
