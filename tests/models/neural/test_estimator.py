from __future__ import annotations

import dataclasses
import json
import random
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from occupancy.arrays import Rows
from occupancy.config import LSTM, Config, Data, Train
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.schema import Column, Schema
from occupancy.errors import InputError
from occupancy.models import load_estimator, make_estimator
from occupancy.models.estimator import NO_STEPS, SETTINGS, Epoch
from occupancy.models.neural.estimator import WEIGHTS, Build, NetworkEstimator
from occupancy.models.neural.lstm import LSTMNetwork
from occupancy.models.neural.network import Sizes
from occupancy.prediction import Prediction
from tests.counted import Counted

Head = Literal["regression", "classification", "ordinal"]
HEADS: list[Head] = ["regression", "classification", "ordinal"]
ROWS = 200
# Two blocks to learn from with the validation between them, then the test rows.
TRAIN, VALIDATION, TEST = [(0, 70), (110, 150)], [(70, 110)], [(150, 200)]
SCHEMA = Schema(
    name="small",
    time=["when"],
    time_format="%Y-%m-%d %H:%M:%S",
    columns=[
        Column(name="warm", kind="temperature", unit="degC"),
        Column(name="air", kind="co2", unit="ppm"),
        Column(name="trend", kind="co2_slope", unit="ppm per sample", slope_of="air", slope_span_s=120.0),
    ],
    count="people",
)


def span(*parts: tuple[int, int]) -> Rows:
    inside = np.zeros(ROWS, bool)
    for start, end in parts:
        inside[start:end] = True
    return inside


