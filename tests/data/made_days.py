"""A day in an office as a file, and what tools do to such files."""

from __future__ import annotations

import numpy as np
import pandas as pd

from occupancy.config import Data
from occupancy.data.schema import Column, Schema

DAY = Schema(
    name="office",
    time=["when"],
    time_format="%Y-%m-%d %H:%M:%S",
    columns=[
        Column(name="temperature", kind="temperature", unit="degC"),
        Column(name="co2", kind="co2", unit="ppm"),
        Column(name="motion", kind="motion", unit="0 or 1"),
    ],
    count="people",
)
SETTINGS = Data(source="day.csv", schema="day.yaml", max_count=2, max_gap=400)
HEADER = "when,temperature,co2,motion,people"
_RNG = np.random.default_rng(7)
PEOPLE = np.repeat([0, 0, 1, 2, 2, 1, 0, 2, 0], 32)
TIMES = pd.date_range("2024-01-22", periods=288, freq="5min", name="time").as_unit("ns")
TRUTH = pd.DataFrame(
    {
        "temperature": np.round(21 + PEOPLE / 2 + _RNG.normal(0, 0.2, 288), 2),
        "co2": np.round(500 + 300.0 * PEOPLE + _RNG.normal(0, 20, 288)),
        "motion": (PEOPLE > 0) * _RNG.integers(0, 2, 288).astype(float),
        "people": PEOPLE,
    },
    index=TIMES,
)
CELLS = [
    [f"{row.temperature:.2f}", f"{row.co2:.0f}", f"{row.motion:.0f}", f"{row.people:.0f}"] for row in TRUTH.itertuples()
]


def lines(times: list[str] | None = None, cells: list[list[str]] | None = None, separator: str = ",") -> list[str]:
    """Return the rows of the day's file, without the header.

    Args:
        times: (N,) how the times are written.
        cells: (N,) how the readings are written.
        separator: what is between them.
    """
    written = times or [*TIMES.strftime("%Y-%m-%d %H:%M:%S")]
    return [separator.join([time, *row]) for time, row in zip(written, cells or CELLS, strict=True)]
