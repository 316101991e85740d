"""The Dockerfile without Docker: what it copies is there, is enough, and starts as it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.places import ROOT

Steps = list[tuple[str, str]]


@pytest.fixture(scope="module")
def stages() -> dict[str, Steps]:
    """The steps of each stage of the Dockerfile: the instruction and the rest of its line."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text()).replace("\\\n", " ")
    found: dict[str, Steps] = {}
    for line in filter(None, text.splitlines()):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            found[rest.rpartition(" AS ")[2]] = []
        else:
            found[list(found)[-1]].append((instruction, " ".join(rest.split())))
    return found


def of(steps: Steps, wanted: str) -> list[str]:
    """Return what follows each instruction of one kind."""
    return [rest for instruction, rest in steps if instruction == wanted]


def copies(steps: Steps) -> list[tuple[list[str], str]]:
    """Return what a stage copies out of the checkout, and where to."""
    words = [rest.split() for rest in of(steps, "COPY") if not rest.startswith("--from=")]
    return [(sources, target) for *sources, target in words]


@pytest.fixture(scope="module")
def image(stages: dict[str, Steps], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the Dockerfile copies: what is built in ``/source``, and the rest where it goes."""
    root = tmp_path_factory.mktemp("image")
    for steps in stages.values():
        for sources, target in copies(steps):
            for source in sources:
                place = root / (target[1:] if target.startswith("/") else f"source/{source}")
                place.parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / source, place)
    return root


def test_what_dockerignore_lets_through_is_what_the_dockerfile_copies(stages: dict[str, Steps]) -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    copied = {source for steps in stages.values() for sources, _ in copies(steps) for source in sources}
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert {path.suffix for path in (ROOT / "data" / "folds").iterdir()} == {".yaml"}


def test_what_is_copied_is_all_that_the_wheel_is_made_of(image: Path) -> None:
    settings = tomllib.loads((image / "source" / "pyproject.toml").read_text())
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    named = [settings["project"]["readme"], *settings["project"]["license-files"], *wheel["packages"]]
    for name in [*named, *wheel["force-include"]]:
        assert (image / "source" / name).exists()


@pytest.mark.parametrize("given", [None, ["--config", "/configs/smoke.yaml", "--dry-run"]], ids=["no words", "dry run"])
def test_what_is_copied_is_enough_to_start(
    stages: dict[str, Steps], image: Path, tmp_path: Path, given: list[str] | None
) -> None:
    (entry,), (usual,) = of(stages["trainer"], "ENTRYPOINT"), of(stages["trainer"], "CMD")
    python, *command = json.loads(entry)
    assert python == "python"
    words = [word.replace("/configs", str(image / "configs")) for word in given or json.loads(usual)]
    environment = {**os.environ, "PYTHONPATH": str(image / "source"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *command, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ("simulated" if given else "usage: occupancy train") in done.stdout


@pytest.mark.parametrize("name", ["tracker", "trainer"])
def test_an_image_runs_as_a_user_who_owns_what_it_writes(stages: dict[str, Steps], name: str) -> None:
    (setup,), (user,) = of(stages["base"], "RUN"), of(stages[name], "USER")
    uid = re.search(r"useradd --uid (\d+) --user-group .* (\w+) &&", setup)
    assert uid is not None
    assert user == f"{uid[1]}:{uid[1]}"
    owned = setup.partition(f"install --directory --owner={uid[2]} --group={uid[2]} ")[2].split()
    (volumes,) = of(stages[name], "VOLUME")
    assert {*volumes.split()} <= {*owned}


def test_the_log_and_the_store_of_the_training_image_are_in_volumes(stages: dict[str, Steps]) -> None:
    (volumes,), (folder,) = of(stages["trainer"], "VOLUME"), of(stages["trainer"], "WORKDIR")
    variables = dict(word.split("=") for rest in of(stages["trainer"], "ENV") for word in rest.split())
    assert {*volumes.split()} == {variables["OCCUPANCY_DATA_DIR"], folder}


def test_the_tracker_installs_pinned_packages_and_is_what_docker_compose_builds(stages: dict[str, Steps]) -> None:
    pinned = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    (install,) = of(stages["tracker-builder"], "RUN")
    packages = install.partition(" constraints.txt ")[2].replace('"', "").split()
    assert packages
    assert {package.partition("[")[0] for package in packages} <= pinned
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["tracker"]
    (volume,), (port,) = of(stages[service["build"]["target"]], "VOLUME"), of(stages["tracker"], "EXPOSE")
    assert [mount.partition(":")[2] for mount in service["volumes"]] == [volume]
    assert f"--artifacts-destination={volume}" in service["command"]
    assert f"--port={port}" in service["command"]
