from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits
from torch import Tensor, nn

from occupancy.arrays import Rows
from occupancy.config import LSTM, MLPCRF, Config, Decoding, Logistic, Train
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.schema import Column, Schema
from occupancy.execution.fold import FoldResult, run_fold, validate_fold
from occupancy.features.sensors import Features
from occupancy.metrics import score
from occupancy.models import make_estimator
from occupancy.models.estimator import NO_STEPS, Steps
from occupancy.models.neural.estimator import NetworkEstimator
from occupancy.models.neural.lstm import LSTMNetwork
from occupancy.models.neural.network import Sizes
from occupancy.prediction import Prediction
from tests.counted import Counted

ROWS, GAP_AT = 200, 130
SCHEMA = Schema(
    name="small",
    time=["when"],
    time_format="%Y-%m-%d %H:%M:%S",
    columns=[
        Column(name="number", kind="other", unit="row"),  # tells a window's rows apart
        Column(name="warm", kind="temperature", unit="degC"),
        Column(name="air", kind="co2", unit="ppm"),
        Column(name="trend", kind="co2_slope", unit="ppm per sample", slope_of="air", slope_span_s=150.0),
    ],
    count="people",
)
BLIND = "is not what it was"  # what the leak tests say when they find a leak


def span(*parts: tuple[int, int]) -> Rows:
    inside = np.zeros(ROWS, bool)
    for start, end in parts:
        inside[start:end] = True
    return inside


