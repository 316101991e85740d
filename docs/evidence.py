"""The tables and pictures of docs/results.md, from recorded predictions.

    python docs/evidence.py [tracking.uri=sqlite:///mlflow.db] [data.folds=forward]

Prints tables in Markdown: how often each model changes its label, and where; and the share of rows within two standard
deviations of the predicted mean. Draws docs/images/labels_<scheme>.png, every model over one fold; and for each
calibrated model its reliability and its error when the least certain rows are not answered.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from occupancy.cli.command import run
from occupancy.compare import Question
from occupancy.comparison import panels, uncertainty
from occupancy.comparison.groups import Group
from occupancy.comparison.reading import read_comparison
from occupancy.config.keys import COMMAND_LINE
from occupancy.config.parsing import parse_overrides, resolve
from occupancy.tracking.stored_runs import FoldRows

FOLD = 1
IMAGES = Path(__file__).parent / "images"


def main(overrides: Sequence[str]) -> None:
    """Print the tables and draw the pictures of the runs that a comparison would show."""
    question = resolve(Question, {}, COMMAND_LINE, parse_overrides(overrides))
    groups = read_comparison(question.tracking, question.data.folds).groups
    print(f"Label changes on {question.data.folds}, all folds together, mean over seeds\n")
    print("\n".join(_table(["changes", "of them inside windows of 25", "true changes"], groups, _changes)))
    folds = [*(f"fold {rows.number}" for rows in groups[0].parts[0]), "all rows"]
    print(f"\nRows within {uncertainty.BAND} std of the predicted mean on {question.data.folds}, mean over seeds\n")
    print("\n".join(_table(folds, groups, partial(_band, spread="std"))))
    sampled = [group for group in groups if uncertainty.samples(group)]
    print("\nThe same for the models that sample, with the spread of their samples only\n")
    print("\n".join(_table(folds, sampled, partial(_band, spread="epistemic"))))
    max_gap = float(groups[0].runs[0].params["data.max_gap"])
    title = f"Fold {FOLD} of {question.data.folds}: where each model's label leaves the truth"
    figure = panels.labels_over_time(groups, FOLD, title, max_gap)
    figure.savefig(IMAGES / f"labels_{question.data.folds}.png")
    for group in groups:
        if "calibration.label" in group.runs[0].params:
            for name, draw in (("reliability", panels.reliability), ("refusal", uncertainty.selective_prediction)):
                draw(group).savefig(IMAGES / f"{name}_{group.name}_{question.data.folds}.png")


def _changes(group: Group) -> list[str]:
    """Return how often the label changes within a recording: at any row, and inside the windows of the report."""
    max_gap = float(group.runs[0].params["data.max_gap"])
    counts = np.array([[_count(rows, max_gap) for rows in parts] for parts in group.parts]).sum(axis=1).mean(axis=0)
    return [f"{count:.0f}" for count in counts]


def _count(rows: FoldRows, max_gap: float) -> tuple[int, int, int]:
    follows = np.diff(rows.times) / np.timedelta64(1, "s") <= max_gap
    changed = (np.diff(rows.label) != 0) & follows
    # Windows start again after each gap, as in a model that decodes them.
    start = np.maximum.accumulate(np.where(np.append(True, ~follows), np.arange(len(rows.label)), 0))
    inside = (np.arange(len(rows.label)) - start)[1:] % 25 != 0
    return int(changed.sum()), int((changed & inside).sum()), int(((np.diff(rows.truth) != 0) & follows).sum())


def _band(group: Group, spread: str) -> list[str]:
    """Return the share of rows within the band, for each fold and for all rows."""
    within = [[uncertainty.within_band(rows, spread) for rows in parts] for parts in group.parts]
    pooled = np.mean([np.concatenate(parts).mean() for parts in within])
    return [f"{share:.2f}" for share in [*uncertainty.band_by_fold(group, spread), pooled]]


def _table(headings: Sequence[str], groups: Sequence[Group], cells: Callable[[Group], list[str]]) -> Iterator[str]:
    yield f"| model | {' | '.join(headings)} |"
    yield "| --- " * (len(headings) + 1) + "|"
    for group in groups:
        title = f"{group.name} ({group.protocol})" + (f", {group.variant}" if group.variant else "")
        yield f"| {title} | {' | '.join(cells(group))} |"


if __name__ == "__main__":
    sys.exit(run("docs/evidence.py", lambda: main(sys.argv[1:])))
