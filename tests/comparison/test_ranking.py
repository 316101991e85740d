from __future__ import annotations

import pytest

from occupancy.cli.format import shown
from occupancy.comparison import ranking, standings
from occupancy.comparison.groups import Comparison
from occupancy.tracking.stored_runs import Run
from tests.comparison.made_runs import Made, make_parts
from tests.places import ROOT

LSTM = {"model.name": "lstm", "model.head": "regression"}


@pytest.fixture
def made() -> Made:
    made = Made()
    made.add("lstm", wrong=(0,), settings=LSTM)
    made.add("lstm", wrong=(0, 6), seed=1, settings=LSTM)
    made.add("clock", wrong=(0, 1, 2), settings={"model.name": "clock"})
    made.add("lstm", wrong=(5,), protocol="report", settings=LSTM)
    return made


def cells(table: ranking.Table) -> list[dict[str, str]]:
    headings = [" ".join(heading).strip() for heading in table.headings]
    return [dict(zip(headings, row, strict=True)) for row in table.rows]


def table(comparison: Comparison) -> list[dict[str, str]]:
    return cells(ranking.table(comparison))


def test_a_row_tells_the_same_as_the_values_for_scripts(made: Made) -> None:
    comparison = made.compare()
    for row, group in zip(table(comparison), comparison.groups, strict=True):
        values = standings.values(group)
        assert row["MSE ±seeds"].splitlines()[0] == shown(values["mse"])
        assert row["MSE ±folds"] == f"±{shown(values['mse_std_folds'])}"
        assert row["macro F1"].splitlines()[0] == shown(values["f1_macro"])
        assert row["NLL"] == "0.250"
        assert row["cover 90 %"] == row["pooled F1"] == "-"
        assert (row["fit s"], row["µs per row"], row["parameters"]) == ("12.500", "346", "12,345")
        assert row["seeds"] == str(len(group.runs))


def test_the_smallest_mse_comes_first_with_its_spread_over_seeds_below(made: Made) -> None:
    comparison = made.compare()
    rows = table(comparison)
    assert [row["model"] for row in rows] == ["lstm\n(report, optimistic)", "lstm", "clock"]
    assert ranking.table(comparison).kinds == ["report", "best", "honest"]
    spread = shown(comparison.groups[1].spread("mse_avg"))
    assert [row["MSE ±seeds"].splitlines()[1] for row in rows] == ["-", f"±{spread}", "-"]


def test_a_difference_has_a_sign_and_its_interval_below(made: Made) -> None:
    comparison = made.compare()
    peeked, best, clock = (row["MSE above best 95 % interval"] for row in table(comparison))
    assert best == "best"
    group = comparison.groups[2]
    assert clock == f"+{group.difference:.3f}\n{group.low:+.3f}..{group.high:+.3f}"
    assert peeked.startswith("-0.")


def test_a_variant_stands_below_the_name() -> None:
    made = Made()
    made.add(settings={"model.layers": "2"})
    made.add(settings={"model.layers": "3"}, wrong=(0,))
    assert [row["model setting"] for row in table(made.compare())] == ["lstm\nlayers=2", "lstm\nlayers=3"]


def test_what_is_the_same_for_all_models_has_no_column_and_no_line(made: Made) -> None:
    alone = Made()
    alone.add()
    alone.add("clock", wrong=(0,))
    found = ranking.table(alone.compare())
    assert [" ".join(heading).strip() for heading in found.headings[: found.scores]] == [
        *("model", "MSE", "MSE ±folds", "macro F1", "pooled F1", "NLL", "cover 90 %", "MSE above best 95 % interval"),
    ]
    assert [row[:2] for row in found.rows] == [["lstm", "0.000"], ["clock", "0.083"]]
    assert ranking.facts(alone.compare()).endswith("10 test rows, 1 seed each")
    assert {"seeds", "MSE ±seeds"} <= set(table(made.compare())[0])


