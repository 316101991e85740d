from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.errors import InputError
from occupancy.execution.unit import Failure, Outcome, Scores
from occupancy.search.choice import choose_nested, choose_shared, mean_of, score_table

Outcomes = dict[tuple[int, int], Outcome]


def gave(mse: float) -> Scores:
    return Scores({"mse": mse, "mse_mean": -mse}, {"fit_s": 1.0}, 0)


BY_HAND: Outcomes = {
    (1, 1): gave(0.1),
    (2, 1): gave(0.5),
    (3, 1): gave(0.3),
    (1, 2): gave(0.9),
    (2, 2): gave(0.2),
    (3, 2): gave(0.2),
    (1, 3): gave(0.5),
    (2, 3): Failure("RuntimeError: no"),
    (3, 3): gave(0.4),
}


def test_each_fold_chooses_by_its_own_score_and_the_first_of_equals() -> None:
    table = score_table(BY_HAND, "mse")
    assert table.shape == (3, 3)
    assert table.isna().loc[2, 3]
    assert choose_nested(table, BY_HAND) == {1: 1, 2: 2, 3: 3}
    assert choose_nested(score_table(BY_HAND, "mse_mean"), BY_HAND) == {1: 2, 2: 1, 3: 1}


def test_the_shared_choice_is_the_best_mean_of_those_that_failed_nowhere() -> None:
    assert choose_shared(score_table(BY_HAND, "mse")) == 3
    assert choose_shared(score_table({**BY_HAND, (2, 3): gave(0.0)}, "mse")) == 2
    assert choose_shared(score_table({(1, 1): Failure("no"), (1, 2): gave(1.0)}, "mse")) is None


@given(st.permutations(list(BY_HAND)))
def test_the_order_in_which_trials_end_decides_nothing(order: list[tuple[int, int]]) -> None:
    table = score_table({place: BY_HAND[place] for place in order}, "mse")
    pd.testing.assert_frame_equal(table, score_table(BY_HAND, "mse"))


def test_a_fold_on_which_everything_failed_ends_the_search_with_the_first_reason() -> None:
    outcomes: Outcomes = {
        (1, 1): gave(0.1),
        (1, 2): Failure("MemoryError: full"),
        (2, 1): gave(1),
        (2, 2): gave(np.nan),
    }
    with pytest.raises(InputError, match="fold 2: none of 2 trials gave a score; the first: MemoryError: full"):
        choose_nested(score_table(outcomes, "mse"), outcomes)


def test_a_mean_over_folds_leaves_out_what_is_undefined_but_no_fold_that_failed() -> None:
    assert mean_of([gave(1.0), gave(2.0), gave(np.nan)], ["mse"]) == {"mse": 1.5}
    assert np.isnan(mean_of([gave(1.0), Failure("no")], ["mse"])["mse"])
