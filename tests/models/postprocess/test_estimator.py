from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import (
    LSTM,
    Calibration,
    Clock,
    Config,
    Decoding,
    Logistic,
    Majority,
    MassBalance,
    Mixture,
    RandomForest,
)
from occupancy.config.model import Single
from occupancy.config.parsing import load_config
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.times import stretches
from occupancy.metrics import score
from occupancy.models import load_estimator, make_estimator
from occupancy.models.estimator import NO_STEPS, SETTINGS
from occupancy.models.postprocess.calibration import Calibrator
from occupancy.models.postprocess.decoder import ROW_FLOOR
from occupancy.models.postprocess.decoding import Mode, decode
from occupancy.models.postprocess.durations import AGE_EDGES_S
from occupancy.models.postprocess.estimator import BASE, PostprocessedEstimator
from occupancy.models.postprocess.out_of_fold import left_out
from tests.counted import Counted
from tests.models.made_visits import (
    DATA,
    MAX_GAP,
    Told,
    config_of,
    counts_of,
    everything,
    fold_of,
    garbled,
    log_of,
    sensors,
    simulated,
    simulated_fold,
    told,
)
from tests.places import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:calibration.answered_mse.*can't be promised")

MODES: Sequence[Mode] = get_args(Mode)
EACH_MODE = pytest.mark.parametrize("mode", MODES)
FOREST = RandomForest(trees=5, head="classification")


def fit(model: Any = FOREST, fold: Fold | None = None, **changes: Any) -> PostprocessedEstimator:
    estimator = make_estimator(config_of(model, **changes))
    assert isinstance(estimator, PostprocessedEstimator)
    estimator.fit((fold or simulated_fold()).sealed(), NO_STEPS)
    return estimator


def predicted(
    estimator: PostprocessedEstimator, log: Log | None = None, rows: Rows | None = None, past: Rows | None = None
) -> pd.DataFrame:
    log = log or simulated()
    return estimator.predict(sensors(log), everything(log) if rows is None else rows, past).to_frame()


def probs_of(table: pd.DataFrame) -> Floats:
    return table[[f"p{count}" for count in range(4)]].to_numpy(np.float64)


def decoded_by_hand(estimator: PostprocessedEstimator, log: Log) -> tuple[Floats, Ints]:
    """Return probabilities and path of each recording by `decoding`, from those of the model itself."""
    assert estimator.decoder is not None
    assert estimator.config.decoding is not None
    decoding = estimator.config.decoding
    alone = estimator.base.predict(sensors(log), everything(log)).probs.clip(ROW_FLOOR)
    alone /= alone.sum(axis=1, keepdims=True)
    stretch = stretches(log.times, everything(log), log.max_gap)
    parts = [
        decode(
            estimator.decoder.durations,
            estimator.decoder.exponents.potentials(np.log(alone[stretch == number])),
            log.step_s,
            decoding.mode,
            round(decoding.lag / log.step_s),
        )
        for number in range(stretch.max() + 1)
    ]
    paths = [part.probs.argmax(axis=1) if part.path is None else part.path for part in parts]
    return np.concatenate([part.probs for part in parts]), np.concatenate(paths)


def with_gap(log: Log, row: int = 1000) -> Log:
    """Return the log with an hour's gap before a row."""
    later = pd.to_timedelta((np.arange(len(log.frame)) >= row) * 3600.0, unit="s")
    return Log(log.name, log.family, log.schema, log.frame.set_axis(log.times + later), log.missing, log.max_gap)


@EACH_MODE
@pytest.mark.parametrize("step_s", [300.0, 120.0])
def test_decoding_is_that_of_each_recording_by_itself(mode: Mode, step_s: float) -> None:
    fold = simulated_fold(step_s)
    estimator = fit(fold=fold, decoding=Decoding(mode=mode, lag=600.0))
    log = with_gap(fold.log)
    table = predicted(estimator, log)
    probs, path = decoded_by_hand(estimator, log)
    np.testing.assert_allclose(probs_of(table), probs, rtol=1e-9)
    expected = path if mode == "viterbi" else np.rint(probs @ np.arange(4))
    np.testing.assert_array_equal(table["count"], expected)
    assert "answered" not in table


