from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest

from occupancy.comparison.grouping import compare
from occupancy.comparison.groups import Comparison, LeftOut
from occupancy.errors import InputError
from occupancy.tracking.stored_runs import FoldRows, Run, Unusable
from tests.comparison.made_runs import TRUTHS, Made, make_parts


def seeds(comparison: Comparison) -> dict[str, list[str]]:
    return {group.title: [run.params["seed"] for run in group.runs] for group in comparison.groups}


def test_seeds_of_one_configuration_are_a_group_in_the_order_of_their_numbers() -> None:
    made = Made()
    for seed in (10, 2, 0):
        made.add(seed=seed)
    made.add("other", wrong=(0,))
    assert seeds(made.compare()) == {"lstm": ["0", "2", "10"], "other": ["0"]}
    assert made.compare().left_out == []


def test_of_a_seed_that_was_run_twice_the_latest_run_counts() -> None:
    made = Made()
    made.add(seed=0, wrong=(0, 1, 2))
    late = made.add(seed=0)
    made.add(seed=1)
    for runs in (made.runs, made.runs[::-1]):
        comparison = compare(runs, "forward", made.load)
        assert comparison.groups[0].runs[0] is late
        assert seeds(comparison) == {"lstm": ["0", "1"]}
        assert comparison.left_out == [LeftOut("lstm", 1, "there is a later run with seed 0")]


def test_a_protocol_makes_a_group_of_its_own() -> None:
    made = Made()
    made.add(wrong=(0,))
    made.add(protocol="report")
    assert seeds(made.compare()) == {"lstm, report": ["0"], "lstm": ["0"]}


def test_changed_configurations_of_a_name_are_told_apart_by_what_differs() -> None:
    made = Made()
    common = {"model.layers": "2", "model.hidden": "64", "train.max_epochs": "12"}
    made.add(settings={**common, "tracking.uri": "a", "train.device": "cpu"})
    made.add(settings={**common, "model.hidden": "16", "tracking.uri": "b", "train.device": "cuda"}, wrong=(0,))
    made.add("other", settings={"model.hidden": "99"}, wrong=(0, 1))
    assert list(seeds(made.compare())) == ["lstm, hidden=64", "lstm, hidden=16", "other"]


def test_a_setting_that_one_of_them_lacks_is_shown_as_missing() -> None:
    made = Made()
    made.add(settings={"model.gate": "1"})
    made.add(wrong=(0,))
    assert list(seeds(made.compare())) == ["lstm, gate=1", "lstm, gate=-"]


def test_where_what_differs_is_too_much_to_tell_the_key_tells_groups_apart() -> None:
    made = Made()
    for place in range(3):
        settings = {f"model.a{number}": "0" if place == 0 else "1" for number in range(4)}
        settings["model.z"] = str(place)
        made.add(
            settings=settings, config_key=f"abcdef{place}-rest" if place == 0 else f"{place}23456", wrong=range(place)
        )
    assert list(seeds(made.compare())) == [
        "lstm, a0=0 a1=0 a2=0",
        "lstm, a0=1 a1=1 a2=1 key=123456",
        "lstm, a0=1 a1=1 a2=1 key=223456",
    ]


def test_equal_settings_of_other_keys_are_told_apart_by_the_key() -> None:
    made = Made()
    made.add(config_key="1234567")
    made.add(config_key="7654321", wrong=(0,))
    assert list(seeds(made.compare())) == ["lstm, key=123456", "lstm, key=765432"]


def test_the_data_and_folds_of_the_latest_finished_run_on_the_scheme_are_compared() -> None:
    made = Made()
    made.add("new rows", digest="d2")
    made.add("new folds", folds_digest="f2")
    made.add("chosen")
    made.add("elsewhere", folds="blocked", digest="d2")
    made.add("broken", status="FAILED", digest="d2")
    comparison = made.compare()
    assert list(seeds(comparison)) == ["chosen"]
    assert {(out.name, out.reason) for out in comparison.left_out} == {
        ("new rows", "other data: uci, digest d2"),
        ("new folds", "other folds of the same name: digest f2"),
        ("elsewhere", "other scheme: blocked"),
        ("broken", "failed"),
    }


def test_a_stray_run_on_other_data_does_not_hide_the_runs_that_most_share() -> None:
    made = Made()
    made.add("one")
    made.add("other", wrong=(0,))
    made.add("stray", digest="d2")
    comparison = made.compare()
    assert list(seeds(comparison)) == ["one", "other"]
    assert comparison.left_out == [LeftOut("stray", 1, "other data: uci, digest d2")]


def test_the_best_is_neither_stopped_on_the_test_rows_nor_does_it_look_ahead() -> None:
    made = Made()
    made.add("stopped", protocol="report")
    made.add("ahead", wrong=(0,), causal="False")
    made.add("honest", wrong=(0, 1), causal="True")
    comparison = made.compare()
    assert list(seeds(comparison)) == ["stopped, report", "ahead, offline", "honest"]
    assert comparison.best is comparison.groups[2]
    assert comparison.groups[2].difference == 0


