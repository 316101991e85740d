"""The model for the sensors of a log."""

from __future__ import annotations

from occupancy.config import Config, Kind
from occupancy.config.parsing import resolve
from occupancy.setup.choice import Choice, choose


def members(choice: Choice) -> list[str]:
    return [member["name"] for member in choice.model["members"]]


def test_co2_brings_the_mass_balance_and_without_the_volume_a_remedy_is_named() -> None:
    known, unknown = choose({"co2", "temperature"}, 10, 2, 72), choose({"co2"}, 10, 2, None)
    assert members(known) == ["mass_balance", "logistic", "random_forest", "boosted_trees", "clock"]
    assert members(unknown) == members(known)
    assert not any("volume_m3" in check for check in known.checks)
    assert any("volume_m3" in check for check in unknown.checks)
    assert "mass_balance" not in members(choose({"sound"}, 10, 2, 72))


def test_how_many_days_there_are_decides_whether_what_people_do_by_the_hour_is_believed() -> None:
    few, enough = choose({"co2"}, 5, 2, 72), choose({"co2"}, 6, 2, 72)
    assert few.model == enough.model, "more days may come"
    assert few.model["rhythm_days"] == 6
    assert any("wait for 6 days with people" in reason for reason in few.reasons)
    assert any("learned from days left out" in reason for reason in enough.reasons)


def test_all_sensors_are_read_but_light() -> None:
    assert choose({"humidity", "temperature", "light", "other"}, 10, 2, None).features == "physics"
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
