from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from occupancy.config import (
    BNN,
    LSTM,
    MLPCRF,
    Calibration,
    Clock,
    Config,
    Data,
    Decision,
    Decoding,
    Explanation,
    Logistic,
    Majority,
    Mixture,
    Network,
    RandomForest,
    Room,
    Simulation,
    Tracking,
    Train,
)
from occupancy.config.keys import known_keys
from occupancy.config.parsing import load_config
from occupancy.config.yaml_file import read_yaml
from tests.kinds import MODELS
from tests.places import ROOT

CONFIGS = ROOT / "configs"
SHIPPED = sorted(path for path in CONFIGS.rglob("*.yaml") if CONFIGS / "grids" not in path.parents)


def left_out(path: Path) -> set[str]:
    """Return the keys that change a number of the result and whose value the file leaves to the code."""
    config = load_config(path)
    stated = {key for key, value in _leaves(read_yaml(path))}
    return {
        key
        for key, value in config.flat().items()
        if key not in stated
        and value is not None  # an option that is off
        and not key.startswith("data.simulation.")  # a room is described by what differs from the usual one
        and not (key.startswith("train.") and not isinstance(config.model, Network))
        and key not in {"name", "tracking.experiment", "data.max_csv_mb"}  # they change no result
        and not (key == "data.cap_counts" and value is False)  # an option that is off, written as `12+`
        and not (key == "data.max_missing" and config.data.missing != "hold")
    }


