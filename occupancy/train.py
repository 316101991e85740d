"""The command that trains a model on the folds of a log and records it: ``occupancy train``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from rich.console import Console

from occupancy.cli.command import Parser, run
from occupancy.errors import InputError
from occupancy.execution import workers

if TYPE_CHECKING:
    from occupancy.config import Config

NAME = "occupancy train"


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 2 a mistake in what was given, 130 interrupted."""
    options = _parser().parse_intermixed_args(arguments)
    return run(NAME, lambda: _command(options), "interrupted; what was recorded so far is kept")


def _parser() -> Parser:
    parser = Parser(
        prog=NAME,
        description="Train a model that counts people on every fold of a sensor log, and record it in MLflow.",
        epilog="Any setting of the config can be overridden, for example: model.dropout=0.3 train.max_epochs=5. "
        "In a checkout, docs/configuration.md lists them all.",
    )
    parser.add_argument("--config", required=True, metavar="FILE", help="YAML file that describes the experiment")
    parser.add_argument("--dry-run", action="store_true", help="check config, log and folds, show them, and stop")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object on one line")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings that replace the config's")
    workers.add_arguments(parser.add_argument_group("with data.folds=each_room"))
    return parser


def _command(options: argparse.Namespace) -> None:
    # Imported late: `--help` is to answer at once, and a mistyped key without waiting for torch.
    from occupancy.config.parsing import load_config  # noqa: PLC0415

    config = load_config(options.config, options.overrides)
    from occupancy.tracking.store import check_store  # noqa: PLC0415

    check_store(config.tracking.uri)  # here too, since importing what `plan` needs may take longer than the answer
    from occupancy.config import EACH_ROOM  # noqa: PLC0415

    if config.data.folds == EACH_ROOM and config.data.rooms is not None:
        _train_each(config, options)
        return
    if (given := options.cluster or options.workers) is not None:
        raise InputError(
            f"--{'cluster' if options.cluster else 'workers'} {given}: is for a model per room (data.folds=each_room); "
            "drop it, for the folds of a log are trained one after another"
        )
    from occupancy.experiments import report  # noqa: PLC0415
    from occupancy.experiments.run import conduct, plan  # noqa: PLC0415

    with redirect_stdout(sys.stderr):  # standard output is for the result alone, whatever a library prints
        experiment = plan(config)
        outcome = None if options.dry_run else conduct(experiment)
    if outcome is not None:
        if options.json:
            print(report.to_json(outcome))
        else:
            Console().print(report.closing_table(outcome), crop=False)
    elif options.json:
        print(report.plan_json(experiment.config, experiment.log, experiment.folds))
    else:
        print(experiment.config.to_yaml())
        Console().print(report.fold_table(experiment.folds, experiment.config.data.max_count + 1))


def _train_each(config: Config, options: argparse.Namespace) -> None:
    from occupancy.experiments import rooms_report  # noqa: PLC0415
    from occupancy.experiments.rooms import conduct, plan  # noqa: PLC0415

    with redirect_stdout(sys.stderr):
        experiment = plan(config)
        if options.dry_run:
            checked = list(experiment.check())
        else:
            with workers.open_workers(options) as opened:
                result = conduct(experiment, opened)
    if not options.dry_run:
        print(rooms_report.to_json(result)) if options.json else Console().print(
            rooms_report.closing_table(result), crop=False
        )
    elif options.json:
        print(rooms_report.plan_json(experiment, checked))
    else:
        print(experiment.config.to_yaml())
        Console().print(rooms_report.plan_lines(experiment, checked), crop=False)


if __name__ == "__main__":
    sys.exit(main())
