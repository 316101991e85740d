from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import pytest
import torch

from occupancy.config import LSTM, Config, Data, Room, Simulation, Train
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.schema import UCI, Column, Schema
from occupancy.data.source import open_log
from occupancy.errors import InputError, InputWarning
from occupancy.health.profile import learn
from occupancy.models import make_estimator
from occupancy.models.estimator import NO_STEPS
from occupancy.models.neural.estimator import NetworkEstimator
from occupancy.serving import model
from occupancy.serving.checksums import seal
from occupancy.serving.model import ServedModel, explain, find_saved

Head = Literal["regression", "classification"]
HEADS: list[Head] = ["regression", "classification"]
COLUMNS = ["time", "count", "mean", "std", "lower", "upper", "epistemic", "aleatoric", "p0", "p1", "p2", "p3"]
DATA = Data(source="simulated", max_gap=600, simulation=Simulation(days=1, room=Room(step_s=300)))


@pytest.fixture(scope="module")
def log() -> Log:
    """A simulated day with a row every five minutes."""
    return open_log(DATA)[0]


def fit(log: Log, config: Config) -> NetworkEstimator:
    estimator = cast(NetworkEstimator, make_estimator(config))
    row = np.arange(len(log.frame))
    train, validation, test = row < 180, (row >= 180) & (row < 230), row >= 230
    estimator.fit(Fold(1, log, train, validation, test), NO_STEPS)
    return estimator


def config_of(head: Head = "regression", features: Literal["no_light", "all"] = "no_light") -> Config:
    model = LSTM(head=head, window=3, layers=1, hidden=4, mc_samples=2)
    training = Train(max_epochs=1, members=2, device="cpu")
    return Config(name="served", features=features, data=DATA, model=model, train=training)


@pytest.fixture(scope="module", params=HEADS)
def estimator(log: Log, request: pytest.FixtureRequest) -> NetworkEstimator:
    return fit(log, config_of(request.param))


@pytest.fixture(scope="module")
def served(estimator: NetworkEstimator, tmp_path_factory: pytest.TempPathFactory) -> ServedModel:
    folder = tmp_path_factory.mktemp("served")
    model.save(estimator, UCI, folder)
    return ServedModel(folder)


@pytest.fixture
def raw(log: Log, tmp_path: Path) -> pd.DataFrame:
    """The day as ``pandas.read_csv`` gives it: date and time as text, some columns of whole numbers."""
    frame = log.frame.reset_index()
    times = frame.pop("time").dt
    frame.insert(0, "Date", times.strftime("%Y/%m/%d"))
    frame.insert(1, "Time", times.strftime("%H:%M:%S"))
    frame = frame.astype({"S6_PIR": int, "S7_PIR": int, "S1_Light": int})
    frame.to_csv(tmp_path / "day.csv", index=False)
    return pd.read_csv(tmp_path / "day.csv")


@pytest.fixture
def sensors(raw: pd.DataFrame) -> pd.DataFrame:
    return raw.drop(columns=UCI.count)


def test_a_raw_frame_gives_a_row_of_predictions_for_each_of_its_rows(
    served: ServedModel, sensors: pd.DataFrame, log: Log
) -> None:
    assert sensors["S6_PIR"].dtype == np.int64
    table = served.predict(sensors)
    assert list(table.columns) == COLUMNS
    assert table["time"].tolist() == list(log.times)
    assert set(table["count"]) <= {0, 1, 2, 3}
    assert np.isfinite(table.drop(columns="time").to_numpy(np.float64)).all()
    np.testing.assert_allclose(table[["p0", "p1", "p2", "p3"]].sum(axis=1), 1, atol=1e-6)
    assert (table["lower"] <= table["upper"]).all()


def test_the_served_model_predicts_what_the_estimator_does(
    served: ServedModel, estimator: NetworkEstimator, sensors: pd.DataFrame, log: Log
) -> None:
    own = estimator.predict(log.frame[UCI.sensors], np.ones(len(log.frame), bool)).to_frame()
    pd.testing.assert_frame_equal(served.predict(sensors), own, rtol=1e-6)


def test_what_a_model_reads_is_what_it_read_in_training_whatever_its_features_read_today(
    log: Log, estimator: NetworkEstimator, tmp_path: Path
) -> None:
    read = [column.name for column in log.schema.columns if column.kind == "co2"]
    model.save(estimator, log.schema, tmp_path, learn(log, np.ones(len(log.frame), bool), read))
    assert ServedModel(tmp_path).read == read


