"""The figures show the data they are given, leave gaps open, and can be read."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from matplotlib.typing import ColorType

from occupancy.arrays import Floats, Ints, Rows
from occupancy.plots import fit
from occupancy.prediction import Prediction, from_people
from tests.drawn import boxes, overlapping, texts

UCI_LIKE = ("2017-12-22 10:50", 600), ("2017-12-25 09:10", 300), ("2018-01-10 15:25", 200)
LOGS = {
    "one row": [("2017-12-22 10:50", 1)],
    "two rows": [("2017-12-22 23:59:40", 2)],
    "four minutes": [("2017-12-22 10:50", 8)],
    "nine hours": [("2017-12-22 15:24", 1_030)],
    "two long gaps": [("2017-12-22 10:50", 5_400), ("2017-12-25 09:10", 2_800), ("2018-01-10 15:25", 2_000)],
    "a long and a very short panel": [("2017-12-22 10:50", 5_000), ("2017-12-25 09:10", 1)],
    "six lone rows": [(f"2017-12-{day} 09:10", 1) for day in range(10, 16)],
    "round times at both edges of a break": [("2017-12-22 12:00", 1_440), ("2017-12-24 00:00", 1_440)],
    "five days": [("2024-01-01", 14_400)],
    "24 working days": [(f"2024-03-{day:02d} 08:00", 1_100) for day in range(1, 25)],
}


def record(*parts: tuple[str, int]) -> pd.DatetimeIndex:
    """Return times every 30 s, a number of rows from each start."""
    ranges = [pd.date_range(start, periods=rows, freq="30s") for start, rows in parts]
    return pd.DatetimeIndex(np.concatenate(ranges))


def count(times: pd.DatetimeIndex) -> Ints:
    return (np.arange(len(times)) // 40 % 4).astype(np.int64)


def predict(times: pd.DatetimeIndex, truth: Ints) -> Prediction:
    noise = np.random.default_rng(0).normal(scale=0.4, size=(3, len(times)))
    return from_people(times, truth + noise, 0.04, max_count=3)


def show(times: pd.DatetimeIndex) -> Figure:
    return fit.predictions(predict(times, count(times)), count(times), "LSTM, fold 1")


def cut(times: pd.DatetimeIndex) -> list[tuple[str, Rows, Rows, Rows]]:
    """Return two folds whose parts take turns along the rows; some rows of the first are in no part."""
    turn = np.arange(len(times)) * 7 // len(times)
    return [("forward 1", turn < 2, turn == 2, turn == 3), ("forward 2", (turn < 3) | (turn == 4), turn == 3, turn > 4)]


def train(members: int, epochs: int, lowest: float = 0.1) -> pd.DataFrame:
    """Return a history whose losses fall to the lowest, search and final fit."""
    rows = [
        (stage, member, epochs, epoch, lowest + 1 / epoch**2 + member, lowest + 2 / epoch + member + missing)
        for stage, missing in (("search", 0.0), ("final", np.nan))
        for member in range(members)
        for epoch in range(1, epochs + 1)
    ]
    return pd.DataFrame(rows, columns=["stage", "member", "epochs", "epoch", "train_loss", "stop_loss"])


FIGURES = {
    "predictions": lambda: show(record(*UCI_LIKE)),
    "predictions of one row": lambda: show(record(("2017-12-22 10:50", 1))),
    "timeline": lambda: fit.timeline(
        record(*UCI_LIKE), count(record(*UCI_LIKE)), cut(record(*UCI_LIKE)), "Folds of the scheme forward"
    ),
    "confusion": lambda: fit.confusion(np.array([0, 1, 2]), np.array([0, 1, 1]), 4, "LSTM, fold 1"),
    "learning curves": lambda: fit.learning_curves(train(3, 50), 27),
    "learning curves of one epoch": lambda: fit.learning_curves(train(1, 1), 1),
}
every_figure = pytest.mark.parametrize("name", FIGURES)


def days(times: pd.DatetimeIndex) -> Floats:
    """Return matplotlib's own numbers for times."""
    return times.as_unit("ns").asi8 / 86_400e9


