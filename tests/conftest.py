"""What all tests share: the logs, hypothesis without a clock, and a machine without a network."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from tests.places import ROOT

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # before any test imports MLflow

import pytest
from hypothesis import settings

from occupancy.config import Data, Room, Simulation
from occupancy.data.download import UCI_FILE
from occupancy.data.schema import UCI
from occupancy.data.source import open_log
from occupancy.data.table import Log, read_log
from occupancy.execution.fold import one_thread

# Two busy cores make any deadline a coin toss; fifty examples find what a hundred do.
settings.register_profile("occupancy", deadline=None, max_examples=50)
settings.load_profile("occupancy")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """As training does; for networks this small, threads that wait for each other cost seconds."""
    with one_thread():
        yield


@pytest.fixture
def hears_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt at SIGINT, to which a shell makes the commands deaf that it runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def uci_path() -> Path:
    """The real log: in ``$OCCUPANCY_DATA_DIR``, beside the checkout, or in ``data/``."""
    named = os.environ.get("OCCUPANCY_DATA_DIR")
    folders = [*([Path(named).expanduser()] if named else []), ROOT.parent / "shared" / "data", ROOT / "data"]
    path = next((folder / UCI_FILE for folder in folders if (folder / UCI_FILE).is_file()), None)
    return path.resolve() if path else _absent(f"{UCI_FILE} is in none of {', '.join(map(str, folders))}")


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Return where a program of the system lies, such as a browser; beside PATH, Debian's folders for PostgreSQL."""
    postgres = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, postgres)])

    def find(name: str) -> str:
        return shutil.which(name, path=path) or _absent(f"{name} is not installed")

    return find


def _absent(what: str) -> NoReturn:
    """Skip a test for want of something; fail it where everything is required."""
    if os.environ.get("OCCUPANCY_REQUIRE_ALL"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """Return what puts an empty store into a file and gives its address; MLflow would take seconds for each."""
    from occupancy.tracking.store import prepare_store

    made = tmp_path_factory.mktemp("store") / "mlflow.db"
    prepare_store(f"sqlite:///{made}")

    def copy(path: Path) -> str:
        shutil.copy(made, path)
        return f"sqlite:///{path}"

    return copy


@pytest.fixture(scope="session")
def uci_log(uci_path: Path) -> Log:
    """The real log, validated; frames in it are shared, so no test may write into them."""
    return read_log(uci_path, UCI, Data())


@pytest.fixture(scope="session")
def simulated_log() -> Log:
    """A simulated working week with a row a minute; shared, so no test may write into it."""
    return open_log(Data(source="simulated", simulation=Simulation(room=Room(step_s=60.0))))[0]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that connects beyond this machine from its own process."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_loopback(address[0]):
            pytest.fail(f"a test went for {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