def test_the_same_frame_gives_the_same_predictions(served: ServedModel, sensors: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(served.predict(sensors), served.predict(sensors), check_exact=True)


def test_the_frame_is_left_as_it_was(served: ServedModel, sensors: pd.DataFrame) -> None:
    before = sensors.copy(deep=True)
    served.predict(sensors)
    pd.testing.assert_frame_equal(sensors, before)


def test_the_rows_own_index_does_not_matter(served: ServedModel, sensors: pd.DataFrame) -> None:
    renumbered = sensors.set_index(np.arange(len(sensors))[::-1] * 7)
    pd.testing.assert_frame_equal(served.predict(renumbered), served.predict(sensors))


def test_the_columns_may_come_in_any_order(served: ServedModel, sensors: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(served.predict(sensors[sensors.columns[::-1]]), served.predict(sensors))


def test_cells_may_be_text(served: ServedModel, sensors: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(served.predict(sensors.astype(str)), served.predict(sensors))


def test_the_count_column_is_never_looked_at(served: ServedModel, raw: pd.DataFrame, sensors: pd.DataFrame) -> None:
    for count in (raw[UCI.count], raw[UCI.count] + 99, "unknown"):
        pd.testing.assert_frame_equal(served.predict(raw.assign(**{UCI.count: count})), served.predict(sensors))


def test_the_slope_is_computed_where_its_column_is_absent_or_wrong(served: ServedModel, sensors: pd.DataFrame) -> None:
    expected = served.predict(sensors)
    pd.testing.assert_frame_equal(served.predict(sensors.drop(columns="S5_CO2_Slope")), expected)
    pd.testing.assert_frame_equal(served.predict(sensors.assign(S5_CO2_Slope=-7.0)), expected)


def test_light_is_not_asked_for_by_a_model_that_never_saw_it(served: ServedModel, sensors: pd.DataFrame) -> None:
    lights = [column.name for column in UCI.of_kind("light")]
    pd.testing.assert_frame_equal(served.predict(sensors.drop(columns=lights)), served.predict(sensors))


def test_a_model_that_learned_from_light_does_not_answer_without_any(
    log: Log, sensors: pd.DataFrame, tmp_path: Path
) -> None:
    model.save(fit(log, config_of(features="all")), UCI, tmp_path)
    served = ServedModel(tmp_path)
    assert "answered" not in served.predict(sensors)
    lights = [column.name for column in UCI.of_kind("light")]
    assert not served.predict(sensors.drop(columns=lights))["answered"].any()


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.drop(columns="S5_CO2"),
        lambda frame: frame.assign(S5_CO2=np.nan),
        lambda frame: frame.assign(S5_CO2="unavailable"),
        lambda frame: frame.assign(S5_CO2=np.inf),
        lambda frame: frame.assign(S5_CO2=1e308),
    ],
    ids=["no column", "no reading", "a word for none", "infinite", "too large"],
)
def test_rows_without_a_usable_reading_are_counted_and_not_answered(
    served: ServedModel, sensors: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    table = served.predict(change(sensors))
    assert not table["answered"].any()
    assert np.isfinite(table[COLUMNS[1:]].to_numpy(np.float64)).all()


def test_a_sensor_that_is_gone_beside_others_of_its_kind_costs_no_answer(
    served: ServedModel, sensors: pd.DataFrame
) -> None:
    whole, hole = served.predict(sensors), served.predict(sensors.drop(columns="S1_Temp"))
    assert list(hole.columns) == COLUMNS
    assert np.isfinite(hole[COLUMNS[1:]].to_numpy(np.float64)).all()
    assert not hole["mean"].equals(whole["mean"])


def test_dates_in_another_form_are_read(served: ServedModel, sensors: pd.DataFrame) -> None:
    dashes = sensors.assign(Date=sensors["Date"].str.replace("/", "-"))
    pd.testing.assert_frame_equal(served.predict(dashes), served.predict(sensors))


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_few_rows_are_enough(served: ServedModel, sensors: pd.DataFrame, rows: int) -> None:
    table = served.predict(sensors.head(rows))
    assert len(table) == rows
    assert np.isfinite(table.drop(columns="time").to_numpy(np.float64)).all()


def test_earlier_rows_serve_as_history_and_later_ones_do_not(served: ServedModel, sensors: pd.DataFrame) -> None:
    changed = sensors.assign(S1_Temp=sensors["S1_Temp"] + 5.0 * (np.arange(len(sensors)) == 100))
    before, after = served.predict(sensors)["mean"], served.predict(changed)["mean"]
    moved = np.flatnonzero(~np.isclose(before, after, rtol=1e-9))
    assert moved.tolist() == [100, 101, 102]  # the windows of three samples that hold the row


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="Time"), "missing column Time"),
        (lambda frame: frame.rename(columns={"S1_Temp": "S1_Tmp"}), "unknown column S1_Tmp; did you mean S1_Temp"),
        (lambda frame: frame.assign(S1_Temp="warm"), r"not a number \(288\): row 0 S1_Temp 'warm'"),
        (lambda frame: frame.assign(Date="soon"), r"unreadable time \(288\): row 0 Date Time 'soon"),
        (lambda frame: frame.iloc[::-1], r"unsorted time \(287\)"),
        (lambda frame: pd.concat([frame, frame.tail(1)]), r"duplicate time \(1\): row 288"),
        (lambda frame: frame.head(0), "has no rows"),
        (lambda frame: frame[[]], "has no rows"),
    ],
)
def test_a_frame_that_does_not_pass_the_gate_is_refused(
    served: ServedModel, sensors: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        served.predict(change(sensors))
    assert str(caught.value).startswith("the frame: ")


def test_columns_that_the_model_does_not_read_may_hold_anything(served: ServedModel, sensors: pd.DataFrame) -> None:
    changed = sensors.assign(humidity=40.0, note="warm", S1_Light="bright", S2_Light=True)
    pd.testing.assert_frame_equal(served.predict(changed), served.predict(sensors))


def test_another_rooms_columns_travel_with_the_model(tmp_path: Path) -> None:
    schema = Schema(
        name="garage",
        time=["stamp"],
        time_format="%d.%m.%Y %H:%M",
        columns=[
            Column(name="warm", kind="temperature", unit="degC"),
            Column(name="air", kind="co2", unit="ppm", optional=True),
        ],
        count="cars",
    )
    rng = np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=240, freq="5min", name="time")
    people = np.arange(240) // 20 % 4
    frame = pd.DataFrame({"warm": people + rng.normal(0, 0.1, 240)}, times)
    log = Log("garage", "garage", schema, frame.assign(cars=people), frame.isna(), 600.0)
    estimator = fit(log, config_of())
    model.save(estimator, schema, tmp_path)
    raw = pd.DataFrame({"stamp": times.strftime("%d.%m.%Y %H:%M"), "warm": frame["warm"].to_numpy()})
    table = ServedModel(tmp_path).predict(raw)
    own = estimator.predict(frame, np.ones(240, bool)).to_frame()
    pd.testing.assert_frame_equal(table, own, rtol=1e-6)