def columns(figure: Figure) -> list[tuple[Axes, Axes]]:
    """Return the panels of a broken axis, each its upper and lower axes."""
    return list(zip(figure.axes[: len(figure.axes) // 2], figure.axes[len(figure.axes) // 2 :], strict=True))


def lines(axes: Axes, label: str) -> list[tuple[Floats, Floats]]:
    """Return the points of the axes' lines of one label."""
    found = [line for line in axes.get_lines() if line.get_label() == label]
    return [(np.asarray(line.get_xdata(), np.float64), np.asarray(line.get_ydata(), np.float64)) for line in found]


def bars(axes: Axes, colour: str) -> list[Bbox]:
    """Return the bars of one colour, in data coordinates."""
    found = [bar for bar in axes.collections if isinstance(bar, PolyCollection)]
    found = [bar for bar in found if (np.asarray(bar.get_facecolor()) == to_rgba(colour)).all()]
    return [path.get_extents() for bar in found for path in bar.get_paths()]


def covered(times: pd.DatetimeIndex, spans: Sequence[Bbox]) -> Rows:
    """Return the rows that begin inside a bar, (N,)."""
    second = 1 / 86_400
    inside = [(days(times) > span.x0 - second) & (days(times) < span.x1 - second) for span in spans]
    rows: Rows = np.any([np.zeros(len(times), bool), *inside], axis=0)
    return rows


# Every figure


@every_figure
def test_every_figure_has_a_title_and_a_label_on_every_outer_axis(name: str) -> None:
    figure = FIGURES[name]()
    assert figure.get_suptitle()
    places = [(axes, place) for axes in figure.axes if (place := axes.get_subplotspec())]
    for axes, place in places:
        if place.is_first_col():
            assert axes.get_ylabel() or [label.get_text() for label in axes.get_yticklabels()] == ["wrong"]
    assert any(axes.get_xlabel() for axes, place in places if place.is_last_row())


@every_figure
def test_texts_are_large_enough_inside_the_figure_and_not_on_one_another(name: str) -> None:
    figure = FIGURES[name]()
    found = texts(figure)
    assert min(float(text.get_fontsize()) for text in found) >= 9
    drawn = boxes(figure, found)
    assert not overlapping(drawn)
    assert min(min(box.x0, box.y0) for box in drawn) >= 0
    assert max(box.x1 for box in drawn) <= figure.bbox.x1
    assert max(box.y1 for box in drawn) <= figure.bbox.y1


@every_figure
def test_the_legend_lies_outside_the_axes_and_off_their_labels(name: str) -> None:
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    if name == "confusion":
        assert not figure.legends  # the numbers are in the cells
        return
    (legend,) = figure.legends
    outer = [box for axes in figure.axes if (box := axes.get_tightbbox())]
    assert len(outer) == len(figure.axes)
    assert not [box for box in outer if box.overlaps(legend.get_window_extent())]


def test_a_long_title_is_wrapped_and_stays_inside() -> None:
    times = record(("2017-12-22", 10))
    figure = fit.predictions(predict(times, count(times)), count(times), "a mixture of many models " * 10)
    (box,) = boxes(figure, [text for text in figure.texts if text.get_text() == figure.get_suptitle()])
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1


def test_pyplot_is_not_imported() -> None:
    code = "import sys, occupancy.plots.fit; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# The time axis


@pytest.mark.parametrize(
    ("gaps", "panels"),
    [
        ([], 1),
        (["2min", "29min"], 1),
        (["31min"], 2),
        (["24h", "15D"], 3),
        (["25min", "24h", "3min"], 2),
        (["1D"] * 5, 6),
        # More than there is room for: the longest alone, or none where all are alike.
        (["40min"] * 10 + ["15D"], 2),
        (["15h"] * 20, 1),
    ],
)
def test_the_axis_breaks_at_gaps_longer_than_half_an_hour(gaps: list[str], panels: int) -> None:
    offsets = np.cumsum([pd.Timedelta(0), *(pd.Timedelta(gap) + pd.Timedelta("1h") for gap in gaps)])
    times = record(*((str(pd.Timestamp("2017-12-22") + offset), 120) for offset in offsets))
    assert len(columns(show(times))) == panels
    assert len(columns(fit.timeline(times, count(times), cut(times), "Folds"))) == panels


@pytest.mark.parametrize(("gap", "text"), [("45min", "45 min"), ("24h", "24 h"), ("15D", "15 days")])
def test_each_break_says_how_long_the_gap_is(gap: str, text: str) -> None:
    end = pd.Timestamp("2017-12-22") + pd.Timedelta("59.5min")
    figure = show(record(("2017-12-22", 120), (str(end + pd.Timedelta(gap)), 120)))
    assert [note.get_text() for axes in figure.axes for note in axes.texts] == [f"gap of {text}"]


def test_the_note_of_a_break_lies_between_the_panels() -> None:
    figure = show(record(*UCI_LIKE))
    notes = boxes(figure, [note for axes in figure.axes for note in axes.texts])
    assert len(notes) == 2
    assert not [axes for axes in figure.axes for note in notes if axes.get_window_extent().overlaps(note)]


def test_panels_are_as_wide_as_their_durations_but_wide_enough_for_a_date() -> None:
    figure = show(record(("2017-12-22", 1_440), ("2017-12-24", 2_880), ("2017-12-29", 1)))
    figure.draw_without_rendering()
    inches = [axes.get_window_extent().width / figure.dpi for axes, _ in columns(figure)]
    assert inches[1] / inches[0] == pytest.approx(2, rel=0.01)
    assert inches[2] > 0.7


@pytest.mark.parametrize("log", LOGS)
def test_the_space_between_panels_is_the_same_in_every_figure(log: str) -> None:
    figure = show(record(*LOGS[log]))
    figure.draw_without_rendering()
    boxes = [axes.get_window_extent() for axes, _ in columns(figure)]
    inches = [(right.x0 - left.x1) / figure.dpi for left, right in itertools.pairwise(boxes)]
    np.testing.assert_allclose(inches, 0.25, atol=0.02)


@pytest.mark.parametrize("log", LOGS)
def test_time_labels_do_not_overlap_and_name_the_time_they_stand_at(log: str) -> None:
    figure = show(record(*LOGS[log]))
    labels = [label for _, axes in columns(figure) for label in axes.get_xticklabels()]
    assert len(boxes(figure, labels)) >= len(columns(figure))
    assert not overlapping(boxes(figure, labels))
    for _, axes in columns(figure):
        moments = pd.to_datetime(axes.get_xticks(), unit="D").round("s")
        named = [label.get_text() for label in axes.get_xticklabels()]
        assert f"{moments[0]:%d %b}" in named[0]
        for moment, text in zip(moments, named, strict=True):
            assert text in {f"{moment:%H:%M}", f"{moment:%d %b}", f"{moment:%H:%M}\n{moment:%d %b}"}
        first, last = axes.get_xlim()
        assert ((axes.get_xticks() >= first) & (axes.get_xticks() <= last)).all()


@pytest.mark.parametrize("log", LOGS)
def test_one_label_below_the_middle_gives_the_dates_with_their_year(log: str) -> None:
    times = record(*LOGS[log])
    figure = show(times)
    (label,) = [axes.xaxis.label for axes in figure.axes if axes.get_xlabel()]
    (box,) = boxes(figure, [label])
    assert label.get_text().startswith("local time")
    assert f"{times[0]:%d %b %Y}" in label.get_text()
    assert f"{times[-1]:%d %b %Y}" in label.get_text()
    assert abs(box.x0 + box.x1 - figure.bbox.width) / 2 < 0.1 * figure.bbox.width


@pytest.mark.parametrize("log", LOGS)
def test_every_row_lies_inside_its_panel(log: str) -> None:
    times = record(*LOGS[log])
    limits = [axes.get_xlim() for axes, _ in columns(show(times))]
    inside = [(days(times) >= first - 1e-9) & (days(times) < last) for first, last in limits]
    assert (np.sum(inside, axis=0) == 1).all()


# Predictions


def test_predictions_draw_the_rows_they_are_given() -> None:
    times = record(("2017-12-22", 100))
    truth = count(times)
    prediction = predict(times, truth)
    ((axes, _),) = columns(fit.predictions(prediction, truth, "LSTM"))
    drawn = {"truth": truth, "predicted mean": prediction.mean, "predicted label": prediction.label}
    for label, values in drawn.items():
        ((x, y),) = lines(axes, label)
        np.testing.assert_allclose(x[:100], days(times), rtol=0, atol=1e-9)
        np.testing.assert_allclose(y[:100], values)
        # The last row counts for one step.
        assert x[100] - x[99] == pytest.approx(30 / 86_400, rel=1e-3)
        assert y[100] == values[-1]
        assert np.isnan(x[101:]).all()


def test_the_band_is_two_standard_deviations_each_way() -> None:
    times = record(("2017-12-22", 50))
    prediction = predict(times, count(times))
    ((axes, _),) = columns(fit.predictions(prediction, count(times), "LSTM"))
    (band,) = [found for found in axes.collections if found.get_label() == "mean ± 2 std"]
    corners = np.unique(np.concatenate([path.vertices for path in band.get_paths()])[:, 1])
    ends = np.concatenate([prediction.mean - 2 * prediction.std, prediction.mean + 2 * prediction.std])
    np.testing.assert_allclose(corners, np.unique(ends))


def test_nothing_is_drawn_across_a_gap() -> None:
    times = record(("2017-12-22 10:00", 60), ("2017-12-22 10:33", 60), ("2017-12-22 11:30", 60), ("2018-01-10", 60))
    for figure in (show(times), fit.timeline(times, count(times), cut(times), "Folds")):
        curves = [line for axes in figure.axes for line in axes.get_lines()]
        steps = np.concatenate([np.diff(np.asarray(line.get_xdata(), np.float64)) for line in curves])
        assert np.nanmax(steps) * 86_400 < 31
        areas = [path.get_extents() for axes in figure.axes for bar in axes.collections for path in bar.get_paths()]
        spans = [area for area in areas if area.x0 > 1_000]  # not the break marks, which are in shares of the axes
        middles = days(times[59:-1:60]) + np.diff(days(times))[59::60] / 2
        assert not [area for area in spans for middle in middles if area.x0 < middle < area.x1]
        assert len(spans) >= 4


def test_a_longer_max_gap_joins_what_a_shorter_one_leaves_open() -> None:
    times = pd.date_range("2017-12-22", periods=50, freq="5min")
    prediction = predict(times, count(times))
    for max_gap, stretches in ((120.0, 50), (300.0, 1)):
        ((axes, _),) = columns(fit.predictions(prediction, count(times), "LSTM", max_gap=max_gap))
        ((x, _),) = lines(axes, "truth")
        assert np.isnan(x).sum() == stretches


def test_wrong_rows_are_marked_and_no_others() -> None:
    times = record(*UCI_LIKE)
    truth = count(times)
    prediction = predict(times, truth)
    figure = fit.predictions(prediction, truth, "LSTM")
    wrong = prediction.label != truth
    assert 0 < wrong.sum() < len(wrong)
    marked = covered(times, [bar for _, strip in columns(figure) for bar in bars(strip, fit.VERMILLION)])
    np.testing.assert_array_equal(marked, wrong)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:4] == ["mean ± 2 std", "truth", "predicted mean", "predicted label"]
    assert labels[4] == f"label wrong: {wrong.sum()} of 1,100 rows ({wrong.mean():.1%})"


def test_a_single_wrong_row_among_thousands_can_be_seen() -> None:
    times = record(("2024-01-01", 14_400))
    truth = np.zeros(len(times), np.int64)
    mean = np.where(np.arange(len(times)) == 7_000, 1.0, 0.0)
    figure = fit.predictions(from_people(times, mean[None], 0.01, 3), truth, "LSTM")
    figure.savefig(buffer := io.BytesIO(), format="rgba")
    height, width = round(figure.bbox.height), round(figure.bbox.width)
    pixels = np.frombuffer(buffer.getvalue(), np.uint8).reshape(height, width, 4)
    ((_, strip),) = columns(figure)
    box = strip.get_window_extent()
    inside = pixels[int(height - box.y1) + 3 : int(height - box.y0) - 3, int(box.x0) + 3 : int(box.x1) - 3]
    assert (inside[..., 2] < 150).all(axis=0).any()  # a column of vermillion, which has little blue in it


def test_a_test_part_with_one_label_and_no_error_is_drawn() -> None:
    times = record(("2017-12-25 09:11", 200))
    truth = np.zeros(200, np.int64)
    ((axes, strip),) = columns(fit.predictions(from_people(times, np.zeros((1, 200)), 0.0, 3), truth, "LSTM"))
    assert bars(strip, fit.VERMILLION) == []
    low, high = axes.get_ylim()
    assert low < 0
    assert high > 3  # the possible counts, also those that do not occur


def test_one_row_is_a_short_line_on_ten_minutes_of_axis() -> None:
    times = record(("2017-12-22 10:50", 1))
    ((axes, _),) = columns(show(times))
    assert np.ptp(axes.get_xlim()) * 24 * 60 == pytest.approx(10, rel=1e-3)
    for label in ("truth", "predicted mean", "predicted label"):
        ((x, y),) = lines(axes, label)
        assert (x[1] - x[0]) / np.ptp(axes.get_xlim()) > 0.01
        assert y[0] == y[1]


def test_a_mean_beyond_the_possible_counts_stays_in_the_frame() -> None:
    times = record(("2017-12-22", 3))
    prediction = from_people(times, np.array([[-2.0, 1.0, 6.0]]), 0.1, 3)
    ((axes, _),) = columns(fit.predictions(prediction, np.array([0, 1, 3]), "LSTM"))
    low, high = axes.get_ylim()
    assert low < -2
    assert high > 6


# Timeline


def test_each_lane_shows_what_its_folds_rows_are_for() -> None:
    times = record(*UCI_LIKE)
    folds = cut(times)
    figure = fit.timeline(times, count(times), folds, "Folds")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train", "validation", "test"]
    for lane, (_, *masks) in enumerate(folds):
        for part, mask in zip(("train", "validation", "test"), masks, strict=True):
            found = [bar for lanes, _ in columns(figure) for bar in bars(lanes, fit.PARTS[part])]
            spans = [bar for bar in found if bar.y0 < lane < bar.y1]
            np.testing.assert_array_equal(covered(times, spans), mask)


def test_the_first_fold_is_on_top_and_every_lane_has_its_name() -> None:
    times = record(*UCI_LIKE)
    lanes = fit.timeline(times, count(times), cut(times), "Folds").axes[0]
    assert [label.get_text() for label in lanes.get_yticklabels()] == ["forward 1", "forward 2"]
    assert lanes.get_yticks().tolist() == [0, 1]
    assert lanes.yaxis_inverted()


def test_the_counts_lie_below_the_lanes_on_the_same_time_axis() -> None:
    times = record(*UCI_LIKE)
    figure = fit.timeline(times, count(times), cut(times), "Folds")
    drawn: dict[float, float] = {}
    for lanes, axes in columns(figure):
        assert lanes.get_xlim() == axes.get_xlim()
        (line,) = axes.get_lines()
        points = np.column_stack([line.get_xdata(), line.get_ydata()])
        drawn |= {round(x * 86_400): y for x, y in points if np.isfinite(x)}
    assert [drawn[round(day * 86_400)] for day in days(times)] == count(times).tolist()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([30, 61, 120, 121, 1_532, 86_452])), min_size=1, max_size=30))
