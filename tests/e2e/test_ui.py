"""`make ui` as a user meets it: a headless browser looks at what training recorded."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from mlflow import MlflowClient
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from occupancy.train import main
from tests.browser import SIZE, options
from tests.experiments.made_experiments import MLFLOW_WARNS, tracking_apart
from tests.places import ROOT

pytestmark = [
    *MLFLOW_WARNS,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
]

PATIENCE_S = 60.0  # with other work on the machine, a start may take long
LINKS = "[...document.querySelectorAll('.ag-cell a')].map(link => link.textContent)"
NAVIGATION = "[...document.querySelectorAll('nav a')].map(link => link.textContent)"


@dataclass
class Page:
    """A browser before the server that `make ui` started.

    Attributes:
        browser: the driver of the browser.
        address: what `make ui` told to open.
        result: what training told.
        folds: the ids of the folds' runs, the first fold's first.
    """

    browser: webdriver.Chrome
    address: str
    result: dict[str, Any]
    folds: list[str]

    def open(self, run: str | None = None, tab: str = "") -> None:
        base, _, query = self.address.partition("?")
        self.browser.get("about:blank")  # else only the part behind # changes, and the page before stays for a while
        self.browser.get(self.address if run is None else f"{base}/{run}{tab}?{query}")

    def wait(self, script: str) -> Any:
        """Return what JavaScript gives once it gives something."""
        waiting = WebDriverWait(self.browser, PATIENCE_S)
        return waiting.until(lambda browser: browser.execute_script(script), f"never there: {script}")

    def text(self) -> str:
        return str(self.browser.execute_script("return document.body.innerText"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, program: Callable[[str], str]) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("ui")
    driver, chromium, make = program("chromedriver"), program("chromium"), program("make")
    with tracking_apart(), contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as trained:
        assert main(["--config", str(ROOT / "configs" / "smoke.yaml"), "--json"]) == 0
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    worse = client.create_run("1", run_name="worse").info.run_id
    client.log_metric(worse, "mse_avg", 9.0)
    client.set_terminated(worse)
    with (
        served(make, folder) as address,
        webdriver.Chrome(options(chromium, folder / "profile"), Service(driver)) as browser,
    ):
        # MLflow opens its chat beside the first page that anyone visits; a person closes it.
        closed = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": closed})
        result = json.loads(trained.getvalue())
        yield Page(browser, address, result, folds_of(address, result["run_id"]))


@contextmanager
def served(make: str, folder: Path) -> Iterator[str]:
    """Run `make ui` and give the address that it tells to open, once it answers there."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    # The tests' own environment stands in for the checkout's.
    stands_in = ["--old-file=.venv/installed", f"BIN={Path(sys.executable).parent}"]
    told = folder / "told.txt"
    with told.open("w") as output:
        server = subprocess.Popen(
            [make, *stands_in, "ui", f"PORT={port}", f"STORE=sqlite:///{folder / 'mlflow.db'}"],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # to be ended with all its children
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not answers(port):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"no server: {told.read_text()}")
            time.sleep(0.1)
        (address,) = [line.split()[1] for line in told.read_text().splitlines() if line.startswith("open ")]
        yield address
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/health", timeout=5).text == "OK"
    except requests.ConnectionError:
        return False


def folds_of(address: str, run: str) -> list[str]:
    parts = urlsplit(address)
    experiment = parts.fragment.split("/")[2]
    found = requests.post(
        f"http://{parts.netloc}/api/2.0/mlflow/runs/search",
        json={"experiment_ids": [experiment], "filter": f"tags.`mlflow.parentRunId` = '{run}'"},
        timeout=PATIENCE_S,
    ).json()["runs"]
    return [run["info"]["run_id"] for run in sorted(found, key=lambda run: str(run["info"]["run_name"]))]


def test_the_runs_table_shows_the_scores_that_people_compare_first_rounded(page: Page) -> None:
    page.open()
    page.wait(f"return {LINKS}.includes('smoke')")
    scores = ["tags.`mse`", "tags.`f1_macro`", "tags.`mse_pooled`"]
    apart = ["params.`seed`", "tags.`folds`", "tags.`protocol`"]
    expected = ["attributes.`Run Name`", "runDateAndNestInfo", *scores, *apart]
    page.wait(  # the grid places columns regardless of their order in the document, and may do so late
        "const left = cell => cell.getBoundingClientRect().left;"
        "const cells = [...document.querySelectorAll('.ag-header-cell')].sort((a, b) => left(a) - left(b));"
        "const names = cells.map(cell => cell.getAttribute('col-id'));"
        f"return names.slice(1, 9).join() === {','.join(expected)!r}"
    )
    cell = page.wait("return document.querySelector('.ag-row [col-id=\"tags.`mse`\"]')?.textContent")
    assert cell == f"{page.result['metrics']['mse_avg']:.4f}"
    assert "Compare mse (lower is better)" in page.text()


def test_the_best_experiment_is_listed_first_and_folds_are_not_among_them(page: Page) -> None:
    page.open()
    rows = page.wait(f"const names = {LINKS}; return names.includes('worse') && names")
    assert rows == ["smoke", "worse"], "the newest is the worst"


