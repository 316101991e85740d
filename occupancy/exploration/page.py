"""The page of an exploration: first what matters for counting people, then the profile of every column."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from occupancy.exploration import air, correlations, day, health, labels, lags, recording, sensors, skill, splits
from occupancy.exploration.parts import Section, Subject
from occupancy.exploration.profile import every
from occupancy.plots import html
from occupancy.plots.figure import NARROW, WIDTH

SECTIONS: Sequence[tuple[str, Callable[[Subject], Section | None]]] = (
    ("recordings", recording.times),
    ("columns", recording.columns),
    ("health", health.section),
    ("labels", labels.section),
    ("first day", day.section),
    ("distributions", sensors.section),
    ("correlations", correlations.section),
    ("delays", lags.delays),
    ("autocorrelation", lags.autocorrelation),
    ("ventilation", air.section),
    ("skill", skill.section),
    ("folds", splits.folds),
    ("drift", splits.drift),
)
"""The sections of the page in order: a name for the progress display, and the function that makes the section.

The function returns None where the log does not allow the section.
"""


def page(subject: Subject, sections: Sequence[Section], profile: str, made: str) -> str:
    """Return the page.

    Args:
        subject: the log that was explored.
        sections: the sections, in the order of reading.
        profile: a whole HTML page; its content follows ours.
        made: when the page was made.
    """
    log = subject.log
    title = f"What is in the log {log.name}?"
    ours = html.render(
        "exploration/page.html.j2",
        title=title,
        facts={"log": f"{log.name}, {len(log.frame):,} rows, digest {log.digest}", "made": made},
        simulated=log.family == "simulated",
        in_short=[section.finding for section in sections if section.in_short],
        sections=[(section, *_images(section)) for section in sections],
        about_profile=_about_profile(len(log.frame)),
    )
    return _in_front(profile, title, ours)


def _about_profile(rows: int) -> str:
    told = "The profile below is made by fg-data-profiling. Its lines continue across gaps in the recording."
    ordinal = {1: "", 2: "2nd", 3: "3rd"}.get(every(rows), f"{every(rows)}th")
    return f"{told} It uses every {ordinal} row, to save time and memory." if ordinal else told


def _images(section: Section) -> tuple[list[html.Image], list[html.Image]]:
    """Return the pictures that stand beside each other, and those that take the whole width."""
    small = [html.image(picture.draw(NARROW), picture.text) for picture in section.pictures if picture.small]
    large = [
        html.image(picture.draw(WIDTH), picture.text, picture.draw(NARROW))
        for picture in section.pictures
        if not picture.small
    ]
    return small, large


def _in_front(profile: str, title: str, ours: str) -> str:
    """Return the page of a profile with our text first; the browser may not load anything from outside."""
    # The profile's own scripts, which are in the page, open and close its tabs.
    policy = f"{html.POLICY}; script-src 'unsafe-inline'; font-src data:"
    head = html.render("plots/head.html.j2", title=title, policy=policy)
    for opening, added in (("<head>", head), ("<body>", ours)):
        assert profile.count(opening) == 1, f"the profile holds {profile.count(opening)} times {opening}"
        profile = profile.replace(opening, f"{opening}\n{added}")
    return profile
