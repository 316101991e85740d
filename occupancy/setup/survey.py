"""All that can be seen in the files of a log, and the settings that follow from it."""

from __future__ import annotations

import fnmatch
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from occupancy.arrays import Floats
from occupancy.config import Config, Data, Kind
from occupancy.config.parsing import resolve
from occupancy.data.folds import Scheme, cut, load_scheme
from occupancy.data.schema import Schema
from occupancy.data.source import open_log
from occupancy.data.table import Log
from occupancy.errors import InputError, InputWarning, shortened
from occupancy.setup.answers import Answers
from occupancy.setup.choice import Choice, choose
from occupancy.setup.clock import find_times, is_time
from occupancy.setup.columns import Column, understand
from occupancy.setup.folds import Parts, lacking_counts, plan_folds
from occupancy.setup.people import People, find_people
from occupancy.setup.rhythm import Rhythm, rhythm_of
from occupancy.setup.values import Values, values_of


@dataclass(frozen=True)
class Survey:
    """What was understood of a log.

    Attributes:
        files: the files as they were given.
        columns: all columns, in the order of the file.
        schema: the meaning of the columns.
        people: the column with the number of people.
        rhythm: the step.
        data: the settings of the log, as a config has them, without paths of other files than the log's.
        log: the log as training reads it.
        folds: its folds.
        choice: the model.
        notes: what was done to read the files.
        checks: what is doubtful, for people to look at.
    """

    files: tuple[str, ...]
    columns: tuple[Column, ...]
    schema: Schema
    people: People
    rhythm: Rhythm
    data: dict[str, Any]
    log: Log
    folds: tuple[Parts, ...]
    choice: Choice
    notes: tuple[str, ...]
    checks: tuple[str, ...]
