"""Spoiled models and requests: finite counts, or one clean line without a path of the machine."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.config import (
    Calibration,
    Config,
    Data,
    Decoding,
    Logistic,
    MassBalance,
    Mixture,
    RandomForest,
    Room,
    Simulation,
)
from occupancy.data.folds import Fold
from occupancy.data.schema import UCI
from occupancy.data.source import open_log
from occupancy.errors import CONTROL, InputError, InputWarning
from occupancy.models import make_estimator
from occupancy.models.estimator import NO_STEPS
from occupancy.serving.checksums import seal
from occupancy.serving.endpoint import CSV, JSON, answer
from occupancy.serving.model import ServedModel, save
from tests.fuzz.changes import TOKENS, spoiled_file

DATA = Data(source="simulated", max_gap=600, simulation=Simulation(days=2, room=Room(step_s=300)))
POOL = Mixture(members=[MassBalance(), Logistic(), RandomForest(trees=2)])
HOUR = slice(120, 132)
VALUES: st.SearchStrategy[Any] = st.one_of(
    TOKENS, st.none(), st.booleans(), st.integers(), st.floats(), st.lists(st.floats(), max_size=2)
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool of three models with decoding and calibration: every kind of file that a model is saved in but weights."""
    config = Config(
        name="it", data=DATA, model=POOL, features="physics", decoding=Decoding(), calibration=Calibration()
    )
    log = open_log(DATA)[0]
    estimator, row = make_estimator(config), np.arange(len(log.frame))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        estimator.fit(Fold(1, log, row < 400, (row >= 400) & (row < 500), row >= 500), NO_STEPS)
    folder = tmp_path_factory.mktemp("pool")
    save(estimator, UCI, folder)
    return folder


@pytest.fixture(scope="module")
def served(saved: Path) -> ServedModel:
    return ServedModel(saved)


@pytest.fixture(scope="module")
def hour() -> pd.DataFrame:
    """An hour of readings as a CSV holds them."""
    frame = open_log(DATA)[0].frame.drop(columns=UCI.count)[HOUR]
    times = pd.DatetimeIndex(frame.index)
    cells = frame.reset_index(drop=True).astype(str)
    cells.insert(0, "Date", times.strftime("%Y/%m/%d"))
    cells.insert(1, "Time", times.strftime("%H:%M:%S"))
    return cells


def check_counts(table: pd.DataFrame) -> None:
    assert table["count"].between(0, 3).all()
    assert np.isfinite(table.drop(columns=["time", "answered"], errors="ignore").to_numpy(np.float64)).all()


@given(st.data())
def test_a_spoiled_model_counts_or_is_refused_in_a_line(
    saved: Path, hour: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("spoiled") / "model"
    shutil.copytree(saved, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files), label="file")
    content = bytearray(path.read_bytes())
    if path.suffix == ".json" and data.draw(st.booleans(), label="as JSON"):
        tree = json.loads(content)
        node, key = tree, data.draw(st.sampled_from(sorted(tree)))
        while isinstance(node[key], dict | list) and len(node[key]) and data.draw(st.booleans()):
            node = node[key]
            key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        node[key] = data.draw(VALUES)
        content = bytearray(json.dumps(tree).encode())
    elif content:
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        del content[at + data.draw(st.sampled_from([1, 2, len(content)])) :]
    path.write_bytes(content)
    if data.draw(st.booleans(), label="sealed again"):
        seal(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            check_counts(ServedModel(folder).predict(hour))
    except InputError as error:
        said = str(error)
    else:
        return
    finally:
        shutil.rmtree(folder)
    assert len(said) <= 2_000
    assert CONTROL.search(said) is None


def check_answer(served: ServedModel, body: bytes, kind: str) -> None:
    text, status, _ = answer(served, body, kind)
    told = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    if status == 200:
        check_counts(pd.DataFrame(told["predictions"]))
        return
    assert status == 400, text
    assert "\n" not in told["message"]
    assert not any(path in told["message"] for path in (str(Path.home()), "site-packages", ".py", "/tmp"))  # noqa: S108


@given(st.data())
def test_a_spoiled_csv_request_is_answered_or_refused_in_a_line(
    served: ServedModel, hour: pd.DataFrame, data: st.DataObject
) -> None:
    check_answer(served, data.draw(spoiled_file(hour.to_csv(index=False).splitlines(), ",")), CSV)


@given(st.data())
def test_a_spoiled_json_request_is_answered_or_refused_in_a_line(
    served: ServedModel, hour: pd.DataFrame, data: st.DataObject
) -> None:
    rows: list[Any] = hour.to_dict("records")
    for _ in range(data.draw(st.integers(1, 3))):
        row = rows[data.draw(st.integers(0, len(rows) - 1))]
        if isinstance(row, dict):
            row[data.draw(st.sampled_from([*row, "extra", "time", ""]))] = data.draw(VALUES)
        rows[data.draw(st.integers(0, len(rows) - 1))] = data.draw(st.one_of(st.just(row), VALUES, st.just({})))
    key = data.draw(st.sampled_from(["dataframe_records", "instances", "inputs", "dataframe_split", "other"]))
    check_answer(served, json.dumps({key: rows}).encode(), JSON)
