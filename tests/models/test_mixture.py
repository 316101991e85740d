from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Floats, Ints
from occupancy.config import BNN, LSTM, Clock, Config, Logistic, Majority, MassBalance, Mixture, RandomForest
from occupancy.config.model import Single
from occupancy.data.folds import Fold
from occupancy.data.schema import UCI
from occupancy.errors import InputError, InputWarning
from occupancy.models import load_estimator, make_estimator
from occupancy.models.estimator import NO_STEPS, Estimator
from occupancy.models.mixture import MEMBER_FLOOR, WEIGHT_STD, MixtureEstimator, learn_weights, pool
from occupancy.models.postprocess.out_of_fold import left_out
from tests.counted import Counted
from tests.models.made_visits import (
    DATA,
    Told,
    config_of,
    counts_of,
    everything,
    fold_of,
    garbled,
    log_of,
    sensors,
    simulated,
    simulated_fold,
    told,
)

TWO: list[Single] = [Majority(), Clock()]
BOTH = pytest.mark.parametrize("how", ["mean", "product"])


def random_probs(members: int, rows: int, seed: int = 0, least: float = MEMBER_FLOOR) -> Floats:
    probs = np.random.default_rng(seed).dirichlet(np.full(4, 0.7), (members, rows)).clip(least)
    return np.asarray(probs / probs.sum(axis=2, keepdims=True))


def test_a_mean_is_the_weighted_mean_of_the_members() -> None:
    probs = random_probs(3, 20, least=0.01)
    weights = np.array([0.2, 0.5, 0.3])
    np.testing.assert_allclose(pool(probs, weights, "mean"), np.average(probs, axis=0, weights=weights))
    np.testing.assert_allclose(pool(probs, 7 * weights, "mean"), pool(probs, weights, "mean"))


def test_a_product_is_the_weighted_geometric_mean_of_the_members() -> None:
    probs = random_probs(3, 20, least=0.01)
    weights = np.array([0.2, 0.5, 0.3])
    powers = np.prod(probs ** weights[:, None, None], axis=0)
    np.testing.assert_allclose(pool(probs, weights, "product"), powers / powers.sum(axis=1, keepdims=True))


@BOTH
def test_members_that_agree_are_their_pool(how: str) -> None:
    probs = random_probs(1, 20, least=0.01).repeat(3, axis=0)
    np.testing.assert_allclose(pool(probs, np.full(3, 1 / 3), how), probs[0])


@BOTH
def test_no_member_rules_a_count_out_by_itself(how: str) -> None:
    probs = np.array([[[1.0, 0.0, 0.0, 0.0]], [[0.0, 0.5, 0.5, 0.0]]])
    pooled = pool(probs, np.array([0.5, 0.5]), how)
    assert (pooled > 1e-4).all()
    assert pooled.sum() == pytest.approx(1.0)


def good_and_noise(counts: Ints, seed: int = 0) -> Floats:
    """Return probabilities (2, N, 4): of a member that is right as often as it says, and of one that guesses."""
    rng = np.random.default_rng(seed)
    runs = np.cumsum(np.diff(counts, prepend=counts[:1]) != 0)
    good = np.full((runs.max() + 1, 4), 0.1 / 3)
    first = np.searchsorted(runs, np.arange(len(good)))
    slips = np.where(rng.random(len(good)) < 0.1, rng.integers(1, 4, len(good)), 0)
    good[np.arange(len(good)), (counts[first] + slips) % 4] = 0.9
    noise = rng.dirichlet(np.full(4, 0.5), len(good)).clip(0.01)
    return np.stack([good, noise / noise.sum(axis=1, keepdims=True)])[:, runs]


def many_runs(runs: int, rows: int = 5, seed: int = 0) -> Ints:
    steps = np.random.default_rng(seed).integers(1, 4, runs)
    return (np.cumsum(steps) % 4).repeat(rows)


@BOTH
def test_learned_weights_go_to_the_member_that_knows(how: str) -> None:
    counts = many_runs(500)
    weights = learn_weights(good_and_noise(counts), counts, how)
    assert weights[0] / weights.sum() > 0.8  # the prior lets a logarithm go to -infinity slowly


