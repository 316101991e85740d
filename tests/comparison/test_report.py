from __future__ import annotations

import dataclasses

import pytest

from occupancy.comparison.report import REPORT, row_of
from occupancy.tracking.stored_runs import Run

REGRESSION = {"model.name": "lstm", "model.head": "regression", "model.mc_samples": "0"}


def test_the_table_is_the_reports_final_comparison_with_the_swapped_row_read_as_meant() -> None:
    assert {key: (row.mse, row.f1_macro) for key, row in REPORT.items()} == {
        "random_forest": (0.323, 0.350),
        "mlp_crf": (0.288, 0.530),
        "bnn": (0.540, 0.480),
        "lstm_regression": (0.133, 0.659),
        "lstm_regression_mc": (0.131, 0.661),
        "lstm_classification": (0.173, 0.634),
        "lstm_classification_mc": (0.173, 0.627),
    }
    spreads = {key: (row.mse_std, row.f1_macro_std) for key, row in REPORT.items() if row.mse_std is not None}
    assert spreads == {
        "lstm_regression": (0.058, 0.196),
        "lstm_regression_mc": (0.058, 0.194),
        "lstm_classification": (0.093, 0.192),
        "lstm_classification_mc": (0.087, 0.193),
    }


@pytest.mark.parametrize(
    ("name", "params", "key"),
    [
        ("anything", REGRESSION, "lstm_regression"),
        ("lstm_regression", {**REGRESSION, "model.mc_samples": "100"}, "lstm_regression_mc"),
        ("lstm_regression", {**REGRESSION, "model.head": "classification"}, "lstm_classification"),
        ("mine", {"model.name": "bnn"}, "bnn"),
        ("bnn", {"model.name": "mixture"}, "bnn"),
        ("bnn", {}, "bnn"),
        ("majority", {"model.name": "majority"}, None),
    ],
)
def test_a_run_answers_to_the_row_of_its_models_settings_or_else_of_its_name(
    name: str, params: dict[str, str], key: str | None
) -> None:
    run = Run("id", name, "FINISHED", 1, {"dataset": "uci"}, params, {}, [])
    assert row_of(run) == key
    assert row_of(dataclasses.replace(run, tags={"dataset": "simulated"})) is None
