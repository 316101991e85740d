"""The command that counts people in a log by a trained model: ``occupancy predict``."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from occupancy.cli.command import Parser
from occupancy.errors import InputError
from occupancy.files import write

if TYPE_CHECKING:
    from occupancy.config import Config, Tracking
    from occupancy.data.reading import Cells
    from occupancy.serving.counting import Counted
    from occupancy.serving.model import ServedModel

NAME = "occupancy predict"
STORE = "tracking.uri"
READING = (
    *("data.time_format", "data.time_zone", "data.missing", "data.max_missing", "data.step", "data.max_age"),
    "data.max_csv_mb",
)
"""Settings of how the cells of a file are read."""
DECODING = "model.decoding"
"""How labels come from a chain, which needs no new training; all other settings belong to the fitted model."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 2 a mistake in what was given, 130 interrupted."""
    return _parser().run(_command, arguments)


def _parser() -> Parser:
    parser = Parser(
        prog=NAME,
        description="Count the people in a sensor log, with or without counts of its own, by a trained model, or by a "
        "model of the room that needs no training.",
        epilog=f"Settings: {STORE} (where runs and registered models are); how the file is read: {', '.join(READING)}; "
        f"of an mlp_crf, {DECODING}; with --config, all that a config has. For example: data.missing=hold",
    )
    _add_models(parser)
    parser.add_argument("--fold", type=int, metavar="N", help="with --run: the model of this fold of the experiment")
    parser.add_argument(
        "--csv", required=True, metavar="FILE", type=_source, help="the sensor log; - for standard input"
    )
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


def _add_models(parser: Parser) -> None:
    """Require one way to say which model counts."""
    models = parser.add_mutually_exclusive_group(required=True)
    models.add_argument(
        "--model",
        metavar="MODEL",
        help="name of a registered model, such as occupancy-best@current (current is meant where no alias is given) or "
        "occupancy-best:3, or folder of a saved model",
    )
    models.add_argument("--run", metavar="ID", help="run of an experiment: its final model; or of one of its folds")
    models.add_argument(
        "--config",
        metavar="FILE",
        help="config of a room_model, such as configs/room.yaml, which learns from the sensors of the log itself, "
        "without counts",
    )


def _source(text: str) -> Path:
    return Path("/dev/stdin" if text == "-" else text)


def _command(options: argparse.Namespace) -> None:
    # Imported late: `--help` is to answer at once, and a mistake without waiting for torch.
    config = _untrained(options) if options.config is not None else None
    tracking, reading, decoding = _settings(options) if config is None else (config.tracking, {}, None)
    from occupancy.cli import files  # noqa: PLC0415

    targets = list(dict.fromkeys(files.check_target(path) for path in options.out))
    if options.csv.resolve() in targets:
        raise InputError(f"--out: {options.csv} is the log itself; name another file")
    time = _time(options.explain, targets)
    from occupancy.config import Data  # noqa: PLC0415
    from occupancy.data.reading import read_files  # noqa: PLC0415

    asked = Data().model_copy(update=reading) if config is None else config.data
    cells = read_files([options.csv], asked.max_csv_mb * 1_000_000, asked.time_zone, asked.time_format)
    kind = options.format or ("" if targets else "csv")
    # Standard output is for the result alone, whatever a library prints.
    opened = _opened(options, tracking) if config is None else _learned(config, cells, options.csv)
    with redirect_stdout(sys.stderr), opened as (folder, title, said):
        # Imported when the model is found: an unknown name or run is not to wait for torch.
        from occupancy.health.finding import lines  # noqa: PLC0415
        from occupancy.serving.counting import count_people  # noqa: PLC0415
        from occupancy.serving.model import ServedModel, find_saved  # noqa: PLC0415

        served = ServedModel(find_saved(folder))
        if decoding is not None:
            served.decode_by(decoding)
        counted = count_people(served, cells, options.csv, reading)
        contents = {path: _content(path, served, counted, time) for path in targets}
    write(contents)
    _tell("model", title)
    for note in filter(None, [*said, *counted.remarks]):
        _tell("note", note)
    for line in lines(counted.findings):
        _tell("health", line)
    if kind:
        sys.stdout.write(files.to_table(counted.prediction, kind, counted.health, counted.times))
        sys.stdout.flush()
    _tell("wrote", _written(options.out, kind, len(counted.prediction)))
    _tell("found", counted.summary)


@contextmanager
def _opened(options: argparse.Namespace, tracking: Tracking) -> Iterator[tuple[Path, str, list[str]]]:
    """Yield the model's folder, what the model is called, and why it was taken where there was a choice."""
    if options.run is None and _is_folder(options.model):
        yield Path(options.model), options.model, []
        return
    from occupancy.tracking.lookup import fetched, find_in_run  # noqa: PLC0415
    from occupancy.tracking.registry import find_registered  # noqa: PLC0415

    by_name = options.run is None
    recorded = find_registered(tracking, options.model) if by_name else find_in_run(tracking, options.run, options.fold)
    with fetched(tracking, recorded) as folder:
        yield folder, recorded.title, [recorded.remark]


