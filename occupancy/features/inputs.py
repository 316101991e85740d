"""The inputs that ``features`` asks for: sensor columns, or physics computed from them, with the same interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from occupancy.arrays import Rows
from occupancy.config import CENTRED, PHYSICS, Kind
from occupancy.data.log import Log
from occupancy.features.physics import PhysicsFeatures
from occupancy.features.sensors import Features

Inputs = Features | PhysicsFeatures


def fit_inputs(log: Log, rows: Rows, selection: str | Sequence[Kind], seen: Rows | None = None) -> Inputs:
    """Return the selected inputs of a log, scaled on the given rows.

    Args:
        log: the log; only the given rows are read.
        rows: (N,) the training rows.
        selection: ``all``, ``no_light``, ``physics``, ``centred_physics``, or kinds of columns.
        seen: (N,) the training rows and the rows without a count among them; None for the training rows.

    Raises:
        InputError: if the log has no column of the selection.
    """
    if selection not in PHYSICS:
        return Features.fit(log, rows, selection, seen)
    return PhysicsFeatures.fit(log, rows, selection == CENTRED, seen)


def inputs_from(settings: dict[str, Any]) -> Inputs:
    """Return the inputs from the settings that ``to_settings`` gave; see ``from_settings``."""
    return (PhysicsFeatures if "sensors" in settings else Features).from_settings(settings)
