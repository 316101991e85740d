"""A log written as people have logs: in many formats, separators and zones, with what tools add to them."""

from __future__ import annotations

import codecs
import gzip
import io
import random
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from occupancy.config import Data
from occupancy.data.log import Log
from occupancy.data.schema import Column, Schema
from occupancy.data.table import read_log
from occupancy.errors import InputError

SENSORS = ("temperature", "co2", "motion")
COLUMNS = [
    Column(name="temperature", kind="temperature", unit="degC"),
    Column(name="co2", kind="co2", unit="ppm"),
    Column(name="motion", kind="motion", unit="0 or 1"),
]
UNITS = {"when": "", "day": "", "clock": "", "temperature": "degC", "co2": "ppm", "motion": "", "people": "persons"}
TIME_FORMATS: dict[str, Callable[[pd.DatetimeIndex], Any]] = {
    "iso": lambda times: times.strftime("%Y-%m-%d %H:%M:%S"),
    "iso_t": lambda times: times.strftime("%Y-%m-%dT%H:%M:%S"),
    "minutes": lambda times: times.strftime("%Y-%m-%d %H:%M"),
    "fractions": lambda times: [
        at.isoformat(sep=" ") for at in times + pd.to_timedelta(np.arange(len(times)) % 3 * 250, unit="ms")
    ],
    "zulu": lambda times: times.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ"),
    "zulu_ms": lambda times: times.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    "offset": lambda times: [at.isoformat() for at in times],
    "offset_apart": lambda times: [f"{at:%Y-%m-%d %H:%M} {at.isoformat()[-6:]}" for at in times],
    "epoch_s": lambda times: (
        times.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[s]").astype(np.int64)
    ).astype(str),
    "epoch_ms": lambda times: (
        times.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)
    ).astype(str),
    "us": lambda times: times.strftime("%m/%d/%Y %H:%M:%S"),
    "us_pm": lambda times: times.strftime("%m/%d/%Y %I:%M:%S %p"),
    "uk": lambda times: times.strftime("%d/%m/%Y %H:%M"),
    "german": lambda times: times.strftime("%d.%m.%Y %H:%M:%S"),
    "slashes": lambda times: times.strftime("%Y/%m/%d %H:%M:%S"),
    "month": lambda times: times.strftime("%d %b %Y %H:%M:%S"),
    "compact": lambda times: times.strftime("%Y%m%d %H:%M:%S"),
}
KNOWN = {"zulu", "zulu_ms", "offset", "offset_apart", "epoch_s", "epoch_ms"}
"""Formats that say how the times stand to UTC."""
DEFECTS = [
    "preamble",
    "units",
    "header again",
    "footer",
    "comments",
    "row numbers",
    "index",
    "sep line",
    "ends",
    "quoted",
]
DEFECTS += ["blank lines", "mark", "utf-16", "crlf", "newest first", "twice", "words", "unit behind", "brackets"]
SHAPES = [
    "wide",
    "wide",
    "wide",
    "wide",
    "long",
    "two files",
    "one per sensor",
    "gzip",
    "zip",
    "parquet",
    "date and clock",
]
STARTS = [
    "2024-01-22 00:00",
    "2024-03-30 20:00",
    "2024-10-26 20:00",
    "2024-07-11 21:00",
    "2024-02-03 22:30",
    "2024-11-02 20:00",
]
ZONES = [None, "Europe/Berlin", "America/New_York", "Asia/Singapore"]


@dataclass
class Made:
    """Files of a log, and what it holds.

    Attributes:
        about: how it was made, for messages.
        paths: the files.
        schema: what its columns mean.
        settings: what its owner knows of it.
        times: (N,) its times as the package is to have them.
        truth: (N, columns) its values.
    """

    about: str
    paths: list[Path]
    schema: Schema
    settings: dict[str, Any]
    times: pd.DatetimeIndex
    truth: pd.DataFrame


def make(seed: int, folder: Path) -> Made:
    """Return the variant of a number."""
    rng = random.Random(seed)
    zone, start = rng.choice(ZONES), rng.choice(STARTS)
    times = pd.date_range(start, periods=160, freq="5min", tz=zone or "UTC")
    values = _values(seed, len(times))
    shape = rng.choice(SHAPES)
    written = rng.choice(
        [name for name in TIME_FORMATS if zone or name not in KNOWN or name.startswith(("zulu", "epoch"))]
    )
    separator = rng.choice(",,;;\t|")
    decimal = rng.choice(".,") if separator != "," else rng.choice(["."] * 4 + [","])
    grouped = rng.random() < 0.2
    defects = rng.sample(DEFECTS, rng.choice([0, 1, 1, 2, 3]))
    writer = _Writer(rng, times, values, written, separator, decimal, grouped, set(defects), folder)
    paths = writer.write(shape)
    about = f"seed {seed}: {shape}, {written} in {zone} from {start}, {separator!r} {decimal!r} {grouped=}, {defects}"
    known = zone is not None and (written in KNOWN or zone != "Asia/Singapore")
    settings = {"time_zone": zone} if known else {}
    schema = Schema(name="made", time=writer.time_names, columns=writer.columns, count=writer.names["people"])
    ahead = times[0].tz_localize(None) - times[0].tz_convert("UTC").tz_localize(None)
    local = times.tz_convert("UTC").tz_localize(None) + ahead
    if writer.written == "fractions":
        local = local + pd.to_timedelta(np.arange(len(times)) % 3 * 250, unit="ms")
    return Made(about, paths, schema, settings, local, values)


