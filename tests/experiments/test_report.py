from __future__ import annotations

import dataclasses
import io
import json
import math
from typing import Any, cast

import numpy as np
import pytest
from rich.console import Console, RenderableType

from occupancy.arrays import Ints, Rows
from occupancy.config import Calibration, Clock, Config, Data, Logistic, Majority, Mixture, Tracking, Train
from occupancy.data.folds import Fold, cut, digest_of, load_scheme
from occupancy.data.log import Log
from occupancy.experiments import report
from occupancy.experiments.plan import Plan
from occupancy.experiments.result import FoldScores, Result
from occupancy.metrics import aggregate, score
from occupancy.prediction import from_probabilities

RUN = "0123456789abcdef0123456789abcdef"
CLASSES = 4
MADE = {"mse_nobody": 3.0, "mse_shares": 2.0, "nll_shares": 1.25, "mse_clock": 1.5, "nll_clock": 0.75}
"""Scores of references that are worse than the model."""
SKILL = {"skill_nobody": 0.7, "skill_clock": 0.4}


@pytest.fixture(scope="module")
def folds(simulated_log: Log) -> list[Fold]:
    return cut(simulated_log, load_scheme("simulated"))


@pytest.fixture(scope="module")
def truths(folds: list[Fold]) -> list[Ints]:
    return [fold.counts(fold.test) for fold in folds]


def plan_of(log: Log, folds: list[Fold]) -> Plan:
    config = Config(name="trial", data=Data(source="simulated", folds="simulated"))
    dataset = {"name": log.name, "digest": log.digest, "rows": len(log.frame)}
    return Plan(config, dataset, folds, digest_of(folds), log)


@pytest.fixture(scope="module")
def result(simulated_log: Log, folds: list[Fold], truths: list[Ints]) -> Result:
    """What a model that is sure of one person too many, up to three, would give."""
    scores, parts = [], []
    for fold, truth in zip(folds, truths, strict=True):
        label = np.minimum(truth + 1, CLASSES - 1)
        parts.append((from_probabilities(simulated_log.times[fold.test], np.eye(CLASSES)[label][None]), truth))
        metrics = {**score(parts[-1:], simulated_log.max_gap), **MADE, **SKILL}
        scores.append(FoldScores(fold.number, len(truth), 10 + fold.number, metrics))
    whole = {**score(parts, simulated_log.max_gap), **MADE, **SKILL}
    pooled = {f"{key}_pooled": value for key, value in whole.items()}
    metrics = {**aggregate([dict(fold.metrics) for fold in scores]), **pooled}
    planned = plan_of(simulated_log, folds)
    return Result(RUN, planned, metrics, len(simulated_log.frame), scores, model="occupancy-trial@current")


def with_plan(result: Result, **changes: Any) -> Result:
    return dataclasses.replace(result, plan=dataclasses.replace(result.plan, **changes))


def with_config(result: Result, **changes: Any) -> Result:
    return with_plan(result, config=result.plan.config.model_copy(update=changes))


def digest_told(result: Result) -> str:
    return str(result.plan.dataset["digest"])


def printed(renderable: RenderableType, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable, crop=False)
    return cast(io.StringIO, console.file).getvalue()


