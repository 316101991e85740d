"""The time axis leaves out long gaps and says so."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from occupancy.plots.folds import timeline
from tests.drawn import boxes, overlapping
from tests.plots.made_figures import LOGS, UCI_LIKE, columns, count, cut, days, record, show


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
    assert len(columns(timeline(times, count(times), cut(times), "Folds"))) == panels


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
