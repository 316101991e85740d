from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from occupancy.arrays import Rows
from occupancy.config import Data
from occupancy.data.folds import Scheme, Times, cut, digest_of, final_fold, load_scheme
from occupancy.data.log import Log
from occupancy.data.schema import Column, Schema
from occupancy.data.table import validate
from occupancy.errors import InputError, InputWarning
from occupancy.features.sensors import Features

Interval = tuple[str, str]
Parts = tuple[list[Interval], list[Interval], list[Interval]]

START, END = "2017-12-22 00:00:00", "2018-01-12 00:00:00"  # around the whole log
EVENING = ("2017-12-23 15:00:00", "2017-12-23 20:30:00")
LATE_22, LATE_23, NIGHT_25 = "2017-12-22 15:24:00", "2017-12-23 15:26:30", "2017-12-25 00:00:00"
NIGHT_23, NIGHT_24 = "2017-12-23 00:00:00", "2017-12-24 00:00:00"

# The tables of ../shared/DESIGN.md, section 4: train, validation and test of each fold, and the test's labels.
DESIGN: dict[str, list[tuple[Parts, list[int]]]] = {
    "forward": [
        (([(START, LATE_22)], [("2017-12-22 13:29:00", "2017-12-22 14:45:00")], [(LATE_22, NIGHT_23)]), [0, 1, 2, 3]),
        (([(START, NIGHT_23)], [("2017-12-22 17:00:00", "2017-12-22 20:30:00")], [(NIGHT_23, LATE_23)]), [0, 1, 2]),
        (([(START, LATE_23)], [("2017-12-23 11:00:00", "2017-12-23 14:40:00")], [(LATE_23, NIGHT_25)]), [0, 1, 2, 3]),
        (([(START, NIGHT_25)], [EVENING], [(NIGHT_25, END)]), [0, 2, 3]),
    ],
    "blocked": [
        (([(LATE_22, END)], [EVENING], [(START, LATE_22)]), [0, 1, 2, 3]),
        (([(START, LATE_22), (NIGHT_23, END)], [EVENING], [(LATE_22, NIGHT_23)]), [0, 1, 2, 3]),
        (
            (
                [(START, NIGHT_23), (NIGHT_24, END)],
                [(LATE_22, "2017-12-22 18:30:00"), ("2017-12-22 19:36:00", "2017-12-22 20:30:00")],
                [(NIGHT_23, NIGHT_24)],
            ),
            [0, 1, 2, 3],
        ),
        (([(START, NIGHT_24)], [EVENING], [(NIGHT_24, END)]), [0, 2, 3]),
    ],
}
ROWS = {
    "forward": [(333, 146, 983), (1069, 393, 1790), (2827, 425, 2053), (4670, 635, 4824)],
    "blocked": [(9015, 635, 479), (8511, 635, 983), (6895, 455, 2779), (3606, 635, 5888)],
}
MINUTES = Schema(
    name="minutes",
    time=["time"],
    time_format="%Y-%m-%d %H:%M:%S",
    columns=[Column(name="warm", kind="temperature", unit="degC")],
    count="people",
)


def log_of(counts: list[int]) -> Log:
    """Return a log with a row a minute from ten o'clock on."""
    times = pd.Timestamp("2024-01-01 10:00") + pd.to_timedelta(np.arange(len(counts)), unit="min")
    frame = pd.DataFrame(
        {"warm": np.arange(len(counts), dtype=np.float64), "people": counts}, pd.DatetimeIndex(times, name="time")
    )
    return Log("minutes", "minutes", MINUTES, frame, frame[["warm"]].isna(), 120.0)


def minutes(*spans: tuple[int, int]) -> list[list[str]]:
    """Return intervals given in minutes after ten."""
    start = pd.Timestamp("2024-01-01 10:00")
    return [[str(start + pd.Timedelta(minutes=minute)) for minute in span] for span in spans]


def scheme_of(**parts: Any) -> Scheme:
    """Return a scheme of one fold of `log_of`: rows 0 to 6 train, of which 4 and 5 validate; 6 to 10 test."""
    fold = {"train": minutes((0, 6)), "validation": minutes((4, 6)), "test": minutes((6, 10)), **parts}
    return Scheme(name="own", log="minutes", folds=[Times.model_validate(fold)])


TEN = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]


def where(rows: Rows) -> list[int]:
    return np.flatnonzero(rows).tolist()


