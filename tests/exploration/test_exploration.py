"""Every section of the page over sound and odd logs: pictures that can be read, sentences that are true."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from occupancy.config import Data
from occupancy.data.folds import cut, load_scheme
from occupancy.data.log import Log
from occupancy.data.schema import Column
from occupancy.errors import InputError
from occupancy.exploration.page import SECTIONS, page
from occupancy.exploration.parts import Picture, Section, Subject
from occupancy.exploration.profile import every
from occupancy.exploration.subject import open_subject
from occupancy.plots.figure import NARROW, WIDTH
from tests.drawn import boxes, overlapping, settle, texts
from tests.exploration.made_logs import subject, times
from tests.undrawn import undrawn

PROFILE = "<!doctype html><html><head><style>p{}</style></head><body><p>the profile</p></body></html>"
TITLES = [
    "When was it recorded?",
    "Which columns are useful?",
    "Do the sensors work?",
    "How often does each count occur?",
    "What do the sensors read over a day?",
    "Does one reading show the count?",
    "Which columns rise and fall together?",
    "How late do the sensors follow people?",
    "How similar are neighbouring rows?",
    "How fast is the air replaced?",
    "What do the sensors tell beyond the hour?",
    "Which rows are for training, and which for test?",
    "Are test rows similar to training rows?",
]


def sections(of: Subject) -> list[Section]:
    return [section for _, make in SECTIONS if (section := make(of)) is not None]


@pytest.fixture(scope="module")
def uci(uci_log: Log) -> Subject:
    return Subject(uci_log, folds=cut(uci_log, load_scheme("forward")), scheme="forward")


@pytest.fixture(scope="module")
def uci_sections(uci: Subject) -> list[Section]:
    return sections(uci)


def test_the_real_log_gets_every_section_in_the_order_of_reading(uci_sections: list[Section]) -> None:
    assert [section.title for section in uci_sections] == TITLES


def pictures(found: list[Section]) -> Iterator[Picture]:
    return (picture for section in found for picture in section.pictures)


@pytest.mark.parametrize("width", [WIDTH, NARROW])
def test_texts_of_every_picture_are_inside_it_and_not_on_one_another(uci_sections: list[Section], width: float) -> None:
    for picture in pictures(uci_sections):
        figure = picture.draw(width)
        settle(figure)
        assert figure.get_suptitle()
        assert figure.get_figwidth() == width
        drawn = boxes(figure, texts(figure))
        assert not overlapping(drawn), picture.text
        assert min(min(box.x0, box.y0) for box in drawn) >= 0, picture.text
        assert max(box.x1 for box in drawn) <= figure.bbox.x1, picture.text
        assert max(box.y1 for box in drawn) <= figure.bbox.y1, picture.text


def test_every_outer_axis_has_a_label(uci_sections: list[Section]) -> None:
    for picture in pictures(uci_sections):
        for axes in picture.draw(WIDTH).axes:
            place = axes.get_subplotspec()
            if place is None or not axes.get_visible():
                continue
            named = [label.get_text() for label in axes.get_yticklabels()]
            if place.is_first_col():
                assert axes.get_ylabel() or any(re.search("[A-Za-z]", name) for name in named), picture.text


def test_the_page_stands_before_the_profile_and_nothing_may_be_fetched(
    uci: Subject, uci_sections: list[Section]
) -> None:
    with undrawn():  # `tests/e2e/test_explore.py` makes a page with its pictures
        text = page(uci, uci_sections, PROFILE, "2024-02-03 04:05")
    ours, profile = text.index("What is in the log Occupancy_Estimation.csv?</h1>"), text.index("the profile")
    assert ours < profile
    assert text.index("Content-Security-Policy") < text.index("<style>")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert unescape(policy) == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; font-src data:"
    )
    assert not re.search(r"https?://|url\(|@import|<link|<iframe", text)
    assert set(re.findall(r'src(?:set)?="(.{22})', text)) == {"data:image/png;base64,"}
    for section in uci_sections:
        assert text.count(section.finding.replace("'", "&#39;")) == 1 + section.in_short


def test_a_simulated_log_is_said_to_be(simulated_log: Log) -> None:
    made = Subject(simulated_log)
    assert "This log is simulated" in page(made, [], PROFILE, "now")


def test_a_profile_of_another_form_is_our_mistake(uci: Subject) -> None:
    with pytest.raises(AssertionError, match="0 times <body>"):
        page(uci, [], "<html><head></head></html>", "now")


ROWS = 60
ODD = {
    "one row": ([0], [1], {"air": [400.0]}),
    "two rows far apart": ([0, 600], [0, 1], {"air": [400.0, 500.0]}),
    "one count": (range(ROWS), [2] * ROWS, {"air": np.arange(ROWS)}),
    "no counts": (range(ROWS), None, {"air": np.arange(ROWS), "stir": np.arange(ROWS) % 2}),
    "constant sensors": (range(ROWS), np.arange(ROWS) % 3, {"air": [400.0] * ROWS, "lamp": [0.0] * ROWS}),
    "no sensors": (range(ROWS), np.arange(ROWS) % 3, {}),
    "first cells missing": (range(ROWS), np.arange(ROWS) // 20, {"air": [np.nan] * 20 + list(range(40))}),
    "every third count": (
        range(ROWS),
        np.where(np.arange(ROWS) % 3, np.nan, np.arange(ROWS) // 20),
        {"air": [np.nan] * 20 + list(range(40))},
    ),
    "many people": (range(ROWS), np.arange(ROWS) // 6, {"air": np.arange(ROWS) % 7}),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_log_has_sections_whose_pictures_can_be_drawn(case: str) -> None:
    minutes, counts, readings = ODD[case]
    made = subject(times(minutes), counts, readings)  # type: ignore[arg-type]
    found = sections(made)
    for picture in pictures(found):
        for width in (WIDTH, NARROW):
            figure = picture.draw(width)
            settle(figure)
            assert not overlapping(boxes(figure, texts(figure))), picture.text
    assert "nan" not in " ".join(section.finding for section in found)


STRANGE = [r"p$\frac$q", "a$b$c_{x}", "_hidden", "<b>", "a name that goes on and on " * 3, *map(str, range(25))]


def test_strange_and_many_names_are_written_as_they_are() -> None:
    rng = np.random.default_rng(0)
    counts = np.repeat(rng.integers(0, 3, 40), 10)
    readings = {name: counts + rng.normal(0, 1, 400) for name in STRANGE}
    made = subject(times(range(400)), counts, readings)
    columns = [Column(name=name, kind="temperature", unit="degC") for name in STRANGE]
    log = dataclasses.replace(made.log, schema=made.log.schema.model_copy(update={"columns": columns}))
    found = sections(dataclasses.replace(made, log=log))
    for picture in pictures(found):
        for width in (WIDTH, NARROW):
            figure = picture.draw(width)
            settle(figure)
            assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes(figure, texts(figure))), picture.text
    (first,) = [section for section in found if section.title == "What do the sensors read over a day?"]
    legend = first.pictures[0].draw(WIDTH).axes[1].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()][:4] == STRANGE[:4]
    styles = {(line.get_color(), line.get_linestyle()) for line in legend.get_lines()[:24]}
    assert len(styles) == 24, "as many as there are colours and dashes"


def test_a_long_log_is_profiled_by_every_so_many_rows(uci: Subject) -> None:
    assert [every(rows) for rows in (1, 50_000, 50_001, 525_600)] == [1, 1, 2, 11]
    assert "every 11th row" not in page(uci, [], PROFILE, "now")
    frame = pd.concat([uci.log.frame] * 11)
    long = dataclasses.replace(uci, log=dataclasses.replace(uci.log, frame=frame))
    assert "uses every 3rd row" in page(long, [], PROFILE, "now")


@pytest.fixture
def cells(uci_path: Path) -> pd.DataFrame:
    return pd.read_csv(uci_path, dtype=str, nrows=500)


def save(cells: pd.DataFrame, folder: Path) -> Data:
    path = folder / "room.csv"
    cells.to_csv(path, index=False)
    return Data(source=str(path))


def test_blank_columns_and_missing_cells_are_shown_with_what_training_would_say(
    cells: pd.DataFrame, tmp_path: Path
) -> None:
    cells["S2_Light"] = " "
    cells.loc[10:300, "S1_Temp"] = ""
    found = open_subject(save(cells.drop(columns="S1_Sound"), tmp_path))
    assert found.blank == ["S2_Light"]
    assert int(found.log.missing["S1_Temp"].sum()) == 291
    assert "S1_Sound" not in found.log.frame
    assert found.refused.startswith("missing column S1_Sound; ")
    assert "room.csv" not in found.refused
    assert found.scheme.startswith("folds forward: fold 2: validation has no rows")


def test_a_file_that_training_takes_is_not_said_to_be_refused(cells: pd.DataFrame, tmp_path: Path) -> None:
    found = open_subject(save(cells, tmp_path))
    assert (found.refused, found.blank, found.labelled) == ("", [], True)


def test_a_log_without_counts_is_not_refused(cells: pd.DataFrame, tmp_path: Path) -> None:
    found = open_subject(save(cells.drop(columns="Room_Occupancy_Count"), tmp_path))
    assert (found.refused, found.labelled, list(found.folds)) == ("", False, [])


def test_folds_that_were_asked_for_must_fit(cells: pd.DataFrame, tmp_path: Path) -> None:
    settings = save(cells, tmp_path)
    with pytest.raises(InputError, match="folds forward: fold 2: validation has no rows"):
        open_subject(Data(source=settings.source, folds="forward"))


def test_what_is_no_number_is_refused(cells: pd.DataFrame, tmp_path: Path) -> None:
    cells.loc[3, "S1_Temp"] = "warm"
    with pytest.raises(InputError, match="not a number"):
        open_subject(save(cells, tmp_path))
