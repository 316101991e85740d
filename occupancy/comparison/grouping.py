"""Which finished runs can be compared, and their groups: one configuration with several seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from occupancy.comparison.bootstrap import differences
from occupancy.comparison.groups import Comparison, Group, LeftOut, best_of
from occupancy.data.times import label_runs
from occupancy.errors import InputError
from occupancy.tracking.stored_runs import FoldRows, Run, Unusable

_FINISHED = "FINISHED"
_ENDS = {"FAILED": "failed", "KILLED": "interrupted", "RUNNING": "still running", "SCHEDULED": "not started"}
_TAGS = ("protocol", "dataset", "digest", "folds", "folds_digest", "model", "config_key")
# Settings that do not distinguish groups.
_IGNORED = ("name", "seed", "protocol", "train.device", "train.final", "tracking.", "explanation")
_MOST_SETTINGS = 3  # differing settings that are shown; more would not fit into a cell

_Tested = tuple[Run, Sequence[FoldRows]]
"""A run and the test rows of each of its folds."""


def compare(runs: Sequence[Run], scheme: str, load: Callable[[Run], Sequence[FoldRows]]) -> Comparison:
    """Return the comparison of the finished runs on one scheme, for the data that most of them share.

    Args:
        runs: the runs in the store, finished or not.
        scheme: the name of the folds.
        load: returns the test rows of each fold of a run, in order; raises `Unusable`.

    Raises:
        InputError: if there is no finished run on that scheme, or none of them can be used.
    """
    left_out: Counter[tuple[str, str]] = Counter()
    chosen = _on_shared_data(runs, scheme, left_out)
    loaded: dict[tuple[str, ...], _Tested] = {}
    unusable: dict[str, Unusable] = {}
    for run in sorted(chosen, key=lambda run: run.ended, reverse=True):
        key = (*_identity(run), run.params["seed"])
        if key in loaded:
            left_out[run.name, f"there is a later run with seed {run.params['seed']}"] += 1
            continue
        try:
            loaded[key] = (run, load(run))
        except Unusable as error:
            unusable[run.run_id] = error
            left_out[run.name, str(error)] += 1
    if not loaded:
        run_id, reason = next(iter(unusable.items()))
        none = f"none of the {len(unusable)} finished runs on {scheme!r} can be used"
        raise InputError(f"data.folds: {none}; the latest is {run_id}: {reason}; {reason.remedy}")
    groups = _groups(_on_same_rows(list(loaded.values()), left_out))
    number = sum(int(label_runs(rows.truth)[-1]) + 1 for rows in groups[0].parts[0])
    outs = [LeftOut(name, count, reason) for (name, reason), count in left_out.items()]
    return Comparison(scheme, _compared(groups), number, outs)


def _identity(run: Run) -> tuple[str, ...]:
    return run.name, run.tags["config_key"], run.tags["protocol"]


def _on_shared_data(runs: Sequence[Run], scheme: str, left_out: Counter[tuple[str, str]]) -> list[Run]:
    """Return the finished runs on a scheme and on the data and folds that most of them share."""
    finished = []
    for run in runs:
        lacking = [tag for tag in _TAGS if tag not in run.tags]
        lacking += ["seed"] * ("seed" not in run.params) + ["mse_avg"] * ("mse_avg" not in run.metrics)
        if run.status != _FINISHED:
            left_out[run.name, _ENDS.get(run.status, run.status.lower())] += 1
        elif lacking:
            left_out[run.name, f"the run lacks {', '.join(lacking)}"] += 1
        else:
            finished.append(run)
    chosen = [run for run in finished if run.tags["folds"] == scheme]
    if not chosen:
        raise InputError(f"data.folds: no finished run on {scheme!r}; there {_there_is(runs, finished)}")
    shared = _most_common(chosen).tags
    for run in finished:
        tags = run.tags
        if tags["folds"] != scheme:
            left_out[run.name, f"other scheme: {tags['folds']}"] += 1
        elif tags["digest"] != shared["digest"]:
            left_out[run.name, f"other data: {tags['dataset']}, digest {tags['digest']}"] += 1
        elif tags["folds_digest"] != shared["folds_digest"]:
            left_out[run.name, f"other folds of the same name: digest {tags['folds_digest']}"] += 1
    same = ("digest", "folds_digest")
    return [run for run in chosen if all(run.tags[tag] == shared[tag] for tag in same)]


def _most_common(runs: Sequence[Run]) -> Run:
    """Return the latest run on the data and folds that most runs share, so that a single other run changes nothing."""
    shared = Counter((run.tags["digest"], run.tags["folds_digest"]) for run in runs)
    return max(runs, key=lambda run: (shared[run.tags["digest"], run.tags["folds_digest"]], run.ended))


def _there_is(runs: Sequence[Run], finished: Sequence[Run]) -> str:
    """Return which runs a store holds, as the end of a message."""
    schemes = Counter(run.tags["folds"] for run in finished)
    there = [f"{count} on {scheme!r}" for scheme, count in sorted(schemes.items())]
    if others := len(runs) - len(finished):
        there.append(f"{others} that did not finish or lack tags")
    return f"are {', '.join(there)}" if there else "are no runs; train models with occupancy train, or `make compare`"


def _on_same_rows(loaded: Sequence[_Tested], left_out: Counter[tuple[str, str]]) -> list[_Tested]:
    """Return the runs that were tested on the most common rows; if two sets are equally common, on the latest."""
    covered = [
        tuple((rows.number, rows.times.tobytes(), rows.truth.tobytes()) for rows in parts) for _, parts in loaded
    ]
    common = max(covered, key=Counter(covered).__getitem__)
    expected = sum(len(rows.truth) for rows in loaded[covered.index(common)][1])
    same = []
    for one, rows_of_one in zip(loaded, covered, strict=True):
        run, parts = one
        if rows_of_one == common:
            same.append(one)
        else:
            got = sum(len(rows.truth) for rows in parts)
            left_out[run.name, f"tested on other rows than most runs ({got:,} rows, expected {expected:,})"] += 1
    return same


def _groups(usable: Sequence[_Tested]) -> list[Group]:
    """Return the runs grouped by configuration, the smallest MSE first."""
    members: dict[tuple[str, ...], list[_Tested]] = {}
    for run, parts in usable:
        members.setdefault(_identity(run), []).append((run, parts))
    variants = _variants({identity: some[0][0] for identity, some in members.items()})
    groups = []
    for identity, some in members.items():
        some.sort(key=lambda one: (len(one[0].params["seed"]), one[0].params["seed"]))
        runs, parts = zip(*some, strict=True)
        groups.append(Group(identity[0], variants[identity], runs, parts))
    return sorted(groups, key=lambda group: (group.mean("mse_avg"), group.title))


def _variants(examples: Mapping[tuple[str, ...], Run]) -> dict[tuple[str, ...], str]:
    """Return for each group the settings in which it differs from the others of its name and protocol."""
    alike: dict[tuple[str, str], list[Run]] = {}
    for run in examples.values():
        alike.setdefault((run.name, run.tags["protocol"]), []).append(run)
    return {identity: _variant(run, alike[run.name, run.tags["protocol"]]) for identity, run in examples.items()}


def _variant(run: Run, alike: Sequence[Run]) -> str:
    keys = dict.fromkeys(key for other in alike for key in other.params if not key.startswith(_IGNORED))
    differing = [key for key in keys if len({other.params.get(key) for other in alike}) > 1]
    told = differing[:_MOST_SETTINGS]
    shown = " ".join(f"{key.rpartition('.')[2]}={run.params.get(key, '-')}" for key in told)
    same = [other for other in alike if all(other.params.get(key) == run.params.get(key) for key in told)]
    if len(same) == 1:
        return shown
    # More settings differ than are shown, or none: another version of the code may hash the same settings differently.
    return f"{shown} key={run.tags['config_key'][:6]}".strip()


def _compared(groups: Sequence[Group]) -> list[Group]:
    """Return the groups with their differences from the best group, if there is one."""
    best = best_of(groups)
    if best is None:
        return list(groups)
    truths = [rows.truth for rows in best.parts[0]]
    reference = best.squared_errors()
    excess = np.stack([group.squared_errors() - reference for group in groups])  # (groups, N)
    found = zip(groups, *differences(excess, truths), strict=True)
    return [
        replace(group, difference=float(mean), low=float(low), high=float(high))
        if group is not best
        else replace(group, difference=0.0)
        for group, mean, low, high in found
    ]
