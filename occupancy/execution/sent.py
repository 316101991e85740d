"""What is sent to a cluster as code, because a worker may have no package, or another version of it.

A function within a function is sent as code, not by name. The scheduler unpacks it, but not the bytes that are its
argument, and so needs neither this package nor torch. Code that is measured for coverage can't be sent, so this file is
left out of that.
"""

from __future__ import annotations

from typing import Any


def _by_value() -> Any:
    def take_up(code: str, job: bytes) -> Any:
        """Return the result of a pickled function, if this worker may call it."""
        import pickle  # noqa: PLC0415

        from distributed import get_worker  # noqa: PLC0415

        worker = get_worker()
        remedy = "install the same versions there as here, and start it again"
        try:
            # A process has its random generators once: a second thread would change what the first one draws.
            if (threads := worker.state.nthreads) > 1:
                remedy = "start it again with --nthreads 1, and with --nworkers N to use N cores"
                raise ValueError(f"it has {threads} threads")
            from occupancy.execution.unit import code_version  # noqa: PLC0415

            if code_version() != code:
                raise ValueError(f"its code is {code_version()}, the command's {code}")
            return pickle.loads(job)()  # noqa: S301 (what a worker is sent is ours)
        except Exception as error:
            problem = f"worker {worker.address} cannot take part ({type(error).__name__}: {error}); {remedy}"
            raise RuntimeError(problem) from None

    return take_up


take_up = _by_value()
"""Returns the result of a pickled function, given the version of the code here, if the worker may call it."""
