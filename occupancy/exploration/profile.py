"""The profile of a log by fg-data-profiling: every column by itself, as a time series."""

from __future__ import annotations

import os
import warnings
from html import escape

# Read when tqdm is first imported, by whatever library: its bars would lie across ours.
os.environ.setdefault("TQDM_DISABLE", "1")

from threadpoolctl import threadpool_limits

from occupancy.exploration.parts import Subject

MOST = 50_000  # rows that are profiled


def every(rows: int) -> int:
    """Return which rows are profiled: each, or of a long log every so-many-th. It takes 30 kB of memory a row."""
    return -(-rows // MOST)


def profile(subject: Subject) -> str:
    """Return the profile of the readings as a whole HTML page; missing cells are missing in it."""
    log = subject.log
    readings = log.frame[subject.sensors].mask(log.missing[subject.sensors])
    table = readings.assign(**{name: float("nan") for name in subject.blank})
    table = table.reindex(columns=[name for name in log.schema.sensors if name in table])
    if subject.labelled:
        table[log.schema.count] = log.frame[log.schema.count]
    # The library writes names into its page as they are.
    table = table.iloc[:: every(len(table))].rename(columns=escape)
    timed = log.step_s > 0  # rows of which none follows another are no time series
    # It takes a thread a column by itself; more of them in each cost four times as much.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # about its own use of statsmodels and pandas
        from data_profiling import ProfileReport  # noqa: PLC0415

        report = ProfileReport(
            table.reset_index(),
            tsmode=timed,
            sortby="time" if timed else None,
            title="Profile of every column",
            interactions=None,  # a picture for each pair of columns would take minutes
            progress_bar=False,
            html={"minify_html": False, "navbar_show": False, "style": {"full_width": False}},
        )
        return str(report.to_html())