def _values(seed: int, rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    people = np.repeat(rng.integers(0, 4, rows // 8), 8)
    return pd.DataFrame(
        {
            "temperature": np.round(20 + people / 2 + rng.normal(0, 0.3, rows), 2),
            "co2": np.round(600 + 300 * people + rng.normal(0, 40, rows)),
            "motion": ((people > 0) & (rng.random(rows) < 0.7)).astype(float),
            "people": people.astype(float),
        }
    )


class _Writer:
    """Writes one log in one way."""

    def __init__(
        self,
        rng: random.Random,
        times: pd.DatetimeIndex,
        values: pd.DataFrame,
        written: str,
        separator: str,
        decimal: str,
        grouped: bool,
        defects: set[str],
        folder: Path,
    ) -> None:
        self.rng, self.times, self.truth, self.written = rng, times, values, written
        self.separator, self.decimal, self.grouped, self.defects, self.folder = (
            separator,
            decimal,
            grouped,
            defects,
            folder,
        )
        self.names = {str(name): str(name) for name in values}
        self.time_names = ["when"]
        self.columns = COLUMNS

    def write(self, shape: str) -> list[Path]:
        """Return the files of the log."""
        table = self._cells()
        if "brackets" in self.defects and shape in {"wide", "gzip", "zip"}:
            table = self._bracketed(table)
        if shape == "long":
            return [self._save("long.csv", self._long(table))]
        if shape == "parquet":
            return [self._parquet()]
        if shape == "two files":
            half = len(table) // 2
            return [self._save("b.csv", table[half:]), self._save("a.csv", table[:half])]
        if shape == "one per sensor":
            lone = {name: table[["when", name]].rename(columns={name: "value"}) for name in self.names}
            return [self._save(f"{name}.csv", part) for name, part in lone.items()]
        if shape == "date and clock" and " " in table["when"].iloc[0] and self.written != "offset_apart":
            parts = table["when"].str.split(" ", n=1, expand=True).set_axis(["day", "clock"], axis=1)
            self.time_names = ["day", "clock"]
            table = pd.concat([parts, table.drop(columns="when")], axis=1)
        return [self._packed(self._save("wide.csv", table), shape)]

    def _packed(self, path: Path, shape: str) -> Path:
        if shape == "gzip":
            return _written(self.folder / "wide.csv.gz", gzip.compress(path.read_bytes()))
        if shape == "zip":
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                archive.write(path, "wide.csv")
            return _written(self.folder / "wide.zip", packed.getvalue())
        return path

    def _cells(self) -> pd.DataFrame:
        table = pd.DataFrame({"when": [*TIME_FORMATS[self.written](self.times)]})
        for name in self.names:
            table[name] = [self._number(value, name) for value in self.truth[name]]
        return table

    def _number(self, value: float, name: str) -> str:
        if name == "motion" and "words" in self.defects:
            return "on" if value else "off"
        digits = 2 if name == "temperature" else 0
        text = f"{value:,.{digits}f}" if self.grouped and name == "co2" else f"{value:.{digits}f}"
        if self.decimal == ",":
            text = text.translate(str.maketrans(",.", ".,"))
        if "unit behind" in self.defects and name in {"temperature", "co2"}:
            text += {"temperature": " °C", "co2": " ppm"}[name]
        return text

    def _bracketed(self, table: pd.DataFrame) -> pd.DataFrame:
        names = {"temperature": "temperature [degC]", "co2": "co2 [ppm]"}
        self.names.update(names)
        self.columns = [column.model_copy(update={"name": self.names[column.name]}) for column in COLUMNS]
        return table.rename(columns=names)

    def _long(self, table: pd.DataFrame) -> pd.DataFrame:
        names = {
            "temperature": "sensor.temp",
            "co2": "sensor.co2",
            "motion": "binary_sensor.pir",
            "people": "input_number.people",
        }
        self.names.update(names)
        self.columns = [column.model_copy(update={"name": names[column.name]}) for column in COLUMNS]
        long = table.rename(columns=names).melt("when", var_name="entity_id", value_name="state")
        self.defects -= {"units", "twice", "newest first", "header again", "row numbers"}
        self.time_names = ["last_changed"]
        return long.rename(columns={"when": "last_changed"})[["entity_id", "state", "last_changed"]]

    def _parquet(self) -> Path:
        times = self.times if self.written in KNOWN else self.times.tz_localize(None)
        self.written = "iso" if self.written == "fractions" else self.written
        table = self.truth.assign(when=times)
        path = self.folder / "wide.parquet"
        table.to_parquet(path)
        self.defects = set()
        return path

    def _save(self, name: str, table: pd.DataFrame) -> Path:
        lines = self._lines(table)
        ending = "\r\n" if "crlf" in self.defects else "\n"
        content = (ending.join(lines) + ending).encode()
        if "mark" in self.defects:
            content = codecs.BOM_UTF8 + content
        if "utf-16" in self.defects:
            content = (ending.join(lines) + ending).encode("utf-16")
        return _written(self.folder / name, content)

    def _lines(self, table: pd.DataFrame) -> list[str]:
        rows = table.astype(str).to_numpy().tolist()
        if "newest first" in self.defects:
            rows.reverse()
        if "twice" in self.defects:
            rows.insert(7, list(rows[6]))
        header = [str(name) for name in table.columns]
        head, lines = self._numbered(self._line(header), [self._line(row) for row in rows])
        numbered = bool({"row numbers", "index"} & self.defects)
        if "ends" in self.defects and "row numbers" not in self.defects:
            lines, head = [line + self.separator for line in lines], head + self.separator
        if "header again" in self.defects and not numbered:
            lines.insert(50, head)
        if "blank lines" in self.defects:
            lines.insert(30, "")
        if "comments" in self.defects:
            lines.insert(20, "# the logger was restarted")
        return [*self._above(header, numbered, head), *lines, *self._below(header, numbered)]

    def _numbered(self, head: str, lines: list[str]) -> tuple[str, list[str]]:
        if "row numbers" in self.defects:  # as R does it: the header is one cell shorter
            return head, [f'"{number}"{self.separator}{line}' for number, line in enumerate(lines, start=1)]
        if "index" in self.defects:  # as pandas does it
            return self.separator + head, [f"{number}{self.separator}{line}" for number, line in enumerate(lines)]
        return head, lines

    def _above(self, header: list[str], numbered: bool, head: str) -> list[str]:
        above = ["sep=" + self.separator] if "sep line" in self.defects else []
        above += ["Station: office, export of 2024-01-23", "", "made by a logger"] if "preamble" in self.defects else []
        if "units" in self.defects and not numbered and "value" not in header and "ends" not in self.defects:
            return [*above, head, self._line([UNITS.get(name.split(" ")[0], "") for name in header])]
        return [*above, head]

    def _below(self, header: list[str], numbered: bool) -> list[str]:
        if "footer" in self.defects and not numbered:
            return [self._line(["Average", *("1" for _ in header[1:])])]
        return []

    def _line(self, cells: list[str]) -> str:
        quoted = "quoted" in self.defects
        return self.separator.join(f'"{cell}"' if quoted or self.separator in cell else cell for cell in cells)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def differences(made: Made, log: Log) -> str:
    """Return in what a log that was read differs from the one that was written; empty if in nothing."""
    if len(log.frame) != len(made.times):
        return f"{len(log.frame)} rows, expected {len(made.times)}"
    if (log.times != made.times).any():
        at = int(np.argmax(log.times != made.times))
        return f"time {at} is {log.times[at]}, expected {made.times[at]}"
    read = log.frame[[*made.schema.sensors, made.schema.count]].to_numpy(float)
    wrong = read != made.truth.to_numpy(float)
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        return f"column {column} row {row} is {read[row, column]}, expected {made.truth.to_numpy()[row, column]}"
    return ""


REMEDY = re.compile(r"data\.(time_format|time_zone|max_gap)=('[^']*'|[^\s;,)]+)")


def read(made: Made) -> tuple[Log, list[str]]:
    """Return the log as it is read, and the remedies that were followed.

    Raises:
        InputError: if it is refused, and no setting is advised, or the advised one does not help.
    """
    settings = Data(
        source=[str(path) for path in made.paths], schema="made.yaml", max_count=3, max_gap=4000, **made.settings
    )
    try:
        return read_log(made.paths, made.schema, settings), []
    except InputError as error:
        advised = {key: value.strip("'") for key, value in REMEDY.findall(str(error))}
        if not advised:
            raise
    return read_log(made.paths, made.schema, settings.model_copy(update=advised)), [*advised]
