"""The figures of a prediction show the rows they are given, and no others."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.typing import ColorType

from occupancy.plots.colours import VERMILLION
from occupancy.plots.folds import timeline
from occupancy.plots.prediction import confusion, predictions
from occupancy.prediction import from_people
from tests.drawn import boxes, overlapping
from tests.plots.made_figures import UCI_LIKE, bars, columns, count, covered, cut, days, lines, predict, record, show


def test_predictions_draw_the_rows_they_are_given() -> None:
    times = record(("2017-12-22", 100))
    truth = count(times)
    prediction = predict(times, truth)
    ((axes, _),) = columns(predictions(prediction, truth, "LSTM"))
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
    ((axes, _),) = columns(predictions(prediction, count(times), "LSTM"))
    (band,) = [found for found in axes.collections if found.get_label() == "mean ± 2 std"]
    corners = np.unique(np.concatenate([path.vertices for path in band.get_paths()])[:, 1])
    ends = np.concatenate([prediction.mean - 2 * prediction.std, prediction.mean + 2 * prediction.std])
    np.testing.assert_allclose(corners, np.unique(ends))


def test_nothing_is_drawn_across_a_gap() -> None:
    times = record(("2017-12-22 10:00", 60), ("2017-12-22 10:33", 60), ("2017-12-22 11:30", 60), ("2018-01-10", 60))
    for figure in (show(times), timeline(times, count(times), cut(times), "Folds")):
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
        ((axes, _),) = columns(predictions(prediction, count(times), "LSTM", max_gap=max_gap))
        ((x, _),) = lines(axes, "truth")
        assert np.isnan(x).sum() == stretches


def test_wrong_rows_are_marked_and_no_others() -> None:
    times = record(*UCI_LIKE)
    truth = count(times)
    prediction = predict(times, truth)
    figure = predictions(prediction, truth, "LSTM")
    wrong = prediction.label != truth
    assert 0 < wrong.sum() < len(wrong)
    marked = covered(times, [bar for _, strip in columns(figure) for bar in bars(strip, VERMILLION)])
    np.testing.assert_array_equal(marked, wrong)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:4] == ["mean ± 2 std", "truth", "predicted mean", "predicted label"]
    assert labels[4] == f"label wrong: {wrong.sum()} of 1,100 rows ({wrong.mean():.1%})"


def test_a_single_wrong_row_among_thousands_can_be_seen() -> None:
    times = record(("2024-01-01", 14_400))
    truth = np.zeros(len(times), np.int64)
    mean = np.where(np.arange(len(times)) == 7_000, 1.0, 0.0)
    figure = predictions(from_people(times, mean[None], 0.01, 3), truth, "LSTM")
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
    ((axes, strip),) = columns(predictions(from_people(times, np.zeros((1, 200)), 0.0, 3), truth, "LSTM"))
    assert bars(strip, VERMILLION) == []
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
    ((axes, _),) = columns(predictions(prediction, np.array([0, 1, 3]), "LSTM"))
    low, high = axes.get_ylim()
    assert low < -2
    assert high > 6


def cells(figure: Figure) -> dict[tuple[float, float], Text]:
    """Return the text in each cell by its true and predicted count."""
    return {(text.get_position()[1], text.get_position()[0]): text for text in figure.axes[0].texts}


def test_each_cell_holds_its_rows_and_their_share_of_the_true_count() -> None:
    truth = np.array([0] * 1_500 + [1] * 4 + [3] * 2)
    label = np.array([0] * 1_500 + [1, 1, 1, 2] + [0, 3])
    found = {cell: text.get_text() for cell, text in cells(confusion(label, truth, 4, "LSTM")).items()}
    assert len(found) == 16
    assert found[0, 0] == "1,500\n100.0%"
    assert found[1, 1] == "3\n75.0%"
    assert found[1, 2] == "1\n25.0%"
    assert found[2, 2] == "0\nno rows"
    assert found[3, 0] == "1\n50.0%"


def test_the_colour_of_a_cell_is_its_share() -> None:
    (image,) = confusion(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), 2, "LSTM").axes[0].get_images()
    np.testing.assert_array_equal(image.get_array(), [[0.5, 0.5], [0, 1]])
    assert image.get_clim() == (0, 1)


@pytest.mark.parametrize("right", range(0, 101, 5))
def test_letters_stand_out_from_every_cell(right: int) -> None:
    truth = np.zeros(100, np.int64)
    figure = confusion((np.arange(100) >= right).astype(np.int64), truth, 2, "LSTM")
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
    figure = confusion(truth, truth, classes, "LSTM")
    found = boxes(figure, list(cells(figure).values()))
    side = figure.axes[0].get_window_extent().width / classes
    assert max(box.width for box in found) < side
    assert not overlapping(found)


def test_a_count_without_a_class_is_not_dropped_in_silence() -> None:
    with pytest.raises(AssertionError, match=r"outside 0\.\.C-1"):
        confusion(np.array([0, 4]), np.array([0, 1]), 4, "LSTM")


@pytest.mark.parametrize("classes", [17, 201])
def test_the_confusion_of_a_hall_fits_on_a_page_in_colours_alone(classes: int) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, classes - 5, 900)
    label = np.clip(truth + rng.integers(-3, 4, 900), 0, classes - 1)
    figure = confusion(label, truth, classes, "A hall: which count is taken for which")
    assert (figure.get_size_inches() <= 10).all()
    figure.draw_without_rendering()
    axes, bar = figure.axes
    assert len([text for text in axes.texts if text.get_text()]) == 0
    assert len(axes.get_xticklabels()) < 20
    (image,) = axes.get_images()
    shares = np.ma.filled(np.ma.asarray(image.get_array(), np.float64), np.nan)
    known = np.unique(truth)
    np.testing.assert_allclose(shares[known].sum(axis=1), 1)
    assert np.isnan(shares[np.setdiff1d(np.arange(classes), known)]).all()
    assert bar.get_ylabel().startswith("share of the rows")
