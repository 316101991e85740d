"""The console command: `occupancy NAME ...` and `python -m occupancy.NAME ...` are one."""

from __future__ import annotations

import importlib.metadata
import os
import pkgutil
import subprocess
import sys
import tomllib

import pytest

import occupancy
from occupancy import __main__ as console
from occupancy.__main__ import COMMANDS, main
from tests.places import ROOT

HEAVY = {"matplotlib", "mlflow", "numpy", "pandas", "pytorch_lightning", "scipy", "sklearn", "torch"}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    )


def shown(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_without_a_command_all_are_listed_with_a_line_each(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    for name, command in COMMANDS.items():
        (line,) = [line for line in output.splitlines() if line.startswith(f"  {name} ")]
        assert line.endswith(f"  {command.summary}")
    assert max(map(len, output.splitlines())) <= 80


def test_every_module_with_a_main_is_a_command_and_the_reverse() -> None:
    doors = set()
    for module in pkgutil.iter_modules(occupancy.__path__):
        path = ROOT / "occupancy" / module.name
        source = path / "__main__.py" if module.ispkg else path.with_suffix(".py")
        if module.name != "__main__" and source.is_file() and "def main(" in source.read_text():
            doors.add(f"occupancy.{module.name}.__main__" if module.ispkg else f"occupancy.{module.name}")
    assert doors == {command.module for command in COMMANDS.values()}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_is_the_same_by_both_ways(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    by_module = python("-m", f"occupancy.{name}", "--help").stdout
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        by_name = shown(capsys, [name, "--help"])
    assert by_name == by_module
    assert by_name.startswith(f"usage: occupancy {name} ")


def test_a_command_gets_what_stands_behind_its_name_and_gives_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []

    class Stub:
        @staticmethod
        def main(arguments: list[str]) -> int:
            given.append(arguments)
            return 130

    monkeypatch.setattr(console, "import_module", lambda name: {"occupancy.train": Stub}[name])
    assert main(["train", "--config", "train", "--help"]) == 130
    assert given == [["--config", "train", "--help"]]


@pytest.mark.parametrize(
    ("given", "hint"),
    [("tarin", "did you mean train?"), ("predicts", "did you mean predict?"), ("zzz", "expected one of setup, data")],
)
def test_an_unknown_command_is_one_line_with_the_nearest_name(
    given: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([given, "--config", "x.yaml"]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith(f"occupancy: unknown command {given}; {hint}")
    assert errors.count("\n") == 1


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"occupancy {occupancy.__version__}\n"
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == occupancy.__version__


@pytest.mark.parametrize("arguments", [[], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_answers_without_importing_anything_heavy(arguments: list[str]) -> None:
    code = f"import sys\nfrom occupancy.__main__ import main\ntry: main({arguments})\nexcept SystemExit: pass\n"
    code += f"print(sorted({HEAVY} & set(sys.modules)), file=sys.stderr)"
    assert python("-c", code).stderr == "[]\n"


def test_the_package_installs_a_console_command_that_calls_this_main() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"occupancy": "occupancy.__main__:main"}
    entry = importlib.metadata.EntryPoint("occupancy", scripts["occupancy"], "console_scripts")
    assert entry.load() is main