@pytest.fixture
def refusal(tmp_path: Path) -> Callable[[str], str]:
    """Return what is said of the content of a fold file, the file being called FILE."""

    def refuse(content: str) -> str:
        path = tmp_path / "own.yaml"
        path.write_text(content)
        with pytest.raises(InputError) as caught:
            load_scheme(str(path))
        said = str(caught.value)
        assert len(said.splitlines()) == 1
        return said.replace(str(path), "FILE")

    return refuse


@pytest.mark.parametrize("name", ["forward", "blocked"])
def test_a_scheme_cuts_the_real_log_as_the_design_says(uci_log: Log, name: str) -> None:
    text = uci_log.times.strftime("%Y-%m-%d %H:%M:%S").tolist()

    def rows_in(intervals: list[Interval]) -> Rows:
        return np.array([any(start <= time < end for start, end in intervals) for time in text])

    folds = cut(uci_log, load_scheme(name))
    assert [fold.number for fold in folds] == [1, 2, 3, 4]
    for fold, ((train, validation, test), labels) in zip(folds, DESIGN[name], strict=True):
        assert (fold.validation == rows_in(validation)).all()
        assert (fold.train == rows_in(train) & ~rows_in(validation)).all()
        assert (fold.test == rows_in(test)).all()
        assert np.flatnonzero(fold.labels(fold.test, 4)).tolist() == labels


@pytest.mark.parametrize("name", ["forward", "blocked"])
def test_a_scheme_has_the_rows_that_results_were_measured_on(uci_log: Log, name: str) -> None:
    folds = cut(uci_log, load_scheme(name))
    assert [tuple(int(part.sum()) for part in (f.train, f.validation, f.test)) for f in folds] == ROWS[name]


def test_every_training_part_of_the_real_log_has_every_label(uci_log: Log) -> None:
    for name in DESIGN:
        for fold in cut(uci_log, load_scheme(name)):
            assert (fold.labels(fold.train, 4) > 0).all()


def test_forward_trains_on_the_past_alone(uci_log: Log) -> None:
    for fold in cut(uci_log, load_scheme("forward")):
        assert where(fold.train | fold.validation) == list(range(where(fold.test)[0]))


def test_blocked_tests_every_row_once_and_trains_on_all_the_others(uci_log: Log) -> None:
    folds = cut(uci_log, load_scheme("blocked"))
    assert (np.sum([fold.test for fold in folds], axis=0) == 1).all()
    for fold in folds:
        assert (fold.train ^ fold.validation ^ fold.test).all()


def test_the_simulated_scheme_tests_the_next_day(simulated_log: Log) -> None:
    folds = cut(simulated_log, load_scheme("simulated"))
    days = simulated_log.times.dayofweek
    assert len(folds) == 4
    for fold in folds:
        assert set(days[fold.test]) == {fold.number}
        assert set(days[fold.train | fold.validation]) == set(range(fold.number))
        assert len(set(fold.counts(fold.train).tolist())) == 4


def test_parts_are_half_open_and_validation_is_cut_out_of_train() -> None:
    (fold,) = cut(log_of(TEN), scheme_of())
    assert (where(fold.train), where(fold.validation), where(fold.test)) == ([0, 1, 2, 3], [4, 5], [6, 7, 8, 9])
    assert fold.counts(fold.test).tolist() == [0, 1, 0, 1]
    assert fold.labels(fold.train, 4).tolist() == [2, 2, 0, 0]


def test_an_interval_may_reach_past_the_log() -> None:
    scheme = scheme_of(train=minutes((-9999, 6)), test=minutes((6, 9999)))
    (fold,) = cut(log_of(TEN), scheme)
    assert (where(fold.train), where(fold.test)) == ([0, 1, 2, 3], [6, 7, 8, 9])


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            {"test": minutes((5, 10))},
            "train 2024-01-01 10:00:00 .. 2024-01-01 10:06:00 and test 2024-01-01 10:05:00 .. 2024-01-01 10:10:00 "
            "overlap; a row can be in only one part",
        ),
        (
            {"train": minutes((0, 4)), "validation": minutes((4, 7)), "test": minutes((6, 10))},
            "validation 2024-01-01 10:04:00 .. 2024-01-01 10:07:00 and test 2024-01-01 10:06:00 .. 2024-01-01 10:10:00 "
            "overlap; a row can be in only one part",
        ),
        (
            {"train": minutes((0, 4), (3, 6))},
            "train 2024-01-01 10:00:00 .. 2024-01-01 10:04:00 and train 2024-01-01 10:",
        ),
        (
            {"test": minutes((6, 9), (8, 10))},
            "test 2024-01-01 10:06:00 .. 2024-01-01 10:09:00 and test 2024-01-01 10:0",
        ),
        (
            {"test": minutes((10, 6))},
            "test interval 2024-01-01 10:10:00 .. 2024-01-01 10:06:00 ends before it starts; a row can be",
        ),
        ({"test": minutes((6, 6))}, "test interval 2024-01-01 10:06:00 .. 2024-01-01 10:06:00 ends before it starts"),
        (
            {"train": minutes((0, 5))},
            "validation has 1 rows outside train, the first at 2024-01-01 10:05:00; "
            "put the validation intervals inside the training intervals",
        ),
        (
            {"test": minutes((20, 30))},
            "test has no rows; the log runs from 2024-01-01 10:00:00 to 2024-01-01 10:09:00, so give test an interval",
        ),
        ({"validation": minutes((-9, -5))}, "validation has no rows; the log runs from"),
        ({"train": minutes((-9, -5)), "validation": minutes((-6, -5))}, "train has no rows; the log runs from"),
        ({"train": minutes((4, 6))}, "train has no rows; the log runs from"),
    ],
)
def test_parts_that_cannot_be_are_refused_by_name(parts: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(f'folds own: fold 1: {said}')}"):
        cut(log_of(TEN), scheme_of(**parts))


