"""The page of an exploration: what matters for counting people in front, the profile of every column behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from occupancy.exploration import air, correlations, day, labels, lags, recording, sensors, splits
from occupancy.exploration.parts import Picture, Section, Subject
from occupancy.exploration.profile import every
from occupancy.plots import html
from occupancy.plots.timeaxis import NARROW, WIDTH

SECTIONS: Sequence[tuple[str, Callable[[Subject], Section | None]]] = (
    ("recordings", recording.times),
    ("columns", recording.columns),
    ("labels", labels.section),
    ("first day", day.section),
    ("distributions", sensors.section),
    ("correlations", correlations.section),
    ("delays", lags.delays),
    ("autocorrelation", lags.autocorrelation),
    ("ventilation", air.section),
    ("folds", splits.folds),
    ("drift", splits.drift),
)
"""What the page shows, in this order: a name for the progress, and what makes the section if the log allows it."""


def page(subject: Subject, sections: Sequence[Section], profile: str, made: str) -> str:
    """Return the page.

    Args:
        subject: what was explored.
        sections: what was found, in the order of reading.
        profile: a whole HTML page, whose text follows ours.
        made: when, as text.
    """
    log = subject.log
    title = f"What is in the log {log.name}?"
    facts = {"log": f"{log.name}, {len(log.frame):,} rows, digest {log.digest}", "made": made}
    ours = html.main(
        title,
        [
            html.facts(facts),
            *(
                ["<p class='caution'>The log is simulated: it shows how the page looks, not a real room.</p>"]
                if log.family == "simulated"
                else []
            ),
            html.heading("In short"),
            html.bullets([section.finding for section in sections if section.in_short]),
            *(part for section in sections for part in _parts(section)),
            html.heading("And every column by itself"),
            html.note(_about_profile(len(log.frame))),
            '<p class="printed">It is on the screen only: what can be opened there would be cut on paper.</p>',
        ],
    )
    return _in_front(profile, title, ours)


def _about_profile(rows: int) -> str:
    told = "The profile below is made by fg-data-profiling. Its lines go on over gaps of the recording."
    ordinal = {1: "", 2: "2nd", 3: "3rd"}.get(every(rows), f"{every(rows)}th")
    return f"{told} It rests on every {ordinal} row, which spares minutes and memory." if ordinal else told


def _parts(section: Section) -> Iterator[str]:
    yield html.heading(section.title)
    yield f'<p class="finding">{escape(section.finding)}</p>'
    yield from _pictures(section.pictures)
    yield from map(html.note, section.notes)
    if section.table is not None:
        yield html.table(*section.table)


def _pictures(pictures: Sequence[Picture]) -> Iterator[str]:
    small = [html.image(picture.draw(NARROW), picture.text) for picture in pictures if picture.small]
    if small:
        yield f'<div class="side">{"".join(small)}</div>'
    for picture in pictures:
        if not picture.small:
            yield html.image(picture.draw(WIDTH), picture.text, picture.draw(NARROW))


def _in_front(profile: str, title: str, ours: str) -> str:
    """Return the page of a profile with ours before its text, forbidden to fetch anything from anywhere."""
    # The profile's own scripts open and close its tabs; they are in the page.
    policy = f"{html.POLICY}; script-src 'unsafe-inline'; font-src data:"
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"/>'
        f"<title>{escape(title)}</title><style>{html.STYLE}</style>"
    )
    for opening, added in (("<head>", head), ("<body>", ours)):
        assert profile.count(opening) == 1, f"the profile holds {profile.count(opening)} times {opening}"
        profile = profile.replace(opening, f"{opening}\n{added}")
    return profile