def room_log() -> Log:
    """Return a log whose sensors tell the count but for some noise, with a gap of an hour in it."""
    rng = np.random.default_rng(0)
    people = np.arange(ROWS) // 8 % 4
    seconds = np.arange(ROWS) * 30 + np.where(np.arange(ROWS) >= GAP_AT, 3600, 0)
    columns = {
        "number": np.arange(ROWS, dtype=np.float64),
        "warm": 20 + people + rng.normal(0, 0.3, ROWS),
        "air": 400 + 100 * people + rng.normal(0, 20, ROWS),
        "trend": rng.normal(0, 1, ROWS),
        "people": people,
    }
    times = pd.DatetimeIndex(pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s"), name="time")
    frame = pd.DataFrame(columns, times)
    return Log("small", "small", SCHEMA, frame, frame[SCHEMA.sensors].isna(), 120.0)


def forward_fold() -> Fold:
    """Return a fold with its test rows at the end of the log."""
    return Fold(1, room_log(), span((0, 60), (90, 140)), span((60, 90)), span((140, 200)))


def blocked_fold() -> Fold:
    """Return a fold with test rows at the start of the log and again between the training rows."""
    return Fold(2, room_log(), span((30, 80), (100, 170)), span((170, 200)), span((0, 30), (80, 100)))


FOLDS = pytest.mark.parametrize("fold_of", [forward_fold, blocked_fold])


def config_of(**changes: Any) -> Config:
    own = {key: changes.pop(key) for key in ("protocol", "features") if key in changes}
    model: dict[str, Any] = {"window": 3, "layers": 1, "hidden": 4, "dropout": 0.2}
    model |= {key: changes.pop(key) for key in ("head", "mc_samples", "window") if key in changes}
    training = Train(**{"max_epochs": 3, "batch_size": 32, "members": 2, "device": "cpu", **changes})
    return Config(name="small", model=LSTM(**model), train=training, **own)


def run(fold: Fold, **changes: Any) -> FoldResult:
    return run_fold(config_of(**changes), fold, NO_STEPS)


def fit(fold: Fold, **changes: Any) -> NetworkEstimator:
    """Return an estimator fitted to a fold whose test rows are not sealed: its own doing is what is looked at."""
    estimator = cast(NetworkEstimator, make_estimator(config_of(**changes)))
    estimator.fit(fold, NO_STEPS)
    return estimator


def replaced(fold: Fold, frame: pd.DataFrame) -> Fold:
    return dataclasses.replace(fold, log=dataclasses.replace(fold.log, frame=frame))


def with_other_sensors(fold: Fold, rows: Rows) -> Fold:
    frame = fold.log.frame.copy()
    frame.loc[rows, SCHEMA.sensors] = frame.loc[rows, SCHEMA.sensors] * 3 - 700
    return replaced(fold, frame)


def with_other_counts(fold: Fold, rows: Rows) -> Fold:
    frame = fold.log.frame.copy()
    frame.loc[rows, SCHEMA.count] = 3 - frame.loc[rows, SCHEMA.count]
    return replaced(fold, frame)


def with_other_rows(fold: Fold, rows: Rows) -> Fold:
    return with_other_counts(with_other_sensors(fold, rows), rows)


def learned(estimator: NetworkEstimator) -> dict[str, Any]:
    """Return everything that fitting settles: weights, scaling, epochs, variance, and how they came about."""
    weights = {
        f"weight {name} of network {number}": value
        for number, network in enumerate(estimator.networks)
        for name, value in network.state_dict().items()
    }
    return {
        "chosen_epochs": estimator.chosen_epochs,
        "residual_var": estimator.residual_var,
        "low": estimator.features.low,
        "high": estimator.features.high,
        "history": estimator.history.drop(columns="stage").to_numpy(np.float64),
        **weights,
    }


def assert_same_model(before: NetworkEstimator, after: NetworkEstimator) -> None:
    """Raise unless two fits are the same to the last bit."""
    one, other = learned(before), learned(after)
    assert list(one) == list(other)
    for name, value in one.items():
        assert np.array_equal(np.asarray(value), np.asarray(other[name]), equal_nan=True), f"{name} {BLIND}"


def assert_blind_to_test_rows(fold: Fold, alter: Callable[[Fold, Rows], Fold], **changes: Any) -> None:
    """Raise unless the fitted model is the same whatever the test rows hold."""
    assert_same_model(fit(fold, **changes), fit(alter(fold, fold.test), **changes))


def assert_causal(predict: Callable[[pd.DataFrame], Prediction], frame: pd.DataFrame, row: int) -> None:
    """Raise unless altering every row after one leaves the predictions up to it as they were."""
    altered = frame.copy()
    altered.iloc[row + 1 :] = altered.iloc[row + 1 :] * 3 - 700
    before, after = predict(frame).to_frame(), predict(altered).to_frame()
    assert before.iloc[: row + 1].equals(after.iloc[: row + 1]), f"the prediction up to row {row} {BLIND}"
    assert not before.iloc[row + 1 :].equals(after.iloc[row + 1 :])  # or nothing would have been shown


class FitOnEverything:
    """Stands in for `Features.fit`: the scaler that the honest protocol forbids."""

    def __init__(self) -> None:
        self.honest = Features.fit

    def __call__(self, log: Log, rows: Rows, selection: Any, seen: Rows | None = None) -> Features:
        return self.honest(log, np.ones_like(rows), selection)


@FOLDS
@pytest.mark.parametrize("head", ["regression", "classification"])
@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("alter", [with_other_sensors, with_other_counts])
def test_altering_test_rows_changes_nothing_that_is_learned(
    fold_of: Callable[[], Fold], head: str, refit: bool, alter: Callable[[Fold, Rows], Fold]
) -> None:
    assert_blind_to_test_rows(fold_of(), alter, head=head, refit=refit, max_epochs=2)


@FOLDS
def test_a_scaler_fitted_on_all_rows_is_found_out(fold_of: Callable[[], Fold], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Features, "fit", FitOnEverything())
    with pytest.raises(AssertionError, match=f"(low|high|residual_var) {BLIND}"):
        assert_blind_to_test_rows(fold_of(), with_other_sensors)


def test_training_that_stops_on_the_test_rows_is_found_out() -> None:
    with pytest.raises(AssertionError, match=BLIND):
        assert_blind_to_test_rows(forward_fold(), with_other_counts, protocol="report")


def test_features_that_look_past_their_stretch_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    # The trailing slope of a training row after a test block would look into it, were stretches not cut.
    def uncut(times: pd.DatetimeIndex, _rows: Rows, _max_gap: float) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.zeros(len(times), np.int64)

    monkeypatch.setattr("occupancy.models.neural.estimator.stretches", uncut)
    with pytest.raises(AssertionError, match=BLIND):
        assert_blind_to_test_rows(blocked_fold(), with_other_sensors)


@FOLDS
def test_a_run_learns_the_same_whatever_the_test_rows_hold(fold_of: Callable[[], Fold]) -> None:
    fold = fold_of()
    before, after = run(fold), run(with_other_rows(fold, fold.test))
    assert isinstance(before.estimator, NetworkEstimator)
    assert isinstance(after.estimator, NetworkEstimator)
    assert_same_model(before.estimator, after.estimator)
    assert before.metrics != after.metrics  # the test rows did change


@FOLDS
def test_altering_test_labels_changes_no_prediction_of_a_run(fold_of: Callable[[], Fold]) -> None:
    fold = fold_of()
    before, after = run(fold), run(with_other_counts(fold, fold.test))
    pd.testing.assert_frame_equal(before.prediction.to_frame(), after.prediction.to_frame(), check_exact=True)


class Nosy(NetworkEstimator):
    """Keeps what it was shown, and learns from the test rows as if they were training rows."""

    shown: Fold

    def fit(self, fold: Fold, steps: Steps) -> None:
        Nosy.shown = fold
        super().fit(dataclasses.replace(fold, train=fold.train | fold.test), steps)


class Curious(NetworkEstimator):
    """Keeps what it was shown."""

    shown: Fold

    def fit(self, fold: Fold, steps: Steps) -> None:
        Curious.shown = fold
        super().fit(fold, steps)


@FOLDS
def test_an_estimator_is_shown_blank_test_rows_and_all_others_as_they_are(
    fold_of: Callable[[], Fold], monkeypatch: pytest.MonkeyPatch
) -> None:
    fold = fold_of()
    monkeypatch.setattr("occupancy.models.neural.estimator.NetworkEstimator", Curious)
    run(fold, max_epochs=1)
    shown = Curious.shown.log.frame
    assert shown[fold.test].isna().all(axis=None)
    pd.testing.assert_frame_equal(shown[~fold.test], fold.log.frame[~fold.test], check_dtype=False)
    assert fold.log.frame.notna().all(axis=None)  # only a copy was blanked


def test_the_report_is_shown_the_test_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("occupancy.models.neural.estimator.NetworkEstimator", Curious)
    run(forward_fold(), protocol="report", max_epochs=1)
    assert Curious.shown.log.frame.notna().all(axis=None)


def test_an_estimator_that_learns_from_test_rows_meets_blank_ones_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("occupancy.models.neural.estimator.NetworkEstimator", Nosy)
    with pytest.raises(AssertionError, match="a count was asked for at a sealed row"):
        run(forward_fold())
    assert Nosy.shown.log.frame[Nosy.shown.test].isna().all(axis=None)
    # It is the blank cells that stop it: where nothing is sealed, it gets through.
    assert run(forward_fold(), protocol="report", max_epochs=1).metrics["mse"] >= 0


def test_a_scaler_that_reads_test_rows_meets_nan_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Features, "fit", FitOnEverything())
    fold = forward_fold().sealed()
    assert np.isnan(Features.fit(fold.log, fold.train, "all").high).all()
    with pytest.raises(Exception, match=r"NaN|Missing key"):
        run(forward_fold())


