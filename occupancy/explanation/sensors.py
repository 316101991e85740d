"""The columns of a log that a model uses, grouped by kind of sensor or by sensor."""

from __future__ import annotations

from occupancy.config import Kind
from occupancy.data.log import Log
from occupancy.features.sensors import columns_of

Groups = dict[str, tuple[str, ...]]
"""Columns of the log by the name of the kind or sensor that they belong to."""


def groups_of(log: Log, selection: str | list[Kind]) -> Groups:
    """Return the columns that a model uses by kind of sensor, in the order of the schema.

    A column that is computed from another belongs to its source: CO2 and its slope are one group.

    Args:
        log: the log.
        selection: the ``features`` of the config of the model.

    Raises:
        InputError: if the log has no column of the selection.
    """
    kinds = {column.name: column.kind for column in log.schema.columns}
    groups: Groups = {}
    for sensor, columns in sensors_of(log, selection).items():
        groups[kinds[sensor]] = (*groups.get(kinds[sensor], ()), *columns)
    return groups


def sensors_of(log: Log, selection: str | list[Kind]) -> Groups:
    """Return the columns that a model uses by sensor: the column of the sensor and those computed from it.

    Args:
        log: the log.
        selection: the ``features`` of the config of the model.

    Raises:
        InputError: if the log has no column of the selection.
    """
    sources = {column.slope_of or column.name for column in columns_of(log, selection)}
    moved: Groups = {}
    for column in log.schema.columns:
        source = column.slope_of or column.name
        if source in sources and column.name in log.frame.columns:
            moved[source] = (*moved.get(source, ()), column.name)
    return {name: moved[name] for name in log.schema.sensors if name in moved}
