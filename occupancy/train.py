"""The command that trains models on the folds of a log and records them: ``occupancy train``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from rich.console import Console

from occupancy.cli.arguments import add_workers
from occupancy.cli.command import Parser
from occupancy.errors import InputError, shortened
from occupancy.execution import workers

if TYPE_CHECKING:
    from occupancy.config import Config
    from occupancy.experiments.plan import Plan

NAME = "occupancy train"


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 2 a mistake in what was given, 130 interrupted."""
    return _parser().run(_command, arguments, "interrupted; what was recorded so far is kept")


def _parser() -> Parser:
    parser = Parser(
        prog=NAME,
        description="Train a model that counts people on every fold of a sensor log, then on all of it for use, and "
        "record everything in MLflow.",
        epilog="Any setting of the config can be overridden, for example: model.dropout=0.3 train.max_epochs=5. "
        "In a checkout, docs/configuration.md lists them all.",
    )
    parser.add_argument(
        "--config", required=True, nargs="+", metavar="FILE", help="YAML files, each of which describes an experiment"
    )
    parser.add_argument(
        "--seeds",
        nargs="+",
        default=[],
        metavar="N",
        help="run each config with each of these seeds, not its own; the first gives the model to use",
    )
    add_workers(parser)
    parser.add_argument("--dry-run", action="store_true", help="check config, log and folds, show them, and stop")
    parser.add_json()
    parser.add_overrides("settings that replace those of each config")
    return parser


def _command(options: argparse.Namespace) -> None:
    configs = _configs(options)
    # Imported late: `--help` answers at once, and a mistyped key without waiting for what follows.
    from occupancy.tracking.experiment import check_experiment  # noqa: PLC0415
    from occupancy.tracking.store import check_store  # noqa: PLC0415

    for tracking in {config.tracking.uri: config.tracking for config in configs}.values():
        check_store(tracking.uri)  # here too, since importing what `plan_all` needs may take longer than the answer
        check_experiment(tracking)
    if not options.dry_run and not options.json:
        names = ", ".join(dict.fromkeys(config.name for config in configs))
        print(f"training {names}: loading the log", flush=True)
    from occupancy.experiments.plan import plan_all  # noqa: PLC0415

    with redirect_stdout(sys.stderr):  # standard output is for the result alone, whatever a library prints
        plans = plan_all(configs)
    if options.dry_run:
        for plan in plans:
            _show_plan(plan, options.json)
    else:
        _conduct(plans, options)


def _configs(options: argparse.Namespace) -> list[Config]:
    """Return the experiment of each config and seed."""
    from occupancy.config.parsing import load_configs, parse_overrides  # noqa: PLC0415
    from occupancy.config.section import LARGEST_SEED  # noqa: PLC0415

    # Settings may stand anywhere; argparse counts those that follow `--config` or `--seeds` to these.
    given = [*options.config, *options.seeds, *options.overrides]
    overrides = [text for text in given if "=" in text] + [text for text in options.overrides if "=" not in text]
    files, seeds = ([text for text in texts if "=" not in text] for texts in (options.config, options.seeds))
    if not files:
        raise InputError("--config: got settings only, expected the YAML file of an experiment first")
    for seed in seeds:
        if not seed.isdecimal() or len(seed) > len(str(LARGEST_SEED)):
            raise InputError(f"--seeds: got {shortened(seed)}, expected whole numbers from 0 on")
    if seeds and "seed" in parse_overrides(overrides):
        raise InputError("command line: seed conflicts with --seeds; give one of them")
    chosen = list(dict.fromkeys(map(int, seeds)))
    configs = []
    for file in dict.fromkeys(files):
        first, *others = load_configs(file, overrides, chosen)
        configs += [first, *map(_without_final, others)]
    return configs


def _without_final(config: Config) -> Config:
    """Return an experiment without a model to use: of several seeds, the first one gives it."""
    return config.model_copy(update={"train": config.train.model_copy(update={"final": False})})


def _show_plan(plan: Plan, as_json: bool) -> None:
    from occupancy.experiments import report, rooms_report  # noqa: PLC0415

    if plan.log is None:
        checked = list(plan.check_rooms())
        tree, shown = rooms_report.plan_tree(plan, checked), rooms_report.plan_lines(plan, checked)
    else:
        tree, shown = report.plan_tree(plan), report.plan_table(plan)
    if as_json:
        print(json.dumps(tree, allow_nan=False))
    else:
        print(plan.config.to_yaml())
        Console().print(shown, crop=False)


def _conduct(plans: Sequence[Plan], options: argparse.Namespace) -> None:
    from occupancy.execution.unit import Failure  # noqa: PLC0415
    from occupancy.experiments import report, rooms_report, summary  # noqa: PLC0415
    from occupancy.experiments.run import conduct, conduct_one  # noqa: PLC0415

    with redirect_stdout(sys.stderr), workers.open_workers(options) as opened:
        if len(plans) == 1:
            result = conduct_one(plans[0], opened)
        else:
            given = list(zip(plans, conduct(plans, opened), strict=True))
    if len(plans) == 1:
        closing = report.closing_table if plans[0].log is not None else rooms_report.closing_table
        print(report.to_json(result)) if options.json else Console().print(closing(result), crop=False)
        return
    print(summary.to_json(given)) if options.json else Console().print(summary.table(given), crop=False)
    failed = [f"{plan.title}: {one.error}" for plan, one in given if isinstance(one, Failure)]
    if failed:
        raise InputError(f"{len(failed)} of {len(plans)} experiments failed, the first {failed[0]}")


if __name__ == "__main__":
    sys.exit(main())
