"""Units on a Dask cluster: a scheduler and workers in processes of their own, started as a user does."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from distributed import Client

from occupancy.config import Data, Majority
from occupancy.data.rooms import StoredRoom
from occupancy.errors import InputError, InputWarning
from occupancy.execution import cluster as cluster_module
from occupancy.execution.cluster import DIED, Cluster
from occupancy.execution.crew import Worker, process_id
from occupancy.execution.unit import Failure, Outcome, Scores, Unit, carry_out, code_version
from occupancy.tune import main
from tests.execution.made_units import SCHEMA, killer, model_of, quick_fold, units_of
from tests.places import ROOT

PATIENCE_S = 120.0
SEARCH = f"""
data:
  source: simulated
  folds: {ROOT / "tests" / "e2e" / "two_folds.yaml"}
  max_gap: 600
  simulation: {{days: 3, room: {{step_s: 300}}}}
model: {{name: lstm, window: 3, layers: 1, hidden: 4}}
train: {{max_epochs: 2, members: 1, batch_size: 256, device: cpu}}
search: {{over: {{model.window: [1, 2]}}}}
"""

pytestmark = [
    # MLflow asks SQLAlchemy for what SQLAlchemy is about to give up.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]


class Site:
    """Dask's processes on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", str(file))
        wait_until(lambda: file.is_file() and file.read_text().endswith("}"))
        self.address: str = json.loads(file.read_text())["address"]

    def worker(self, package: Path, *options: str) -> None:
        """Start workers that have the package in a folder."""
        path = os.pathsep.join([str(package), str(Path(__file__).parent)])
        local = self.folder / f"worker-{len(self._processes)}"
        self._start("worker", self.address, "--local-directory", str(local), *options, path=path)

    def stop(self) -> None:
        """Kill them all: what they would say in parting is for nobody."""
        for process in self._processes:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            for one in family:
                one.kill()
            process.wait()

    def _start(self, kind: str, *arguments: str, path: str = "") -> subprocess.Popen[bytes]:
        here = ["--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
        with (self.folder / f"{kind}-{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", kind, *arguments, *here],
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": path},
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)


def waiting(site: Site) -> list[str]:
    """Return the units that the scheduler knows of."""
    with Client(site.address, set_as_default=False) as client:
        keys: list[str] = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))
    return [key for key in keys if key.startswith("unit")]


def modules(site: Site) -> set[str]:
    """Return what the scheduler has imported, without what its own package depends on."""
    with Client(site.address, set_as_default=False) as client:
        return set(client.run_on_scheduler(lambda: list(__import__("sys").modules)))


def kill_a_worker(site: Site) -> None:
    with Client(site.address, set_as_default=False) as client:
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)


@dataclass
class Told:
    """What two workers made of all that can happen to them, the end of the scheduler last."""

    easy: list[Unit]
    failing: Unit
    deadly: Unit
    unlucky: Unit
    outcomes: dict[Unit, Outcome] = field(default_factory=dict)
    deaths: int = 0
    after_a_kill: list[tuple[Unit, Outcome]] = field(default_factory=list)
    command: tuple[int, str, str] = (-1, "", "")
    sent: list[str] = field(default_factory=list)
    scheduler_modules: set[str] = field(default_factory=set)
    refusal: str = ""
    end: str = ""
    end_s: float = 0.0


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, new_store: Callable[[Path], str]) -> Iterator[Told]:
    folder, always, once = (tmp_path_factory.mktemp(name) for name in ("site", "always", "once"))
    failing = Unit(model_of(Majority()), quick_fold(validation=slice(0, 0)), "validation")
    told = Told(units_of(6), failing, killer(always, deaths=99), killer(once, deaths=1))
    with ExitStack() as stack:
        site = Site(folder)
        stack.callback(site.stop)
        site.worker(ROOT, "--nthreads", "1", "--nworkers", "2")
        with Client(site.address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=PATIENCE_S)
        with Cluster(site.address, PATIENCE_S) as cluster:
            units = [*told.easy[:3], told.deadly, failing, told.unlucky, *told.easy[3:]]
            told.outcomes = dict(cluster.execute(units))
            told.deaths = len([*always.iterdir()])
            run = cluster.execute(units_of(60))
            told.after_a_kill = [next(run)]
            kill_a_worker(site)
            told.after_a_kill += run
            run = cluster.execute(units_of(60))
            next(run)
            told.sent = waiting(site)
            run.close()
            wait_until(lambda: not waiting(site))
        new_store(folder / "mlflow.db")
        told.command = tune(folder, "--cluster", site.address)
        told.scheduler_modules = modules(site)
        with pytest.MonkeyPatch.context() as here:
            here.setattr("occupancy.execution.crew.code_version", lambda: "0123456789abcdef")
            with pytest.raises(InputError) as caught:
                Cluster(site.address, PATIENCE_S).__enter__()
        told.refusal = str(caught.value)
        with Cluster(site.address, PATIENCE_S) as cluster:
            run = cluster.execute(units_of(10_000))
            next(run)
            site.scheduler.kill()
            begun = time.monotonic()
            with pytest.raises(InputError) as caught:
                list(run)
            told.end, told.end_s = str(caught.value), time.monotonic() - begun
        yield told


