"""Opening a log to explore it: more problems are allowed than in training, because the page shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from occupancy.config import Data
from occupancy.data.cells import is_blank
from occupancy.data.folds import Fold, cut, load_scheme
from occupancy.data.log import Log
from occupancy.data.schema import Schema, load_schema
from occupancy.data.source import NAMES, SIMULATED, existing, open_log, sources, tell
from occupancy.data.table import read_settled, validate_cells
from occupancy.errors import InputError
from occupancy.exploration.parts import Subject


def open_subject(settings: Data) -> Subject:
    """Return the log that the settings name, with its folds if a scheme fits.

    Cells, whole sensor columns and the counts may be missing. All other problems are refused, as in training.

    Raises:
        InputError: if there is no such log, it is not valid, or the scheme that was asked for does not fit.
    """
    if settings.source in NAMES:
        log, settings = open_log(settings)
        folds, scheme = _folds(log, settings)
        return Subject(log, folds=folds, scheme=scheme)
    schema = load_schema(settings.log_schema)
    cells = read_settled([existing(source) for source in sources(settings)], schema, settings)
    raw, path = cells.frame, cells.where
    labelled = schema.count in raw.columns and not is_blank(raw[schema.count])
    blank = [name for name in schema.sensors if name in raw.columns and is_blank(raw[name])]
    patient = settings.model_copy(update={"missing": "hold", "max_missing": len(raw)})
    shown = partial(validate_cells, labelled=labelled)
    log = tell(shown(replace(cells, frame=raw.drop(columns=blank)), _forgiving(schema), patient, in_use=True))
    folds, scheme = _folds(log, settings) if labelled else ([], "the log has no counts.")
    return Subject(log, labelled, blank, folds, scheme, _refusal(partial(shown, cells, schema, settings), path))


def _forgiving(schema: Schema) -> Schema:
    columns = [column.model_copy(update={"optional": True}) for column in schema.columns]
    return schema.model_copy(update={"columns": columns})


def _refusal(gate: Callable[[], Log], path: str) -> str:
    """Return why training would refuse the log of a file, or empty text."""
    try:
        gate()
    except InputError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""


def _folds(log: Log, settings: Data) -> tuple[list[Fold], str]:
    """Return the folds and their name, or no folds and the reason."""
    asked = "folds" in settings.model_fields_set
    name = settings.folds if asked or log.family != SIMULATED else SIMULATED  # the scheme of that name
    try:
        return cut(log, load_scheme(name)), name
    except InputError as error:
        if asked:
            raise
        return [], f"{error}."
