"""The kind and the unit of each column of a log, by its name and by its values, with the reason for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from occupancy.config import Kind
from occupancy.data.kinds import KINDS, Scale
from occupancy.setup.names import bare, kinds_in, reason_against, unit_in, words_of
from occupancy.setup.values import Values

Role = Literal["time", "count", "sensor", "ignored"]

_FEWEST_NUMBERS = 0.5  # share of the readings; a column with fewer numbers holds text
_ROW_NUMBERS = {
    "",
    "index",
    "id",
    "row",
    "rows",
    "no",
    "nr",
    "record",
    "sample",
    "entry",
    "seq",
    "unnamed",
    "rownum",
    "x",
}
_COMMON = ("%", "percent", "pct", "count", "counts", "c", "f", "k", "v")  # units and letters that say too little
_PARTICLES = re.compile(r"\bpm ?\d|\bparticl|feinstaub")
_WINDOW = ("window", "fenster", "fenetre", "ventana", "raam")


@dataclass(frozen=True)
class Column:
    """A column as it was understood.

    Attributes:
        name: its name in the file.
        role: what it is for.
        kind: what it measures; ``other`` if that is not known.
        unit: unit of its values.
        why: how that was seen, for people.
        check: what is doubtful about it; empty if nothing is.
    """

    name: str
    role: Role
    kind: Kind
    unit: str
    why: str
    check: str = ""


def understand(name: str, unit: str, values: Values) -> Column:
    """Return what a column that holds neither the time nor the count is.

    Args:
        name: its name.
        unit: its unit as a row of units or a reader has it; empty if there is none.
        values: what its values are like.
    """
    words = words_of(bare(name))
    written, suffix = unit or unit_in(name), words.rpartition(" ")[2]
    if (reason := _unusable(words, values)) is not None:
        return Column(name, "ignored", "other", "", reason, _lost(words, values))
    kind, word, scale = _kind_of(words, written, suffix, values)
    seen = _unit_of(kind, words, scale, written, values)
    against = reason_against(words)
    if against is None and kind == "light" and values.binary:
        against = "gives the answer away"
    if against is not None:
        return Column(name, "ignored", kind, seen.unit, against)
    if values.constant:
        said = f"reads {values.median:g} in all rows"
        check = "" if kind == "other" else f"{said}: is the sensor broken?"
        return Column(name, "ignored", kind, seen.unit, said, check)
    return Column(name, "sensor", kind, seen.unit, *_reasons(kind, word, seen, values))


def _unusable(words: str, values: Values) -> str | None:
    """Return why a column can't be a sensor whatever its name says; None if it may be one."""
    if not values.readings:
        return "all cells are blank"
    if values.numeric < _FEWEST_NUMBERS:
        return f"text, such as {values.words[0][:20]!r}" if values.words else "text"
    if values.counts_rows and (words in _ROW_NUMBERS or words.startswith(("unnamed", "column"))):
        return "row numbers"
    return None


def _lost(words: str, values: Values) -> str:
    """Return what to say of a column that is left out as text though it may be a sensor; empty if it is none."""
    named = kinds_in(words)
    written = next((word for word in values.words if any(sign.isdigit() for sign in word)), None)
    if not named or written is None or reason_against(words) is not None:
        return ""
    return (
        f"its name says {named[0][0]}, but its cells, such as {written[:20]!r}, are no numbers as written, so it "
        "is left out; write plain numbers with a decimal point, such as 20.5"
    )


def _kind_of(words: str, written: str, suffix: str, values: Values) -> tuple[Kind, str, Scale | None]:
    """Return the kind, the word that says so, and the scale of the unit that is written, if it is one of the kind."""
    for kind, word in kinds_in(words):
        if _fits(kind, word, values):
            ending = KINDS[kind].scale(suffix)  # a word such as "speed" may be a unit or not
            is_unit = ending is not None and values.within(ending.low, ending.high)
            return kind, word, KINDS[kind].scale(written) or (ending if is_unit else None)
    for unit in filter(None, (written, suffix)):  # no word says it, but few kinds have this unit
        kinds = [kind for kind, facts in KINDS.items() if facts.scale(unit) is not None and unit not in _COMMON]
        if len(kinds) == 1 and _fits(kinds[0], "", values):
            return kinds[0], "", KINDS[kinds[0]].scale(unit)
    return ("co2", "", None) if _like_co2(values) else ("other", "", None)


