"""Requests to a served model: from the bytes that MLflow's server gets to a frame, and from counts to its answer.

MLflow itself can't read CSV for a model whose cells may have any type, makes 1.0 of a ``true`` among numbers, drops
columns that it does not know, and answers a mistake with the stack and the paths of the machine.
"""

from __future__ import annotations

import csv
import functools
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pandas as pd

from occupancy.data.reading.content import check_text
from occupancy.data.reading.layout import Layout
from occupancy.data.reading.parsing import parse_rows
from occupancy.errors import InputError
from occupancy.serving.model import ServedModel

MOST_BYTES = 64 * 2**20
"""The largest body of a request."""
MOST_ROWS = 100_000
"""The most rows of a request; a slow model takes fewer, see `answer`."""
TRIAL_ROWS = (32, 256)
"""Rows that a model counts first, to find how long it takes for many."""
_SHARE_OF_TIMEOUT = 0.8  # that counting may take; the rest is for reading and writing
CSV, JSON = "text/csv", "application/json"
_FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_JSON_HELP = f"expected JSON with one of the keys {', '.join(_FORMATS)}"
_log = logging.getLogger(__name__)

Columns = dict[str, list[Any]]
Answer = tuple[str, int, str]
"""Body, HTTP status and media type."""


def install() -> None:
    """Let MLflow's server answer a request to a model of this package by `answer`, and any other as it does itself."""
    from mlflow.pyfunc import scoring_server  # noqa: PLC0415 (late: only what serves a model needs it)

    theirs: Callable[..., Any] = scoring_server.invocations
    if hasattr(theirs, "__wrapped__"):  # installed before
        return

    @functools.wraps(theirs)
    def invocations(data: Any, content_type: str | None, model: Any, *others: Any, **named: Any) -> Any:
        served = getattr(model, "_model_impl", None)
        if not isinstance(served, ServedModel):
            return theirs(data, content_type, model, *others, **named)
        return scoring_server.InvocationsResponse(*answer(served, data, content_type))

    scoring_server.invocations = invocations


def answer(served: ServedModel, body: bytes | str, content_type: str | None) -> Answer:
    """Return the answer to a request.

    It is 200 with ``{"predictions": [...]}``, a row of `ServedModel.predict` for each row of the request; 400 with
    one line that says what is wrong; 415 for another content type than CSV or JSON, in UTF-8.

    A request for more rows than the model can count within MLflow's time-out is refused at once: after it, the server
    would still be busy, with nobody waiting. How long the model takes is found by a trial on the first rows.

    Args:
        served: the model.
        body: what was sent.
        content_type: what it is said to be.
    """
    kind, _, parameter = (part.strip().lower() for part in (content_type or "").partition(";"))
    if kind not in {CSV, JSON} or parameter not in {"", "charset=utf-8", 'charset="utf-8"'}:
        shown = "none" if content_type is None else repr(content_type[:100])
        return f"got content type {shown}, expected {JSON} or {CSV}, in UTF-8", 415, "text/plain"
    try:
        frame = _read_csv(_text(body)) if kind == CSV else _read_json(_text(body))
        _check_time(served, frame)
        table = served.predict(frame)
    except InputError as error:
        text = json.dumps({"error_code": "INVALID_PARAMETER_VALUE", "message": str(error)})
        return text, HTTPStatus.BAD_REQUEST, JSON
    except Exception:  # what went wrong is for whoever runs the server, not for whoever asks
        _log.exception("a request could not be answered")
        text = json.dumps({"error_code": "INTERNAL_ERROR", "message": "the model failed; the server's log says how"})
        return text, HTTPStatus.INTERNAL_SERVER_ERROR, JSON
    table["time"] = [moment.isoformat() for moment in table["time"]]
    return json.dumps({"predictions": table.to_dict("records")}, allow_nan=False), HTTPStatus.OK, JSON


def _check_time(served: ServedModel, frame: pd.DataFrame) -> None:
    """Check that a model can count the rows of a frame before MLflow's server gives up.

    Raises:
        InputError: they are too many for it.
    """
    from mlflow.environment_variables import MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT  # noqa: PLC0415 (late, as above)

    few, more = TRIAL_ROWS
    if len(frame) <= more:
        return
    took_s = []
    for rows in (few, few, more):  # the first time, something may have to be imported
        start = time.perf_counter()
        try:
            served.predict(frame.head(rows))
        except InputError:  # of the whole frame, the gate says it better
            return
        took_s.append(time.perf_counter() - start)
    row_s = max(took_s[2] - took_s[1], 0.0) / (more - few)  # without what any number of rows takes
    limit_s = float(MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT.get())  # type: ignore[no-untyped-call]
    if took_s[1] + row_s * len(frame) > _SHARE_OF_TIMEOUT * limit_s:
        most = max(int((_SHARE_OF_TIMEOUT * limit_s - took_s[1]) / row_s), 1)
        raise InputError(
            f"the request: got {len(frame):,} rows, of which this model counts about {most:,} within the server's "
            f"time-out of {limit_s:g} s; send them in several parts, or start the server with a longer --timeout"
        )