def test_a_saved_model_is_text_and_safe_weights(estimator: NetworkEstimator, tmp_path: Path) -> None:
    model.save(estimator, UCI, tmp_path)
    texts = sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".json")
    assert texts == ["checksums.json", "schema.json", "settings.json"]
    for name in texts:
        json.loads((tmp_path / name).read_text(encoding="utf-8"))
    others = [path for path in tmp_path.iterdir() if path.suffix != ".json"]
    assert [path.name for path in others] == ["weights.pt"]
    torch.load(others[0], weights_only=True)


def test_a_cell_before_the_first_reading_does_not_see_the_future(log: Log, raw: pd.DataFrame, tmp_path: Path) -> None:
    config = config_of()
    config = config.model_copy(update={"data": DATA.model_copy(update={"missing": "hold"})})
    model.save(fit(log, config), UCI, tmp_path)
    served = ServedModel(tmp_path)
    blank = raw.drop(columns="Room_Occupancy_Count").astype({"S5_CO2": object})
    blank.loc[:1, "S5_CO2"] = ""
    later = blank.copy()
    later.loc[2, "S5_CO2"] = 900.0
    one, two = served.predict(blank), served.predict(later)
    pd.testing.assert_frame_equal(one[:2], two[:2])
    assert not one.isna().to_numpy().any()
    assert not one["mean"].equals(two["mean"])


def test_a_frame_at_another_step_than_the_training_log_is_refused(served: ServedModel, raw: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"got a row every 600 s, but the model was trained on one every 300 s"):
        served.predict(raw[::2])


def test_a_mistake_that_a_setting_would_mend_says_where_the_setting_can_be_given(
    served: ServedModel, sensors: pd.DataFrame
) -> None:
    with pytest.raises(InputError, match=r"unreadable time .*; only `python -m occupancy\.predict` takes data\.time"):
        served.predict(sensors.assign(Date="soon"))


