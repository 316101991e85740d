"""Exports of one simulated room in the shapes of six tools, with what each column is in truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from occupancy.config import Kind, Room, Simulation
from occupancy.data.simulation import simulate
from occupancy.setup.columns import Column

Truth = dict[str, tuple[str, Kind, str]]
"""By a part of the column's name: its role, kind and unit. Roles as in `Column`."""

COUNT: tuple[str, Kind, str] = ("count", "other", "people")
TIME: tuple[str, Kind, str] = ("time", "other", "")


@dataclass(frozen=True)
class Export:
    """The files of one room as a tool writes them.

    Attributes:
        tool: name of the tool.
        contents: text of each file by its name.
        truth: what each column is.
        people: the counts of the room at each of its times, to compare with what is read.
        answers: what a person has to tell.
    """

    tool: str
    contents: dict[str, str]
    truth: Truth
    people: pd.Series
    answers: tuple[str, ...] = field(default=())

    def write(self, folder: Path) -> list[Path]:
        """Write the files into a folder and return their paths, as a shell lists them."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.contents.items():
            (folder / name).write_text(content, encoding="utf-8")
        return sorted(folder / name for name in self.contents)


def room(seed: int, step_s: float, days: int = 4, start: str = "2024-03-04") -> pd.DataFrame:
    """Return a simulated room with more sensors than the simulator has; one row a step."""
    log = simulate(Simulation(days=days, seed=seed, room=Room(step_s=step_s, max_people=2 + seed % 3)))
    draw = np.random.default_rng(seed)
    people = log["Room_Occupancy_Count"]
    slow = people.ewm(halflife=3600 / step_s).mean()
    noise = draw.normal(size=(5, len(log)))
    index = pd.date_range(start, periods=len(log), freq=pd.Timedelta(step_s, "s"))
    return pd.DataFrame(
        {
            "temperature": log["S1_Temp"].to_numpy() - 3,
            "co2": log["S5_CO2"].to_numpy() + 70,
            "motion": log["S6_PIR"].to_numpy(),
            "light": log["S1_Light"].to_numpy(),
            "sound_v": log["S1_Sound"].to_numpy(),
            "sound_db": (35 + 8 * np.log2(1 + 10 * log["S1_Sound"].to_numpy()) + noise[0]).round(1),
            "humidity": (41 + 2 * slow.to_numpy() + 0.2 * noise[1]).round(1),
            "voc": (120 + 180 * slow.to_numpy() + 20 * np.abs(noise[2])).round(),
            "pressure": (1013 + np.cumsum(noise[3]) * 0.01).round(1),
            "devices": (people.to_numpy() + (draw.random(len(log)) < 0.3)).astype(int),
            "people": people.to_numpy(),
        },
        index.rename("time"),
    )


def home_assistant(seed: int, words: bool = False) -> Export:
    """Return the history of Home Assistant: one row a change of state, in UTC."""
    log = room(seed, 60)
    log["temperature"], log["co2"] = log["temperature"].round(1), log["co2"].round()
    entities = {
        "sensor.office_co2": log["co2"],
        "sensor.office_temperature": log["temperature"],
        "sensor.office_humidity": log["humidity"].round(),
        "binary_sensor.office_motion": log["motion"].map({0: "off", 1: "on"}),
        "sensor.office_illuminance": log["light"].round(),
        "sensor.office_motion_battery": pd.Series(np.linspace(98, 95, len(log)).round(), log.index),
        "input_number.office_people": log["people"]
        .astype(str)
        .where(~pd.Series(words, log.index), log["people"].map(_word)),
    }
    changes = [
        pd.DataFrame({"entity_id": name, "state": states.astype(str), "last_changed": states.index})[
            (states != states.shift()).to_numpy()
        ]
        for name, states in entities.items()
    ]
    table = pd.concat(changes).sort_values("last_changed", kind="stable")
    away = table["entity_id"].eq("sensor.office_humidity") & (np.arange(len(table)) % 97 == 0)
    table.loc[away, "state"] = "unavailable"
    table["last_changed"] = table["last_changed"].dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str[:-3] + "Z"
    truth: Truth = {
        "co2": ("sensor", "co2", "ppm"),
        "temperature": ("sensor", "temperature", "degC"),
        "humidity": ("sensor", "humidity", "%"),
        "motion_battery": ("ignored", "motion", ""),
        "office_motion": ("sensor", "motion", "0 or 1"),
        "illuminance": ("sensor", "light", "lux"),
        "people": COUNT,
    }
    people = (log["people"] > 0).astype(int) if words else log["people"]
    return Export("home assistant", {"history.csv": table.to_csv(index=False)}, truth, people, ("time_zone=Etc/GMT",))


def _word(people: int) -> str:
    return "occupied" if people else "not_occupied"


def influxdb(seed: int, blanks: bool = True) -> Export:
    """Return annotated CSV of InfluxDB: one table a field, each with its header again."""
    log = room(seed, 60, days=3)
    fields = {
        "co2": log["co2"],
        "temperature": log["temperature"],
        "noise_db": log["sound_db"],
        "pressure_hpa": log["pressure"],
        "tvoc_ppb": log["voc"],
        "occupancy_count": log["people"],
    }
    tables = []
    for number, (name, values) in enumerate(fields.items()):
        rows = [
            "#group,false,false,false,false,true,true,true",
            "#datatype,string,long,dateTime:RFC3339,double,string,string,string",
            "#default,_result,,,,,,",
            ",result,table,_time,_value,_field,_measurement,room",
        ]
        rows += [f",,{number},{time:%Y-%m-%dT%H:%M:%SZ},{value:g},{name},office,4.12" for time, value in values.items()]
        tables.append("\r\n".join(rows))
    content = ("\r\n\r\n" if blanks else "\r\n").join(tables) + "\r\n"
    truth: Truth = {
        "co2": ("sensor", "co2", "ppm"),
        "temperature": ("sensor", "temperature", "degC"),
        "noise": ("sensor", "sound", "dB"),
        "pressure": ("sensor", "pressure", "hPa"),
        "tvoc": ("sensor", "voc", "ppb"),
        "occupancy_count": COUNT,
    }
    return Export("influxdb", {"query.csv": content}, truth, log["people"], ("time_zone=Etc/GMT",))


def grafana(seed: int, excel: bool = False) -> Export:
    """Return a table of Grafana: joined by time, units in brackets, blanks where a panel had no point."""
    log = room(seed, 60)
    table = pd.DataFrame(
        {
            "Time": pd.DatetimeIndex(log.index).strftime("%Y-%m-%d %H:%M:%S"),
            "Office CO₂ (ppm)": log["co2"],
            "Office temperature (°C)": log["temperature"].round(2),
            "Relative humidity (%)": log["humidity"],
            "PIR": log["motion"].astype(int),
            "WiFi clients": log["devices"],
            "Outdoor temperature (°C)": (7 + 4 * np.sin(np.arange(len(log)) / 300)).round(1),
            "People": log["people"],
        }
    )
    gone = np.random.default_rng(seed).random(len(table)) < 0.01
    table.loc[gone, "Office CO₂ (ppm)"] = np.nan
    truth: Truth = {
        "Time": TIME,
        "CO₂": ("sensor", "co2", "ppm"),
        "Office temperature": ("sensor", "temperature", "degC"),
        "humidity": ("sensor", "humidity", "%"),
        "PIR": ("sensor", "motion", "0 or 1"),
        "WiFi": ("sensor", "devices", "devices"),
        "Outdoor": ("ignored", "temperature", ""),
        "People": COUNT,
    }
    text = table.to_csv(index=False, quoting=1)
    return Export("grafana", {"panel.csv": ("sep=,\r\n" if excel else "") + text}, truth, log["people"])


def logger(seed: int, step_s: float = 300) -> Export:
    """Return a data logger's file: preamble, units row, semicolons, decimal commas, a footer."""
    log = room(seed, min(step_s, 300), days=6).iloc[:: max(1, round(step_s / 300))]
    names = {"co2": "CO2", "temperature": "Temperatur", "humidity": "rel. Feuchte", "sound_db": "Schallpegel"}
    table = log[[*names, "people"]].rename(columns={**names, "people": "Anzahl Personen"})
    table.insert(0, "Datum Uhrzeit", pd.DatetimeIndex(log.index).strftime("%d.%m.%Y %H:%M:%S"))
    lines = ["Messgerät;Datenlogger 176", "Seriennummer;4711", ""]
    lines += [";".join(table.columns), ";ppm;°C;%rF;dB(A);"]
    lines += [";".join(_comma(cell) for cell in row) for row in table.itertuples(index=False)]
    lines += ["", "Ende der Messung"]
    truth: Truth = {
        "Datum": TIME,
        "CO2": ("sensor", "co2", "ppm"),
        "Temperatur": ("sensor", "temperature", "degC"),
        "Feuchte": ("sensor", "humidity", "%"),
        "Schallpegel": ("sensor", "sound", "dB"),
        "Personen": COUNT,
    }
    return Export("logger", {"messung.csv": "\r\n".join(lines) + "\r\n"}, truth, log["people"])


