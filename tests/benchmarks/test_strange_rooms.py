from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.ablation import CLOCK
from benchmarks.rooms_of_weeks import open_room, rooms, write_room
from benchmarks.strange_rooms import compare, mse, trees
from occupancy.config.parsing import load_config

ROOM = next(room for room in rooms() if room.simulation.room.step_s == 600)


@pytest.fixture(autouse=True)
def _few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred take seconds for each fold."""
    few = partial(HistGradientBoostingClassifier, max_iter=3)
    monkeypatch.setattr("benchmarks.strange_rooms.HistGradientBoostingClassifier", few)


def test_a_config_is_scored_on_the_same_rows_as_the_clock() -> None:
    clock = load_config(CLOCK)
    name, by_clock, by_trees, by_config = compare(ROOM, clock, clock)
    assert name == ROOM.name
    assert by_clock == by_config > 0
    assert by_trees > 0


def test_the_score_is_over_the_test_rows_of_all_folds(tmp_path: Path) -> None:
    _, folds = open_room(write_room(ROOM, tmp_path))
    counts = np.concatenate([fold.counts(fold.test) for fold in folds])
    assert mse(folds, lambda fold: np.zeros(fold.test.sum())) == np.square(counts).mean()


def test_trees_do_not_see_the_counts_of_test_rows(tmp_path: Path) -> None:
    _, folds = open_room(write_room(ROOM, tmp_path))
    before = trees(folds[0])
    folds[0].log.frame.loc[folds[0].test, "people"] = 0
    assert (trees(folds[0]) == before).all()
