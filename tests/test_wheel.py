"""A wheel built from the checkout works in a folder of its own, away from the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.places import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the package and nothing else; what it depends on is the environment's."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-compile", "--target", str(folder), str(wheel))
    return folder


def pip(command: str, *arguments: str) -> None:
    quiet = {"PIP_QUIET": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    offline = ["--no-deps", "--no-index"]
    subprocess.run(
        [sys.executable, "-m", "pip", command, *offline, *arguments], env={**os.environ, **quiet}, check=True
    )


def run(installed: Path, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=installed.parent,  # away from the checkout
        env={**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_wheel_carries_every_file_of_the_package_and_the_fold_schemes(wheel: Path) -> None:
    files = [path for path in (ROOT / "occupancy").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    expected = {str(path.relative_to(ROOT)): path.read_bytes() for path in files}
    schemes = sorted((ROOT / "data" / "folds").glob("*.yaml"))
    expected |= {f"occupancy/data/schemes/{path.name}": path.read_bytes() for path in schemes}
    with zipfile.ZipFile(wheel) as archive:
        carried = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    assert len(schemes) >= 3
    assert carried.keys() == expected.keys()
    assert carried == expected


def test_the_installed_package_is_imported_from_its_own_folder(installed: Path) -> None:
    where = run(installed, sys.executable, "-c", "import occupancy; print(occupancy.__file__)")
    assert Path(where.strip()).parent == installed / "occupancy"


def test_the_console_command_lists_the_commands(installed: Path) -> None:
    listed = run(installed, str(installed / "bin" / "occupancy"))
    assert listed == run(installed, sys.executable, "-m", "occupancy")
    assert "\n  train " in listed


def test_a_log_is_simulated_checked_and_cut_by_a_packaged_scheme(installed: Path) -> None:
    command = [str(installed / "bin" / "occupancy"), "data", "source=simulated", "folds=simulated", "--json"]
    facts = json.loads(run(installed, *command))
    assert facts["origin"] is None
    assert facts["rows"] > 1000
