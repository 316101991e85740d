"""The delay of the sensors behind the count, and the autocorrelation of each column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import rankdata

from occupancy.arrays import Floats
from occupancy.exploration.parts import Picture, Section, Subject
from occupancy.exploration.series import by_kind, legend_beside, line_styles, name_of
from occupancy.exploration.words import listed, short
from occupancy.plots.colours import GREY
from occupancy.plots.figure import titled_figure

EARLIEST_S, LATEST_S = -1800.0, 7200.0  # lags of a sensor behind the count
FARTHEST_S = 6 * 3600.0  # longest lag of the autocorrelation
AT_ONCE_S = 300.0  # a shorter lag is not a delay, since labels are not exact to the second
RELATED = 0.2  # a smaller rank correlation can come from a few visits by chance
_LAGS = 150  # the most lags between the earliest and the latest
_CURVE_PANEL = 4.5  # inches that a panel needs in width


def delays(subject: Subject) -> Section | None:
    """Return the delay of each sensor behind the count; None if the count or all sensors are constant."""
    log = subject.log
    if len(subject.changing) == len(subject.varying) or not subject.varying or not log.step_s > 0:
        return None
    lag_s = _grid(log.step_s, EARLIEST_S, LATEST_S)
    people = subject.counts
    pairs = {name: (people, log.frame[name].to_numpy(np.float64)) for name in subject.varying}
    curves = lagged_correlations(log.times, pairs, lag_s).dropna(axis=1, how="all")
    if curves.empty:
        return None
    related = curves.columns[curves.abs().max() >= RELATED]
    peaks = curves[related].abs().idxmax().astype(np.float64)
    return Section(
        "How late do the sensors follow people?",
        _tell_delays(subject, peaks),
        [
            "Rank correlation between the count and the reading some minutes later; a dot marks the strongest. Sensors "
            "with a dot on the right react late, so a model needs to remember. With few runs of equal count, the "
            "position of a flat peak is only rough."
        ],
        [
            Picture(
                partial(
                    _draw_curves,
                    subject,
                    curves,
                    peaks,
                    "Delay of each sensor behind the count: the dot marks the strongest correlation",
                    "minutes after the count",
                ),
                "correlation of the count with each sensor, by the lag between them",
            )
        ],
    )


def autocorrelation(subject: Subject) -> Section | None:
    """Return the autocorrelation of each column; None if no column varies."""
    log, names = subject.log, subject.changing
    if not names or not log.step_s > 0:
        return None
    lag_s = np.unique([0.0, log.step_s, *_grid(log.step_s, 0.0, FARTHEST_S)])
    columns = {name: log.frame[name].to_numpy(np.float64) for name in names}
    pairs = {name: (column, column) for name, column in columns.items()}
    curves = lagged_correlations(log.times, pairs, lag_s).dropna(axis=1, how="all")
    if curves.empty:
        return None
    first = names[0] if names[0] in curves else curves.columns[0]
    told = "The count" if first == log.schema.count else first
    near = curves[first].loc[log.step_s / 60]
    hour = curves[first].iloc[int(np.argmin(np.abs(curves.index - 60)))]
    later = "" if np.isnan(hour) else f", and of {hour:.2f} one hour later"
    beside = "an unknown rank correlation" if np.isnan(near) else f"a rank correlation of {near:.3f}"
    return Section(
        "How similar are neighbouring rows?",
        f"{told} has {beside} with itself one row later{later}.",
        [
            "If a curve begins near 1, each row is almost a copy of the row before. A random split would put one of "
            "them into training and the other into the test, so that every model looks good; therefore folds are cut "
            "along the time axis."
        ],
        [
            Picture(
                partial(
                    _draw_curves,
                    subject,
                    curves,
                    pd.Series(dtype=np.float64),
                    "Autocorrelation of each column",
                    "minutes between two rows",
                ),
                "correlation of each column with itself, by the lag",
            )
        ],
    )


def lagged_correlations(
    times: pd.DatetimeIndex, pairs: Mapping[str, tuple[Floats, Floats]], lag_s: Floats
) -> pd.DataFrame:
    """Return the rank correlation of pairs of columns at each lag: a row for each lag (min), a column for each pair.

    Rows are paired by their times, so lost rows and gaps have no effect: the partner of a row is the row nearest to
    the lag, if it is not more than half a step away. Ranks are those in the whole log. NaN if there are fewer than
    three pairs of rows, or a column is constant over them.

    Args:
        times: (N,) sorted times.
        pairs: for each name the first column and the later column, (N,) each; NaN: unknown.
        lag_s: (L,) lags in seconds; negative if the second column comes first.
    """
    moments = np.asarray((times - times[0]) / pd.Timedelta("1s"), dtype=np.float64)
    tolerance = float(np.median(np.diff(moments))) / 2
    ranks = {name: [rankdata(column, nan_policy="omit") for column in pair] for name, pair in pairs.items()}
    found = pd.DataFrame(np.nan, lag_s / 60, list(pairs))
    for place, lag in enumerate(lag_s):
        after = np.searchsorted(moments, moments + lag).clip(1, len(moments) - 1)
        nearer = moments + lag - moments[after - 1] < moments[after] - moments - lag
        partner = after - nearer
        paired = np.abs(moments[partner] - moments - lag) <= tolerance
        for column, (one, other) in enumerate(ranks.values()):
            found.iloc[place, column] = _correlation(one[paired], other[partner[paired]])
    return found


def _correlation(one: Floats, other: Floats) -> float:
    known = np.isfinite(one) & np.isfinite(other)
    one, other = one[known], other[known]
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return np.nan
    return float(np.corrcoef(one, other)[0, 1])


def _grid(step_s: float, earliest_s: float, latest_s: float) -> Floats:
    """Return lags that are whole numbers of steps, at most as many as a figure can show."""
    step_s *= math.ceil((latest_s - earliest_s) / _LAGS / step_s)
    return np.arange(math.ceil(earliest_s / step_s), math.floor(latest_s / step_s) + 1, dtype=np.float64) * step_s


def _tell_delays(subject: Subject, peaks: pd.Series[float]) -> str:
    """Return a sentence on the lags; sensors of one kind are named together if they agree.

    Args:
        subject: the log.
        peaks: the lag of the strongest correlation in minutes, for each sensor that is related to the count.
    """
    groups: dict[str, list[str]] = {"late": [], "at once": [], "early": []}
    for kind, columns in by_kind(subject).items():
        known = peaks.reindex([column.name for column in columns]).dropna()
        sides = known.map(_side)
        for side in sides.unique():
            agreed = len(known) == len(columns) and (sides == side).all()
            names = [name_of(kind)] if agreed else known.index[sides == side].tolist()
            when = [] if side == "at once" else [f"{listed(names)} {_minutes(known[sides == side])}"]
            groups[side] += when or names
    told = [f"{listed(words)} {side}" for side, words in groups.items() if words]
    silent = [name for name in subject.varying if name not in peaks]
    strongest = [f"Strongest correlation with the count: {'; '.join(told)}."] if told else []
    rest = [f"No correlation above {RELATED:g} at any lag: {listed(silent)}."] if silent else []
    return " ".join([*strongest, *rest])


def _side(minutes: float) -> str:
    if abs(minutes) * 60 <= AT_ONCE_S:
        return "at once"
    return "late" if minutes > 0 else "early"


def _minutes(peaks: pd.Series[float]) -> str:
    """Return the distance from the count to the peaks on one side of it."""
    far = peaks.abs()
    edge_s = LATEST_S if peaks.iloc[0] > 0 else -EARLIEST_S
    span = f"{far.min():.0f}" if far.max() - far.min() < 1 else f"{far.min():.0f} to {far.max():.0f}"
    return f"{span} min{' or more' if far.max() * 60 > edge_s - AT_ONCE_S else ''}"


def _draw_curves(
    subject: Subject, curves: pd.DataFrame, peaks: pd.Series[float], title: str, unit: str, width: float
) -> Figure:
    """Return a panel for each kind of sensor, with a line for each column."""
    count = subject.log.schema.count
    panels = {name_of(kind): [column.name for column in columns] for kind, columns in by_kind(subject).items()}
    panels = {name: [column for column in columns if column in curves] for name, columns in panels.items()}
    panels = {
        **({"people": [count]} if count in curves else {}),
        **{name: found for name, found in panels.items() if found},
    }
    across = min(int(width / _CURVE_PANEL), len(panels))
    deep = math.ceil(len(panels) / across)
    figure = titled_figure(1.0 + 2.2 * deep, title, width, wspace=0.04)
    grid = figure.subplots(deep, across, sharex=True, sharey=True, squeeze=False)
    for axes, (name, columns) in zip(grid.ravel(), panels.items(), strict=False):
        axes.axhline(0, color=GREY, linewidth=0.8)
        lines = []
        for column, style in zip(columns, line_styles(), strict=False):
            curve = curves[column]
            lines += axes.plot(curve.index, curve, linewidth=1.4, **style)
            if column in peaks:
                axes.plot(peaks[column], curve[peaks[column]], "o", color=style["color"], markersize=5)
        axes.set_title(name if len(columns) > 1 else f"{name}: {short(columns[0])}", fontsize=10)
        if len(columns) > 1:
            legend_beside(axes, lines, columns)
        axes.margins(x=0.02)
        axes.tick_params(labelbottom=True)
        axes.set_xlabel(unit, fontsize=9)
    for axes in grid.ravel()[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("rank correlation")
    return figure
