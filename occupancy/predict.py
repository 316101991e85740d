"""The command that counts people in a log by a trained model: ``occupancy predict``."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from occupancy.cli.command import Parser, run
from occupancy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from occupancy.config import Tracking
    from occupancy.serving.counting import Counted
    from occupancy.serving.model import ServedModel

NAME = "occupancy predict"
STORE = "tracking.uri"
READING = ("data.time_format", "data.missing", "data.max_missing")
"""Settings of how the cells of a file are read."""
DECODING = "model.decoding"
"""How labels come from a chain, which needs no training anew; all other settings belong to the fitted model."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 2 a mistake in what was given, 130 interrupted."""
    options = _parser().parse_intermixed_args(arguments)
    return run(NAME, lambda: _command(options))


def _parser() -> Parser:
    parser = Parser(
        prog=NAME,
        description="Count the people in a sensor log, with or without counts of its own, by a trained model.",
        epilog=f"Settings: {STORE} (with --run; where its store is); how the file is read: {', '.join(READING)}; "
        f"of an mlp_crf, {DECODING}. For example: data.missing=interpolate",
    )
    models = parser.add_mutually_exclusive_group(required=True)
    models.add_argument("--run", metavar="ID", help="run of a fold, or of an experiment: then its last fold's model")
    models.add_argument("--model", metavar="FOLDER", type=Path, help="folder of a saved model, or of an MLflow model")
    parser.add_argument("--fold", type=int, metavar="N", help="which fold's model of an experiment")
    parser.add_argument("--csv", required=True, metavar="FILE", type=Path, help="the sensor log")
    parser.add_argument("--format", choices=("csv", "jsonl"), help="what standard output gets; csv without --out")
    parser.add_argument(
        "--out",
        action="append",
        default=[],
        metavar="FILE",
        type=Path,
        help="file for the result, a table (.csv, .jsonl) or a picture (.png, .svg); may be given several times",
    )
    parser.add_argument(
        "--explain",
        metavar="TIME",
        help="the pictures of --out show what each kind of sensor adds to the count at this time of the log, such as "
        "'2017-12-23 16:00:00'",
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings, see below")
    return parser


def _command(options: argparse.Namespace) -> None:
    # Imported late: `--help` is to answer at once, and a mistake without waiting for torch.
    tracking, reading, decoding = _settings(options)
    from occupancy.cli import files  # noqa: PLC0415

    targets = list(dict.fromkeys(files.check_target(path) for path in options.out))
    if options.csv.resolve() in targets:
        raise InputError(f"--out: {options.csv} is the log itself; name another file")
    time = _time(options.explain, targets)
    from occupancy.data.cells import read_cells  # noqa: PLC0415

    cells = read_cells(options.csv)
    with redirect_stdout(sys.stderr):  # standard output is for the result alone, whatever a library prints
        served, counted, chosen = _count(options, tracking, reading, decoding, cells)
        contents = {path: _content(path, served, counted, time) for path in targets}
    files.write(contents)
    for remark in [*chosen, *counted.remarks]:
        print(remark, file=sys.stderr)
    if options.format or not targets:
        sys.stdout.write(files.to_table(counted.prediction, options.format or "csv"))


def _settings(options: argparse.Namespace) -> tuple[Tracking, dict[str, Any], str | None]:
    """Return where the store is, the settings given of how the file is read, by name, and how to decode, if given."""
    from occupancy.config import MLPCRF, Config  # noqa: PLC0415
    from occupancy.config.keys import COMMAND_LINE, known_keys  # noqa: PLC0415
    from occupancy.config.parsing import parse_overrides, resolve  # noqa: PLC0415

    given = parse_overrides(options.overrides)
    allowed = (STORE, *READING, DECODING)
    for key in given:
        if key not in allowed:
            near = "" if key in set(known_keys()) else "".join(difflib.get_close_matches(key, allowed, 1, 0.5))
            why = f"is unknown; did you mean {near}?" if near else "can't be set, for a fitted model keeps its own;"
            raise InputError(f"{COMMAND_LINE}: {key} {why} allowed: {', '.join(allowed)}")
    if options.run is None and STORE in given:
        raise InputError(f"{COMMAND_LINE}: {STORE} goes with --run; a model given by --model is in no store")
    if options.run is None and options.fold is not None:
        raise InputError(f"{COMMAND_LINE}: --fold goes with --run; --model gives one fold's model already")
    decoding = given.pop(DECODING, None)
    if decoding is not None:
        decoding = resolve(MLPCRF, {}, f"{COMMAND_LINE}: model", {"decoding": decoding}).decoding
    config = resolve(Config, {"name": NAME}, COMMAND_LINE, given)
    names = [key.removeprefix("data.") for key in given if key in READING]
    return config.tracking, {name: getattr(config.data, name) for name in names}, decoding


def _count(
    options: argparse.Namespace,
    tracking: Tracking,
    reading: dict[str, Any],
    decoding: str | None,
    cells: pd.DataFrame,
) -> tuple[ServedModel, Counted, list[str]]:
    """Return the model, the counts, and which model it is where there was a choice."""
    with ExitStack() as stack:
        folder, chosen = options.model, []
        if options.run is not None:
            from occupancy.tracking.models import fetched, find_model  # noqa: PLC0415

            recorded = find_model(tracking, options.run, options.fold)  # nor need an unknown run wait for torch
            folder, chosen = stack.enter_context(fetched(tracking, recorded)), recorded.remarks
        from occupancy.serving.counting import count_people  # noqa: PLC0415
        from occupancy.serving.model import ServedModel, find_saved  # noqa: PLC0415

        served = ServedModel(find_saved(folder))
        if decoding is not None:
            served.decode_by(decoding)
        return served, count_people(served, cells, options.csv, reading), chosen


def _time(text: str | None, targets: Sequence[Path]) -> datetime | None:
    """Return the time that is to be explained, if one is."""
    from occupancy.cli import files  # noqa: PLC0415

    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is not None:
        raise InputError(f"--explain: got {text!r}, expected a local time of the log such as '2017-12-23 16:00:00'")
    if not any(files.ending(path) in files.PICTURES for path in targets):
        raise InputError("--explain: draws a picture; name a file for it, such as --out moment.png")
    return time


def _content(path: Path, served: ServedModel, counted: Counted, time: datetime | None) -> bytes:
    """Return what a file of this name is to hold."""
    import pandas as pd  # noqa: PLC0415

    from occupancy.cli import files  # noqa: PLC0415
    from occupancy.serving.counting import moment_picture, picture  # noqa: PLC0415

    kind = files.ending(path)
    if kind in files.TABLES:
        return files.to_table(counted.prediction, kind).encode()
    figure = picture(counted) if time is None else moment_picture(served, counted, pd.Timestamp(time))
    return files.to_picture(figure, kind)


if __name__ == "__main__":
    sys.exit(main())
