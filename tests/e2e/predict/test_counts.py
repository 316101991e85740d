"""What `occupancy predict` counts, and where the result goes."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from occupancy import predict
from occupancy.data.schema import UCI
from tests.e2e.predict.home import (
    COLUMNS,
    NO_SUCH_RUN,
    Capture,
    Home,
    by_run,
    call,
    counted,
    log_as,
    log_of,
    read,
    snapshot,
    trained,
    unlabelled,
)

pytestmark = [
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]

LIGHTS = [column.name for column in UCI.of_kind("light")]


def recorded(home: Home, fold: int) -> pd.DataFrame:
    return read(Path(home.client.download_artifacts(home.folds[fold], "predictions.csv")))


@pytest.mark.parametrize("labelled", [True, False], ids=["with counts", "without counts"])
@pytest.mark.parametrize("fold", [1, 2])
def test_the_test_rows_of_a_fold_get_what_the_training_recorded_for_them(
    home: Home, desk: Path, capsys: Capture, fold: int, labelled: bool
) -> None:
    path = str(home.folder / "log.csv") if labelled else unlabelled(home)
    table, said = counted(capsys, "--run", home.folds[fold], "--csv", path, f"tracking.uri={home.uri}")
    expected = recorded(home, fold)
    same = table[table["time"].isin(expected["time"])].reset_index(drop=True)
    assert len(same) == 288
    assert (same["health"] == "").all()
    pd.testing.assert_frame_equal(same.drop(columns="health"), expected.drop(columns="truth"), atol=1e-5)
    assert ("against Room_Occupancy_Count" in said) == labelled
    notes = [line for line in said.splitlines() if line.startswith("note")]
    assert len(notes) == 2 + labelled


def test_the_scores_are_those_of_the_table_against_the_counts(home: Home, desk: Path, capsys: Capture) -> None:
    table, said = counted(capsys, "--model", str(home.models[1]), "--csv", str(home.folder / "log.csv"))
    truth = log_of(home)[UCI.count].astype(int)
    mse = ((table["count"] - truth) ** 2).mean()
    coverage = ((table["lower"] <= truth) & (truth <= table["upper"])).mean()
    assert f"mse {mse:.3f}, " in said
    assert f"coverage_90 {coverage:.3f} " in said


def test_settings_say_how_the_file_is_read(home: Home, desk: Path, capsys: Capture) -> None:
    log = log_of(home)
    log["S1_Temp"] = log["S1_Temp"].mask(log.index == 100)
    log.to_csv("gaps.csv", index=False)
    log.assign(S1_Temp=log["S1_Temp"].ffill()).to_csv("held.csv", index=False)
    log.assign(Date=pd.to_datetime(log["Date"]).dt.strftime("%m/%d/%Y")).to_csv("american.csv", index=False)
    model = ("--model", str(home.models[1]), "--csv")
    held, _ = counted(capsys, *model, "held.csv")
    settings = ("data.missing=hold", "data.max_missing=2")
    table, _ = counted(capsys, *model, "gaps.csv", *settings)
    pd.testing.assert_frame_equal(table, held, check_exact=True)
    table, _ = counted(capsys, *model, "american.csv", *settings, "data.time_format=%m/%d/%Y %H:%M:%S")
    pd.testing.assert_frame_equal(table, held, check_exact=True)


def test_light_is_needed_by_the_model_that_learned_from_it_alone(home: Home, desk: Path, capsys: Capture) -> None:
    whole, dark = unlabelled(home), log_as(home, lambda frame: frame.drop(columns=[*LIGHTS, UCI.count]), "dark.csv")
    by_run = (f"tracking.uri={home.uri}", "--run")
    one, _ = counted(capsys, *by_run, home.run, "--csv", whole)
    other, _ = counted(capsys, *by_run, home.run, "--csv", dark)
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    lit, _ = counted(capsys, *by_run, home.lit, "--csv", whole)
    assert list(lit.columns) == [*COLUMNS, "health"]
    unlit, said = counted(capsys, *by_run, home.lit, "--csv", dark)
    assert not unlit["answered"].any(), "a network that was not trained without a kind of sensor"
    assert "no column S1_Light, S2_Light, S3_Light, S4_Light: as if no reading" in " ".join(said.split())


# Where the result goes.


def test_json_lines_hold_what_the_table_holds(home: Home, desk: Path, capsys: Capture) -> None:
    arguments = ("--model", str(home.models[1]), "--csv", unlabelled(home))
    table, _ = counted(capsys, *arguments)
    assert call(predict.main, *arguments, "--format", "jsonl") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    pd.testing.assert_frame_equal(pd.DataFrame(rows), table, check_exact=True)


def test_files_get_the_result_by_their_endings_and_standard_output_nothing(
    home: Home, desk: Path, capsys: Capture
) -> None:
    arguments = ("--model", str(home.models[1]), "--csv", str(home.folder / "log.csv"))
    table, _ = counted(capsys, *arguments)
    names = ("counts.csv", "counts.jsonl", "counts.png", "counts.svg")
    assert call(predict.main, *arguments, *(part for name in names for part in ("--out", name))) == 0
    assert capsys.readouterr().out == ""
    assert sorted(path.name for path in desk.iterdir()) == sorted(names)
    pd.testing.assert_frame_equal(read(Path("counts.csv")), table, check_exact=True)
    rows = [json.loads(line) for line in Path("counts.jsonl").read_text().splitlines()]
    assert rows == table.to_dict("records")
    assert Path("counts.png").read_bytes().startswith(b"\x89PNG")
    assert Path("counts.svg").read_text().startswith("<?xml")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_said_names_the_files_and_fits_a_screen_of_80_columns(
    home: Home, desk: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--run", home.run, "--csv", str(home.folder / "log.csv"), f"tracking.uri={home.uri}")
    names = ("--out", "counts.csv", "--out", "counts.png")
    _, whole = counted(capsys, *arguments, *names, "--format", "csv")
    assert "\nwrote    counts.csv, counts.png, standard output (864 rows)\n" in whole
    assert [line[:9] for line in whole.splitlines()] == [
        f"{label:<9}" for label in ("model", "note", "note", "note", "note", "wrote", "found")
    ]
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "80")
    assert call(predict.main, *arguments, *names) == 0
    lines = screen.getvalue().splitlines()
    unbroken = [line for line in lines if len(line) > 80]
    assert unbroken == [line for line in unbroken if " " not in line.strip()], "only a word that is too long sticks out"
    assert {line[:9].strip() for line in lines} == {"model", "note", "wrote", "found", ""}
    assert " ".join(screen.getvalue().split()) == " ".join(whole.replace(", standard output", "").split())


def test_with_a_time_to_explain_pictures_show_that_moment_and_tables_hold_what_they_do_without(
    home: Home, desk: Path, capsys: Capture
) -> None:
    arguments = ("--model", str(home.models[1]), "--csv", str(home.folder / "log.csv"))
    table, _ = counted(capsys, *arguments, "--out", "counts.svg", "--format", "csv")
    moment = ("--explain", "2024-01-02 12:00:00")
    told, _ = counted(capsys, *arguments, *moment, "--out", "moment.svg", "--out", "moment.png", "--format", "csv")
    pd.testing.assert_frame_equal(told, table, check_exact=True)
    assert "readings of this moment" in Path("moment.svg").read_text()
    assert "readings of this moment" not in Path("counts.svg").read_text()
    assert Path("moment.png").read_bytes().startswith(b"\x89PNG")


def test_both_are_had_where_both_are_asked_for(home: Home, desk: Path, capsys: Capture) -> None:
    arguments = ("--model", str(home.models[1]), "--csv", unlabelled(home))
    assert call(predict.main, *arguments, "--format", "csv", "--out", "counts.csv") == 0
    assert capsys.readouterr().out == Path("counts.csv").read_text()


def test_a_chain_is_decoded_in_another_way_on_request(
    home: Home, desk: Path, new_store: Callable[[Path], str], capsys: Capture
) -> None:
    new_store(desk / "mlflow.db")
    arguments = ["--run", trained("model={name: mlp_crf, hidden: [4]}"), "--csv", unlabelled(home), "--format", "csv"]
    arguments.append(f"tracking.uri=sqlite:///{desk / 'mlflow.db'}")
    said = {}
    for decoding in ([], ["model.decoding=filter"], ["model.decoding=viterbi"]):
        capsys.readouterr()
        assert call(predict.main, *arguments, *decoding) == 0
        said["".join(decoding)] = capsys.readouterr()
    assert said[""].out == said["model.decoding=filter"].out != said["model.decoding=viterbi"].out
    assert "each count rests on later rows too" in said["model.decoding=viterbi"].err
    assert "later rows" not in said[""].err


def test_the_store_is_never_written_to(home: Home, desk: Path, capsys: Capture) -> None:
    before = snapshot(home.folder)
    counted(capsys, "--run", home.run, "--csv", unlabelled(home), f"tracking.uri={home.uri}")
    assert call(predict.main, *by_run(home, NO_SUCH_RUN)) == 2
    assert snapshot(home.folder) == before
