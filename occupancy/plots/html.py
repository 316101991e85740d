"""The parts of a self-contained HTML page: style and figures are inside, and no host is asked for anything."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

from matplotlib.figure import Figure

_DPI = 170

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What makes a browser refuse whatever would be fetched."""

# Everything is said of `main` alone, which may stand in front of a page with a style of its own.
STYLE = """
main { box-sizing: border-box; font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0 auto;
  max-width: 1180px; padding: 1rem; overflow-wrap: break-word; }
main h1 { font-size: 1.5rem; font-weight: bold; line-height: 1.25; margin: 0.5rem 0; }
main h2 { font-size: 1.15rem; font-weight: bold; line-height: 1.3; margin: 2.2rem 0 0.4rem;
  border-top: 1px solid #ccc; padding-top: 1rem; }
main p, main ul, main dl { margin: 0.4rem 0; max-width: 75ch; }
main dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.1rem 1rem; }
main dt { color: #595959; font-weight: normal; }
main dd { margin: 0; min-width: 0; }
main .caution { border-left: 4px solid #D55E00; padding-left: 0.6rem; }
main .finding { font-weight: 600; }
main .scroll { overflow-x: auto; }
main table { border-collapse: collapse; font-size: 0.86rem; font-variant-numeric: tabular-nums; margin: 0.6rem 0; }
main th, main td { padding: 0.3rem 0.5rem; text-align: right; vertical-align: top; white-space: nowrap;
  line-height: 1.3; }
main th { border-bottom: 2px solid #222; font-weight: 600; vertical-align: bottom; }
main td { border-bottom: 1px solid #ddd; }
main th:first-child, main td:first-child, main th:nth-child(2), main td:nth-child(2) { text-align: left; }
main small { color: #595959; font-size: 0.92em; }
main tr.report td { background: #FDF3DF; }
main tr.best td { background: #E6F1F8; font-weight: 600; }
main img { display: block; max-width: 100%; height: auto; }
main picture img { width: 100%; }
main .side { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: 1rem; }
main .small { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 250px), 1fr)); gap: 0.8rem; }
main .side img, main .small img { width: 100%; max-width: 540px; }
main .printed { display: none; }
@media screen and (max-width: 700px) {
  main table { font-size: 0.72rem; }
  main th, main td { padding: 0.25rem 0.2rem; }
}
@media print {
  main .printed { display: block; }
  main ~ * { display: none; }
  main { font-size: 10pt; max-width: none; padding: 0; }
  main table { font-size: 6.5pt; }
  main th, main td { padding: 0.12rem 0.2rem; }
  main .scroll { overflow: visible; }
  main .side img, main picture img { width: auto; min-width: 0; max-width: 100%; max-height: 215mm; }
  main .side { grid-template-columns: 1fr 1fr; }
  main .small { grid-template-columns: 1fr 1fr 1fr; }
  main img, main tr { break-inside: avoid; }
  main h2, main .finding { break-after: avoid; }
  main tr.report td, main tr.best td { print-color-adjust: exact; }
}
"""


def document(title: str, parts: Sequence[str]) -> str:
    """Return a whole page with a title, which is well-formed XML too.

    Args:
        title: of the window and above the text.
        parts: what the page holds, as markup.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="{POLICY}"/>
<title>{escape(title)}</title>
<style>
:root {{ color-scheme: light; }}
body {{ margin: 0; }}
{STYLE}
</style>
</head>
<body>
{main(title, parts)}
</body>
</html>
"""


def main(title: str, parts: Sequence[str]) -> str:
    """Return what a page holds below its head."""
    return "\n".join(["<main>", f"<h1>{escape(title)}</h1>", *parts, "</main>"])


def heading(text: str) -> str:
    """Return the heading of a section."""
    return f"<h2>{escape(text)}</h2>"


def facts(values: Mapping[str, str]) -> str:
    """Return names and what is said of each."""
    return (
        "<dl>" + "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in values.items()) + "</dl>"
    )


def table(headings: Sequence[Sequence[str]], rows: Sequence[Sequence[str]], kinds: Sequence[str] = ()) -> str:
    """Return a table, whose first two columns hold words.

    Args:
        headings: of each column the lines of its heading.
        rows: the cells; what follows a line break is set smaller.
        kinds: of each row its class, if rows have one.
    """
    head = "".join(f'<th scope="col">{"<br/>".join(map(escape, lines))}</th>' for lines in headings)
    opened = [f'<tr class="{escape(kind)}">' for kind in kinds] or ["<tr>"] * len(rows)
    body = "\n".join(row + "".join(map(_cell, cells)) + "</tr>" for row, cells in zip(opened, rows, strict=True))
    whole = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    return f'<div class="scroll" tabindex="0">{whole}</div>'


def _cell(text: str) -> str:
    first, *below = text.split("\n")
    return f"<td>{escape(first)}" + "".join(f"<br/><small>{escape(line)}</small>" for line in below) + "</td>"


def note(text: str) -> str:
    """Return a paragraph, marked if it begins with ``CAUTION``."""
    kind = ' class="caution"' if text.startswith("CAUTION") else ""
    return f"<p{kind}>{escape(text)}</p>"


def bullets(lines: Sequence[str]) -> str:
    """Return a list of lines, or that there is nothing."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else "<p>Nothing.</p>"


def image(figure: Figure, text: str, narrow: Figure | None = None) -> str:
    """Return a figure.

    Args:
        figure: what to show.
        text: what it shows, for those who don't see it.
        narrow: what to show in its place on a telephone.
    """
    shown = f'<img alt="{escape(text)}" src="{_encoded(figure)}"/>'
    if narrow is None:
        return shown
    source = f'<source media="screen and (max-width: 700px)" srcset="{_encoded(narrow)}"/>'
    return f"<picture>{source}{shown}</picture>"


def _encoded(figure: Figure) -> str:
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=_DPI)
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode('ascii')}"
