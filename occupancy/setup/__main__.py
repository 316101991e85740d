"""The command that looks at a log as people have it, and writes what training needs: ``occupancy setup``."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from occupancy.cli.command import Parser
from occupancy.errors import InputError
from occupancy.files import write

if TYPE_CHECKING:
    from occupancy.setup.survey import Survey

_TAKEN = ("uci", "simulated", "auto")  # names of logs that the package knows
FILES = ("schema.yaml", "folds.yaml", "config.yaml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 2 a mistake in what was given, 130 interrupted."""
    return _parser().run(_command, arguments)


def _parser() -> Parser:
    parser = Parser(
        prog="occupancy setup",
        description="Look at a sensor log as your tools write it, show what was understood, and write the schema, the "
        "folds and the config that training needs.",
        epilog="What can't be seen in the files is told as key=value: name, time, count, ignore, keep, time_zone, "
        "time_format, step, hold_counts, max_count, volume_m3, most_people. For example: occupancy setup office.csv "
        "--out office time_zone=Europe/Berlin volume_m3=72 'ignore=[lamp, plug_*]'",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="the files of one room, or key=value")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help=f"write {', '.join(FILES)} here; without it: only show"
    )
    parser.add_argument("--force", action="store_true", help="replace the files of an earlier setup")
    parser.add_json("what was understood")
    return parser


def _command(options: argparse.Namespace) -> None:
    # Imported late, so that `--help` and a mistyped key are answered without waiting for pandas.
    from occupancy.config.keys import COMMAND_LINE  # noqa: PLC0415
    from occupancy.config.parsing import parse_overrides, resolve  # noqa: PLC0415
    from occupancy.setup.answers import Answers  # noqa: PLC0415

    paths = [Path(text) for text in options.files if "=" not in text or Path(text).is_file()]
    # Notes name the keys of training, such as data.time_zone, which mean the same here.
    given = [text.lstrip().removeprefix("data.") for text in options.files if "=" in text and not Path(text).is_file()]
    answers = resolve(Answers, {}, COMMAND_LINE, parse_overrides(given))
    if not paths:
        raise InputError("got no file, expected the files of a log; occupancy setup FILE... --out FOLDER")
    targets = _targets(options.out, options.force) if options.out is not None else None
    from occupancy.setup import report  # noqa: PLC0415
    from occupancy.setup.look import look  # noqa: PLC0415

    with redirect_stdout(sys.stderr):  # standard output is only for the result, whatever a library prints
        found = look(paths, answers, answers.name or _name(options.out, paths))
    if targets is not None:
        _write(found, targets)
    if options.json:
        print(json.dumps({**report.to_tree(found), "wrote": list(map(str, targets or []))}, allow_nan=False))
        return
    Console().print(report.report(found))
    if targets is None:
        print("\nnothing is written; add --out FOLDER")
    else:
        print(f"\nwrote    {', '.join(map(str, targets))}\nnext     occupancy train --config {targets[2]}")


def _targets(folder: Path, replaced: bool) -> list[Path]:
    """Return the paths of the files to write, in an order of their own; the folder is made by `_write`."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out: {folder} is a file, expected a folder; name another")
    targets = [folder / name for name in FILES]
    if not replaced and (there := [path for path in targets if path.exists()]):
        raise InputError(f"--out: {there[0]} is there already; name another folder, or replace it with --force")
    return targets


def _name(folder: Path | None, paths: Sequence[Path]) -> str:
    """Return the name of the room: that of the folder, or of the first file."""
    stem = folder.resolve().name if folder is not None else paths[0].name.partition(".")[0]
    name = re.sub(r"[^\w.-]+", "_", stem).strip("_.")[:100] or "room"
    return f"{name}_room" if name in _TAKEN else name


def _write(found: Survey, targets: Sequence[Path]) -> None:
    from occupancy.setup.documents import config_text, schema_text, scheme_text  # noqa: PLC0415

    schema, folds, config = targets
    try:
        schema.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out: {schema.parent} can't be made ({error.strerror}); name another folder") from None
    write(
        {
            schema: schema_text(found.schema, found.columns).encode(),
            folds: scheme_text(found).encode(),
            config: config_text(found, str(schema), str(folds)).encode(),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