def test_training_rows_with_a_single_label_are_refused() -> None:
    said = (
        "folds own: fold 1: training rows have the single label 2, expected two or more labels; "
        "choose other training rows"
    )
    with pytest.raises(InputError, match=f"^{re.escape(said)}$"):
        cut(log_of([2, 2, 2, 2, 0, 1, 0, 1, 2, 3]), scheme_of())


def test_a_label_that_is_tested_but_never_trained_is_warned_of() -> None:
    with pytest.warns(InputWarning) as caught:
        (fold,) = cut(log_of([0, 1, 0, 1, 2, 2, 2, 3, 0, 1]), scheme_of())
    assert [str(warning.message) for warning in caught] == [
        "folds own: fold 1: label 2 is in the test rows but not in the training rows",
        "folds own: fold 1: label 3 is in the test rows but not in the training rows",
    ]
    assert fold.counts(fold.test).tolist() == [2, 3, 0, 1]


def test_a_refusal_names_the_fold_it_is_about() -> None:
    sound = scheme_of().folds[0]
    wrong = scheme_of(test=minutes((20, 30))).folds[0]
    with pytest.raises(InputError, match=r"^folds own: fold 2: test has no rows"):
        cut(log_of(TEN), Scheme(name="own", log="minutes", folds=[sound, wrong]))


@pytest.mark.parametrize("name", ["forward", "blocked"])
def test_a_scheme_for_another_log_is_refused(simulated_log: Log, name: str) -> None:
    said = f"data.folds: scheme {name!r} is for the log 'uci', got the log 'simulated'; choose a scheme for 'simulated'"
    with pytest.raises(InputError, match=f"^{re.escape(said)}$"):
        cut(simulated_log, load_scheme(name))


def test_a_scheme_for_uci_fits_any_log_of_that_schema(uci_log: Log) -> None:
    copy = dataclasses.replace(uci_log, name="my copy")
    assert len(cut(copy, load_scheme("forward"))) == 4


def test_a_name_that_is_no_scheme_is_refused() -> None:
    said = "data.folds: got 'foward', expected blocked, forward, simulated or the path of a fold file"
    with pytest.raises(InputError, match=f"^{re.escape(said)}$"):
        load_scheme("foward")


def test_a_fold_file_is_found_by_its_path_and_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "my folds.yaml"
    fold = {"train": minutes((0, 6)), "validation": minutes((4, 6)), "test": minutes((6, 10))}
    path.write_text(yaml.safe_dump({"log": "minutes", "folds": [fold]}))
    assert load_scheme(str(path)) == Scheme(name="my folds", log="minutes", folds=scheme_of().folds)


def test_times_in_a_fold_file_need_no_quotes(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "log: minutes\nfolds:\n"
        "  - train: [[2024-01-01, 2024-01-01 10:06:00]]\n"
        "    validation: [[2024-01-01T10:04:00, '2024-01-01 10:06']]\n"
        "    test: [[2024-01-01 10:06:00, 2024-01-02]]\n"
    )
    (fold,) = cut(log_of(TEN), load_scheme(str(path)))
    assert (where(fold.train), where(fold.validation), where(fold.test)) == ([0, 1, 2, 3], [4, 5], [6, 7, 8, 9])