def test_bars_cover_the_rows_of_a_part_and_no_others(rows: list[tuple[bool, int]]) -> None:
    seconds = np.cumsum([step for _, step in rows])
    times = pd.Timestamp("2017-12-22") + pd.to_timedelta(seconds, unit="s")
    mask = np.array([chosen for chosen, _ in rows])
    nothing = np.zeros(len(rows), bool)
    figure = fit.timeline(times, nothing.astype(np.int64), [("fold 1", mask, nothing, ~mask)], "Folds")
    for part, expected in (("train", mask), ("test", ~mask)):
        spans = [bar for lanes, _ in columns(figure) for bar in bars(lanes, fit.PARTS[part])]
        np.testing.assert_array_equal(covered(times, spans), expected)


# Learning curves


def test_learning_curves_draw_every_network_and_the_mean_that_chooses() -> None:
    history = train(3, 5)
    search, final = fit.learning_curves(history, 4).axes
    for axes, stage in ((search, "search"), (final, "final")):
        drawn = lines(axes, "training rows, each network")
        assert len(drawn) == 3
        for member, (x, y) in enumerate(drawn):
            rows = history[(history["stage"] == stage) & (history["member"] == member)]
            np.testing.assert_array_equal(x, rows["epoch"])
            np.testing.assert_allclose(y, rows["train_loss"])
    assert len(lines(search, "stopping rows, each network")) == 3
    ((_, mean),) = lines(search, "stopping rows, mean of networks")
    np.testing.assert_allclose(mean, history[history["stage"] == "search"].groupby("epoch")["stop_loss"].mean())
    assert lines(final, "stopping rows, mean of networks") == []


