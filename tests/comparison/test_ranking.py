from __future__ import annotations

import math

import pytest

from occupancy.cli import tables
from occupancy.comparison import ranking, standings
from occupancy.comparison.groups import Comparison
from tests.comparison.made_runs import Made, make_parts
from tests.places import ROOT

HEADINGS = [" ".join(heading).strip() for heading in ranking.HEADINGS]
REPORT_HEADINGS = [" ".join(heading).strip() for heading in ranking.REPORT_HEADINGS]
LSTM = {"model.name": "lstm", "model.head": "regression"}


@pytest.fixture
def made() -> Made:
    made = Made()
    made.add("lstm", wrong=(0,), settings=LSTM)
    made.add("lstm", wrong=(0, 6), seed=1, settings=LSTM)
    made.add("clock", wrong=(0, 1, 2), settings={"model.name": "clock"})
    made.add("lstm", wrong=(5,), protocol="report", settings=LSTM)
    return made


def table(comparison: Comparison) -> list[dict[str, str]]:
    return [dict(zip(HEADINGS, row, strict=True)) for row in ranking.rows(comparison)]


@pytest.mark.parametrize("value", [0.0, 0.12345, -0.5, 99.99, 99.9996, 100.0, 1234.5, math.nan])
def test_figures_are_shown_as_in_the_table_that_ends_a_training(value: float) -> None:
    assert ranking.shown(value) == tables.shown(value)


def test_a_row_tells_the_same_as_the_values_for_scripts(made: Made) -> None:
    comparison = made.compare()
    for row, group in zip(table(comparison), comparison.groups, strict=True):
        values = standings.values(group)
        assert row["MSE ±seeds"].splitlines()[0] == ranking.shown(values["mse"])
        assert row["±over folds"] == ranking.shown(values["mse_std_folds"])
        assert row["macro F1"].splitlines()[0] == ranking.shown(values["f1_macro"])
        assert row["NLL"] == "0.250"
        assert row["cover 90"] == row["pooled F1"] == "-"
        assert (row["fit s"], row["µs per row"], row["para- meters"]) == ("12.500", "346", "12,345")
        assert (row["seeds"], row["test rows"]) == (str(len(group.runs)), "10")


def test_the_smallest_mse_comes_first_with_its_spread_over_seeds_below(made: Made) -> None:
    comparison = made.compare()
    rows = table(comparison)
    assert [row["model setting"] for row in rows] == ["lstm\n(optimistic)", "lstm", "clock"]
    assert [row["proto- col"] for row in rows] == ["report", "honest", "honest"]
    spread = ranking.shown(comparison.groups[1].spread("mse_avg"))
    assert [row["MSE ±seeds"].splitlines()[1] for row in rows] == ["-", f"±{spread}", "-"]


def test_a_difference_has_a_sign_and_its_interval_below(made: Made) -> None:
    comparison = made.compare()
    peeked, best, clock = (row["MSE above best 95 % interval"] for row in table(comparison))
    assert best == "best honest"
    group = comparison.groups[2]
    assert clock == f"+{group.difference:.3f}\n{group.low:+.3f}..{group.high:+.3f}"
    assert peeked.startswith("-0.")


def test_a_variant_stands_below_the_name() -> None:
    made = Made()
    made.add(settings={"model.layers": "2"})
    made.add(settings={"model.layers": "3"}, wrong=(0,))
    assert [row["model setting"] for row in table(made.compare())] == ["lstm\nlayers=2", "lstm\nlayers=3"]


def test_the_two_narrow_tables_hold_every_column_between_them() -> None:
    assert sorted({*ranking.SCORES, *ranking.COSTS}) == list(range(len(ranking.HEADINGS)))
    assert set(ranking.SCORES) & set(ranking.COSTS) == {0, 1}


def test_the_notes_say_how_few_label_runs_there_are_and_that_report_runs_are_optimistic(made: Made) -> None:
    notes = ranking.notes(made.compare())
    assert sum(note.startswith("CAUTION") for note in notes) == 1
    assert "CAUTION: protocol report stops early on the test rows, so its figures are optimistic." in notes
    (interval,) = [note for note in notes if note.startswith("MSE above best")]
    assert "against lstm, averaged over folds" in interval
    assert "10,000 draws of the 5 label runs" in interval
    assert "5 are few" in interval
    assert any(note.startswith("One setting served all folds") for note in notes)


def test_what_does_not_hold_is_not_said() -> None:
    made = Made()
    made.add(selection="nested")
    notes = ranking.notes(made.compare())
    assert not any("optimistic" in note or "CAUTION" in note for note in notes)


def test_without_an_honest_run_the_notes_say_so() -> None:
    made = Made()
    made.add(protocol="report")
    notes = ranking.notes(made.compare())
    assert "No honest run is among them, so there is no best to compare the others to." in notes
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
    assert "There is no other model to compare it to." in ranking.notes(comparison)
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
    rows = [dict(zip(REPORT_HEADINGS, row, strict=True)) for row in ranking.report_rows(comparison)]
    ours = [row for row in rows if row["report's model ours"].endswith("\nlstm")]
    assert [row["proto- col"] for row in ours] == ["report", "honest"]
    for row, group in zip(ours, comparison.groups[:2], strict=True):
        assert (row["MSE report"], row["F1 report"]) == ("0.133\n±0.058", "0.659\n±0.196")
        assert row["MSE ours"] == f"{group.mean('mse_avg'):.3f}\n±{group.mean('mse_std'):.3f}"
        assert row["MSE differs"] == f"{group.mean('mse_avg') - 0.133:+.3f}"
        assert row["F1 ours"] == f"{group.mean('f1_macro_avg'):.3f}\n±{group.mean('f1_macro_std'):.3f}"
        assert row["F1 differs"] == f"{group.mean('f1_macro_avg') - 0.659:+.3f}"


def test_a_row_of_the_report_without_a_run_is_shown_all_the_same(made: Made) -> None:
    rows = ranking.report_rows(made.compare())
    assert [row[0].splitlines()[0] for row in rows] == [
        *("random forest", "CRF", "BNN", "LSTM regression", "LSTM regression"),
        *("LSTM regression, MC", "LSTM classification", "LSTM classification, MC"),
    ]
    assert rows[0] == ("random forest\nno run", "-", "0.323\n-", "-", "-", "0.350\n-", "-", "-", "-", "-")


def test_every_figure_of_the_report_is_in_the_report(made: Made) -> None:
    source = ROOT.parent / "shared" / "REPORT.md"
    if not source.is_file():
        pytest.skip("the report's facts do not lie beside the checkout")
    final = source.read_text(encoding="utf-8").split("## Final comparison")[1]
    for row in ranking.report_rows(made.compare()):
        if "regression, MC" not in row[0]:  # swapped there, and not in its final comparison
            assert f"{row[2].splitlines()[0]} | {row[5].splitlines()[0]}" in final


def test_the_notes_tell_runs_of_several_commits_and_models_that_look_ahead() -> None:
    made = Made()
    made.add("ahead", causal="False", commit="aaaaaaaa11")
    made.add("now", wrong=(0,), commit="bbbbbbbb22")
    notes = ranking.notes(made.compare())
    assert any(note.startswith("(offline): these counts rest on later rows too") for note in notes)
    assert any("the runs are of 2 commits of this package (aaaaaaaa, bbbbbbbb)" in note for note in notes)
    assert ranking.rows(made.compare())[0][0] == "ahead\n(offline)"
