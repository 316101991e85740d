"""Units on a Dask cluster: a scheduler and workers in processes of their own, started as a user does.

The tests share one scheduler, so their order counts: first those without a usable worker, last the one that kills it.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client

from occupancy.config import LSTM, Data, Majority, Train
from occupancy.data.rooms import StoredRoom
from occupancy.errors import InputError, InputWarning
from occupancy.execution import cluster as cluster_module
from occupancy.execution.cluster import DIED, Cluster
from occupancy.execution.unit import Failure, Outcome, Scores, Unit, carry_out, code_version
from occupancy.tune import main
from tests.execution.made_units import SCHEMA, killer, model_of, quick_fold, slow_unit, units_of
from tests.places import ROOT

PATIENCE_S = 120.0
SEARCH = f"""
data:
  source: simulated
  folds: {ROOT / "tests" / "e2e" / "two_folds.yaml"}
  max_gap: 600
  simulation: {{days: 3, room: {{step_s: 300}}}}
model: {{name: majority}}
search: {{over: {{seed: [1, 2]}}}}
"""


class Site:
    """Dask's processes on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", str(file))
        wait_until(lambda: file.is_file() and file.read_text().endswith("}"))
        self.address: str = json.loads(file.read_text())["address"]

    def worker(self, package: Path, *options: str) -> subprocess.Popen[bytes]:
        """Start workers that have the package in a folder."""
        local = self.folder / f"worker-{len(self.workers)}"
        worker = self._start("worker", self.address, "--local-directory", str(local), *options, path=str(package))
        self.workers.append(worker)
        return worker

    def client(self) -> Client:
        """Return a client to be entered."""
        return Client(self.address, set_as_default=False)

    def wait_for_workers(self, count: int) -> list[int]:
        """Return the processes of the workers, once there are so many."""
        with self.client() as client:
            wait_until(lambda: len(client.nthreads()) == count)
            return list(client.run(os.getpid).values())

    def tasks(self) -> list[str]:
        """Return the keys of the tasks that the scheduler has."""
        with self.client() as client:
            return list(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks)))

    def folds(self) -> list[str]:
        """Return the keys of the folds that the scheduler keeps."""
        with self.client() as client:
            keys = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.task_metadata))
        return [key for key in keys if key.startswith("folds")]

    def stop(self) -> None:
        """Kill all processes, without the time that they would take to say goodbye."""
        for process in [*self.workers, self.scheduler]:
            kill(process)

    def _start(self, kind: str, *arguments: str, path: str = "") -> subprocess.Popen[bytes]:
        here = ["--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
        # Dask then gives a task up at the second death of a worker, and also the tasks that waited at that worker.
        failures = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
        with (self.folder / f"{kind}-{len(self.workers)}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", kind, *arguments, *here],
                cwd=self.folder,
                env=os.environ | failures | {"PYTHONPATH": path},
                stdout=log,
                stderr=log,
            )


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with those that it started."""
    if process.poll() is None:
        for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
            one.kill()
    process.wait()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)


def assert_equal(there: Outcome, here: Outcome) -> None:
    """Fail unless two outcomes are equal to the last digit."""
    if isinstance(here, Failure):
        assert there == here
    else:
        assert isinstance(there, Scores)
        assert there.metrics == pytest.approx(here.metrics, rel=0, abs=0, nan_ok=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A scheduler."""
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.stop()