def _comma(cell: object) -> str:
    return f"{cell:.2f}".replace(".", ",") if isinstance(cell, float) else str(cell)


def spreadsheet(seed: int, every: int = 1) -> Export:
    """Return a spreadsheet with US dates, am and pm, Fahrenheit, and notes; people counted in some rows."""
    log = room(seed, 120, days=5, start="2024-02-26")
    counted = pd.Series(np.arange(len(log)) % every == 0, log.index)
    table = pd.DataFrame(
        {
            "Date": [f"{time.month}/{time.day}/{time.year}" for time in log.index],
            "Time": pd.DatetimeIndex(log.index).strftime("%I:%M:%S %p"),
            "Room Temp (F)": (log["temperature"] * 1.8 + 32).round(1),
            "Carbon Dioxide": log["co2"].round(),
            "Sound": log["sound_v"].round(2),
            "Light Level": log["light"].round(),
            "Headcount": log["people"].astype(object).where(counted, ""),
            "Notes": np.where(np.arange(len(log)) % 500 == 3, "window open", ""),
        }
    )
    truth: Truth = {
        "Date": TIME,
        "Time": TIME,
        "Temp": ("sensor", "temperature", "degF"),
        "Carbon": ("sensor", "co2", "ppm"),
        "Sound": ("sensor", "sound", "V"),
        "Light": ("sensor", "light", "lux"),
        "Headcount": COUNT,
        "Notes": ("ignored", "other", ""),
    }
    return Export(
        "spreadsheet", {"log.csv": table.to_csv(index=False) + ",,,,,,,\n" * 3}, truth, log["people"][counted]
    )


