"""A model that `occupancy predict` can't take: one line that says what there is and what to do."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus

from occupancy.serving.checksums import seal
from occupancy.tracking import store
from tests.e2e.predict.home import NO_SUCH_RUN, Capture, Home, by_model, by_run, check_refused, written

pytestmark = [
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]

# Each makes what it needs in the working directory and returns the arguments; the text is in the answer.


def copied(home: Home, change: Callable[[Path], object]) -> list[str]:
    """Return the arguments for a copy of a model that something was done to."""
    (inner,) = (home.models[1] / "data").iterdir()
    change(Path(shutil.copytree(inner, "model")))
    return ["--model", "model", "--csv", str(home.folder / "log.csv")]


def edited(home: Home, change: Callable[[dict[str, Any]], object]) -> list[str]:
    def edit(folder: Path) -> None:
        tree = json.loads((folder / "settings.json").read_text())
        change(tree["config"]["model"])
        (folder / "settings.json").write_text(json.dumps(tree))
        seal(folder)

    return copied(home, edit)


def in_store(home: Home, uri: str) -> list[str]:
    return ["--run", home.run, "--csv", str(home.folder / "log.csv"), f"tracking.uri={uri}"]


def by_name(home: Home, name: str, uri: str) -> list[str]:
    return ["--model", name, "--csv", str(home.folder / "log.csv"), f"tracking.uri={uri}"]


def new_store() -> str:
    store.prepare_store("sqlite:///new.db")
    return "sqlite:///new.db"


def among(home: Home) -> str:
    """Return the address of a store with a dozen registered models, one of which has a version."""
    copy = Path(shutil.copy(home.folder / "mlflow.db", "registered.db")).absolute()
    client = MlflowClient(f"sqlite:///{copy}")  # MLflow keeps what a relative address first meant
    for found in client.search_registered_models():
        client.delete_registered_model(found.name)
    for name in ("occupancy-best", "occupancy-lstm", *(f"other-{number}" for number in range(1, 11))):
        client.create_registered_model(name)
    Path("foreign").mkdir()
    Path("foreign/MLmodel").write_text("flavors: {sklearn: {}}")
    client.create_model_version("occupancy-best", Path("foreign").absolute().as_uri())
    client.set_registered_model_alias("occupancy-best", "champion", "1")
    return "sqlite:///registered.db"


def foreign_database() -> str:
    connection = sqlite3.connect("foreign.db")
    connection.execute("create table cats (name text)")
    connection.close()
    return "foreign.db"


def deleted(home: Home) -> str:
    run = home.ended("FINISHED")
    home.client.delete_run(run)
    return run


def pending(home: Home) -> str:
    model = home.client.create_logged_model("1")
    assert model.status == LoggedModelStatus.PENDING
    return str(model.model_id)


def gone(home: Home) -> str:
    model = home.client.create_logged_model("1")
    home.client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return str(model.model_id)


def forgotten(home: Home) -> str:
    model = gone(home)
    home.client.delete_logged_model(model)
    return model


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


MISTAKES: dict[str, tuple[Callable[[Home], list[str]], str]] = {
    "unknown run": (
        lambda home: by_run(home, NO_SUCH_RUN),
        f"--run: got '{NO_SUCH_RUN}', which is not a run in sqlite:///",
    ),
    "run that can be none": (lambda home: by_run(home, "../x"), "--run: got '../x', which is not a run in sqlite:///"),
    "deleted run": (lambda home: by_run(home, deleted(home)), "was deleted in sqlite:///"),
    "run of something else": (lambda home: by_run(home, home.ended("FAILED")), "(FAILED) in sqlite:///"),
    "run with a fold of something else": (
        lambda home: by_run(home, home.ended("FINISHED", fold="sheep")),
        "holds no model: it is neither a fold nor has folds",
    ),
    "failed fold": (
        lambda home: by_run(home, home.ended("FAILED", fold="3")),
        "is FAILED without a model; give another, or train again",
    ),
    "fold in training": (lambda home: by_run(home, home.ended("RUNNING", fold="3")), "is RUNNING without a model"),
    "fold whose model is being recorded": (
        lambda home: by_run(home, home.ended("RUNNING", pending(home), fold="3")),
        "fold 3 of run ",
    ),
    "experiment whose last fold failed": (
        lambda home: by_run(
            home,
            home.experiment("FAILED", fold1=("FINISHED", home.models[1].parent.name), fold2=("KILLED", None)),
        ),
        "is KILLED without a model; choose by --fold one that has: 1",
    ),
    "fold that is not there": (
        lambda home: by_run(home, home.run, "--fold", "3"),
        "--fold: got 3, but run ",
    ),
    "another fold than the run's": (lambda home: by_run(home, home.folds[1], "--fold", "2"), "is of fold 1"),
    "model that was thrown away": (
        lambda home: by_run(home, home.ended("FINISHED", gone(home), fold="1")),
        ": its files are not at file:///",
    ),
    "model that was deleted": (
        lambda home: by_run(home, home.ended("FINISHED", forgotten(home), fold="1")),
        "is FINISHED without a model",
    ),
    "store that is not there": (lambda home: in_store(home, "sqlite:///none/none.db"), "none.db is not there"),
    "store that is empty": (lambda home: in_store(home, f"sqlite:///{written('empty.db')}"), "empty.db is empty"),
    "store that is none": (
        lambda home: in_store(home, f"sqlite:///{written('notes.txt', b'some notes')}"),
        "notes.txt is not an SQLite database",
    ),
    "store that is cut off": (
        lambda home: in_store(
            home, f"sqlite:///{written('half.db', (home.folder / 'mlflow.db').read_bytes()[: 9 * 4096])}"
        ),
        "half.db ",
    ),
    "store of something else": (
        lambda home: in_store(home, f"sqlite:///{foreign_database()}"),
        "foreign.db is a database, but not an MLflow store",
    ),
    "store of no kind": (lambda home: in_store(home, "ftp://host/store"), "tracking.uri: got 'ftp://host/store'"),
    "server that is down": (
        lambda home: in_store(home, f"http://127.0.0.1:{closed_port()}"),
        "can't be reached (no connection)",
    ),
    "folder that is not there": (lambda _: ["--model", "none", "--csv", written("a.csv", b"a")], "has a header"),
    "folder without a model": (
        lambda home: ["--model", ".", "--csv", str(home.folder / "log.csv")],
        ".: holds no model, neither settings.json nor MLmodel",
    ),
    "no chain to decode": (
        lambda home: by_model(home, "model.decoding=viterbi"),
        "model.decoding: got 'viterbi', but the model lstm has no chain to decode; drop it",
    ),
    "no such decoding": (
        lambda home: by_model(home, "model.decoding=best"),
        "decoding: got 'best' (str), expected 'filter', 'viterbi' or 'windows'",
    ),
    "no such folder": (lambda home: ["--model", "./none", "--csv", str(home.folder / "log.csv")], ": is not a folder"),
    "empty name": (lambda home: ["--model", "", "--csv", str(home.folder / "log.csv")], "--model: got '', expected"),
    "neither a folder nor a store": (
        lambda home: by_name(home, "none", "sqlite:///none.db"),
        "--model: none is not a folder here, so it is looked up in a store; tracking.uri: ",
    ),
    "store without registered models": (
        lambda home: by_name(home, "occupancy-smoke", new_store()),
        "--model: occupancy-smoke is neither a folder here nor a registered model in sqlite:///new.db, which has none "
        "yet; `occupancy train` registers one, or give a run by --run",
    ),
    "unknown name": (
        lambda home: by_name(home, "cats", among(home)),
        "--model: cats is neither a folder here nor a registered model in sqlite:///registered.db; "
        "there are occupancy-best, occupancy-lstm, other-1,",
    ),
    "misspelt name": (
        lambda home: by_name(home, "occupancy-bst@current", among(home)),
        "--model: occupancy-bst is neither a folder here nor a registered model in sqlite:///registered.db; "
        "did you mean occupancy-best? there are occupancy-best, occupancy-lstm, other-1, other-10, other-2, other-3, "
        "other-4, other-5, other-6, other-7 and 2 more",
    ),
    "name that can be none": (lambda home: by_name(home, "occupancy:best:1", among(home)), "nor a registered model in"),
    "unknown alias": (
        lambda home: by_name(home, "occupancy-best@new", among(home)),
        "--model: occupancy-best has no alias 'new'; give one of occupancy-best@champion, occupancy-best:1",
    ),
    "no current version": (
        lambda home: by_name(home, "occupancy-best", among(home)),
        "--model: occupancy-best has no alias 'current'; give one of occupancy-best@champion, occupancy-best:1",
    ),
    "unknown version": (
        lambda home: by_name(home, "occupancy-best:7", among(home)),
        "--model: occupancy-best has no version '7'; give one of occupancy-best@champion, occupancy-best:1",
    ),
    "version that can be none": (
        lambda home: by_name(home, "occupancy-best:new", among(home)),
        "--model: occupancy-best has no version 'new'; give one of",
    ),
    "name without a version": (
        lambda home: by_name(home, "occupancy-lstm", among(home)),
        "--model: occupancy-lstm is registered, but has no version; `occupancy train` makes one",
    ),
    "registered model of another package": (
        lambda home: by_name(home, "occupancy-best:1", among(home)),
        "MLmodel: describes a model of another package",
    ),
    "model without weights": (
        lambda home: copied(home, lambda folder: (folder / "weights.pt").unlink()),
        "model: the model is not whole, weights.pt is missing",
    ),
    "model with broken settings": (
        lambda home: copied(home, lambda folder: (folder / "settings.json").write_text("{")),
        "model: the model is damaged (JSONDecodeError",
    ),
    "model with weights of another shape": (
        lambda home: edited(home, lambda settings: settings.update(hidden=9)),
        "size mismatch",
    ),
    "model with altered settings": (
        lambda home: copied(home, lambda folder: (folder / "schema.json").write_text("{}")),
        "model: the model is damaged (schema.json is not as it was saved); save it again",
    ),
    "model of a newer version": (
        lambda home: edited(home, lambda settings: settings.update(name="oracle")),
        "model.name: got 'oracle' (str), expected 'lstm'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_exit_code_2_and_nothing_written(
    home: Home, desk: Path, capsys: Capture, mistake: str
) -> None:
    make, text = MISTAKES[mistake]
    check_refused(make(home), text, desk, capsys)