def test_a_network_that_stopped_early_keeps_its_last_loss_in_the_mean() -> None:
    history = train(2, 3)
    history = history[~((history["member"] == 1) & (history["epoch"] == 3))]
    search, _ = fit.learning_curves(history, 2).axes
    ((x, mean),) = lines(search, "stopping rows, mean of networks")
    assert x.tolist() == [1, 2, 3]
    losses = history[history["stage"] == "search"].groupby("member")["stop_loss"].last()
    assert mean[2] == pytest.approx(losses.mean())


def test_trainings_of_different_lengths_have_a_mean_each() -> None:
    history = pd.concat([train(2, 3), train(2, 5, lowest=0.7).query("stage == 'search'")])
    search, _ = fit.learning_curves(history, 3).axes
    (_, short), (_, long) = lines(search, "stopping rows, mean of networks")
    means = history[history["stage"] == "search"].groupby(["epochs", "epoch"])["stop_loss"].mean()
    assert short[:3] == pytest.approx(means[3].to_numpy())
    assert long == pytest.approx(means[5].to_numpy())


def test_the_chosen_epoch_is_marked_in_the_search_and_named() -> None:
    figure = fit.learning_curves(train(3, 50), 27)
    search, final = figure.axes
    ((x, _),) = lines(search, "chosen epoch 27")
    assert x.tolist() == [27, 27]
    assert lines(final, "chosen epoch 27") == []
    assert "27 epochs chosen" in figure.get_suptitle()
    assert "chosen epoch 27" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_without_a_final_fit_there_is_one_panel() -> None:
    history = train(1, 8)
    (axes,) = fit.learning_curves(history[history["stage"] == "search"], 8).axes
    assert axes.get_title() == "search for the number of epochs"