def test_the_notes_say_how_few_label_runs_there_are_and_that_report_runs_are_optimistic(made: Made) -> None:
    notes = ranking.notes(made.compare())
    assert sum(note.startswith("CAUTION") for note in notes) == 1
    assert "CAUTION: protocol report stops early on the test rows, so its scores are optimistic." in notes
    (interval,) = [note for note in notes if note.startswith("MSE above best")]
    assert "difference from 'lstm', averaged over folds" in interval
    assert "10,000 bootstrap draws of the 5 label runs" in interval
    assert "With 5 runs the interval is rough and rather too narrow" in interval
    assert any(note.startswith("All folds of a model use the same settings") for note in notes)


def test_what_does_not_hold_is_not_said() -> None:
    made = Made()
    made.add(selection="nested")
    notes = ranking.notes(made.compare())
    assert not any("optimistic" in note or "CAUTION" in note for note in notes)


@pytest.mark.parametrize("tags", [{"protocol": "report"}, {"causal": "False"}])
def test_without_a_model_that_can_be_the_best_the_notes_say_why(tags: dict[str, str]) -> None:
    made = Made()
    made.add(**tags)  # type: ignore[arg-type]
    notes = ranking.notes(made.compare())
    assert "There is no best model to compare with: each model is offline or was stopped on the test rows." in notes
    assert not any(note.startswith("MSE above best") for note in notes)
    assert table(made.compare())[0]["MSE above best 95 % interval"] == "-"


def test_a_single_label_run_gives_no_interval() -> None:
    made = Made()
    for name, wrong in (("good", []), ("bad", [1])):
        made.add(name, parts=make_parts(wrong, truths=([1, 1, 1],)))
    comparison = made.compare()
    assert table(comparison)[1]["MSE above best 95 % interval"] == f"+{1 / 3:.3f}"
    assert any("single label run" in note for note in ranking.notes(comparison))


def test_a_simulated_log_is_a_caution() -> None:
    made = Made()
    made.add(dataset="simulated")
    assert any(note.startswith("CAUTION: the log is simulated") for note in ranking.notes(made.compare()))


def test_the_title_says_what_the_models_were_tested_on(made: Made) -> None:
    assert ranking.facts(made.compare()) == "3 models on forward: log uci, digest d1, 2 folds, 10 test rows"


def test_a_model_alone_has_nothing_to_be_compared_to() -> None:
    made = Made()
    made.add()
    comparison = made.compare()
    assert ranking.facts(comparison).startswith("1 model on forward")
    assert "There is no other model to compare with." in ranking.notes(comparison)
    assert not any(note.startswith("MSE above best") for note in ranking.notes(comparison))


def test_what_was_left_out_is_a_line_for_each_name_and_reason(made: Made) -> None:
    made.add("old", folds="blocked")
    made.add("old", folds="blocked")
    made.add("", status="KILLED")
    assert ranking.left_out(made.compare()) == [
        "a run without a name (1 run): interrupted",
        "old (2 runs): other scheme: blocked",
    ]


def test_a_figure_of_the_report_stands_beside_both_protocols_of_its_model(made: Made) -> None:
    comparison = made.compare()
    rows = cells(ranking.report_table(comparison))
    ours = [row for row in rows if "\nlstm" in row["report's model ours"]]
    title = "LSTM regression\nlstm"
    assert [row["report's model ours"] for row in ours] == [f"{title}\n(report, optimistic)", title]
    for row, group in zip(ours, comparison.groups[:2], strict=True):
        assert (row["MSE report"], row["F1 report"]) == ("0.133\n±0.058", "0.659\n±0.196")
        assert row["MSE ours"] == f"{group.mean('mse_avg'):.3f}\n±{group.mean('mse_std'):.3f}"
        assert row["MSE diff"] == f"{group.mean('mse_avg') - 0.133:+.3f}"
        assert row["F1 ours"] == f"{group.mean('f1_macro_avg'):.3f}\n±{group.mean('f1_macro_std'):.3f}"
        assert row["F1 diff"] == f"{group.mean('f1_macro_avg') - 0.659:+.3f}"


