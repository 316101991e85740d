"""Units on several processes: all of them come back, whatever happens to the processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest

from occupancy.config import Majority
from occupancy.execution.process_pool import DIED, Pool
from occupancy.execution.unit import Failure, Outcome, Scores, Unit, carry_out
from tests.execution.made_units import killer, model_of, quick_fold, units_of


@dataclass
class Carried:
    outcomes: dict[Unit, Outcome]
    easy: list[Unit]
    failing: Unit
    deadly: Unit
    unlucky: Unit
    deaths: int


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """Two processes, for all tests: what is slow is that they import torch."""
    with Pool(2) as pool:
        yield pool


@pytest.fixture(scope="module")
def carried(pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Carried:
    """What two processes made of units that are easy, that fail, that always kill their process, and once."""
    always, once = (tmp_path_factory.mktemp(name) for name in ("always", "once"))
    easy, failing = units_of(6), Unit(model_of(Majority()), quick_fold(validation=slice(0, 0)), "validation")
    deadly, unlucky = killer(always, deaths=99), killer(once, deaths=1)
    outcomes = dict(pool.execute([*easy[:3], deadly, failing, unlucky, *easy[3:]]))
    return Carried(outcomes, easy, failing, deadly, unlucky, len([*always.iterdir()]))


def test_units_give_on_two_processes_what_they_give_on_none(carried: Carried) -> None:
    assert len(carried.outcomes) == 9
    for unit in [*carried.easy, carried.unlucky]:
        here, there = carry_out(unit), carried.outcomes[unit]
        assert isinstance(here, Scores)
        assert isinstance(there, Scores)
        assert there.metrics == pytest.approx(here.metrics, rel=0, abs=0, nan_ok=True)


def test_an_error_in_a_unit_is_its_outcome_in_one_line(carried: Carried) -> None:
    failed = carried.outcomes[carried.failing]
    assert isinstance(failed, Failure)
    assert failed == carry_out(carried.failing)
    assert ": " in failed.error
    assert "\n" not in failed.error


def test_a_unit_that_kills_its_process_twice_fails_and_no_other_with_it(carried: Carried) -> None:
    failures = {unit for unit, outcome in carried.outcomes.items() if isinstance(outcome, Failure)}
    assert failures == {carried.deadly, carried.failing}
    assert carried.outcomes[carried.deadly] == Failure(DIED, passing=True)
    assert carried.deaths in {2, 3}  # alone, and among others unless it only waited when another one died


def children() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [child for child in found if "popen_loky" in " ".join(child.cmdline())]


def test_a_process_killed_from_outside_costs_no_unit_and_who_stops_asking_leaves_none_behind(
    pool: Pool,
) -> None:
    units = units_of(12)
    run = pool.execute(units)
    outcomes = [next(run)]
    os.kill(children()[0].pid, signal.SIGKILL)
    outcomes += [next(run) for _ in units[2:]]
    assert len(dict(outcomes)) == 11
    assert all(isinstance(outcome, Scores) for _, outcome in outcomes)
    assert children()
    run.close()
    assert not children()


BUSY = """
import os, time
from occupancy.execution.process_pool import Pool
processes = Pool(1)._started()
print(processes.submit(os.getpid).result(), flush=True)
processes.submit(time.sleep, 120).result()
"""


def test_a_busy_process_ends_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    deadline = time.monotonic() + 30
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "it would work on for nobody"
        time.sleep(0.1)
