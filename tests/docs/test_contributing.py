"""The map of the package in CONTRIBUTING.md: it has every folder, and imports go down it only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.places import ROOT

PACKAGE = ROOT / "occupancy"
TABLE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("| in `occupancy/` |")[2].partition("\n\n")[0]
ROWS = [re.findall(r"`([\w/.]+)`", line.split("|")[1]) for line in TABLE.splitlines()[2:]]
COMMANDS, *FOLDERS, SHARED = ROWS
ORDER = [name.removesuffix("/") for (name,) in FOLDERS]  # highest first


def place_of(module: str) -> str:
    """Return the row of a module: its folder, or the file itself where it is in none."""
    first, *rest = module.split(".")[1:] or ["__init__"]
    return "__main__" if rest == ["__main__"] else first


def imports() -> Iterator[tuple[str, str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("occupancy"):
                yield str(path.relative_to(ROOT)), place_of(module), place_of(node.module or "")


def test_the_map_has_every_folder_and_every_file_at_the_top_of_the_package() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set(ORDER) == folders
    files = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert {*COMMANDS, *SHARED} == files | {"data/__main__.py", "setup/__main__.py"}


def test_imports_go_down_the_map_only() -> None:
    upwards = [
        f"{path} imports from {target}/"
        for path, source, target in imports()
        if target in ORDER and (source in {Path(name).stem for name in SHARED} or source in ORDER)
        if source not in ORDER or ORDER.index(source) > ORDER.index(target)
    ]
    assert upwards == []


def test_nothing_imports_a_command_but_the_commands() -> None:
    commands = {Path(name).stem for name in COMMANDS}
    assert [(path, target) for path, source, target in imports() if target in commands and source in ORDER] == []