def test_a_row_of_the_report_without_a_run_is_shown_all_the_same(made: Made) -> None:
    rows = ranking.report_table(made.compare()).rows
    assert [row[0].splitlines()[0] for row in rows] == [
        *("random forest", "CRF", "BNN", "LSTM regression", "LSTM regression"),
        *("LSTM regression, MC", "LSTM classification", "LSTM classification, MC"),
    ]
    assert rows[0] == ["random forest\nno run", "0.323\n-", "-", "-", "0.350\n-", "-", "-", "-", "-"]


def test_every_figure_of_the_report_is_in_the_report(made: Made) -> None:
    source = ROOT.parent / "shared" / "REPORT.md"
    if not source.is_file():
        pytest.skip("the report's facts do not lie beside the checkout")
    final = source.read_text(encoding="utf-8").split("## Final comparison")[1]
    for row in ranking.report_table(made.compare()).rows:
        if "regression, MC" not in row[0]:  # swapped there, and not in its final comparison
            assert f"{row[1].splitlines()[0]} | {row[4].splitlines()[0]}" in final


def test_the_notes_tell_runs_of_several_commits_and_models_that_look_ahead() -> None:
    made = Made()
    made.add("ahead", causal="False", commit="aaaaaaaa11")
    made.add("now", wrong=(0,), commit="bbbbbbbb22")
    notes = ranking.notes(made.compare())
    assert any(note.startswith("(offline): these counts also depend on later rows") for note in notes)
    assert any("the runs are from 2 commits of this package (aaaaaaaa, bbbbbbbb)" in note for note in notes)
    assert ranking.table(made.compare()).rows[0][0] == "ahead\n(offline)"


def with_references(run: Run, mse: float, mse_clock: float) -> None:
    """Give a run the scores that a training records."""
    scores = {"mse": mse, "mse_nobody": 2.0, "mse_shares": 1.0, "nll_shares": 0.9, "mse_clock": mse_clock}
    scores |= {"nll_clock": 0.6, "skill_nobody": 1 - mse / 2.0, "skill_clock": 1 - mse / mse_clock}
    run.metrics.update({f"{key}_pooled": score for key, score in scores.items()})  # type: ignore[attr-defined]


def test_skill_has_its_columns_and_a_run_from_before_it_was_recorded_a_dash() -> None:
    made = Made()
    with_references(made.add("new"), 0.1, 0.4)
    made.add("old", wrong=(0,))
    new, old = table(made.compare())
    assert (new["skill clock"], new["skill nobody"]) == ("0.750", "0.950")
    assert (old["skill clock"], old["skill nobody"]) == ("-", "-")
    (skill,) = [note for note in ranking.notes(made.compare()) if note.startswith("skill:")]
    assert skill.endswith("Nobody: MSE 2.000; label shares: MSE 1.000, NLL 0.900; clock: MSE 0.400, NLL 0.600.")
    assert not any("CAUTION" in note for note in ranking.notes(made.compare()))


def test_models_that_are_no_better_than_the_clock_are_named_but_not_the_clock_itself() -> None:
    made = Made()
    with_references(made.add("good"), 0.1, 0.4)
    with_references(made.add("poor", wrong=(0,)), 0.4, 0.4)
    with_references(made.add("hours", wrong=(0, 1), model="clock"), 0.5, 0.4)
    (caution,) = [note for note in ranking.notes(made.compare()) if "CAUTION" in note]
    assert caution == "CAUTION: poor: the sensors of this room tell less than the clock."


def test_without_a_recorded_reference_nothing_is_said_about_skill(made: Made) -> None:
    assert not any("skill" in note for note in ranking.notes(made.compare()))
