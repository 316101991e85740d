"""The command that finds, checks and describes a sensor log: ``occupancy data``."""

from __future__ import annotations

import argparse
import json
import math
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from occupancy.cli.arguments import count
from occupancy.cli.command import Parser
from occupancy.cli.files import check_target
from occupancy.errors import InputError, InputWarning

if TYPE_CHECKING:
    from occupancy.config import Data
    from occupancy.data.log import Log

LISTED_GAPS = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 the log is valid, 2 the log or an argument is not, 130 interrupted."""
    return _parser().run(_command, arguments)


def _parser() -> Parser:
    parser = Parser(
        prog="occupancy data",
        description="Find or download a sensor log, check it in the same way as training does, and describe it.",
        epilog="Keys are those of the data section of a config, for example: source=uci, or source=room.csv missing="
        "hold. If folds is given, the log is also cut into the folds of that scheme, to check them.",
    )
    parser.add_json("the description")
    parser.add_argument("--out", type=Path, metavar="PATH", help="write the simulated log into this CSV file instead")
    parser.add_argument("--rooms", type=count, metavar="N", help="with --out: write N different rooms into a folder")
    parser.add_overrides("settings, with or without 'data.' in front")
    return parser


def _command(options: argparse.Namespace) -> None:
    # Imported late, so that `--help` and a mistyped key are answered without waiting for pandas.
    from occupancy.config.parsing import parse_data_settings  # noqa: PLC0415

    settings = parse_data_settings("data", options.overrides)
    if options.out is not None or options.rooms is not None:
        _write(settings, options.out, options.rooms, options.json)
        return
    from occupancy.data.folds import cut, load_scheme  # noqa: PLC0415
    from occupancy.data.source import open_log  # noqa: PLC0415
    from occupancy.health.examine import examine  # noqa: PLC0415
    from occupancy.health.finding import lines  # noqa: PLC0415

    with redirect_stdout(sys.stderr):  # standard output is only for the result, whatever a library prints
        log, settled = open_log(settings)
        if "folds" in settings.model_fields_set:
            cut(log, load_scheme(settled.folds))
        findings = examine(log)
        for line in lines(findings):
            warnings.warn(f"{log.name}: {line}", InputWarning, stacklevel=1)
        facts = _facts(log, _origin(settled), settled.max_count)
        facts["health"] = [finding.to_json() for finding in findings]
    print(json.dumps(facts, allow_nan=False)) if options.json else Console().print(_tables(facts))


def _write(settings: Data, out: Path | None, rooms: int | None, as_json: bool) -> None:
    if out is None:
        raise InputError(f"--rooms: got {rooms} without a folder to write them into; add --out FOLDER")
    if settings.source != "simulated":
        raise InputError(f"--out: got source={settings.source}, expected simulated; add source=simulated")
    from occupancy.data.export import write_log, write_rooms  # noqa: PLC0415

    if as_json:
        raise InputError("--json: describes a log, but --out writes one; drop one of them")
    simulation = settings.simulation
    if rooms is None:
        write_log(simulation, check_target(out, endings=["csv"]))
    paths = [out] if rooms is None else write_rooms(simulation, rooms, out)
    last = f" to {paths[-1]}" if len(paths) > 1 else ""
    print(f"wrote    {paths[0]}{last}")


def _origin(settings: Data) -> str | None:
    """Return the paths of the files that hold the log, or None if there are none."""
    from occupancy.data.download import find_uci  # noqa: PLC0415
    from occupancy.data.source import sources  # noqa: PLC0415

    if settings.source == "simulated":
        return None
    return str(find_uci()) if settings.source == "uci" else ", ".join(sources(settings))


def _facts(log: Log, origin: str | None, max_count: int) -> dict[str, Any]:
    """Return the description of a log as plain values; unknown values are None."""
    from occupancy.data.clock import with_offset  # noqa: PLC0415

    times = log.times.to_series()
    ends = with_offset(log.times[[0, -1]], log.clock)
    steps = (times.shift(-1) - times).dt.total_seconds()  # from each row to the next
    gaps = steps[steps > log.max_gap]
    from occupancy.data.holes import longest_run  # noqa: PLC0415 (late, as pandas)

    counts, held = log.frame[log.schema.count].value_counts(), log.held
    sensors = [column for column in log.schema.columns if column.name in log.frame.columns]
    return {
        "name": log.name,
        "origin": origin,
        "rows": len(log.frame),
        "first": str(ends[0]),
        "last": str(ends[1]),
        "step_s": None if math.isnan(log.step_s) else log.step_s,
        "digest": log.digest,
        "unlabelled": int(log.frame[log.schema.count].isna().sum()),
        "labels": {str(label): int(counts.get(label, 0)) for label in range(max_count + 1)},
        "missing": int(log.missing.to_numpy().sum()),
        "max_gap": log.max_gap,
        "gaps": [{"start": str(start), "length_s": float(length)} for start, length in gaps.items()],
        "columns": [
            {
                "name": column.name,
                "kind": column.kind,
                "unit": column.unit,
                "missing": int(log.missing[column.name].sum()),
                "held": int(held[column.name].sum()),
                "longest_missing": longest_run(log.missing[column.name].to_numpy()),
                **{what: _known(log.frame[column.name].agg(what)) for what in ("min", "mean", "max")},
            }
            for column in sensors
        ],
    }


def _known(number: float) -> float | None:
    return None if math.isnan(number) else float(number)


def _tables(facts: dict[str, Any]) -> Group:
    labels = ", ".join(f"{label}: {rows:,}" for label, rows in facts["labels"].items())
    lines = {
        "log": facts["name"],
        "file": facts["origin"] or "none",
        "rows": f"{facts['rows']:,}",
        "first row": facts["first"],
        "last row": facts["last"],
        "step": "unknown" if facts["step_s"] is None else f"{facts['step_s']:g} s",
        "digest": facts["digest"],
        "rows of each count": labels + (f", none: {facts['unlabelled']:,}" if facts["unlabelled"] else ""),
        "missing readings": f"{facts['missing']:,}",
        f"gaps over {facts['max_gap']:g} s": _gaps(facts["gaps"]),
    }
    summary = Table.grid(padding=(0, 2))
    for heading, value in lines.items():
        summary.add_row(heading, Text(value, overflow="fold"))
    columns = Table()
    for heading in ("column", "unit"):
        columns.add_column(heading)
    for heading in ("min", "mean", "max", "missing", "longest"):
        columns.add_column(heading, justify="right")
    for column in facts["columns"]:
        numbers = ("" if column[what] is None else f"{column[what]:.5g}" for what in ("min", "mean", "max"))
        missing = (f"{column[what]:,}" for what in ("missing", "longest_missing"))
        columns.add_row(Text(column["name"]), Text(column["unit"]), *numbers, *missing)
    return Group(summary, columns)


def _gaps(gaps: Sequence[dict[str, Any]]) -> str:
    shown = [f"{gap['start']} for {timedelta(seconds=gap['length_s'])}" for gap in gaps[:LISTED_GAPS]]
    more = [f"and {len(gaps) - LISTED_GAPS:,} more"] if len(gaps) > LISTED_GAPS else []
    return "\n".join([*shown, *more]) or "none"


if __name__ == "__main__":
    sys.exit(main())
