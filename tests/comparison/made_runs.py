"""Runs as `occupancy.tracking.read` would read them from a store, for tests that need no store."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from occupancy.comparison.grouping import compare
from occupancy.comparison.groups import Comparison
from occupancy.tracking.stored_runs import FoldRows, FoldRun, Run

TRUTHS = ([0, 0, 1, 1, 2, 2], [0, 0, 0, 3])
_ids = itertools.count()


def make_rows(number: int, truth: Sequence[int], label: Sequence[int], classes: int = 4, step_s: int = 30) -> FoldRows:
    start = np.datetime64("2024-01-01T10:00:00", "ns") + np.timedelta64(number, "D")
    times = start + np.arange(len(truth)) * np.timedelta64(step_s, "s")
    probs = 0.7 * np.eye(classes)[list(label)] + 0.3 / classes
    mean = probs @ np.arange(classes)
    std = np.sqrt(probs @ np.square(np.arange(classes)) - np.square(mean))
    return FoldRows(number, times, np.array(truth), np.array(label), probs, mean, std, np.zeros(len(truth)))


def make_parts(wrong: Sequence[int] = (), truths: Sequence[Sequence[int]] = TRUTHS) -> list[FoldRows]:
    """Return folds whose labels are right, but at some rows, numbered over all folds, one too few or too many."""
    parts, before = [], 0
    for number, truth in enumerate(truths, start=1):
        label = list(truth)
        for row in wrong:
            if 0 <= row - before < len(truth):
                label[row - before] += 1 if label[row - before] == 0 else -1
        parts.append(make_rows(number, truth, label))
        before += len(truth)
    return parts


class Made:
    """A store in memory."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.parts: dict[str, Sequence[FoldRows]] = {}

    def add(
        self,
        name: str = "lstm",
        wrong: Sequence[int] = (),
        parts: Sequence[FoldRows] | None = None,
        status: str = "FINISHED",
        seed: int = 0,
        settings: dict[str, str] | None = None,
        commit: str = "c1",
        **tags: str,
    ) -> Run:
        """Add a run whose scores fit its predictions, later than those before it."""
        parts = make_parts(wrong) if parts is None else parts
        scores = [
            {
                "mse": float(np.square(rows.label - rows.truth).mean()),
                "f1_macro": float((rows.label == rows.truth).mean()),
            }
            for rows in parts
        ]
        metrics = {}
        for key in ("mse", "f1_macro"):
            metrics[f"{key}_avg"] = float(np.mean([score[key] for score in scores]))
            metrics[f"{key}_std"] = float(np.std([score[key] for score in scores]))
        settings = settings or {}
        told = {
            "protocol": "honest",
            "dataset": "uci",
            "digest": "d1",
            "folds": "forward",
            "folds_digest": "f1",
            "model": "lstm",
            "config_key": f"key of {name} {sorted(settings.items())}",
            "selection": "shared",
            "mlflow.source.git.commit": commit,
            **tags,
        }
        number = next(_ids)
        run = Run(
            run_id=f"run{number}",
            name=name,
            status=status,
            ended=number + 1,
            tags=told,
            params={"seed": str(seed), "name": name, "data.max_gap": "120.0", "model.name": "lstm", **settings},
            metrics={**metrics, "fit_s": 12.5, "predict_us": 345.6, "parameters": 12_345.0, "nll_avg": 0.25},
            folds=[FoldRun(rows.number, score, "") for rows, score in zip(parts, scores, strict=True)],
        )
        self.runs.append(run)
        self.parts[run.run_id] = parts
        return run

    def load(self, run: Run) -> Sequence[FoldRows]:
        return self.parts[run.run_id]

    def compare(self, scheme: str = "forward") -> Comparison:
        return compare(self.runs, scheme, self.load)
