from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.data.log import Log
from occupancy.exploration import labels
from occupancy.exploration.parts import Subject
from tests.exploration.made_logs import subject, times


def test_the_real_log_has_29_runs_24_of_them_with_people(uci_log: Log) -> None:
    runs = labels.runs_of(Subject(uci_log))
    assert (len(runs), (runs["count"] > 0).sum()) == (29, 24)
    assert labels.section(Subject(uci_log)).finding.startswith(
        "81% of the rows are of an empty room. The 10,129 rows are 29 runs of equal count, 24 of them with people"
    )


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_runs_are_never_equal_to_their_neighbours_and_hold_all_rows(counts: list[int]) -> None:
    runs = labels.runs_of(subject(times(range(len(counts))), counts, {}))
    found = runs["count"].tolist()
    assert all(one != after for one, after in itertools.pairwise(found))
    last = 0.5 if len(counts) == 1 else 1.0  # minutes that a row counts which none follows
    assert runs["minutes"].sum() == pytest.approx(len(counts) - 1 + last)
    assert np.repeat(found, np.round(runs["minutes"]).astype(int).clip(1)).tolist() == counts


def test_the_length_of_a_run_leaves_gaps_out() -> None:
    runs = labels.runs_of(subject(times([0, 1, 2, 60, 61]), [2, 2, 2, 2, 0], {}))
    assert runs["minutes"].tolist() == pytest.approx([4.0, 1.0])


def test_rows_without_a_count_are_in_no_run_and_are_told() -> None:
    made = subject(times(range(6)), [np.nan, 2, np.nan, 2, 0, np.nan], {"air": range(6)})
    runs = labels.runs_of(made)
    assert runs["count"].tolist() == [2, 0]
    assert runs["minutes"].tolist() == pytest.approx([2.0, 1.0])
    said = labels.section(made).finding
    assert said.startswith("33% of the rows are of an empty room. The 3 rows are 2 runs of equal count, 1 of them")
    assert said.endswith("3 more rows without a count.")


def test_an_unlabelled_log_says_so() -> None:
    found = labels.section(subject(times(range(3)), None, {"air": [1, 2, 3]}))
    assert found.finding.startswith("The log has no counts")
    assert not found.pictures


def test_every_run_is_a_dot_at_its_length() -> None:
    made = subject(times(range(10)), [0, 0, 0, 1, 1, 0, 2, 2, 2, 0], {})
    _, picture = labels.section(made).pictures
    (axes,) = picture.draw(4.8).axes
    dots = np.concatenate([np.asarray(dots.get_offsets()) for dots in axes.collections])
    assert sorted(dots[:, 0]) == pytest.approx([1, 1, 2, 3, 3])
    assert np.round(dots[:, 1]).astype(int).tolist() == [0, 0, 0, 1, 2]


@pytest.mark.parametrize("width", [4.8, 10.0])
def test_the_pictures_of_a_hall_of_two_hundred_stay_small_and_their_ticks_apart(width: float) -> None:
    counts = [number // 3 for number in range(603)]
    for picture in labels.section(subject(times(range(603)), counts, {})).pictures:
        figure = picture.draw(width)
        figure.draw_without_rendering()
        (axes,) = figure.axes
        assert figure.get_figheight() <= 8
        for axis in (axes.xaxis, axes.yaxis):
            boxes = [label.get_window_extent() for label in axis.get_ticklabels() if label.get_text()]
            assert len(boxes) <= 16
            assert not any(one.overlaps(after) for one, after in itertools.pairwise(boxes))
