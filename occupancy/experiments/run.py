"""An experiment from its configuration to its record: check everything first, then train every fold."""

from __future__ import annotations

from dataclasses import dataclass

from occupancy.cli.progress import FoldProgress
from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.data.rooms import folds_of
from occupancy.data.source import open_log
from occupancy.data.table import Log
from occupancy.execution.fold import costs, run_fold
from occupancy.experiments import report
from occupancy.experiments.report import Outcome
from occupancy.experiments.room_scores import of_folds
from occupancy.explanation import report as explanation
from occupancy.explanation.record import log_files
from occupancy.metrics import aggregate, score
from occupancy.models import check_sensors
from occupancy.models.neural.task import accelerator
from occupancy.plots import rooms
from occupancy.plots.folds import fold_timeline
from occupancy.tracking import write
from occupancy.tracking.store import check_store


@dataclass(frozen=True)
class Plan:
    """An experiment that can begin: nothing about it is known to be wrong.

    Attributes:
        config: the settings as they will be carried out (``auto`` is decided).
        log: the validated log.
        folds: its rows by part.
    """

    config: Config
    log: Log
    folds: list[Fold]


def check_means(config: Config) -> None:
    """Find out whether device and store are there, which takes no look at a log.

    Raises:
        InputError: they are not; nothing has been written.
    """
    accelerator(config.train.device)
    check_store(config.tracking.uri)
    write.check_experiment(config)


def plan(config: Config) -> Plan:
    """Return the experiment that a configuration asks for, after checking device, store, log and folds.

    Raises:
        InputError: something about it is wrong; nothing has been written.
    """
    check_means(config)
    log, data = open_log(config.data)
    check_sensors(log, config)
    config = config.model_copy(update={"data": data})
    folds = folds_of(log, data)
    explanation.check(config, folds)
    return Plan(config, log, folds)


def conduct(experiment: Plan) -> Outcome:
    """Return what the experiment gave, having trained, scored and recorded every fold."""
    config, log, folds = experiment.config, experiment.log, experiment.folds
    results, explained = [], []
    with write.experiment(config, log, folds) as record:
        with FoldProgress(len(folds)) as progress:
            for fold in folds:
                with record.fold(fold.number):
                    results.append(run_fold(config, fold, progress.fold(fold.number)))
                    record.log_fold(results[-1])
                    if (why := explanation.explain_fold(results[-1])) is not None:
                        explained.append(why.table)
                        log_files(why.figures, why.texts, why.metrics)
        parts = [(result.prediction, result.truth) for result in results]
        pooled = {f"{key}_pooled": value for key, value in score(parts, log.max_gap).items()}
        metrics = {**aggregate([result.metrics for result in results]), **pooled}
        outcome = Outcome(record.run_id, config, log, results, metrics, of_folds(results) if log.rooms else None)
        causal = all(result.prediction.causal for result in results)
        costly = {**metrics, **costs(results)}
        title = f"Folds {config.data.folds} of the log {log.name}: what each trains on, chooses with and is tested on"
        drawn = rooms.parts(folds, title) if log.rooms else fold_timeline(folds, title)
        record.log_summary(costly, report.description(outcome), drawn, causal)
        if explained:
            log_files({"importance": explanation.draw_folds(explained, config)})
        if outcome.rooms is not None:
            where = f"{config.name}: one model over the rooms of {log.name}, each tested without having been seen"
            record.log_rooms(outcome.rooms, rooms.draw(outcome.rooms, where))
    return outcome
