"""The columns of the time of a log, and its zone."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import available_timezones

import numpy as np
import pandas as pd

from occupancy.data.clock import Clock
from occupancy.errors import InputError, shortened
from occupancy.setup.names import words_of

_SAMPLE = 200  # cells of a column that are looked at
_SHARED, _MOST_ROOMS, _FEWEST_ROWS = 0.2, 200, 20  # share of times that are there twice; rooms, and rows of each
_TELL = "give its zone, such as time_zone=Europe/Berlin"
_MOST_SHARED = 0.5  # of the dates, from which a time of day must be in another column
_MOST = 0.9  # share of them that must look like a time
_DATE = r"(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{8}|\w{3,9}\.? \d{1,2},? \d{4}|\d{1,2}[- ]\w{3,9}[- ,]+\d{2,4})"
_CLOCK = r"\d{1,2}:\d{2}(:\d{2})?([.,]\d+)?( ?[aApP]\.?[mM]\.?)?"
_ZONE = r" ?(Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?( ?[A-Z]{3,4})?"
_WHOLE = re.compile(rf"{_DATE}[T ,]+{_CLOCK}{_ZONE}")
_ONLY_DATE, _ONLY_CLOCK = re.compile(_DATE), re.compile(_CLOCK)
_EPOCH = re.compile(r"1\d{9}(\.\d+)?|1\d{12}(\.\d+)?|1\d{15}|1\d{18}")
_NAMES = (
    "when",
    "time",
    "timestamp",
    "datetime",
    "date time",
    "date",
    "zeit",
    "zeitstempel",
    "datum",
    "ts",
    "last changed",
)


def find_times(text: pd.DataFrame, asked: Sequence[str] = ()) -> list[str]:
    """Return the columns of the time: one, or a date and a time of day.

    Args:
        text: (N rows) the cells.
        asked: the columns that the user named.

    Raises:
        InputError: if there are none, or a column that was asked for is not there.
    """
    if strange := [name for name in asked if name not in text.columns]:
        raise InputError(f"time: got {shortened(strange[0])}, expected columns of: {', '.join(map(str, text.columns))}")
    if asked:
        return list(asked)
    looks = {name: _look(text[name]) for name in text.columns}
    if whole := [name for name, look in looks.items() if look in ("whole", "epoch")]:
        return [min(whole, key=lambda name: (looks[name] == "epoch", _rank(name)))]
    for name, look in looks.items():
        if look == "date" and (clocks := [other for other, seen in looks.items() if seen == "clock"]):
            return [name, clocks[0]]
    if dates := [name for name, look in looks.items() if look == "date"]:
        return dates[:1]
    raise InputError(
        "no column holds times, such as 2024-01-31 15:24:00; name it with time=COLUMN, or 'time=[Date, Time]' for two; "
        f"the columns are {', '.join(map(str, text.columns))}"
    )


def _look(cells: pd.Series[str]) -> str:
    """Return what a column looks like: ``whole`` times, ``epoch``, ``date``, ``clock``, or nothing of these."""
    there = cells[~cells.isin(["", " "])]
    sample = there.iloc[np.linspace(0, len(there) - 1, min(len(there), _SAMPLE)).astype(int)].astype(str).str.strip()
    for look, pattern in (("whole", _WHOLE), ("epoch", _EPOCH), ("clock", _ONLY_CLOCK), ("date", _ONLY_DATE)):
        if len(sample) and sample.str.fullmatch(pattern).mean() >= _MOST:
            return look
    return ""


def _rank(name: str) -> int:
    words = words_of(name)
    return next((rank for rank, word in enumerate(_NAMES) if word in words), len(_NAMES))


def check_one_room(rest: pd.DataFrame, times: pd.DatetimeIndex) -> None:
    """Check that rows are of one room.

    Args:
        rest: (N rows) the cells of all columns but the time.
        times: (N,) sorted times.

    Raises:
        InputError: many rows share their time, and a column tells them apart.
    """
    if times.duplicated().mean() < _SHARED:
        return
    for name in rest.columns:
        sizes = rest[name].astype(str).value_counts()
        apart = 1 < len(sizes) <= _MOST_ROOMS and sizes.min() >= _FEWEST_ROWS
        if apart and not pd.DataFrame({"time": times, "room": rest[name].astype(str).to_numpy()}).duplicated().any():
            listed = ", ".join(sorted(sizes.index)[:5])
            raise InputError(
                f"the file has rows of several rooms or devices at one time: column {name}: {listed}; write a file "
                "each, and give those of one room"
            )


def check_times(times: pd.DatetimeIndex) -> None:
    """Check that rows have times of their own.

    Args:
        times: (N,) times.

    Raises:
        InputError: if all rows have one time, or most share a date without a time of day.
    """
    if len(times) == 1:
        raise InputError("the log has one row with a time, expected two or more; give the whole log")
    days = bool((times == times.normalize()).all()) and times.duplicated().mean() >= _MOST_SHARED
    alike = bool((times == times[0]).all())
    if days or alike:
        said = "all rows have one time" if alike else "rows have dates without a time of day"
        raise InputError(
            f"{said}, such as {times[0]}, expected a time for each; name the column of the time of day too, such as "
            "'time=[Date, Time]'"
        )


@dataclass(frozen=True)
class Zone:
    """The zone of the times of a log.

    Attributes:
        name: the IANA name to set; None to set none.
        why: what was seen, for people.
        check: what is doubtful about it; empty if nothing is.
    """

    name: str | None
    why: str
    check: str = ""


def settle_zone(clock: Clock | None, asked: str | None, changing: bool = False) -> Zone:
    """Return the zone of times.

    Args:
        clock: how they stand to UTC; None: nothing says it.
        asked: the zone that the user told.
        changing: whether their written offset from UTC changes.
    """
    if asked is not None:
        return Zone(asked, f"{asked}, as asked")
    if clock is None:
        return Zone(None, "not written; times are taken as local")
    hours = f"{clock.offset_s / 3600:+g} h from UTC"
    if changing:
        said = f"the times' offset from UTC changes, and all are read {hours}, as the first, so later hours are wrong"
        return Zone(None, f"{hours}, as the first row has it", f"{said}; for those of the room {_TELL}")
    if clock.offset_s:
        return Zone(None, f"{hours}, as written; local time is that")
    own = own_zone()
    remedy = f"if the room is elsewhere, {_TELL}"
    if own is None:
        said = "times are in UTC, so hours and days are those of UTC"
        return Zone(None, "UTC", f"{said}; {remedy}")
    return Zone(
        own,
        f"UTC, read as {own}",
        f"times are in UTC and are read as local times of {own}, the zone of this computer; {remedy}",
    )


def own_zone() -> str | None:
    """Return the IANA name of the zone of this computer; None if it is not known or is UTC."""
    link = Path("/etc/localtime")
    name = os.environ.get("TZ") or (str(link.resolve()).partition("zoneinfo/")[2] if link.is_symlink() else "")
    name = name.removeprefix(":").removeprefix("posix/")
    return (
        name if name in available_timezones() and not re.search(r"(^|/)(UTC|UCT|GMT|Zulu|Universal)$", name) else None
    )
