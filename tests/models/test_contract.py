"""What every estimator promises (`occupancy.models.estimator.Estimator`), checked for every config file by glob.

Each config is fitted once, as small as it gets, on a small simulated log. From that fit come its variants: decoded in
each mode, calibrated, and pooled with another model, so that a memory, a member and a calibrator meet every model.
"""

from __future__ import annotations

import copy
import dataclasses
import warnings
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Rows
from occupancy.config import (
    LSTM,
    MLPCRF,
    Calibration,
    Config,
    Decoding,
    Kind,
    Majority,
    Mixture,
    Room,
    RoomModel,
    Simulation,
)
from occupancy.config.parsing import resolve
from occupancy.config.yaml_file import read_yaml
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.schema import UCI
from occupancy.data.source import open_log
from occupancy.errors import InputWarning
from occupancy.models import load_estimator, make_estimator
from occupancy.models.estimator import NO_STEPS, Estimator
from occupancy.models.mixture import MixtureEstimator
from occupancy.models.postprocess import out_of_fold
from occupancy.models.postprocess.decoding import Mode
from occupancy.models.postprocess.estimator import PostprocessedEstimator
from occupancy.prediction import Prediction
from tests.models.made_visits import DATA, garbled, sensors
from tests.places import ROOT

CONFIGS = sorted(path.relative_to(ROOT / "configs").as_posix() for path in (ROOT / "configs").rglob("*.yaml"))
MODES = get_args(Mode)
PARTS = ("plain", "pooled", "calibrated", *MODES, "pooled and filtered")
GAP = 700  # the row before which the log pauses for an hour
PASSES = 50  # of Monte-Carlo dropout

WITH_DROPOUT = "with dropped sensors"
"""Behind the name of a config: its networks learn to do without kinds of sensors."""

SMALL: dict[str, dict[str, Any]] = {
    "lstm": {"layers": 1, "hidden": 4},
    "mlp_crf": {"hidden": [4], "sequence": 12},
    "bnn": {"hidden": [4], "samples": 5, "draws": 1},
    "random_forest": {"trees": 3},
    "boosted_trees": {"rounds": 3},
}
"""Settings that make a model quick to fit; what it looks at stays as its config has it."""


def small(name: str) -> Config:
    """Return a config as its file has it, but small, and on the simulated log."""
    name, _, dropped = name.partition(" ")
    tree = read_yaml(ROOT / "configs" / name)
    tree.pop("search", None)
    for model in [tree["model"], *tree["model"].get("members", [])]:
        model.update(SMALL.get(model["name"], {}))
        if model.get("mc_samples"):
            model["mc_samples"] = PASSES
    if "train" in tree:
        tree["train"].update({"max_epochs": 1, "epoch_choices": None, "members": 2, "batch_size": 64, "device": "cpu"})
    if dropped:
        tree["train"]["sensor_dropout"] = 0.3
    return resolve(Config, {**tree, "name": "it", "data": DATA, "decoding": None, "calibration": None}, name)


@cache
def log() -> Log:
    """Return three simulated days with an hour's gap; nobody may write into them."""
    room = Simulation(days=3, room=Room(step_s=300))
    whole = open_log(DATA.model_copy(update={"simulation": room}))[0]
    later = pd.to_timedelta((np.arange(len(whole.frame)) >= GAP) * 3600.0, unit="s")
    return dataclasses.replace(whole, frame=whole.frame.set_axis(whole.times + later))


def fold() -> Fold:
    """Return a day and a half to learn from, half a day to choose by, and the last day to test."""
    row = np.arange(len(log().frame))
    return Fold(1, log(), row < 432, (row >= 432) & (row < 576), row >= 576)


def takes_refinements(config: Config) -> bool:
    """Return whether a config may be decoded and calibrated."""
    chain = isinstance(config.model, MLPCRF) and config.model.decoding != "filter"
    return config.protocol == "honest" and not chain


