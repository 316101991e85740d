"""The formats that times are written in, and which of them texts are written in."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from occupancy.errors import InputError

DAY_FRACTION = "day-fraction"  # time of day in spreadsheets: 0.5 is noon
ISO, EPOCH_S, EPOCH_MS, EPOCH_US, EPOCH_NS = "iso", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns"
EPOCHS = {EPOCH_S: 1, EPOCH_MS: 1_000, EPOCH_US: 1_000_000, EPOCH_NS: 1_000_000_000}
"""How many units a second has, by the format of numbers that count them since 1970."""

_DATES: tuple[str, ...] = (
    "%Y/%m/%d",
    "%Y-%m-%d",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%m/%d/%y",
    "%d-%m-%Y",
    "%d/%m/%y",
    "%m-%d-%Y",
)
_DATES += ("%d.%m.%y", "%d-%m-%y", "%Y.%m.%d", "%d,%m,%Y", "%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d %Y", "%b %d, %Y")
_DATES += ("%B %d, %Y", "%Y%m%d", "%d-%b-%y", "%a %d %b %Y", "%a %b %d %Y", "%y-%m-%d", "%y/%m/%d", "%y.%m.%d")
_CLOCKS: tuple[str, ...] = (
    "%H:%M:%S",
    DAY_FRACTION,
    "%I:%M:%S %p",
    "%H:%M",
    "%H:%M:%S.%f",
    "%I:%M %p",
    "%H:%M:%S,%f",
    "%H.%M.%S",
)
_CLOCKS += ("%H.%M", "%H:%M:%S%z", "%H:%M%z", "%I:%M:%S%p", "%I:%M%p", "%H%M%S", "%H:%M:%S.%f%z")
_JOINED = (" ", ", ", "T", "-")
_ISO = re.compile(
    r"\s*(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?)(?:\s?(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?\s*",
    re.IGNORECASE,
)
_END = re.compile(r"(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)\s*$", re.IGNORECASE)
_OFFSETS = {"Z": "Z", "UTC": "Z", "GMT": "Z"}
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = re.compile(
    rf"(?:[a-z]{{3}},? )?(?:\d{{1,4}}([-/.,])\d{{1,2}}\1\d{{1,4}}|\d{{1,2}}[ -]{_MONTH}[ ,-]+\d{{2,4}}|"
    rf"{_MONTH} \d{{1,2}},? \d{{4}}|(?:19|20)\d{{6}})(?:[T ,-].*)?",
    re.IGNORECASE,
)
_EPOCH = re.compile(r"[12]\d{9}(?:\.\d+)?|[12]\d{12}(?:\d{3}){0,2}(?:\.0*)?")
_SAMPLE = 400
_FAR = 5.0  # times as far as the other reading of the same dates


def looks_like_a_time(text: str) -> bool:
    """Return whether a cell begins with a date, or holds seconds or parts of them since 1970."""
    text = text.strip()
    return bool(_DATE.fullmatch(text) or _EPOCH.fullmatch(text))


@dataclass(frozen=True)
class Parsed:
    """Times as a format reads them.

    Attributes:
        times: (N,) without a zone, NaT where a text does not match: in UTC, or of a wall clock.
        offset_s: (N,) how far the wall clock is ahead of UTC where the text says it, in seconds, NaN elsewhere; None if
            the format holds no offset.
        zulu: whether the texts themselves are in UTC.
    """

    times: pd.Series[pd.Timestamp]
    offset_s: pd.Series[float] | None = None
    zulu: bool = False


def parse(text: pd.Series[str], time_format: str) -> Parsed:
    """Return texts as a format reads them; those with an offset are in UTC.

    Raises:
        InputError: if the format is not valid.
    """
    if time_format == ISO:
        return _parse_iso(text)
    if time_format in EPOCHS:
        return Parsed(_parse_epoch(text, EPOCHS[time_format]), zulu=True)
    try:
        if "%" not in time_format:  # for some words, such as "mixed", pandas would guess the format
            raise ValueError("it has no directive")
        if "%z" in time_format:
            return _parse_with_end(text, time_format)
        times = _parse_fixed(text, time_format).astype("datetime64[ns]")
    except (ValueError, re.error) as error:
        raise InputError(
            f"time_format: got {time_format!r}, expected a strptime format such as '%Y-%m-%d %H:%M:%S', or {ISO}, "
            f"{', '.join(EPOCHS)} ({error})"
        ) from None
    return Parsed(times, zulu=time_format.endswith("Z") and not time_format.endswith("%Z"))


def _parse_with_end(text: pd.Series[str], time_format: str) -> Parsed:
    if not time_format.rstrip().endswith("%z"):
        raise ValueError("%z has to be at its end")
    utc = pd.to_datetime(text, format=time_format, errors="coerce", utc=True)
    ends = [match and match[1] for match in map(_END.search, text)]
    lost = text[utc.notna() & np.array([end is None for end in ends], bool)]
    if len(lost):
        raise ValueError(f"the offset of {lost.iloc[0]!r} is none of Z, UTC, +01, +0100 and +01:00")
    return _with_offsets(utc, ends, text.index)


def _parse_iso(text: pd.Series[str]) -> Parsed:
    found = [_ISO.fullmatch(cell) for cell in text]
    texts = [
        match[1].replace(",", ".") + ("" if match[2] is None else _OFFSETS.get(match[2].upper(), match[2]))
        if match
        else None
        for match in found
    ]
    utc = pd.to_datetime(pd.Series(texts, text.index, dtype=object), format="ISO8601", errors="coerce", utc=True)
    return _with_offsets(utc, [match[2] if match else None for match in found], text.index)


def _with_offsets(utc: pd.Series[pd.Timestamp], ends: Sequence[str | None], index: pd.Index[Any]) -> Parsed:
    """Return times in UTC with the offsets that end their texts; without any, they are those of a wall clock."""
    times = utc.dt.tz_localize(None).astype("datetime64[ns]")
    values = {end: _seconds(end) for end in {*ends} - {None}}
    if not values:
        return Parsed(times)
    offsets = pd.Series([values.get(end, float("nan")) for end in ends], index, dtype=float)
    return Parsed(times, offsets, all(str(end).upper() in _OFFSETS for end in values))


def _seconds(end: str | None) -> float:
    if end is None or end[0] not in "+-":
        return 0.0
    digits = end[1:].replace(":", "").ljust(4, "0")
    return (-1 if end[0] == "-" else 1) * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)


def _parse_epoch(text: pd.Series[str], per_second: int) -> pd.Series[pd.Timestamp]:
    number = pd.to_numeric(text, errors="coerce")
    number = number.where(number.abs() < 9e9 * per_second)
    whole = np.floor(number.fillna(0.0) / per_second)  # whole seconds and the rest, so that no digit is lost
    rest = (number.fillna(0.0) - whole * per_second) * (1e6 / per_second)
    times: pd.Series[pd.Timestamp]
    times = pd.to_datetime(whole.astype("int64"), unit="s") + pd.to_timedelta(rest.round().astype("int64"), unit="us")
    return times.where(number.notna()).astype("datetime64[ns]")


def _parse_fixed(text: pd.Series[str], time_format: str) -> pd.Series[pd.Timestamp]:
    if not time_format.endswith(DAY_FRACTION):
        return pd.to_datetime(text, format=time_format, errors="coerce")
    date_format = time_format.removesuffix(DAY_FRACTION).strip()
    parts = text.str.rsplit(n=1, expand=True).reindex(columns=[0, 1])
    fraction = pd.to_numeric(parts[1], errors="coerce")
    fraction = fraction.where((fraction >= 0) & (fraction < 1))
    # A fraction with nine digits is wrong by microseconds; logs have whole seconds. pandas rounds what lies in memory
    # for a time that is missing, and may warn of it, so it is given none.
    seconds = pd.to_timedelta((fraction.fillna(0.0) * 86_400).round(), unit="s")
    times: pd.Series[pd.Timestamp] = pd.to_datetime(parts[0], format=date_format, errors="coerce") + seconds
    return times.where(fraction.notna())


def in_iso(times: pd.Series[pd.Timestamp], known: bool) -> pd.Series[str]:
    """Return times without a zone as ISO 8601, (N,).

    Args:
        times: (N,) times in UTC, or of a wall clock.
        known: whether they are in UTC.
    """
    return times.dt.strftime("%Y-%m-%dT%H:%M:%S.%f") + ("Z" if known else "")


def fitting(text: pd.Series[str], share: float = 1.0) -> list[str]:
    """Return the formats that read all texts, or a share of them; of several, those under which the log is regular.

    A log is recorded in order, and without leaps of months from one day to the next: of two readings of the same
    dates, day or month first, the one that sorts the rows and has no such leaps is right.
    """
    if text.empty:
        return []
    some = text.iloc[np.unique(np.linspace(0, len(text) - 1, _SAMPLE).astype(int))]
    found: dict[str, tuple[bool, float]] = {}
    for time_format in _candidates(some, share):
        times = parse(text, time_format).times
        if times.notna().mean() >= share:
            steps = times.dropna().diff().dropna()
            found[time_format] = (bool((steps >= pd.Timedelta(0)).all()), steps.abs().max() / pd.Timedelta("1s"))
    if len(found) < 2:
        return list(found)
    if any(name.endswith(DAY_FRACTION) for name in found):  # 0.45 is 10:48, not 00:45
        found = {name: facts for name, facts in found.items() if name.endswith(DAY_FRACTION)}
    ordered = {name: longest for name, (rising, longest) in found.items() if rising}
    ordered = ordered or {name: longest for name, (_, longest) in found.items()}
    least = min(ordered.values())
    return [name for name, longest in ordered.items() if not longest > _FAR * max(least, 86_400.0)]


def leaps(times: pd.Series[pd.Timestamp]) -> bool:
    """Return whether most changes of the date lead to the same day of another month or year.

    A log does not run so: the parts of its dates are taken for each other, such as the month for the day.

    Args:
        times: (N,) times in the order of the rows, NaT where a text is not read.
    """
    known = times.dropna()
    days = known[known.dt.normalize().diff().fillna(pd.Timedelta(0)) != pd.Timedelta(0)].dt.day.to_numpy()
    if not len(days):
        return False
    return bool((days == np.append(known.iloc[0].day, days[:-1])).mean() > 0.5)


def _candidates(some: pd.Series[str], share: float) -> Iterator[str]:
    if some.str.fullmatch(_ISO).mean() >= share:
        yield ISO
        return
    if some.str.strip().str.fullmatch(_EPOCH).mean() >= share:
        digits = some.str.strip().str.split(".").str[0].str.len().median()
        yield next((name for name, units in EPOCHS.items() if digits <= len(str(units)) + 9), EPOCH_NS)
        return
    dates = [date for date in _DATES if _begins(some, date) >= share]
    for date, clock, join in itertools.product(dates, _CLOCKS, _JOINED):
        if clock == DAY_FRACTION and join != " ":
            continue
        time_format = f"{date}{join}{clock}"
        if parse(some[:20], time_format).times.notna().mean() >= share:
            yield time_format
    yield from dates


def _begins(some: pd.Series[str], date: str) -> float:
    """Return the share of texts that begin with a date of a format."""
    return float(pd.to_datetime(some, format=date, errors="coerce", exact=False).notna().mean())
