"""The life of a run in MLflow: whose it is, and how it ends whatever happens to its process."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunStatus, RunTag
from mlflow.utils.git_utils import get_git_commit
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT

from occupancy.errors import STOPS, InputError
from occupancy.tracking import view

FINISHED, FAILED, KILLED, RUNNING = (
    RunStatus.to_string(status)
    for status in (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED, RunStatus.RUNNING)
)
_HOST, _PID, _STARTED = "host", "pid", "process_started"
_LONGEST = 5_000  # characters of a tag or a parameter


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back the wish to stop until what is within is done; as a decorator, until the function is.

    A store that is left in the middle of a write stays locked for what would say so in it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears signals
        return
    heard: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        heard.append(number)

    try:
        with ExitStack() as stack:
            for number in STOPS:
                stack.callback(signal.signal, number, signal.signal(number, remember))
            yield
    finally:
        if heard:
            signal.raise_signal(heard[0])


@contextmanager
def ending(end: Callable[[str], object]) -> Iterator[None]:
    """Call a function with how it ended: FINISHED, FAILED (an error) or KILLED (the wish to stop).

    Where the store that is to be told fails too, what went wrong first is what the user hears; the run is then marked
    by the next start, see `end_orphans`.
    """
    end = uninterrupted()(end)
    try:
        yield
    except Exception:
        with suppress(InputError):
            end(FAILED)
        raise
    except BaseException:  # the user's or the system's wish to stop
        with suppress(InputError):
            end(KILLED)
        raise
    end(FINISHED)


def end_orphans(client: MlflowClient) -> list[str]:
    """Mark as KILLED the runs that dead processes of this machine left RUNNING; return their ids."""
    everywhere = [found.experiment_id for found in client.search_experiments()]
    running = client.search_runs(
        everywhere, f"attributes.status = 'RUNNING' and tags.{_HOST} = '{socket.gethostname()}'", max_results=10_000
    )
    orphans = [run.info.run_id for run in running if not _is_alive(run.data.tags)]
    for run_id in orphans:
        client.set_terminated(run_id, KILLED)
    return orphans


def process_tags() -> dict[str, str]:
    """Return the tags by which `end_orphans` knows whether a run's process still lives."""
    # A process id alone is not enough: the system gives it again to another process one day.
    process = psutil.Process()
    return {_HOST: socket.gethostname(), _PID: str(process.pid), _STARTED: f"{process.create_time():.0f}"}


def code_tags() -> dict[str, str]:
    """Return the git commit of this package as a tag, if it lies in a checkout."""
    # MLflow looks where the running script lies, which for a notebook or a test is not this package.
    commit = get_git_commit(str(Path(__file__).parent))
    return {} if commit is None else {MLFLOW_GIT_COMMIT: commit}


def resume(client: MlflowClient, run: Run, tags: Mapping[str, str]) -> Run:
    """Return a run that was stopped, open again as that of the process which these tags tell of.

    Raises:
        InputError: it is still under way.
    """
    if run.info.status == RUNNING:
        where = f"process {run.data.tags.get(_PID)} on {run.data.tags.get(_HOST)}"
        raise InputError(f"tracking.uri: run {run.info.run_id} is this very command, under way in {where}; wait for it")
    write(client, run.info.run_id, tags=tags)
    client.update_run(run.info.run_id, RUNNING)
    return run


def find_runs(client: MlflowClient, experiment_id: str, query: str) -> Iterator[Run]:
    """Yield the runs of an experiment that a query finds, however many there are."""
    token = None
    while True:
        page = client.search_runs([experiment_id], query, max_results=1_000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def defined(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics without what could not be computed: MLflow would show NaN as if it were a score."""
    return {key: value for key, value in metrics.items() if value == value}  # noqa: PLR0124 (NaN is not itself)


def write(
    client: MlflowClient,
    run_id: str,
    metrics: Mapping[str, float] | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write into a run at once: metrics that could be computed, settings and tags; what is too long is cut off.

    Scores are written as tags too, rounded; see `view.scores`.
    """
    now = int(time.time() * 1000)
    tags = {**view.scores(metrics or {}), **(tags or {})}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in (params or {}).items()}
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, now, 0) for name, value in defined(metrics or {}).items()],
        params=[Param(name, text[:_LONGEST]) for name, text in texts.items()],
        tags=[RunTag(name, text[:_LONGEST]) for name, text in tags.items()],
    )


def _is_alive(tags: Mapping[str, str]) -> bool:
    try:
        process = psutil.Process(int(tags[_PID]))
        # The system counts from its own start, which it knows to a second or so only.
        same = abs(process.create_time() - float(tags[_STARTED])) < 3
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except (KeyError, ValueError, psutil.AccessDenied):  # not known to be ours, or not known to be dead
        return True