@pytest.mark.parametrize("mc_samples", [0, 3])
@pytest.mark.parametrize("head", ["regression", "classification"])
@pytest.mark.parametrize("row", [0, 57, GAP_AT - 1, GAP_AT, 171])
def test_altering_the_future_changes_no_earlier_prediction(row: int, head: str, mc_samples: int) -> None:
    estimator = fit(forward_fold(), head=head, mc_samples=mc_samples, max_epochs=1, members=1)
    everything = np.ones(ROWS, bool)
    frame = room_log().frame.drop(columns=SCHEMA.count)
    assert_causal(lambda sensors: estimator.predict(sensors, everything), frame, row)


def test_a_prediction_that_looks_a_row_ahead_is_found_out() -> None:
    estimator = fit(forward_fold(), max_epochs=1, members=1)

    def ahead(sensors: pd.DataFrame) -> Prediction:
        return estimator.predict(sensors.shift(-1).ffill(), np.ones(ROWS, bool))

    with pytest.raises(AssertionError, match=f"up to row 57 {BLIND}"):
        assert_causal(ahead, room_log().frame.drop(columns=SCHEMA.count), 57)


def test_a_prediction_scaled_by_the_frame_it_is_given_is_found_out() -> None:
    estimator = fit(forward_fold(), max_epochs=1, members=1)

    def rescaled(sensors: pd.DataFrame) -> Prediction:
        return estimator.predict(sensors / sensors.max(), np.ones(ROWS, bool))

    with pytest.raises(AssertionError, match=BLIND):
        assert_causal(rescaled, room_log().frame.drop(columns=SCHEMA.count), 57)


