"""What all tests share: the logs, hypothesis without a clock, and a machine without a network.

The package is imported by the fixtures that need it: the process that only hands tests out to others needs none of it.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import socket
from collections.abc import Callable, Generator, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.places import ROOT
from tests.undrawn import undrawn

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # before any test imports MLflow
os.environ["MLFLOW_LOGGING_LEVEL"] = "CRITICAL"

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from occupancy.data.log import Log

# On busy cores any deadline fails now and then. `make proofs` chooses its profile by --hypothesis-profile.
settings.register_profile("tests", deadline=None, max_examples=25)
settings.register_profile("proofs", deadline=None, max_examples=1000)
settings.register_profile("fuzz", deadline=None, max_examples=700)  # of each of the tests in tests/fuzz: 5,000 in all
settings.load_profile("tests")


IMPORTED = ("torch", "pytorch_lightning", "mlflow", "skops.io", "sklearn.ensemble", "pandera", "scipy.signal")


def pytest_sessionstart() -> None:
    """Import the libraries that almost every test needs, in the processes that carry tests out."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        for name in IMPORTED:
            import_module(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of whole commands, which take longest: with several processes none is to end alone."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that was skipped where everything is required: what it would have found stays unknown."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("OCCUPANCY_REQUIRE_ALL"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and OCCUPANCY_REQUIRE_ALL is set: {report.longrepr}"
    return report


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """As training does; for networks this small, threads that wait for each other cost seconds."""
    import torch  # noqa: F401 (first: only what is there is kept to one thread)

    from occupancy.execution.fold import one_thread

    with one_thread():
        yield


@pytest.fixture(scope="module")
def no_drawing() -> Iterator[None]:
    """Make figures without drawing them."""
    with undrawn():
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
    from occupancy.data.download import UCI_FILE

    named = os.environ.get("OCCUPANCY_DATA_DIR")
    folders = [*([Path(named).expanduser()] if named else []), ROOT.parent / "shared" / "data", ROOT / "data"]
    path = next((folder / UCI_FILE for folder in folders if (folder / UCI_FILE).is_file()), None)
    return path.resolve() if path else pytest.skip(f"{UCI_FILE} is in none of {', '.join(map(str, folders))}")


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Return where a program of the system lies, such as a browser; beside PATH, Debian's folders for PostgreSQL."""
    postgres = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, postgres)])

    def find(name: str) -> str:
        return shutil.which(name, path=path) or pytest.skip(f"{name} is not installed")

    return find


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
    from occupancy.config import Data
    from occupancy.data.schema import UCI
    from occupancy.data.table import read_log

    return read_log(uci_path, UCI, Data())


@pytest.fixture(scope="session")
def simulated_log() -> Log:
    """A simulated working week with a row a minute; shared, so no test may write into it."""
    from occupancy.config import Data, Room, Simulation
    from occupancy.data.source import open_log

    return open_log(Data(source="simulated", simulation=Simulation(room=Room(step_s=60.0))))[0]


@pytest.fixture(autouse=True, scope="session")
def _one_process() -> Iterator[None]:
    """Carry units out in the process of the test, unless it says `--workers`: others would import all models first.

    For the session, since fixtures of a module or a session come before those of a test.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("occupancy.execution.workers._cores", lambda: 1)
        yield


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
