"""Which model `occupancy predict` takes: by a name of the registry, a run or a folder."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from tests.e2e.predict.home import Capture, Home, counted, snapshot, unlabelled

pytestmark = [
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]


def test_an_experiment_gives_its_final_model_and_a_folds_on_request(home: Home, desk: Path, capsys: Capture) -> None:
    fold = home.models[2].parent.name
    run = home.experiment("FINISHED", fold1=("FINISHED", fold), fold2=("FINISHED", fold))
    home.logged(home.models[1], "smoke-final", run, rows="864", dataset="simulated")
    here = ("--csv", unlabelled(home), f"tracking.uri={home.uri}")
    own = {number: counted(capsys, "--run", home.folds[number], *here)[0] for number in (1, 2)}
    final, said = counted(capsys, "--run", run, *here)
    pd.testing.assert_frame_equal(final, own[1], check_exact=True)
    assert said.startswith("model    smoke-final (trained on all 864 labelled rows of simulated)\n")
    assert "--fold" not in said
    second, said = counted(capsys, "--run", run, "--fold", "2", *here)
    pd.testing.assert_frame_equal(second, own[2], check_exact=True)
    assert said.startswith("model    smoke-fold-2 (trained on 576 labelled rows of simulated)\n")


def test_a_registered_model_is_taken_by_its_name_an_alias_or_a_version(home: Home, desk: Path, capsys: Capture) -> None:
    first = home.logged(home.models[1], "smoke-final", rows="864", dataset="simulated")
    home.register("occupancy-taken", first, "champion")
    home.register("occupancy-taken", home.models[2].parent.name, "current")
    here = ("--csv", unlabelled(home), f"tracking.uri={home.uri}")
    own = {number: counted(capsys, "--run", home.folds[number], *here)[0] for number in (1, 2)}
    titles = {
        "occupancy-taken": (2, "occupancy-taken@current (version 2, trained on 576 labelled rows of simulated)"),
        "occupancy-taken@current": (
            2,
            "occupancy-taken@current (version 2, trained on 576 labelled rows of simulated)",
        ),
        "occupancy-taken@champion": (1, "occupancy-taken@champion (version 1, trained on all 864 labelled rows of"),
        "occupancy-taken:1": (1, "occupancy-taken (version 1, trained on all 864 labelled rows of simulated)"),
        "occupancy-taken:2": (2, "occupancy-taken (version 2, trained on 576 labelled rows of simulated)"),
    }
    for name, (fold, title) in titles.items():
        table, said = counted(capsys, "--model", name, *here)
        pd.testing.assert_frame_equal(table, own[fold], check_exact=True)
        assert said.startswith(f"model    {title}")


def test_beside_the_store_a_registered_name_needs_no_address(
    home: Home, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.register("occupancy-here", home.models[1].parent.name, "current")
    monkeypatch.chdir(home.folder)
    before = snapshot(home.folder)
    _, said = counted(capsys, "--model", "occupancy-here", "--csv", "log.csv")
    assert said.startswith("model    occupancy-here@current (version 1,")
    assert snapshot(home.folder) == before


def test_a_folder_is_taken_before_a_registered_model_of_the_same_name(home: Home, desk: Path, capsys: Capture) -> None:
    home.register("occupancy-both", home.models[2].parent.name, "current")
    shutil.copytree(home.models[1], "occupancy-both")
    path = unlabelled(home)
    table, said = counted(capsys, "--model", "occupancy-both", "--csv", path)
    own, _ = counted(capsys, "--run", home.folds[1], "--csv", path, f"tracking.uri={home.uri}")
    pd.testing.assert_frame_equal(table, own, check_exact=True)
    assert said.startswith("model    occupancy-both\n")
    table, said = counted(capsys, "--model", "occupancy-both@current", "--csv", path, f"tracking.uri={home.uri}")
    assert not table.equals(own)


def test_a_version_made_of_a_runs_files_is_taken_though_nothing_is_known_of_it(
    home: Home, desk: Path, capsys: Capture
) -> None:
    """As `register_model` of other versions of MLflow leaves it."""
    home.client.create_registered_model("occupancy-files")
    home.client.create_model_version("occupancy-files", home.models[1].as_uri(), home.folds[1])
    _, said = counted(capsys, "--model", "occupancy-files:1", "--csv", unlabelled(home), f"tracking.uri={home.uri}")
    assert said.startswith("model    occupancy-files (version 1)\n")


def test_the_last_fold_of_an_experiment_is_taken_and_another_where_it_is_named(
    home: Home, desk: Path, capsys: Capture
) -> None:
    path = unlabelled(home)
    here = ("--csv", path, f"tracking.uri={home.uri}")
    own = {fold: counted(capsys, "--run", run, *here)[0] for fold, run in home.folds.items()}
    assert not own[1].equals(own[2])
    last, said = counted(capsys, "--run", home.run, *here)
    pd.testing.assert_frame_equal(last, own[2], check_exact=True)
    assert f"run {home.run} in {home.uri} has no final model; this is the one of its last fold, 2; --fold" in said
    first, said = counted(capsys, "--run", home.run, "--fold", "1", *here)
    pd.testing.assert_frame_equal(first, own[1], check_exact=True)
    assert "no final model" not in said
    same, _ = counted(capsys, "--run", home.folds[1], "--fold", "1", *here)
    pd.testing.assert_frame_equal(same, own[1], check_exact=True)


def test_a_folder_gives_the_model_that_is_in_it_as_its_run_does(home: Home, desk: Path, capsys: Capture) -> None:
    path = unlabelled(home)
    expected, _ = counted(capsys, "--run", home.folds[1], "--csv", path, f"tracking.uri={home.uri}")
    (inner,) = (home.models[1] / "data").iterdir()
    for folder in (home.models[1], home.models[1].parent, inner):
        table, _ = counted(capsys, "--model", str(folder), "--csv", path)
        pd.testing.assert_frame_equal(table, expected, check_exact=True)


def test_an_unfinished_experiment_gives_its_last_fold_so_far_and_says_so(
    home: Home, desk: Path, capsys: Capture
) -> None:
    model = home.models[1].parent.name
    run = home.experiment("RUNNING", fold9=("FINISHED", model), fold10=("FINISHED", model))
    _, said = counted(capsys, "--run", run, "--csv", unlabelled(home), f"tracking.uri={home.uri}")
    assert f"run {run} (RUNNING) in {home.uri} has no final model; this is the one of its last fold, 10;" in said


def test_a_model_at_a_server_is_fetched(
    home: Home, desk: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is a copy, which goes when it has been read."""
    lookup = importlib.import_module("occupancy.tracking.lookup")
    copies = []

    def download(uri: str, dst_path: str | None, tracking_uri: str) -> str:
        assert (uri, tracking_uri) == ("mlflow-artifacts:/1/m-1", home.uri)
        assert dst_path is not None
        copies.append(Path(dst_path))
        return str(shutil.copytree(home.models[1], Path(dst_path) / "m-1"))

    served = SimpleNamespace(name="smoke-final", tags={}, artifact_location="mlflow-artifacts:/1/m-1")
    monkeypatch.setattr(lookup, "_model_of", lambda _client, _run: served)
    monkeypatch.setattr(lookup, "download_artifacts", download)
    path = unlabelled(home)
    table, _ = counted(capsys, "--run", home.run, "--csv", path, f"tracking.uri={home.uri}")
    monkeypatch.undo()
    monkeypatch.chdir(desk)
    expected, _ = counted(capsys, "--model", str(home.models[1]), "--csv", path)
    pd.testing.assert_frame_equal(table, expected, check_exact=True)
    assert [copy.exists() for copy in copies] == [False]