def _text(body: bytes | str) -> str:
    if len(body) > MOST_BYTES:
        raise InputError(f"the request: got {len(body):,} bytes, expected at most {MOST_BYTES:,}; send fewer rows")
    try:
        return body if isinstance(body, str) else body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"the request: is not text (byte {error.start}); send it in UTF-8") from None


def _read_csv(text: str) -> pd.DataFrame:
    """Return the cells of CSV as text, read as files are. Raise InputError if it is none."""
    content, where = text.encode(), Path("the request")
    check_text(content, where)
    _check_rows(text.rstrip().count("\n"))
    names = next(csv.reader(text.splitlines()[:1]), [])
    if twice := sorted(name for name, times in Counter(names).items() if times > 1):
        raise InputError(f"the request: column {', '.join(twice)} is in the header twice; send each column once")
    return parse_rows(content, Layout(",", tuple(names), 0, 1, {}, ()), where)[0]


def _read_json(text: str) -> pd.DataFrame:
    """Return the cells of JSON as they were sent, in columns of any type. Raise InputError if it is none."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        said = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise InputError(f"the request: is not JSON ({said}); {_JSON_HELP}") from None
    if not isinstance(tree, dict):
        raise InputError(f"the request: got a {type(tree).__name__}, {_JSON_HELP}")
    given = [key for key in tree if key in _FORMATS]
    others = [key for key in tree if key not in given and not (key == "params" and not tree[key])]
    if len(given) != 1 or others:
        named = ", ".join(repr(key[:40]) for key in [*given, *others][:10])
        raise InputError(f"the request: got the keys {named or 'none'}, {_JSON_HELP}")
    (key,) = given
    columns = _of_split(tree[key]) if key == "dataframe_split" else _of_rows_or_columns(tree[key], key)
    return pd.DataFrame(columns, dtype=object)


def _of_split(split: Any) -> Columns:
    """Return the columns of ``{"columns": [names], "data": [rows]}``. Raise InputError if it is something else."""
    columns, rows = (split.get("columns"), split.get("data")) if isinstance(split, dict) else (None, None)
    if not isinstance(columns, list) or not isinstance(rows, list) or set(split) - {"columns", "data", "index"}:
        raise InputError("dataframe_split: expected the keys columns (a list of names) and data (a list of rows)")
    if not all(isinstance(name, str) for name in columns) or len(set(columns)) < len(columns):
        raise InputError("dataframe_split: columns: expected names, each of them once")
    _check_rows(len(rows))
    wrong = next((n for n, row in enumerate(rows) if not isinstance(row, list) or len(row) != len(columns)), None)
    if wrong is not None:
        raise InputError(f"dataframe_split: data: row {wrong} is no list of {len(columns)} cells, one for each column")
    return {name: [row[place] for row in rows] for place, name in enumerate(columns)}


def _of_rows_or_columns(given: Any, key: str) -> Columns:
    """Return the columns of a list of rows, or of a mapping of columns. Raise InputError if it is something else."""
    if isinstance(given, list):
        _check_rows(len(given))
        wrong = next((number for number, row in enumerate(given) if not isinstance(row, dict)), None)
        if wrong is not None:
            raise InputError(f"{key}: row {wrong} is a {type(given[wrong]).__name__}, expected a cell for each column")
        names = dict.fromkeys(name for row in given for name in row)
        return {name: [row.get(name) for row in given] for name in names}
    if isinstance(given, dict) and key == "inputs":
        return _of_columns(given)
    raise InputError(f"{key}: got a {type(given).__name__}, expected a list of rows, each with a cell for each column")


def _of_columns(given: Mapping[str, Any]) -> Columns:
    """Return columns that are lists of one length, or of one cell each. Raise InputError if they are something else."""
    columns = {name: cells if isinstance(cells, list) else [cells] for name, cells in given.items()}
    lengths = {len(cells) for cells in columns.values()}
    if len(lengths) > 1:
        raise InputError(f"inputs: got columns of {min(lengths):,} to {max(lengths):,} cells, expected one length")
    _check_rows(max(lengths, default=0))
    return columns


def _check_rows(rows: int) -> None:
    if rows > MOST_ROWS:
        raise InputError(f"the request: got {rows:,} rows, expected at most {MOST_ROWS:,}; send them in several parts")
