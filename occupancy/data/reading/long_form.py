"""Logs with one row for each reading, put into one column for each sensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from occupancy.arrays import Ints
from occupancy.data.blanks import is_blank_text
from occupancy.data.kinds import KINDS
from occupancy.data.order import setback
from occupancy.data.time_formats import in_iso, parse
from occupancy.data.times import falls, format_of, in_utc
from occupancy.errors import InputError

_NAMES: tuple[str, ...] = (
    "_field",
    "entity_id",
    "sensor",
    "sensor_id",
    "sensor_name",
    "entity",
    "metric",
    "series",
    "variable",
    "parameter",
)
_NAMES += (
    "channel",
    "topic",
    "device",
    "device_id",
    "point",
    "point_name",
    "measurement",
    "_measurement",
    "name",
    "tag",
    "signal",
)
_NAMES += ("quantity", "attribute", "item", "datapoint", "key", "field", "type", "statistic_id", "friendly_name", "id")
_VALUES = ("_value", "state", "value", "reading", "val", "values", "measured_value", "data", "mean", "payload")
GENERIC = frozenset({*_VALUES, "average", "avg", "measurement", "last"})
"""Names of columns that say nothing of the sensor."""

_TIMES: tuple[str, ...] = (
    "_time",
    "last_changed",
    "last_updated",
    "time",
    "timestamp",
    "datetime",
    "date",
    "when",
    "ts",
    "date_time",
)
_UNITS = ("unit", "unit_of_measurement", "units", "uom")
_TAGS = ("_measurement", "entity_id", "sensor", "device", "room", "location", "host", "topic", "domain")
_WORDS = {"on", "off", "true", "false", "yes", "no", "open", "closed", "occupied", "clear", "detected", "home", "away"}
_MOST_SENSORS = 500
_LISTED = 6


@dataclass(frozen=True)
class LongForm:
    """The columns of a log with one row for each reading.

    Attributes:
        time: the column with the time of a reading.
        names: the columns that together name its sensor.
        value: the column with the reading.
        unit: the column with its unit, if there is one.
    """

    time: str
    names: tuple[str, ...]
    value: str
    unit: str | None


def find_long_form(frame: pd.DataFrame, times: Sequence[str]) -> LongForm | None:
    """Return which columns hold time, sensor and reading, or None if a row holds the readings of several sensors.

    Args:
        frame: (N rows) cells as text.
        times: the columns with times.
    """
    by_name = {str(name).strip().lower(): str(name) for name in frame.columns}
    value = next((by_name[name] for name in _VALUES if name in by_name), None)
    time = next((by_name[name] for name in _TIMES if by_name.get(name) in times), times[0] if times else None)
    if value is None or time is None:
        return None
    names = [by_name[name] for name in _NAMES if name in by_name and _names_sensors(frame, by_name[name])]
    names = [name for name in names if name not in {value, time}]
    if not names:
        return None
    first = names[0]
    tags = [by_name[tag] for tag in _TAGS if tag in by_name and by_name[tag] not in {first, value, time}]
    unit = next((by_name[name] for name in _UNITS if name in by_name), None)
    return LongForm(time, (*[tag for tag in tags if _splits(frame, first, tag, time)], first), value, unit)


def _names_sensors(frame: pd.DataFrame, name: str) -> bool:
    """Return whether a column holds names: few, none of them a number or a state."""
    values = [value.strip() for value in frame[name].cat.categories]
    if not values or len(values) > _MOST_SENSORS or {value.lower() for value in values} <= _WORDS:
        return False
    return not any(is_blank_text(value) or _is_number(value) for value in values)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _splits(frame: pd.DataFrame, first: str, tag: str, time: str) -> bool:
    """Return whether a tag is needed to tell sensors apart: one name has several values of it."""
    if not _names_sensors(frame, tag):
        return False
    pairs = frame[[first, tag]].drop_duplicates()
    return len(pairs) > pairs[first].nunique()


def pivot(
    frame: pd.DataFrame, rows: Ints, form: LongForm, zone: str | None = None, time_format: str | None = None
) -> tuple[pd.DataFrame, Ints, dict[str, str], list[str]]:
    """Return one row for each time and one column for each sensor, blank where it sent nothing; in order of time.

    Of several readings that a sensor sent at one time, the last counts.

    Args:
        frame: (N rows) one for each reading.
        rows: (N,) the line of each row.
        form: which columns hold what.
        zone: the zone of the room.
        time_format: the format of the times, where it is known.

    Returns:
        The frame, the line of the first reading of each of its rows, units by column, and notes.

    Raises:
        InputError: if the times can't be read, or the unit of a sensor changes.
    """
    sensor = frame[form.names[0]].astype(str).str.strip()
    for name in form.names[1:]:
        sensor = sensor + " " + frame[name].astype(str).str.strip()
    text, utc = _in_time(frame[form.time].astype(str), sensor, rows, zone, time_format)
    order = np.argsort(utc.to_numpy(), kind="stable")
    moment = utc.to_numpy()[order]
    starts = np.append(True, moment[1:] != moment[:-1])
    place = np.cumsum(starts) - 1
    number, names = pd.factorize(sensor.to_numpy()[order])
    value = frame[form.value].to_numpy().astype(object)[order]
    columns = {form.time: text.to_numpy()[order][starts]}
    for which, name in enumerate(names):
        mine = number == which
        cells = np.full(int(starts.sum()), "", dtype=object)
        cells[place[mine]] = value[mine]  # of several at one place, numpy keeps the last
        columns[str(name) if name != form.time else f"{name} of a sensor"] = cells
    wide = pd.DataFrame({name: pd.Categorical(cells) for name, cells in columns.items()})
    again = len(frame) - len(set(zip(place.tolist(), number.tolist(), strict=True)))
    unused = [str(name) for name in frame.columns if name not in {form.time, *form.names, form.value, form.unit}]
    return wide, rows[order][starts], _units(frame, rows, sensor, form), [_note(form, [*columns][1:], again, unused)]


def _in_time(
    text: pd.Series[str], sensor: pd.Series[str], rows: Ints, zone: str | None, time_format: str | None
) -> tuple[pd.Series[str], pd.Series[pd.Timestamp]]:
    """Return the times of the readings as text, and as what they are to be sorted by, (N,)."""
    parsed = parse(text, format_of(text, time_format, lambda place: f"row {rows[place]}"))
    if parsed.offset_s is not None or parsed.zulu:
        return text, parsed.times
    if zone is None:
        _check_order(parsed.times, sensor, rows)
        return text, parsed.times
    parts = [in_utc(times, zone) for _, times in parsed.times.groupby(sensor, sort=False)]
    utc = pd.concat(parts).reindex(text.index)
    return in_iso(utc, known=True), utc


def _check_order(wall: pd.Series[pd.Timestamp], sensor: pd.Series[str], rows: Ints) -> None:
    """Refuse readings of a sensor after its clock was set back: sorted, two stretches would lie over each other."""
    for name, times in wall.groupby(sensor, sort=False):
        if said := setback(times[::-1] if falls(times) else times, lambda place: f"row {rows[place]}", None):
            raise InputError(f"{name}: {said}")


def _note(form: LongForm, names: Sequence[str], again: int, unused: Sequence[str]) -> str:
    shown = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    twice = f"; of {again:,} readings that a sensor sent at the time of another, the last counts" if again else ""
    columns = ", ".join((*form.names, form.value, form.time))
    left = f"; not read: {', '.join(unused[:_LISTED])}" if unused else ""
    return f"each row is one reading ({columns}): read as one column for each sensor ({shown}){twice}{left}"


def _units(frame: pd.DataFrame, rows: Ints, sensor: pd.Series[str], form: LongForm) -> dict[str, str]:
    """Return the unit of each sensor that has one; readings in two units can't be one column."""
    if form.unit is None:
        return {}
    unit = frame[form.unit].astype(str).str.strip()
    pairs = pd.DataFrame({"sensor": sensor.to_numpy(), "unit": unit.to_numpy(), "row": rows})
    pairs = pairs.drop_duplicates(["sensor", "unit"])
    pairs = pairs[~pairs["unit"].map(is_blank_text)]
    for name, group in pairs.groupby("sensor"):
        others = group[~group["unit"].map(partial(_same_unit, group["unit"].iloc[0]))]
        if len(others):
            raise InputError(
                f"{name}: its unit changes from {group['unit'].iloc[0]} to {others['unit'].iloc[0]} at row "
                f"{others['row'].iloc[0]}; write its readings in one unit, or give the sensor two names"
            )
    return {str(name): str(units.iloc[0]) for name, units in pairs.groupby("sensor")["unit"]}


def _same_unit(one: str, two: str) -> bool:
    scales = [scale for facts in KINDS.values() for scale in (facts.scale(one),) if scale]
    return one.lower() == two.lower() or any(facts.scale(two) in scales for facts in KINDS.values())