def test_a_model_without_epochs_stops_on_nothing_under_either_protocol() -> None:
    made = Made()
    made.add("forest", protocol="report", model="random_forest")
    comparison = made.compare()
    assert list(seeds(comparison)) == ["forest, report"]
    assert comparison.best is comparison.groups[0]


def test_runs_that_did_not_finish_are_counted_by_how_they_ended() -> None:
    made = Made()
    made.add()
    for status in ("KILLED", "KILLED", "FAILED", "RUNNING"):
        made.add(status=status)
    assert made.compare().left_out == [
        LeftOut("lstm", 2, "interrupted"),
        LeftOut("lstm", 1, "failed"),
        LeftOut("lstm", 1, "still running"),
    ]


def test_a_run_of_another_tool_is_left_out_with_what_it_lacks() -> None:
    made = Made()
    made.add()
    run = made.add("foreign")
    bare = dataclasses.replace(run, tags={"protocol": "honest", "folds": "forward"}, params={}, metrics={})
    made.runs[1] = bare
    lacking = "dataset, digest, folds_digest, model, config_key, seed, mse_avg"
    assert made.compare().left_out == [LeftOut("foreign", 1, f"the run lacks {lacking}")]


def test_without_a_run_on_the_scheme_the_error_says_what_there_is() -> None:
    made = Made()
    made.add(folds="blocked")
    made.add(folds="blocked")
    made.add(folds="./mine.yaml")
    made.add(status="KILLED")
    with pytest.raises(InputError) as caught:
        made.compare()
    assert str(caught.value) == (
        "data.folds: no finished run on 'forward'; there are 1 on './mine.yaml', 2 on 'blocked', "
        "1 that did not finish or lack tags"
    )


def test_without_any_run_the_error_says_how_to_get_one() -> None:
    with pytest.raises(InputError, match=r"^data.folds: no finished run on 'forward'; there are no runs; train models"):
        Made().compare()


def gone(made: Made, *lost: Run) -> Comparison:
    def load(run: Run) -> Sequence[FoldRows]:
        if any(run is one for one in lost):
            raise Unusable("predictions.csv of fold 2 is gone")
        return made.load(run)

    return compare(made.runs, "forward", load)


def test_a_run_whose_predictions_are_gone_is_left_out_and_an_earlier_one_of_its_seed_counts() -> None:
    made = Made()
    early = made.add()
    late = made.add()
    lost = made.add("lost")
    comparison = gone(made, late, lost)
    assert [group.runs for group in comparison.groups] == [(early,)]
    reason = "predictions.csv of fold 2 is gone"
    assert comparison.left_out == [LeftOut("lost", 1, reason), LeftOut("lstm", 1, reason)]


def test_where_no_run_can_be_used_the_error_says_why() -> None:
    made = Made()
    first, last = made.add(), made.add()
    with pytest.raises(InputError) as caught:
        gone(made, first, last)
    assert str(caught.value) == (
        f"data.folds: none of the 2 finished runs on 'forward' can be used; the latest is {last.run_id}: "
        "predictions.csv of fold 2 is gone; train again with occupancy train"
    )


def test_a_run_tested_on_other_rows_than_most_is_left_out() -> None:
    made = Made()
    made.add("one")
    made.add("two")
    made.add("short", parts=make_parts()[:1])
    moved = make_parts()
    moved[1].times[0] -= np.timedelta64(1, "s")
    made.add("moved", parts=moved)
    made.add("relabelled", parts=make_parts(truths=([0, 0, 1, 1, 2, 3], TRUTHS[1])))
    comparison = made.compare()
    assert sorted(seeds(comparison)) == ["one", "two"]
    said = {out.name: out.reason for out in comparison.left_out}
    assert said["short"] == "tested on other rows than most runs (6 rows, expected 10)"
    assert said["moved"] == said["relabelled"] == "tested on other rows than most runs (10 rows, expected 10)"


def test_of_two_sets_of_rows_as_common_the_latest_runs_counts() -> None:
    made = Made()
    made.add("early", parts=make_parts()[:1])
    made.add("late")
    for runs in (made.runs, made.runs[::-1]):
        assert list(seeds(compare(runs, "forward", made.load))) == ["late"]


def test_differences_are_those_of_the_table_and_intervals_contain_them() -> None:
    made = Made()
    for name, seed, wrong in (("good", 0, [0]), ("good", 1, [6]), ("bad", 0, [0, 1, 2, 5]), ("bad", 1, [3, 4, 9])):
        made.add(name, wrong=wrong, seed=seed)
    made.add("peeked", protocol="report")
    comparison = made.compare()
    peeked, good, bad = comparison.groups
    assert comparison.label_runs == 5
    assert (good.difference, math.isnan(good.low), math.isnan(good.high)) == (0.0, True, True)
    for group in (peeked, bad):
        assert group.difference == pytest.approx(group.mean("mse_avg") - good.mean("mse_avg"))
        assert group.low <= group.difference <= group.high
    assert bad.low < bad.high
    assert peeked.high <= 0
