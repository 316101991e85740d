"""How well `occupancy setup` understands the exports of six tools, and whether training starts from what it writes.

    python -m benchmarks.setup [--train 2]

Makes twenty exports of simulated rooms (`tests/setup/exports.py`), runs setup on each as people would, and plans the
training that it wrote, as `occupancy train --dry-run` does; some are also trained. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

from occupancy.__main__ import main as occupancy
from occupancy.config.parsing import parse_overrides, resolve
from occupancy.setup.answers import Answers
from occupancy.setup.look import look
from tests.setup.exports import Export, exports, wrong_columns


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, a line as soon as it is measured, and the shares at the end."""
    parser = argparse.ArgumentParser(description="Measure what setup understands.")
    parser.add_argument("--train", type=int, default=2, help="exports of different tools that are trained too")
    options = parser.parse_args(arguments)
    os.environ["TZ"] = "UTC"
    columns = wrong = started = 0
    tools: set[str] = set()
    print("| export | tool | columns | wrong | training |\n| --- | --- | --- | --- | --- |")
    for number, export in enumerate(exports(), start=1):
        trains = export.tool not in tools and len(tools) < options.train
        with tempfile.TemporaryDirectory() as folder, chdir(folder), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen, lines, told = measure(export, trains)
        tools |= {export.tool} if trains else set()
        columns, wrong, started = columns + seen, wrong + len(lines), started + (told in ("starts", "trained"))
        print(f"| {number} | {export.tool} | {seen} | {'; '.join(lines) or 'none'} | {told} |", flush=True)
    print(f"\n{1 - wrong / columns:.1%} of {columns} columns are right; training starts in {started} of {number}")


def measure(export: Export, trains: bool) -> tuple[int, list[str], str]:
    """Return how many columns an export has, what is wrong with them, and whether its training starts."""
    paths = export.write(Path("files"))
    try:
        found = look(paths, resolve(Answers, {}, "benchmark", parse_overrides(export.answers)), "room")
    except ValueError as error:
        return len(export.truth), [f"all: {error}"] * len(export.truth), "no"
    lines = wrong_columns(found.columns, export.truth)
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        code = occupancy(["setup", *map(str, paths), "--out", "room", *export.answers])
        code = code or occupancy(["train", "--config", "room/config.yaml", *([] if trains else ["--dry-run"])])
    told = ("trained" if trains else "starts") if code == 0 else output.getvalue().strip().splitlines()[-1]
    return len(found.columns), lines, told


if __name__ == "__main__":
    main()
