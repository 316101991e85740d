"""Units on the cores of this machine: one process a core, one thread in each; no unit is lost if a process dies."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

from joblib.externals.loky import ProcessPoolExecutor, process_executor
from joblib.externals.loky.process_executor import BrokenProcessPool

from occupancy.execution.shares import Share, ShareFile
from occupancy.execution.unit import Failure, OnShare, Outcome, Unit, carry_out, ignore

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_GLANCE_S = 0.2  # how often the shares of units are looked at
DIED = "its process died twice with nothing else to do; it may need more memory than there is"


class Pool:
    """Processes of this machine, started when they are first needed."""

    def __init__(self, workers: int) -> None:
        """Describe the pool.

        Args:
            workers: processes at once.
        """
        self._workers = workers
        self._processes: ProcessPoolExecutor | None = None
        self._shares: ShareFile | None = None
        self._numbers: dict[Unit, int] = {}  # by which processes tell of them

    def __enter__(self) -> Pool:
        """Nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the processes, whatever they are doing."""
        self._stop()

    def execute(self, units: Sequence[Unit], on_share: OnShare = ignore) -> Generator[tuple[Unit, Outcome]]:
        """Yield each unit with what it gave, in the order in which they end.

        A process that dies takes down the others, and it is not known which unit was the cause. The units that were
        under way then run again one at a time, and all others in new processes; so a unit that kills its process twice
        fails, and no other with it.

        Args:
            units: what to carry out.
            on_share: told how much of a unit is done.
        """
        left = list(units)
        with tempfile.NamedTemporaryFile(prefix="occupancy-") as file:
            self._shares, self._numbers = ShareFile(Path(file.name)), {unit: number for number, unit in enumerate(left)}
            while left:
                suspects = []
                for unit, outcome in self._run(left, self._workers, on_share):
                    left.remove(unit)
                    if outcome is None:
                        suspects.append(unit)
                    else:
                        yield unit, outcome
                yield from self._one_by_one(suspects, on_share)

    def _run(self, units: Sequence[Unit], ahead: int, on_share: OnShare) -> Iterator[tuple[Unit, Outcome | None]]:
        """Yield each unit with what it gave; if a process dies, end with those under way, which get None.

        Args:
            units: what to carry out.
            ahead: units that wait at the processes, so that none is idle while the caller works on an outcome.
            on_share: told how much of a unit is done.
        """
        units_by_number = {self._numbers[unit]: unit for unit in units}
        waiting = iter(list(units))
        running: dict[Future[Outcome], Unit] = {}
        is_whole = True
        try:
            while is_whole or running:
                for unit in islice(waiting, self._workers + ahead - len(running) if is_whole else 0):
                    running[self._submit(unit)] = unit
                if not running:
                    return
                done, _ = wait(running, _GLANCE_S, FIRST_COMPLETED)
                if not done and not self._is_served:
                    done = set(running)  # nobody is left to bring their outcomes
                assert self._shares is not None
                for number, share in self._shares.news().items():
                    if number in units_by_number:
                        on_share(units_by_number[number], share)
                for future in done:
                    outcome = _result(future)
                    is_whole &= outcome is not None
                    yield running.pop(future), outcome
        finally:
            if running or not is_whole:
                self._stop()

    def _one_by_one(self, units: list[Unit], on_share: OnShare) -> Iterator[tuple[Unit, Outcome]]:
        """Yield each unit with what it gave, carried out with no other beside it, twice if its process dies."""
        died: set[Unit] = set()
        with Pool(1) as alone:
            alone._shares, alone._numbers = self._shares, self._numbers
            while units:
                for unit, outcome in alone._run(list(units), 0, on_share):
                    units.remove(unit)
                    if outcome is None and unit not in died:
                        died.add(unit)
                        units.append(unit)
                    else:
                        yield unit, outcome or Failure(DIED, passing=True)

    def _submit(self, unit: Unit) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        assert self._shares is not None
        try:
            future = self._started().submit(_carry_out, unit, self._shares.path, self._numbers[unit])
        except BrokenProcessPool as error:  # since it was last looked at
            future.set_exception(error)
        return future

    @property
    def _is_served(self) -> bool:
        """Whether the thread lives that brings outcomes from the processes."""
        thread = getattr(self._processes, "_executor_manager_thread", None)
        return thread is None or thread.is_alive()

    def _started(self) -> ProcessPoolExecutor:
        if self._processes is None:
            # Not joblib's Parallel but the pool below it: if a process dies, Parallel forgets what others finished.
            self._processes = ProcessPoolExecutor(
                self._workers, initializer=_prepare, initargs=(os.getpid(),), env=dict.fromkeys(_THREADS, "1")
            )
            with _ignoring_interrupts():
                self._processes.submit(os.getpid)  # the first call starts the processes
        return self._processes

    def _stop(self) -> None:
        if self._processes is not None:
            self._processes.shutdown(kill_workers=True)
            self._processes = None


def _carry_out(unit: Unit, shares: Path, number: int) -> Outcome:
    return carry_out(unit, Share(partial(ShareFile(shares).tell, number)))


def _result(future: Future[Outcome]) -> Outcome | None:
    try:
        return future.result(timeout=0)
    except (BrokenProcessPool, TimeoutError):
        return None


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Start processes that do not hear Ctrl-C, which a terminal sends to them too: the parent answers it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say so; nobody types there
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _prepare(parent: int) -> None:
    """Make a process of the pool silent, since its outcome says everything, and let it end with its parent."""
    warnings.simplefilter("ignore")
    process_executor._USE_PSUTIL = False  # else it ends a process that grows, which the imports of a model make it do
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 (as long as the process lives)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
