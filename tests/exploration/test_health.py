from __future__ import annotations

from occupancy.exploration import health
from occupancy.exploration.parts import Subject
from occupancy.plots.figure import NARROW, WIDTH
from tests.health.made_logs import changed, log_of, office


def test_sensors_that_work_need_no_picture() -> None:
    section = health.section(Subject(office()))
    assert section.finding == "No sensor reads what a working one would not."
    assert (section.pictures, section.table, section.in_short) == ([], None, False) or section.pictures == ()


def test_findings_are_listed_and_drawn_over_the_readings_of_their_sensors() -> None:
    frame = changed(changed(office().frame, "co2", -1.0, 100, 104), "motion", 0.0)
    section = health.section(Subject(log_of(frame)))
    assert section.finding.startswith("2 findings about motion and co2: motion: no motion in 4,320 rows on end")
    assert section.table is not None
    assert [row[:2] for row in section.table[1]] == [["motion", "silent,\nlikely"], ["co2", "impossible,\ncertain"]]
    assert section.table[1][1][2] == "2024-01-01 01:40\n2024-01-01 01:43"
    (picture,) = section.pictures
    for width in (WIDTH, NARROW):
        figure = picture.draw(width)
        assert [axes.get_ylabel() for axes in figure.axes] == ["motion\n0 or 1", "co2\nppm"]
        assert [len(axes.patches) for axes in figure.axes] == [1, 1]
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["certain", "likely"]
