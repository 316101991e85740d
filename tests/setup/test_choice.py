"""The model for the sensors of a log."""

from __future__ import annotations

from occupancy.config import Config, Kind
from occupancy.config.parsing import resolve
from occupancy.setup.choice import Choice, choose


def members(choice: Choice) -> list[str]:
    return [member["name"] for member in choice.model["members"]]


def test_co2_with_the_volume_of_the_room_brings_the_mass_balance() -> None:
    choice = choose({"co2", "temperature"}, 10, 2, 72)
    assert members(choice) == ["mass_balance", "logistic", "random_forest", "clock"]
    assert choice.features == "physics"


def test_without_the_volume_the_mass_balance_is_left_out_and_the_remedy_named() -> None:
    choice = choose({"co2"}, 10, 2, None)
    assert "mass_balance" not in members(choice)
    assert any("volume_m3" in check for check in choice.checks)


def test_a_day_is_too_little_for_the_clock_and_for_weights() -> None:
    choice = choose({"co2"}, 1, 2, 72)
    assert "clock" not in members(choice)
    assert choice.model["weights"] == "equal"


def test_without_co2_sound_and_motion_all_other_sensors_are_read_but_light() -> None:
    assert choose({"humidity", "temperature", "light", "other"}, 10, 2, None).features == ["humidity", "temperature"]
    assert choose({"light"}, 10, 2, None).features == ["light"]
    assert choose({"light"}, 10, 2, None).checks


def test_every_choice_is_a_valid_config() -> None:
    sensors: list[set[Kind]] = [{"co2"}, {"motion", "sound"}, {"devices", "door"}, {"light"}, {"other"}]
    for kinds in sensors:
        choice = choose(kinds, 5, 13, 413)
        tree = {"name": "x", "features": choice.features, "model": choice.model, "calibration": choice.calibration}
        calibration = resolve(Config, tree, "x").calibration
        assert calibration is not None
        assert calibration.answered_mse > 0.05
