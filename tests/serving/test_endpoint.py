"""A model behind MLflow's own server: the right counts, or one line that says what is wrong with the request."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
import uvicorn

from occupancy.serving import endpoint
from occupancy.serving.model import ServedModel
from tests.experiments.made_experiments import MLFLOW_WARNS
from tests.serving.made_models import an_hour, save_for_mlflow

pytestmark = MLFLOW_WARNS
CO2 = "S5_CO2"
FORMATS = ["dataframe_split", "dataframe_records", "instances", "inputs of rows", "inputs of columns", "csv"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    save_for_mlflow(folder)
    return folder


Post = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def post(folder: Path) -> Iterator[Post]:
    """Return what sends a body of a content type to MLflow's server and gives the answer."""
    from mlflow.pyfunc import scoring_server  # late: MLflow warns of itself when it is imported

    app = scoring_server.init(mlflow.pyfunc.load_model(str(folder / "mlflow")))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/invocations"

    def send(body: bytes | str | dict[str, Any], kind: str | None = None) -> requests.Response:
        if isinstance(body, dict):
            return requests.post(address, json=body, timeout=60)
        return requests.post(address, data=body, headers={} if kind is None else {"Content-Type": kind}, timeout=60)

    yield send
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def sensors() -> pd.DataFrame:
    return an_hour()


def send(post: Post, frame: pd.DataFrame, kind: str) -> Any:
    """Return the answer to a request that holds a frame."""
    if kind == "csv":
        return post(frame.to_csv(index=False), "text/csv")
    cells = frame.astype(object).where(frame.notna(), None)
    trees = {
        "dataframe_split": {"columns": list(cells.columns), "data": cells.to_numpy().tolist()},
        "dataframe_records": cells.to_dict("records"),
        "instances": cells.to_dict("records"),
        "inputs of rows": cells.to_dict("records"),
        "inputs of columns": cells.to_dict("list"),
    }
    return post({kind.split(maxsplit=1)[0]: trees[kind]})


def check_refused(answer: Any, text: str, status: int = 400) -> None:
    """Fail unless an answer is one line with a text, and says nothing of the machine."""
    assert answer.status_code == status
    said = answer.json()["message"]
    assert text in said
    assert "\n" not in said
    assert len(said) < 2000
    for secret in ("Traceback", "stack_trace", "site-packages", "File ", str(Path.home()), str(Path.cwd()), ".py"):
        assert secret not in answer.text


@pytest.mark.parametrize("kind", FORMATS)
def test_every_form_of_a_request_gives_the_counts_of_its_rows(
    post: Post, folder: Path, sensors: pd.DataFrame, kind: str
) -> None:
    answer = send(post, sensors, kind)
    assert answer.status_code == 200
    table = pd.DataFrame(answer.json()["predictions"])
    own = ServedModel(folder / "saved").predict(sensors)
    table["time"] = pd.to_datetime(table["time"])
    pd.testing.assert_frame_equal(table, own, check_dtype=False, rtol=1e-6)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_does_not_pass_the_gate_is_answered_by_the_gates_line(
    post: Post, folder: Path, sensors: pd.DataFrame, kind: str
) -> None:
    for spoilt in (
        sensors.drop(columns="Time"),
        sensors.assign(Date="soon"),
        sensors.astype({CO2: object}).replace({CO2: {sensors.at[3, CO2]: "much"}}),
        sensors.assign(**dict.fromkeys(sensors.columns.drop(["Date", "Time"]), np.nan)),
        sensors[::-1].reset_index(drop=True),
    ):
        with pytest.raises(ValueError, match=r"^the frame: ") as caught:
            ServedModel(folder / "saved").predict(spoilt)
        before_the_cells = str(caught.value).partition(": row ")[0]  # as which text they are shown depends on the form
        check_refused(send(post, spoilt, kind), before_the_cells)


