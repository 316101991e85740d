"""When the log was recorded, and what is in its columns."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from occupancy.data.log import Log
from occupancy.data.times import steps_of
from occupancy.exploration.parts import Picture, Section, Subject
from occupancy.exploration.words import duration, several
from occupancy.plots.colours import BLUE, VERMILLION
from occupancy.plots.figure import titled_figure
from occupancy.plots.timeaxis import label_dates, row_bounds

_LISTED_GAPS = 15
_MOST_BARS = 200  # of the lower panel
_SPANS = pd.to_timedelta(["5min", "15min", "1h", "3h", "6h", "12h", "1D", "7D", "30D"])


def times(subject: Subject) -> Section:
    """Return when the log was recorded: the recordings, the gaps between them, and the rows lost inside them."""
    log = subject.log
    gaps = gaps_of(log)
    lost, expected = lost_rows(log)
    between = (
        f"with {several(len(gaps), 'gap')} of more than {log.max_gap:g} s, "
        f"the longest {duration(float(gaps['length_s'].max()))}"
        if len(gaps)
        else f"without a gap of more than {log.max_gap:g} s"
    )
    finding = (
        f"{several(len(log.frame), 'row')} from {log.times[0]:%Y-%m-%d %H:%M} to {log.times[-1]:%Y-%m-%d %H:%M}"
        f"{'' if np.isnan(log.step_s) else f', one every {log.step_s:g} s'}, {between}. "
        f"Rows lost inside the recordings: {lost:,} ({lost / expected:.1%})."
    )
    longest = gaps.nlargest(_LISTED_GAPS, "length_s").sort_index()
    rows = [
        [f"{start:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}", duration(length)]
        for start, end, length in zip(longest["start"], longest["end"], longest["length_s"], strict=True)
    ]
    more = [f"The table lists the {_LISTED_GAPS} longest of {len(gaps):,} gaps."] if len(gaps) > _LISTED_GAPS else []
    return Section(
        "When was it recorded?",
        finding,
        ["Windows, slopes and lags of a model do not reach across a gap.", *more],
        [Picture(partial(_draw_recordings, log), "the recordings on the time axis, and the share of rows received")],
        ([["last row before"], ["first row after"], ["gap"]], rows) if rows else None,
    )


def gaps_of(log: Log) -> pd.DataFrame:
    """Return each gap between recordings: ``start`` and ``end`` (times of rows) and ``length_s``, in order."""
    steps = steps_of(log.times)
    long = np.flatnonzero(steps > log.max_gap)
    return pd.DataFrame({"start": log.times[long], "end": log.times[long + 1], "length_s": steps[long]})


def lost_rows(log: Log) -> tuple[int, int]:
    """Return the number of rows lost inside the recordings, and the number of rows with them."""
    steps = steps_of(log.times)
    inside = steps[steps <= log.max_gap]
    lost = int(np.maximum(np.round(inside / log.step_s) - 1, 0).sum()) if len(inside) else 0
    return lost, len(log.frame) + lost


def columns(subject: Subject) -> Section:
    """Return what is in the sensor columns, and which of them carry no information."""
    log = subject.log
    absent = [column.name for column in log.schema.columns if column.name not in {*log.frame, *subject.blank}]
    constant = [name for name in subject.sensors if name not in subject.varying]
    holes = [name for name in subject.sensors if log.missing[name].any()]
    found = [
        (subject.blank, "without any reading"),
        (constant, "with a single value"),
        (absent, "not in the file"),
        (holes, "with missing cells"),
    ]
    said = [f"{len(names)} {what} ({', '.join(names)})" for names, what in found if names]
    known = len(log.schema.columns)
    finding = (
        f"Of {several(known, 'sensor column')}, {'; '.join(said)}."
        if said
        else f"Sensor columns: {known}. Each has a reading in every row, and each varies."
    )
    notes = []
    if subject.refused:
        notes.append(f"CAUTION  Training would refuse this log as it is: {subject.refused}")
    if subject.blank or constant:
        notes.append("Columns that never vary have no correlation and no lag, so they are left out below.")
    if holes:
        notes.append("In the figures, a missing cell holds the last reading before it in the same recording.")
    headings = ["column", "unit"], ["smallest", "to largest"], ["median"], ["values"], ["missing"]
    return Section(
        "Which columns are useful?",
        finding,
        notes,
        table=(headings, [_row(subject, name) for name in log.schema.sensors if name not in absent]),
    )


def _row(subject: Subject, name: str) -> list[str]:
    log = subject.log
    unit = next(column.unit for column in log.schema.columns if column.name == name)
    named = f"{name}\n{unit.replace('degC', '°C')}"
    if name in subject.blank:
        return [named, "-", "-", "0", "all"]
    missing = int(log.missing[name].sum())
    readings = log.frame[name][~log.missing[name].to_numpy()]
    span = f"{readings.min():.5g} to {readings.max():.5g}"
    share = f"{missing:,} ({missing / len(log.frame):.1%})" if missing else "0"
    return [named, span, f"{readings.median():.5g}", f"{readings.nunique():,}", share]


def _draw_recordings(log: Log, width: float) -> Figure:
    start, until = row_bounds(log.times, log.max_gap)
    title = "Recordings and the gaps between them; below, the share of expected rows that were received"
    figure = titled_figure(3.6, title, width)
    lane, axes = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2.5))
    edges = np.flatnonzero(steps_of(log.times) > log.max_gap)
    first, last = start[[0, *(edges + 1)]], until[[*edges, -1]]
    lane.broken_barh(list(zip(first, last - first, strict=True)), (0, 1), color=BLUE, linewidth=0.8)
    lane.set(yticks=[0.5], yticklabels=["recorded"], ylim=(-0.15, 1.15))
    lane.tick_params(left=False)
    span = (until[-1] - start[0]) * pd.Timedelta("1D")
    bin_width = next((fine for fine in _SPANS if span / fine <= _MOST_BARS), _SPANS[-1])
    bins = log.times.floor(bin_width)
    held = pd.Series((until - start) * 86_400).groupby(bins).sum()
    step_s = log.step_s if log.step_s > 0 else float(held.iloc[0])
    share = pd.Series(1.0, log.times).groupby(bins).sum() / (held / step_s)
    days = pd.Series(share.index).to_numpy().astype("datetime64[s]")
    axes.bar(days, share.clip(upper=1.0), width=bin_width, align="edge", color=BLUE, linewidth=0)
    axes.axhline(1.0, color=VERMILLION, linewidth=1)
    axes.set(ylim=(0, 1.05), ylabel=f"rows received,\nper {duration(bin_width.total_seconds())}")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    label_dates(axes, width)
    return figure
