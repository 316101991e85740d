"""The workers of a Dask scheduler that are there and have our code, as they come and go."""

from __future__ import annotations

import pickle
import time
import uuid
import warnings
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from distributed import Client, Future, KilledWorker

from occupancy.errors import InputError, InputWarning
from occupancy.execution.unit import code_version

POLL_S = 0.5


@dataclass(frozen=True)
class Worker:
    """A process that carries out units.

    Attributes:
        address: where it listens.
        process: its `process_id`; the process that follows a dead one may listen at the same address.
    """

    address: str
    process: str


class Crew:
    """The workers that may be asked.

    Attributes:
        workers: those that are there and have our code.
    """

    def __init__(self, client: Client, address: str, patience_s: float) -> None:
        self.workers: set[Worker] = set()
        self._client = client
        self._address = address
        self._patience_s = patience_s
        self._greetings: dict[str, Future[str]] = {}  # of those that have not answered yet
        self._refused: set[str] = set()  # addresses
        self._is_complete = False  # whether all have answered that were there at the start
        self._looked = float("-inf")
        self._manned = time.monotonic()  # when a worker had answered the last time
        self._is_told = False  # that those who are there do not answer

    def assemble(self) -> None:
        """Wait until all workers that are there have answered, or some have and patience is at its end.

        Warns:
            InputWarning: there is no worker yet, or they have more threads than are used.

        Raises:
            InputError: a worker has other code, or there is none.
        """
        end = time.monotonic() + self._patience_s
        self.look()
        if not self._greetings:
            command = f"dask worker {self._address} --nthreads 1"
            warnings.warn(f"no worker yet; waiting {self._patience_s:g} s for `{command}`", InputWarning, stacklevel=2)
        while not self.workers or (self._greetings and time.monotonic() < end):
            time.sleep(POLL_S / 10)
            self.look()
        self._is_complete = True
        threads = self._client.nthreads()
        if any(threads.get(worker.address, 1) > 1 for worker in self.workers):
            warnings.warn(
                "there are workers with several threads, of which one is used; `dask worker --nworkers N --nthreads 1` "
                "uses N cores",
                InputWarning,
                stacklevel=2,
            )

    def look(self) -> None:
        """See who has come, who has gone and who has answered, if it is time again.

        Warns:
            InputWarning: a worker has other code and takes no part, or none has answered for long.

        Raises:
            InputError: there has been no worker for long.
            OSError: the scheduler is gone.
        """
        if time.monotonic() - self._looked < POLL_S:
            return
        if self._client.status != "running":
            raise ConnectionError("connection lost")
        present = self._client.nthreads()
        self._looked = time.monotonic()
        self.workers = {worker for worker in self.workers if worker.address in present}
        self._greetings = {address: future for address, future in self._greetings.items() if address in present}
        self._refused &= present.keys()
        for address in present.keys() - {worker.address for worker in self.workers} - self._refused:
            self._greet(address)
        if self.workers:
            self._manned = self._looked
        elif self._looked - self._manned > self._patience_s:
            self._despair()

    def _despair(self) -> None:
        """End where nobody is left to wait for; a worker that is there has a long unit at hand, or slow disks."""
        if not self._greetings:
            raise InputError(
                f"--cluster: {self._address} has had no worker to use for {self._patience_s:g} s; start some with "
                f"`dask worker {self._address} --nthreads 1` and give the same command again, which goes on from what "
                "was recorded"
            )
        if not self._is_told:
            self._is_told = True
            warnings.warn(
                f"no worker has answered for {self._patience_s:g} s, and {len(self._greetings)} are there; still "
                "waiting: they may be at units of a command that was stopped",
                InputWarning,
                stacklevel=2,
            )

    def forget(self, worker: Worker) -> None:
        """Greet a worker anew before it is asked for anything else."""
        self.workers.discard(worker)

    def _greet(self, address: str) -> None:
        """Ask a worker who it is, or hear what it answered."""
        if address not in self._greetings:
            asked = pickle.dumps(partial(_answer, code_version()))
            self._greetings[address] = self._client.submit(call, asked, workers=[address], pure=False)
        greeting = self._greetings[address]
        if greeting.status == "pending":
            return
        if greeting.status == "cancelled":
            raise ConnectionError("connection lost")
        del self._greetings[address]
        try:
            self.workers.add(Worker(address, greeting.result(timeout=POLL_S)))
        except (TimeoutError, KilledWorker):
            return  # it is greeted again if it comes back
        except Exception as error:
            problem = (
                f"worker {address} cannot take part ({type(error).__name__}: {error}); install the same occupancy "
                "there as here, and start it anew"
            )
            if not self._is_complete:
                raise InputError(f"--cluster: {problem}") from error
            self._refused.add(address)
            warnings.warn(problem, InputWarning, stacklevel=2)


def _answer(code: str) -> str:
    if code_version() != code:
        raise ValueError(f"its code is {code_version()}, ours {code}")
    return process_id()


@cache
def process_id() -> str:
    """Return what tells this process from all others."""
    return uuid.uuid4().hex


def _by_value() -> Any:
    def call(pickled: bytes, *arguments: Any) -> Any:
        """Return what a pickled function gives."""
        import pickle  # noqa: PLC0415

        return pickle.loads(pickled)(*arguments)  # noqa: S301

    return call


# A function within a function travels as what it does, not by its name: the scheduler, which unpacks all it is sent
# but nothing within bytes, then needs neither this package nor torch.
call = _by_value()
