from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Ints
from occupancy.config import LSTM, Clock, Config, Logistic, RandomForest, Train
from occupancy.data.folds import Fold
from occupancy.data.log import Place
from occupancy.data.schema import UCI
from occupancy.models import make_estimator
from occupancy.models.estimator import Estimator
from occupancy.models.postprocess.out_of_fold import (
    APART_S,
    ENOUGH_DAYS,
    MAX_GROUPS,
    UNGROUPED,
    days,
    days_with_people,
    left_out,
    out_of_fold,
    pieces,
    visits,
)
from tests.models.made_visits import (
    STEP_S,
    Told,
    config_of,
    counts_of,
    everything,
    fold_of,
    garbled,
    log_of,
    simulated_fold,
    told,
)

APART_MIN = 2 * APART_S / 60


def numbers(counts: Ints, gaps: tuple[int, ...] = ()) -> list[int]:
    log = log_of(counts, gaps=gaps)
    return [int(number) for number in visits(fold_of(log), everything(log))]


def rows_of(*sizes: int) -> list[int]:
    return [number for number, size in enumerate(sizes) for _ in range(size)]


def test_visits_are_parted_in_the_middle_of_long_times_without_people() -> None:
    counts = counts_of((0, 10), (1, 30), (0, 100), (2, 30), (0, 60), (1, 5), (0, 10))
    assert numbers(counts) == rows_of(10 + 30 + 50, 50 + 30 + 30, 30 + 5 + 10)


@pytest.mark.parametrize(("minutes", "parted"), [(APART_MIN - 1, False), (APART_MIN, False), (APART_MIN + 1, True)])
def test_short_times_without_people_part_nothing(minutes: float, parted: bool) -> None:
    found = numbers(counts_of((1, 30), (0, minutes), (2, 30)))
    assert max(found) == int(parted)


def test_people_who_come_and_go_among_others_part_nothing() -> None:
    assert set(numbers(counts_of((1, 90), (2, 90), (3, 90), (1, 90)))) == {0}


def test_a_gap_parts_visits_wherever_it_is() -> None:
    assert numbers(counts_of((1, 40)), gaps=(15,)) == rows_of(15, 25)


def test_an_empty_recording_is_not_cut() -> None:
    counts = counts_of((1, 20), (0, 200), (2, 20))
    assert numbers(counts, gaps=(20, 220)) == rows_of(20, 200, 20)


def test_rows_that_are_not_asked_for_part_visits_and_belong_to_none() -> None:
    log = log_of(counts_of((1, 60)))
    asked = everything(log)
    asked[20:30] = False
    expected = np.repeat([0, UNGROUPED, 1], [20, 10, 30])
    np.testing.assert_array_equal(visits(fold_of(log), asked), expected)


def day(visits_of_day: int, people: int = 1) -> Ints:
    return counts_of(*[(0, 50.0), (people, 30.0)] * visits_of_day, (0, 50.0))


def test_each_visit_is_a_group_up_to_the_most() -> None:
    for found in range(3, MAX_GROUPS - 1):
        log = log_of(day(found))
        group = left_out(fold_of(log), everything(log))
        assert len(np.unique(group)) == found + 2  # the empty rows before all visits and after them are groups too


def test_more_visits_share_groups_whole_and_evenly() -> None:
    log = log_of(day(40))
    fold = fold_of(log)
    number, group = (function(fold, everything(log)) for function in (visits, left_out))
    assert group.max() + 1 == MAX_GROUPS
    assert all(len(np.unique(group[number == visit])) == 1 for visit in range(number.max() + 1))
    sizes = np.bincount(group)
    assert sizes.max() - sizes.min() <= np.bincount(number).max()


