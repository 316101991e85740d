"""Reading times in many formats as times without a zone, and the recordings that rows belong to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occupancy.arrays import Ints, Rows, stretch_of
from occupancy.data.clock import Clock, changes_within, run_on, to_utc
from occupancy.data.time_formats import DAY_FRACTION, EPOCHS, ISO, Parsed, fitting, leaps, parse
from occupancy.errors import InputError, shortened


@dataclass(frozen=True)
class Times:
    """The times of a log.

    Attributes:
        times: (N,) times without a zone, NaT where a text can't be read.
        clock: how they stand to UTC; None if nothing says it.
        notes: what people must know of how they were read.
        falling: whether the newest row is the first.
        changing: whether their written offset from UTC changes, and all are read with that of the first.
    """

    times: pd.Series[pd.Timestamp]
    clock: Clock | None = None
    notes: tuple[str, ...] = ()
    falling: bool = False
    changing: bool = False


def joined_text(frame: pd.DataFrame, columns: Sequence[str]) -> pd.Series[str]:
    """Return the cells of the columns of the time, joined by a space, (N,)."""
    text = frame[columns[0]].astype(str)
    for column in columns[1:]:
        text = text + " " + frame[column].astype(str)
    return text


def parse_times(text: pd.Series[str], time_format: str, time_zone: str | None = None) -> pd.Series[pd.Timestamp]:
    """Return the times, (N,), NaT where a text does not match the format.

    Args:
        text: (N,) date and time of day, joined by a space.
        time_format: a ``strptime`` format, which may end in ``day-fraction``; or ``iso``, ``epoch_s`` and the like.
        time_zone: the zone of the room, see `occupancy.data.clock`; None: times without an offset are taken as they
            are, those with one as the wall clock that shows it.

    Raises:
        InputError: if the format is not valid, or the times do not fit the zone.
    """
    return _placed(parse(text, time_format), time_zone).times


def recognise(text: pd.Series[str], zone: str | None = None, label: Callable[[int], str] = "row {}".format) -> str:
    """Return the format that reads all texts: a ``strptime`` format, or ``iso``, or ``epoch_s`` and the like.

    Args:
        text: (N,) date and time of day, joined by a space, in the order of the file.
        zone: the zone of the room; it decides nothing of the format, but has to fit the times.
        label: how messages call the row of a position.

    Raises:
        InputError: if no format reads them all, several do that give different times, or the one that does makes days
            leap by months or years.
    """
    formats = fitting(text)
    if not formats and len(most := fitting(text, share=_MOST)) == 1:
        raise InputError(_unread(text, most[0], label))
    if len(formats) != 1:
        shown = ", ".join(repr(cell) for cell in text.iloc[:3])
        what = "can be read in several ways" if formats else "are in no known format"
        raise InputError(f"the times ({shown}, ...) {what}; set data.time_format{suggest_format(text)}")
    _refuse_leaps(text, parse(text, formats[0]).times, formats[0], lone=True)
    if zone is not None:
        parse_times(text, formats[0], zone)
    return formats[0]


def _unread(text: pd.Series[str], time_format: str, label: Callable[[int], str]) -> str:
    places = np.flatnonzero(parse(text, time_format).times.isna())
    cells = ", ".join(f"{label(int(place))} {shortened(text.iloc[place])}" for place in places[:_LISTED])
    return f"unreadable time ({len(places)}): {cells}; correct the time, or delete the row"


def format_of(text: pd.Series[str], known: str | None, label: Callable[[int], str]) -> str:
    """Return the format that reads all texts (N,): the known one if it does, or the one that is recognised.

    Args:
        text: (N,) date and time of day, joined by a space, in the order of the file.
        known: the format of the settings or the schema.
        label: how messages call the row of a position.

    Raises:
        InputError: if no format reads them all, or several do that give different times.
    """
    if known is None:
        return recognise(text, label=label)
    times = parse(text, known).times
    if not times.hasnans:
        _refuse_leaps(text, times, known)
        return known
    if times.notna().mean() >= _MOST and not fitting(text):
        raise InputError(_unread(text, known, label))
    return recognise(text, label=label)


def _refuse_leaps(text: pd.Series[str], times: pd.Series[pd.Timestamp], time_format: str, lone: bool = False) -> None:
    """Refuse times (N,) whose days become months or years, if others can be meant or the format is only a guess."""
    if not leaps(times):
        return
    others = [one for one in fitting(text) if one != time_format and not leaps(parse(text, one).times)]
    if not others and not lone:
        return
    shown = ", ".join(repr(cell) for cell in text[times.dt.normalize().diff() != pd.Timedelta(0)].iloc[:3])
    better = "=" + " or ".join(map(repr, others)) if others else " to the strptime format that they are written in"
    raise InputError(
        f"the times ({shown}, ...) leap by months or years from day to day when read as {time_format!r}"
        f"{'' if others else ', the one known format that reads them'}; set data.time_format{better}"
    )


def read_times(text: pd.Series[str], asked: str | None, usual: str | None, zone: str | None) -> Times:
    """Return the times of a log, (N,).

    Args:
        text: (N,) date and time of day, joined by a space, in the order of the rows.
        asked: the format that the settings ask for.
        usual: the format of the schema. Times that it does not read are read in the one that they are in, if only one
            can be meant.
        zone: the zone of the room.

    Raises:
        InputError: if a format is not valid, or the times do not fit the zone.
    """
    given = asked or usual
    parsed = None if given is None else parse(text, given)
    if parsed is not None and (asked or not parsed.times.hasnans):
        if not asked:
            _refuse_leaps(text, parsed.times, str(usual))
        return _placed(parsed, zone)
    formats = fitting(text) or fitting(text, share=_MOST)
    if len(formats) != 1:
        return _placed(parsed or parse(text, recognise(text)), zone)
    other = parse(text, formats[0])
    if parsed is None or other.times.notna().sum() > parsed.times.notna().sum():
        _refuse_leaps(text, other.times, formats[0], lone=True)
    if parsed is None or other.times.notna().sum() <= parsed.times.notna().sum():
        return _placed(parsed or other, zone)
    placed = _placed(other, zone)
    if formats[0] == ISO and str(given).startswith("%Y-%m-%d"):  # as the schema says, but for fractions or offsets
        return placed
    what = f"times are read {_WORDS.get(formats[0], f'as {formats[0]!r}')}, not as {given!r} of the schema"
    return replace(placed, notes=(what, *placed.notes))


_LISTED = 10  # cells that a message names
_MOST = 0.9  # of the texts: a few broken cells do not hide the format of the others
_UNITS = ("seconds", "milliseconds", "microseconds", "nanoseconds")
_WORDS = {ISO: "as ISO 8601"} | {name: f"as {unit} since 1970" for name, unit in zip(EPOCHS, _UNITS, strict=True)}
_IN_UTC = (
    "times are in UTC, so that hours and days are those of UTC; set data.time_zone to the zone of the room (such as "
    "Europe/Berlin)"
)


def _placed(parsed: Parsed, zone: str | None) -> Times:
    """Return times that run on evenly, and their clock."""
    times, offsets, falling = parsed.times, parsed.offset_s, falls(parsed.times)
    if offsets is not None and (bare := times.notna() & offsets.isna()).any():
        raise InputError(
            f"{int((times.notna() & offsets.notna()).sum()):,} times have an offset from UTC and {int(bare.sum()):,} "
            "have none; write all of them in one way"
        )
    if offsets is None and not parsed.zulu:
        if zone is None:
            return Times(times, falling=falling)
        times = in_utc(times, zone)
    if zone is not None:
        placed, clock = run_on(times, zone)
        return Times(placed, clock, _on_changes(times, zone, clock), falling)
    if parsed.zulu or offsets is None:
        return Times(times, Clock(0.0), (_IN_UTC,), falling)
    known = offsets.dropna()
    first = known.iloc[-1 if falling else 0] if len(known) else 0.0
    notes: tuple[str, ...] = ()
    if changing := bool((known != first).any()):
        notes = (
            f"the times' offset from UTC changes, and all are read with that of the first, {_shown(first)}; set "
            "data.time_zone to the zone of the room (such as Europe/Berlin)",
        )
    return Times(times + pd.Timedelta(seconds=first), Clock(first), notes, falling, changing)


def in_utc(wall: pd.Series[pd.Timestamp], zone: str) -> pd.Series[pd.Timestamp]:
    """Return the times of a wall clock in UTC, (N,), also where the newest row is the first; see `to_utc`."""
    return to_utc(wall[::-1], zone)[::-1] if falls(wall) else to_utc(wall, zone)


def falls(times: pd.Series[pd.Timestamp]) -> bool:
    """Return whether rows go from the newest to the oldest."""
    steps = times.dropna().diff()
    back, on = int((steps < pd.Timedelta(0)).sum()), int((steps > pd.Timedelta(0)).sum())
    return back > 1 and on <= back * (1 - _MOST) / 2


def _on_changes(utc: pd.Series[pd.Timestamp], zone: str, clock: Clock) -> tuple[str, ...]:
    said = f"clocks change within the log; its times run on from the first row's ({_shown(clock.offset_s)})"
    return (said,) if changes_within(utc, zone) else ()


def _shown(offset_s: float) -> str:
    minutes = round(abs(offset_s) / 60)
    return f"{'-' if offset_s < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def suggest_format(text: pd.Series[str]) -> str:
    """Return the end of a message that names the formats that fit all texts, or says what to do if none fits."""
    formats = fitting(text) or fitting(text, share=_MOST)
    if not formats:
        return f" to a strptime format ({DAY_FRACTION} is a fraction of a day), or correct the cells"
    return "=" + " or ".join(repr(time_format) for time_format in formats)


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
            f"put the rows on that step, with data.step={step_s:g}s"
        )
