"""Where units are carried out: what a command's options say about it, and what they may not say."""

from __future__ import annotations

import argparse
import io

import pytest

from occupancy.cli.arguments import add_workers
from occupancy.cli.command import Parser
from occupancy.errors import InputError
from occupancy.execution.cluster import Cluster
from occupancy.execution.process_pool import Pool
from occupancy.execution.workers import _cores, open_workers


def parsed(*arguments: str) -> argparse.Namespace:
    parser = Parser(prog="command")
    add_workers(parser)
    return parser.parse_args(arguments)


def test_units_run_on_the_cores_unless_a_cluster_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("occupancy.execution.workers._cores", lambda: 2)
    for arguments in ([], ["--workers", "3"]):
        assert isinstance(open_workers(parsed(*arguments)), Pool)
    for address in ("tcp://127.0.0.1:8786", "tls://host.example:1", "tcp://[::1]:8786"):
        assert isinstance(open_workers(parsed("--cluster", address)), Cluster)


@pytest.mark.parametrize(("quota", "cores"), [("max 100000", 16), ("250000 100000", 3), ("50000 100000", 1)])
def test_cores_are_those_that_the_container_may_use(quota: str, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    file = "/sys/fs/cgroup/cpu.max"
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: set(range(16)), raising=False)
    monkeypatch.setattr("os.path.exists", lambda path: path == file)
    monkeypatch.setattr("builtins.open", {file: io.StringIO(quota)}.__getitem__)
    found = _cores()
    monkeypatch.undo()  # pytest itself opens files
    assert found == cores


@pytest.mark.parametrize("address", ["host", "host:8786", "tcp://host", "tcp://:8786", "http://host:80", "tcp://h:x"])
def test_an_address_that_is_none_is_named_with_what_one_looks_like(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parsed("--cluster", address)
    shown = address.replace("tcp://h:x", "tcp://h:***")  # what is no port may be a password
    told = f"--cluster: got {shown!r}, expected an address such as tcp://host:8786, as `dask scheduler` prints it; see "
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("workers", ["0", "-1", "1.5", "two"])
def test_a_number_of_workers_that_is_none_is_named(workers: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parsed(f"--workers={workers}")
    assert f"--workers: got {workers!r}, expected a whole number from 1 to 100,000" in capsys.readouterr().err


def test_cores_and_a_cluster_at_once_are_a_conflict(capsys: pytest.CaptureFixture[str]) -> None:
    for workers in range(1, 5):  # one of them may be the number of cores
        with pytest.raises(SystemExit, match="2"):
            parsed("--workers", str(workers), "--cluster", "tcp://127.0.0.1:8786")
        assert "--cluster: not allowed with argument --workers" in capsys.readouterr().err


def test_without_dask_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("occupancy.execution.workers.find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r"which --cluster needs; pip install occupancy\[cluster\]"):
        open_workers(parsed("--cluster", "tcp://127.0.0.1:8786"))