@pytest.mark.parametrize(
    ("lowest", "scale"),
    [(0.01, "log"), (1e-12, "log"), (-0.5, "linear"), (5.0, "linear")],
    ids=["positive", "tiny", "a log-likelihood below zero", "less than a factor of ten"],
)
def test_the_loss_axis_is_logarithmic_where_that_helps(lowest: float, scale: str) -> None:
    history = train(1, 40, lowest)
    history.loc[history.index[-1], "train_loss"] = lowest
    figure = fit.learning_curves(history, 40)
    assert {axes.get_yscale() for axes in figure.axes} == {scale}
    labels = figure.axes[0].get_yticklabels()
    assert len(boxes(figure, labels)) >= 3
    assert not overlapping(boxes(figure, labels))


def test_one_epoch_is_a_visible_dot_at_a_whole_number() -> None:
    search, final = fit.learning_curves(train(2, 1), 1).axes
    for axes in (search, final):
        assert [tick for tick in axes.get_xticks() if 0.5 <= tick <= 1.5] == [1]
        curves = [line for line in axes.get_lines() if line.get_label() != "chosen epoch 1"]
        assert {line.get_marker() for line in curves} == {"o"}


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_losses_that_are_no_numbers_are_left_out(loss: float) -> None:
    history = train(2, 10)
    history.loc[history["epoch"].isin([3, 4]) & (history["member"] == 0), ["train_loss", "stop_loss"]] = loss
    search, _ = fit.learning_curves(history, 9).axes
    (_, first), (_, second) = lines(search, "training rows, each network")
    np.testing.assert_array_equal(np.isnan(first), np.isin(np.arange(1, 11), [3, 4]))
    assert np.isfinite(second).all()


