"""Reading times in many formats as local time without a zone, and the recordings that rows belong to."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occupancy.arrays import Ints, Rows, stretch_of
from occupancy.errors import InputError

DAY_FRACTION = "day-fraction"  # time of day in spreadsheets: 0.5 is noon

_DATES = ("%Y/%m/%d", "%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m/%d/%y", "%d-%m-%Y")
_CLOCKS = ("%H:%M:%S", DAY_FRACTION, "%I:%M:%S %p", "%H:%M", "%H:%M:%S.%f")


def parse_times(text: pd.Series[str], time_format: str) -> pd.Series[pd.Timestamp]:
    """Return the times, (N,), NaT where a text does not match the format.

    Args:
        text: (N,) date and time of day, joined by a space.
        time_format: a ``strptime`` format, which may end in ``day-fraction``.

    Raises:
        InputError: if the format is not valid.
    """
    try:
        if "%" not in time_format:  # for some words, such as "mixed", pandas would guess the format
            raise ValueError("it has no directive")
        return _parse(text, time_format).astype("datetime64[ns]")
    except (ValueError, re.error) as error:
        raise InputError(
            f"time_format: got {time_format!r}, expected a strptime format such as '%Y-%m-%d %H:%M:%S' ({error})"
        ) from None


def _parse(text: pd.Series[str], time_format: str) -> pd.Series[pd.Timestamp]:
    if not time_format.endswith(DAY_FRACTION):
        return pd.to_datetime(text, format=time_format, errors="coerce")
    date_format = time_format.removesuffix(DAY_FRACTION).strip()
    parts = text.str.rsplit(n=1, expand=True).reindex(columns=[0, 1])
    fraction = pd.to_numeric(parts[1], errors="coerce")
    fraction = fraction.where((fraction >= 0) & (fraction < 1))
    # A fraction with nine digits is wrong by microseconds; logs have whole seconds. pandas rounds what lies in memory
    # for a time that is missing, and may warn of it, so it is given none.
    seconds = pd.to_timedelta((fraction.fillna(0.0) * 86_400).round(), unit="s")
    return (pd.to_datetime(parts[0], format=date_format, errors="coerce") + seconds).where(fraction.notna())


def suggest_format(text: pd.Series[str]) -> str:
    """Return the end of a message that names the formats that fit all texts, or says what to do if none fits.

    If several formats fit, only those that give sorted times are named, since a log is recorded in order.
    """
    fitting = {}
    for date, clock in itertools.product(_DATES, _CLOCKS):
        times = parse_times(text, f"{date} {clock}")
        if times.notna().all():
            fitting[f"{date} {clock}"] = bool(times.is_monotonic_increasing)
    ordered = [time_format for time_format, increasing in fitting.items() if increasing] or list(fitting)
    if not ordered:
        return f" to a strptime format ({DAY_FRACTION} is a fraction of a day), or correct the cells"
    return "=" + " or ".join(repr(time_format) for time_format in ordered)


def steps_of(times: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Return the seconds from each row to the next, (N-1,)."""
    return np.diff(times.to_numpy()) / np.timedelta64(1, "s")


def step_of(times: pd.DatetimeIndex, max_gap: float) -> float:
    """Return the median step in seconds between rows of one recording; NaN if no recording has two rows.

    Args:
        times: (N,) sorted times.
        max_gap: seconds; a longer step is a gap between recordings.
    """
    steps = steps_of(times)
    steps = steps[steps <= max_gap]
    return float(np.median(steps)) if len(steps) else float("nan")


def recordings(times: pd.DatetimeIndex, max_gap: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the number of the recording of each row, (N,), from 0.

    Args:
        times: (N,) sorted times.
        max_gap: seconds; a longer step begins a new recording.
    """
    steps = steps_of(times)
    return np.concatenate([[0], np.cumsum(steps > max_gap)]).astype(np.int64)[: len(times)]


def label_runs(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the number of the run of equal counts of each row, (N,), from 0.

    Args:
        counts: (N,) people at consecutive rows.
    """
    return np.cumsum(np.diff(counts, prepend=counts[:1]) != 0)


STEP_TOLERANCE = 0.1  # clocks drift a little; with another step, a window of samples would span another time


def stretches(times: pd.DatetimeIndex, rows: Rows, max_gap: float) -> Ints:
    """Return the number of the stretch of each row, (N,), `OUTSIDE` for rows that may not be read.

    A stretch is a longest run of consecutive rows that may all be read and have no gap between them. Windows
    and trailing features do not reach past the start of their stretch.

    Args:
        times: (N,) sorted times.
        rows: (N,) the rows that may be read.
        max_gap: seconds; a longer step between rows is a gap.
    """
    return stretch_of(rows, recordings(times, max_gap))


def check_cadence(step_s: float, times: pd.DatetimeIndex, max_gap: float) -> None:
    """Check that rows have the same step as the training log; a single row has no step and passes.

    Args:
        step_s: seconds between rows of the training log.
        times: (N,) sorted times.
        max_gap: seconds; a longer step between rows is a gap.

    Raises:
        InputError: if the steps differ by more than `STEP_TOLERANCE`.
    """
    found_s = step_of(times, max_gap)
    if abs(found_s / step_s - 1) > STEP_TOLERANCE:
        raise InputError(
            f"got a row every {found_s:g} s, but the model was trained on one every {step_s:g} s; "
            "resample the frame to that step"
        )
