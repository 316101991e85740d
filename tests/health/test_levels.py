from __future__ import annotations

import numpy as np

from tests.health.made_logs import found, office, profile, third_day


def test_more_people_than_the_model_knows_are_beyond_it_and_their_readings_stay_believed() -> None:
    co2 = third_day()["co2"]
    crowd = third_day().assign(co2=345 + 3 * (co2 - 345))
    (finding,) = found(crowd, profile())
    high = profile().sensors["co2"].high
    assert (finding.sensors, finding.fault, finding.distrusts) == (("co2",), "beyond", False)
    above = (crowd["co2"] > high).mean()
    assert f"above all that the model was trained on ({high:g} ppm) in {above * 100:.0f} % of the rows" in finding.what
    assert "it tells 2 people at most" in finding.what
    assert (crowd["co2"][finding.rows] > high).all()
    assert finding.rows.sum() > 0.8 * (crowd["co2"] > high).sum()


def test_a_little_more_than_in_training_is_nothing_to_tell() -> None:
    assert found(third_day().assign(co2=345 + 1.3 * (third_day()["co2"] - 345)), profile()) == []


def test_air_that_rests_far_above_the_training_is_shifted() -> None:
    frame = office().frame.drop(columns="people").loc["2024-01-02 22:00":"2024-01-03 09:00"]
    noise = np.random.default_rng(0).normal(0, 2, len(frame)).round()
    (finding,) = found(frame.assign(co2=480.0 + noise), profile())
    assert (finding.sensors, finding.fault) == (("co2",), "shifted")
    assert "345 in training" in finding.what


def test_air_that_is_still_being_exchanged_is_not_at_rest() -> None:
    frame = office().frame.drop(columns="people").loc["2024-01-02 22:00":"2024-01-03 09:00"]
    hours = np.arange(len(frame)) / 60
    assert found(frame.assign(co2=(345 + 500 * np.exp(-hours / 5)).round()), profile()) == []
