"""The meaning of the columns of a log: names, kinds and units. The schema of the UCI log is built in."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from occupancy.config import PRINTABLE, Format, Kind, Name, Section, Span, Volume
from occupancy.config.parsing import resolve
from occupancy.config.yaml_file import read_yaml
from occupancy.errors import InputError, shortened

ColumnName = Annotated[str, Field(max_length=500), PRINTABLE]


class Column(Section):
    """A sensor column."""

    name: ColumnName
    """Name of the column in the CSV."""
    kind: Kind
    """What the column measures; features are selected by kind, not by name."""
    unit: Annotated[str, Field(max_length=100), PRINTABLE]
    """Unit of the values, for people and axes."""
    optional: bool = False
    """Whether the column may be absent from a log."""
    slope_of: ColumnName | None = None
    """The column whose trailing least-squares slope (per sample) this column holds. Such a column looks back in time,
    so it is computed again wherever looking back must stop."""
    slope_span_s: Span | None = None
    """Span of that slope in seconds; it must be given together with ``slope_of``."""

    @model_validator(mode="after")
    def _check_slope(self) -> Self:
        if (self.slope_of is None) != (self.slope_span_s is None):
            raise ValueError(f"column {self.name}: got one of slope_of and slope_span_s; give both or neither")
        return self


class Schema(Section):
    """The columns of a log, in the order of the file."""

    name: Name
    """Name of the log, to which fold files refer (``log: uci``)."""
    time: Annotated[list[ColumnName], Field(min_length=1, max_length=10)]
    """The columns that hold the time; their cells are joined by a space."""
    time_format: Format | None = None
    """The ``strptime`` format of the time; ``day-fraction`` in it is a fraction of a day; ``iso`` reads ISO 8601 with
    or without fractions and offsets, ``epoch_s``, ``epoch_ms``, ``epoch_us`` and ``epoch_ns`` seconds, milliseconds,
    microseconds and nanoseconds since 1970. null: it is recognised."""
    columns: Annotated[list[Column], Field(min_length=1, max_length=5000)]
    """The sensors."""
    count: ColumnName
    """The column with the number of people."""
    labels: Annotated[dict[str, Annotated[int, Field(ge=0, le=1000)]], Field(max_length=1000)] = Field(
        default_factory=dict
    )
    """Words in the count column and the number of people that each means, such as ``occupied: 1``."""
    ignore: Annotated[list[ColumnName], Field(max_length=1000)] = Field(default_factory=list)
    """Columns of the file that are not read: names, or patterns such as ``light_*``. They may be among ``columns``."""
    volume_m3: Volume | None = None
    """The volume of the room in cubic metres, for models that use it; null: as the model's settings say."""
    most_people: Annotated[int, Field(ge=1, le=1000)] | None = None
    """The most people that the room holds, if that is known."""

    @model_validator(mode="before")
    @classmethod
    def _drop_ignored(cls, tree: Any) -> Any:
        """Leave out the sensors that `ignore` names, so that it also takes away one that is described above it."""
        if not isinstance(tree, dict) or not isinstance(tree.get("ignore"), list):
            return tree
        columns, patterns = tree.get("columns"), [str(pattern) for pattern in tree["ignore"]]
        if not isinstance(columns, list):
            return tree
        kept = [each for each in columns if not (isinstance(each, dict) and _matches(str(each.get("name")), patterns))]
        return {**tree, "columns": kept}

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [*self.time, *self.sensors, self.count]
        if twice := sorted(name for name, times in Counter(names).items() if times > 1):
            raise ValueError(f"column {', '.join(twice)} is in the schema twice; rename or remove one of them")
        if needed := [name for name in [*self.time, self.count] if self.ignores(name)]:
            raise ValueError(f"ignore matches {', '.join(needed)}, without which no log can be read; remove it there")
        known = {None, *self.sensors}
        for column in self.columns:
            if column.slope_of not in known:
                sensors = ", ".join(self.sensors)
                raise ValueError(f"column {column.name}: got slope_of {column.slope_of!r}, expected one of {sensors}")
        return self

    def ignores(self, name: str) -> bool:
        """Return whether a column of a file is not to be read."""
        return _matches(name, self.ignore)

    @property
    def sensors(self) -> list[str]:
        """Names of the sensor columns."""
        return [column.name for column in self.columns]

    def of_kind(self, *kinds: Kind) -> list[Column]:
        """Return the columns of these kinds, in the order of the file."""
        return [column for column in self.columns if column.kind in kinds]


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


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
        volume_m3=77.0,
    )


UCI = _uci()


def load_schema(name: str) -> Schema:
    """Return the built-in schema ``uci``, or the schema from a YAML file.

    Raises:
        InputError: if the file is missing or is not a valid schema.
    """
    if name == UCI.name:
        return UCI
    if not os.path.exists(name):  # noqa: PTH110 (false for a name that is too long, where Path raises)
        raise InputError(
            f"data.schema: got {shortened(name)}, which is not a file; expected 'uci' or the path of a YAML file"
        )
    return resolve(Schema, read_yaml(Path(name)), name)
