"""What the columns of a log mean: their names, kinds and units. UCI's schema is built in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from occupancy.config import Kind, Positive, Section
from occupancy.config.parsing import resolve
from occupancy.config.yaml_file import read_yaml
from occupancy.errors import InputError


class Column(Section):
    """A sensor column."""

    name: str
    """The column's name in the CSV."""
    kind: Kind
    """What it measures; features ask for kinds, never for names."""
    unit: str
    """The unit of its cells, for people and axes."""
    optional: bool = False
    """Whether a log may lack the column."""
    slope_of: str | None = None
    """The column whose trailing least-squares slope (per sample) this one is. Such a column looks back in time, so it
    is computed anew wherever looking back must stop."""
    slope_span_s: Positive | None = None
    """How far that slope looks back, in seconds; it goes together with ``slope_of``."""

    @model_validator(mode="after")
    def _check_slope(self) -> Self:
        if (self.slope_of is None) != (self.slope_span_s is None):
            raise ValueError(f"column {self.name}: slope_of and slope_span_s go together; give both or neither")
        return self


class Schema(Section):
    """The columns of a log, in the order of the file."""

    name: str
    """The log that fold files refer to (``log: uci``)."""
    time: Annotated[list[str], Field(min_length=1)]
    """The column or columns that together hold the time, joined by a space."""
    time_format: str
    """Their ``strptime`` format; ``day-fraction`` in it stands for a fraction of a day."""
    columns: Annotated[list[Column], Field(min_length=1)]
    """The sensors."""
    count: str
    """The column with the number of people."""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if "%z" in self.time_format.lower():
            raise ValueError(f"time_format {self.time_format!r} reads a time zone; times must be local and naive")
        names = [*self.time, *self.sensors, self.count]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"column {', '.join(twice)} stands in the schema twice")
        for column in self.columns:
            if column.slope_of is not None and column.slope_of not in self.sensors:
                raise ValueError(f"column {column.name}: slope_of names {column.slope_of!r}, which is no sensor column")
        return self

    @property
    def sensors(self) -> list[str]:
        """Names of the sensor columns."""
        return [column.name for column in self.columns]

    def of_kind(self, *kinds: Kind) -> list[Column]:
        """Return the columns of these kinds, in the order of the file."""
        return [column for column in self.columns if column.kind in kinds]


def _uci() -> Schema:
    def nodes(numbers: range, suffix: str, kind: Kind, unit: str, optional: bool = False) -> list[Column]:
        return [Column(name=f"S{n}_{suffix}", kind=kind, unit=unit, optional=optional) for n in numbers]

    slope = Column(
        name="S5_CO2_Slope",
        kind="co2_slope",
        unit="ppm per sample",
        optional=True,
        slope_of="S5_CO2",
        slope_span_s=762.5,  # 25 samples of 30 or 31 s
    )
    return Schema(
        name="uci",
        time=["Date", "Time"],
        time_format="%Y/%m/%d %H:%M:%S",
        columns=[
            *nodes(range(1, 5), "Temp", "temperature", "degC"),
            *nodes(range(1, 5), "Light", "light", "lux", optional=True),
            *nodes(range(1, 5), "Sound", "sound", "V"),
            Column(name="S5_CO2", kind="co2", unit="ppm"),
            slope,
            *nodes(range(6, 8), "PIR", "motion", "0 or 1"),
        ],
        count="Room_Occupancy_Count",
    )


UCI = _uci()


def load_schema(name: str) -> Schema:
    """Return the built-in schema ``uci``, or the one that a YAML file describes.

    Raises:
        InputError: the file is missing or describes no valid schema.
    """
    if name == UCI.name:
        return UCI
    path = Path(name)
    if not path.is_file():
        raise InputError(f"data.schema: got {name!r}, expected 'uci' or the path of a YAML file; no such file")
    return resolve(Schema, read_yaml(path), str(path))
