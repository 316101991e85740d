from __future__ import annotations

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from occupancy.comparison import panels
from occupancy.comparison.groups import Comparison
from occupancy.plots.colours import BLUE, GREY, ORANGE
from occupancy.tracking.stored_runs import FoldRows
from tests.comparison.made_runs import Made, make_parts, make_rows


def made(*names: str) -> Comparison:
    store = Made()
    for place, name in enumerate(names):
        store.add(name, wrong=range(place), protocol="report" if "report" in name else "honest")
    return store.compare()


def drawn(figure: Figure) -> Figure:
    figure.savefig(io.BytesIO(), dpi=50)  # a warning of the layout would be an error
    return figure


def texts(figure: Figure) -> set[str]:
    return {text.get_text() for legend in figure.legends for text in legend.get_texts()}


def test_each_fold_has_a_bar_for_each_model_as_long_as_its_score() -> None:
    comparison = made("one", "two", "three report")
    figure = drawn(panels.fold_bars(comparison, "mse", "MSE", "people squared"))
    assert len(figure.axes) == 2
    for axes, rows in zip(figure.axes, comparison.folds, strict=True):
        widths = [patch.get_width() for patch in axes.patches]  # type: ignore[attr-defined]
        assert widths == [group.fold_mean("mse", rows.number) for group in comparison.groups]
        names = [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]
        assert names == [group.title for group in comparison.groups]
        assert axes.get_ylim()[0] > axes.get_ylim()[1], "the best is on top"
    assert figure.axes[1].get_xlabel() == "people squared"


def test_bars_of_runs_that_stopped_on_the_test_rows_have_a_colour_of_their_own() -> None:
    figure = panels.fold_bars(made("one", "two report"), "mse", "MSE", "people squared")
    assert [to_hex(patch.get_facecolor()).upper() for patch in figure.axes[0].patches] == [BLUE, ORANGE]
    assert texts(figure) == {"protocol honest", "protocol report: stopped on the test rows"}


def test_a_score_that_is_not_known_leaves_its_bar_away_and_says_so() -> None:
    figure = drawn(panels.fold_bars(made("one"), "latency_s", "latency", "s"))
    assert [text.get_text() for text in figure.axes[0].texts] == ["unknown"]


def test_every_models_label_is_drawn_over_the_same_truth() -> None:
    comparison = made("one", "two", "three")
    figure = drawn(panels.labels_over_time(comparison.groups, 1, "labels", 120.0))
    assert len(figure.axes) == 3
    for axes, group in zip(figure.axes, comparison.groups, strict=True):
        lines = {str(line.get_label()): line.get_ydata() for line in axes.lines}
        rows = group.parts[0][0]
        assert lines["truth"].tolist()[:6] == rows.truth.tolist()  # type: ignore[union-attr]
        assert lines["predicted label"].tolist()[:6] == rows.label.tolist()  # type: ignore[union-attr]
    assert texts(figure) == {"label wrong", "truth", "predicted label"}
    assert figure.axes[2].get_title(loc="left") == "three, seed 0: label wrong on 33.3% of the rows"


def test_neighbouring_wrong_rows_are_one_span() -> None:
    store = Made()
    parts = [make_rows(1, [0] * 2000, [0] * 500 + [1] * 900 + [0] * 600, step_s=31)]
    store.add(parts=parts)
    figure = panels.labels_over_time(store.compare().groups, 1, "labels", 120.0)
    assert len(figure.axes[0].patches) == 1


def late(rows: FoldRows, row: int, hours: float) -> FoldRows:
    times = rows.times.copy()
    times[row:] += np.timedelta64(int(3600 * hours), "s")
    return dataclasses.replace(rows, times=times)


def test_a_long_gap_is_cut_out_of_the_time_axis_and_marked() -> None:
    rows = late(make_rows(1, [0] * 600, [0] * 600), 300, 500.0)
    axis = panels._Axis.of(pd.DatetimeIndex(rows.times), 120.0, 12)
    assert len(axis.cuts) == 1
    assert axis.until[299] < axis.cuts[0] < axis.start[300]
    assert axis.until[-1] < 6, "ten hours of rows, not five hundred"
    assert axis.until[-1] == pytest.approx(5.0 * 1.015, abs=0.02)
    store = Made()
    store.add(parts=[rows])
    figure = drawn(panels.labels_over_time(store.compare().groups, 1, "labels", 120.0))
    assert "gap in the recording, cut out" in texts(figure)