@pytest.mark.parametrize("column", [["stop_loss"], ["train_loss", "stop_loss"]])
def test_without_stopping_losses_no_epoch_is_said_to_be_chosen_by_them(column: list[str]) -> None:
    history = train(2, 10)
    history[column] = np.nan
    figure = fit.learning_curves(history, 10)
    figure.draw_without_rendering()
    assert figure.get_suptitle() == "Learning curves: 10 epochs"
    assert not [text for text in figure.legends[0].get_texts() if "stopping" in text.get_text()]


# Confusion


def cells(figure: Figure) -> dict[tuple[float, float], Text]:
    """Return the text in each cell by its true and predicted count."""
    return {(text.get_position()[1], text.get_position()[0]): text for text in figure.axes[0].texts}


def test_each_cell_holds_its_rows_and_their_share_of_the_true_count() -> None:
    truth = np.array([0] * 1_500 + [1] * 4 + [3] * 2)
    label = np.array([0] * 1_500 + [1, 1, 1, 2] + [0, 3])
    found = {cell: text.get_text() for cell, text in cells(fit.confusion(label, truth, 4, "LSTM")).items()}
    assert len(found) == 16
    assert found[0, 0] == "1,500\n100.0%"
    assert found[1, 1] == "3\n75.0%"
    assert found[1, 2] == "1\n25.0%"
    assert found[2, 2] == "0\nno rows"
    assert found[3, 0] == "1\n50.0%"


