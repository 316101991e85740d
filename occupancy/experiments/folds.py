"""An experiment on the folds of one log, and the model to use, which is fitted on all its rows."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from functools import cached_property, partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from occupancy.data.folds import final_fold
from occupancy.data.log import Log
from occupancy.execution.references import pool
from occupancy.execution.unit import Failure, Outcome, Scores, Unit
from occupancy.experiments import report
from occupancy.experiments.experiment import Experiment
from occupancy.experiments.keep import Kept, keep_fold, keep_model
from occupancy.experiments.plan import Plan
from occupancy.experiments.result import FoldScores, Result
from occupancy.experiments.room_scores import of_folds
from occupancy.explanation.report import draw_folds
from occupancy.files import to_csv
from occupancy.metrics import aggregate, score
from occupancy.plots import rooms as rooms_figures
from occupancy.plots.folds import fold_timeline
from occupancy.tracking.fold import Tested, log_fold
from occupancy.tracking.model import log_model
from occupancy.tracking.record import EXPLANATION, log_dataset
from occupancy.tracking.registry import register
from occupancy.tracking.request import Job


class FoldsExperiment(Experiment[Result]):
    """The folds of one log, each tested, and the model to use, which is not."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.title, plan.request)
        self.plan = plan
        assert plan.log is not None, "folds are those of a log"
        self._log: Log = plan.log
        self._tested: dict[int, Tested] = {}
        self._explained: dict[int, pd.DataFrame] = {}
        self._model_id: str | None = None

    @cached_property
    def units(self) -> Sequence[Unit]:
        """One for the model to use, and one a fold.

        The first takes longest, because it learns from all rows: begun last, it would keep one core busy and leave the
        others idle.
        """
        config, folds = self.plan.config, self.plan.folds
        final = [Unit(config, final_fold(folds), "nothing", keep_model)] if config.has_final else []
        return [*final, *(Unit(config, fold, "test", keep_fold) for fold in folds)]

    @property
    def is_over(self) -> bool:
        """Whether a fold failed, or all is done: the scores of the folds are recorded without a model to use too."""
        failed = (isinstance(each, Failure) for unit, each in self.outcomes.items() if unit.scored == "test")
        return any(failed) or len(self.outcomes) == self.size

    def take(self, unit: Unit, outcome: Outcome) -> None:
        """Record a fold as a run of its own; the model to use belongs to the parent run."""
        # Without the saved model and the figures, which are in the record then: hundreds of folds may follow.
        self.outcomes[unit] = outcome if isinstance(outcome, Failure) else dataclasses.replace(outcome, kept=None)
        record, number = self.open(), unit.source.number
        if unit.scored == "nothing":
            if isinstance(outcome, Failure):
                self.failure = Failure(f"train.final: the model to use: {outcome.error}")
            else:
                self._model_id = self._log_model(record.run_id, "final", outcome.kept, outcome)
            return
        job = Job(unit, f"fold {number}", tags={"fold": str(number)})
        if isinstance(outcome, Failure):
            self.failure = outcome
            record.write(job, outcome)
            return
        tested = Tested(unit.source.load(), outcome.kept.prediction, outcome.kept.truth)
        record.write(job, outcome, partial(self._write_fold, tested, outcome))
        self._tested[number] = tested

    def summarize(self) -> Result:
        """Record the scores averaged and pooled, and make the model to use the current one of its name."""
        plan, record = self.plan, self.open()
        scores = {unit.source.number: outcome for unit, outcome in self.outcomes.items() if unit.scored == "test"}
        folds = [
            FoldScores(number, outcome.rows["test"], outcome.chosen_epochs, outcome.metrics)
            for number, outcome in sorted(scores.items())
            if isinstance(outcome, Scores)
        ]
        tested = [self._tested[fold.number] for fold in folds]
        parts = [(each.prediction, each.truth) for each in tested]
        references = pool(pd.DataFrame([fold.metrics for fold in folds]), [fold.rows for fold in folds])
        whole = score(parts, self._log.max_gap) | references
        pooled = {f"{key}_pooled": value for key, value in whole.items()}
        metrics = {**aggregate([dict(fold.metrics) for fold in folds]), **pooled}
        rooms = of_folds(tested) if self._log.rooms else None
        model = self._register(metrics)
        result = Result(record.run_id, plan, metrics, len(self._log.frame), folds, rooms, model)
        causal = all(each.prediction.causal for each in tested)
        texts = {} if rooms is None else {"rooms.csv": to_csv(rooms)}
        if plan.findings:
            texts["health.json"] = json.dumps([finding.to_json() for finding in plan.findings], indent=2)
        costs = _costs([outcome for outcome in scores.values() if isinstance(outcome, Scores)])
        record.summarize(
            {**metrics, **costs}, {"causal": str(causal)}, self._figures(rooms), texts, report.description(result)
        )
        return result

    def _write_fold(self, tested: Tested, outcome: Scores, run_id: str) -> None:
        record, config, kept = self.open(), self.plan.config, outcome.kept
        assert isinstance(kept, Kept)
        log_dataset(record.client, run_id, self._log)
        log_fold(record.client, run_id, config, tested, kept.history, outcome.chosen_epochs)
        self._log_model(run_id, f"fold-{tested.fold.number}", kept.files, outcome)
        if (why := kept.explained) is not None:
            self._explained[tested.fold.number] = why.table
            record.log_explanation(run_id, why.figures, why.texts, why.metrics)

    def _log_model(self, run_id: str, part: str, files: Mapping[str, bytes], outcome: Scores) -> str:
        config = self.plan.config
        is_refitted = config.learns_validation or part == "final"
        rows = outcome.rows["train"] + (outcome.rows["validation"] if is_refitted else 0)
        return log_model(run_id, config, self._log, part, rows, files)

    def _figures(self, rooms: pd.DataFrame | None) -> Mapping[str, Figure]:
        config, folds = self.plan.config, self.plan.folds
        title = f"Folds {config.data.folds} of the log {self._log.name}: what each trains on, chooses with and tests"
        drawn = rooms_figures.parts(folds, title) if self._log.rooms else fold_timeline(folds, title)
        figures = {"figures/folds": drawn}
        if rooms is not None:
            where = f"{config.name}: one model over the rooms of {self._log.name}, each tested without having been seen"
            figures["figures/rooms"] = rooms_figures.draw(rooms, where)
        if self._explained:
            tables = [table for _, table in sorted(self._explained.items())]
            figures[f"{EXPLANATION}/importance"] = draw_folds(tables, config)
        return figures

    def _register(self, metrics: Mapping[str, float]) -> str | None:
        """Return the model to use as commands take it: by its name, or if it is not registered, by its run."""
        name, record = self.plan.config.registered_name, self.open()
        if self._model_id is None or name is None:
            return None
        tags = {"log": self._log.name, "rows": str(len(self._log.frame)), "digest": self._log.digest}
        tags |= {f"{key}_avg": f"{metrics[f'{key}_avg']:.4g}" for key in ("mse", "f1_macro")}
        return register(record.client, name, self._model_id, record.run_id, tags)


def _costs(folds: Sequence[Scores]) -> dict[str, float]:
    """Return what folds took together: seconds to fit, microseconds to predict a row, numbers learned in a fold."""
    rows = np.array([fold.rows["test"] for fold in folds])
    fit_s, predict_us, parameters = (
        np.array([fold.costs[key] for fold in folds]) for key in ("fit_s", "predict_us", "parameters")
    )
    return {
        "fit_s": float(fit_s.sum()),
        "predict_us": float(np.average(predict_us, weights=rows)),
        "parameters": float(parameters.max()),
    }
