from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from occupancy.data.log import Log
from occupancy.exploration import day, sensors, series
from occupancy.exploration.parts import Subject
from tests.drawn import bars, points
from tests.exploration.made_logs import subject, times


def test_separation_is_the_share_of_pairs_that_a_reading_puts_right() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 3, 30)
    up, down = counts + rng.normal(0, 1, 30), -counts + rng.normal(0, 2, 30)
    found = sensors.separation(subject(times(range(30)), counts, {"air": up, "warmth": down}))
    for name, readings in (("air", up), ("warmth", -down)):
        pairs = itertools.product(readings[counts > 0], readings[counts == 0])
        assert found[name] == pytest.approx(np.mean([full > empty for full, empty in pairs]))


def test_light_gives_the_real_log_away_and_the_best_other_sensor_is_named(uci_log: Log) -> None:
    found = sensors.section(Subject(uci_log))
    assert found is not None
    assert found.finding.startswith("S1_Light separates occupied from empty rows best")
    assert "of the other sensors except light, S1_Sound" in found.finding


@pytest.mark.parametrize("count", [0, 2])
def test_a_room_that_never_changes_has_nothing_to_tell_apart(count: int) -> None:
    found = sensors.section(subject(times(range(4)), [count] * 4, {"air": [1, 2, 3, 4]}))
    assert found is not None
    assert "always occupied or always empty" in found.finding


def test_no_counts_or_no_readings_are_no_distributions() -> None:
    assert sensors.section(subject(times(range(3)), None, {"air": [1, 2, 3]})) is None
    assert sensors.section(subject(times(range(3)), [0, 1, 2], {"air": [1, 1, 1]})) is None


def test_the_first_day_is_24_hours_and_shades_where_somebody_is_in() -> None:
    minutes = np.arange(0, 3000, 10)
    counts = ((minutes >= 600) & (minutes < 900)).astype(int)
    made = subject(times(minutes), counts, {"air": 400.0 + minutes, "stir": counts}, max_gap=900)
    found = day.section(made)
    assert found.finding == "The first day has 144 rows, from 2024-03-04 08:00; in 21% of them the room is occupied."
    figure = found.pictures[0].draw(10.0)
    people, air, stir = figure.axes
    ((first, width),) = {(patch.get_x(), patch.get_width()) for axes in figure.axes for patch in bars(axes)}
    assert pd.Timestamp("1970-01-01") + pd.Timedelta(days=first) == made.log.times[60]
    assert width == pytest.approx(300 / 1440)
    assert (air.get_ylabel(), stir.get_ylabel()) == ("CO2\n(ppm)", "motion\n(0 or 1)")
    assert np.nanmax(points(air.get_lines()[0])[1]) == 400 + 1430
    assert people.get_ylabel() == "people"


def test_a_sensor_of_two_values_is_a_share_and_others_are_boxes() -> None:
    made = subject(times(range(8)), [0, 0, 0, 0, 1, 1, 1, 1], {"air": range(8), "stir": [0, 0, 0, 1, 1, 1, 1, 0]})
    found = sensors.section(made)
    assert found is not None
    air, stir = [axes for axes in found.pictures[0].draw(10.0).axes if axes.get_visible()]
    assert [bar.get_height() for bar in bars(stir)] == [0.25, 0.75]
    assert stir.get_ylabel() == "share that reads 1"
    assert [points(line)[1][0] for line in air.get_lines() if line.get_color() == "#000000"][:2] == [1.5, 5.5]


def test_degrees_are_written_as_people_do() -> None:
    made = subject(times(range(3)), None, {"warmth": [20, 21, 22]})
    assert series.unit_of(series.by_kind(made)["temperature"]) == "°C"