def tune(folder: Path, *arguments: str) -> tuple[int, str, str]:
    (folder / "quick.yaml").write_text(SEARCH)
    done = subprocess.run(  # noqa: PLW1510 (a code is what is asked for)
        [sys.executable, "-m", "occupancy.tune", "--config", "quick.yaml", "--json", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return done.returncode, done.stdout, done.stderr


def test_units_give_on_workers_what_they_give_here_to_the_last_digit(told: Told) -> None:
    assert len(told.outcomes) == 9
    for unit in [*told.easy, told.unlucky]:
        here, there = carry_out(unit), told.outcomes[unit]
        assert isinstance(here, Scores)
        assert isinstance(there, Scores)
        assert there.metrics == pytest.approx(here.metrics, rel=0, abs=0, nan_ok=True)
    assert told.outcomes[told.failing] == carry_out(told.failing)


def test_a_unit_that_kills_its_worker_twice_fails_and_no_other_with_it(told: Told) -> None:
    failures = {unit for unit, outcome in told.outcomes.items() if isinstance(outcome, Failure)}
    assert failures == {told.deadly, told.failing}
    assert told.outcomes[told.deadly] == Failure(DIED, passing=True)
    assert told.deaths == 2


def test_a_worker_killed_from_outside_costs_no_unit(told: Told) -> None:
    assert set(Counter(unit.config.seed for unit, _ in told.after_a_kill).values()) == {1}
    assert len(told.after_a_kill) == 60
    assert all(isinstance(outcome, Scores) for _, outcome in told.after_a_kill)


def test_no_more_units_are_sent_out_than_there_are_workers_and_who_stops_asking_leaves_none(told: Told) -> None:
    assert 1 <= len(told.sent) <= 3  # one of them may be over, its outcome not yet given


def test_the_scheduler_needs_neither_torch_nor_this_package(told: Told) -> None:
    assert not {"torch", "occupancy"} & told.scheduler_modules


def test_a_worker_with_other_code_is_refused_by_name(told: Told) -> None:
    theirs = re.escape(f"(ValueError: its code is {code_version()}, ours 0123456789abcdef)")
    assert re.search(rf"worker tcp:\S+ cannot take part {theirs}; install the same occupancy there", told.refusal)


def test_without_its_scheduler_a_run_ends_in_one_line_that_says_how_to_go_on(told: Told) -> None:
    assert "does not answer any more" in told.end
    assert told.end.endswith("start the scheduler again and give the same command")
    assert "\n" not in told.end
    assert told.end_s < 60


def test_a_search_on_a_cluster_gives_what_it_gives_on_the_cores(
    told: Told,
    tmp_path: Path,
    new_store: Callable[[Path], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, output, errors = told.command
    assert (code, errors) == (0, "")
    monkeypatch.chdir(tmp_path)
    Path("quick.yaml").write_text(SEARCH)
    store = f"tracking.uri={new_store(tmp_path / 'mlflow.db')}"
    assert main(["--config", "quick.yaml", "--json", "--workers", "1", store]) == 0
    there, here = (without_run(text) for text in (output, capsys.readouterr().out))
    assert there == here


def without_run(text: str) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(text)
    del tree["run_id"]
    return tree


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.stop()


def test_a_scheduler_without_workers_is_given_some_time(site: Site) -> None:
    with (
        pytest.warns(InputWarning, match=f"no worker yet; waiting 0.2 s for `dask worker {site.address} --nthreads 1`"),
        pytest.raises(InputError, match=r"has had no worker to use for 0.2 s; start some with `dask worker"),
        Cluster(site.address, patience_s=0.2),
    ):
        pass


@pytest.mark.filterwarnings("ignore:no worker yet")
def test_a_worker_without_the_package_is_refused(site: Site) -> None:
    (site.folder / "occupancy").mkdir()
    (site.folder / "occupancy" / "__init__.py").touch()  # before the installed one, which cannot be found then
    site.worker(site.folder)
    with (
        pytest.raises(
            InputError, match=r"cannot take part .ModuleNotFoundError: No module named 'occupancy.execution.fold'"
        ),
        Cluster(site.address, PATIENCE_S),
    ):
        pass


def test_an_address_where_no_scheduler_listens_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("occupancy.execution.cluster._CONNECT_S", 0.5)
    with (
        pytest.raises(InputError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1 .*start one with `dask sched"),
        Cluster("tcp://127.0.0.1:1"),
    ):
        pass


class Post:
    """A client that keeps what it is given to send."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.future = SimpleNamespace(status="pending")

    def submit(self, *task: Any, **_: Any) -> SimpleNamespace:
        self.sent.append(task)
        return self.future


def test_folds_are_sent_once_for_all_batches_of_a_search_and_again_where_they_are_lost() -> None:
    cluster, post = Cluster("tcp://127.0.0.1:1"), Post()
    cluster._client = post  # type: ignore[assignment]
    first, second = quick_fold(), quick_fold(validation=slice(20, 40))
    cluster._send([first, second, first])
    ((_, data),) = post.sent
    assert len(cluster_module._unpacked(data)) == 2
    cluster._send([second])
    assert len(post.sent) == 1
    post.future.status = "error"
    cluster._send([second])
    assert len(post.sent) == 2


def test_a_room_travels_within_its_own_job_which_is_small(tmp_path: Path) -> None:
    cluster, post = Cluster("tcp://127.0.0.1:1"), Post()
    cluster._client = post  # type: ignore[assignment]
    settings = Data(rooms=str(tmp_path), folds="each_room")
    room = StoredRoom(1, "cellar", tmp_path / "cellar.csv", "0" * 16, SCHEMA, settings)
    unit = Unit(model_of(Majority()), room, "test")
    cluster._submit(unit, Worker("tcp://127.0.0.1:2", process_id()))
    ((call, *arguments),) = post.sent
    assert [len(argument) < 5_000 for argument in arguments] == [True]
    outcome = call(*arguments)
    assert outcome == carry_out(unit)
    assert str(tmp_path / "cellar.csv") in outcome.error


def test_a_worker_unpacks_the_folds_once_for_all_units() -> None:
    cluster_module._unpacked.cache_clear()
    units = units_of(3)
    data = pickle.dumps([quick_fold(validation=slice(0, 0)), units[0].source])
    for unit in units:
        outcome = cluster_module._work(process_id(), unit.config, unit.scored, 1, bytes(bytearray(data)))
        here = carry_out(unit)
        assert isinstance(here, Scores)
        assert outcome.metrics == pytest.approx(here.metrics, rel=0, abs=0, nan_ok=True)
    assert cluster_module._unpacked.cache_info().misses == 1