def test_a_mistake_that_would_take_a_setting_of_the_models_own_says_that_the_log_has_to_change(
    served: ServedModel, sensors: pd.DataFrame
) -> None:
    with pytest.raises(InputError) as caught:
        served.predict(sensors[::3])  # 900 s, above the largest gap
    assert "raise data.max_gap above the step of the log; a fitted model keeps its data.max_gap, so bring" in str(
        caught.value
    )
    assert "occupancy.predict" not in str(caught.value)


def test_a_mistake_without_a_setting_stays_as_it_is() -> None:
    assert str(explain(InputError("the frame: holds no rows"), "not {}")) == "the frame: holds no rows"


def test_nothing_is_said_of_settings_that_can_be_given_where_the_gate_says() -> None:
    error = InputError("missing; set data.missing=interpolate")
    assert str(explain(error)) == str(error)
    assert str(explain(error, "elsewhere: {}")) == f"{error}; elsewhere: data.missing"


def as_mlflow(saved: Path, folder: Path, loader: str = "occupancy.serving") -> Path:
    """Put a saved model where MLflow puts it, as far as loading it goes."""
    shutil.copytree(saved, folder / "data" / "it")
    text = f"flavors: {{python_function: {{loader_module: {loader}, data: data/it}}}}"
    (folder / "MLmodel").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def saved(estimator: NetworkEstimator, tmp_path: Path) -> Path:
    folder = tmp_path / "saved"
    folder.mkdir()
    model.save(estimator, UCI, folder)
    return folder


def test_a_saved_model_is_found_by_its_folder_or_that_of_mlflow(saved: Path, tmp_path: Path) -> None:
    assert find_saved(saved) == saved
    mlflow_model = as_mlflow(saved, tmp_path / "m-1" / "artifacts")
    assert find_saved(mlflow_model) == mlflow_model / "data" / "it"
    assert find_saved(tmp_path / "m-1") == mlflow_model / "data" / "it"


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda saved, _: saved / "none", "none: is not a folder"),
        (lambda saved, _: saved / "weights.pt", "weights.pt: is not a folder"),
        (lambda saved, _: saved.parent, "holds no model, neither settings.json nor MLmodel"),
        (lambda saved, new: as_mlflow(saved, new, "mlflow.sklearn"), "MLmodel: describes a model of another package"),
    ],
    ids=["nothing", "a file", "another folder", "another package's"],
)
def test_a_folder_without_a_model_is_refused(
    saved: Path, tmp_path: Path, prepare: Callable[[Path, Path], Path], message: str
) -> None:
    folder = prepare(saved, tmp_path / "new")
    with pytest.raises(InputError, match=message):
        find_saved(folder)


@pytest.mark.parametrize("text", ["", "flavors: 3", "flavors: {sklearn: {}}", "a: ["])
def test_an_mlflow_model_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(InputError, match=r"MLmodel: (got an empty file|describes|is not valid YAML)"):
        find_saved(tmp_path)


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda folder: (folder / "weights.pt").unlink(), "not whole, weights.pt is missing"),
    "no schema": (lambda folder: (folder / "schema.json").unlink(), "not whole, schema.json is missing"),
    "a file too many": (lambda folder: (folder / "more.pt").write_bytes(b""), "more.pt was not saved with the model"),
    "empty weights": (lambda folder: (folder / "weights.pt").write_bytes(b""), "damaged (weights.pt is not as it was"),
    "weights that are none": (lambda folder: (folder / "weights.pt").write_text("hello"), "damaged ("),
    "a bit of the weights": (
        lambda folder: flip(folder / "weights.pt", (folder / "weights.pt").stat().st_size // 2),
        "damaged (weights.pt is not as it was saved)",
    ),
    "a learned number": (
        lambda folder: edit(folder / "settings.json", lambda tree: tree.update(residual_var=0.5)),
        "damaged (settings.json is not as it was saved)",
    ),
    "the name of a column": (
        lambda folder: edit(folder / "schema.json", lambda tree: tree["columns"].reverse()),
        "damaged (schema.json is not as it was saved)",
    ),
    "no checksums": (lambda folder: (folder / "checksums.json").unlink(), "not whole, checksums.json is missing"),
    "checksums that are none": (lambda folder: (folder / "checksums.json").write_text("[]"), "checksums can't be read"),
    "checksums of a newer version": (
        lambda folder: edit(folder / "checksums.json", lambda tree: tree.update(format=99)),
        "has format 99, and this version of the package reads formats up to 1",
    ),
    "weights cut off": (
        lambda folder: (folder / "weights.pt").write_bytes((folder / "weights.pt").read_bytes()[:2000]),
        "damaged (",
    ),
    "settings cut off": (
        lambda folder: (folder / "settings.json").write_text((folder / "settings.json").read_text()[:200]),
        "damaged (JSONDecodeError",
    ),
    "settings of another kind": (
        lambda folder: (folder / "settings.json").write_text("[1]"),
        "damaged (the settings: got [1] (list), expected keys with values)",
    ),
    "a model that is not known": (
        lambda folder: edit(folder / "settings.json", lambda tree: tree["config"]["model"].update(name="oracle")),
        "model.name: got 'oracle' (str), expected 'lstm'",
    ),
    "a setting that is not known": (
        lambda folder: edit(folder / "settings.json", lambda tree: tree["config"]["train"].update(cleverly=True)),
        "unknown key train.cleverly",
    ),
}


