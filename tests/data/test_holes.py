"""Missing readings in a line."""

from __future__ import annotations

import numpy as np
import pandas as pd

from occupancy.data.holes import longest_run, told


def test_the_line_tells_sensor_number_and_longest_run() -> None:
    missing = pd.DataFrame({"air": [True, False, True, True], "warm": [False, True, False, False], "lamp": False})
    held = missing.assign(air=False)
    assert told(missing, held, 60, 10) == [
        "missing readings, which stay missing: air 3 of 4 (the longest 2 rows on end, 120 s)",
        "missing readings that hold the last one, for 10 rows at most: warm 1 of 4 (the longest 1 rows on end, 60 s)",
    ]
    assert told(missing & False, held & False, 60, 10) == []


def test_a_run_is_as_long_as_its_flags() -> None:
    assert longest_run(np.array([True, True, False, True])) == 2
    assert longest_run(np.zeros(3, bool)) == 0


def test_a_model_that_reads_no_sensor_lacks_no_reading() -> None:
    none = pd.DataFrame(index=range(3))
    assert told(none, none, 60, 10) == []