@EACH_MODE
@pytest.mark.parametrize("features", ["physics", "centred_physics"])
def test_only_a_filter_over_inputs_that_look_back_is_causal(mode: Mode, features: str) -> None:
    estimator = fit(Majority(), features=features, decoding=Decoding(mode=mode))
    assert estimator.predict(sensors(simulated()), everything(simulated())).causal == (mode == "filter")
    if mode == "filter":
        centred = fit(Logistic(), features=features, decoding=Decoding(mode=mode), calibration=Calibration())
        found = centred.predict(sensors(simulated()), everything(simulated())).causal
        assert found == (features == "physics")


@pytest.mark.parametrize(("mode", "ahead"), [("filter", 0), ("lag", 2)])
def test_what_comes_later_than_the_mode_looks_changes_nothing(mode: Mode, ahead: int) -> None:
    estimator = fit(features="physics", decoding=Decoding(mode=mode, lag=600.0), calibration=Calibration())
    row = 1000
    future = np.arange(len(simulated().frame)) > row
    before, after = predicted(estimator), predicted(estimator, garbled(simulated(), future))
    pd.testing.assert_frame_equal(after[: row + 1 - ahead], before[: row + 1 - ahead], check_exact=True)
    if ahead:
        assert not np.array_equal(probs_of(after)[row], probs_of(before)[row])
    assert not np.array_equal(probs_of(after)[row + 1 :], probs_of(before)[row + 1 :])


@pytest.mark.parametrize(("lag", "step_s", "rows"), [(600.0, 300.0, 2), (600.0, 120.0, 5), (300.0, 120.0, 2)])
def test_a_lag_is_a_time(lag: float, step_s: float, rows: int) -> None:
    fold = simulated_fold(step_s)
    estimator = fit(FOREST, fold, decoding=Decoding(mode="lag", lag=lag))
    log, row = fold.log, 1000
    before, after = (
        probs_of(predicted(estimator, each)) for each in (log, garbled(log, np.arange(len(log.frame)) == row + rows))
    )
    changed = np.flatnonzero((before != after).any(axis=1))
    assert changed[0] == row


@EACH_MODE
def test_a_decoder_begins_where_the_permitted_past_does(mode: Mode) -> None:
    estimator = fit(features="physics", decoding=Decoding(mode=mode, lag=600.0))
    log = with_gap(simulated())
    rows = np.zeros(len(log.frame), bool)
    rows[400:700] = rows[1200:] = True  # the model may have learned the rows before 400 by heart
    alone = estimator.base.predict(sensors(log), rows).probs.clip(ROW_FLOOR)
    alone /= alone.sum(axis=1, keepdims=True)
    assert estimator.decoder is not None
    potentials = estimator.decoder.exponents.potentials(np.log(alone))
    parts = [
        decode(estimator.decoder.durations, part, 300.0, mode, 2).probs for part in (potentials[:300], potentials[300:])
    ]
    expected = np.concatenate(parts)
    np.testing.assert_allclose(probs_of(predicted(estimator, log, rows, rows)), expected, rtol=1e-9)
    some = rows & (np.arange(len(rows)) % 7 == 0)
    np.testing.assert_allclose(probs_of(predicted(estimator, log, some, rows)), expected[some[rows]], rtol=1e-9)
    assert np.abs(probs_of(predicted(estimator, log, rows)) - expected).max() > 1e-5, "all earlier rows as the past"


@EACH_MODE
def test_a_row_asked_for_alone_is_decoded_as_it_is_among_all(mode: Mode) -> None:
    estimator = fit(decoding=Decoding(mode=mode, lag=600.0), calibration=Calibration())
    log = with_gap(simulated())
    whole = predicted(estimator, log)
    for row in (0, 3, 700, 999, 1000, len(log.frame) - 1):
        alone = np.arange(len(log.frame)) == row
        pd.testing.assert_frame_equal(
            predicted(estimator, log, alone), whole[alone].reset_index(drop=True), rtol=1e-9, check_dtype=False
        )


