from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from occupancy.arrays import OUTSIDE, Floats, Ints
from occupancy.data import rolling
from occupancy.data.rolling import by_stretch, samples_of

SLOPE_SAMPLES = 25  # what UCI's authors took; the schema gives it in seconds
FUNCTIONS = pytest.mark.parametrize("function", [rolling.mean, rolling.slope])


def fitted_slopes(values: Sequence[float] | Floats, samples: int) -> list[float]:
    """Return each row's slope by numpy's least squares."""
    windows = [values[max(0, end - samples) : end] for end in range(1, len(values) + 1)]
    return [0.0 if len(part) == 1 else np.polyfit(np.arange(len(part)), part, 1)[0] for part in windows]


def random_values(rows: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(600.0, 90.0, rows)


@given(
    st.lists(st.floats(-1000, 1000).map(lambda value: round(value, 3)), min_size=1, max_size=40),
    st.integers(2, 12),
    st.sampled_from([0.0, 400.0, -1e5, 1e5]),
)
@example([1.0], 5, 0.0)
@example([1.0, 3.0], 5, 1e5)
@example([0.0, 1000.0, 1000.0, 1000.0], 2, 1e5)
def test_a_trailing_slope_is_numpys_least_squares_line(values: list[float], samples: int, offset: float) -> None:
    shifted = np.array([value + offset for value in values], np.float64)
    assert rolling.slope(shifted, samples) == pytest.approx(fitted_slopes(values, samples), rel=1e-7, abs=1e-7)


def test_a_constant_series_has_slope_zero_everywhere() -> None:
    assert rolling.slope(np.full(100, 400.1), SLOPE_SAMPLES) == pytest.approx(np.zeros(100), abs=1e-12)


def test_a_straight_line_has_its_own_slope_from_the_second_row_on() -> None:
    slopes = rolling.slope(np.linspace(1e5, 1e5 - 250, 101), SLOPE_SAMPLES)
    assert slopes[0] == 0
    assert slopes[1:] == pytest.approx(np.full(100, -2.5), rel=1e-9)


def test_a_line_through_one_sample_has_slope_zero() -> None:
    assert rolling.slope(np.array([3.0, 5.0, 9.0]), 1).tolist() == [0.0, 0.0, 0.0]


def test_an_empty_series_has_no_slopes() -> None:
    assert rolling.slope(np.array([]), SLOPE_SAMPLES).shape == (0,)


def test_a_trailing_slope_of_a_long_log_does_not_drift() -> None:
    # A year of samples must not eat the digits of its last day, as running sums would.
    values = np.random.default_rng(0).uniform(400, 900, 1_000_000)
    last_day = rolling.slope(values, SLOPE_SAMPLES)[-2880:]
    alone = rolling.slope(values[-2880 - SLOPE_SAMPLES :], SLOPE_SAMPLES)[-2880:]
    assert last_day == pytest.approx(alone, abs=1e-12)


@given(
    st.lists(st.floats(-1000, 1000), min_size=1, max_size=40), st.integers(1, 50), st.sampled_from([0.0, 400.0, 1e5])
)
def test_a_trailing_mean_is_that_of_the_rows_there_are(values: list[float], samples: int, offset: float) -> None:
    shifted = np.array(values, np.float64) + offset
    expected = [shifted[max(0, end - samples) : end].mean() for end in range(1, len(shifted) + 1)]
    assert rolling.mean(shifted, samples) == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_a_trailing_mean_of_a_long_log_does_not_drift() -> None:
    values = random_values(1_000_000)
    expected = np.array([values[end - 25 : end].mean() for end in range(999_900, 1_000_001)])
    assert rolling.mean(values, 25)[-101:] == pytest.approx(expected, abs=1e-9)


def spans_by_hand(
    function: Callable[[Floats, int], Floats], values: Floats, stretch: Ints, samples: int, later: int
) -> Floats:
    """Return what a function says of the span that ends so many rows after each, or where its stretch ends."""
    found = []
    for row, number in enumerate(stretch):
        rows = np.flatnonzero(stretch == number)
        end = min(row + later, rows[-1]) + 1
        found.append(function(values[max(end - samples, rows[0]) : end], samples)[-1])
    return np.array(found)


@FUNCTIONS
@pytest.mark.parametrize("samples", [1, 2, 3, 10, 11, 200])
@pytest.mark.parametrize("centred", [False, True])
def test_a_span_lies_before_its_row_or_around_it_and_never_over_the_ends_of_its_stretch(
    function: Callable[[Floats, int], Floats], samples: int, centred: bool
) -> None:
    values, stretch = random_values(60), np.repeat([0, 1, 2, 3], [25, 1, 30, 4])
    expected = spans_by_hand(function, values, stretch, samples, samples // 2 if centred else 0)
    assert by_stretch(function, values, stretch, samples, centred) == pytest.approx(expected, abs=1e-9)


@FUNCTIONS
@given(st.integers(0, 59), st.integers(2, 20), st.booleans())
def test_a_changed_row_changes_the_rows_whose_span_holds_it(
    function: Callable[[Floats, int], Floats], row: int, samples: int, centred: bool
) -> None:
    values, stretch = random_values(60), np.repeat([0, 1], [35, 25])
    changed = values.copy()
    changed[row] += 1e3
    one, other = (by_stretch(function, each, stretch, samples, centred) for each in (values, changed))
    moved = np.flatnonzero(np.abs(one - other) > 1e-6)
    assert len(moved)
    assert (stretch[moved] == stretch[row]).all()
    assert moved.min() >= row - (samples // 2 if centred else 0)
    last_of_stretch = (34, 59)[stretch[row]]
    assert moved.max() < row + samples or (centred and last_of_stretch - row < samples)


@FUNCTIONS
@pytest.mark.parametrize("centred", [False, True])
def test_what_lies_outside_every_stretch_is_not_looked_at(
    function: Callable[[Floats, int], Floats], centred: bool
) -> None:
    values, stretch = random_values(50), np.repeat([OUTSIDE, 0, OUTSIDE, 1], [10, 15, 5, 20])
    blank = np.where(stretch == OUTSIDE, np.nan, values)
    one, other = (by_stretch(function, each, stretch, 8, centred) for each in (values, blank))
    inside = stretch != OUTSIDE
    np.testing.assert_array_equal(one[inside], other[inside])


@pytest.mark.parametrize(
    ("span_s", "step_s", "samples"), [(762.5, 30.5, 25), (300.0, 30.0, 10), (300.0, 60.0, 5), (300.0, 900.0, 2)]
)
def test_a_span_in_seconds_has_as_many_samples_as_steps_fit_in(span_s: float, step_s: float, samples: int) -> None:
    assert samples_of(span_s, step_s, fewest=2) == samples
    assert samples_of(1.0, step_s) == 1


def test_a_span_uses_the_samples_that_are_there() -> None:
    values = np.random.default_rng(0).normal(size=200).cumsum()
    holed = np.where(np.random.default_rng(1).random(200) < 0.3, np.nan, values)
    holed[100:140] = np.nan
    means, slopes = rolling.mean(holed, 20), rolling.slope(holed, 20)
    for end in range(20, 201):
        known = np.flatnonzero(~np.isnan(holed[end - 20 : end]))
        part = holed[end - 20 : end][known]
        assert np.isnan(means[end - 1]) == (len(known) < 5)
        if len(known) >= 5:
            assert means[end - 1] == pytest.approx(part.mean())
        if not np.isnan(slopes[end - 1]):
            assert slopes[end - 1] == pytest.approx(np.polyfit(known, part, 1)[0])
    assert np.isnan(slopes[125:140]).all()
    assert not np.isnan(slopes[60:100]).any()


def test_a_hole_changes_nothing_in_spans_without_one_to_the_last_digit() -> None:
    values = np.random.default_rng(0).normal(size=200).cumsum()
    holed = values.copy()
    holed[100:103] = np.nan
    for function in (rolling.mean, rolling.slope):
        whole, part = function(values, 20), function(holed, 20)
        away = np.r_[:100, 122:200]
        np.testing.assert_array_equal(part[away], whole[away])
        assert (part[103:110] != whole[103:110]).all()