def one_each(seed: int, milliseconds: bool = False) -> Export:
    """Return a file a sensor, each with a rhythm of its own, in seconds or milliseconds since 1970."""
    log = room(seed, 30)
    rhythms = {
        "co2_ppm": ("co2", 4, 1),
        "temp_c": ("temperature", 10, 3),
        "pir": ("motion", 1, 0),
        "rh": ("humidity", 10, 5),
        "n_people": ("people", 2, 0),
    }
    contents = {}
    for name, (sensor, every, first) in rhythms.items():
        values = log[sensor].iloc[first::every]
        epoch = (pd.DatetimeIndex(values.index) - pd.Timestamp(0)) // pd.Timedelta(1, "ms" if milliseconds else "s")
        contents[f"{name}.csv"] = pd.DataFrame({"timestamp": epoch, name: values.to_numpy()}).to_csv(index=False)
    truth: Truth = {
        "co2_ppm": ("sensor", "co2", "ppm"),
        "temp_c": ("sensor", "temperature", "degC"),
        "pir": ("sensor", "motion", "0 or 1"),
        "rh": ("sensor", "humidity", "%"),
        "people": COUNT,
    }
    return Export("one file a sensor", contents, truth, log["people"].iloc[::2], ("time_zone=Etc/GMT",))


MAKERS: tuple[Callable[[int], Export], ...] = (
    home_assistant,
    lambda seed: home_assistant(seed, words=True),
    home_assistant,
    influxdb,
    lambda seed: influxdb(seed, blanks=False),
    influxdb,
    grafana,
    lambda seed: grafana(seed, excel=True),
    grafana,
    grafana,
    logger,
    lambda seed: logger(seed, 60),
    lambda seed: logger(seed, 600),
    logger,
    spreadsheet,
    lambda seed: spreadsheet(seed, every=8),
    spreadsheet,
    one_each,
    lambda seed: one_each(seed, milliseconds=True),
    one_each,
)
"""Twenty exports of six tools."""


SHAPES = (0, 1, 3, 4, 6, 7, 10, 11, 12, 14, 15, 17, 18)
"""The numbers of those that differ in more than their room."""


def exports(numbers: Iterable[int] = range(len(MAKERS))) -> Iterator[Export]:
    """Yield the exports, each of a room of its own."""
    for number in numbers:
        yield MAKERS[number](number)


def wrong_columns(columns: Iterable[Column], truth: Truth) -> list[str]:
    """Return what is wrong with columns as they were understood, a line for each wrong one."""
    lines = []
    for column in columns:
        known = [true for part, true in truth.items() if part in column.name]
        seen = (column.role, column.kind, column.unit)
        if not known:
            lines += [] if column.role in ("ignored", "time") else [f"{column.name}: {seen} is no column of the export"]
        elif column.role != known[0][0] or (column.role == "sensor" and seen != known[0]):
            lines.append(f"{column.name}: got {seen} ({column.why}), expected {known[0]}")
    return lines