def test_an_answer_that_waits_for_later_rows_is_late_by_as_much() -> None:
    estimator = fit(decoding=Decoding(mode="lag", lag=600.0), calibration=Calibration())
    prediction = estimator.predict(sensors(simulated()), everything(simulated()))
    truth = simulated().frame["Room_Occupancy_Count"].to_numpy()
    assert prediction.delay_s == 600.0
    at_once = dataclasses.replace(prediction, delay_s=0.0)
    late, early = (score([(each, truth)], 600.0)["latency_s"] for each in (prediction, at_once))
    assert late == early + 600.0


def test_the_models_part_of_the_spread_is_no_more_than_all_of_it() -> None:
    pooled = Mixture(members=[MassBalance(), FOREST])  # of which one is always as unsure as in the empty room
    for changes in ({"decoding": Decoding()}, {"calibration": Calibration()}):
        prediction = fit(pooled, features="physics", **changes).predict(sensors(simulated()), everything(simulated()))
        parts = np.square(prediction.epistemic) + np.square(prediction.aleatoric)
        np.testing.assert_allclose(parts, np.square(prediction.std), atol=1e-12)


def test_earlier_rows_than_the_history_hardly_matter_to_a_filter() -> None:
    estimator = fit(features="physics", decoding=Decoding(mode="filter"))
    assert estimator.history_s == 1525 + AGE_EDGES_S[-1]
    whole = predicted(estimator)
    row = 1050
    first = row - round(estimator.history_s / 300)
    frame = sensors(simulated())[first:]
    alone = estimator.predict(frame, np.ones(len(frame), bool)).to_frame()
    np.testing.assert_allclose(probs_of(alone)[row - first :], probs_of(whole)[row:], atol=0.1)


def test_a_calibration_alone_needs_no_more_history() -> None:
    assert fit(features="physics", calibration=Calibration()).history_s == 1525


def test_the_calibration_is_that_of_each_row_without_decoding() -> None:
    estimator = fit(calibration=Calibration())
    assert estimator.calibrator is not None
    base = estimator.base.predict(sensors(simulated()), everything(simulated()))
    expected = estimator.calibrator.apply(base).to_frame()
    pd.testing.assert_frame_equal(predicted(estimator), expected, check_exact=True)
    assert set(predicted(estimator)["answered"]) <= {True, False}


def test_a_calibrated_path_keeps_its_labels() -> None:
    decoding = Decoding(mode="viterbi")
    path, both = (fit(decoding=decoding, calibration=each) for each in (None, Calibration()))
    np.testing.assert_array_equal(predicted(both)["count"], predicted(path)["count"])
    table = predicted(both)
    assert (table["lower"] <= table["count"]).all()
    assert (table["count"] <= table["upper"]).all()


def test_the_error_that_is_asked_for_is_that_of_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[Any] = []

    def spy(probs: Floats, *others: Any) -> Calibrator:
        fitted.append((probs, others[-1]))
        return learn(probs, *others)

    learn = Calibrator.fit
    monkeypatch.setattr(Calibrator, "fit", spy)
    for mode in MODES:
        fit(decoding=Decoding(mode=mode), calibration=Calibration())
    assert [path is None for _, path in fitted] == [mode != "viterbi" for mode in MODES]
    probs, path = fitted[-1]
    assert (path == probs.argmax(axis=1)).mean() > 0.9


def told_fold(sure: float, wrong: float, visits: int = 60) -> Fold:
    """Return visits of a model that is so sure, and wrong in a share of them."""
    rng = np.random.default_rng(0)
    counts = counts_of(*[run for _ in range(visits) for run in ((0, 50), (int(rng.integers(1, 4)), 20))], (0, 50))
    runs = np.cumsum(np.diff(counts, prepend=0) != 0)
    slips = (rng.random(runs.max() + 1) < wrong)[runs] * rng.integers(1, 4, runs.max() + 1)[runs]
    probs = np.full((len(counts), 4), (1 - sure) / 3)
    probs[np.arange(len(counts)), (counts + slips) % 4] = sure
    return fold_of(log_of(counts, told(probs)), test=slice(len(counts) - 20, len(counts)))


def refined(fold: Fold, **changes: Any) -> PostprocessedEstimator:
    config = config_of(data=DATA.model_copy(update={"max_gap": MAX_GAP}), **changes)
    estimator = PostprocessedEstimator(config, Told)
    estimator.fit(fold.sealed(), NO_STEPS)
    return estimator