def test_predictions_are_the_same_when_the_future_is_not_there_yet() -> None:
    estimator = fit(forward_fold(), max_epochs=1)
    frame = room_log().frame.drop(columns=SCHEMA.count)
    whole = estimator.predict(frame, np.ones(ROWS, bool))
    for rows in (1, 2, 57, GAP_AT, GAP_AT + 1):
        so_far = estimator.predict(frame.iloc[:rows], np.ones(rows, bool))
        np.testing.assert_allclose(so_far.mean, whole.mean[:rows], rtol=1e-5)


@FOLDS
@pytest.mark.parametrize("head", ["regression", "classification"])
def test_every_test_row_gets_exactly_one_prediction(fold_of: Callable[[], Fold], head: str) -> None:
    fold = fold_of()
    result = run(fold, head=head, max_epochs=1, window=5)
    assert result.prediction.times.equals(fold.log.times[fold.test])
    assert result.prediction.times.is_unique
    np.testing.assert_array_equal(result.truth, fold.log.frame.loc[fold.test, SCHEMA.count])
    assert np.isfinite(result.prediction.to_frame().drop(columns="time").to_numpy(np.float64)).all()
    assert score([(result.prediction, result.truth)], fold.log.max_gap).items() <= result.metrics.items()


def test_a_test_row_may_look_back_into_the_rows_before_it() -> None:
    fold = forward_fold()
    estimator = run(fold, max_epochs=1).estimator
    earlier = with_other_sensors(fold, fold.train | fold.validation).log.frame
    first = np.flatnonzero(fold.test)[0]
    rows = np.arange(ROWS) == first
    changed, before = (estimator.predict(frame[SCHEMA.sensors], rows) for frame in (earlier, fold.log.frame))
    assert changed.mean != before.mean


def search_losses(estimator: NetworkEstimator, kind: str) -> list[float]:
    history = estimator.history
    return history.loc[history["stage"] == "search", kind].tolist()


@FOLDS
@pytest.mark.parametrize("alter", [with_other_sensors, with_other_counts])
def test_validation_rows_choose_and_do_not_teach_in_the_search(
    fold_of: Callable[[], Fold], alter: Callable[[Fold, Rows], Fold]
) -> None:
    fold = fold_of()
    before, after = fit(fold), fit(alter(fold, fold.validation))
    assert search_losses(before, "train_loss") == search_losses(after, "train_loss")
    assert search_losses(before, "val_loss") != search_losses(after, "val_loss")
    # With one epoch and no refit there is nothing to choose: not a weight or a scale may differ.
    before, after = (fit(one, max_epochs=1, refit=False) for one in (fold, alter(fold, fold.validation)))
    settled, other = learned(before), learned(after)
    for name in settled:
        if name not in {"residual_var", "history"}:
            assert np.array_equal(np.asarray(settled[name]), np.asarray(other[name])), name