@pytest.mark.parametrize("kind", FORMATS)
def test_rows_without_a_usable_reading_of_a_sensor_are_counted_and_not_answered(
    post: Post, sensors: pd.DataFrame, kind: str
) -> None:
    for spoilt in (
        sensors.drop(columns=CO2),
        sensors.assign(**{CO2: np.nan}),
        sensors.assign(**{CO2: 1e308}),
    ):
        answer = send(post, spoilt, kind)
        assert answer.status_code == 200
        rows = answer.json()["predictions"]
        assert [row["answered"] for row in rows] == [False] * len(sensors)


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "csv"])
@pytest.mark.parametrize(
    ("cell", "shown"),
    [(True, "True (bool)"), ([1, 2], "[1, 2] (list)"), ({"a": 1}, "{'a': 1} (dict)"), (10**400, "(int)")],
    ids=["bool", "list", "dict", "int"],
)
def test_a_cell_of_a_wrong_type_is_refused_by_name(
    post: Post, sensors: pd.DataFrame, kind: str, cell: Any, shown: str
) -> None:
    spoilt = sensors.astype(object)
    spoilt.at[2, CO2] = cell
    answer = send(post, spoilt, kind)
    check_refused(answer, f"wrong type (1): row 2 {CO2} ")
    assert shown in answer.json()["message"]


JSON_MISTAKES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "the request: is not JSON"),
    "half": (b'{"inputs": [', "the request: is not JSON"),
    "not utf-8": (b'{"inputs": "\xff"}', "the request: is not text (byte 12)"),
    "nested": (b"[" * 200_000, "the request: is not JSON (nested too deeply)"),
    "a list": (b"[1, 2]", "got a list, expected JSON with one of the keys dataframe_split"),
    "no key": (b"{}", "got the keys none, expected JSON"),
    "another key": (b'{"rows": []}', "got the keys 'rows', expected JSON"),
    "two keys": (b'{"inputs": [], "instances": []}', "got the keys 'inputs', 'instances'"),
    "parameters": (b'{"inputs": [], "params": {"a": 1}}', "got the keys 'inputs', 'params'"),
    "a number": (b'{"inputs": 3}', "inputs: got a int, expected a list of rows"),
    "rows of lists": (b'{"instances": [[1, 2]]}', "instances: row 0 is a list, expected a cell for each column"),
    "columns of a wrong key": (b'{"instances": {"a": [1]}}', "instances: got a dict"),
    "lengths": (b'{"inputs": {"a": [1], "b": [1, 2]}}', "got columns of 1 to 2 cells, expected one length"),
    "no rows": (b'{"dataframe_records": []}', "the frame: has no rows"),
    "no columns": (b'{"dataframe_split": {"data": [[1]]}}', "dataframe_split: expected the keys columns"),
    "other keys": (b'{"dataframe_split": {"columns": [], "data": [], "x": 1}}', "dataframe_split: expected the keys"),
    "twice": (b'{"dataframe_split": {"columns": ["a", "a"], "data": []}}', "expected names, each of them once"),
    "numbers for names": (b'{"dataframe_split": {"columns": [1], "data": []}}', "expected names"),
    "a short row": (b'{"dataframe_split": {"columns": ["a"], "data": [[1], []]}}', "row 1 is no list of 1 cells"),
}


@pytest.mark.parametrize("mistake", JSON_MISTAKES)
def test_json_that_is_no_frame_is_refused(post: Post, mistake: str) -> None:
    body, message = JSON_MISTAKES[mistake]
    check_refused(post(body, "application/json"), message)


CSV_MISTAKES: dict[str, tuple[bytes, str]] = {
    "nothing": (b" \n", "the request: is empty"),
    "not utf-8": (b"Date\n\xff", "the request: is not text (byte 5)"),
    "a longer row": (b"Date,Time\n1,2,3\n", "rows have more cells than the header"),
    "a longer row later": (b"Date,Time\n1,2\n1,2,3\n", "the request: Expected 2 fields in line 3, saw 3; give every"),
    "an open quote": (b'Date,Time\n1,"2\n', "the request: "),
    "a cell without an end": (b"Date,Time\n1," + b"2" * 1001, "the request: has a cell of more than 1,000 characters"),
    "a column twice": (b"Date,Date\n1,2\n", "the request: column Date is in the header twice"),
    "a header alone": (b"Date,Time\n", "the request: has a header but no rows"),
    "zeros": (b"\0\0\0", "the request: is not text (byte 0 is zero)"),
}


