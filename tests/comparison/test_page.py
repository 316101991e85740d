from __future__ import annotations

import base64
import re
from html import unescape
from xml.etree import ElementTree

import pytest

from occupancy.comparison import panels, ranking
from occupancy.comparison.groups import Comparison
from occupancy.comparison.page import page
from occupancy.comparison.report import NOTE
from occupancy.errors import InputError
from tests.comparison.made_runs import Made, make_parts

MADE = "2024-02-03 04:05 from sqlite:///mlflow.db"
NASTY = '<b>&"lstm"</b>'


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    made = Made()
    made.add(NASTY, wrong=(0,), settings={"model.name": "bnn"})
    made.add("peeked", protocol="report")
    made.add("clock", wrong=(0, 1))
    made.add("old <i>", folds="blocked")
    return made.compare()


@pytest.fixture(scope="module")
def text(comparison: Comparison) -> str:
    return page(comparison, MADE, with_report=True)


@pytest.fixture(scope="module")
def tree(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 (our own); fails unless the page is well-formed


def cells(table: ElementTree.Element) -> list[list[str]]:
    return [
        ["\n".join(line.strip() for line in cell.itertext()) for cell in row.findall("td")]
        for row in table.findall("tbody/tr")
    ]


def test_the_page_asks_no_host_for_anything(text: str) -> None:
    assert not re.search(r"https?://|url\(|@import|<script|<link|<iframe|href=", text)
    sources = re.findall(r'src="([^"]*)"', text)
    assert len(sources) == 6  # two of bars, one over time, one of reliability for each of three models
    for source in sources:
        kind, _, data = source.partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")
    assert "default-src 'none'" in unescape(text)


def test_the_page_says_what_was_compared(tree: ElementTree.Element) -> None:
    facts = dict(
        zip(
            ["".join(term.itertext()) for term in tree.findall("body/main/dl/dt")],
            ["".join(term.itertext()) for term in tree.findall("body/main/dl/dd")],
            strict=True,
        )
    )
    assert facts == {
        "log": "uci, digest d1",
        "folds": "forward, digest f1: fold 1 with 6 test rows, fold 2 with 4 test rows",
        "test rows": "10, in 5 label runs (stretches of one true count)",
        "made": MADE,
    }
    assert tree.findtext("head/title") == tree.findtext("body/main/h1") == "Models compared on forward"


def test_the_tables_hold_the_cells_of_those_on_the_terminal(tree: ElementTree.Element, comparison: Comparison) -> None:
    table, report = tree.findall("body/main/div/table")
    assert cells(table) == ranking.table(comparison).rows
    assert cells(report) == ranking.report_table(comparison).rows
    assert [row.get("class") for row in table.findall("tbody/tr")] == ["report", "best", "honest"]
    assert cells(table)[1][0] == NASTY


def test_the_report_stands_on_the_page_on_request(text: str) -> None:
    assert "Compared with the student report" in text
    assert "its own four folds" in NOTE
    assert "its own four folds" in text


def test_the_notes_and_what_was_left_out_are_told(tree: ElementTree.Element, comparison: Comparison) -> None:
    said = ["".join(paragraph.itertext()) for paragraph in tree.findall("body/main/p")]
    assert set(ranking.notes(comparison)) <= set(said)
    assert ["".join(item.itertext()) for item in tree.findall("body/main/ul/li")] == [
        "old <i> (1 run): other scheme: blocked"
    ]


def test_every_picture_is_described_for_those_who_do_not_see_it(tree: ElementTree.Element) -> None:
    described = [image.get("alt", "") for image in tree.iter("img")]
    assert all(described)
    assert f"reliability of {NASTY}" in described


def test_where_nothing_was_left_out_the_page_says_so_and_has_no_report_unasked() -> None:
    made = Made()
    made.add()
    plain = page(made.compare(), MADE)
    assert "<p>Nothing.</p>" in plain
    assert "student report" not in plain
    assert "its own four folds" not in plain


def test_the_fold_with_most_labels_is_shown_unless_another_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made()
    made.add(parts=make_parts(truths=([0, 0, 1], [0, 1, 2], [1, 2, 0])))
    shown: list[int] = []
    draw = panels.labels_over_time

    def spy(groups: object, fold: int, *rest: object) -> object:
        shown.append(fold)
        return draw(groups, fold, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(panels, "labels_over_time", spy)
    page(made.compare(), MADE)
    page(made.compare(), MADE, fold=3)
    assert shown == [2, 2, 3, 3]  # for a wide screen and a narrow one


def test_a_fold_that_is_not_there_is_refused(comparison: Comparison) -> None:
    with pytest.raises(InputError, match=r"^--fold: got 7, expected one of 1, 2$"):
        page(comparison, MADE, fold=7)
