"""A model behind ``mlflow models serve``, in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import requests

from occupancy.serving.model import ServedModel
from tests.experiments.made_experiments import MLFLOW_WARNS
from tests.places import ROOT
from tests.serving.made_models import an_hour, save_for_mlflow

pytestmark = [*MLFLOW_WARNS, pytest.mark.usefixtures("no_drawing")]
STARTS_WITHIN_S = 120.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    save_for_mlflow(folder)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where the server answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    # The server itself is a process of the command's shell, so all of them get a group of their own.
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "mlflow", "--env-manager", "local", "-p", port]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    server = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until = time.monotonic() + STARTS_WITHIN_S
    while not answers(f"http://127.0.0.1:{port}/health"):
        assert server.poll() is None, "the server ended"
        assert time.monotonic() < until, "the server does not start"
        time.sleep(0.2)
    yield f"http://127.0.0.1:{port}/invocations"
    os.killpg(server.pid, signal.SIGTERM)
    server.wait()


def answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=5).ok
    except requests.ConnectionError:
        return False


def test_csv_and_json_are_counted_and_mistakes_answered_in_one_line(address: str, folder: Path) -> None:
    sensors = an_hour()
    own = ServedModel(folder / "saved").predict(sensors)
    csv = requests.post(address, sensors.to_csv(index=False), headers={"Content-Type": "text/csv"}, timeout=60)
    tree = requests.post(address, json={"dataframe_records": sensors.to_dict("records")}, timeout=60)
    for answer in (csv, tree):
        assert answer.status_code == 200
        table = pd.DataFrame(answer.json()["predictions"]).astype({"time": "datetime64[ns]"})
        pd.testing.assert_frame_equal(table, own, check_dtype=False, rtol=1e-6)
    wrong = sensors.astype(object)
    wrong.at[2, "S5_CO2"] = True
    refused = requests.post(address, json={"dataframe_records": wrong.to_dict("records")}, timeout=60)
    assert refused.status_code == 400
    assert refused.json()["message"].startswith("the frame: wrong type (1): row 2 S5_CO2 True (bool)")
    assert "Traceback" not in refused.text