@pytest.mark.parametrize(
    "counts",
    [
        counts_of((1, 60), (2, 60)),
        counts_of((0, 10), (1, 60)),
        counts_of((0, 300), (1, 30)),
        counts_of((0, 300), (1, 30), (0, 300)),
        counts_of((1, 3), (0, 35)),
        counts_of((3, 30), (0, 5), (1, 5), (2, 5)),
        np.tile(counts_of((0, 3), (2, 3)), 10),
    ],
    ids=["never empty", "one visit", "a night and a visit", "in the middle", "few rows", "four", "in and out"],
)
def test_where_visits_are_too_few_the_rows_left_are_of_two_labels_all_the_same(counts: Ints) -> None:
    log = log_of(counts)
    group = left_out(fold_of(log), everything(log))
    assert 2 <= group.max() + 1 <= 4
    assert (np.diff(group) >= 0).all()  # parts in time
    for number in range(group.max() + 1):
        assert len(np.unique(counts[group != number])) >= 2


@pytest.mark.parametrize(("learned_rooms", "parts"), [([0, 1, 2], 3), ([0, 2], 2), ([1], 5)])
def test_of_many_rooms_each_is_left_out_as_a_whole(learned_rooms: list[int], parts: int) -> None:
    counts = day(3)
    log = log_of(np.tile(counts, 3), gaps=(len(counts), 2 * len(counts)))
    room = np.repeat([0, 1, 2], len(counts))
    places = [Place(str(n), n * len(counts), (n + 1) * len(counts), pd.Timedelta(0)) for n in range(3)]
    asked = np.isin(room, learned_rooms)
    group = left_out(fold_of(dataclasses.replace(log, rooms=tuple(places))), asked)
    assert (group[~asked] == UNGROUPED).all()
    assert len(np.unique(group[asked])) == parts
    if len(learned_rooms) > 1:
        assert len(set(zip(group[asked].tolist(), room[asked].tolist(), strict=True))) == parts


def test_pieces_are_the_successive_rows_of_one_group() -> None:
    log = log_of(counts_of((1, 40)), gaps=(10,))
    groups = np.repeat([0, 1, UNGROUPED, 1, 0], [10, 5, 5, 10, 10])
    found = pieces(groups, log.times, log.max_gap)
    bounds = [(0, 10), (10, 15), (20, 30), (30, 40)]
    assert [(int(piece[0]), int(piece[-1]) + 1) for piece in found] == bounds
    assert np.concatenate(found).tolist() == [*range(15), *range(20, 40)]


def learned(fold: Fold) -> Ints:
    return left_out(fold, fold.train | fold.validation)


