"""A log, an option or a place that `occupancy predict` can't use: one line, exit code 2, nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from occupancy import predict
from tests.e2e.predict.home import (
    Capture,
    Home,
    by_model,
    by_run,
    call,
    check_refused,
    log_as,
    written,
)

pytestmark = [
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]


# Each makes what it needs in the working directory and returns the arguments; the text is in the answer.


def changed(home: Home, change: Callable[[pd.DataFrame], pd.DataFrame], *arguments: str) -> list[str]:
    return ["--model", str(home.models[1]), "--csv", log_as(home, change), *arguments]


MISTAKES: dict[str, tuple[Callable[[Home], list[str]], str]] = {
    "no model": (lambda _: ["--csv", "log.csv"], "one of the arguments --model --run --config is required"),
    "two models": (lambda home: by_model(home, "--run", home.run), "not allowed with argument"),
    "no log": (lambda home: ["--run", home.run], "required: --csv"),
    "fold that is no number": (lambda home: by_run(home, home.run, "--fold", "last"), "invalid int value: 'last'"),
    "fold of a folder": (lambda home: by_model(home, "--fold", "1"), "--fold goes with --run"),
    "store of a folder": (
        lambda home: by_model(home, "tracking.uri=x"),
        "tracking.uri says where runs and registered models are; a folder is in no store",
    ),
    "no time to explain": (
        lambda home: by_model(home, "--explain", "noon", "--out", "moment.png"),
        "--explain: got 'noon', expected a local time of the log such as '2017-12-23 16:00:00'",
    ),
    "time in a zone": (
        lambda home: by_model(home, "--explain", "2024-01-02T12:00:00Z", "--out", "moment.png"),
        "--explain: got '2024-01-02T12:00:00Z', expected a local time",
    ),
    "explanation without a picture": (
        lambda home: by_model(home, "--explain", "2024-01-02 12:00:00", "--out", "counts.csv"),
        "--explain: draws a picture; name a file for it, such as --out moment.png",
    ),
    "time that the log lacks": (
        lambda home: by_model(home, "--explain", "2024-01-02 12:01:00", "--out", "moment.png", "--out", "counts.csv"),
        "--explain: log.csv has no row at 2024-01-02 12:01:00; the nearest is at 2024-01-02 12:00:00",
    ),
    "time without a past": (
        lambda home: by_model(home, "--explain", "2024-01-01", "--out", "moment.png"),
        "--explain: log.csv: at 2024-01-01 00:00:00 the recording has 0 earlier rows, but the model needs",
    ),
    "no key=value": (lambda home: by_model(home, "fast"), "'fast', expected key=value such as data.max_csv_mb=500"),
    "setting that the model keeps": (
        lambda home: by_model(home, "data.max_gap=900"),
        "data.max_gap can't be set, for a fitted model keeps its own; allowed: tracking.uri, data.time_format, "
        "data.time_zone, data.missing, data.max_missing",
    ),
    "setting that is none": (lambda home: by_model(home, "data.mising=x"), "unknown; did you mean data.missing?"),
    "value that is none": (
        lambda home: by_model(home, "data.missing=guess"),
        "command line: data.missing: got 'guess' (str), expected 'keep', 'hold' or 'refuse'",
    ),
    "log that is not there": (lambda home: ["--run", home.run, "--csv", "none.csv"], "none.csv: cannot be read"),
    "log with a bad cell": (
        lambda home: changed(home, lambda frame: frame.assign(S1_Temp="warm")),
        "room.csv: not a number (864): row 2 S1_Temp 'warm'",
    ),
    "log without a column": (
        lambda home: changed(home, lambda frame: frame.drop(columns="Time")),
        "room.csv: missing column Time; add it, or describe the log in a schema file (data.schema); a fitted model "
        "keeps its data.schema, so bring the log to what it was trained on",
    ),
    "log with a missing cell": (
        lambda home: changed(
            home, lambda frame: frame.replace({"S1_Temp": {frame["S1_Temp"][5]: ""}}), "data.missing=refuse"
        ),
        "set data.missing=keep to leave it missing",
    ),
    "log at another step": (
        lambda home: changed(home, lambda frame: frame[::2]),
        "room.csv: got a row every 600 s, but the model was trained on one every 300 s",
    ),
    "log at a step beyond the largest gap": (
        lambda home: changed(home, lambda frame: frame[::3]),
        "a fitted model keeps its data.max_gap",
    ),
    "format that is none": (lambda home: by_model(home, "--format", "xml"), "invalid choice: 'xml'"),
    "ending that is none": (lambda home: by_model(home, "--out", "counts.xls"), "expected a name that ends in one of"),
    "no folder for the result": (lambda home: by_model(home, "--out", "none/a.csv"), "none is not a folder"),
    "one result that can't be written": (
        lambda home: by_model(home, "--out", "a.csv", "--out", f"{'long' * 70}.csv"),
        "can't be written (File name too long)",
    ),
    "result over the log": (
        lambda home: changed(home, lambda frame: frame, "--out", "./room.csv"),
        "--out: room.csv is the log itself",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_exit_code_2_and_nothing_written(
    home: Home, desk: Path, capsys: Capture, mistake: str
) -> None:
    make, text = MISTAKES[mistake]
    check_refused(make(home), text, desk, capsys)


def test_what_was_there_stays_where_the_result_cannot_be_made(home: Home, desk: Path, capsys: Capture) -> None:
    written("counts.csv", b"of yesterday")
    assert call(predict.main, *changed(home, lambda frame: frame[::2], "--out", "counts.csv")) == 2
    assert Path("counts.csv").read_bytes() == b"of yesterday"