class Spy(LSTMNetwork):
    """Keeps every window that it was trained on and every one that it was asked about in training."""

    def __init__(self, settings: LSTM, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.taught: list[Tensor] = []
        self.asked: list[Tensor] = []

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        (self.taught if torch.is_grad_enabled() else self.asked).append(x)
        return super().loss(x, y)


def windows_seen(fold: Fold, **changes: Any) -> list[tuple[set[int], set[int]]]:
    """Return for each network built the numbers of all rows in the windows it learned from, and was stopped by."""
    spies: list[Spy] = []
    scales: list[tuple[float, float]] = []

    config = config_of(members=1, window=4, features="all", max_epochs=1, **changes)

    def build(sizes: Sizes) -> nn.Module:
        assert isinstance(config.model, LSTM)
        spies.append(Spy(config.model, sizes))
        scales.append((estimator.features.low[0], estimator.features.high[0]))
        return spies[-1]

    estimator = NetworkEstimator(config, build, window=4)
    estimator.fit(fold, NO_STEPS)

    def numbers(windows: list[Tensor], low: float, high: float) -> set[int]:
        scaled = torch.cat([x[:, :, 0].flatten() for x in windows]) if windows else torch.empty(0)
        return {round(value * (high - low) + low) for value in scaled.double().tolist()}

    return [(numbers(spy.taught, *scale), numbers(spy.asked, *scale)) for spy, scale in zip(spies, scales, strict=True)]


def numbers_of(rows: Rows) -> set[int]:
    return set(np.flatnonzero(rows).tolist())


@FOLDS
def test_training_windows_hold_no_validation_and_no_test_row(fold_of: Callable[[], Fold]) -> None:
    fold = fold_of()
    (taught, asked), (taught_in_refit, asked_in_refit) = windows_seen(fold)
    assert taught == numbers_of(fold.train)
    assert numbers_of(fold.validation) <= asked <= numbers_of(fold.train | fold.validation)
    assert taught_in_refit == numbers_of(fold.train | fold.validation)
    assert asked_in_refit == set()


def test_training_windows_that_hold_test_rows_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    fold = forward_fold()
    assert not windows_seen(fold)[0][0] & numbers_of(fold.test | fold.validation)

    def uncut(times: pd.DatetimeIndex, _rows: Rows, _max_gap: float) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.zeros(len(times), np.int64)

    monkeypatch.setattr("occupancy.models.neural.estimator.stretches", uncut)
    assert windows_seen(fold)[0][0] & numbers_of(fold.validation)


@FOLDS
def test_the_trailing_feature_of_a_training_row_holds_no_validation_and_no_test_row(
    fold_of: Callable[[], Fold],
) -> None:
    fold = fold_of()
    before, after = (
        fit(fold, features=["co2_slope"]),
        fit(with_other_sensors(fold, fold.validation | fold.test), features=["co2_slope"]),
    )
    assert search_losses(before, "train_loss") == search_losses(after, "train_loss")


def test_a_run_takes_one_thread_and_gives_the_others_back(monkeypatch: pytest.MonkeyPatch) -> None:
    during: list[int] = []

    def build(settings: LSTM, sizes: Sizes) -> nn.Module:
        during.extend([torch.get_num_threads(), *(library["num_threads"] for library in threadpool_info())])
        return LSTMNetwork(settings, sizes)

    monkeypatch.setattr("occupancy.models.neural.lstm.LSTMNetwork", build)
    torch.set_num_threads(2)
    try:
        with threadpool_limits(2):
            run(forward_fold(), max_epochs=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert set(during) == {1}


MEMORIES: list[dict[str, Any]] = [
    {"model": Logistic(), "decoding": Decoding(mode="filter")},
    {"model": Logistic(), "decoding": Decoding(mode="smooth")},
    {"model": MLPCRF(window=1, hidden=[4], sequence=20)},
]


@FOLDS
@pytest.mark.parametrize("changes", MEMORIES, ids=["filter", "smooth", "mlp_crf"])
def test_a_memory_begins_with_the_rows_that_are_scored_since_those_before_may_be_known_by_heart(
    fold_of: Callable[[], Fold], changes: dict[str, Any]
) -> None:
    fold, train = fold_of(), Train(max_epochs=2, members=1, device="cpu")
    for run, scored, log in (
        (run_fold, fold.test, fold.log),
        (validate_fold, fold.validation, fold.sealed().log),
    ):
        result = run(Config(name="small", train=train, **changes), fold, NO_STEPS)
        kept = np.ones(ROWS, bool) if run is run_fold else ~fold.test
        frame = log.frame.drop(columns=SCHEMA.count)[kept]
        honest = result.estimator.predict(frame, scored[kept], scored[kept])
        pd.testing.assert_frame_equal(result.prediction.to_frame(), honest.to_frame(), check_exact=True)
        in_use = result.estimator.predict(frame, scored[kept])
        assert not np.allclose(in_use.probs, honest.probs, atol=1e-6)


@pytest.mark.parametrize("run", [run_fold, validate_fold])
def test_a_run_counts_every_epoch_of_the_estimators_history_as_a_step(run: Callable[..., FoldResult]) -> None:
    steps = Counted()
    result = run(config_of(), forward_fold(), steps)
    assert steps.planned == steps.finished == len(result.estimator.history) > 0
