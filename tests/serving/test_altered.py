"""A saved model whose settings were altered, and its checksums with them: it counts, or one line says what is wrong."""

from __future__ import annotations

import copy
import itertools
import json
import shutil
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from occupancy.config import (
    LSTM,
    MLPCRF,
    Calibration,
    Clock,
    Config,
    Data,
    Decoding,
    Logistic,
    Majority,
    MassBalance,
    Mixture,
    RandomForest,
    Room,
    RoomModel,
    Simulation,
    Train,
)
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.schema import UCI
from occupancy.data.source import open_log
from occupancy.errors import InputError, InputWarning
from occupancy.models import make_estimator
from occupancy.models.estimator import NO_STEPS
from occupancy.serving.checksums import seal
from occupancy.serving.model import ServedModel, save

DATA = Data(source="simulated", max_gap=600, simulation=Simulation(days=2, room=Room(step_s=300)))
POOL = Mixture(members=[MassBalance(), Logistic(), RandomForest(trees=2)])
MODELS: dict[str, dict[str, Any]] = {
    "lstm": {"model": LSTM(window=2, layers=1, hidden=2)},
    "mlp_crf": {"model": MLPCRF(hidden=[2], sequence=12)},
    "forest": {"model": RandomForest(trees=2, head="regression"), "features": "all"},
    "majority": {"model": Majority()},
    "clock": {"model": Clock()},
    "pool": {"model": POOL, "features": "physics", "decoding": Decoding(), "calibration": Calibration()},
    "room": {"model": RoomModel(sets=2)},
    "path": {"model": Logistic(), "decoding": Decoding(mode="viterbi")},
}
WRONG: list[Any] = [None, True, "1", -1, 0, 1e-300, 1e308, 10**400, float("nan"), [], {}, [[1]], "x" * 100_000]


@cache
def log() -> Log:
    return open_log(DATA)[0]


@pytest.fixture(scope="module", params=MODELS)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = Config(name="it", data=DATA, train=Train(max_epochs=1, members=1, device="cpu"), **MODELS[request.param])
    estimator, row = make_estimator(config), np.arange(len(log().frame))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        estimator.fit(Fold(1, log(), row < 400, (row >= 400) & (row < 500), row >= 500), NO_STEPS)
    folder = tmp_path_factory.mktemp(request.param)
    save(estimator, UCI, folder)
    return folder


def places(tree: Any) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to every value below the settings of the config; of a list, only to its first item."""
    below = tree.items() if isinstance(tree, dict) else list(enumerate(tree))[:1] if isinstance(tree, list) else []
    for key, value in below:
        if key != "config":
            yield (key,)
            yield from ((key, *rest) for rest in places(value))


def alterations(tree: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what was altered, and settings in which a value is another, longer, shorter, or missing."""
    for way in places(tree):
        for wrong in [*WRONG, "shorter", "longer", "gone"]:
            other = copy.deepcopy(tree)
            *above, last = way
            parent: Any = other
            for key in above:
                parent = parent[key]
            if wrong == "gone":
                del parent[last]
            elif wrong in {"shorter", "longer"} if isinstance(wrong, str) else False:
                if not isinstance(parent[last], list):
                    continue
                parent[last] = parent[last][:-1] if wrong == "shorter" else [*parent[last], *parent[last][-1:]]
            else:
                parent[last] = wrong
            yield f"{way} {str(wrong)[:20]}", other


def count(folder: Path, frame: pd.DataFrame) -> str:
    """Return what a model says of a frame: the line that refuses it, or nothing if it counts."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of numbers that leave the range of double precision
            table = ServedModel(folder).estimator.predict(frame, np.ones(len(frame), bool)).to_frame()
    except InputError as error:
        return str(error)
    assert np.isfinite(table.drop(columns="time").to_numpy(np.float64)).all()
    return ""


def check_altered(saved: Path, tmp_path: Path, every: int) -> None:
    """Fail unless every so many-th alteration is counted with, or refused in one line."""
    frame = log().frame[UCI.sensors].iloc[100:130]
    assert count(saved, frame) == ""
    refused = 0
    for path in sorted(saved.rglob("settings.json")):
        tree = json.loads(path.read_text())
        for number, (what, other) in enumerate(itertools.islice(alterations(tree), 0, None, every)):
            folder = Path(shutil.copytree(saved, tmp_path / f"{path.parent.name}-{number}"))
            (folder / path.relative_to(saved)).write_text(json.dumps(other))
            seal(folder)
            said = count(folder, frame)
            assert "\n" not in said, what
            assert len(said) < 600, what
            refused += bool(said)
            shutil.rmtree(folder)
    assert refused


def test_altered_settings_give_counts_or_one_line(saved: Path, tmp_path: Path) -> None:
    # Of 16 alterations of each value, so that all are met somewhere; two have as many values as the others together.
    check_altered(saved, tmp_path, every=27 if saved.name.startswith(("pool", "room")) else 11)


@pytest.mark.proof
def test_all_altered_settings_give_counts_or_one_line(saved: Path, tmp_path: Path) -> None:
    check_altered(saved, tmp_path, every=1)
