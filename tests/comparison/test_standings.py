from __future__ import annotations

import csv
import io
import json
import math

import pytest

from occupancy.comparison import standings
from occupancy.comparison.groups import Comparison
from tests.comparison.made_runs import Made

LSTM = {"model.name": "lstm", "model.head": "regression"}


@pytest.fixture
def comparison() -> Comparison:
    made = Made()
    made.add("lstm", wrong=(0,), settings=LSTM)
    made.add("lstm", wrong=(0, 6), seed=1, settings=LSTM)
    made.add("clock, simple", wrong=(0, 1, 2), settings={"model.name": "clock"})
    made.add("old", folds="blocked")
    return made.compare()


def test_json_is_one_line_with_the_groups_in_the_order_of_the_table(comparison: Comparison) -> None:
    text = standings.to_json(comparison, with_report=False)
    assert "\n" not in text
    told = json.loads(text)
    models = told.pop("models")
    assert told == {
        "scheme": "forward",
        "folds_digest": "f1",
        "dataset": {"name": "uci", "digest": "d1"},
        "folds": [{"fold": 1, "rows": 6}, {"fold": 2, "rows": 4}],
        "test_rows": 10,
        "label_runs": 5,
        "draws": 10_000,
        "best": 0,
        "left_out": [{"name": "old", "runs": 1, "reason": "other scheme: blocked"}],
    }
    assert [model["model"] for model in models] == ["lstm", "clock, simple"]
    for model, group in zip(models, comparison.groups, strict=True):
        assert model["mse"] == group.mean("mse_avg")
        assert model["mse_above_best"] == group.difference
        assert model["run_ids"] == [run.run_id for run in group.runs]
        assert model["test_rows"] == 10
    assert models[0]["seeds"] == [0, 1]
    assert models[0]["mse_std_seeds"] == comparison.groups[0].spread("mse_avg")
    assert models[0]["mse_above_best_low"] is models[0]["coverage_90"] is models[1]["mse_std_seeds"] is None
    assert models[1]["mse_above_best_low"] == comparison.groups[1].low


def test_without_an_honest_group_json_names_no_best() -> None:
    made = Made()
    made.add(protocol="report")
    told = json.loads(standings.to_json(made.compare(), with_report=False))
    assert told["best"] is told["models"][0]["mse_above_best"] is None


@pytest.mark.parametrize("with_report", [False, True])
def test_csv_holds_what_json_holds(comparison: Comparison, with_report: bool) -> None:
    models = json.loads(standings.to_json(comparison, with_report))["models"]
    lines = list(csv.DictReader(io.StringIO(standings.to_csv(comparison, with_report))))
    assert len(lines) == len(models) == 2
    for line, model in zip(lines, models, strict=True):
        assert line.keys() == model.keys()
        for key, value in model.items():
            if value is None:
                assert line[key] == ""
            elif isinstance(value, list):
                assert line[key].split() == [str(one) for one in value]
            elif isinstance(value, bool):
                assert line[key] == str(value)
            else:
                assert type(value)(line[key]) == value


def test_the_reports_figures_are_told_on_request_alone(comparison: Comparison) -> None:
    assert "report_mse" not in json.loads(standings.to_json(comparison, with_report=False))["models"][0]
    ours, other = json.loads(standings.to_json(comparison, with_report=True))["models"]
    assert (ours["report_row"], ours["report_mse"], ours["report_f1_macro"]) == ("lstm_regression", 0.133, 0.659)
    assert ours["mse_above_report"] == pytest.approx(ours["mse"] - 0.133)
    assert ours["f1_macro_above_report"] == pytest.approx(ours["f1_macro"] - 0.659)
    assert ours["f1_macro_all_above_report"] is None  # these runs did not record it
    keys = ("report_row", "report_mse", "report_f1_macro", "mse_above_report", "f1_macro_above_report")
    assert [other[key] for key in keys] == [None] * 5


def test_a_std_over_folds_is_that_of_one_training_averaged_over_seeds(comparison: Comparison) -> None:
    group = comparison.groups[0]
    stds = [run.metrics["mse_std"] for run in group.runs]
    assert stds[0] != stds[1]
    assert standings.values(group)["mse_std_folds"] == pytest.approx(sum(stds) / 2)
    assert not math.isnan(standings.values(group)["fit_s"])
