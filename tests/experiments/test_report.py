from __future__ import annotations

import dataclasses
import io
import json
import math
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from rich.console import Console, RenderableType

from occupancy.config import Config, Data, Tracking
from occupancy.data.folds import Fold, cut, load_scheme
from occupancy.data.table import Log
from occupancy.execution.fold import FoldResult
from occupancy.experiments import report
from occupancy.experiments.report import Outcome
from occupancy.metrics import aggregate, score
from occupancy.models.estimator import Estimator
from occupancy.prediction import from_probabilities

RUN = "0123456789abcdef0123456789abcdef"
CLASSES = 4


@pytest.fixture(scope="module")
def folds(simulated_log: Log) -> list[Fold]:
    return cut(simulated_log, load_scheme("simulated"))


@pytest.fixture(scope="module")
def outcome(simulated_log: Log, folds: list[Fold]) -> Outcome:
    """What a model that is sure of one person too many, up to three, would give."""
    results = []
    for fold in folds:
        truth = fold.counts(fold.test)
        label = np.minimum(truth + 1, CLASSES - 1)
        prediction = from_probabilities(simulated_log.times[fold.test], np.eye(CLASSES)[label][None])
        metrics = score([(prediction, truth)], simulated_log.max_gap)
        estimator = cast(Estimator, SimpleNamespace(chosen_epochs=10 + fold.number))
        results.append(FoldResult(fold, estimator, prediction, truth, metrics, 1.0, 0.1))
    parts = [(result.prediction, result.truth) for result in results]
    pooled = {f"{key}_pooled": value for key, value in score(parts, simulated_log.max_gap).items()}
    config = Config(name="trial", data=Data(source="simulated", folds="simulated"))
    metrics = {**aggregate([result.metrics for result in results]), **pooled}
    return Outcome(RUN, config, simulated_log, results, metrics)


def with_config(outcome: Outcome, **changes: Any) -> Outcome:
    return dataclasses.replace(outcome, config=outcome.config.model_copy(update=changes))


def printed(renderable: RenderableType, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable, crop=False)
    return cast(io.StringIO, console.file).getvalue()