@contextmanager
def _learned(config: Config, cells: Cells, path: Path) -> Iterator[tuple[Path, str, list[str]]]:
    """Yield the folder of a model that learned from the sensors of the log itself, what it is called, and remarks."""
    from occupancy.data.schema import load_schema  # noqa: PLC0415
    from occupancy.serving.unlabelled import learn_unlabelled  # noqa: PLC0415
    from occupancy.setup.unlabelled import look_unlabelled  # noqa: PLC0415

    schema, told = load_schema(config.data.log_schema), []
    if config.data.log_schema == "uci" and not {*schema.sensors} & {*map(str, cells.frame.columns)}:
        try:
            seen = look_unlabelled(cells, config.data, path.name.partition(".")[0])
        except InputError as error:
            how = "keys of occupancy setup, such as time=COLUMN, are lines of a schema file here: data.schema=FILE"
            raise InputError(f"{path}: {error}{f' ({how})' if '=COLUMN' in str(error) else ''}") from None
        schema, config = seen.schema, config.model_copy(update={"data": seen.data})
        told = [f"read as {', '.join(f'{each.name}: {each.kind}' for each in schema.columns)}", *seen.checks]
    with tempfile.TemporaryDirectory() as folder:
        said = learn_unlabelled(config, schema, cells, Path(folder))
        yield Path(folder), f"{config.model.name}, learned from the log itself", [*told, *said]


def _is_folder(model: str) -> bool:
    """Return whether a model is given as a folder; a registered name has no slash in it."""
    return "/" in model or os.sep in model or (model != "" and Path(model).exists())


def _written(paths: Sequence[Path], kind: str, rows: int) -> str:
    places = [*dict.fromkeys(map(str, paths)), *(["standard output"] if kind else [])]
    return f"{', '.join(places)} ({rows:,} rows)"


def _tell(label: str, text: str) -> None:
    """Print a line on standard error; a terminal gets it broken between words, the rest below its beginning."""
    line = f"{label:<9}{text}"
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        line = textwrap.fill(line, width, subsequent_indent=" " * 9, break_long_words=False, break_on_hyphens=False)
    print(line, file=sys.stderr)


def _untrained(options: argparse.Namespace) -> Config:
    """Return the experiment whose model is to learn from the log itself."""
    from occupancy.config.parsing import load_config  # noqa: PLC0415
    from occupancy.serving.unlabelled import check_unlabelled  # noqa: PLC0415

    if options.fold is not None or options.explain is not None:
        raise InputError("--config: goes with neither --fold nor --explain, which are for trained models")
    source = f"data.source={json.dumps(str(options.csv))}"  # the log is what --csv names
    config = load_config(options.config, [*options.overrides, source])
    check_unlabelled(config)
    return config


def _settings(options: argparse.Namespace) -> tuple[Tracking, dict[str, Any], str | None]:
    """Return where the store is, the settings given of how the file is read, by name, and how to decode, if given."""
    from occupancy.config import MLPCRF, Config  # noqa: PLC0415
    from occupancy.config.keys import COMMAND_LINE, known_keys  # noqa: PLC0415
    from occupancy.config.parsing import parse_overrides, resolve  # noqa: PLC0415

    given = parse_overrides(options.overrides, "data.max_csv_mb=500")
    allowed = (STORE, *READING, DECODING)
    for key in given:
        if key not in allowed:
            near = "" if key in set(known_keys()) else "".join(difflib.get_close_matches(key, allowed, 1, 0.5))
            why = f"is unknown; did you mean {near}?" if near else "can't be set, for a fitted model keeps its own;"
            raise InputError(f"{COMMAND_LINE}: {key} {why} allowed: {', '.join(allowed)}")
    if STORE in given and options.run is None and _is_folder(options.model):
        raise InputError(f"{COMMAND_LINE}: {STORE} says where runs and registered models are; a folder is in no store")
    if options.run is None and options.fold is not None:
        raise InputError(f"{COMMAND_LINE}: --fold goes with --run; --model gives one model already")
    decoding = given.pop(DECODING, None)
    if decoding is not None:
        decoding = resolve(MLPCRF, {}, f"{COMMAND_LINE}: model", {"decoding": decoding}).decoding
    config = resolve(Config, {"name": NAME}, COMMAND_LINE, given)
    names = [key.removeprefix("data.") for key in given if key in READING]
    return config.tracking, {name: getattr(config.data, name) for name in names}, decoding


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
        return files.to_table(counted.prediction, kind, counted.health, counted.times).encode()
    figure = picture(counted) if time is None else moment_picture(served, counted, pd.Timestamp(time))
    return files.to_picture(figure, kind)


if __name__ == "__main__":
    sys.exit(main())