def _fits(kind: Kind, word: str, values: Values) -> bool:
    """Return whether values can be those of a kind, in any of its units."""
    scales = KINDS[kind].scales
    if kind in ("motion", "door") or word.startswith(_WINDOW):
        return values.whole and values.low >= 0
    # Sentinels and errors are no reason to doubt a name, so the middle decides.
    return not scales or any(scale.low <= values.median <= scale.high for scale in scales)


def _like_co2(values: Values) -> bool:
    return values.within(300, 6000) and values.high > max(550, 1.3 * values.low) and values.smooth < 0.3


@dataclass(frozen=True)
class _Unit:
    unit: str
    why: str
    check: str = ""


def _unit_of(kind: Kind, words: str, scale: Scale | None, written: str, values: Values) -> _Unit:
    """Return the unit of a column: as written, or by the range of the values."""
    if kind not in _BY_RANGE:
        if _PARTICLES.search(words):
            return _Unit(written or "ug/m3", "particles")
        return _Unit(written or "unknown", f"unit {written}" if written else "")
    unit, certain = _BY_RANGE[kind](values)
    seen = values.range()
    if scale is not None:
        is_usual = kind != "temperature" or unit == scale.unit
        if is_usual and scale.low <= values.median <= scale.high:
            return _Unit(scale.unit, f"unit {scale.unit}")
        return _Unit(unit, seen, f"its name says {scale.unit}, but {seen} is {unit}")
    if written:
        return _Unit(written, f"unit {written}", f"{written} is no unit that is known for {kind}")
    return _Unit(unit, seen, "" if certain else f"no unit is written; {seen} is taken as {unit}")


def _reasons(kind: Kind, word: str, seen: _Unit, values: Values) -> tuple[str, str]:
    """Return why a column is of its kind and unit, and what is doubtful about it."""
    if kind == "other":
        if seen.why == "particles":
            return f"{seen.why}; {values.range()}", ""
        return f"no known kind; {values.range()}", "of no known kind, so no model reads it; give it one in the schema"
    why = word or "rises and falls as CO2 does"
    check = seen.check
    if not word and seen.why.startswith("unit"):
        why, check = seen.why, check or "no word of its name says what it is"
    elif seen.why:
        why = f"{why}; {seen.why}"
    if not word and not check:
        check = "the name does not say what it is, only its values do"
    return why, check


def _temperature(values: Values) -> tuple[str, bool]:
    if values.median > 200:
        return "K", True
    return ("degF", True) if values.median > 45 else ("degC", True)


def _light(values: Values) -> tuple[str, bool]:
    return ("V", False) if values.high <= 5 and not values.whole else ("lux", True)


def _sound(values: Values) -> tuple[str, bool]:
    if values.within(15, 140):
        return "dB", True
    return "V", values.within(0, 6)


def _co2(values: Values) -> tuple[str, bool]:
    return ("%", True) if values.median < 2 else ("ppm", values.median > 200)


def _binary(values: Values) -> tuple[str, bool]:
    return ("0 or 1", True) if values.binary else ("events", True)


def _humidity(values: Values) -> tuple[str, bool]:
    if values.high <= 0.05:
        return "kg/kg", True
    return "%", values.high > 1


def _voc(values: Values) -> tuple[str, bool]:
    if values.high < 10 and not values.whole:
        return "mg/m3", False
    return "ppb", values.high > 500


def _pressure(values: Values) -> tuple[str, bool]:
    fits = [scale.unit for scale in KINDS["pressure"].scales if scale.low <= values.median <= scale.high]
    return (fits or ["hPa"])[0], bool(fits)


def _power(values: Values) -> tuple[str, bool]:
    return "W", values.high > 20


def _devices(_: Values) -> tuple[str, bool]:
    return "devices", True


def _ventilation(values: Values) -> tuple[str, bool]:
    if values.binary:
        return "0 or 1", True
    if values.whole and values.high <= 10:
        return "level", True
    return ("%", False) if values.within(0, 100) else ("m3/h", False)


_BY_RANGE: Mapping[Kind, Callable[[Values], tuple[str, bool]]] = {
    "temperature": _temperature,
    "light": _light,
    "sound": _sound,
    "co2": _co2,
    "motion": _binary,
    "humidity": _humidity,
    "voc": _voc,
    "pressure": _pressure,
    "door": _binary,
    "power": _power,
    "devices": _devices,
    "ventilation": _ventilation,
}
"""The likely unit of each kind by its values, and whether that is certain."""
