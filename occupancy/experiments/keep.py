"""What is kept of a fitted model beside its scores; it is made where the unit is carried out."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from occupancy.arrays import Ints
from occupancy.execution.fold import Fitted, FoldResult
from occupancy.explanation.report import Explained, explain_fold
from occupancy.health.profile import learn
from occupancy.models.inputs import columns_read
from occupancy.prediction import Prediction
from occupancy.serving.model import save


@dataclass(frozen=True)
class Kept:
    """What is kept of a fold.

    Attributes:
        prediction: of its test rows, without samples.
        truth: (N,) people at these rows.
        history: one row an epoch, see `occupancy.models.estimator.Estimator`.
        files: the saved model, by path.
        explained: what the model rests on, if the config asks for it.
    """

    prediction: Prediction
    truth: Ints
    history: pd.DataFrame
    files: Mapping[str, bytes]
    explained: Explained | None


def keep_fold(result: Fitted) -> Kept:
    """Return everything that the record of a fold holds."""
    assert isinstance(result, FoldResult), "a fold is tested"
    # The samples are most of what a prediction weighs; how far they disagree stays.
    bare = dataclasses.replace(result.prediction, samples=None, disagreement=result.prediction.epistemic)
    return Kept(bare, result.truth, result.estimator.history, keep_model(result), explain_fold(result))


def keep_model(result: Fitted) -> dict[str, bytes]:
    """Return the saved model, by path."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fold, config = result.fold, result.estimator.config
        learned = fold.learned(validation=config.learns_validation)
        read = [column.name for column in columns_read(config, fold.log.schema)]
        profile = learn(fold.log, fold.seen(learned), read)  # rows without a count, too, show what the sensors read
        save(result.estimator, fold.log.schema, folder, profile)
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
