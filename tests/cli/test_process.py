from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.secret_addresses import FORMS, leaked

SHOW = """
import pathlib, sys
from occupancy.cli.process import hide_arguments
given = list(sys.argv)
hide_arguments()
assert sys.argv == given
print(pathlib.Path("/proc/self/cmdline").read_bytes().replace(bytes(1), b"\\n").decode(errors="replace"))
"""


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="the system lists processes elsewhere")
def test_the_list_of_processes_shows_no_secret_of_any_form_and_the_rest_of_each_argument() -> None:
    given = [f"tracking.uri={address}" for address in FORMS.values()]
    command = [sys.executable, "-c", SHOW, "--config", "a.yaml", *given, "tracking.experiment=Büro", "seed=1"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert leaked(shown) == []
    assert shown.count("tracking.uri=") == len(FORMS)
    assert "--config\na.yaml\ntracking.uri=http://ann:***@127.0.0.1:9" in shown
    assert "tracking.experiment=Büro\nseed=1\n" in shown


def test_arguments_without_an_address_are_left_alone_without_an_import() -> None:
    code = (
        "import sys; from occupancy.cli.process import hide_arguments; hide_arguments(); print('yaml' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
