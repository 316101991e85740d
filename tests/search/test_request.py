from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from occupancy.config import LSTM, MLPCRF
from occupancy.errors import InputError
from occupancy.search.request import load_search
from tests.places import ROOT

GRIDS = sorted((ROOT / "configs" / "grids").glob("*.yaml"))
TRIALS = {"crf": 96, "bnn": 24, "lstm_regression": 48, "lstm_classification": 48}
TRIALS |= {"lstm_regression_rate": 15, "lstm_classification_rate": 15, "lstm_regression_adaptive": 32}


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_every_shipped_search_is_valid_and_complete_in_itself(path: Path) -> None:
    grid = load_search(path)
    assert grid.trials_per_fold == TRIALS[path.stem]
    assert grid.space.config.protocol == "honest"
    given, resolved = yaml.safe_load(path.read_text()), grid.space.config.model_dump()
    assert {*given} == {"seed", "protocol", "features", "data", "model", "train", "tracking", "search"}
    assert all({*given[section]} == {*resolved[section]} for section in ("model", "train"))


def test_the_reports_searches_are_shipped_with_its_values() -> None:
    assert {path.stem for path in GRIDS} == TRIALS.keys()
    crf = load_search(ROOT / "configs" / "grids" / "crf.yaml").space.search.over
    assert crf["model.hidden"] == [[32], [64], [128], [64, 32], [128, 64], [64, 32, 16]]
    assert crf["train.learning_rate"] == [1e-3, 7e-4, 3e-4, 1e-4]
    assert crf["model.sequence"] == [10, 15, 20, 25]
    bnn = load_search(ROOT / "configs" / "grids" / "bnn.yaml").space.search.over
    assert bnn["train.learning_rate"] == [1e-2, 5e-3, 1e-3, 1e-4]


def file_of(folder: Path, search: Any, **changes: Any) -> Path:
    path = folder / "crf.yaml"
    tree = {"data": {"source": "simulated", "folds": "simulated"}, "model": {"name": "mlp_crf"}, "search": search}
    path.write_text(yaml.safe_dump({**tree, **changes}, sort_keys=False))
    return path


def over(**values: Any) -> dict[str, Any]:
    return {"over": {key.replace("_in_", "."): value for key, value in values.items()}}


def test_every_combination_of_the_listed_values_is_a_trial(tmp_path: Path) -> None:
    path = file_of(tmp_path, over(model_in_hidden=[[32], [64, 32]], train_in_learning_rate=[1e-3, 1e-4], seed=[0, 7]))
    grid = load_search(path, ["train.max_epochs=3"])
    assert [trial.number for trial in grid.samples()] == [*range(1, 9)]
    assert [tuple(trial.setting.values()) for trial in grid.samples()[:3]] == [
        ([32], 1e-3, 0),
        ([32], 1e-3, 7),
        ([32], 1e-4, 0),
    ]
    for trial in grid.samples():
        assert isinstance(trial.config.model, MLPCRF)
        told = {"model.hidden": trial.config.model.hidden, "train.learning_rate": trial.config.train.learning_rate}
        assert {**told, "seed": trial.config.seed} == trial.setting
        assert trial.config.train.max_epochs == 3
        assert trial.config.name == "crf"


def test_a_whole_section_can_be_searched_and_so_the_model(tmp_path: Path) -> None:
    grid = load_search(file_of(tmp_path, over(model=[{"name": "lstm", "window": 3}, {"name": "mlp_crf"}])))
    assert [type(trial.config.model) for trial in grid.samples()] == [LSTM, MLPCRF]


def test_what_is_searched_can_be_overridden(tmp_path: Path) -> None:
    path = file_of(tmp_path, over(model_in_window=[5, 10, 15]))
    grid = load_search(path, ["search.over.model.window=[2]", "search.over.seed=[1,2]", "search.metric=mse_mean"])
    assert [trial.setting for trial in grid.samples()] == [{"model.window": 2, "seed": seed} for seed in (1, 2)]
    assert grid.space.search.metric == "mse_mean"


MISTAKES: list[tuple[dict[str, Any], list[str], str]] = [
    (over(model_in_hiden=[[32]]), [], "crf.yaml: search.over: unknown key model.hiden; did you mean model.hidden?"),
    (over(model_in_hidden=[[32], 64]), [], "model.hidden: got 64"),
    (over(model_in_window=[5, 0]), [], "model.window: got 0"),
    (over(model_in_window=[5, 5]), [], "over gives 5 twice for model.window"),
    (over(model_in_window=[]), [], "crf.yaml: search.over.model.window: got []"),
    (over(model_in_window=5), [], "crf.yaml: search.over.model.window: got 5"),
    (over(model=[{"name": "lstm"}], model_in_window=[5]), [], "model.window and also model, which contains it"),
    (over(data_in_folds=["a", "b"]), [], "over has data.folds, which must be the same for all"),
    (over(train_in_refit=[True, False]), [], "over has train.refit"),
    (over(train_in_learning_rate_in_low=[1]), [], "'learning_rate' is a single value"),
    ({"over": {}}, [], "crf.yaml: search.over: got {}"),
    ({"ovr": {"seed": [1]}}, [], "crf.yaml: unknown key search.ovr; did you mean search.over?"),
    (over(seed=[1, 2]), ["seed=3"], "command line: seed is searched; give search.over.seed=[...]"),
    (over(seed=[1, 2]), ["protocol=report"], "protocol: got 'report', which leaves no rows to choose by"),
    (over(seed=[1, 2]), ["model.windw=3"], "command line: unknown key model.windw"),
    (over(seed=[1, 2]), ["search.metric=f1"], "command line: search.metric: got 'f1'"),
    (over(seed=[1, 2]), ["search.metrik=mse"], "command line: unknown key search.metrik; did you mean search.metric?"),
    (over(seed=[1, 2]), ["search.method=5"], "command line: search.method: got 5, expected 'grid' or 'adaptive'"),
    (over(seed=[1, 2]), ["search=5"], "command line: search: got 5 (int), expected keys with values"),
    (
        over(seed=[1, 2]),
        ["search.over.x=5"],
        "command line: search.over.x: got 5 (int), expected a valid list such as 'search.over.x=[5]', with the quotes",
    ),
    (over(seed=[1, 2]), ["search.over.x=[5]"], "command line: search.over: unknown key x; allowed in the top level:"),
    (over(seed=[1, 2]), ["search.over.model.window=[0]"], "command line: search.over: model.window: got 0"),
    (over(seed=[1, 2]), ["search.over.model.hidden=[4]"], "command line: search.over: model.hidden: got 4 (int), exp"),
    (over(seed=[-1]), ["search.metric=mse"], "crf.yaml: search.over: seed: got -1"),
    (
        over(seed=[1, 2]),
        ["search.over.seed.low=[1]"],
        "command line: search: over has seed.low and also seed, which contains it",
    ),
]


@pytest.mark.parametrize(("search", "overrides", "text"), MISTAKES, ids=[text for *_, text in MISTAKES])
def test_a_mistake_in_any_trial_is_told_before_anything_starts(
    tmp_path: Path, search: dict[str, Any], overrides: list[str], text: str
) -> None:
    changes = {"train": {"learning_rate": 1e-3}}
    with pytest.raises(InputError) as caught:
        load_search(file_of(tmp_path, search, **changes), overrides)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_config_without_a_search_is_refused() -> None:
    with pytest.raises(InputError, match=r"has no section search; add one, or train this config by `occupancy train`"):
        load_search(ROOT / "configs" / "smoke.yaml")
