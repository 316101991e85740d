"""The shape of the package: which parts may import which, and how long files and functions may be."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.places import ROOT

PACKAGE = ROOT / "occupancy"
LEVELS: tuple[set[str], ...] = (
    {"errors"},
    {"arrays", "files"},
    {"config"},
    {"room"},
    {"data", "prediction"},
    {"features", "metrics", "cli", "plots", "health"},
    {"models"},
    {"execution"},
    {"explanation"},
    {"serving"},
    {"tracking"},
    {"experiments", "search", "comparison", "exploration", "setup", "labelling", "limits", "control", "live"},
    {"doors"},
)
"""The parts from the bottom up: a part imports only parts of its own level and below."""
LONGEST_FILE, LONGEST_FUNCTION = 300, 40
AT_THE_TOP = 6

# Known offenders; the list may only become shorter.
IMPORT_MLFLOW = {"occupancy.ui"}


class Arrow(NamedTuple):
    """An import of one module by another.

    Attributes:
        source: the module that imports.
        target: the imported module, in full.
        for_types: whether the import is only for type checkers.
    """

    source: str
    target: str
    for_types: bool


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


TREES = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
LINES = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(node: ast.AST, for_types: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield every import below a node, also those inside functions, and whether only type checkers carry it out."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        yield from (found for child in node.body for found in imports_of(child, True))
        yield from (found for child in node.orelse for found in imports_of(child, for_types))
        return
    if isinstance(node, ast.Import):
        yield from ((alias.name, for_types) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield whole if whole in TREES else str(node.module), for_types
    for child in ast.iter_child_nodes(node):
        yield from imports_of(child, for_types)


ARROWS = [Arrow(source, *found) for source, tree in TREES.items() for found in imports_of(tree)]
INSIDE = [arrow for arrow in ARROWS if arrow.target in TREES]


def is_door(module: str) -> bool:
    """Return whether a module is a command: a file at the top, or the ``__main__`` of a folder, with a ``main``."""
    place = module.split(".")
    if len(place) == 2 or place[-1] == "__main__":
        return any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in TREES[module].body)
    return False


def level_of(module: str) -> int:
    if module == "occupancy":  # it imports nothing
        return 0
    part = "doors" if is_door(module) else module.split(".")[1]
    (level,) = [number for number, parts in enumerate(LEVELS) if part in parts]
    return level


def test_every_part_has_a_level() -> None:
    parts = {module.split(".")[1] for module in TREES if module != "occupancy" and not is_door(module)}
    assert parts <= set().union(*LEVELS)


@pytest.mark.parametrize("with_types", [False, True], ids=["at run time", "for type checkers too"])
def test_no_files_import_each_other_in_a_circle(with_types: bool) -> None:
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for arrow in INSIDE:
        if with_types or not arrow.for_types:
            sorter.add(arrow.source, arrow.target)
    sorter.prepare()  # raises CycleError, which names the files


def test_no_part_imports_a_part_above_it() -> None:
    upwards = {
        f"{arrow.source} -> {arrow.target}" for arrow in INSIDE if level_of(arrow.target) > level_of(arrow.source)
    }
    assert upwards == set()


def test_only_tracking_and_serving_import_mlflow() -> None:
    users = {arrow.source for arrow in ARROWS if arrow.target.split(".")[0] == "mlflow"}
    allowed = {module for module in users if module.split(".")[1] in {"tracking", "serving"}}
    assert users - allowed <= IMPORT_MLFLOW


@pytest.mark.parametrize("module", ["occupancy.prediction", "occupancy.metrics"])
def test_predictions_and_metrics_know_nothing_of_lightning_and_mlflow(module: str) -> None:
    reached, left = set(), [module]
    while left:
        here = left.pop()
        reached.add(here)
        left += [arrow.target for arrow in INSIDE if arrow.source == here and arrow.target not in reached]
    outside = {arrow.target.split(".")[0] for arrow in ARROWS if arrow.source in reached}
    assert outside.isdisjoint({"lightning", "pytorch_lightning", "mlflow"})


def test_few_files_lie_at_the_top_beside_the_commands() -> None:
    beside = [module for module in TREES if module.count(".") <= 1 and not is_door(module) and is_file(module)]
    assert len(beside) <= AT_THE_TOP, beside


def is_file(module: str) -> bool:
    return module == "occupancy" or (PACKAGE / f"{module.rsplit('.', maxsplit=1)[-1]}.py").is_file()


def test_no_file_is_too_long() -> None:
    assert {module: lines for module, lines in LINES.items() if lines > LONGEST_FILE} == {}


def test_no_function_is_too_long() -> None:
    long = {
        f"{module}.{node.name}"
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > LONGEST_FUNCTION
    }
    assert long == set()


def test_late_imports_and_those_for_types_are_found() -> None:
    code = "if TYPE_CHECKING:\n    import a\ndef late():\n    from b import c\n"
    assert list(imports_of(ast.parse(code))) == [("a", True), ("b", False)]