@BOTH
def test_few_runs_leave_weights_near_equal_however_many_rows_they_have(how: str) -> None:
    counts = many_runs(2, rows=5000)
    weights = learn_weights(good_and_noise(counts), counts, how)
    assert np.abs(np.log(weights / 0.5)).max() < WEIGHT_STD


@BOTH
def test_no_other_weights_are_better_by_the_labels_and_the_prior(how: str) -> None:
    counts = many_runs(40, seed=2)
    probs = good_and_noise(counts, seed=2)

    def loss(weights: Floats) -> float:
        true = pool(probs, weights, how)[np.arange(len(counts)), counts]
        return float(-40 * np.log(true).mean() + np.square(np.log(2 * weights) / WEIGHT_STD).sum() / 2)

    best = learn_weights(probs, counts, how)
    for factor in np.exp(np.random.default_rng(0).normal(0.0, 0.3, (50, 2))):
        assert loss(best) <= loss(best * factor) + 1e-6


def test_a_product_of_members_that_are_all_too_sure_weighs_less_in_all() -> None:
    counts = many_runs(300)
    probs = good_and_noise(counts)[:1].repeat(2, axis=0)
    wrong = np.random.default_rng(1).random(len(counts) // 5).repeat(5) < 0.4
    probs[:, wrong] = np.roll(probs[:, wrong], 1, axis=2)
    assert learn_weights(probs, counts, "product").sum() < 0.8


def scripted(config: Config) -> Estimator:
    """Return a member that says what its columns hold: ``says`` of the majority, ``also`` of the clock."""
    return Told(config, "says" if config.model.name == "majority" else "also")


def told_mixture(**settings: Any) -> MixtureEstimator:
    mixture = Mixture(members=TWO, **settings)
    return MixtureEstimator(config_of(mixture), mixture, scripted)


def watched_fold(visits: int) -> Fold:
    counts = counts_of(*[run for visit in range(visits) for run in ((0, 50), (1 + visit % 3, 20))], (0, 50))
    good, noise = good_and_noise(counts)
    return fold_of(log_of(counts, {**told(good), **told(noise, "also")}), test=slice(len(counts) - 30, len(counts)))


def test_equal_weights_pool_members_equally_without_training_them_twice() -> None:
    fold = watched_fold(4)
    mixture = told_mixture()
    mixture.fit(fold.sealed(), NO_STEPS)
    prediction = mixture.predict(sensors(fold.log), everything(fold.log))
    members = [member.predict(sensors(fold.log), everything(fold.log)).probs for member in mixture.members]
    np.testing.assert_allclose(prediction.probs, pool(np.stack(members), np.array([0.5, 0.5]), "product"))
    np.testing.assert_array_equal(prediction.label, np.rint(prediction.mean))
    people = np.stack(members) @ np.arange(4)
    np.testing.assert_allclose(prediction.epistemic, people.std(axis=0))
    assert mixture.held_out is None
    assert all(isinstance(member, Told) and len(member.folds) == 1 for member in mixture.members)
    assert mixture.parameters == 0


@BOTH
def test_a_mixture_learns_whom_to_trust_by_visits_left_out(how: str) -> None:
    fold = watched_fold(30)
    mixture = told_mixture(weights="learned", pool=how)
    mixture.fit(fold.sealed(), NO_STEPS)
    assert mixture.weights[0] > 2 * mixture.weights[1]
    assert mixture.parameters == 2


def test_the_probabilities_of_a_visit_rest_on_weights_of_the_others() -> None:
    fold = watched_fold(5)
    mixture = told_mixture(weights="learned")
    mixture.fit(fold.sealed(), NO_STEPS)
    assert mixture.held_out is not None
    np.testing.assert_array_equal(np.isfinite(mixture.held_out).all(axis=1), fold.train)
    own = left_out(fold, fold.train) == 1
    counts = fold.log.frame["people"].to_numpy()
    swapped = np.where(own & (counts > 0), 1 + counts % 3, counts)
    other = dataclasses.replace(fold, log=dataclasses.replace(fold.log, frame=fold.log.frame.assign(people=swapped)))
    again = told_mixture(weights="learned")
    again.fit(other.sealed(), NO_STEPS)
    assert again.held_out is not None
    np.testing.assert_array_equal(again.held_out[own], mixture.held_out[own])
    assert not np.array_equal(again.held_out[fold.train & ~own], mixture.held_out[fold.train & ~own])
    assert not np.array_equal(again.weights, mixture.weights)


def real(members: list[Any], fold: Fold | None = None, **changes: Any) -> MixtureEstimator:
    settings = {key: changes.pop(key) for key in ("weights", "pool") if key in changes}
    estimator = make_estimator(config_of(Mixture(members=members, **settings), **changes))
    assert isinstance(estimator, MixtureEstimator)
    estimator.fit((fold or simulated_fold()).sealed(), NO_STEPS)
    return estimator


THREE: list[Single] = [MassBalance(), Logistic(), RandomForest(trees=3)]


@pytest.mark.parametrize("weights", ["equal", "learned"])
def test_a_saved_mixture_predicts_the_same_to_the_last_digit(weights: str, tmp_path: Path) -> None:
    estimator = real(THREE, weights=weights, features="physics")
    estimator.save(tmp_path)
    loaded = load_estimator(tmp_path)
    log = simulated()
    one, other = (each.predict(sensors(log), everything(log)).to_frame() for each in (estimator, loaded))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert loaded.parameters == estimator.parameters


def test_the_history_is_the_longest_of_the_members() -> None:
    members = [MassBalance(slope_s=600.0, gate_s=4000.0), Logistic()]
    assert real(members).history_s == 4000
    assert real([MassBalance(), Logistic()], features="physics").history_s == 1525


def test_a_mixture_is_causal_where_all_its_members_are() -> None:
    frame, test = sensors(simulated()), simulated_fold().test
    assert real(THREE, features="physics").predict(frame, test).causal
    assert not real(THREE, features="centred_physics").predict(frame, test).causal


@pytest.mark.parametrize("weights", ["equal", "learned"])
def test_test_rows_change_nothing_in_a_mixture(weights: str) -> None:
    fold, log = simulated_fold(), simulated()
    other = dataclasses.replace(fold, log=garbled(log, fold.test))
    one, two = (real(THREE, each, weights=weights) for each in (fold, other))
    np.testing.assert_array_equal(one.weights, two.weights)
    before, after = (each.predict(sensors(log), everything(log)).probs for each in (one, two))
    np.testing.assert_array_equal(after, before)


def test_some_rows_are_predicted_as_all_are() -> None:
    estimator, log, test = real(THREE), simulated(), simulated_fold().test
    whole = estimator.predict(sensors(log), everything(log)).to_frame()
    part = estimator.predict(sensors(log), test).to_frame()
    pd.testing.assert_frame_equal(part, whole[test].reset_index(drop=True), rtol=1e-9)


NETS: list[Single] = [LSTM(window=2, layers=1, hidden=2), BNN(hidden=[2], window=2, samples=3), Majority()]


def test_the_epochs_of_networks_in_a_mixture_are_kept_apart() -> None:
    training = config_of().train.model_copy(update={"max_epochs": 2, "members": 2, "weight_decay": 0.0})
    config = config_of(Mixture(members=NETS), train=training)
    estimator, steps = make_estimator(config), Counted()
    estimator.fit(simulated_fold().sealed(), steps)
    assert steps.planned == steps.finished == steps.most == len(NETS)
    assert len(estimator.history) <= config.epochs
    searched = estimator.history[estimator.history["stage"] == "search"]
    assert sorted(searched.groupby(["member", "epoch"]).size().index) == [(n, e) for n in range(4) for e in (1, 2)]
    assert (searched.groupby(["member", "epoch"]).size() == 1).all()
    assert estimator.chosen_epochs in {1, 2}


def test_the_steps_of_learned_weights_are_all_planned_before_the_first_is_done() -> None:
    fold, steps = simulated_fold().sealed(), Counted()
    config = config_of(Mixture(members=THREE, weights="learned"))
    make_estimator(config).fit(fold, steps)
    groups = len(np.unique(left_out(fold, fold.train | fold.validation))) - 1  # less that of rows not learned from
    assert steps.planned == steps.finished == steps.at_first == len(THREE) * (groups + 1)


def test_a_mixture_with_a_network_learns_weights_and_survives_being_saved(tmp_path: Path) -> None:
    estimator = real([LSTM(window=2, layers=1, hidden=2, head="classification"), Majority()], weights="learned")
    assert np.isfinite(estimator.weights).all()
    estimator.save(tmp_path)
    loaded = load_estimator(tmp_path)
    assert loaded.chosen_epochs == estimator.chosen_epochs == 1
    log = simulated()
    one, other = (each.predict(sensors(log), everything(log)).to_frame() for each in (estimator, loaded))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_many_labels_and_many_rows_are_pooled() -> None:
    estimator = real([Majority(), Clock()], data=DATA.model_copy(update={"max_count": 20}), weights="learned")
    log = simulated()
    probs = estimator.predict(sensors(log), everything(log)).probs
    assert probs.shape == (len(log.frame), 21)
    np.testing.assert_allclose(probs.sum(axis=1), 1.0)


def rhythm(days: int) -> Fold:
    """Return so many days of which each has one visit, at noon."""
    day = [(0, 12 * 60), (1, 2 * 60), (0, 10 * 60)]
    return fold_of(log_of(counts_of(*(run for _ in range(days) for run in day))))


@pytest.mark.parametrize(("days", "places"), [(2, [0]), (3, [0, 1])])
def test_a_member_that_knows_the_hour_waits_for_days_enough(days: int, places: list[int], tmp_path: Path) -> None:
    settings = Mixture(members=TWO, weights="learned", rhythm_days=3)
    mixture = MixtureEstimator(config_of(settings), settings, make_estimator)
    fold = rhythm(days)
    mixture.fit(fold.sealed(), NO_STEPS)
    assert mixture.chosen == places
    assert len(mixture.members) == len(mixture.weights) == len(places)
    assert mixture.cross_fits == (days >= 3)
    mixture.save(tmp_path)
    loaded = load_estimator(tmp_path)
    frame, rows = sensors(fold.log), everything(fold.log)
    np.testing.assert_array_equal(loaded.predict(frame, rows).probs, mixture.predict(frame, rows).probs)


def test_members_that_all_know_the_hour_do_not_wait() -> None:
    settings = Mixture(members=[Clock(), Clock(prior_s=60.0)], rhythm_days=5)
    mixture = MixtureEstimator(config_of(settings), settings, make_estimator)
    mixture.fit(rhythm(2).sealed(), NO_STEPS)
    assert mixture.chosen == [0, 1]


def test_a_member_without_its_sensor_does_not_take_part_and_without_any_the_mixture_refuses() -> None:
    fold = simulated_fold()
    schema = UCI.model_copy(update={"columns": [each for each in UCI.columns if not each.kind.startswith("co2")]})
    frame = fold.log.frame.drop(columns=["S5_CO2", "S5_CO2_Slope"])
    dull = dataclasses.replace(fold.log, schema=schema, frame=frame, missing=fold.log.missing[schema.sensors])
    settings = Mixture(members=[MassBalance(), Logistic()])
    mixture = MixtureEstimator(config_of(settings), settings, make_estimator)
    with pytest.warns(
        InputWarning, match="a member does not take part: model: mass_balance needs a column of kind co2"
    ):
        mixture.check(dull)
    mixture.fit(dataclasses.replace(fold, log=dull).sealed(), NO_STEPS)
    assert mixture.chosen == [1]
    alone = Mixture(members=[MassBalance(), MassBalance(slope_s=600.0)])
    with pytest.raises(InputError, match="needs a column of kind co2"):
        MixtureEstimator(config_of(alone), alone, make_estimator).check(dull)
