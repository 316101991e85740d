"""What people tell about their log that can't be seen in it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from occupancy.config import Format, Name, Period, Section, Volume
from occupancy.config.data import Data
from occupancy.data.schema import ColumnName


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Columns = Annotated[list[ColumnName], BeforeValidator(_listed), Field(max_length=1000)]


class Answers(Section):
    """Settings of ``occupancy setup``; whatever is not given is taken from the log itself."""

    name: Name | None = None
    """Name of the room; null: the name of the folder."""
    time: Columns = Field(default_factory=list)
    """The column of the time, or the two of date and time of day."""
    count: ColumnName | None = None
    """The column with the number of people."""
    ignore: Columns = Field(default_factory=list)
    """Columns to leave out, such as those that give the answer away: names, or patterns such as ``light_*``."""
    keep: Columns = Field(default_factory=list)
    """Columns to keep as sensors that would be left out."""
    time_zone: str | None = None
    """The time zone of the room by its IANA name, such as ``Europe/Berlin``."""
    time_format: Format | None = None
    """Format of the times, where several could be meant."""
    step: Period | None = None
    """The step of the grid to put readings on, such as ``60s``."""
    hold_counts: Period | None = None
    """How long a count holds that is written down less often than the sensors."""
    max_count: Annotated[int | str | None, Field()] = None
    """The largest number of people to tell apart; ``12+`` for so many or more."""
    volume_m3: Volume | None = None
    """The volume of the room in cubic metres."""
    most_people: Annotated[int, Field(ge=1, le=1000)] | None = None
    """The most people that the room holds."""

    def data(self) -> dict[str, Any]:
        """Return those that are settings of the log, see `occupancy.config.Data`."""
        keys = ("time_zone", "time_format", "step", "hold_counts", "max_count")
        return {key: value for key in keys if (value := getattr(self, key)) is not None and key in Data.model_fields}