FOLD = "{train: [[2024-01-01, 2024-01-02]], validation: [[2024-01-01, 2024-01-02]], test: [[2024-01-03, 2024-01-04]]}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "FILE: got an empty file, expected keys with values"),
        ("folds: [\n", "FILE: is not valid YAML: "),
        (
            f"log: uci\nfolds: [{FOLD}, {{}}]\n",
            "FILE: folds.1.train is missing; FILE: folds.1.validation is missing; FIL",
        ),
        (
            "log: uci\nfolds: []\n",
            "FILE: folds: got [] (list); list should have at least 1 item after validation, not 0",
        ),
        ("log: uci\n", "FILE: folds is missing"),
        (f"folds: [{FOLD}]\n", "FILE: log is missing"),
        (
            f"log: uci\nfolds: [{FOLD.replace('test', 'tset')}]\n",
            "FILE: folds.0.test is missing; FILE: unknown key folds.0.tset; did you mean folds.0.test? allowed in "
            "folds.0: train, validation, test",
        ),
        (
            f"log: uci\nfolds: [{FOLD.replace('2024-01-03, 2024-01-04', '2024-01-03')}]\n",
            "FILE: folds.0.test.0: got [datetime.date(2024, 1, 3)] (list); list should have at least 2 items",
        ),
        *(
            (
                f"log: uci\nfolds: [{FOLD.replace('2024-01-03', wrong)}]\n",
                f"FILE: folds.0.test.0.0: got {shown}, expected a time such as '2017-12-22 15:24:00'",
            )
            for wrong, shown in [
                ("soon", "'soon'"),
                ("now", "'now'"),
                ("15", "15"),
                ("'15:24'", "'15:24'"),
                ("12/22/2017", "'12/22/2017'"),
                ("null", "None"),
                ("2024-13-01 00:00", "'2024-13-01 00:00'"),
            ]
        ),
    ],
)
def test_a_file_that_holds_no_scheme_is_refused(refusal: Callable[[str], str], content: str, said: str) -> None:
    assert refusal(content).startswith(said)


@pytest.mark.parametrize("zoned", ["'2024-01-03 10:00:00+01:00'", "2024-01-03T10:00:00Z"])
def test_a_time_with_a_zone_is_refused(refusal: Callable[[str], str], zoned: str) -> None:
    said = refusal(f"log: uci\nfolds: [{FOLD.replace('2024-01-03', zoned)}]\n")
    assert said.startswith("FILE: folds.0.test.0.0: got datetime.datetime(2024, 1, 3, 10, 0, tzinfo=")
    assert said.endswith("expected a local time without a zone")


spans = st.lists(st.tuples(st.integers(-3, 40), st.integers(1, 15)), min_size=1, max_size=2).map(
    lambda drawn: [(start, start + length) for start, length in drawn]
)


@given(spans, spans, spans)
def test_a_row_that_would_be_in_two_parts_is_refused(
    train: list[tuple[int, int]], validation: list[tuple[int, int]], test: list[tuple[int, int]]
) -> None:
    scheme = scheme_of(train=minutes(*train), validation=minutes(*validation), test=minutes(*test))
    learned, tested = ({row for span in spans for row in range(*span)} for spans in (train + validation, test))
    try:
        (fold,) = cut(log_of([0, 1] * 20), scheme)
    except InputError:
        return
    assert not learned & tested
    assert (fold.train.astype(int) + fold.validation + fold.test <= 1).all()


@given(st.lists(st.integers(0, 39), min_size=4, max_size=4, unique=True).map(sorted))
def test_each_row_is_in_its_part_and_in_no_other(moments: list[int]) -> None:
    start, validate, test, end = moments
    scheme = scheme_of(train=minutes((start, test)), validation=minutes((validate, test)), test=minutes((test, end)))
    assume(validate - start > 1)  # two labels to train on
    (fold,) = cut(log_of([0, 1] * 20), scheme)
    assert where(fold.train) == list(range(start, validate))
    assert where(fold.validation) == list(range(validate, test))
    assert where(fold.test) == list(range(test, end))


def test_a_sealed_fold_is_blank_in_its_test_rows_and_nowhere_else(uci_log: Log) -> None:
    before = uci_log.frame.copy(deep=True)
    fold = cut(uci_log, load_scheme("forward"))[1]
    sealed = fold.sealed()
    assert sealed.log.frame[fold.test].isna().all(axis=None)
    pd.testing.assert_frame_equal(sealed.log.frame[~fold.test], before[~fold.test].astype(np.float64))
    assert (sealed.train == fold.train).all()
    assert (sealed.counts(sealed.train) == fold.counts(fold.train)).all()
    pd.testing.assert_frame_equal(fold.log.frame, before)


