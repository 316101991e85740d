from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from occupancy.config import LSTM, Config, Data, Majority, Model, RandomForest, Tracking, Train
from occupancy.data.folds import Fold
from occupancy.execution import unit as unit_module
from occupancy.execution.fold import FoldResult, run_fold, validate_fold
from occupancy.execution.unit import Scores, Unit, carry_out
from occupancy.models.estimator import NO_STEPS
from tests.execution.made_units import model_of, quick_fold

SMALL = LSTM(window=3, layers=1, hidden=4)
TRAIN = Train(max_epochs=2, members=1, device="cpu")
MODELS: list[Model] = [SMALL, RandomForest(trees=3), RandomForest(trees=3, head="regression"), Majority()]


def validated(model: Model, fold: Fold, train: Train = TRAIN) -> FoldResult:
    return validate_fold(Config(name="small", model=model, train=train), fold, NO_STEPS)


def with_other(fold: Fold, part: str) -> Fold:
    frame = fold.log.frame.copy()
    rows = getattr(fold, part)
    frame.loc[rows, "warm"] = 3 * frame.loc[rows, "warm"] - 70
    frame.loc[rows, "people"] = 2 - frame.loc[rows, "people"]
    return dataclasses.replace(fold, log=dataclasses.replace(fold.log, frame=frame))


def between() -> Fold:
    """Return a fold whose test rows lie right before its validation rows, and so in their windows."""
    fold = quick_fold()
    return dataclasses.replace(fold, validation=fold.test, test=fold.validation)


@pytest.mark.parametrize("cut_fold", [quick_fold, between])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_validation_score_is_the_same_whatever_the_test_rows_hold(model: Model, cut_fold: Any) -> None:
    before, after = validated(model, cut_fold()), validated(model, with_other(cut_fold(), "test"))
    assert before.metrics == pytest.approx(after.metrics, rel=0, abs=0, nan_ok=True)
    assert before.prediction.times.equals(cut_fold().log.times[cut_fold().validation])
    assert np.isfinite(before.prediction.mean).all()


@pytest.mark.parametrize("model", [SMALL, RandomForest(trees=3), Majority()], ids=str)
def test_a_validation_score_is_by_a_model_that_has_learned_from_training_rows_alone(model: Model) -> None:
    one_epoch = TRAIN.model_copy(update={"max_epochs": 1})  # so that validation rows have nothing to choose
    fold = quick_fold()
    other = with_other(fold, "validation")
    counts = dataclasses.replace(other, log=dataclasses.replace(other.log, frame=fold.log.frame.copy()))
    counts.log.frame["people"] = other.log.frame["people"]
    before, after = validated(model, fold, one_epoch), validated(model, counts, one_epoch)
    np.testing.assert_array_equal(before.prediction.samples, after.prediction.samples)
    assert (before.truth != after.truth).any()  # the counts did change


def test_a_unit_gives_the_scores_and_costs_of_its_run() -> None:
    config, fold = Config(name="small", model=SMALL, train=TRAIN), quick_fold()
    for scored, run in (("test", run_fold), ("validation", validate_fold)):
        outcome, result = carry_out(Unit(config, fold, scored)), run(config, fold, NO_STEPS)  # type: ignore[arg-type]
        assert isinstance(outcome, Scores)
        assert outcome.metrics["mse"] == result.metrics["mse"]
        assert outcome.costs["parameters"] == result.estimator.parameters
        assert outcome.chosen_epochs == result.estimator.chosen_epochs > 0


def key(scored: Any = "validation", fold: Fold | None = None, **changes: Any) -> str:
    return Unit(model_of(Majority()).model_copy(update=changes), fold or quick_fold(), scored).key


def test_equal_units_have_equal_keys_wherever_they_are_recorded() -> None:
    assert key() == key() == key(tracking=Tracking(uri="sqlite:///other.db"))


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"model": RandomForest()},
        {"train": Train(max_epochs=3)},
        {"data": Data(max_count=4)},
        {"scored": "test"},
        {"fold": dataclasses.replace(quick_fold(), number=2)},
        {"fold": quick_fold(validation=slice(25, 39))},
        {"fold": with_other(quick_fold(), "train")},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_key_changes_with_settings_seed_rows_log_and_purpose(changed: dict[str, Any]) -> None:
    assert key(**changed) != key()


def test_a_key_changes_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key()
    monkeypatch.setattr(unit_module, "code_version", lambda: "another")
    assert key() != before
