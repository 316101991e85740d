"""The kinds of sensors: what their readings can be, and how they follow the room.

One table for all that depends on the kind of a sensor: how a column is recognised (`KINDS` by words and units), how
readings are put on a grid (`Facts.rule`), and what a working sensor can't read (`Scale`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from occupancy.arrays import Floats
from occupancy.config import Kind

Rule = Literal["last", "any", "mean"]
"""How the readings of one step of a grid become one: the last one, 1 if any is above 0, or their mean."""


@dataclass(frozen=True)
class Scale:
    """A unit of a kind, and the readings that a working sensor can give in it.

    Attributes:
        unit: how a schema writes it.
        low: no room reads less.
        high: no room reads more.
        resolution: the step between two readings of a usual sensor; smaller changes are rounding.
        spellings: other ways to write the unit, in lower case.
        to_first: factor and offset that turn a reading into the first unit of its kind; None where no formula does.
    """

    unit: str
    low: float
    high: float
    resolution: float
    spellings: tuple[str, ...] = ()
    to_first: tuple[float, float] | None = None


@dataclass(frozen=True)
class Facts:
    """What is known of a kind of sensors.

    Attributes:
        scales: its units; the first is the usual one. Empty for a kind of any unit.
        rule: how readings become one reading of a grid.
        max_age_s: how long a reading holds after it was sent, in seconds, unless ``data.max_age`` says otherwise.
        response_s: time that a reading takes to follow a change in the room, in seconds.
        rests: whether the reading stays the same for hours in a room that nobody is in.
        words: parts of column names that mean the kind, in lower case and without accents, the surest first. One of
            five letters or more may be a part of a longer word.
        sentinels: readings that sensors of the kind give in place of an error.
    """

    scales: tuple[Scale, ...]
    rule: Rule
    max_age_s: float
    response_s: float
    rests: bool
    words: tuple[str, ...]
    sentinels: tuple[float, ...] = ()

    def scale(self, unit: str) -> Scale | None:
        """Return the scale of a unit as a schema or a header writes it; None if it is none of this kind."""
        written = unit.strip().lower()
        return next(
            (scale for scale in self.scales if written == scale.unit.lower() or written in scale.spellings), None
        )


def _words(listed: str) -> tuple[str, ...]:
    return tuple(listed.split(", "))


ERRORS = (-1.0, -127.0, -999.0, -9999.0, 9999.0, 32767.0, 65535.0)  # of buses and converters, whatever they measure
_BINARY = Scale("0 or 1", 0, 1, 1, ("0/1", "on/off", "bool", "boolean", "binary"))
_SHARE = ("percent", "pct", "% open", "%rh", "% rh", "rh", "rh%", "rh %", "% r.h.", "%rf", "% rf", "% r.f.", "prozent")

KINDS: Mapping[Kind, Facts] = {
    "temperature": Facts(
        (
            Scale("degC", -20, 60, 0.05, ("c", "°c", "ºc", "deg c", "celsius", "degrees c")),
            Scale("degF", -4, 140, 0.1, ("f", "°f", "ºf", "deg f", "fahrenheit", "degrees f"), (5 / 9, -160 / 9)),
            Scale("K", 253, 333, 0.05, ("kelvin",), (1.0, -273.15)),
        ),
        "last",
        3600,
        600,
        rests=True,
        words=_words("temperature, temperatur, temperatura, temp, tmp, tair, t air, t in, celsius, fahrenheit"),
        sentinels=(*ERRORS, 85.0),  # a DS18B20 reads 85 degC before its first conversion
    ),
    "light": Facts(
        (Scale("lux", 0, 150_000, 1, ("lx", "lumen/m2")), Scale("V", 0, 24, 0.01, ("volt", "volts"))),
        "last",
        3600,
        1,
        rests=True,
        words=_words(
            "illuminance, illumination, brightness, luminosity, luminosite, luminosidad, "
            "eclairement, beleuchtung, helligkeit, verlichting, lichtsterkte, light, licht, lux, "
            "lumiere, luz"
        ),
        sentinels=ERRORS,
    ),
    "sound": Facts(
        (
            Scale("V", 0, 24, 0.01, ("volt", "volts")),
            Scale("dB", 15, 140, 0.1, ("dba", "db(a)", "dbspl", "db spl", "decibel", "decibels")),
        ),
        "mean",
        600,
        1,
        rests=False,
        words=_words(
            "sound pressure level, sound pressure, sound, noise, loudness, decibel, microphone, mic, "
            "spl, laeq, schallpegel, schall, geraeusch, gerausch, lautstaerke, lautstarke, geluid, "
            "bruit, ruido"
        ),
        sentinels=ERRORS,
    ),
    "co2": Facts(
        (
            Scale("ppm", 250, 20_000, 1, ("parts per million", "ppmv")),
            Scale("%", 0.025, 2, 0.0001, ("percent", "vol%", "vol.-%"), (1e4, 0.0)),
        ),
        "last",
        1800,
        120,
        rests=False,
        words=(
            "co2",
            "eco2",
            "carbon dioxide",
            "carbondioxide",
            "kohlendioxid",
            "dioxyde de carbone",
            "koolstofdioxide",
        ),
        sentinels=(*ERRORS, 0.0),
    ),
    "co2_slope": Facts((), "last", 1800, 120, rests=False, words=("co2 slope",)),
    "motion": Facts(
        (_BINARY, Scale("events", 0, 1e6, 1, ("count", "counts", "triggers"))),
        "any",
        600,
        1,
        rests=True,
        words=_words(
            "motion, pir, movement, bewegung, bewegungsmelder, beweging, mouvement, movimiento, "
            "presence sensor, mmwave, radar"
        ),
        sentinels=ERRORS,
    ),
    "humidity": Facts(
        (
            Scale("%", 0, 100, 0.1, _SHARE),
            Scale("kg/kg", 0, 0.05, 1e-6, ("kg water/kg air", "kgwater/kgair")),
            Scale("g/m3", 0, 60, 0.01, ("g/m³",)),
        ),
        "last",
        3600,
        300,
        rests=False,
        words=_words(
            "relative humidity, humidity, humid, luftfeuchtigkeit, luftfeuchte, feuchtigkeit, "
            "feuchte, vochtigheid, humidite, humedad, rel hum, hum, rh, hygro"
        ),
        sentinels=ERRORS,
    ),
    "voc": Facts(
        (
            Scale("ppb", 0, 60_000, 1),
            Scale("ug/m3", 0, 100_000, 1, ("µg/m3", "µg/m³", "ug/m³", "μg/m³")),
            Scale("mg/m3", 0, 100, 0.001, ("mg/m³",)),
            Scale("index", 0, 500, 1, ("iaq", "voc index")),
        ),
        "last",
        1800,
        120,
        rests=False,
        words=_words("tvoc, voc, vocs, volatile, iaq, air quality, airquality, luftqualitat, luftqualitaet"),
        sentinels=ERRORS,
    ),
    "pressure": Facts(
        (
            Scale("hPa", 850, 1100, 0.1, ("mbar", "millibar")),
            Scale("kPa", 85, 110, 0.01, (), (10.0, 0.0)),
            Scale("Pa", 85_000, 110_000, 10, ("pascal",), (0.01, 0.0)),
            Scale("mmHg", 640, 830, 0.1, (), (1.33322, 0.0)),
            Scale("inHg", 25, 33, 0.01, (), (33.8639, 0.0)),
        ),
        "last",
        3600,
        1,
        rests=False,
        words=_words("barometric, baromatic, barometer, pressure, luftdruck, druck, luchtdruk, pression, presion"),
        sentinels=(*ERRORS, 0.0),
    ),
    "door": Facts(
        (_BINARY, Scale("events", 0, 1e6, 1, ("count", "counts"))),
        "last",
        86_400,
        1,
        rests=True,
        words=_words("door, contact, opening, tuer, tur, deur, porte, puerta"),
        sentinels=ERRORS,
    ),
    "power": Facts(
        (
            Scale("W", 0, 100_000, 0.1, ("watt", "watts")),
            Scale("kW", 0, 1000, 0.001, (), (1000.0, 0.0)),
        ),
        "mean",
        3600,
        1,
        rests=False,
        words=("active power", "power", "watt", "leistung", "vermogen", "puissance", "potencia"),
        sentinels=ERRORS,
    ),
    "devices": Facts(
        (Scale("devices", 0, 100_000, 1, ("clients", "stations", "count", "connections")),),
        "last",
        3600,
        300,
        rests=True,
        words=_words(
            "connected devices, devices, device count, clients, client count, stations, wifi, wi fi, "
            "wlan, bluetooth, ble, geraete, gerate"
        ),
        sentinels=ERRORS,
    ),
    "ventilation": Facts(
        (
            Scale("m3/h", 0, 1e6, 1, ("m³/h", "cmh", "m^3/h")),
            Scale("l/s", 0, 1e6, 1, ("lps",), (3.6, 0.0)),
            Scale("%", 0, 100, 1, _SHARE),
            Scale("1/h", 0, 100, 0.1, ("ach", "air changes/h")),
            _BINARY,
            Scale("level", 0, 10, 1, ("stage", "speed")),
        ),
        "last",
        86_400,
        60,
        rests=True,
        words=_words(
            "air flow, airflow, luftstrom, volumenstrom, ventilation, ventilatie, luftung, lueftung, "
            "vent, vav, damper, fan speed, fan, ahu, window contact, window, fensterkontakt, "
            "fenster, fenetre, ventana, raam"
        ),
        sentinels=ERRORS,
    ),
    "other": Facts((), "last", 3600, 60, rests=False, words=()),
}
"""The facts of every kind. Ranges are those of rooms with people in normal use, with a wide margin; sources: data
sheets of usual sensors (SCD30, DS18B20, BME280, SGP30, HC-SR501), EN 16798-1 for temperatures, outdoor CO2 of 420 ppm
less an error of 40 %."""


def in_usual_unit(kind: Kind, unit: str, values: Floats) -> Floats:
    """Return readings (N,) in the first unit of their kind, so that physics can compute with them.

    Decibels become amplitudes, which are in proportion to volts; without a known unit, readings stay as they are.
    """
    scale = scale_of(kind, unit)
    if scale is not None and scale.unit == "dB":
        return np.asarray(10 ** (values / 20))
    if scale is None or scale.to_first is None:
        return values
    factor, offset = scale.to_first
    return values * factor + offset


def scale_of(kind: Kind, unit: str) -> Scale | None:
    """Return the scale of a column; None if its unit is not known, so that its readings can't be checked by it."""
    return KINDS[kind].scale(unit)
