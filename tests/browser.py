"""The browser that tests drive: Chromium without a window, which can reach this machine alone."""

from __future__ import annotations

import os
from pathlib import Path

from selenium import webdriver

SIZE = (1280, 900)


def options(chromium: str, profile: Path) -> webdriver.ChromeOptions:
    """Return how to start Chromium.

    Args:
        chromium: where the program lies.
        profile: an empty folder for what it keeps.
    """
    asked = webdriver.ChromeOptions()
    asked.binary_location = chromium
    asked.add_argument("--headless=new")
    asked.add_argument("--disable-dev-shm-usage")
    asked.add_argument(f"--user-data-dir={profile}")
    asked.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
    asked.add_argument(f"--window-size={SIZE[0]},{SIZE[1]}")
    if os.geteuid() == 0:
        asked.add_argument("--no-sandbox")
    asked.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    return asked