def cells(text: str, first: str) -> list[str]:
    """Return the cells of the line that begins with a word."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [first])


def markdown_cells(line: str) -> list[str]:
    return [cell.removesuffix("&nbsp;").strip() for cell in line.replace("&nbsp; ", " ").strip("| ").split(" | ")]


def test_the_json_is_one_line_with_the_keys_of_the_design(outcome: Outcome) -> None:
    text = report.to_json(outcome)
    assert "\n" not in text
    tree = json.loads(text)
    assert list(tree) == ["run_id", "dataset", "protocol", "metrics", "folds"]
    assert tree["run_id"] == RUN
    assert tree["dataset"] == {"name": "simulated", "digest": outcome.log.digest, "rows": 7200}
    assert tree["protocol"] == "honest"
    keys = set(outcome.results[0].metrics)
    assert set(tree["metrics"]) == {f"{key}_{ending}" for key in keys for ending in ("avg", "std", "pooled")}
    for fold, result in zip(tree["folds"], outcome.results, strict=True):
        assert list(fold) == ["fold", "rows", "metrics"]
        assert (fold["fold"], fold["rows"]) == (result.fold.number, int(result.fold.test.sum()))
        assert set(fold["metrics"]) == keys


def test_the_json_holds_the_numbers_themselves(outcome: Outcome) -> None:
    tree = json.loads(report.to_json(outcome))
    errors = [np.mean(result.truth < CLASSES - 1) for result in outcome.results]
    assert [fold["metrics"]["mse"] for fold in tree["folds"]] == pytest.approx(errors)
    assert tree["metrics"]["mse_avg"] == pytest.approx(np.mean(errors))
    assert tree["metrics"]["mse_std"] == pytest.approx(np.std(errors))
    assert tree["metrics"]["mse_pooled"] == pytest.approx(np.mean(errors))  # the days are equally long


def test_what_could_not_be_computed_is_null_in_the_json_and_a_dash_in_the_tables(outcome: Outcome) -> None:
    first = dataclasses.replace(outcome.results[0], metrics={**outcome.results[0].metrics, "latency_s": math.nan})
    metrics = {**outcome.metrics, "latency_s_avg": math.nan, "nll_avg": math.inf}
    odd = dataclasses.replace(outcome, results=[first, *outcome.results[1:]], metrics=metrics)
    tree = json.loads(report.to_json(odd), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert tree["folds"][0]["metrics"]["latency_s"] is None
    assert tree["folds"][1]["metrics"]["latency_s"] is not None
    assert (tree["metrics"]["latency_s_avg"], tree["metrics"]["nll_avg"]) == (None, None)
    assert cells(printed(report.closing_table(odd)), "1")[-1] == "-"
    latency = next(line for line in report.description(odd).splitlines() if line.startswith("| latency_s"))
    assert markdown_cells(latency)[1:3] == ["**-**", "-"]


def test_the_closing_table_fits_a_plain_terminal_with_every_cell_whole(outcome: Outcome) -> None:
    metrics = {**outcome.metrics, "latency_s_std": 12_345.6}
    text = printed(report.closing_table(dataclasses.replace(outcome, metrics=metrics)))
    assert "…" not in text
    table = text.split("CAUTION")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert cells(text, "fold")[:4] == ["fold", "rows", "epochs", "mse"]
    for result in outcome.results:
        shown = [f"{result.metrics[key]:.3f}" for key in ("mse", "f1_macro")]
        assert cells(text, str(result.fold.number))[:5] == [
            str(result.fold.number),
            "1,440",
            f"1{result.fold.number}",
            *shown,
        ]
    for name, ending in (("mean", "avg"), ("std", "std")):
        assert cells(text, name)[1:3] == [f"{metrics[f'{key}_{ending}']:.3f}" for key in ("mse", "f1_macro")]
    assert cells(text, "pooled")[1:3] == ["5,760", f"{metrics['mse_pooled']:.3f}"]
    assert cells(text, "std")[-1] == "12346"


def test_squared_error_and_macro_f1_come_first(outcome: Outcome) -> None:
    assert report.SHOWN[:2] == ("mse", "f1_macro")
    rows = [markdown_cells(line)[0] for line in report.description(outcome).splitlines() if line.startswith("|")]
    assert rows[:4] == ["fold", "---", "mse", "f1_macro"]


def test_the_closing_table_says_what_was_done_on_what_and_where_the_record_is(outcome: Outcome) -> None:
    lines = printed(report.closing_table(outcome)).splitlines()
    assert lines[0].split() == ["trial", "on", "simulated,", "protocol", "honest"]
    assert f"log      simulated, 7,200 rows, digest {outcome.log.digest}" in lines
    assert f"run      {RUN} in sqlite:///mlflow.db" in lines
    assert any("`python -m occupancy.ui tracking.uri=sqlite:///mlflow.db`" in line for line in lines)


def test_a_long_address_is_not_broken_over_lines(outcome: Outcome) -> None:
    uri = f"sqlite:////{'long/' * 30}mlflow.db"
    text = printed(report.closing_table(with_config(outcome, tracking=Tracking(uri=uri))))
    assert f"run      {RUN} in {uri}\n" in text
    assert f"`python -m occupancy.ui tracking.uri={uri}`" in text


def test_the_record_on_a_server_is_opened_by_the_same_command(outcome: Outcome) -> None:
    served = with_config(outcome, tracking=Tracking(uri="http://host:5000"))
    assert "look     `python -m occupancy.ui tracking.uri=http://host:5000`" in printed(report.closing_table(served))


def test_a_name_in_square_brackets_is_shown_and_not_obeyed(outcome: Outcome) -> None:
    assert printed(report.closing_table(with_config(outcome, name="[red]"))).startswith("[red] on simulated")


def test_simulated_logs_and_the_report_protocol_come_with_a_caution(outcome: Outcome) -> None:
    def cautions(told: Outcome) -> list[str]:
        return [line for line in printed(report.closing_table(told)).splitlines() if "CAUTION" in line]

    real = dataclasses.replace(outcome, log=dataclasses.replace(outcome.log, name="uci", family="uci"))
    simulated = "CAUTION  the log is simulated: these figures say nothing about a real room"
    reported = "CAUTION  protocol report stops early on the test rows: these figures are optimistic"
    assert cautions(real) == []
    assert cautions(outcome) == [simulated]
    assert cautions(with_config(real, protocol="report")) == [reported]
    assert cautions(with_config(outcome, protocol="report")) == [reported, simulated]


def test_the_description_says_what_was_done_on_what_in_markdown(outcome: Outcome) -> None:
    lines = report.description(with_config(outcome, protocol="report")).splitlines()
    assert lines[0] == (
        "trial: lstm, protocol **report**, folds **simulated**, "
        f"log **simulated** (7,200 rows, digest `{outcome.log.digest}`)."
    )
    heading, rule, *rows = map(markdown_cells, lines[2:])
    assert heading == ["fold", "mean", "1", "2", "3", "4"]
    assert {len(row) for row in (heading, rule, *rows)} == {6}, "a row has another number of cells"
    folds = [f"{result.metrics['mse']:.3f}" for result in outcome.results]
    assert rows[0] == ["mse", f"**{outcome.metrics['mse_avg']:.3f}**", *folds]
    assert rows[-1] == ["test rows", "", *["1,440"] * 4]


def test_the_rows_of_the_folds_count_each_part_and_its_labels(outcome: Outcome, folds: list[Fold]) -> None:
    rows = report.fold_rows(folds, CLASSES)
    assert [(row["fold"], row["part"]) for row in rows] == [
        (fold, part) for fold in (1, 2, 3, 4) for part in ("train", "validation", "test")
    ]
    counts = outcome.log.frame[outcome.log.schema.count]
    for row in rows:
        mask = getattr(folds[row["fold"] - 1], row["part"])
        assert row["rows"] == mask.sum() == sum(row["labels"])
        assert row["labels"] == [int((counts[mask] == label).sum()) for label in range(CLASSES)]
    assert (rows[2]["first"], rows[2]["last"]) == ("2024-01-02 00:00:00", "2024-01-02 23:59:00")


def test_the_fold_table_fits_a_plain_terminal_with_every_cell_whole(folds: list[Fold]) -> None:
    text = printed(report.fold_table(folds, CLASSES))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    lines = [line.split() for line in text.splitlines()]
    for row in report.fold_rows(folds, CLASSES):
        numbers = [f"{number:,}" for number in (row["rows"], *row["labels"])]
        at = lines.index([str(row["fold"]), row["part"], *numbers, *row["first"].split()])
        assert lines[at + 1] == row["last"].split()


def test_the_plan_is_one_line_of_json_with_config_dataset_and_folds(outcome: Outcome, folds: list[Fold]) -> None:
    text = report.plan_json(outcome.config, outcome.log, folds)
    assert "\n" not in text
    tree = json.loads(text)
    assert list(tree) == ["config", "dataset", "folds"]
    assert Config.model_validate(tree["config"]) == outcome.config
    assert tree["dataset"]["digest"] == outcome.log.digest
    assert tree["folds"] == report.fold_rows(folds, CLASSES)


def test_the_digest_that_is_told_changes_with_the_log(outcome: Outcome, folds: list[Fold]) -> None:
    other = dataclasses.replace(outcome.log, frame=outcome.log.frame.assign(S1_Temp=20.0))
    assert other.digest != outcome.log.digest
    assert other.digest in report.plan_json(outcome.config, other, folds)
