"""What an adaptive search proposes, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from occupancy.errors import InputError
from occupancy.search.adaptive import Adaptive
from occupancy.search.request import load_search
from occupancy.search.space import Trial
from tests.search.made_search import OVER, search_in


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Adaptive:
    """A search of forty trials a fold; nothing of it is carried out."""
    return search_in(tmp_path_factory.mktemp("wide"), trials=40, batch=8)


def led_by(method: Adaptive, score: Callable[[Trial], float], fold: int = 1) -> list[Trial]:
    """Return what a fold tries, told a score of each."""
    told: list[tuple[Trial, float]] = []
    while trials := method.propose(fold, told):
        told += [(trial, score(trial)) for trial in trials]
    return [trial for trial, _ in told]


def off(trial: Trial) -> float:
    """Return how far a setting is from the best one, in powers of ten and in sixths of the windows, squared."""
    rate, window = np.log10(trial.setting["train.learning_rate"]), trial.setting["model.window"]
    return float((rate + 3.3) ** 2 + ((window - 14) / 3) ** 2)


@settings(max_examples=settings().max_examples // 5)  # of 40 trials each
@given(st.lists(st.floats(0, 1e6) | st.just(np.nan) | st.just(np.inf), min_size=40, max_size=40))
def test_whatever_the_scores_all_proposals_lie_in_the_space_and_there_are_as_many_as_asked(
    wide: Adaptive, scores: list[float]
) -> None:
    trials = led_by(wide, lambda trial: scores[trial.number - 1])
    assert [trial.number for trial in trials] == [*range(1, 41)]
    for trial in trials:
        assert trial.setting["model.window"] in {2, 5, 8, 11, 14, 17, 20}
        assert trial.setting["model.hidden"] in OVER["model.hidden"]
        assert 1e-4 <= trial.setting["train.learning_rate"] <= 1e-1
        model: Any = trial.config.model
        told = {"model.window": model.window, "model.hidden": model.hidden}
        assert trial.setting == {**told, "train.learning_rate": trial.config.train.learning_rate}


def test_the_first_proposal_is_the_configs_own_setting_where_the_space_holds_it(tmp_path: Path) -> None:
    own = {"model.window": 5, "model.hidden": [16, 8], "train.learning_rate": 1e-2}
    assert [search_in(tmp_path).propose(fold, [])[0].setting for fold in (1, 2)] == [own, own]
    without = {**OVER, "model.window": {"low": 6, "high": 20}}
    assert search_in(tmp_path, over=without).propose(1, [])[0].setting["model.window"] >= 6


def test_equal_scores_lead_to_equal_proposals_and_other_folds_and_seeds_to_others(
    wide: Adaptive, tmp_path: Path
) -> None:
    first = [trial.setting for trial in led_by(wide, off)]
    again = search_in(tmp_path, trials=40, batch=8)
    assert [trial.setting for trial in led_by(again, off)] == first
    assert [trial.setting for trial in led_by(wide, off, fold=2)][1:8] != first[1:8]
    tree = yaml.safe_load((tmp_path / "crf.yaml").read_text())
    (tmp_path / "crf.yaml").write_text(yaml.safe_dump({**tree, "seed": 1}))
    other = load_search(tmp_path / "crf.yaml")
    assert isinstance(other, Adaptive)
    assert [trial.setting for trial in led_by(other, off)][1:8] != first[1:8]


def test_scores_lead_to_better_settings_than_chance(wide: Adaptive) -> None:
    led = [off(trial) for trial in led_by(wide, off)]
    blind = [off(trial) for trial in led_by(wide, lambda _: np.nan)]
    assert np.median(led[24:]) < 0.3 * np.median(blind)
    assert min(led) < min(blind)


def test_what_is_proposed_at_once_is_not_the_same_again_and_again(wide: Adaptive) -> None:
    trials = led_by(wide, off)
    for first in range(0, 40, 8):
        assert len({str(trial.setting) for trial in trials[first : first + 8]}) == 8


def range_of(**values: Any) -> dict[str, Any]:
    return {"over": {"model.window": values}}


MISTAKES: list[tuple[dict[str, Any], str]] = [
    (range_of(low=5, high=5), "search.over.model.window: low 5 must be less than high 5"),
    (range_of(low=0, high=5), "model.window: got 0"),
    (range_of(low=0, high=5, log=True), "over.model.window: got low 0 with log, expected a low above 0"),
    (range_of(low=1, high=8, step=2), "over.model.window: steps of 2 from low 1 do not reach high 8"),
    (range_of(low=1, high=8, step=7, log=True), "step 7 is only for whole numbers without log"),
    (range_of(low=1.0, high=8.0, step=7), "step 7 is only for whole numbers without log"),
    (range_of(low=1.5, high=8), "model.window: got 1.5"),
    (range_of(low=1), "search.over.model.window.high is missing"),
    (range_of(low=1, high=2, hihg=3), "unknown key search.over.model.window.hihg; did you mean"),
    (range_of(low="a", high=2), "over.model.window.low: got 'a'"),
    (range_of(low=1, high=5) | {"trials": 0}, "search.trials: got 0"),
    (range_of(low=1, high=5) | {"trials": None}, "search.trials: got None"),
    (range_of(low=1, high=5) | {"method": "tpe"}, "search.method: got 'tpe', expected 'grid' or 'adaptive'"),
    (range_of(low=1, high=5) | {"method": "grid"}, "over.model.window: got a range, expected a list; give a list"),
    ({"over": {"model.window": [5]}, "method": "grid"}, "trials is only for method 'adaptive'"),
    ({"over": {"model.window": 5}}, "over.model.window: got 5"),
    ({"over": {"model.window": [5, 5]}}, "over gives 5 twice for model.window"),
    (
        {"over": {"model": [{"name": "lstm"}, {"name": "bnn"}], "train.weight_decay": [0.0, 0.1]}},
        "conflicts with model bnn",
    ),
]


@pytest.mark.parametrize(("given", "text"), MISTAKES, ids=[text for _, text in MISTAKES])
def test_a_mistake_is_told_in_one_line_before_anything_starts(tmp_path: Path, given: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as caught:
        search_in(tmp_path, **given)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_range_can_be_given_on_the_command_line(tmp_path: Path) -> None:
    search_in(tmp_path)
    method = load_search(tmp_path / "crf.yaml", ["search.over.train.learning_rate={low: 1e-5, high: 1e-4, log: true}"])
    rates = {trial.setting["train.learning_rate"] for trial in method.propose(1, [])}
    assert all(1e-5 <= rate <= 1e-4 for rate in rates)