MODELS = [Logistic(), RandomForest(trees=3), Clock(), LSTM(window=2, layers=1, hidden=2, head="classification")]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_learned_row_is_predicted_and_no_other(model: object) -> None:
    fold = simulated_fold()
    groups = learned(fold)
    probs = out_of_fold(config_of(model), fold.sealed(), groups, make_estimator)
    np.testing.assert_array_equal(np.isfinite(probs), np.repeat(~fold.test[:, None], 4, axis=1))
    np.testing.assert_allclose(probs[~fold.test].sum(axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("group", [0, 1])
def test_the_labels_of_a_visit_change_nothing_in_its_own_probabilities(model: object, group: int) -> None:
    fold = simulated_fold()
    groups = learned(fold)
    frame = fold.log.frame.copy()
    own = groups == group
    frame.loc[own, UCI.count] = 3 - frame.loc[own, UCI.count]
    other = dataclasses.replace(fold, log=dataclasses.replace(fold.log, frame=frame))
    before, after = (out_of_fold(config_of(model), each, groups, make_estimator) for each in (fold, other))
    np.testing.assert_array_equal(after[own], before[own])
    assert not np.allclose(after[~own & ~fold.test], before[~own & ~fold.test], atol=1e-6)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("features", ["no_light", "centred_physics"])
def test_test_rows_change_nothing_at_all(model: object, features: str) -> None:
    fold = simulated_fold()
    other = dataclasses.replace(fold, log=garbled(fold.log, fold.test))
    before, after = (
        out_of_fold(config_of(model, features=features), each, learned(each), make_estimator) for each in (fold, other)
    )
    np.testing.assert_array_equal(after, before)


def folds_seen(fold: Fold, groups: Ints) -> list[Fold]:
    """Return the folds that the models were trained on, group by group."""
    made: list[Told] = []

    def make(config: Config) -> Estimator:
        made.append(Told(config))
        return made[-1]

    out_of_fold(config_of(), fold, groups, make)
    return [each for model in made for each in model.folds]


@pytest.mark.parametrize("refit", [True, False])
def test_rows_left_out_are_blank_and_neither_learned_from_nor_stopped_on(refit: bool) -> None:
    counts = day(4)
    fold = fold_of(log_of(counts, told(np.full((len(counts), 4), 0.25))), slice(150, 250), slice(300, 370))
    rows = fold.train | fold.validation if refit else fold.train
    groups = left_out(fold, rows)
    seen = folds_seen(fold.sealed(), groups)
    assert len(seen) == groups.max() + 1
    for group, each in enumerate(seen):
        own = groups == group
        np.testing.assert_array_equal(each.train | each.validation, ~fold.test & ~own)
        assert not (each.train & each.validation).any()
        assert each.log.frame[own | fold.test].isna().all(axis=None)
        assert each.log.frame[~own & ~fold.test].notna().all(axis=None)
        if not own[fold.validation].all():
            np.testing.assert_array_equal(each.validation, fold.validation & ~own)


def test_where_all_validation_rows_are_left_out_the_later_half_of_the_others_chooses() -> None:
    counts = day(4)
    fold = fold_of(log_of(counts, told(np.full((len(counts), 4), 0.25))), slice(0, 20))
    groups = left_out(fold, everything(fold.log))
    first = folds_seen(fold, groups)[groups[0]]
    rest = np.flatnonzero(groups != groups[0])
    np.testing.assert_array_equal(np.flatnonzero(first.train), rest[: len(rest) // 2])
    np.testing.assert_array_equal(np.flatnonzero(first.validation), rest[len(rest) // 2 :])


def test_a_network_chooses_its_epochs_by_validation_rows_that_are_not_left_out() -> None:
    fold = simulated_fold()
    training = Train(max_epochs=2, members=1, batch_size=256, refit=False, device="cpu")
    config = config_of(LSTM(window=2, layers=1, hidden=2), train=training)
    groups = left_out(fold, fold.train)
    probs = out_of_fold(config, fold.sealed(), groups, make_estimator)
    assert np.isfinite(probs[fold.train]).all()
    assert np.isnan(probs[~fold.train]).all()


def test_the_time_that_parts_visits_is_a_time() -> None:
    every_minute = counts_of((1, 30), (0, 60), (1, 30))
    every_other = log_of(every_minute).frame[::2]
    log = dataclasses.replace(log_of(every_minute), frame=every_other)
    number = visits(fold_of(log), everything(log))
    assert number.tolist() == rows_of(30, 30)
    assert STEP_S == 60


def rhythm(number: int) -> Fold:
    """Return so many days from 00:00 on, each with two visits, the second of which ends after midnight."""
    each = [(1, 60), (0, 10 * 60), (2, 2 * 60), (0, 10 * 60), (1, 60)]
    return fold_of(log_of(counts_of(*(run for _ in range(number) for run in each))))


def test_with_days_enough_each_day_is_left_out_whole_from_its_quietest_hour_on() -> None:
    few, enough = rhythm(ENOUGH_DAYS - 1), rhythm(ENOUGH_DAYS)
    assert days_with_people(few, everything(few.log)) == ENOUGH_DAYS  # the first begins the day before
    assert days_with_people(rhythm(2), everything(rhythm(2).log)) == 3
    groups = left_out(enough, everything(enough.log))
    hours = enough.log.times.hour
    cuts = np.flatnonzero(np.diff(groups)) + 1
    assert set(hours[cuts]) == {1}, "midnight, when somebody is in, is no border"
    assert len(cuts) == ENOUGH_DAYS
    np.testing.assert_array_equal(groups, days(enough, everything(enough.log)) % MAX_GROUPS)


def test_visits_are_left_out_where_days_are_few() -> None:
    fold = rhythm(2)
    groups = left_out(fold, everything(fold.log))
    assert len(np.unique(groups)) == 5
