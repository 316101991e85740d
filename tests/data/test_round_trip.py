"""What is read equals what was written, whatever the format, separator, zone and defects of the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from occupancy.errors import InputError
from tests.data.made_files import differences, make, read

VARIANTS, QUICK = 300, 24


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[pytest.mark.proof] if seed >= QUICK else []) for seed in range(VARIANTS)]
)
def test_values_read_are_values_written_or_a_line_says_what_to_do(seed: int, tmp_path: Path) -> None:
    made = make(seed, tmp_path)
    try:
        log, _ = read(made)
    except InputError as error:
        pytest.fail(f"{made.about}: no advice of this message was one that helps: {error}")
    assert differences(made, log) == "", made.about