def room_log() -> Log:
    """Return a log whose sensors tell the count but for some noise, with a gap in its middle."""
    rng = np.random.default_rng(0)
    people = np.arange(ROWS) // 10 % 4
    seconds = np.arange(ROWS) * 30 + np.where(np.arange(ROWS) >= 90, 3600, 0)
    columns = {
        "warm": 20 + people + rng.normal(0, 0.3, ROWS),
        "air": 400 + 100 * people + rng.normal(0, 20, ROWS),
        "trend": np.zeros(ROWS),
        "people": people,
    }
    times = pd.DatetimeIndex(pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s"), name="time")
    frame = pd.DataFrame(columns, times)
    return Log("small", "small", SCHEMA, frame, frame[SCHEMA.sensors].isna(), 120.0)


def fold_of(log: Log | None = None) -> Fold:
    return Fold(1, log or room_log(), span(*TRAIN), span(*VALIDATION), span(*TEST))


def altered(fold: Fold, rows: Rows) -> Fold:
    """Return the fold with other counts on the given rows."""
    frame = fold.log.frame.copy()
    frame.loc[rows, "people"] = 3 - frame.loc[rows, "people"]
    return dataclasses.replace(fold, log=dataclasses.replace(fold.log, frame=frame))


def config_of(head: Head = "regression", mc_samples: int = 0, **changes: Any) -> Config:
    own = {key: changes.pop(key) for key in ("seed", "protocol", "features") if key in changes}
    model = LSTM(head=head, window=3, layers=1, hidden=4, dropout=0.2, mc_samples=mc_samples)
    training = Train(**{"max_epochs": 3, "batch_size": 32, "members": 1, "device": "cpu", **changes})
    return Config(name="small", model=model, train=training, **own)


def fit(config: Config, fold: Fold | None = None, build: Build | None = None) -> NetworkEstimator:
    estimator = cast(NetworkEstimator, make_estimator(config))
    estimator.build = build or estimator.build
    estimator.fit(fold or fold_of(), NO_STEPS)
    return estimator


@cache
def fitted(head: Head, mc_samples: int = 0, members: int = 2) -> NetworkEstimator:
    return fit(config_of(head, mc_samples, members=members))


def predicted(estimator: NetworkEstimator, rows: Rows | None = None) -> Prediction:
    return estimator.predict(room_log().frame.drop(columns="people"), np.ones(ROWS, bool) if rows is None else rows)


def assert_same(one: Prediction, other: Prediction) -> None:
    pd.testing.assert_frame_equal(one.to_frame(), other.to_frame(), check_exact=True)
    np.testing.assert_array_equal(one.samples, other.samples)


def weights(estimator: NetworkEstimator) -> list[Tensor]:
    return [value for network in estimator.networks for value in network.state_dict().values()]


def same_weights(one: NetworkEstimator, other: NetworkEstimator) -> bool:
    return all(torch.equal(*pair) for pair in zip(weights(one), weights(other), strict=True))


@pytest.mark.parametrize("mc_samples", [0, 3])
@pytest.mark.parametrize("head", HEADS)
def test_a_saved_model_predicts_as_before(head: Head, mc_samples: int, tmp_path: Path) -> None:
    estimator = fitted(head, mc_samples)
    estimator.save(tmp_path)
    loaded = cast(NetworkEstimator, make_estimator(estimator.config))
    loaded.load(tmp_path)
    assert_same(predicted(loaded), predicted(estimator))
    assert (loaded.chosen_epochs, loaded.residual_var) == (estimator.chosen_epochs, estimator.residual_var)
    assert loaded.history_s == estimator.history_s


def test_a_saved_model_is_safe_weights_and_json_text(tmp_path: Path) -> None:
    estimator = fitted("regression")
    estimator.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {WEIGHTS, SETTINGS}
    held = torch.load(tmp_path / WEIGHTS, weights_only=True)
    assert [list(state) for state in held] == [list(network.state_dict()) for network in estimator.networks]
    settings = json.loads((tmp_path / SETTINGS).read_text(encoding="utf-8"))
    assert Config.model_validate(settings["config"]) == estimator.config


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(("mc_samples", "members", "samples"), [(0, 1, 1), (0, 2, 2), (3, 2, 6)])
def test_every_pass_of_every_member_is_a_sample(head: Head, mc_samples: int, members: int, samples: int) -> None:
    prediction = predicted(fitted(head, mc_samples, members))
    assert prediction.samples is not None
    assert prediction.samples.shape == (samples, ROWS, *([] if head == "regression" else [4]))
    assert prediction.probs.shape == (ROWS, 4)
    np.testing.assert_allclose(prediction.probs.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_the_prediction_is_the_average_of_the_members(head: Head) -> None:
    estimator = fitted(head)
    together = predicted(estimator)
    alone = []
    for network in estimator.networks:
        single = cast(NetworkEstimator, make_estimator(estimator.config))
        single.features, single.residual_var, single.networks = estimator.features, estimator.residual_var, [network]
        alone.append(predicted(single))
    np.testing.assert_allclose(together.mean, np.mean([one.mean for one in alone], axis=0), rtol=1e-6)
    assert not np.allclose(alone[0].mean, alone[1].mean)  # the members differ
    if head == "classification":
        np.testing.assert_allclose(together.probs, np.mean([one.probs for one in alone], axis=0), rtol=1e-6)


def test_asked_for_some_rows_it_predicts_those_as_among_all_others() -> None:
    estimator = fitted("regression")
    rows = span((3, 4), (88, 95), (170, 200))
    some, everything = predicted(estimator, rows), predicted(estimator)
    assert some.times.equals(room_log().times[rows])
    np.testing.assert_allclose(some.mean, everything.mean[rows], rtol=1e-5)


def test_more_rows_than_fit_in_one_batch_are_predicted_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = fitted("regression")
    at_once = predicted(estimator)
    monkeypatch.setattr("occupancy.models.neural.estimator.EVALUATION_BATCH", 7)
    np.testing.assert_allclose(predicted(estimator).mean, at_once.mean, rtol=1e-5)


def test_history_is_what_one_row_needs_and_no_less() -> None:
    estimator = fitted("regression")
    assert estimator.history_s == 120 + 2 * 30  # the slope's span, and a window of 3 samples
    frame, row = room_log().frame.drop(columns="people"), np.array([*[False] * 6, True])

    def last(rows: int) -> float:
        return float(estimator.predict(frame.iloc[-rows:], row[-rows:]).mean[0])

    whole = predicted(estimator).mean[-1]
    assert last(7) == pytest.approx(whole, rel=1e-5)  # 180 s back
    assert last(5) != pytest.approx(whole, rel=1e-5)


def test_monte_carlo_predictions_repeat_and_leave_dropout_off() -> None:
    estimator = fitted("regression", 3)
    assert_same(predicted(estimator), predicted(estimator))
    assert not any(module.training for network in estimator.networks for module in network.modules())


def test_monte_carlo_passes_spread_a_regression() -> None:
    estimator = fitted("regression", 20, 1)  # five times the same mask of four is no surprise in a log
    prediction = predicted(estimator)
    assert prediction.samples is not None
    assert (prediction.samples.std(axis=0) > 0).all()
    np.testing.assert_allclose(prediction.std**2, prediction.samples.var(axis=0) + estimator.residual_var)


@pytest.mark.parametrize("protocol", ["honest", "report"])
def test_a_regression_has_a_residual_variance_and_a_classification_none(protocol: str) -> None:
    assert fit(config_of("regression", protocol=protocol, max_epochs=1)).residual_var > 0
    assert fit(config_of("classification", protocol=protocol, max_epochs=1)).residual_var == 0


def test_the_residual_variance_is_that_of_the_search_on_the_validation_rows() -> None:
    # Without a refit the networks of the search are the ones that predict, as they were after the chosen epoch.
    fold = fold_of()
    estimator = fit(config_of(refit=False, max_epochs=12, members=3, learning_rate=0.1, schedule="constant"), fold)
    losses = estimator.history.pivot_table("val_loss", "epoch", "member")
    assert estimator.chosen_epochs == losses.mean(axis=1).idxmin() != 12
    assert set(losses.idxmin()) != {estimator.chosen_epochs}, "a member likes another epoch best"
    frame = fold.log.frame.drop(columns="people")
    # Validation windows may not look into the test rows, but these come later and don't matter.
    errors = estimator.predict(frame, fold.validation).mean - fold.counts(fold.validation)
    assert estimator.residual_var == pytest.approx(float(np.mean(errors**2)), rel=1e-4)


def test_the_history_has_the_fields_of_an_epoch_and_a_row_for_each() -> None:
    estimator = fit(config_of(members=2))
    fields = [field.name for field in dataclasses.fields(Epoch) if field.name != "monitored"]
    assert list(estimator.history.columns) == fields
    search, final = (estimator.history[estimator.history["stage"] == stage] for stage in ("search", "final"))
    assert search.groupby("member")["epoch"].apply(list).tolist() == [[1, 2, 3]] * 2
    assert final.groupby("member")["epoch"].apply(list).tolist() == [[*range(1, estimator.chosen_epochs + 1)]] * 2
    assert search["val_loss"].notna().all()
    assert final["val_loss"].isna().all()


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("protocol", ["honest", "report"])
@pytest.mark.parametrize("patience", [None, 1])
def test_a_step_is_an_epoch_and_the_plan_is_corrected_when_fewer_are_needed(
    protocol: str, patience: int | None, refit: bool
) -> None:
    config, steps = config_of(protocol=protocol, patience=patience, refit=refit, max_epochs=5, members=2), Counted()
    estimator = make_estimator(config)
    estimator.fit(fold_of(), steps)
    assert steps.at_first == steps.most == config.epochs
    assert steps.planned == steps.finished == len(estimator.history)


@pytest.mark.parametrize("max_epochs", [1, 4])
@pytest.mark.parametrize("protocol", ["honest", "report"])
def test_the_number_of_epochs_is_one_of_those_searched(protocol: str, max_epochs: int) -> None:
    assert 1 <= fit(config_of(protocol=protocol, max_epochs=max_epochs)).chosen_epochs <= max_epochs


def test_validation_rows_that_contradict_the_training_rows_choose_few_epochs() -> None:
    fold = fold_of()
    config = config_of(max_epochs=12, learning_rate=0.03, refit=False, schedule="constant")
    agreeing, contradicting = (fit(config, one) for one in (fold, altered(fold, fold.validation)))
    assert contradicting.chosen_epochs < agreeing.chosen_epochs


def test_the_members_of_the_report_are_kept_as_they_were_after_the_epoch_that_the_test_rows_chose() -> None:
    changes: dict[str, Any] = {"max_epochs": 12, "members": 3, "learning_rate": 0.1, "schedule": "constant"}
    fold = fold_of()
    estimator = fit(config_of("classification", protocol="report", **changes), fold)
    losses = estimator.history.pivot_table("val_loss", "epoch", "member")
    assert set(losses.idxmin()) != {estimator.chosen_epochs}, "a member likes another epoch best"
    samples = predicted(estimator, fold.test).samples
    assert samples is not None
    surprises = -np.log(samples[:, np.arange(fold.test.sum()), fold.counts(fold.test)]).mean(axis=1)
    np.testing.assert_allclose(surprises, losses.loc[estimator.chosen_epochs], rtol=1e-4)


@pytest.mark.parametrize("refit", [True, False])
def test_no_refit_means_no_final_stage(refit: bool) -> None:
    assert ("final" in set(fit(config_of(refit=refit)).history["stage"])) == refit


class Spy(LSTMNetwork):
    """Notes how many rows each loss was computed on, and whether it was in order to learn."""

    learned: list[int]

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.learned.append(len(y))
        return super().loss(x, y)


def rows_learned(**changes: Any) -> list[int]:
    """Return the rows learned from in the first epoch of each network built, in the order they were built."""
    built: list[Spy] = []

    config = config_of(max_epochs=1, members=2, **changes)

    def build(sizes: Sizes) -> nn.Module:
        assert isinstance(config.model, LSTM)
        built.append(Spy(config.model, sizes))
        built[-1].learned = []
        return built[-1]

    fit(config, build=build)
    return [sum(network.learned) for network in built]


def test_the_search_learns_from_the_training_rows_and_the_refit_from_validation_rows_too() -> None:
    fold = fold_of()
    search, final = int(fold.train.sum()), int((fold.train | fold.validation).sum())
    assert rows_learned() == [search, search, final, final]
    assert rows_learned(refit=False) == [search, search]


def test_each_number_of_epochs_to_choose_from_is_trained_to_its_own_end() -> None:
    estimator = fit(config_of(max_epochs=4, epoch_choices=[1, 3, 9]))
    searched = estimator.history[estimator.history["stage"] == "search"]
    assert searched.groupby("epochs")["epoch"].max().to_dict() == {1: 1, 3: 3, 4: 4}  # 9 is beyond max_epochs
    ends = searched[searched["epoch"] == searched["epochs"]].set_index("epochs")["val_loss"]
    assert estimator.chosen_epochs == ends.idxmin()
    final = estimator.history[estimator.history["stage"] == "final"]
    assert final["epoch"].tolist() == list(range(1, estimator.chosen_epochs + 1))


def test_a_choice_without_refit_keeps_the_networks_of_the_chosen_training() -> None:
    kept = fit(config_of(epoch_choices=[2], refit=False, max_epochs=2))
    alone = fit(config_of(refit=False, max_epochs=2))
    last = alone.history["val_loss"].iloc[-1]
    assert kept.history["val_loss"].iloc[-1] == last
    assert kept.chosen_epochs == 2


def test_choices_beyond_the_most_epochs_leave_the_most() -> None:
    assert Train(max_epochs=5, epoch_choices=[6, 8]).trainings == [5]
    assert Train(max_epochs=8, epoch_choices=[6, 8, 12]).trainings == [6, 8]


def test_the_most_epochs_are_a_choice_too() -> None:
    assert Train(max_epochs=20, epoch_choices=[6, 8]).trainings == [6, 8, 20]


def test_the_report_learns_from_training_and_validation_rows_at_once() -> None:
    fold = fold_of()
    both = int((fold.train | fold.validation).sum())
    assert rows_learned(protocol="report") == [both, both]


@pytest.mark.parametrize("head", ["classification", "ordinal"])
def test_each_stage_balances_the_labels_of_the_rows_that_it_learns_from(head: Head) -> None:
    config, sizes = config_of(head), []
    balanced = config.model.model_copy(update={"balanced": True})
    build = cast(NetworkEstimator, make_estimator(config)).build

    def note(size: Sizes) -> nn.Module:
        sizes.append(size)
        return build(size)

    fold = fold_of()
    fit(config.model_copy(update={"model": balanced}), fold, note)
    learned = [fold.train, fold.train | fold.validation]
    assert [size.labels for size in sizes] == [tuple(fold.labels(rows, 4)) for rows in learned]
    assert [size.rows for size in sizes] == [rows.sum() for rows in learned]


@pytest.mark.parametrize("head", ["classification", "ordinal"])
def test_balance_and_cell_change_what_is_learned_and_are_read_back(head: Head, tmp_path: Path) -> None:
    config = config_of(head)
    plain = fit(config)
    changes: list[dict[str, Any]] = [{"balanced": True}, {"cell": "gru"}]
    for folder, change in zip((tmp_path / "balanced", tmp_path / "gru"), changes, strict=True):
        estimator = fit(config.model_copy(update={"model": config.model.model_copy(update=change)}))
        assert not np.allclose(predicted(estimator).probs, predicted(plain).probs)
        folder.mkdir()
        estimator.save(folder)
        assert_same(predicted(cast(NetworkEstimator, load_estimator(folder))), predicted(estimator))


def test_a_model_that_was_saved_before_there_were_cells_and_balance_predicts_as_before(tmp_path: Path) -> None:
    estimator = fitted("classification")
    estimator.save(tmp_path)
    settings = json.loads((tmp_path / SETTINGS).read_text(encoding="utf-8"))
    del settings["config"]["model"]["cell"], settings["config"]["model"]["balanced"]
    (tmp_path / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
    assert_same(predicted(cast(NetworkEstimator, load_estimator(tmp_path))), predicted(estimator))


def test_the_refit_is_scaled_on_training_and_validation_rows() -> None:
    log = room_log()
    log.frame.loc[log.times[80], "air"] = 2000.0  # a validation row
    log.frame.loc[log.times[180], "air"] = 9000.0  # a test row
    fold = fold_of(log)
    refitted, searched = (fit(config_of(refit=refit, max_epochs=1), fold) for refit in (True, False))
    position = refitted.features.names.index("air")
    assert refitted.features.high[position] == 2000
    assert searched.features.high[position] == log.frame.loc[fold.train, "air"].max()


def test_test_labels_stop_the_report_and_nothing_of_the_honest_protocol() -> None:
    fold = fold_of()
    for protocol, reads_test in [("honest", False), ("report", True)]:
        config = config_of(protocol=protocol, max_epochs=2)
        before, after = fit(config, fold), fit(config, altered(fold, fold.test))
        changed = not before.history.equals(after.history)
        assert changed == reads_test, protocol
        if not reads_test:
            assert same_weights(before, after)


def test_a_blank_test_row_breaks_the_report_and_not_the_honest_protocol() -> None:
    sealed = fold_of().sealed()
    assert np.isfinite(fit(config_of(max_epochs=1), sealed).residual_var)
    with pytest.raises(AssertionError, match="a count was asked for at a sealed row"):
        fit(config_of(protocol="report", max_epochs=1), sealed)


@pytest.mark.parametrize("head", HEADS)
def test_the_same_seed_gives_the_same_model_and_another_seed_another(head: Head) -> None:
    config = config_of(head, mc_samples=2, members=2)
    first, again = fit(config), fit(config)
    assert same_weights(first, again)
    pd.testing.assert_frame_equal(first.history, again.history, check_exact=True)
    assert_same(predicted(first), predicted(again))
    assert not same_weights(first, fit(config.model_copy(update={"seed": 1})))


def test_a_model_does_not_depend_on_what_was_drawn_before() -> None:
    config = config_of()
    first = fit(config)
    torch.rand(5)
    assert same_weights(first, fit(config))


def test_a_member_is_the_same_whatever_the_number_of_members() -> None:
    one, two = (fit(config_of(members=members, refit=False, max_epochs=1)) for members in (1, 2))
    alone = one.networks[0].state_dict()
    assert all(torch.equal(value, alone[name]) for name, value in two.networks[0].state_dict().items())


def test_fitting_and_predicting_leave_the_processs_random_numbers_alone() -> None:
    def states() -> tuple[Any, ...]:
        legacy = np.random.get_state(legacy=False)  # noqa: NPY002 - the process's own generator is what is looked at
        assert isinstance(legacy, dict)
        return (
            random.getstate(),
            legacy["state"]["key"].tolist(),
            legacy["state"]["pos"],
            torch.get_rng_state().tolist(),
        )

    before = states()
    estimator = fit(config_of(mc_samples=2, max_epochs=1))
    assert states() == before
    predicted(estimator)
    assert states() == before


@pytest.mark.parametrize("head", HEADS)
def test_a_fitted_model_does_better_than_the_mean_on_rows_it_has_not_seen(head: Head) -> None:
    fold = fold_of()
    estimator = fit(config_of(head, max_epochs=25, learning_rate=0.03), fold)
    truth = fold.counts(fold.test)
    errors = predicted(estimator, fold.test).mean - truth
    assert np.mean(errors**2) < 0.5 * truth.var()


def test_a_frame_without_any_trained_sensor_is_refused_by_their_names() -> None:
    with pytest.raises(InputError, match=r"missing column air.*, which the model was trained with; add one of them"):
        fitted("regression").predict(room_log().frame[[]], np.ones(ROWS, bool))


def test_a_longer_gap_than_allowed_cuts_the_windows_of_a_prediction() -> None:
    estimator = fitted("regression")
    log = room_log()
    frame = log.frame.drop(columns="people")
    frame.iloc[:90] += 50.0  # all rows before the gap
    after_gap = span((90, 200))
    changed = estimator.predict(frame, np.ones(ROWS, bool)).mean
    np.testing.assert_array_equal(changed[after_gap], predicted(estimator).mean[after_gap])
    assert (changed[~after_gap] != predicted(estimator).mean[~after_gap]).any()
    # Were an hour no gap, the window of row 90 would look across it.
    estimator = cast(NetworkEstimator, make_estimator(estimator.config.model_copy(update={"data": Data(max_gap=7200)})))
    estimator.features, estimator.networks = fitted("regression").features, fitted("regression").networks
    assert estimator.predict(frame, after_gap).mean[0] != predicted(estimator, after_gap).mean[0]