@pytest.mark.parametrize("mistake", CSV_MISTAKES)
def test_csv_that_is_no_frame_is_refused(post: Post, mistake: str) -> None:
    body, message = CSV_MISTAKES[mistake]
    check_refused(post(body, "text/csv"), message)


@pytest.mark.parametrize(
    "kind", ["text/html", "application/json; charset=latin-1", "application/vnd.apache.parquet", "", None]
)
def test_another_content_type_is_refused(post: Post, kind: str | None) -> None:
    answer = post(b"x", kind)
    assert answer.status_code == 415
    assert answer.text.endswith("expected application/json or text/csv, in UTF-8")


def test_the_charset_may_be_named(post: Post, sensors: pd.DataFrame) -> None:
    body = ("\ufeff" + sensors.to_csv(index=False)).encode()
    assert post(body, "Text/CSV; charset=UTF-8").status_code == 200


@pytest.mark.parametrize("kind", FORMATS)
def test_more_rows_than_the_limit_are_refused(
    post: Post, sensors: pd.DataFrame, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "MOST_ROWS", len(sensors))
    assert send(post, sensors, kind).status_code == 200
    monkeypatch.setattr(endpoint, "MOST_ROWS", len(sensors) - 1)
    check_refused(send(post, sensors, kind), "got 12 rows, expected at most 11; send them in several parts")


def test_a_body_above_the_limit_is_refused(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "MOST_BYTES", 10)
    answer = post(b"x" * 11, "text/csv")
    check_refused(answer, "got 11 bytes, expected at most 10; send fewer rows")


def test_a_fault_of_the_model_is_told_in_the_log_and_not_to_whoever_asks(
    post: Post, sensors: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the secret of the machine")

    monkeypatch.setattr(ServedModel, "_count", fail)
    answer = send(post, sensors, "csv")
    check_refused(answer, "the model failed; the server's log says how", status=500)
    assert "secret" not in answer.text
    assert "the secret of the machine" in caplog.text


def test_a_model_of_another_package_is_served_as_mlflow_does(post: Post) -> None:
    from mlflow.pyfunc import scoring_server

    other = SimpleNamespace(metadata=SimpleNamespace(), predict=lambda data: data["a"] * 2)
    answer = scoring_server.invocations(b'{"inputs": {"a": [1, 2]}}', "application/json", other, None)  # type: ignore[no-untyped-call]
    assert (answer.status, answer.response) == (200, '{"predictions": [2, 4]}')


def test_the_door_is_installed_once(folder: Path) -> None:
    from mlflow.pyfunc import scoring_server

    before = scoring_server.invocations
    endpoint.install()
    assert scoring_server.invocations is before


def test_used_from_python_a_refusal_is_mlflows_too(folder: Path, sensors: pd.DataFrame) -> None:
    loaded = mlflow.pyfunc.load_model(str(folder / "mlflow"))
    with pytest.raises(mlflow.exceptions.MlflowException, match="unreadable time") as caught:
        loaded.predict(sensors.assign(Date="soon"))
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_more_rows_than_the_model_can_count_in_time_are_refused_at_once(
    post: Post, sensors: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "TRIAL_ROWS", (2, 4))
    count = ServedModel.predict

    def slowly(self: ServedModel, frame: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        time.sleep(0.1 * len(frame))
        return count(self, frame, params)

    monkeypatch.setattr(ServedModel, "predict", slowly)
    assert send(post, sensors, "csv").status_code == 200
    monkeypatch.setenv("MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT", "1")
    answer = send(post, sensors, "csv")
    check_refused(answer, "got 12 rows, of which this model counts about ")
    assert "within the server's time-out of 1 s" in answer.json()["message"]
    assert send(post, sensors.head(4), "csv").status_code == 200
