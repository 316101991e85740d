"""What is found out about experiments before anything is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from occupancy.config import MassBalance, Tracking
from occupancy.errors import InputError
from occupancy.experiments.plan import plan, plan_all
from tests.experiments.made_experiments import DATA, majority


def test_features_that_the_log_lacks_are_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"features: got \['other'\], but the log 'simulated' has only co2, "):
        plan(majority(tmp_path, features=["other"]))
    assert list(tmp_path.iterdir()) == []


def test_a_mass_balance_without_co2_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"features: got \['temperature'\], but the model mass_balance needs co2"):
        plan(majority(tmp_path, features=["temperature"], model=MassBalance()))
    assert list(tmp_path.iterdir()) == []


def test_a_simulated_log_coarser_than_the_gap_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the shortest step is 120 s and data\.max_gap is 60 s"):
        plan(majority(tmp_path, data=DATA.model_copy(update={"max_gap": 60.0})))


def test_an_address_that_is_no_store_is_refused_before_the_log_is_read(tmp_path: Path) -> None:
    data = DATA.model_copy(update={"source": "none.csv"})
    with pytest.raises(InputError, match=r"^tracking\.uri: got 'ftp://host'"):
        plan(majority(tmp_path, data=data, tracking=Tracking(uri="ftp://host")))


def test_a_plan_says_on_which_rows_of_which_log_it_is_carried_out(tmp_path: Path) -> None:
    made = plan(majority(tmp_path))
    assert made.log is not None
    assert made.dataset == {"name": "simulated", "digest": made.log.digest, "rows": len(made.log.frame)}
    assert [(source.number, source.name) for source in made.sources] == [(1, "fold 1"), (2, "fold 2")]
    assert made.is_simulated
    assert made.title == "small, seed 0"
    assert list(tmp_path.iterdir()) == []


def test_experiments_on_the_same_log_share_it_and_its_folds_and_others_do_not(tmp_path: Path) -> None:
    other = DATA.model_copy(update={"max_gap": 600.0})
    one, two, three = plan_all(
        [majority(tmp_path), majority(tmp_path, "other", seed=1), majority(tmp_path, data=other)]
    )
    assert one.log is two.log
    assert one.sources is two.sources
    assert three.log is not one.log
    assert three.config.data.max_gap == 600.0


def test_if_one_of_several_experiments_is_wrong_none_is_planned(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^features: got \['other'\]"):
        plan_all([majority(tmp_path), majority(tmp_path, features=["other"])])
    assert list(tmp_path.iterdir()) == []


def test_experiments_have_the_same_key_if_nothing_that_decides_their_results_differs(tmp_path: Path) -> None:
    alike, other = [majority(tmp_path), majority(tmp_path / "elsewhere")], [majority(tmp_path, seed=1)]
    keys = [made.key for made in plan_all([*alike, *other])]
    assert keys[0] == keys[1] != keys[2]


def test_the_key_of_a_config_is_the_same_with_and_without_a_model_to_use(tmp_path: Path) -> None:
    config = majority(tmp_path)
    without = config.model_copy(update={"train": config.train.model_copy(update={"final": False})})
    assert without.has_final is False
    assert config.has_final is True
    assert without.key == config.key
