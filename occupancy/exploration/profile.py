"""The profile of a log by fg-data-profiling: every column on its own, as a time series."""

from __future__ import annotations

import os
import warnings
from html import escape

# tqdm reads it when it is first imported, by any library; its progress bars would mix with ours.
os.environ.setdefault("TQDM_DISABLE", "1")

from threadpoolctl import threadpool_limits

from occupancy.exploration.parts import Subject

MOST_ROWS = 50_000  # that are profiled


def every(rows: int) -> int:
    """Return n if every n-th row is profiled: 1 for a short log. A profile takes 30 kB of memory for each row."""
    return -(-rows // MOST_ROWS)


def profile(subject: Subject) -> str:
    """Return the profile of the readings as a whole HTML page; missing cells are shown as missing."""
    log = subject.log
    readings = log.frame[subject.sensors].mask(log.missing[subject.sensors])
    table = readings.reindex(columns=[name for name in log.schema.sensors if name in {*readings, *subject.blank}])
    if subject.labelled:
        table[log.schema.count] = log.frame[log.schema.count]
    # The library does not escape names in its page.
    table = table.iloc[:: every(len(table))].rename(columns=escape)
    timed = log.step_s > 0  # rows that do not follow each other are not a time series
    time = "time"
    while time in table:
        time += "_"
    # The library uses a thread for each column; more threads inside of them make it four times slower.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # the library uses old functions of statsmodels and pandas
        from data_profiling import ProfileReport  # noqa: PLC0415

        report = ProfileReport(
            table.rename_axis(time).reset_index(),
            tsmode=timed,
            sortby=time if timed else None,
            title="Profile of every column",
            interactions=None,  # a figure for each pair of columns would take minutes
            progress_bar=False,
            html={"minify_html": False, "navbar_show": False, "style": {"full_width": False}},
        )
        return str(report.to_html())
