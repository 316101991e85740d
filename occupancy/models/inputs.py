"""Which columns of a log a model reads."""

from __future__ import annotations

from occupancy.config import Clock, Config, Majority, MassBalance, Mixture, RoomModel
from occupancy.data.schema import Column, Schema
from occupancy.features.sensors import select


def columns_read(config: Config, schema: Schema) -> list[Column]:
    """Return the sensor columns of a schema that the model of an experiment reads, in the order of the schema.

    A slope is computed from its source, so that the source is read and the slope's own column is not.

    Args:
        config: the experiment.
        schema: the columns of the log.
    """
    names = _names(config, schema)
    return [column for column in schema.columns if column.name in names]


def columns_unused(config: Config, schema: Schema) -> list[Column]:
    """Return the other sensor columns of a schema, in its order; see `columns_read`."""
    read = columns_read(config, schema)
    return [column for column in schema.columns if column not in read]


def _names(config: Config, schema: Schema) -> set[str]:
    match config.model:
        case Mixture(members=members):
            alone = [config.model_copy(update={"model": member}) for member in members]
            return set().union(*(_names(each, schema) for each in alone))
        case Majority() | Clock():
            return set()
        case MassBalance():
            chosen = [
                column for column in select(schema, config.features) if column.kind in {"co2", "motion", "ventilation"}
            ]
        case RoomModel():
            chosen = [column for column in select(schema, config.features) if column.kind in {"co2", "motion", "sound"}]
        case _:
            chosen = select(schema, config.features)
    return {column.slope_of or column.name for column in chosen}
