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

from occupancy.engine.unit import Failure, Outcome, Unit, carry_out

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
DIED = "its process died twice, the second time over this unit alone"


def execute(units: Sequence[Unit], workers: int) -> Generator[tuple[Unit, Outcome]]:
    """Yield each unit with what it gave, in the order in which they end.

    A process that dies takes down the pool. The units that were under way are then run again one at a time,
    and all others in a new pool; so a unit that kills its process twice fails, and no other with it.

    Args:
        units: what to carry out.
        workers: processes at once.
    """
    left = list(units)
    while left:
        suspects = []
        for unit, outcome in _in_pool(left, workers, ahead=workers):
            left.remove(unit)
            if outcome is None:
                suspects.append(unit)
            else:
                yield unit, outcome
        while suspects:
            for unit, outcome in _in_pool(suspects, workers=1, ahead=0):
                suspects.remove(unit)
                yield unit, outcome or Failure(DIED)


def _in_pool(units: Sequence[Unit], workers: int, ahead: int) -> Iterator[tuple[Unit, Outcome | None]]:
    """Yield each unit with what it gave; if a process dies, end with those under way, which get None.

    Args:
        units: what to carry out.
        workers: processes at once.
        ahead: units that wait at the processes, so that none stands idle while the caller deals with another one.
    """
    waiting = iter(units)
    running: dict[Future[Outcome], Unit] = {}
    is_whole = True
    with _pool(min(workers, len(units))) as pool:
        while is_whole or running:
            for unit in islice(waiting, workers + ahead - len(running) if is_whole else 0):
                running[_submit(pool, unit)] = unit
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                outcome = _result(future)
                is_whole &= outcome is not None
                yield running.pop(future), outcome


def _submit(pool: ProcessPoolExecutor, unit: Unit) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    try:
        future = pool.submit(carry_out, unit)
    except BrokenProcessPool as error:  # since it was last looked at
        future.set_exception(error)
    return future


def _result(future: Future[Outcome]) -> Outcome | None:
    try:
        return future.result()
    except BrokenProcessPool:
        return None


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    # Not joblib's Parallel but the pool below it: where a process dies, Parallel forgets what others have finished.
    pool = ProcessPoolExecutor(workers, initializer=_prepare, initargs=(os.getpid(),), env=dict.fromkeys(_THREADS, "1"))
    try:
        with _deaf():
            pool.submit(os.getpid)  # the first call starts the processes
        yield pool
    finally:
        pool.shutdown(kill_workers=True)


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