ALTERATIONS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty weights": (lambda folder: (folder / "weights.pt").write_bytes(b""), "damaged (BadZipFile"),
    "weights that are none": (lambda folder: (folder / "weights.pt").write_text("hello"), "damaged ("),
    "weights that unpack to more": (lambda folder: compress(folder / "weights.pt"), "weights.pt: is compressed"),
    "weights of a list": (lambda folder: torch.save([3], folder / "weights.pt"), "damaged ("),
    "weights of one network": (
        lambda folder: torch.save(torch.load(folder / "weights.pt")[:1], folder / "weights.pt"),
        "weights.pt: got 1 networks, expected 2",
    ),
    "a weight that is none": (
        lambda folder: spoil_weight(folder / "weights.pt", float("nan")),
        "weights.pt: the model holds numbers that are not finite, in layers.0.weight_hh_l0",
    ),
    "an infinite weight": (lambda folder: spoil_weight(folder / "weights.pt", float("inf")), "are not finite"),
    "a learned number that is none": (
        lambda folder: edit(folder / "settings.json", lambda tree: tree["features"]["low"].__setitem__(0, np.nan)),
        "settings.json: the model holds numbers that are not finite, in features.low",
    ),
    "schema of another kind": (lambda folder: (folder / "schema.json").write_text("{}"), "damaged (ValidationError"),
    "weights of another shape": (
        lambda folder: edit(folder / "settings.json", lambda tree: tree["config"]["model"].update(hidden=9)),
        "size mismatch",
    ),
    "a step of 0": (
        lambda folder: edit(folder / "settings.json", lambda tree: tree["features"].update(step_s=0)),
        "features.step_s: got 0 (int), expected a number from 0.001 up to 1e+07",
    ),
    "a short array": (
        lambda folder: edit(folder / "settings.json", lambda tree: tree["features"]["low"].pop()),
        "features.low: got [",
    ),
}


def compress(path: Path) -> None:
    with zipfile.ZipFile(path) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in parts.items():
            target.writestr(name, content)


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def spoil_weight(path: Path, value: float) -> None:
    networks = torch.load(path)
    networks[1]["layers.0.weight_hh_l0"][0, 0] = value
    torch.save(networks, path)


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_a_model_whose_checksums_were_written_anew_is_refused_for_what_it_holds(saved: Path, alteration: str) -> None:
    spoil, message = ALTERATIONS[alteration]
    spoil(saved)
    seal(saved)
    with pytest.raises(InputError) as caught:
        ServedModel(saved)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(saved))
    assert "\n" not in str(caught.value)


def test_a_model_of_an_earlier_version_is_loaded_with_a_line_that_says_so(
    saved: Path, served: ServedModel, sensors: pd.DataFrame
) -> None:
    (saved / "checksums.json").unlink()
    edit(saved / "settings.json", lambda tree: tree.pop("format"))
    with pytest.warns(InputWarning, match="an earlier version saved the model, without checksums"):
        old = ServedModel(saved)
    assert len(old.predict(sensors)) == len(sensors)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_is_refused_by_its_folder(saved: Path, damage: str) -> None:
    spoil, message = DAMAGES[damage]
    spoil(saved)
    with pytest.raises(InputError) as caught:
        ServedModel(saved)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(saved))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("damage", ["a model that is not known", "a setting that is not known"])
def test_a_model_of_a_newer_version_is_told_from_a_damaged_one(saved: Path, damage: str) -> None:
    DAMAGES[damage][0](saved)
    with pytest.raises(InputError, match="another version of this package saved the model"):
        ServedModel(saved)
