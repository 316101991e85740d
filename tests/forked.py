"""Commands in processes of their own, forked from one that has imported what they need: that takes seconds each time.

What a start itself does is tested where the interpreter is started, see `tests/e2e/test_train.py`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
IMPORTED = [
    "occupancy.experiments.run",
    "occupancy.models.neural.estimator",
    "occupancy.models.neural.lstm",
    "occupancy.search.conduct",
    "occupancy.serving.counting",
]
"""What most commands import; Lightning alone takes seconds of each that trains a network."""


class Forked:
    """A command under way, in a session of its own, with what `subprocess.Popen` offers.

    Attributes:
        output: the file of its standard output.
        errors: that of its standard error.
    """

    def __init__(self, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Start ``occupancy`` with these arguments.

        Args:
            folder: where it works.
            arguments: as typed, the command first.
            environment: variables beside those of the first command that was started so.
        """
        _CONTEXT.set_forkserver_preload(IMPORTED)
        self.output, self.errors = folder.parent / f"{folder.name}.out", folder.parent / f"{folder.name}.err"
        given = (arguments, folder, self.output, self.errors, dict(environment or {}))
        self._process = _CONTEXT.Process(target=_run, args=given)
        self._process.start()

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return how it ended; None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended. Raise TimeoutExpired if it has not by then, in seconds."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return self._process.exitcode

    def kill(self) -> None:
        """Kill it and what it has started."""
        with contextlib.suppress(ProcessLookupError):  # it has no session yet, or has ended
            os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()


def _run(arguments: tuple[str, ...], folder: Path, output: Path, errors: Path, environment: Mapping[str, str]) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.update(environment)
    for number, path in ((1, output), (2, errors)):
        with path.open("w") as file:
            os.dup2(file.fileno(), number)
    from occupancy.__main__ import main

    sys.exit(main(arguments))
