"""The pages in docs/ and the README: their links lead somewhere, and their examples do what they say."""

from __future__ import annotations

import contextlib
import doctest
import re
import runpy
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml

from occupancy.__main__ import main as occupancy
from occupancy.config.parsing import load_config
from occupancy.data.__main__ import main as check_data
from occupancy.data.schema import UCI
from occupancy.execution.fold import run_fold
from occupancy.models.estimator import NO_STEPS
from occupancy.search.request import load_search
from tests.places import ROOT
from tests.undrawn import undrawn

pytestmark = [
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]

ELSEWHERE = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "data/README.md", "benchmarks/README.md"]
PAGES = [*(ROOT / page for page in ELSEWHERE), *sorted((ROOT / "docs").glob("*.md"))]
OWN = (ROOT / "docs" / "your_own_data.md").read_text(encoding="utf-8")
CHECK = ["source=office.csv", "schema=office/schema.yaml", "max_count=2", "folds=office/folds.yaml"]
EQUAL = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[tuple[str, str]]:
    """Return each command of a page with what the page says that it prints."""
    whole = [block.replace("\\\n", " ") for block in blocks(page, "console")]  # a command may go on in the next line
    shown = [part for block in whole for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    return [(command, output) for command, _, output in (part.partition("\n") for part in shown)]


def is_cheap(command: str) -> bool:
    is_check = command.startswith("occupancy data") and "--out" not in command
    return is_check or command.startswith("occupancy setup") or command.endswith("--dry-run")


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the logs that the script of the page writes, and the files of its setup."""
    folder = tmp_path_factory.mktemp("office")
    (script,) = blocks(OWN, "python")
    (setup,) = [command for command, _ in commands(OWN) if command.startswith("occupancy setup")]
    with contextlib.chdir(folder):
        Path(script.partition("\n")[0].removeprefix("# ")).write_text(script, encoding="utf-8")
        runpy.run_path("make_office.py")
        assert occupancy(shlex.split(setup)[1:]) == 0
    return folder


@pytest.fixture
def office(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the prepared folder as working directory."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_to_a_file_and_to_a_heading_in_it(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8"))
    for target, anchor in links:
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(path), f"{target} has no heading #{anchor}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "docs" / "images" / "flow.svg"], ids=lambda page: page.name)
def test_a_file_of_the_code_that_a_page_names_is_there(page: Path) -> None:
    named = re.findall(r"[`> ](\w[\w/]*/\w+\.(?:py|yaml))\b", page.read_text(encoding="utf-8"))
    made_up = {"configs/naive_bayes.yaml", "models/naive_bayes.py", "tests/models/test_naive_bayes.py"}
    made_up |= {f"{room}/{name}.yaml" for room in ("office", "room") for name in ("schema", "folds", "config")}
    for path in {*named} - {*made_up, *(f"occupancy/{path}" for path in made_up)}:
        assert any((folder / path).is_file() for folder in (ROOT, ROOT / "occupancy")), path


@pytest.mark.parametrize("script", ["afternoon", "evidence", "reference", "screenshots"])
def test_a_script_of_the_pages_finds_all_that_it_imports(script: str) -> None:
    assert callable(
        runpy.run_path(str(ROOT / "docs" / f"{script}.py")).get("main" if script != "reference" else script)
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_training_that_a_page_shows_names_a_config_and_keys_that_there_are(page: Path) -> None:
    for command, _ in commands(page.read_text(encoding="utf-8")):
        words = shlex.split(command, comments=True)
        for config in [word for word in words if word.startswith("configs/")]:
            assert Path(words[0]).name == "occupancy"
            assert words[2] == "--config"
            load = {"train": load_config, "tune": load_search, "predict": load_config}[words[1]]
            load(str(ROOT / config), [word for word in words if "=" in word])


@pytest.mark.parametrize(("lines", "log"), [(3, "office.csv"), (2, "next_week.csv")])
def test_the_page_shows_the_logs_that_its_script_writes(lines: int, log: str, office: Path) -> None:
    shown = dict(commands(OWN))[f"head -n {lines} {log}"]
    assert (office / log).read_text(encoding="utf-8").startswith(shown)


@pytest.mark.parametrize(("command", "output"), [pair for pair in commands(OWN) if is_cheap(pair[0])])
def test_a_command_of_the_page_prints_what_the_page_says(
    command: str, output: str, office: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program, *arguments = shlex.split(command)
    assert program == "occupancy"
    capsys.readouterr()
    assert occupancy([*arguments, *(["--force"] if arguments[0] == "setup" else [])]) == 0
    printed = capsys.readouterr()
    assert not printed.err or "has no column of kind sound" in " ".join(printed.err.split())
    assert doctest.OutputChecker().check_output(output, printed.out, EQUAL), printed.out


def test_a_log_without_labels_is_counted_as_the_page_says(office: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = commands((ROOT / "docs" / "room_model.md").read_text(encoding="utf-8"))
    (config,) = [output for command, output in shown if command == "cat room.yaml"]
    Path("room.yaml").write_text(config, encoding="utf-8")
    ((command, output),) = [pair for pair in shown if "predict --config" in pair[0]]
    assert occupancy(shlex.split(command)[1:]) == 0
    said = " ".join(capsys.readouterr().err.split())
    for part in " ".join(output.split()).split(" ... "):
        assert part in said


def test_the_readme_counts_people_by_its_command_and_by_its_lines_of_python(
    uci_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OCCUPANCY_DATA_DIR", str(uci_path.parent))
    # A model that learns at once, under the name of the one that takes longer.
    stands_in = ["tracking.register=occupancy-best", "data.source=uci", "--workers", "1"]
    with undrawn():
        assert occupancy(["train", "--config", str(ROOT / "configs" / "mass_balance.yaml"), *stands_in]) == 0
    (use,) = [line for line in readme.splitlines() if line.startswith("use ")]
    assert use in capsys.readouterr().out
    sensors = pd.read_csv(uci_path).drop(columns=UCI.count)
    sensors.to_csv("my_sensors.csv", index=False)
    (command,) = [command for command, _ in commands(readme) if "predict --model" in command]
    program, *arguments = shlex.split(command)
    assert Path(program).name == "occupancy"
    assert occupancy(arguments) == 0
    by_command = pd.read_csv("counts.csv")
    (code,) = blocks(readme, "python")
    before = mlflow.get_tracking_uri()
    try:
        counts = run_lines(code)["counts"]
    finally:
        mlflow.set_tracking_uri(before)
    assert len(counts) == len(sensors)
    np.testing.assert_array_equal(counts["count"], by_command["count"])


def test_the_fold_by_hand_of_the_api_page_scores_as_the_pipeline_does(
    uci_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("OCCUPANCY_DATA_DIR", str(uci_path.parent))
    (code,) = blocks((ROOT / "docs" / "api.md").read_text(encoding="utf-8"), "python")
    names = run_lines(code)
    assert names["scores"]["mse"] == run_fold(names["config"], names["fold"], NO_STEPS).metrics["mse"]


def run_lines(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 (it is what the test is about)
    return names


def test_the_page_has_commands_to_run_and_files_to_write() -> None:
    assert sum(is_cheap(command) for command, _ in commands(OWN)) == 3
    assert len(blocks(OWN, "python")) == 1


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def replace(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return replace


def with_fold(**parts: list[Any]) -> Callable[[Path], None]:
    """Return what gives the parts of the first fold another interval."""

    def change(folder: Path) -> None:
        path = folder / "office" / "folds.yaml"
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        tree["folds"][0].update({part: [interval] for part, interval in parts.items()})
        path.write_text(yaml.safe_dump(tree), encoding="utf-8")

    return change


def with_a_humid_column(folder: Path) -> None:
    header, *rows = (folder / "office.csv").read_text(encoding="utf-8").splitlines()
    lines = [f"{header},humidity", *(f"{row},50" for row in rows)]
    (folder / "office.csv").write_text("\n".join(lines), encoding="utf-8")


def as_it_is(folder: Path) -> None:
    """Leave the files alone."""


LOG = "office.csv"
MISTAKES: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "missing column Date, Time": (as_it_is, ["source=office.csv"]),
    "unknown column humidity": (with_a_humid_column, CHECK),
    "unreadable time": (as_it_is, [*CHECK, "time_format=%Y-%m-%d"]),
    "duplicate time": (replaced(LOG, "01.01.2024 00:01", "01.01.2024 00:00"), CHECK),
    "every step between rows is a gap": (as_it_is, [*CHECK, "max_gap=30"]),
    "missing (1)": (replaced(LOG, "00:01,25.25", "00:01,"), [*CHECK, "missing=refuse"]),
    "count above data.max_count": (as_it_is, [part.replace("max_count=2", "max_count=1") for part in CHECK]),
    "is for the log 'uci', got the log 'office'": (replaced("office/folds.yaml", "log: office", "log: uci"), CHECK),
    "has no rows; the log runs from": (with_fold(test=["2025-01-04", "2025-01-05"]), CHECK),
    "rows outside train": (with_fold(validation=["2024-01-04", "2024-01-05"]), CHECK),
    "overlap; a row can be in only one part": (with_fold(train=["2024-01-01", "2024-01-03 01:00"]), CHECK),
    "training rows have the single label 0": (
        with_fold(train=["2024-01-01", "2024-01-01 08:00"], validation=["2024-01-01 06:00", "2024-01-01 08:00"]),
        CHECK,
    ),
    "label 2 is in the test rows but not in the training rows": (
        with_fold(train=["2024-01-02", "2024-01-02 12:15"], validation=["2024-01-02", "2024-01-02 06:00"]),
        CHECK,
    ),
    "expected a time such as": (with_fold(validation=[16, "2024-01-03"]), CHECK),
}


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_gets_the_message_that_the_page_explains(
    message: str, office: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, arguments = MISTAKES[message]
    make(office)
    warned = message.startswith("label")
    assert check_data(arguments) == (0 if warned else 2)
    said = " ".join(re.sub("[│╭╮╰╯─]", " ", capsys.readouterr().err).split())
    assert message in said


def test_the_page_explains_the_messages_that_are_tested() -> None:
    table = OWN.partition("## What messages mean")[2]
    assert re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) == list(MISTAKES)
