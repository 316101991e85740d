"""Self-contained HTML pages: styles and figures are inside the file, and a page loads nothing from any host."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

_DPI = 170

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The Content-Security-Policy of a page: the browser refuses to load anything from outside."""

# A template lies beside the module that fills it; the common parts lie beside this one.
_TEMPLATES = Environment(
    loader=PackageLoader("occupancy", ""),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True)
class Image:
    """A figure as a page holds it.

    Attributes:
        text: what the figure shows, for readers who cannot see it.
        wide: the PNG as a data URL.
        narrow: the PNG for a screen up to 700 pixels wide, if there is one.
    """

    text: str
    wide: str
    narrow: str | None = None


def render(template: str, *, policy: str = POLICY, **values: object) -> str:
    """Return the text that a template gives; every value is escaped.

    Args:
        template: path of the template inside the package, such as ``comparison/page.html.j2``.
        policy: the Content-Security-Policy of the page.
        values: what the template asks for.
    """
    return _TEMPLATES.get_template(template).render(policy=policy, **values)


def image(figure: Figure, text: str, narrow: Figure | None = None) -> Image:
    """Return a figure as a page holds it.

    Args:
        figure: the figure.
        text: what it shows, for readers who cannot see it.
        narrow: the figure for a telephone.
    """
    return Image(text, _encoded(figure), None if narrow is None else _encoded(narrow))


def _encoded(figure: Figure) -> str:
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=_DPI)
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode('ascii')}"
