"""The notebooks as their readers run them: by a kernel, on the real log and on a store that training made."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mlflow
import pytest

from occupancy.comparison.groups import Comparison, candidates
from occupancy.comparison.reading import read_comparison
from occupancy.config import Tracking
from occupancy.config.parsing import load_config
from occupancy.execution.in_process import InProcess
from occupancy.experiments.plan import plan
from occupancy.experiments.run import conduct_one
from tests.places import ROOT

pytestmark = [
    pytest.mark.usefixtures("no_drawing"),
    # MLflow asks SQLAlchemy for what SQLAlchemy is about to give up.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
BRIEFLY = ["train.max_epochs=1", "train.epoch_choices=null", "train.members=1", "train.device=cpu"]
BRIEFLY += ["train.batch_size=1024", "model.hidden=8", "model.layers=1"]
TRAINED: dict[str, list[str]] = {
    "mass_balance": ["train.final=false"],
    "random_forest": ["train.final=false"],
    "lstm_regression": [*BRIEFLY, "train.final=false"],
    "report/lstm_classification_mc": [*BRIEFLY, "model.mc_samples=2"],
}
each_notebook = pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout as far as notebooks see it, whose random forest is small: 20 of it are fitted."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "configs", folder / "configs")
    forest = folder / "configs" / "random_forest.yaml"
    whole = forest.read_text("utf-8")
    assert "trees: 300\n" in whole
    forest.write_text(whole.replace("trees: 300\n", "trees: 20\n"), "utf-8")
    shutil.copytree(ROOT / "notebooks" / "page", folder / "notebooks" / "page")
    for source in NOTEBOOKS:
        shutil.copy(source, folder / "notebooks")
    return folder


@pytest.fixture(scope="module")
def tracking(folder: Path, uci_path: Path, new_store: Callable[[Path], str]) -> Iterator[Tracking]:
    """A store of a few models on the real log, quickly trained."""
    tracked_in = mlflow.get_tracking_uri()
    tracking = Tracking(uri=f"sqlite:///{folder / 'mlflow.db'}")
    new_store(folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCCUPANCY_DATA_DIR", str(uci_path.parent))
        for name, given in TRAINED.items():
            overrides = ["data.source=uci", f"tracking.uri={tracking.uri}", *given]
            conduct_one(plan(load_config(folder / "configs" / f"{name}.yaml", overrides)), InProcess())
    yield tracking
    mlflow.set_tracking_uri(tracked_in)


@pytest.fixture(scope="module")
def comparison(tracking: Tracking) -> Comparison:
    return read_comparison(tracking, "forward")


@pytest.fixture(scope="module")
def executed(folder: Path, tracking: Tracking, uci_path: Path) -> Path:
    """The folder of the notebooks, each with its outputs."""
    tools("jupytext", "--quiet", "--to", "ipynb", *(path.name for path in NOTEBOOKS), cwd=folder / "notebooks")
    environment = {"MLFLOW_TRACKING_URI": tracking.uri, "OCCUPANCY_DATA_DIR": str(uci_path.parent)}
    plain = ("-p", "no:cacheprovider", "-p", "no:slipcover")  # which would measure it as a worker of these tests
    tools("pytest", *plain, "--nbmake", "--overwrite", cwd=folder / "notebooks", **environment)
    return folder / "notebooks"


def tools(name: str, *arguments: str, cwd: Path, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", name, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def cells(executed: Path, source: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((executed / f"{source.stem}.ipynb").read_text("utf-8"))["cells"]
    return found


def answer(executed: Path, name: str) -> str:
    (output,) = cells(executed, Path(name))[-1]["outputs"]
    return "".join(output["data"]["text/markdown"])


@each_notebook
def test_it_imports_the_package_and_defines_nothing(source: Path) -> None:
    nodes = list(ast.walk(ast.parse(source.read_text("utf-8"))))
    assert not [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    assert not [node for node in nodes if isinstance(node, ast.Lambda)]
    imported = [
        (node.module or "", name.name) for node in nodes if isinstance(node, ast.ImportFrom) for name in node.names
    ]
    assert any(module.startswith("occupancy") for module, _ in imported)
    for module, name in imported:
        assert hasattr(import_module(module), name) or find_spec(f"{module}.{name}"), f"{module} has no {name}"


@each_notebook
def test_it_is_paired_with_a_notebook_that_git_ignores(source: Path) -> None:
    assert "#     formats: ipynb,py:percent\n" in source.read_text("utf-8")
    assert "/notebooks/*.ipynb" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


@each_notebook
def test_it_opens_with_its_question_and_runs_without_a_word_from_a_library(source: Path, executed: Path) -> None:
    first, *others = cells(executed, source)
    assert re.match(r"# .*\?\n", "".join(first["source"]))
    outputs = [output for cell in others if cell["cell_type"] == "code" for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"display_data", "execute_result"}, outputs


@each_notebook
def test_every_picture_is_told_what_to_look_for_and_has_words_for_those_who_see_none(
    source: Path, executed: Path
) -> None:
    said, pictures = "", 0
    for cell in cells(executed, source):
        if cell["cell_type"] == "markdown":
            said = "".join(cell["source"])
        elif any("image/png" in output["data"] for output in cell["outputs"]):
            pictures += 1
            assert re.search(r"\b[Ll]ook", said), said
            assert cell["metadata"]["alt"]
    assert pictures > 0


def test_the_answer_on_light_is_that_of_a_training_and_the_random_split_flatters(
    executed: Path, comparison: Comparison
) -> None:
    said = answer(executed, "01_explore")
    with_light, without, at_random, blocks, future = map(float, re.findall(r"0\.\d\d", said))
    (forest,) = [group for group in comparison.groups if group.name == "random_forest"]
    assert without == pytest.approx(forest.mean("f1_macro_avg"), abs=0.005)
    assert with_light > without + 0.1
    assert at_random > blocks + 0.2
    assert future == pytest.approx(without, abs=0.05), "the same forest, scored by scikit-learn"


def test_the_model_to_pick_is_that_of_the_comparison(executed: Path, comparison: Comparison) -> None:
    best, *others = candidates(comparison.groups)
    assert best is comparison.best
    said = answer(executed, "02_compare")
    assert f"Pick **{best.title}**: of the {len(others) + 1} models" in said
    assert f"smallest MSE, {best.mean('mse_avg'):.3f} people²" in said
    assert f"{comparison.label_runs} label runs" in said
    level, worse = said.split("label runs")[1].split("from it")
    for group in others:
        assert group.title in (worse if group.low > 0 else level)


def test_the_band_and_the_refusal_are_those_of_the_recorded_metrics(executed: Path, comparison: Comparison) -> None:
    best = comparison.best
    assert best is not None
    metrics = best.runs[0].metrics
    said = answer(executed, "03_uncertainty")
    assert f"**{best.title}**, contains {metrics['coverage_90_pooled']:.1%} of the rows" in said
    assert f"and {metrics['coverage_90_occupied_pooled']:.1%} of the occupied" in said
    assert f"from {metrics['mse_pooled']:.3f} to {metrics['mse_kept_80_pooled']:.3f} people²" in said


def test_the_pages_hold_all_they_show(executed: Path) -> None:
    notebooks = sorted(path.name for path in executed.glob("*.ipynb"))
    template = ["--TemplateExporter.extra_template_basedirs=.", "--template", "page"]
    tools("nbconvert", "--to", "html", *template, *notebooks, cwd=executed)
    for notebook in notebooks:
        page = (executed / notebook).with_suffix(".html").read_text("utf-8")
        assert "default-src 'none'" in page
        assert not re.search(r"<(script|iframe|link)|https?:|@import|url\(", page)
        assert set(re.findall(r'<img[^>]* src="([^,]*),', page)) == {"data:image/png;base64"}
        assert "No description" not in page
