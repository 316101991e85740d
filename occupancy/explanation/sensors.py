"""Which columns of a log a model looks at, together by what they measure, and one sensor at a time."""

from __future__ import annotations

from occupancy.config import Kind
from occupancy.data.table import Log
from occupancy.features.sensors import columns_of

Groups = dict[str, tuple[str, ...]]
"""Columns of the log's frame by the name of what moves them together."""


def groups_of(log: Log, selection: str | list[Kind]) -> Groups:
    """Return the columns of each kind of sensor that a model looks at, by the kind, in the order of the schema.

    A column that is computed from another one belongs to its source: CO2 and its slope are one group.

    Args:
        log: the log.
        selection: the ``features`` of the model's config.

    Raises:
        InputError: the log has no column of the kinds asked for.
    """
    kinds = {column.name: column.kind for column in log.schema.columns}
    groups: Groups = {}
    for sensor, columns in sensors_of(log, selection).items():
        groups[kinds[sensor]] = (*groups.get(kinds[sensor], ()), *columns)
    return groups


def sensors_of(log: Log, selection: str | list[Kind]) -> Groups:
    """Return the columns that each sensor moves, by its own column: it, and those computed from it.

    Args:
        log: the log.
        selection: the ``features`` of the model's config.

    Raises:
        InputError: the log has no column of the kinds asked for.
    """
    sources = {column.slope_of or column.name for column in columns_of(log, selection)}
    moved: Groups = {}
    for column in log.schema.columns:
        source = column.slope_of or column.name
        if source in sources and column.name in log.frame.columns:
            moved[source] = (*moved.get(source, ()), column.name)
    return {name: moved[name] for name in log.schema.sensors if name in moved}