def test_the_colour_of_a_cell_is_its_share() -> None:
    (image,) = fit.confusion(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), 2, "LSTM").axes[0].get_images()
    np.testing.assert_array_equal(image.get_array(), [[0.5, 0.5], [0, 1]])
    assert image.get_clim() == (0, 1)


@pytest.mark.parametrize("right", range(0, 101, 5))
def test_letters_stand_out_from_every_cell(right: int) -> None:
    truth = np.zeros(100, np.int64)
    figure = fit.confusion((np.arange(100) >= right).astype(np.int64), truth, 2, "LSTM")
    (image,) = figure.axes[0].get_images()
    for (row, column), text in cells(figure).items():
        share = [right / 100, 1 - right / 100][int(column)] if row == 0 else 0.0
        light, dark = sorted([luminance(text.get_color()), luminance(image.cmap(share))], reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.1, level AA


def luminance(colour: ColorType) -> float:
    """Return the relative luminance of a colour, as WCAG 2.1 defines it."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("classes", [2, 4, 12])
def test_the_text_of_each_cell_fits_into_it(classes: int) -> None:
    truth = np.repeat(np.arange(classes), 1_000)
    figure = fit.confusion(truth, truth, classes, "LSTM")
    found = boxes(figure, list(cells(figure).values()))
    side = figure.axes[0].get_window_extent().width / classes
    assert max(box.width for box in found) < side
    assert not overlapping(found)


def test_a_count_without_a_class_is_not_dropped_in_silence() -> None:
    with pytest.raises(AssertionError, match=r"outside 0\.\.C-1"):
        fit.confusion(np.array([0, 4]), np.array([0, 1]), 4, "LSTM")


def chain_history(classes: int) -> pd.DataFrame:
    """Return a history in which every change costs a tenth of a nat more with each epoch of the final fit."""
    rows = [
        {"stage": stage, "member": member, "epochs": 3, "epoch": epoch}
        | {
            f"transition/{i}/{j}": (-0.1 * epoch * (i != j) if stage == "final" else 7.0) + i
            for i in range(classes)
            for j in range(classes)
        }
        for stage in ("search", "final")
        for member in (0, 1)
        for epoch in (1, 2, 3)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("classes", [2, 4, 9])
def test_transitions_are_drawn_of_the_final_fit_less_those_of_staying(classes: int) -> None:
    figure = fit.transitions(chain_history(classes), classes, "what a change costs")
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes] == [f"from {label}" for label in range(classes)]
    for label, axes in enumerate(figure.axes):
        lines = {line.get_label(): np.asarray(line.get_ydata()) for line in axes.get_lines()}
        for other in range(classes):
            expected = [-0.1, -0.2, -0.3] if other != label else [np.nan] * 3
            np.testing.assert_allclose(lines[f"to {other}"], expected)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["staying", *(f"to {label}" for label in range(classes))]


def test_a_history_without_transitions_has_no_picture_of_them() -> None:
    assert fit.transitions(pd.DataFrame(), 4, "nothing") is None