def test_a_model_that_is_too_sure_is_made_as_sure_as_it_is_right() -> None:
    fold = told_fold(sure=0.99, wrong=0.25)
    estimator = refined(fold, calibration=Calibration())
    table = estimator.predict(sensors(fold.log), everything(fold.log)).to_frame()
    assert estimator.calibrator is not None
    assert estimator.calibrator.temperature > 2
    assert probs_of(table).max(axis=1).mean() == pytest.approx(0.75, abs=0.08)
    held = (table["lower"] <= fold.log.frame["people"].to_numpy()) & (
        fold.log.frame["people"].to_numpy() <= table["upper"]
    )
    assert held[fold.train].mean() >= 0.9
    assert not table["answered"].any()


def test_a_model_that_is_right_is_answered() -> None:
    fold = told_fold(sure=0.9, wrong=0.0)
    estimator = refined(fold, calibration=Calibration())
    table = estimator.predict(sensors(fold.log), everything(fold.log)).to_frame()
    assert table["answered"].all()
    assert probs_of(table).max(axis=1).min() > 0.95


@pytest.mark.parametrize("counts", [((0, 30), (2, 30), (0, 30)), ((1, 40), (2, 30))], ids=["one visit", "never empty"])
@EACH_MODE
def test_one_visit_is_enough_to_learn_from(counts: tuple[tuple[int, float], ...], mode: Mode) -> None:
    truth = counts_of(*counts)
    fold = fold_of(log_of(truth, told(0.9 * np.eye(4)[truth] + 0.025)), test=slice(len(truth) - 5, len(truth)))
    estimator = refined(fold, decoding=Decoding(mode=mode), calibration=Calibration())
    table = estimator.predict(sensors(fold.log), everything(fold.log)).to_frame()
    assert np.isfinite(table.drop(columns="time").to_numpy(np.float64)).all()
    assert (table["count"] == truth).mean() > 0.8


MEMBERS: list[Single] = [Clock(), Logistic(), FOREST]


@pytest.mark.parametrize(
    ("mode", "weights"), [("filter", "learned"), ("lag", "equal"), ("smooth", "equal"), ("viterbi", "learned")]
)
def test_a_saved_model_predicts_the_same_to_the_last_digit(mode: Mode, weights: Any, tmp_path: Path) -> None:
    mixture = Mixture(members=MEMBERS, weights=weights)
    estimator = fit(mixture, features="physics", decoding=Decoding(mode=mode), calibration=Calibration())
    estimator.save(tmp_path)
    assert (tmp_path / BASE / "member_3" / "forest.skops").is_file()
    loaded = load_estimator(tmp_path)
    assert isinstance(loaded, PostprocessedEstimator)
    pd.testing.assert_frame_equal(predicted(loaded), predicted(estimator), check_exact=True)
    assert loaded.parameters == estimator.parameters
    assert loaded.history_s == estimator.history_s


@pytest.mark.parametrize("weights", ["equal", "learned"])
def test_all_steps_are_planned_before_the_first_is_done(weights: Any) -> None:
    fold, steps = simulated_fold().sealed(), Counted()
    model = Mixture(members=MEMBERS, weights=weights)
    make_estimator(config_of(model, decoding=Decoding(), calibration=Calibration())).fit(fold, steps)
    groups = len(np.unique(left_out(fold, fold.train | fold.validation))) - 1  # less that of rows not learned from
    fits = 1 if weights == "equal" else len(MEMBERS)  # of each group, and of all rows
    assert steps.planned == steps.finished == steps.at_first == fits * (groups + 1)


@pytest.mark.parametrize("refinement", [{"decoding": Decoding()}, {"calibration": Calibration()}], ids=str)
def test_one_refinement_alone_survives_being_saved(refinement: dict[str, Any], tmp_path: Path) -> None:
    estimator = fit(**refinement)
    estimator.save(tmp_path)
    loaded = load_estimator(tmp_path)
    assert isinstance(loaded, PostprocessedEstimator)
    pd.testing.assert_frame_equal(predicted(loaded), predicted(estimator), check_exact=True)


