"""The documentation as a site: it builds without a warning, opens from disk, and asks no other host for anything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser import options
from tests.places import ROOT

PATIENCE_S = 60
ADDRESSES = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
WIDE, NARROW = 1280, 390


class Fetched(HTMLParser):
    """What a browser fetches for a page, links that a person may follow aside."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("rel") not in {"prev", "next"} and (address := given.get(ADDRESSES.get(tag, ""))):
            self.addresses.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="`make docs` installs MkDocs")
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (built.returncode, built.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def browser(
    site: Path, tmp_path_factory: pytest.TempPathFactory, program: Callable[[str], str]
) -> Iterator[webdriver.Chrome]:
    asked = options(program("chromium"), tmp_path_factory.mktemp("profile"))
    with webdriver.Chrome(asked, Service(program("chromedriver"))) as browser:
        yield browser


def requests_of(browser: webdriver.Chrome) -> set[str]:
    """Return the addresses that were asked for since the last look."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]  # type: ignore[no-untyped-call]
    return {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}


def test_no_page_fetches_anything_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        addresses = Fetched(page).addresses
        assert addresses
        assert not [address for address in addresses if re.match(r"[a-z]+:|//", address)], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import )[\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_each_notebook_has_a_page_with_its_question_and_its_code(site: Path) -> None:
    for source in (ROOT / "notebooks").glob("*.py"):
        page = (site / "notebooks" / f"{source.stem}.html").read_text(encoding="utf-8")
        assert re.search(r"<h1[^>]*>[^<]*\?", page)
        assert "set_matplotlib_formats" in page


def test_the_python_api_has_the_docstrings_of_its_names(site: Path) -> None:
    page = (site / "api.html").read_text(encoding="utf-8")
    for name in ("load_config", "open_log", "cut", "make_estimator", "Prediction", "score"):
        assert re.search(rf'<h\d id="occupancy\.[a-z_.]+\.{name}"|<h\d id="occupancy\.models\.{name}"', page), name


def test_the_search_works_from_disk_and_leads_to_the_heading_without_a_request_to_any_host(
    site: Path, browser: webdriver.Chrome
) -> None:
    browser.get((site / "index.html").as_uri())
    browser.find_element(By.CSS_SELECTOR, "[data-md-component=search-query]").send_keys("train.epoch_choices")
    links = WebDriverWait(browser, PATIENCE_S).until(
        lambda browser: browser.find_elements(By.CSS_SELECTOR, ".md-search-result__link")
    )
    assert "configuration.html" in str(links[0].get_attribute("href"))
    asked = requests_of(browser)
    assert any(address.endswith("search_index.js") for address in asked)
    assert not [address for address in asked if re.match(r"(http|ws)s?:", address)]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_no_page_is_wider_than_the_screen_and_no_command_line_is_cut_on_a_desk(
    width: int, site: Path, browser: webdriver.Chrome
) -> None:
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == NARROW}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    wide, cut = [], []
    for page in sorted(site.glob("*.html")):
        browser.get(page.as_uri())
        if browser.execute_script("return document.documentElement.scrollWidth") > width:
            wide.append(page.name)
        cut += browser.execute_script(
            "return [...document.querySelectorAll('.language-console code, .language-text code')]"
            ".filter(code => code.scrollWidth > code.clientWidth).map(code => code.innerText)"
        )
    assert not wide
    assert width == NARROW or not cut


def shade(browser: webdriver.Chrome) -> float:
    """Return how bright the page's background is, from 0 to 255."""
    colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3


def test_it_is_dark_where_the_reader_prefers_that_and_a_click_changes_it(site: Path, browser: webdriver.Chrome) -> None:
    for preferred, dark in (("light", False), ("dark", True), ("light", False)):
        features = [{"name": "prefers-color-scheme", "value": preferred}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get((site / "index.html").as_uri())
        assert (shade(browser) < 128) is dark, preferred
    for _ in range(2):  # as the system does, light, dark
        next(one for one in browser.find_elements(By.CSS_SELECTOR, "form label") if one.is_displayed()).click()
    WebDriverWait(browser, PATIENCE_S).until(lambda browser: shade(browser) < 128)


def test_a_copied_command_has_neither_its_prompt_nor_its_output(site: Path, browser: webdriver.Chrome) -> None:
    browser.get((site / "your_own_data.html").as_uri())
    copied = browser.execute_script(
        "return [...document.querySelectorAll('.language-console code')].map(code => {"
        "code.setAttribute('data-md-copying', ''); return code.innerText.trim()})"
    )
    assert "occupancy setup office.csv --out office volume_m3=77" in copied
    assert not [text for text in copied if text.startswith("$")]
