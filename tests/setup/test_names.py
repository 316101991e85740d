"""What names of columns say."""

from __future__ import annotations

import pytest

from occupancy.setup.names import kinds_in, people_in, reason_against, unit_in, words_of


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sensor.office_co2", "sensor office co2"),
        ("HumidityRatio", "humidity ratio"),
        ("CO₂-Gehalt", "co2 gehalt"),
        ("PIRSensor1", "pir sensor1"),
        ("Température", "temperature"),
    ],
)
def test_a_name_is_split_into_plain_words(name: str, words: str) -> None:
    assert words_of(name) == words


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sensor.office_co2", "co2"),
        ("scd30 co2 temperature", "temperature"),  # the last word says what it is
        ("sound_pressure_level", "sound"),
        ("door_temperature", "temperature"),
        ("Luftfeuchtigkeit", "humidity"),
        ("température salle", "temperature"),
        ("humidité", "humidity"),
        ("Bewegungsmelder Flur", "motion"),
        ("geluid", "sound"),
        ("temperatura", "temperature"),
        ("WiFiClients", "devices"),
        ("supply_air_flow", "ventilation"),
        ("baromatic_pressure", "pressure"),
        ("active_power", "power"),
        ("window", "ventilation"),
        ("front door contact", "door"),
        ("eCO2", "co2"),
        ("TVOC", "voc"),
    ],
)
def test_a_name_in_any_of_five_languages_says_its_kind(name: str, kind: str) -> None:
    assert kinds_in(words_of(name))[0][0] == kind


@pytest.mark.parametrize("name", ["attempt", "chrome", "incubation", "statement", "comic"])
def test_a_short_word_within_another_says_nothing(name: str) -> None:
    assert not kinds_in(words_of(name))


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("CO2 [ppm]", "ppm"),
        ("Temp, °C (LGR S/N: 10, SEN S/N: 10)", "°C"),
        ("Temp (°F)", "°F"),
        ("co2_ppm", ""),
        ("a,b", "b"),
    ],
)
def test_the_unit_of_a_name_stands_in_brackets_or_after_a_comma(name: str, unit: str) -> None:
    assert unit_in(name) == unit


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("outdoor_co2", "not of the room"),
        ("wind_speed", "not of the room"),
        ("temp_setpoint", "plant"),
        ("plug_load_energy", "answer"),
        ("lighting_energy", "answer"),
        ("motion_battery", "device"),
        ("hour", "time"),
        ("S5_CO2_Slope", "earlier rows"),
    ],
)
def test_a_name_says_why_a_column_is_not_learned_from(name: str, reason: str) -> None:
    assert reason in str(reason_against(words_of(name)))


@pytest.mark.parametrize(
    "name", ["window", "light level", "desk temperature", "co2", "sound level", "battery room co2 2"][:5]
)
def test_nothing_speaks_against_a_sensor_of_the_room(name: str) -> None:
    assert reason_against(words_of(name)) is None


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("Room_Occupancy_Count", 2),
        ("input_number.office_people", 2),
        ("sensor.people_count", 2),
        ("sensor.living_room_occupancy_count", 2),
        ("binary_sensor.people_count", 0),
        ("sensor.office_occupancy", 1),
        ("occupancy sensor", 0),
        ("n_people", 2),
        ("Anzahl Personen", 2),
        ("Occupancy", 1),
        ("Belegung", 1),
        ("presence", 1),
        ("wifi_device_count", 0),
        ("co2", 0),
        ("people_door_entries", 0),
    ],
)
def test_a_name_says_how_surely_it_is_of_people(name: str, points: int) -> None:
    assert people_in(name) == points