def emptied(log: Log, row: int, column: str, before: float) -> Log:
    """Return the log with one cell empty, which the gate filled with the reading of the row before it."""
    frame, missing = log.frame.copy(), log.missing.copy()
    readings, blank = frame[column].to_numpy().copy(), missing[column].to_numpy().copy()
    readings[row - 1 : row + 1] = before
    blank[row] = True
    frame[column], missing[column] = readings, blank
    return dataclasses.replace(log, frame=frame, missing=missing)


def test_a_filled_training_cell_does_not_hold_a_test_reading(uci_log: Log) -> None:
    fold = cut(uci_log, load_scheme("blocked"))[0]
    first = int(np.flatnonzero(fold.train)[0])
    assert fold.test[first - 1]
    learned = []
    for before in (345.0, 5000.0):
        altered = emptied(uci_log, first, "S5_CO2", before)
        sealed = dataclasses.replace(fold, log=altered).sealed()
        learned.append(Features.fit(sealed.log, fold.train, "no_light"))
    assert learned[0].to_settings() == learned[1].to_settings()
    unsealed = [Features.fit(emptied(uci_log, first, "S5_CO2", x), fold.train, "no_light") for x in (345.0, 5000.0)]
    assert unsealed[0].to_settings() != unsealed[1].to_settings()  # without the seal it would leak


def test_folds_with_the_same_rows_in_the_same_parts_have_the_same_digest(uci_log: Log) -> None:
    folds = cut(uci_log, load_scheme("forward"))
    assert digest_of(folds) == digest_of(cut(uci_log, load_scheme("forward")))
    first = folds[0]
    row = np.flatnonzero(first.train)[0]
    fewer, more = first.train.copy(), first.validation.copy()
    fewer[row], more[row] = False, True
    moved = dataclasses.replace(first, train=fewer, validation=more)
    others = [digest_of(part) for part in (cut(uci_log, load_scheme("blocked")), folds[1:], [moved, *folds[1:]])]
    assert len({digest_of(folds), *others}) == 4


def test_the_final_model_learns_the_rows_of_all_folds_and_none_that_were_left_out() -> None:
    early = scheme_of(train=minutes((0, 3)), validation=minutes((2, 3)), test=minutes((3, 4))).folds[0]
    late = scheme_of(train=minutes((0, 3), (4, 6)), validation=minutes((4, 6)), test=minutes((7, 9))).folds[0]
    final = final_fold(cut(log_of(TEN), Scheme(name="own", log="minutes", folds=[early, late])))
    assert where(final.train) == [0, 1, 2, 3, 7, 8], "6 and 9 are in no part"
    assert where(final.validation) == [4, 5]
    assert where(final.test) == []
    assert final.number == 3


@pytest.mark.parametrize(
    "settings", [{"hold_counts": 300}, {"step": 60}, {"step": 60, "hold_counts": 300, "missing": "hold"}]
)
def test_nothing_of_test_rows_is_carried_into_training_rows(settings: dict[str, Any]) -> None:
    times = pd.date_range("2024-01-01 10:00", periods=40, freq="60s")
    minute = np.arange(len(times))
    read = (minute < 19) | (minute > 24)  # the sensor falls silent before the end of the test rows
    counted = minute % 3 == 1 if "hold_counts" in settings else minute >= 0
    scheme = scheme_of(train=minutes((0, 10), (20, 40)), validation=minutes((5, 8)), test=minutes((10, 20)))
    found = []
    for warmer, more in ((0, 0), (100, 2)):
        tested = (minute >= 10) & (minute < 20)
        cells = pd.DataFrame(
            {
                "time": times.strftime("%Y-%m-%d %H:%M:%S"),
                "warm": np.where(read, minute + warmer * tested, np.nan),
                "people": np.where(counted, minute % 2 + more * tested, np.nan),
            }
        )
        log = validate(cells, MINUTES, Data(source="minutes.csv", max_gap=120, **settings), "minutes")
        with warnings.catch_warnings(action="ignore", category=InputWarning):
            (fold,) = cut(log, scheme)
        sealed = fold.sealed()
        found.append((sealed.log.frame[fold.seen(fold.train)], fold.counts(fold.train)))
        if "step" in settings:
            assert not log.missing["warm"].iloc[20], "the grid carries the reading on"
        if "hold_counts" in settings:
            assert log.labelled[1:].all()
            assert where(fold.train) == [*range(1, 5), *range(22, 40)], "8, 9, 20 and 21 hold counts of other parts"
            assert where(fold.validation) == [7]
    pd.testing.assert_frame_equal(found[0][0], found[1][0])
    assert found[0][1].tolist() == found[1][1].tolist()