def cells(text: str, first: str) -> list[str]:
    """Return the cells of the line that begins with a word."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [first])


def markdown_cells(line: str) -> list[str]:
    return [cell.removesuffix("&nbsp;").strip() for cell in line.replace("&nbsp; ", " ").strip("| ").split(" | ")]


def test_the_json_is_one_line_with_the_keys_of_the_design(result: Result) -> None:
    text = report.to_json(result)
    assert "\n" not in text
    tree = json.loads(text)
    assert list(tree) == ["run_id", "dataset", "protocol", "metrics", "folds", "model"]
    assert tree["run_id"] == RUN
    assert tree["dataset"] == {"name": "simulated", "digest": digest_told(result), "rows": 7200}
    assert tree["model"] == "occupancy-trial@current"
    assert tree["protocol"] == "honest"
    keys = set(result.folds[0].metrics)
    assert set(tree["metrics"]) == {f"{key}_{ending}" for key in keys for ending in ("avg", "std", "pooled")}
    for told, fold in zip(tree["folds"], result.plan.folds, strict=True):
        assert list(told) == ["fold", "rows", "metrics"]
        assert (told["fold"], told["rows"]) == (fold.number, int(fold.test.sum()))
        assert set(told["metrics"]) == keys


def test_the_json_holds_the_numbers_themselves(result: Result, truths: list[Ints]) -> None:
    tree = json.loads(report.to_json(result))
    errors = [np.mean(truth < CLASSES - 1) for truth in truths]
    assert [fold["metrics"]["mse"] for fold in tree["folds"]] == pytest.approx(errors)
    assert tree["metrics"]["mse_avg"] == pytest.approx(np.mean(errors))
    assert tree["metrics"]["mse_std"] == pytest.approx(np.std(errors))
    assert tree["metrics"]["mse_pooled"] == pytest.approx(np.mean(errors))  # the days are equally long


def test_what_could_not_be_computed_is_null_in_the_json_and_a_dash_in_the_tables(result: Result) -> None:
    first = dataclasses.replace(result.folds[0], metrics={**result.folds[0].metrics, "latency_s": math.nan})
    metrics = {**result.metrics, "latency_s_avg": math.nan, "nll_avg": math.inf}
    odd = dataclasses.replace(result, folds=[first, *result.folds[1:]], metrics=metrics)
    tree = json.loads(report.to_json(odd), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert tree["folds"][0]["metrics"]["latency_s"] is None
    assert tree["folds"][1]["metrics"]["latency_s"] is not None
    assert (tree["metrics"]["latency_s_avg"], tree["metrics"]["nll_avg"]) == (None, None)
    assert cells(printed(report.closing_table(odd)), "1")[-1] == "-"
    latency = next(line for line in report.description(odd).splitlines() if line.startswith("| latency_s"))
    assert markdown_cells(latency)[1:3] == ["**-**", "-"]


def test_the_closing_table_fits_a_plain_terminal_with_every_cell_whole(result: Result) -> None:
    metrics = {**result.metrics, "latency_s_std": 12_345.6}
    text = printed(report.closing_table(dataclasses.replace(result, metrics=metrics)))
    assert "…" not in text
    table = text.split("CAUTION")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert cells(text, "fold")[:4] == ["fold", "rows", "epochs", "mse"]
    for fold in result.folds:
        shown = [f"{fold.metrics[key]:.3f}" for key in ("mse", "f1_macro")]
        number = str(fold.number)
        assert cells(text, number)[:5] == [number, "1,440", f"1{number}", *shown]
    for name, ending in (("mean", "avg"), ("std", "std")):
        assert cells(text, name)[1:3] == [f"{metrics[f'{key}_{ending}']:.3f}" for key in ("mse", "f1_macro")]
    assert cells(text, "pooled")[1:3] == ["5,760", f"{metrics['mse_pooled']:.3f}"]
    assert cells(text, "std")[-1] == "12346"


def test_squared_error_and_macro_f1_come_first(result: Result) -> None:
    assert report.SHOWN[:2] == ("mse", "f1_macro")
    rows = [markdown_cells(line)[0] for line in report.description(result).splitlines() if line.startswith("|")]
    assert rows[:4] == ["fold", "---", "mse", "f1_macro"]


def test_the_closing_table_says_what_was_done_on_what_and_where_the_record_is(result: Result) -> None:
    lines = printed(report.closing_table(result)).splitlines()
    assert lines[0].split() == ["trial", "on", "simulated,", "protocol", "honest"]
    assert f"log      simulated, 7,200 rows, digest {digest_told(result)}" in lines
    unused = "S1_Light, S2_Light, S3_Light, S4_Light, S5_CO2_Slope"
    assert f"unused   {unused}: {result.plan.config.model.name} does not read them" in lines
    assert f"run      {RUN} in sqlite:///mlflow.db" in lines
    assert "look     occupancy ui" in lines
    assert "use      occupancy predict --model occupancy-trial@current --csv my_sensors.csv" in lines


def test_a_model_that_is_not_registered_is_used_by_its_run_and_what_is_not_there_by_nothing(result: Result) -> None:
    def use(told: Result) -> list[str]:
        return [line for line in report.closing_lines(told) if line.startswith("use ")]

    by_run = f"use      occupancy predict --run {RUN} --csv my_sensors.csv"
    assert use(dataclasses.replace(result, model=None)) == [by_run]
    assert use(with_config(dataclasses.replace(result, model=None), train=Train(final=False))) == []
    assert use(with_config(dataclasses.replace(result, model=None), protocol="report")) == []


def test_a_model_without_epochs_has_no_column_for_them(result: Result) -> None:
    folds = [dataclasses.replace(fold, epochs=0) for fold in result.folds]
    text = printed(report.closing_table(dataclasses.replace(result, folds=folds)))
    assert cells(text, "fold")[:3] == ["fold", "rows", "mse"]
    assert cells(text, "1")[1:3] == ["1,440", f"{folds[0].metrics['mse']:.3f}"]


def test_a_long_address_is_not_broken_over_lines(result: Result) -> None:
    uri = f"sqlite:////{'long/' * 30}mlflow.db"
    text = printed(report.closing_table(with_config(result, tracking=Tracking(uri=uri))))
    assert f"run      {RUN} in {uri}\n" in text
    assert f"look     occupancy ui tracking.uri={uri}\n" in text
    assert f" --csv my_sensors.csv tracking.uri={uri}\n" in text


def test_the_record_on_a_server_is_opened_by_the_same_command(result: Result) -> None:
    served = with_config(result, tracking=Tracking(uri="http://host:5000"))
    assert "look     occupancy ui tracking.uri=http://host:5000\n" in printed(report.closing_table(served))


def test_a_name_in_square_brackets_is_shown_and_not_obeyed(result: Result) -> None:
    assert printed(report.closing_table(with_config(result, name="[red]"))).startswith("[red] on simulated")


def test_simulated_logs_and_the_report_protocol_come_with_a_caution(result: Result) -> None:
    def cautions(told: Result) -> list[str]:
        return [line for line in printed(report.closing_table(told)).splitlines() if "CAUTION" in line]

    assert result.plan.log is not None
    real = with_plan(result, log=dataclasses.replace(result.plan.log, name="uci", family="uci"))
    simulated = "CAUTION  the log is simulated: these figures say nothing about a real room"
    reported = "CAUTION  protocol report stops early on the test rows: these figures are optimistic"
    assert cautions(real) == []
    assert cautions(result) == [simulated]
    assert cautions(with_config(real, protocol="report")) == [reported]
    assert cautions(with_config(result, protocol="report")) == [reported, simulated]


def test_members_that_wait_for_days_with_people_are_named_with_the_folds_without_them(result: Result) -> None:
    def waiting(rhythm_days: int, **changes: Any) -> list[str]:
        model = Mixture(members=[Majority(), Clock(), Logistic(hour=True)], rhythm_days=rhythm_days)
        lines = report.closing_lines(with_config(result, model=model, **changes))
        return [line for line in lines if line.startswith("waiting")]

    log = result.plan.log
    assert log is not None

    def days(rows: Rows) -> int:
        return len({time.date() for time in log.times[rows & (log.frame[log.schema.count] > 0).to_numpy()]})

    per_fold = [days(fold.train | fold.validation) for fold in result.plan.folds]
    whole = days(np.logical_or.reduce([fold.train | fold.validation | fold.test for fold in result.plan.folds]))
    most, told = max(per_fold), "waiting  clock, logistic need {} days with people: "
    without = [str(fold.number) for fold, known in zip(result.plan.folds, per_fold, strict=True) if known < most]
    assert without
    assert most < whole, "the folds have fewer days than the model to use, and not the same"
    where = f"fold{'s' if len(without) > 1 else ''} {', '.join(without)}"
    assert waiting(most) == [f"{told.format(most)}not in {where}"]
    assert waiting(whole) == [f"{told.format(whole)}only in the model to use"]
    assert waiting(min(per_fold)) == []
    assert waiting(whole + 1) == [f"{told.format(whole + 1)}not in any model"]
    assert waiting(most + 1, train=Train(final=False)) == [f"{told.format(most + 1)}not in any model"]


def test_the_references_stand_below_the_pooled_scores_in_the_columns_of_theirs(result: Result) -> None:
    lines = printed(report.closing_table(result)).splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.split()[:1] == ["pooled"]]
    assert [line.split() for line in lines[at + 2 : at + 5]] == [
        *(["nobody", "3.000"], ["shares", "2.000", "1.250"], ["clock", "1.500", "0.750"]),
    ]
    nll = f"{result.metrics['nll_pooled']:.3f}"
    edge = lines[at].rindex(nll) + len(nll)
    assert all(len(line.rstrip()) == edge for line in lines[at + 3 : at + 5])


def test_a_model_that_does_not_beat_a_reference_comes_with_a_caution_and_a_reference_without_one(
    result: Result,
) -> None:
    def cautions(told: Result, **changes: float) -> list[str]:
        metrics = {**told.metrics, "mse_pooled": 1.0, **{f"{key}_pooled": value for key, value in changes.items()}}
        return [
            line for line in report.closing_lines(dataclasses.replace(told, metrics=metrics)) if "sensors of" in line
        ]

    less = "CAUTION  trial: the sensors of this room tell less than"
    assert cautions(result) == []
    assert cautions(result, mse_clock=1.0) == [f"{less} the clock"], "to be as good is not enough"
    assert cautions(result, mse_clock=0.9, mse_shares=0.8) == [f"{less} the label shares", f"{less} the clock"]
    assert cautions(result, mse_nobody=0.5) == [f"{less} counting nobody"]
    assert cautions(result, mse_clock=math.nan) == [], "a log without a step has no clock"
    for model in (Clock(), Majority()):
        assert cautions(with_config(result, model=model), mse_clock=0.9, mse_shares=0.8, mse_nobody=0.5) == []
    assert all(len(line) <= 80 for line in cautions(result, mse_clock=0.9, mse_shares=0.8, mse_nobody=0.5))


@pytest.mark.parametrize(("found", "is_told"), [(0.074, False), (0.076, True)])
def test_answered_rows_with_half_as_much_error_again_as_was_asked_for_are_a_caution(
    result: Result, found: float, is_told: bool
) -> None:
    metrics = {**result.metrics, "mse_answered_pooled": found, "answered_pooled": 0.781}
    told = dataclasses.replace(with_config(result, calibration=Calibration(answered_mse=0.05)), metrics=metrics)
    line = f"CAUTION  answered_mse: asked for 0.05, got {found:.3f} in the 78% of rows answered"
    assert (line in report.closing_lines(told)) == is_told
    assert (line in report.description(told)) == is_told
    bare = dataclasses.replace(told, plan=result.plan)
    assert not any("answered_mse" in each for each in report.closing_lines(bare)), "nothing was asked for"
    assert len(line) <= 80


def test_the_page_of_the_run_has_the_references_and_the_caution(result: Result) -> None:
    lines = report.description(result).splitlines()
    assert not any("CAUTION" in line for line in lines)
    rows = {cells[0]: cells[1:] for cells in map(markdown_cells, lines) if len(cells) == 6}
    assert rows["mse_clock"] == ["**1.500**", *["1.500"] * 4]
    assert "skill_clock" not in rows, "too wide for a phone"
    worse = dataclasses.replace(result, metrics={**result.metrics, "mse_clock_pooled": 0.1})
    told = report.description(worse).splitlines()
    assert told[2:4] == ["CAUTION  trial: the sensors of this room tell less than the clock", ""]
    assert told[4:] == lines[2:]


def test_the_description_says_what_was_done_on_what_in_markdown(result: Result) -> None:
    lines = report.description(with_config(result, protocol="report")).splitlines()
    assert lines[0] == (
        "trial: lstm, protocol **report**, folds **simulated**, "
        f"log **simulated** (7,200 rows, digest `{digest_told(result)}`)."
    )
    heading, rule, *rows = map(markdown_cells, lines[2:])
    assert heading == ["fold", "mean", "1", "2", "3", "4"]
    assert {len(row) for row in (heading, rule, *rows)} == {6}, "a row has another number of cells"
    folds = [f"{fold.metrics['mse']:.3f}" for fold in result.folds]
    assert rows[0] == ["mse", f"**{result.metrics['mse_avg']:.3f}**", *folds]
    assert rows[-1] == ["test rows", "", *["1,440"] * 4]


def test_the_rows_of_the_folds_count_each_part_and_its_labels(folds: list[Fold]) -> None:
    rows = report.fold_rows(folds, CLASSES)
    assert [(row["fold"], row["part"]) for row in rows] == [
        (fold, part) for fold in (1, 2, 3, 4) for part in ("train", "validation", "test")
    ]
    counts = folds[0].log.frame[folds[0].log.schema.count]
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


def test_the_fold_table_of_a_hall_has_ranges_of_labels(folds: list[Fold]) -> None:
    text = printed(report.fold_table(folds, 201))
    assert max(map(len, text.splitlines())) <= 80
    assert "0-49" in text
    assert "151-200" in text
    train = report.fold_rows(folds, 201)[0]
    cells = next(line.split() for line in text.splitlines() if line.split()[:2] == ["1", "train"])
    assert cells[2:4] == [f"{train['rows']:,}", f"{train['rows']:,}"]  # at most three people are in the first range


def test_the_plan_is_told_with_config_dataset_and_folds_as_json_has_them(result: Result, folds: list[Fold]) -> None:
    tree = json.loads(json.dumps(report.plan_tree(result.plan), allow_nan=False))
    assert list(tree) == ["config", "dataset", "folds"]
    assert Config.model_validate(tree["config"]) == result.plan.config
    assert tree["dataset"] == {"name": "simulated", "digest": digest_told(result), "rows": 7200}
    assert tree["folds"] == report.fold_rows(folds, CLASSES)


def test_the_digest_that_is_told_changes_with_the_log(result: Result, folds: list[Fold]) -> None:
    log = folds[0].log
    other = dataclasses.replace(log, frame=log.frame.assign(S1_Temp=20.0))
    assert other.digest != log.digest
    assert report.plan_tree(plan_of(other, folds))["dataset"]["digest"] == other.digest
    assert other.digest in printed(report.closing_table(with_plan(result, dataset=plan_of(other, folds).dataset)))