def test_a_model_that_an_earlier_version_saved_predicts_as_before(tmp_path: Path) -> None:
    estimator = fit(decoding=Decoding(mode="lag"), calibration=Calibration())
    estimator.save(tmp_path)
    settings = json.loads((tmp_path / SETTINGS).read_text(encoding="utf-8"))
    decoder, calibrator = settings.pop("decoder"), settings["calibrator"]
    emissions, temperature = decoder.pop("exponents"), calibrator.pop("temperature")
    old = {**settings, **decoder, "emissions": emissions, "calibrator": {**calibrator, "exponent": 1 / temperature}}
    (tmp_path / SETTINGS).write_text(json.dumps(old), encoding="utf-8")
    loaded = load_estimator(tmp_path)
    assert isinstance(loaded, PostprocessedEstimator)
    pd.testing.assert_frame_equal(predicted(loaded), predicted(estimator), rtol=1e-12)


@pytest.mark.parametrize("mode", ["filter", "viterbi"])
def test_test_rows_change_nothing_in_what_is_learned(mode: Mode) -> None:
    fold = simulated_fold()
    other = dataclasses.replace(fold, log=garbled(fold.log, fold.test))
    mixture = Mixture(members=MEMBERS, weights="learned")
    one, two = (fit(mixture, each, decoding=Decoding(mode=mode), calibration=Calibration()) for each in (fold, other))
    pd.testing.assert_frame_equal(predicted(two), predicted(one), check_exact=True)


def test_the_epochs_kept_are_those_of_the_model_in_use(tmp_path: Path) -> None:
    config = config_of(LSTM(window=2, layers=1, hidden=2), decoding=Decoding(), calibration=Calibration())
    estimator = fit(config.model, decoding=Decoding(), calibration=Calibration())
    assert estimator.history["stage"].tolist() == ["search", "final"]
    assert len(estimator.history) == config.epochs == 2
    estimator.save(tmp_path)
    assert load_estimator(tmp_path).chosen_epochs == estimator.chosen_epochs == 1


@pytest.mark.parametrize("refinement", [{"decoding": Decoding()}, {"calibration": Calibration()}], ids=str)
def test_the_reports_protocol_is_refused_with_what_it_would_learn(refinement: dict[str, Any]) -> None:
    name = next(iter(refinement))
    with pytest.raises(ValidationError, match=f"protocol 'report' conflicts with {name}, which must be fitted without"):
        config_of(protocol="report", **refinement)
    with pytest.raises(ValidationError, match=r"protocol 'report' conflicts with model\.weights"):
        config_of(Mixture(members=MEMBERS, weights="learned"), protocol="report")


def test_a_model_without_refinements_is_itself() -> None:
    assert not isinstance(make_estimator(config_of(FOREST)), PostprocessedEstimator)


def test_calibration_counts_its_numbers_and_decoding_its_chain() -> None:
    bare = make_estimator(config_of(Majority()))
    bare.fit(simulated_fold().sealed(), NO_STEPS)
    assert fit(Majority(), calibration=Calibration()).parameters == bare.parameters + 4
    decoded = fit(Majority(), decoding=Decoding())
    assert decoded.parameters == bare.parameters + 2 + 4 * len(AGE_EDGES_S) + 4 * 4


def test_the_shipped_experiments_can_be_carried_out() -> None:
    folder = ROOT / "configs"
    for name in ("best", "best_offline"):
        config: Config = load_config(folder / f"{name}.yaml")
        assert isinstance(config.model, Mixture)
        few = {"trees": 3}
        members = [each.model_copy(update=few) if isinstance(each, RandomForest) else each for each in config.models]
        config = config.model_copy(update={"model": config.model.model_copy(update={"members": members}), "data": DATA})
        estimator = make_estimator(config)
        estimator.fit(simulated_fold().sealed(), NO_STEPS)
        prediction = estimator.predict(sensors(simulated()), everything(simulated()))
        assert prediction.causal == (name == "best")
        truth = simulated().frame[simulated().schema.count].to_numpy()
        assert np.square(prediction.label - truth)[simulated_fold().test].mean() < 0.5