def test_the_folds_are_listed_under_their_run_in_a_view_of_their_own(page: Page) -> None:
    page.browser.get("about:blank")
    page.browser.get(page.address.replace("viewStateShareKey=scores", "viewStateShareKey=folds"))
    page.wait(f"return {LINKS}.includes('smoke')")
    page.wait("const expander = document.querySelector('.ag-row [aria-label^=\"Expand\"], .ag-row .ag-cell button');"
              "expander?.click(); return expander")  # fmt: skip
    names = page.wait(f"const names = {LINKS}; return names.length >= 6 && names")
    assert set(names) == {"worse", "smoke", "fold 1", "fold 2", "fold 3", "fold 4"}


def test_a_click_on_a_run_and_on_its_model_stays_with_the_training_of_models(page: Page) -> None:
    page.open()
    page.wait(f"return {LINKS}.includes('smoke')")
    click = "const link = [...document.querySelectorAll('a')].find(link => link.textContent.startsWith({!r}));"
    click += "link?.click(); return link"
    page.wait(click.format("smoke"))
    page.wait(f"return {NAVIGATION}.length && document.body.innerText.includes('About this run')")
    assert page.wait(f"return {NAVIGATION}")[1:4] == ["Runs", "Models", "Traces"]
    page.wait(click.format("Models"))
    page.wait("return document.body.innerText.includes('smoke-fold-4')")
    page.wait(click.format("smoke-final"))
    page.wait("return document.body.innerText.includes('About this logged model')")
    assert "occupancy-smoke" in page.wait("return document.body.innerText"), "what it is registered as"
    assert page.wait(f"return {NAVIGATION}")[1:4] == ["Runs", "Models", "Traces"]


def test_who_chose_language_models_keeps_them(page: Page) -> None:
    kept = "mlflow.workflowType_v1"
    page.open()
    page.browser.execute_script(f"localStorage.setItem({kept!r}, JSON.stringify('genai'))")
    try:
        page.browser.get("about:blank")
        page.browser.get(page.address.partition("#")[0])
        page.wait(f"return {NAVIGATION}.length")
        assert page.browser.execute_script(f"return localStorage.getItem({kept!r})") == '"genai"'
    finally:
        page.browser.execute_script(f"localStorage.removeItem({kept!r})")


def test_the_charts_of_the_experiment_begin_with_its_scores(page: Page) -> None:
    page.browser.get("about:blank")
    page.browser.get(f"{page.address}&compareRunsMode=CHART")
    page.wait("return document.querySelector('.js-plotly-plot .bars path')")
    text = page.text()
    assert text.rindex("mse_avg") < text.rindex("f1_macro_avg") < text.rindex("mse_pooled")


def test_the_page_of_a_run_shows_the_table_of_the_folds_and_the_metrics(page: Page) -> None:
    page.open(page.result["run_id"])
    rows = page.wait(
        "const table = document.querySelector('table');"
        "return table && [...table.rows].map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    assert rows[0] == ["fold", "mean", "1", "2", "3", "4"]
    mse = [page.result["metrics"]["mse_avg"], *(fold["metrics"]["mse"] for fold in page.result["folds"])]
    assert rows[1] == ["mse", *(f"{value:.3f}" for value in mse)]
    page.wait("return document.body.innerText.includes('mse_avg')")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_table_of_the_folds_is_not_wider_than_the_page(page: Page, width: int) -> None:
    view = {"width": width, "height": SIZE[1], "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
    try:
        page.open(page.result["run_id"])
        table, place = page.wait(
            "const table = document.querySelector('table');"
            "return table && [table.scrollWidth, table.parentElement.clientWidth]"
        )
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    # MLflow's side bar, which can be folded up, leaves too little of the smallest screens; fonts of machines differ.
    assert table <= (place if width > 390 else width - 80)


def test_the_learning_curve_of_a_fold_is_drawn(page: Page) -> None:
    page.open(page.folds[1], "/model-metrics")
    drawn = page.wait(
        "const line = document.querySelector('.js-plotly-plot .scatterlayer .js-line');"
        "return line && [line.getAttribute('d'), line.getBoundingClientRect().width]"
    )
    assert drawn[0].count("L") >= 1, "a line through two epochs"
    assert drawn[1] > 50


def test_the_figure_of_a_fold_is_shown(page: Page) -> None:
    page.open(page.folds[1], "/artifacts/figures/predictions.png")
    width = page.wait(
        "const figures = [...document.querySelectorAll('img')].filter(image => image.src.startsWith('blob:') "
        "|| image.src.includes('get-artifact'));"
        "return figures.map(image => image.naturalWidth).find(width => width > 0)"
    )
    assert width > 500
    assert "figures/predictions.png" in page.text()


def test_nothing_is_asked_of_another_host(page: Page) -> None:
    page.open()
    page.wait("return document.querySelector('.ag-row')")
    events = [json.loads(entry["message"])["message"] for entry in page.browser.get_log("performance")]  # type: ignore[no-untyped-call]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert asked
    assert {urlsplit(url).hostname for url in asked if url.startswith("http")} == {"127.0.0.1"}