def test_a_short_gap_keeps_its_length_and_no_row_lasts_through_it() -> None:
    rows = late(make_rows(1, [0] * 600, [0] * 600), 300, 0.25)
    axis = panels._Axis.of(pd.DatetimeIndex(rows.times), 120.0, 12)
    assert axis.cuts == []
    assert axis.start[300] - axis.start[299] == pytest.approx(0.25 + 30 / 3600)
    assert axis.until[299] - axis.start[299] == pytest.approx(30 / 3600)
    assert (axis.until[:299] == axis.start[1:300]).all()


@pytest.mark.parametrize("most", [6, 12])
@pytest.mark.parametrize("step_s", [1, 30, 300, 3600])
def test_ticks_are_round_times_in_their_place_and_few(step_s: int, most: int) -> None:
    times = pd.DatetimeIndex(make_rows(1, [0] * 600, [0] * 600, step_s=step_s).times) + pd.Timedelta(minutes=7)
    axis = panels._Axis.of(times, 7200.0, most)
    assert 1 <= len(axis.ticks) <= most + 1
    for place, label in zip(axis.ticks, axis.labels, strict=True):
        moment = (times[0] + pd.Timedelta(hours=place)).round("s")
        assert (moment.minute % 15, moment.second) == (0, 0)
        assert label.startswith(f"{moment:%H:%M}")
    assert "\n" in axis.labels[0], "the first tells the day"


def test_a_lone_row_is_drawn() -> None:
    store = Made()
    store.add(parts=[make_rows(1, [1], [1])])
    drawn(panels.labels_over_time(store.compare().groups, 1, "labels", 120.0))


def test_reliability_pools_folds_and_seeds() -> None:
    store = Made()
    store.add(wrong=(0, 1))
    store.add(wrong=(9,), seed=1)
    figure = drawn(panels.reliability(store.compare().groups[0]))
    upper, lower = figure.axes
    (line,) = [line for line in upper.lines if line.get_label() == "this model"]
    shown = np.isfinite(np.asarray(line.get_ydata(), dtype=np.float64))
    assert np.asarray(line.get_xdata())[shown] == pytest.approx([0.775])
    assert np.asarray(line.get_ydata())[shown] == pytest.approx([17 / 20])
    assert sum(patch.get_height() for patch in lower.patches) == 20  # type: ignore[attr-defined]
    assert {to_hex(patch.get_facecolor()).upper() for patch in lower.patches} == {GREY}


def test_calibration_counts_each_row_once_in_fifteen_equal_bins() -> None:
    probs = np.array([[1.0, 0.0], [0.4, 0.6], [0.61, 0.39], [0.5, 0.5]])
    counts, confidence, right = panels.calibration(probs, np.array([0, 1, 1, 1]))
    assert counts.tolist() == [0] * 7 + [1, 1, 1] + [0] * 4 + [1]
    assert confidence[[7, 8, 9, 14]] == pytest.approx([0.5, 0.6, 0.61, 1.0])
    assert right[[7, 8, 9, 14]].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert np.isnan(right[0])


def test_the_mean_gap_over_the_bins_is_the_calibration_error_of_the_metrics() -> None:
    from occupancy.metrics import score
    from occupancy.prediction import from_probabilities

    generator = np.random.default_rng(0)
    probs = generator.dirichlet(np.ones(4), size=500)
    truth = generator.integers(0, 4, size=500)
    counts, confidence, right = panels.calibration(probs, truth)
    times = pd.date_range("2024-01-01", periods=500, freq="30s")
    expected = score([(from_probabilities(times, probs[None]), truth)], 120.0)["ece"]
    assert np.nansum(counts / 500 * np.abs(confidence - right)) == pytest.approx(expected, abs=1e-6)


def test_the_parts_have_labels_to_draw() -> None:
    assert [len(rows.label) for rows in make_parts()] == [6, 4]