def _leaves(tree: dict[str, object], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key, value in tree.items():
        found += _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return found


def test_configs_are_shipped() -> None:
    assert {path.name for path in SHIPPED} >= {"lstm_regression.yaml", "lstm_classification.yaml", "smoke.yaml"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_config_is_complete_in_itself(path: Path) -> None:
    assert left_out(path) == set()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_config_is_named_after_its_file(path: Path) -> None:
    assert load_config(path).name == path.stem


def test_every_model_of_the_report_has_its_config_and_every_kind_of_model_one_of_ours() -> None:
    ours = {path.stem for path in SHIPPED if path.parent == CONFIGS}
    assert ours >= {"lstm_regression", "lstm_classification", "mlp_crf", "bnn", "random_forest", "majority", "clock"}
    assert {load_config(path).model.name for path in SHIPPED if path.stem in ours} == set(MODELS)
    reported = {path.stem for path in SHIPPED if path.parent == CONFIGS / "report"}
    lstms = {f"lstm_{head}{mc}" for head in ("regression", "classification") for mc in ("", "_mc")}
    assert reported == {"random_forest", "mlp_crf", "bnn", *lstms}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_reports_configs_stop_as_the_report_did_and_ours_are_honest(path: Path) -> None:
    assert load_config(path).protocol == ("report" if path.parent == CONFIGS / "report" else "honest")


def test_a_config_that_leaves_a_number_to_the_code_is_not_complete(tmp_path: Path) -> None:
    tree = read_yaml(CONFIGS / "smoke.yaml")
    del tree["train"]["weight_decay"], tree["seed"]
    tree["data"]["missing"] = "hold"
    path = tmp_path / "smoke.yaml"
    path.write_text(yaml.safe_dump(tree))
    assert left_out(path) == {"train.weight_decay", "seed", "data.max_missing"}


def test_yaml_of_a_config_reads_back_to_an_equal_one(tmp_path: Path) -> None:
    config = Config(
        name="odd: one",
        seed=7,
        features=["co2", "motion"],
        data=Data(
            source="#room.csv",
            schema="room.yaml",
            time_format="%m/%d/%Y %H:%M",
            max_gap=1e-5,
            simulation=Simulation(room=Room(co2_noise_ppm=0.1)),
        ),
        train=Train(learning_rate=1e-5, gradient_clip=None, patience=3),
    )
    path = tmp_path / "other.yaml"
    path.write_text(config.to_yaml())
    assert load_config(path) == config


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_resolved_yaml_of_a_shipped_config_resolves_to_itself(path: Path, tmp_path: Path) -> None:
    config = load_config(path)
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(config.to_yaml())
    assert load_config(resolved) == config
    assert left_out(resolved) == set()


def test_flat_names_every_setting_as_overrides_do() -> None:
    asked: dict[str, Any] = {
        "decoding": Decoding(),
        "calibration": Calibration(),
        "decision": Decision(),
        "explanation": Explanation(),
    }
    flat = Config(name="x", **asked).flat()
    assert flat["data.schema"] == "uci"
    assert flat["data.simulation.room.step_s"] == 30.0
    sections = {"data", "data.simulation", "data.simulation.room", "model", "train", "tracking"}
    sections |= set(asked)
    assert set(flat) == set(known_keys()) - sections


def test_an_explanation_is_asked_for_by_any_of_its_keys_also_where_the_file_says_null(tmp_path: Path) -> None:
    path = tmp_path / "room.yaml"
    path.write_text("explanation: null\n")
    assert load_config(path).explanation is None
    assert load_config(path, ["explanation={}"]).explanation == Explanation()
    assert load_config(path, ["explanation.repeats=2"]).explanation == Explanation(repeats=2)


def test_settings_cannot_change_after_they_were_checked() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config(name="x").train.max_epochs = 0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("source", "schema", "time_format", "said"),
    [
        ("simulated", "uci", "%Y", "time_format conflicts with source 'simulated', which reads no file; remove one"),
        ("auto", "room.yaml", None, "schema 'room.yaml' conflicts with source 'auto', which has the columns of"),
        ("uci", "room.yaml", None, "schema 'room.yaml' conflicts with source 'uci', which has the columns of"),
        ("simulated", "room.yaml", None, "conflicts with source 'simulated', which has the columns of schema 'uci'"),
    ],
)
def test_settings_of_the_log_that_conflict_are_refused(
    source: str, schema: str, time_format: str | None, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Data(source=source, schema=schema, time_format=time_format)


def test_an_own_schema_goes_with_a_csv() -> None:
    assert Data(source="room.csv", schema="room.yaml", time_format="%Y").log_schema == "room.yaml"


@pytest.mark.parametrize(
    ("room", "said"),
    [
        ({"volume_m3": -77.0}, "volume_m3\n.*greater than or equal to 1"),
        ({"step_s": 0.0}, "step_s\n.*greater than or equal to 1"),
        ({"opens_h": 20.0, "closes_h": 8.0}, "opens_h 20 must come before closes_h 8"),
        ({"longest_session_s": 86_400.0}, "longest_session_s 86400 exceeds 17100, the opening hours divided by"),
        ({"attendance": 1.1}, "attendance\n.*less than or equal to 1"),
    ],
)
def test_an_impossible_room_is_refused(room: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Room(**room)  # type: ignore[arg-type]


def test_a_password_in_the_stores_address_is_neither_shown_nor_recorded() -> None:
    uri = "postgresql://ann:s3cret@db:5432/runs"
    config = Config(name="room", tracking=Tracking(uri=uri))
    assert config.tracking.shown_uri == "postgresql://ann:***@db:5432/runs"
    assert "s3cret" not in config.to_yaml() + str(config.flat())
    assert config.tracking.uri == uri


@pytest.mark.parametrize("uri", ["sqlite:///mlflow.db", "http://host:5000", "sqlite:////tmp/a:b@c/x.db"])
def test_an_address_without_a_password_is_shown_as_it_is(uri: str) -> None:
    assert Tracking(uri=uri).shown_uri == uri


def test_the_key_of_a_config_is_that_of_its_twins_with_other_seeds_stores_devices_and_explanations_alone() -> None:
    config = Config(name="one")
    twins = [
        config.model_copy(update={"seed": 7}),
        config.model_copy(update={"tracking": Tracking(uri="sqlite:///other.db")}),
        config.model_copy(update={"train": Train(device="cpu")}),
        config.model_copy(update={"explanation": Explanation(repeats=2)}),
    ]
    assert {twin.key for twin in twins} == {config.key}
    others = [
        Config(name="two"),
        config.model_copy(update={"protocol": "report"}),
        config.model_copy(update={"train": Train(members=1)}),
        config.model_copy(update={"data": Data(folds="blocked")}),
    ]
    assert len({other.key for other in [config, *others]}) == 5


@pytest.mark.parametrize(("label", "loss"), [("nearest", "squared"), ("likeliest", "zero_one")])
def test_the_label_of_earlier_versions_is_read_as_the_loss_that_it_stood_for(label: str, loss: str) -> None:
    earlier = Config.model_validate({"name": "x", "calibration": {"label": label, "answered_mse": 0.1}})
    now = Config(name="x", calibration=Calibration(answered_mse=0.1), decision=Decision(loss=loss))  # type: ignore[arg-type]
    assert earlier == now
    plain = Config(name="x", calibration=Calibration(answered_mse=0.1))
    assert plain.loss == "squared"
    assert (plain.key == now.key) == (loss == "squared")
    assert Config(name="x").loss is None


def test_the_keys_of_other_models_are_as_they_were() -> None:
    pool = Mixture(members=[Logistic(), Clock()])
    keys = [Config(name="one", model=model).key for model in (RandomForest(trees=9), pool)]
    assert keys == ["61f81989948887e0", "26032c75613fb88a"]
    calibrated = {"name": "one", "model": {"name": "logistic"}, "calibration": {"answered_mse": 0.1}}
    assert Config.model_validate(calibrated).key == "16b00604998ad426"
    likeliest = {**calibrated, "calibration": {"label": "likeliest", "answered_mse": 0.1}}
    assert Config.model_validate(likeliest).key == "6edaf9e9a7a0b105"
    assert Config(name="one", model=pool.model_copy(update={"rhythm_days": 3})).key != keys[1]


def test_the_key_of_a_network_is_as_it_was_before_there_were_newer_options_unless_it_asks() -> None:
    model, key = LSTM(head="classification"), "cc38d7be3160d752"
    assert Config(name="one", model=model).key == key
    for settings in (Data(step=60), Data(time_zone="UTC"), Data(missing="hold"), Data(cap_counts=True)):
        assert Config(name="one", model=model, data=settings).key != key
    for change in ({"cell": "gru"}, {"balanced": True}):
        assert Config(name="one", model=model.model_copy(update=change)).key != key
    for training in (Train(pretrain_rooms=1), Train(sensor_dropout=0.1)):
        assert Config(name="one", model=model, train=training).key != key


@pytest.mark.parametrize(
    ("changes", "epochs"),
    [
        ({"train": Train(members=2, max_epochs=5)}, 2 * (5 + 5)),
        ({"train": Train(members=2, max_epochs=5, refit=False)}, 2 * 5),
        ({"train": Train(members=3, max_epochs=5, epoch_choices=[2, 4])}, 3 * (2 + 4 + 5 + 5)),
        ({"train": Train(members=2, max_epochs=5), "protocol": "report"}, 2 * 5),
        ({"model": Majority()}, 0),
    ],
)
def test_a_config_knows_how_many_epochs_a_fold_takes_at_most(changes: dict[str, Any], epochs: int) -> None:
    assert Config(name="one").model_copy(update=changes).epochs == epochs


def test_weight_decay_is_refused_for_a_bayesian_network_whose_prior_does_it() -> None:
    with pytest.raises(ValidationError, match=r"train.weight_decay 0.01 conflicts with model bnn.*set it to 0"):
        Config(name="one", model=BNN())
    assert Config(name="one", model=BNN(), train=Train(weight_decay=0)).train.weight_decay == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"data": Data(source="room.csv", schema="room.yaml")},
            "train.pretrain_rooms 4 conflicts with data.schema 'room.yaml': simulated rooms have the columns of 'uci'",
        ),
        (
            {"model": MLPCRF()},
            "train.pretrain_rooms 4 conflicts with model mlp_crf, which can't be pretrained; set",
        ),
        (
            {"model": Mixture(members=[LSTM(head="classification"), BNN()])},
            "train.pretrain_rooms 4 conflicts with model bnn, which can't be pretrained; set it to 0",
        ),
    ],
)
def test_pretraining_is_refused_for_what_cannot_learn_from_simulated_rooms(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Config(name="one", train=Train(pretrain_rooms=4, weight_decay=0), **changes)
    assert Config(name="one", train=Train(weight_decay=0), **changes).train.pretrain_rooms == 0
