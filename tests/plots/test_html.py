from __future__ import annotations

import pytest
from jinja2 import UndefinedError
from matplotlib.figure import Figure

from occupancy.plots import html

NASTY = """<b onclick='alert("1")'>&"""
ESCAPED = "&lt;b onclick=&#39;alert(&#34;1&#34;)&#39;&gt;&amp;"


@pytest.mark.parametrize(
    ("macro", "arguments"),
    [
        ("facts", {NASTY: "told"}),
        ("facts", {"key": NASTY}),
        ("note", NASTY),
        ("bullets", [NASTY]),
        ("image", html.Image(NASTY, "data:image/png;base64,")),
    ],
)
def test_every_part_of_a_page_escapes_its_text(macro: str, arguments: object) -> None:
    part = getattr(html._TEMPLATES.get_template("plots/parts.html.j2").module, macro)
    text = str(part(arguments))
    assert ESCAPED in text
    assert "<b" not in text


@pytest.mark.parametrize(
    ("headings", "cell", "kind"),
    [([[NASTY]], "1", "best"), ([["model"]], f"first\n{NASTY}", "best"), ([["model"]], "1", NASTY)],
)
def test_a_table_escapes_headings_cells_and_classes(headings: list[list[str]], cell: str, kind: str) -> None:
    part = html._TEMPLATES.get_template("plots/parts.html.j2").module.table  # type: ignore[attr-defined]
    text = str(part(headings, [[cell]], [kind]))
    assert ESCAPED in text
    assert "<b " not in text


def test_a_title_cannot_end_the_head_of_a_page() -> None:
    text = html.render("plots/head.html.j2", title="</title><script>")
    assert "<title>&lt;/title&gt;&lt;script&gt;</title>" in text
    assert f'content="{html.POLICY.replace(chr(39), "&#39;")}"' in text


def test_a_value_that_a_template_lacks_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'title' is undefined"):
        html.render("plots/head.html.j2")


def test_a_picture_for_a_telephone_is_offered_only_where_there_is_one() -> None:
    figure = Figure(figsize=(1, 1))
    part = html._TEMPLATES.get_template("plots/parts.html.j2").module.image  # type: ignore[attr-defined]
    assert "<source" not in str(part(html.image(figure, "a figure")))
    assert str(part(html.image(figure, "a figure", figure))).count("data:image/png;base64,") == 2
