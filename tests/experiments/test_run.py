from __future__ import annotations

import http.server
import threading
import time
from pathlib import Path

import pytest

from occupancy.config import Config, Data, MassBalance, Room, Simulation, Tracking
from occupancy.errors import InputError
from occupancy.experiments.run import plan
from occupancy.tracking.write import check_experiment

QUICK = Data(source="simulated", folds="simulated", simulation=Simulation(room=Room(step_s=120.0)))


def test_features_that_the_log_lacks_are_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    tracking = Tracking(uri=f"sqlite:///{tmp_path}/runs.db")
    with pytest.raises(InputError, match=r"features: got \['other'\], but the log 'simulated' has only co2, "):
        plan(Config(name="room", features=["other"], data=QUICK, tracking=tracking))
    assert list(tmp_path.iterdir()) == []


def test_a_mass_balance_without_co2_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    tracking = Tracking(uri=f"sqlite:///{tmp_path}/runs.db")
    config = Config(name="room", features=["temperature"], model=MassBalance(), data=QUICK, tracking=tracking)
    with pytest.raises(InputError, match=r"features: got \['temperature'\], but the model mass_balance needs co2"):
        plan(config)
    assert list(tmp_path.iterdir()) == []


def test_a_simulated_log_coarser_than_the_gap_is_refused(tmp_path: Path) -> None:
    data = QUICK.model_copy(update={"max_gap": 60.0})
    with pytest.raises(InputError, match=r"the shortest step is 120 s and data\.max_gap is 60 s"):
        plan(Config(name="room", data=data, tracking=Tracking(uri=f"sqlite:///{tmp_path}/runs.db")))


class Broken(http.server.BaseHTTPRequestHandler):
    """A server that says it is well, and whose interface is out of order."""

    def do_GET(self) -> None:
        well = self.path == "/health"
        self.send_response(200 if well else 503)
        self.end_headers()
        self.wfile.write(b"OK" if well else b"")

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_whose_interface_is_out_of_order_is_refused_within_ten_seconds() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = Config(name="room", tracking=Tracking(uri=f"http://127.0.0.1:{server.server_port}"))
        start = time.monotonic()
        with pytest.raises(InputError, match="does not answer as an MLflow store does"):
            check_experiment(config)
        assert time.monotonic() - start < 10
        server.shutdown()