def fit(config: Config) -> Estimator:
    estimator = make_estimator(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        estimator.fit(fold().sealed() if config.protocol == "honest" else fold(), NO_STEPS)
    return estimator


@cache
def fitted(name: str) -> Estimator:
    """Return a config's fitted model, decoded and calibrated where it may be."""
    config = small(name)
    if takes_refinements(config):
        config = config.model_copy(update={"decoding": Decoding(), "calibration": Calibration()})
    return fit(config)


@cache
def another() -> Estimator:
    return fit(small("majority.yaml"))


def pooled(base: Estimator) -> Estimator:
    """Return a fitted model as a member of a mixture."""
    if isinstance(base.config.model, Mixture):
        return base
    mixture = Mixture(members=[base.config.model, Majority()])
    estimator = make_estimator(base.config.model_copy(update={"model": mixture}))
    assert isinstance(estimator, MixtureEstimator)
    bare = getattr(another(), "base", another())
    estimator.members, estimator.weights = [base, bare], np.full(2, 0.5)
    return estimator


def variant(name: str, part: str) -> Estimator:
    """Return one of the `PARTS` of a config's fitted model."""
    whole = fitted(name)
    base = whole.base if isinstance(whole, PostprocessedEstimator) else whole
    if part == "plain":
        return base
    if part == "pooled":
        return pooled(base)
    assert isinstance(whole, PostprocessedEstimator)
    other = copy.copy(whole)
    other.base = pooled(base) if part.startswith("pooled") else base
    mode = "filter" if part.startswith("pooled") else part
    decoding = None if part == "calibrated" else Decoding.model_validate({"mode": mode, "lag": 900.0})
    assert whole.decoder is not None
    other.decoder = None if decoding is None else dataclasses.replace(whole.decoder, settings=decoding)
    other.config = other.base.config.model_copy(update={"decoding": decoding, "calibration": Calibration()})
    return other


FIRST = {small(name).key: name for name in reversed(CONFIGS)}
"""The first of the configs that are the same when small, by their key: grids of one model, for instance."""


def marks_of(name: str, part: str) -> list[pytest.MarkDecorator]:
    """Return that refinements of a search's config are a proof: they meet every kind of model by other configs."""
    return [pytest.mark.proof] if name.startswith("grids/") and part not in PARTS[:2] else []


CASES = [
    pytest.param(name, part, id=f"{name}-{part}", marks=marks_of(name, part))
    for name in sorted(FIRST.values())
    for part in (PARTS if takes_refinements(small(name)) else PARTS[:2])
]
CASES += [
    pytest.param(f"{name} {WITH_DROPOUT}", "plain", id=f"{name}-{WITH_DROPOUT}")
    for name in ("lstm_regression.yaml", "bnn.yaml", "mlp_crf.yaml")
]
each_case = pytest.mark.parametrize(("name", "part"), CASES)


@pytest.fixture(autouse=True)
def _few_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out_of_fold, "MAX_GROUPS", 2)


def predict(estimator: Estimator, frame: pd.DataFrame, rows: Rows | None = None) -> Prediction:
    return estimator.predict(frame, np.ones(len(frame), bool) if rows is None else rows)


def assert_same(estimator: Estimator, one: Prediction, other: Prediction, atol: float = 1e-5) -> None:
    """Compare what two predictions say of the same rows.

    With Monte-Carlo dropout each row has masks of its own, drawn anew for rows that are asked for together: their
    means may differ by chance.
    """
    if any(isinstance(model, LSTM) and model.mc_samples for model in estimator.config.models):
        by_chance = 6 * other.epistemic * np.sqrt(2 / PASSES)
        assert (np.abs(one.mean - other.mean) <= by_chance + atol).all()
        return
    people = one.probs.shape[1] - 1  # that a shift of probability moves a mean by, at most
    for key, most in (("probs", atol), ("mean", people * atol), ("std", people * atol), ("epistemic", people * atol)):
        np.testing.assert_allclose(getattr(one, key), getattr(other, key), rtol=0, atol=most, err_msg=key)
    # Labels may differ only where two counts are as good as each other.
    first, second = np.sort(other.probs, axis=1)[:, [-1, -2]].T
    clear = (first - second > 2 * atol) & (np.abs(other.mean % 1 - 0.5) > 2 * atol)
    np.testing.assert_array_equal(one.label[clear], other.label[clear])


def test_the_glob_finds_the_configs_of_all_folders() -> None:
    assert {"best.yaml", "best_offline.yaml", "mlp_crf.yaml", "report/bnn.yaml", "grids/crf.yaml"} <= set(CONFIGS)


@each_case
def test_a_row_asked_for_alone_is_predicted_as_it_is_among_all(name: str, part: str) -> None:
    estimator, frame = variant(name, part), sensors(log())
    whole = predict(estimator, frame)
    assert whole.times.equals(log().times)
    for row in (0, 400, GAP - 1, GAP, len(frame) - 1):
        alone = np.arange(len(frame)) == row
        assert_same(estimator, predict(estimator, frame, alone), whole.at(alone))


@each_case
def test_earlier_rows_than_the_history_hardly_matter(name: str, part: str) -> None:
    estimator, frame = variant(name, part), sensors(log())
    asked = np.zeros(len(frame), bool)
    asked[[500, 620]] = True
    whole = predict(estimator, frame, asked)
    rows = round(estimator.history_s / log().step_s)
    for place, row in enumerate(np.flatnonzero(asked)):
        start = row - rows
        assert start > 0, "the log must be longer than the history"
        cut = predict(estimator, frame[start:], asked[start:] & (np.arange(start, len(frame)) == row))
        memory = estimator.config.decoding is not None or any(
            isinstance(model, MLPCRF | RoomModel) for model in estimator.config.models
        )
        # What a memory began with fades, the slower the less its evidence says; other models do not see it.
        assert_same(estimator, cut, whole.at(slice(place, place + 1)), atol=0.06 if memory else 1e-5)


