"""The picture of the MLflow page. Start `make ui`, and give the address that it prints.

    python docs/screenshots.py "http://127.0.0.1:5000/#/experiments/1/runs?..."

Writes docs/images/mlflow_runs.png, with the folds of the first run shown. Needs Chromium and its driver.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

IMAGES = Path(__file__).parent / "images"
PATIENCE_S = 60  # the page is slow on a busy machine
EXPAND = "const button = document.querySelector('.ag-cell button'); button?.click(); return button"
DRAWN = "return [...document.querySelectorAll('.ag-cell a')].some(link => link.textContent === 'fold 1')"


def main(address: str) -> None:
    """Write the picture of the page at an address."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or sys.exit("chromium is not installed")
    for argument in ("headless=new", "disable-dev-shm-usage", *(["no-sandbox"] if os.geteuid() == 0 else [])):
        options.add_argument(f"--{argument}")
    driver = shutil.which("chromedriver") or sys.exit("chromedriver is not installed")
    with webdriver.Chrome(options, Service(driver)) as browser:
        view = {"width": 1280, "height": 830, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
        # MLflow opens its chat on the first visit.
        closed = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": closed})
        browser.get(address)
        try:
            for script in (EXPAND, DRAWN):
                WebDriverWait(browser, PATIENCE_S).until(lambda _, script=script: browser.execute_script(script))
        except TimeoutException:
            shown = browser.execute_script("return document.body.innerText")
            sys.exit(f"no table with the folds of a run at {browser.current_url}, which shows:\n{shown}")
        browser.save_screenshot(str(IMAGES / "mlflow_runs.png"))


if __name__ == "__main__":
    main(sys.argv[1])
