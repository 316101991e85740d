"""The command that shows the recorded runs in the browser: ``occupancy ui``."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from occupancy.cli.command import Parser
from occupancy.config import Section, Tracking
from occupancy.config.address import Address
from occupancy.config.keys import COMMAND_LINE
from occupancy.config.parsing import parse_overrides, resolve
from occupancy.errors import InputError
from occupancy.tracking import view

_HOST = "127.0.0.1"
# MLflow's server would start a runner for jobs that nobody gives it.
QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}


class Question(Section):
    """Which runs are shown: those of an experiment in a store."""

    tracking: Tracking = Tracking()


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 the server was ended, 2 a mistake in what was given, 130 interrupted before it ran."""
    return _parser().run(_command, arguments)


def _parser() -> Parser:
    parser = Parser(
        prog="occupancy ui",
        description="Serve the recorded runs to a browser on this machine, until Ctrl-C.",
        epilog="Keys are those of a config: tracking.uri and tracking.experiment, with the defaults that training has",
    )
    parser.add_argument("--port", type=int, metavar="N", default=5000, help="where on this machine (default 5000)")
    parser.add_overrides("where the runs are")
    return parser


def _command(options: argparse.Namespace) -> None:
    tracking = resolve(
        Question, {}, COMMAND_LINE, parse_overrides(options.overrides, "tracking.uri=sqlite:///mlflow.db")
    ).tracking

    from occupancy.tracking.read import find_experiment  # noqa: PLC0415 (so that --help is quick)

    found = find_experiment(tracking)
    route = view.route(found.experiment_id, found.tags)
    if tracking.uri.kind in {"http", "https"}:
        print(f"open {_page(tracking.uri)}{route}")
        return
    _check_free(options.port)
    print(f"open http://{_HOST}:{options.port}{route} (Ctrl-C ends)", flush=True)
    _serve(tracking.uri, options.port)


def _page(uri: Address) -> str:
    """Return a server's address as a browser takes it: it asks for the login itself."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl().rstrip("/")


def _serve(uri: Address, port: int) -> None:
    from mlflow.cli import cli  # noqa: PLC0415

    # By the environment: arguments are shown to everyone who lists the processes of the machine. The store is named
    # twice, or MLflow says that it uses the one for the other.
    os.environ.update(QUIET, MLFLOW_BACKEND_STORE_URI=uri.plain(), MLFLOW_REGISTRY_STORE_URI=uri.plain())
    # Without a lifespan, of which MLflow's does nothing here: Uvicorn prints a traceback of it where Ctrl-C ends it.
    uvicorn = ["--workers", "1", "--uvicorn-opts", "--log-level=warning --lifespan=off"]
    try:
        cli.main(
            ["ui", "--app-name", "occupancy", "--host", _HOST, "--port", str(port), *uvicorn], standalone_mode=False
        )
    except SystemExit as error:  # how MLflow says that the store failed when the server was about to begin
        if error.code:
            raise InputError(f"tracking.uri: {uri} can't be served any more; give the same command again") from None


def _check_free(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            listener.bind((_HOST, port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "expected 0 to 65535"
            raise InputError(f"--port: got {port}, which can't be used ({reason}); give another") from None


if __name__ == "__main__":
    sys.exit(main())
