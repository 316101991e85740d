"""Where a log comes from: the UCI file (found or downloaded), a CSV file, CSV files of rooms, or the simulator."""

from __future__ import annotations

import difflib
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from occupancy.config import Data
from occupancy.data.download import Unreachable, find_uci
from occupancy.data.log import Log
from occupancy.data.rooms import open_rooms
from occupancy.data.schema import UCI, load_schema
from occupancy.data.simulation import simulate
from occupancy.data.table import check_step, read_log
from occupancy.errors import InputError, InputWarning

SIMULATED = "simulated"
NAMES = ("auto", "uci", SIMULATED)


def open_log(settings: Data) -> tuple[Log, Data]:
    """Return the validated log that the settings ask for, and the settings that were used.

    They differ only for ``source: auto``: it becomes ``uci`` or, if that log is neither on disk nor can be
    downloaded, ``simulated`` with the fold scheme of the simulated log.

    Warns:
        InputWarning: if the simulated log is used instead of the UCI log, or something in a file was skipped or
            converted.

    Raises:
        InputError: if there is no such log, it can't be downloaded, or it is not valid.
    """
    if settings.rooms is not None:
        return open_rooms(settings), settings
    if settings.source == SIMULATED:
        return _simulated(settings), settings
    if settings.source not in NAMES:
        schema = load_schema(settings.log_schema)
        return tell(read_log([existing(source) for source in sources(settings)], schema, settings)), settings
    try:
        path = find_uci()
    except Unreachable as error:
        if settings.source != "auto":
            raise
        instead = settings.model_copy(update={"source": SIMULATED, "folds": SIMULATED})
        switched = f"its folds are {SIMULATED!r} instead of {settings.folds!r}"
        warnings.warn(f"THIS LOG IS SIMULATED, it is not the UCI log; {switched}. {error}", InputWarning, stacklevel=2)
        return _simulated(instead), instead
    log = read_log(path, UCI, settings)
    return replace(log, name="uci"), settings.model_copy(update={"source": "uci"})


def sources(settings: Data) -> list[str]:
    """Return what the settings name as source, a file or several."""
    return settings.source if isinstance(settings.source, list) else [settings.source]


def tell(log: Log) -> Log:
    """Return a log, after its notes are told.

    Warns:
        InputWarning: if something in its files was skipped or converted.
    """
    if log.notes:
        warnings.warn(f"{log.name}: {'; '.join(log.notes)}", InputWarning, stacklevel=3)
    return log


def _simulated(settings: Data) -> Log:
    frame = simulate(settings.simulation)
    most = int(frame[UCI.count].max())
    if most > settings.max_count:
        raise InputError(
            f"data.max_count: got {settings.max_count}, but the simulated room holds up to {most} people; "
            "raise it, or lower data.simulation.room.max_people"
        )
    missing = frame[UCI.sensors].isna()
    assert not np.asarray(missing).any(), "the simulator writes every cell"
    return check_step(Log(SIMULATED, SIMULATED, UCI, frame, missing, settings.max_gap), SIMULATED)


def existing(source: str) -> Path:
    """Return the path of the CSV file that a source names.

    Raises:
        InputError: if there is no such file.
    """
    path = Path(source)
    try:
        if path.exists() and not path.is_dir():
            return path
    except OSError as error:
        raise InputError(
            f"data.source: {source} can't be read ({error.strerror}); give the path of a CSV file"
        ) from None
    near = difflib.get_close_matches(source, NAMES, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InputError(f"data.source: got {source!r}, expected {', '.join(NAMES)} or the path of a CSV file{hint}")
