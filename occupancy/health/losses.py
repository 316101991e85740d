"""Rows and readings that are not there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from occupancy.arrays import Rows
from occupancy.data.rhythm import FEWEST, of_another_step, off_rhythm
from occupancy.data.times import steps_of
from occupancy.health.finding import Finding, about
from occupancy.health.profile import Profile
from occupancy.health.scene import Scene
from occupancy.health.words import share

_ROWS = 15
"""The rows over which shares are taken."""
LOST, MISSING = 0.25, 0.4
"""Share by which the step may differ from that of the training, and by which more readings may be missing."""


def check_rhythm(scene: Scene, profile: Profile) -> Iterator[Finding]:
    """Yield a finding if rows come so much slower or faster than in training that a span of rows is another time.

    Rows of another step are told as such, and rows that only on average come slower or faster.
    """
    remedy = f"set data.step={profile.step_s:g}s, which puts the readings on that grid"
    off = off_rhythm(scene.times, profile.step_s, scene.max_gap)
    if off.any():
        what = f"{of_another_step(scene.times, off, profile.step_s)} as in training"
        yield about(scene.times, off, int(off.argmax()) + FEWEST - 1, (), "rhythm", "certain", (what, remedy))
    if len(scene.readings) < _ROWS:
        return
    steps = np.append(profile.step_s, steps_of(scene.times))
    steps[(steps > scene.max_gap) | off] = np.nan  # a new recording begins, or it is told already
    mean_s = pd.Series(steps).rolling(_ROWS, min_periods=_ROWS - 3).mean().to_numpy()
    for rows in (mean_s * (1 - LOST) > profile.step_s, mean_s < profile.step_s * (1 - LOST)):
        if rows.any():
            found_s = float(np.mean(mean_s[rows]))
            words = (
                f"a row comes every {found_s:.3g} s on average, but the model was trained on one every "
                f"{profile.step_s:g} s",
                remedy,
            )
            yield about(scene.times, _spread(rows), int(rows.argmax()), (), "rhythm", "certain", words)


def check_missing(scene: Scene, profile: Profile | None) -> Iterator[Finding]:
    """Yield a finding for sensors of which many readings are missing at the same rows; one if all miss some."""
    names = [column.name for column in scene.columns]
    found: dict[str, Rows] = {}
    for name in names:
        usual = 0.0 if profile is None or name not in profile.sensors else profile.sensors[name].missing
        lacking = scene.readings[name].isna().astype(np.float64).rolling(_ROWS, min_periods=_ROWS).mean().to_numpy()
        rows = lacking > usual + MISSING
        if rows.any():
            found[name] = rows
    together: dict[bytes, list[str]] = {}
    for name, rows in found.items():
        together.setdefault(b"" if len(found) == len(names) else rows.tobytes(), []).append(name)
    for sensors in together.values():
        rows = np.logical_or.reduce([found[name] for name in sensors])
        wide = _spread(rows)
        cells = scene.readings[sensors].isna().to_numpy()[wide]
        words = (
            f"{share(cells.sum(), cells.size)} of the readings are missing in {wide.sum():,} rows",
            "look after its connection; until then counts rest on what is there",
        )
        yield about(scene.times, wide, int(rows.argmax()), sensors, "missing", "certain", words)


def _spread(rows: Rows) -> Rows:
    """Return the rows (N,) with those that their shares were taken over."""
    return np.asarray(pd.Series(rows[::-1].astype(np.float64)).rolling(_ROWS, min_periods=1).max().to_numpy()[::-1] > 0)