@each_case
def test_rows_later_than_the_delay_change_nothing_in_a_causal_prediction(name: str, part: str) -> None:
    estimator, frame = variant(name, part), sensors(log())
    prediction = predict(estimator, frame)
    config = estimator.config
    lags = config.decoding is not None and config.decoding.mode == "lag"
    waits = lags or (config.decoding is not None and config.decoding.mode in {"smooth", "viterbi"})
    chain = any(isinstance(model, MLPCRF) and model.decoding != "filter" for model in config.models)
    assert prediction.causal == (not config.looks_ahead and not waits and not chain)
    assert prediction.delay_s == (900 if lags else 0)
    if config.looks_ahead or chain or (waits and not lags):
        return
    now = 480
    changed = sensors(garbled(log(), np.arange(len(frame)) > now))
    known = slice(0, now + 1 - round(prediction.delay_s / log().step_s))
    after = predict(estimator, changed)
    pd.testing.assert_frame_equal(after.to_frame()[known], prediction.to_frame()[known], check_exact=True)
    blind = all(model.name in {"majority", "clock"} for model in config.models)
    assert np.array_equal(after.probs[now + 1 :], prediction.probs[now + 1 :]) == blind


@each_case
def test_a_saved_model_predicts_as_before(name: str, part: str, tmp_path: Path) -> None:
    estimator, frame = variant(name, part), sensors(log())
    estimator.save(tmp_path)
    loaded = load_estimator(tmp_path)
    assert loaded.history_s == estimator.history_s
    one, other = predict(loaded, frame), predict(estimator, frame)
    pd.testing.assert_frame_equal(one.to_frame(), other.to_frame(), check_exact=True)
    assert (one.causal, one.delay_s) == (other.causal, other.delay_s)


def holed() -> pd.DataFrame:
    """Return the sensors with holes: one kind after another for 25 hours in all, and then all kinds for 8 hours."""
    frame = sensors(log()).copy()
    kinds: list[Kind] = ["co2", "sound", "motion", "temperature"]
    for kind, start in zip(kinds, range(100, 400, 75), strict=True):
        for column in UCI.of_kind(kind):
            frame.loc[frame.index[start : start + 75], column.name] = np.nan
    frame.iloc[500:600] = np.nan
    return frame


@each_case
def test_rows_with_missing_readings_are_predicted_alike_or_not_answered(name: str, part: str, tmp_path: Path) -> None:
    estimator, frame = variant(name, part), holed()
    whole = predict(estimator, frame)
    assert np.isfinite(whole.to_frame().drop(columns="time").to_numpy(np.float64)).all()
    np.testing.assert_allclose(whole.probs.sum(axis=1), 1, atol=1e-6)
    blind = all(model.name in {"majority", "clock"} for model in estimator.config.models)
    if not blind:
        assert not whole.is_answered[599], "a row after eight hours without a reading"
    for row in (60, 170, 399, 599):
        alone = np.arange(len(frame)) == row
        one = predict(estimator, frame, alone)
        # A decoder also carries the masks that were drawn for the rows before to a row without any.
        assert_same(estimator, one, whole.at(alone), atol=0.02 if estimator.config.decoding is not None else 1e-5)
        assert one.is_answered[0] == whole.is_answered[row]
    estimator.save(tmp_path)
    loaded = predict(load_estimator(tmp_path), frame)
    pd.testing.assert_frame_equal(loaded.to_frame(), whole.to_frame(), check_exact=True)


def test_networks_that_learned_with_dropped_sensors_answer_rows_that_lack_a_kind() -> None:
    for name in ("lstm_regression.yaml", "bnn.yaml", "mlp_crf.yaml"):
        dropped, plain = (predict(variant(each, "plain"), holed()) for each in (f"{name} {WITH_DROPOUT}", name))
        assert dropped.is_answered[150:400].all()
        assert not plain.is_answered[150:160].any()
        assert not dropped.is_answered[560:600].any(), "rows that lack all kinds"


@each_case
def test_a_column_that_a_frame_lacks_is_a_hole(name: str, part: str) -> None:
    estimator, lacking = variant(name, part), [column.name for column in UCI.of_kind("sound")]
    frame = sensors(log()).copy()
    frame[lacking] = np.nan
    blank, lacks = predict(estimator, frame), predict(estimator, frame.drop(columns=lacking))
    pd.testing.assert_frame_equal(lacks.to_frame(), blank.to_frame(), check_exact=True)
