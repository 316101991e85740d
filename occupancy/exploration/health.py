"""Whether the sensors work, and when one of them did not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from occupancy.data.log import Log
from occupancy.exploration.parts import Picture, Section, Subject
from occupancy.exploration.words import listed, several, short
from occupancy.health.examine import examine
from occupancy.health.finding import Finding
from occupancy.plots.colours import BLACK, ORANGE, SKY, VERMILLION
from occupancy.plots.figure import titled_figure
from occupancy.plots.timeaxis import label_dates, row_bounds, row_spans, step_lines

_COLOURS = {"certain": VERMILLION, "likely": ORANGE, "possible": SKY}
_LANES = 8  # sensors that are drawn
_SPANS = 200  # of a finding
_LISTED = 30
_NAMED = 5


def section(subject: Subject) -> Section:
    """Return what is wrong with the sensors, drawn over their readings."""
    title, findings = "Do the sensors work?", examine(subject.log)
    if not findings:
        return Section(title, "No sensor reads what a working one would not.", in_short=False)
    wrong = list(dict.fromkeys(name for finding in findings for name in finding.sensors))
    named = listed(wrong) if len(wrong) <= _NAMED else several(len(wrong), "sensor")
    notes = [
        "Certain: no sensor in a room can read so. Likely: a working sensor does so less than once in a room and week. "
        "Possible: it may have a natural cause.",
        *([f"The table lists the first {_LISTED}."] if len(findings) > _LISTED else []),
    ]
    first = f"{findings[0].sensor}: {findings[0].what}" if len(findings) > 1 else findings[0].what
    drawn = f"the readings of {listed(wrong[:_LANES])}, with the rows marked at which something is wrong"
    return Section(
        title,
        f"{several(len(findings), 'finding')} about {named}: {first}.",
        notes,
        [Picture(partial(_draw, subject.log, findings, wrong[:_LANES]), drawn)],
        ([["sensor"], ["fault"], ["from", "to"], ["why"], ["remedy"]], [_row(each) for each in findings[:_LISTED]]),
        words=5,
    )


def _row(finding: Finding) -> list[str]:
    when = f"{finding.first:%Y-%m-%d %H:%M}\n{finding.last:%Y-%m-%d %H:%M}"
    return [finding.sensor, f"{finding.fault},\n{finding.surety}", when, finding.what, finding.remedy]


def _draw(log: Log, findings: Sequence[Finding], names: Sequence[str], width: float) -> Figure:
    """Return the readings of sensors over time, a lane each, with spans where something is wrong."""
    figure = titled_figure(1.4 + 1.1 * len(names), "Readings that a working sensor would not give", width)
    lanes = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    start, until = row_bounds(log.times, log.max_gap)
    for lane, name in zip(lanes, names, strict=True):
        x, readings = step_lines(start, until, log.frame[name].mask(log.missing[name]).to_numpy())
        lane.step(x, readings, where="post", color=BLACK, linewidth=0.8)
        for finding in findings:
            colour, spans = _COLOURS[finding.surety], row_spans(finding.rows, start, until)
            for left, length in spans[:_SPANS] if name in finding.sensors else ():
                # With an edge, a single row is visible; otherwise it would be thinner than a pixel.
                lane.axvspan(left, left + length, color=colour, alpha=0.35, linewidth=1.5)
        unit = next(column.unit for column in log.schema.columns if column.name == name)
        lane.set_ylabel(f"{short(name)}\n{unit}", rotation=0, ha="right", va="center")
        lane.spines[["top", "right"]].set_visible(False)
    sureties = [surety for surety in _COLOURS if any(finding.surety == surety for finding in findings)]
    patches = [Patch(color=_COLOURS[surety], alpha=0.35, label=surety) for surety in sureties]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), frameon=False)
    label_dates(lanes[-1], width)
    figure.align_ylabels()
    return figure
