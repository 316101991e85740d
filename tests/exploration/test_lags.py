from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from occupancy.data.schema import Column
from occupancy.exploration import correlations, lags
from tests.drawn import points
from tests.exploration.made_logs import subject, times

MINUTE = 60.0


def correlation(at: pd.DatetimeIndex, one: np.ndarray, other: np.ndarray, lag_s: np.ndarray) -> np.ndarray:
    """Return the lagged correlations of a single pair, (L,)."""
    return lags.lagged_correlations(at, {"pair": (one, other)}, lag_s)["pair"].to_numpy()


def visits(rows: int, seed: int = 0) -> np.ndarray:
    """Return counts that hold for some ten rows each."""
    rng = np.random.default_rng(seed)
    return np.repeat(rng.integers(0, 4, rows), rng.integers(5, 25, rows))[:rows]


@given(st.integers(-20, 100))
def test_a_delayed_copy_is_strongest_at_its_delay(delay: int) -> None:
    people = visits(2000)
    late = np.roll(people, delay).astype(float)
    found = correlation(times(range(2000)), people.astype(float), late, np.arange(-30.0, 121.0) * MINUTE)
    assert np.arange(-30, 121)[np.nanargmax(found)] == delay
    assert np.nanmax(found) > 0.97  # but for the rows that went round the end


def test_without_lag_it_is_spearmans_correlation() -> None:
    rng = np.random.default_rng(1)
    one = rng.integers(0, 4, 300).astype(float)
    other = one + rng.normal(0, 2, 300)
    found = correlation(times(range(300)), one, other, np.array([0.0]))
    assert found[0] == pytest.approx(spearmanr(one, other).statistic)


def test_lost_rows_and_gaps_shift_nothing() -> None:
    rng = np.random.default_rng(2)
    people = visits(2000, seed=2)
    late = np.roll(people, 15).astype(float)
    kept = np.sort(rng.choice(2000, 1600, replace=False))
    kept = kept[(kept < 700) | (kept > 800)]
    lag_s = np.arange(0.0, 60.0) * MINUTE
    found = correlation(times(kept), people[kept].astype(float), late[kept], lag_s)
    assert np.argmax(found) == 15


def test_cells_that_are_not_known_pair_with_nothing() -> None:
    one = np.array([1.0, 2, np.nan, 3, 4, 0])
    found = correlation(times(range(6)), one, one, np.array([0.0, MINUTE]))
    assert found[0] == pytest.approx(1.0)
    assert np.isfinite(found[1])


def test_pairs_that_are_too_few_or_never_change_have_no_correlation() -> None:
    ones = np.array([1.0, 1, 1, 1])
    assert np.isnan(correlation(times(range(4)), ones, np.arange(4.0), np.array([0.0]))).all()
    far = correlation(times(range(4)), np.arange(4.0), np.arange(4.0), np.array([2 * MINUTE, 600 * MINUTE]))
    assert np.isnan(far).all()


def test_the_delay_of_each_kind_is_told() -> None:
    people = visits(3000, seed=3)
    readings = {"air": np.roll(people, 40), "warmth": np.roll(people, 70), "lamp": people, "stir": people > 1}
    found = lags.delays(subject(times(range(3000)), people, readings))
    assert found is not None
    assert found.finding == (
        "Strongest correlation with the count: CO2 40 min and temperature 70 min late; light and motion at once."
    )
    dots = [line for axes in found.pictures[0].draw(10.0).axes for line in axes.get_lines() if line.get_marker() == "o"]
    assert [points(line)[0][0] for line in dots] == [40, 70, 0, 0]


def test_a_delay_at_the_end_of_what_was_looked_at_may_be_longer() -> None:
    minutes = np.arange(3000.0)
    found = lags.delays(subject(times(minutes), (minutes > 1500).astype(int), {"air": (minutes > 1750) + 0.0}))
    assert found is not None
    assert found.finding.endswith("CO2 120 min or more late.")


@pytest.mark.parametrize(
    ("counts", "readings"),
    [(None, [1, 2, 3, 4]), ([1, 1, 1, 1], [1, 2, 3, 4]), ([0, 1, 0, 1], [2, 2, 2, 2])],
    ids=["no counts", "one count", "constant sensor"],
)
def test_what_never_changes_has_no_delay(counts: list[int] | None, readings: list[float]) -> None:
    assert lags.delays(subject(times(range(4)), counts, {"air": readings})) is None


def test_a_column_resembles_itself_fully_without_lag_and_the_next_row_is_told() -> None:
    people = visits(1500, seed=4)
    made = subject(times(range(1500)), people, {"air": np.arange(1500.0)})
    found = lags.autocorrelation(made)
    assert found is not None
    near = spearmanr(people[:-1], people[1:]).statistic
    assert f"of {near:.3f} with itself one row later" in found.finding
    axes = found.pictures[0].draw(10.0).axes
    assert [points(line)[1][0] for one in axes for line in one.get_lines() if len(points(line)[0]) > 2] == [
        pytest.approx(1.0)
    ] * 2


def test_rows_of_which_none_follows_another_have_no_lag() -> None:
    made = subject(times([0, 60]), [0, 1], {"air": [1, 2]})
    assert lags.autocorrelation(made) is None
    assert lags.delays(made) is None


def test_the_matrix_holds_spearmans_correlations_of_what_varies() -> None:
    rng = np.random.default_rng(5)
    readings = {"air": rng.normal(size=50), "warmth": rng.normal(size=50), "lamp": np.ones(50)}
    counts = rng.integers(0, 4, 50)
    found = correlations.section(subject(times(range(50)), counts, readings))
    assert found is not None
    axes = found.pictures[0].draw(10.0).axes[0]
    cells = np.array([text.get_text() for text in axes.texts]).reshape(3, 3)
    expected = spearmanr(np.column_stack([counts, readings["air"], readings["warmth"]])).statistic
    assert cells.tolist() == [[f"{value:.2f}" for value in row] for row in np.asarray(expected)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["people", "air", "warmth"]


def test_one_column_alone_has_no_correlations() -> None:
    assert correlations.section(subject(times(range(3)), None, {"air": [1, 2, 3]})) is None


def test_without_counts_the_first_sensor_is_compared_to_the_others() -> None:
    found = correlations.section(subject(times(range(3)), None, {"air": [1, 2, 3], "warmth": [3, 2, 1]}))
    assert found is not None
    assert found.finding == "warmth has a rank correlation of -1.00 with air."


def test_a_sensor_that_leads_and_one_that_says_nothing_are_told_by_name() -> None:
    people = visits(3000, seed=6)
    noise = np.random.default_rng(7).normal(size=3000)
    made = subject(
        times(range(3000)), people, {"air": np.roll(people, -20), "warmth": np.roll(people, 9), "lamp": noise}
    )
    found = lags.delays(made)
    assert found is not None
    assert found.finding == (
        "Strongest correlation with the count: temperature 9 min late; CO2 20 min early. "
        "No correlation above 0.2 at any lag: lamp."
    )


def test_sensors_of_a_kind_that_disagree_are_told_apart() -> None:
    people = visits(3000, seed=8)
    columns = [Column(name=f"t{number}", kind="temperature", unit="degC") for number in range(3)]
    made = subject(times(range(3000)), people, {"t0": people, "t1": np.roll(people, 30), "t2": np.roll(people, 50)})
    log = dataclasses.replace(made.log, schema=made.log.schema.model_copy(update={"columns": columns}))
    found = lags.delays(dataclasses.replace(made, log=log))
    assert found is not None
    assert found.finding == "Strongest correlation with the count: t1 and t2 30 to 50 min late; t0 at once."