@pytest.fixture(scope="module")
def manned(site: Site) -> Site:
    """The scheduler with two workers."""
    site.worker(ROOT, "--nthreads", "1", "--nworkers", "2")
    site.wait_for_workers(2)
    return site


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "tcp://a..b:1", f"tcp://{'a' * 300}:1", "tls://127.0.0.1:1", "tcp://\u202ea:1"]
)
def test_an_address_where_no_scheduler_listens_is_named(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr("occupancy.execution.cluster._CONNECT_S", 0.5)
    begun = time.monotonic()
    with (
        pytest.raises(InputError, match=r"no Dask scheduler answers at t.*start one with `dask sched"),
        Cluster(address),
    ):
        pass
    gc.collect()  # what is left of a client must not wait, nor fail
    assert time.monotonic() - begun < 5


def test_a_scheduler_without_workers_is_given_some_time(site: Site) -> None:
    with (
        pytest.warns(InputWarning, match=f"no worker; waiting 0.2 s for `dask worker {site.address} --nthreads 1`"),
        pytest.raises(InputError, match=r"has had no worker for 0.2 s; start some with `dask worker"),
        Cluster(site.address, patience_s=0.2),
    ):
        pass


@pytest.mark.parametrize(
    ("package", "threads", "problem"),
    [
        (
            "bare",
            1,
            "(ModuleNotFoundError: No module named 'occupancy.execution'); install the same versions there as here",
        ),
        (
            "",
            3,
            "(ValueError: it has 3 threads); start it again with --nthreads 1, and with --nworkers N to use N cores",
        ),
    ],
)
def test_a_worker_that_cannot_take_part_is_named(site: Site, package: str, threads: int, problem: str) -> None:
    folder = site.folder / package
    if package:
        (folder / "occupancy").mkdir(parents=True)
        (folder / "occupancy" / "__init__.py").touch()  # found before the installed one
    process = site.worker(folder, "--nthreads", str(threads))
    site.wait_for_workers(1)
    with Cluster(site.address, PATIENCE_S) as cluster, pytest.raises(InputError) as caught:
        list(cluster.execute(units_of(3)))
    kill(process)
    assert re.match(rf"--cluster: worker tcp://127.0.0.1:\d+ cannot take part {re.escape(problem)}", str(caught.value))
    site.wait_for_workers(0)


@pytest.mark.filterwarnings("ignore:no worker")  # both may be dead at once
def test_units_give_on_workers_what_they_give_here_to_the_last_digit_and_only_the_guilty_fail(
    manned: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    always, once = (tmp_path_factory.mktemp(name) for name in ("always", "once"))
    network = replace(
        units_of(1)[0],
        config=model_of(LSTM(window=3, layers=1, hidden=4)).model_copy(
            update={"train": Train(max_epochs=3, members=2, device="cpu")}
        ),
    )
    networks = [replace(network) for _ in range(2)]
    failing = Unit(model_of(Majority()), quick_fold(validation=slice(0, 0)), "validation")
    room = StoredRoom(1, "cellar", always / "cellar.csv", "0" * 16, SCHEMA, Data(rooms=str(always), folds="each_room"))
    fine = [*units_of(6), *networks, failing, Unit(model_of(Majority()), room, "test")]
    deadly, unlucky = killer(always, deaths=99), killer(once, deaths=1)
    with Cluster(manned.address, PATIENCE_S) as cluster:
        ended = list(cluster.execute([deadly, unlucky, *fine]))
    outcomes = dict(ended)
    assert len(ended) == len(outcomes) == len(fine) + 2
    for unit in [*fine, unlucky]:
        assert_equal(outcomes[unit], carry_out(unit))
    assert outcomes[deadly] == Failure(DIED, passing=True)
    assert len([*always.iterdir()]) == 2


def test_folds_are_sent_once_for_all_batches_and_forgotten_at_the_end(
    manned: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[int] = []
    jobs: list[int] = []
    keep: Callable[..., None] = Client.set_metadata
    submit = Client.submit

    def keep_counted(client: Client, key: str, piece: bytes) -> None:
        pieces.append(len(piece))
        keep(client, key, piece)

    def submit_counted(client: Client, function: Callable[..., Any], *arguments: Any, key: str) -> Any:
        jobs.append(len(pickle.dumps(arguments)))
        return submit(client, function, *arguments, key=key)

    monkeypatch.setattr(Client, "set_metadata", keep_counted)
    monkeypatch.setattr(Client, "submit", submit_counted)
    first, second = units_of(5), units_of(5)
    with Cluster(manned.address, PATIENCE_S) as cluster:
        for batch in (first, first[:1], [*second, first[0]], second[3:]):
            assert len(dict(cluster.execute(batch))) == len(batch)
            assert len(manned.folds()) == 1
    assert len(pieces) == 2
    assert max(jobs) < 3000 < min(pieces)
    wait_until(lambda: not manned.folds())


class Memory(dict[Any, Any]):
    """What a scheduler remembers for its clients."""

    get_metadata = dict.get
    set_metadata = dict.__setitem__


def test_only_workers_that_die_while_they_run_a_unit_count_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (unit,) = units_of(1)
    memory = Memory({"folds": pickle.dumps({7: unit.source})})
    monkeypatch.setattr(cluster_module, "get_client", lambda: memory)
    bare = replace(unit, source=None)  # type: ignore[arg-type]
    for _ in range(3):  # its results were lost
        assert_equal(cluster_module._work(bare, 7, "folds", "unit", 0), carry_out(unit))

    def die(_unit: Unit) -> Outcome:
        raise SystemExit

    monkeypatch.setattr(cluster_module, "carry_out", die)
    for _ in range(2):
        with pytest.raises(SystemExit):
            cluster_module._work(bare, 7, "folds", "unit", 0)
    assert cluster_module._work(bare, 7, "folds", "unit", 0) == Failure(DIED, passing=True)
    assert cluster_module._work(bare, 7, "folds", "sent again under another key", 2) == Failure(DIED, passing=True)


def test_who_stops_asking_or_types_ctrl_c_leaves_no_unit_on_the_cluster(manned: Site, hears_ctrl_c: None) -> None:
    with Cluster(manned.address, PATIENCE_S) as cluster:
        run = cluster.execute(units_of(50))
        next(run)
        assert len(manned.tasks()) > 20
        run.close()
        wait_until(lambda: len(manned.tasks()) == 1)
        run = cluster.execute([slow_unit(2.0) for _ in range(4)])
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            next(run)
        wait_until(lambda: len(manned.tasks()) == 1)


def test_a_worker_with_other_code_is_refused_by_its_address(manned: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = code_version()
    monkeypatch.setattr("occupancy.execution.cluster.code_version", lambda: "0123456789abcdef")
    theirs = rf"worker tcp:\S+ cannot take part .ValueError: its code is {ours}, the command's 0123456789abcdef.; inst"
    with Cluster(manned.address, PATIENCE_S) as cluster, pytest.raises(InputError, match=theirs):
        list(cluster.execute(units_of(3)))


def test_a_search_on_a_cluster_gives_what_it_gives_in_one_process(
    manned: Site,
    tmp_path: Path,
    new_store: Callable[[Path], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quick.yaml").write_text(SEARCH)
    told: list[dict[str, Any]] = []
    for where in (["--cluster", manned.address], ["--workers", "1"]):
        store = f"tracking.uri={new_store(tmp_path / f'{len(told)}.db')}"
        assert main(["--config", "quick.yaml", "--json", *where, store]) == 0
        output, errors = capsys.readouterr()
        assert not errors
        told.append({key: value for key, value in json.loads(output).items() if key != "run_id"})
    assert told[0] == told[1]


def test_the_scheduler_needs_neither_torch_nor_this_package(manned: Site) -> None:
    with Cluster(manned.address, PATIENCE_S) as cluster:
        assert len(list(cluster.execute(units_of(1)))) == 1
    with manned.client() as client:
        modules = client.run_on_scheduler(lambda: list(sys.modules))
    assert not {"torch", "occupancy"} & set(modules)


def test_a_worker_killed_from_outside_costs_no_unit(manned: Site) -> None:
    with Cluster(manned.address, PATIENCE_S) as cluster:
        run = cluster.execute(units_of(12))
        ended = [next(run)]
        os.kill(manned.wait_for_workers(2)[0], signal.SIGKILL)
        ended += run
    assert Counter(unit.config.seed for unit, _ in ended) == Counter(range(12))
    assert all(isinstance(outcome, Scores) for _, outcome in ended)


def test_without_workers_or_scheduler_a_run_ends_in_one_line_that_says_how_to_go_on(manned: Site) -> None:
    def end(run: Iterator[Any]) -> str:
        with pytest.raises(InputError) as caught:
            list(run)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    with Cluster(manned.address, patience_s=0.2) as hasty, Cluster(manned.address, PATIENCE_S) as patient:
        runs = hasty.execute(units_of(20)), patient.execute(units_of(20))
        for run in runs:
            next(run)
        for process in manned.workers:
            kill(process)
        begun = time.monotonic()
        with pytest.warns(InputWarning, match="no worker; waiting 0.2 s for"):
            assert "has had no worker for 0.2 s; start some with `dask worker" in end(runs[0])
        kill(manned.scheduler)
        told = end(runs[1])
        assert "does not answer any more" in told
        assert told.endswith("start the scheduler again and give the same command")
        assert time.monotonic() - begun < 60
