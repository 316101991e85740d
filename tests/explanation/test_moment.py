"""What each kind of sensor adds at one moment."""

from __future__ import annotations

import itertools
import math
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Floats, Rows
from occupancy.config import Clock, Config, Data
from occupancy.data.log import Log
from occupancy.errors import InputError
from occupancy.explanation.moment import Moment, explain, explainable, shapley, window_of
from occupancy.models.baselines import ClockEstimator
from occupancy.models.estimator import NO_STEPS, Estimator
from occupancy.prediction import Prediction
from tests.explanation.made_models import certain, fold_of, log_of, model

EARLY = np.arange(240) < 120


def at(row: int, estimator: Estimator, backgrounds: int = 8, log: Log | None = None) -> Moment:
    return explain(estimator, log or log_of(), row, EARLY, backgrounds)


def by_orders(values: Floats) -> Floats:
    """The definition: what a player adds, averaged over all orders in which players may come."""
    players = len(values).bit_length() - 1
    shares = np.zeros(players)
    for order in itertools.permutations(range(players)):
        coalition = 0
        for player in order:
            shares[player] += values[coalition | 1 << player] - values[coalition]
            coalition |= 1 << player
    return shares / math.factorial(players)


@pytest.mark.parametrize("players", [1, 2, 3, 4, 5])
def test_shapley_values_are_the_mean_over_all_orders(players: int) -> None:
    values = np.random.default_rng(players).normal(size=2**players)
    np.testing.assert_allclose(shapley(values), by_orders(values), atol=1e-12)


@pytest.mark.parametrize("rows", [1, 4])
def test_of_a_linear_model_a_kind_adds_its_terms_less_their_mean_over_the_backgrounds(rows: int) -> None:
    log, weights = log_of(), {"east": 0.5, "west": -2.0, "air": 3.0}
    found = at(200, model(rows, **weights), log=log)
    smooth = log.frame.rolling(rows).mean()
    usual = smooth.loc[found.drawn].mean()
    added = {name: weight * (smooth[name].iloc[200] - usual[name]) for name, weight in weights.items()}
    assert found.contributions == pytest.approx(
        {"temperature": added["east"] + added["west"], "co2": added["air"], "motion": 0.0}, abs=1e-12
    )
    assert found.background == pytest.approx(sum(weight * usual[name] for name, weight in weights.items()))
    assert found.prediction == pytest.approx(sum(weight * smooth[name].iloc[200] for name, weight in weights.items()))
    assert found.readings["co2"] == log.frame[["air", "rise"]].iloc[200].to_dict()


class Product:
    """Sees people only where all sensors agree; what one adds depends on the others."""

    config = Config(name="den", data=Data(max_gap=120))
    history_s = 120.0

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        people = (frame[["east", "air", "door"]] + 1).prod(axis=1).rolling(2, min_periods=1).max().to_numpy()
        return certain(pd.DatetimeIndex(frame.index)[rows], people[rows])


def test_what_the_kinds_add_sums_to_the_prediction_less_the_background() -> None:
    found = at(180, cast(Any, Product()))
    assert sum(found.contributions.values()) == pytest.approx(found.prediction - found.background, abs=1e-12)
    assert min(abs(value) for value in found.contributions.values()) > 1e-3


def test_a_sensor_that_the_model_ignores_adds_exactly_nothing() -> None:
    assert at(200, model(3, east=0.5, air=1.0)).contributions["motion"] == 0.0


def test_the_prediction_is_that_of_the_whole_log_where_the_history_is_all_that_counts() -> None:
    log, estimator = log_of(), model(4, east=1.0, door=2.0)
    whole = estimator.predict(log.frame.drop(columns="people"), np.ones(240, bool))
    assert at(200, estimator, log=log).prediction == pytest.approx(whole.mean[200], abs=1e-12)


def test_all_windows_are_predicted_at_once_and_none_sees_another() -> None:
    estimator = cast(Any, model(4, east=1.0))
    at(200, estimator)
    (seen,) = estimator.seen
    assert len(seen) == 2**3 * 8 * 4
    assert np.diff(seen.index).max() > pd.Timedelta("6D")
    assert set(seen.index[3::4].strftime("%a %H:%M")) == {"Mon 03:20"}


def test_a_model_that_knows_only_the_clock_meets_every_window_at_its_own_time() -> None:
    log = log_of()
    estimator = ClockEstimator(Config(name="den", model=Clock(), data=Data(max_gap=120)), Clock())
    estimator.fit(fold_of(log, 120), NO_STEPS)
    whole = estimator.predict(log.frame, np.ones(240, bool)).mean[100]
    found = at(100, estimator, log=log)
    assert found.contributions == {"temperature": 0.0, "co2": 0.0, "motion": 0.0}
    assert found.prediction == found.background == pytest.approx(whole)


def test_backgrounds_are_whole_windows_of_the_source_in_one_recording() -> None:
    log = log_of(gaps=(50,))
    source = EARLY & (np.arange(240) != 20)
    found = explain(model(4, east=1.0), log, 200, source, 1000)
    ends = log.times.get_indexer(found.drawn)
    expected = [*range(3, 20), *range(24, 50), *range(53, 120)]
    assert ends.tolist() == expected, "as many as there are, where more are asked for"
    few = log.times.get_indexer(explain(model(4, east=1.0), log, 200, source, 5).drawn)
    assert len(few) == 5
    assert set(few) < set(expected)


def test_a_moment_with_too_short_a_past_is_refused() -> None:
    log = log_of(gaps=(150,))
    assert window_of(model(4, east=1.0), log, 153).tolist() == [150, 151, 152, 153]
    with pytest.raises(InputError) as caught:
        window_of(model(4, east=1.0), log, 152)
    assert str(caught.value) == (
        "at 2024-01-01 03:32:00 the recording has 2 earlier rows, but the model needs 3 (180 s); give a later time"
    )


def test_moments_that_can_be_explained_have_their_whole_past_in_one_recording() -> None:
    log = log_of(8, gaps=(5,))
    rows = np.array([True] * 4 + [False] + [True] * 3)
    assert np.flatnonzero(explainable(model(3, east=1.0), log, rows)).tolist() == [2, 3, 7]


def test_a_source_without_a_whole_window_is_refused() -> None:
    with pytest.raises(InputError, match=r"^the rows from which backgrounds are drawn have no 4 consecutive rows"):
        explain(model(4, east=1.0), log_of(), 200, np.arange(240) < 3, 8)


def test_the_same_seed_draws_the_same_backgrounds() -> None:
    assert at(200, model(3, air=1.0)).contributions == at(200, model(3, air=1.0)).contributions
