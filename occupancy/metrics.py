"""The metrics, each defined once: per fold, over folds and pooled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

from occupancy.arrays import Floats, Ints
from occupancy.prediction import Prediction

HOLD_S = 150.0  # a change is answered when the label stays right for this long

_NANOSECONDS = 1e9


def score(parts: Sequence[tuple[Prediction, Ints]], max_gap: float) -> dict[str, float]:
    """Return every metric over the rows of all parts together, by key; nan if a metric is undefined.

    Args:
        parts: predictions, each with the true counts of its rows; a fold is one part, pooled scores take all folds.
        max_gap: seconds; a longer step between rows begins a new recording.
    """
    assert all(len(prediction) == len(truth) for prediction, truth in parts)
    assert sum(len(truth) for _, truth in parts) > 0, "no rows to score"
    truth = np.concatenate([truth for _, truth in parts])
    label = np.concatenate([prediction.label for prediction, _ in parts])
    probs = np.concatenate([prediction.probs for prediction, _ in parts])
    assert truth.min() >= 0, "a row without a count"
    mean, std, lower, upper = (
        np.concatenate([getattr(prediction, name) for prediction, _ in parts])
        for name in ("mean", "std", "lower", "upper")
    )
    risk = risk_coverage(np.square(label - truth).astype(np.float64), std)
    changes = [change_latencies(prediction, truth, max_gap) for prediction, truth in parts]
    # The delay counts for answered changes only; a change that was never answered counts the length of its run.
    delays = [prediction.delay_s * answered for (prediction, _), (_, answered) in zip(parts, changes, strict=True)]
    seconds = np.concatenate([seconds for seconds, _ in changes]) + np.concatenate(delays)
    answered = np.concatenate([answered for _, answered in changes])
    return {
        "mse": float(np.square(label - truth).mean()),
        "mse_mean": float(np.square(mean - truth).mean()),
        **_label_scores(label, truth, probs.shape[1]),
        **_probability_scores(probs, truth),
        **_interval_scores(lower, upper, truth, probs.shape[1]),
        "epistemic": float(np.concatenate([prediction.epistemic for prediction, _ in parts]).mean()),
        "aleatoric": float(np.concatenate([prediction.aleatoric for prediction, _ in parts]).mean()),
        "aurc": float(risk.mean()),
        "mse_kept_80": float(risk[-(-4 * len(risk) // 5) - 1]),
        "latency_s": float(np.median(seconds)) if len(seconds) else np.nan,
        "missed_changes": float((~answered).sum()),
        "flicker": _flicker(parts, max_gap),
        **_answer_scores(parts),
    }


def aggregate(folds: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return ``<key>_avg`` and ``<key>_std`` (ddof 0) of each metric over the folds in which it is defined.

    Args:
        folds: the scores of each fold, all with the same keys.
    """
    if any("answered" in fold for fold in folds):  # then a fold without it has answered all of its rows
        folds = [{**fold, **{key: fold.get(key, own) for key, own in _all_answered(fold).items()}} for fold in folds]
    assert all(fold.keys() == folds[0].keys() for fold in folds)
    result = {}
    for key in folds[0]:
        values = np.array([fold[key] for fold in folds])
        defined = values[~np.isnan(values)]
        result[f"{key}_avg"] = float(defined.mean()) if len(defined) else np.nan
        result[f"{key}_std"] = float(defined.std()) if len(defined) else np.nan
    return result


def log_loss(probs: Floats, truth: Ints) -> float:
    """Return the mean negative log probability of the true counts, in nats.

    Args:
        probs: (N, C) probabilities; one below 1e-12 counts as 1e-12.
        truth: (N,) true counts.
    """
    return float(-np.log(probs[np.arange(len(truth)), truth].clip(1e-12)).mean())


def risk_coverage(errors: Floats, std: Floats) -> Floats:
    """Return the mean error of the k most certain rows for k = 1..N, (N,).

    Rows with equal ``std`` count with the mean error of their group, so their order does not matter: this is the
    expected curve if ties are broken at random. Its mean is the area under it (Geifman and El-Yaniv, 2017).

    Args:
        errors: (N,) error of each row, in any unit.
        std: (N,) uncertainty of each row.
    """
    # Equal rows may differ in the last bits, depending on how a matrix product is divided.
    _, group, size = np.unique(std.round(9), return_inverse=True, return_counts=True)
    group_error = np.bincount(group, weights=errors) / size
    return np.asarray(np.cumsum(np.repeat(group_error, size)) / np.arange(1, len(errors) + 1))


def change_latencies(prediction: Prediction, truth: Ints, max_gap: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the seconds from each true change to its answer, (K,), and whether there was one, (K,).

    A change is a row whose count differs from that of the row before it, if that is at most ``max_gap`` earlier. Its
    run of equal counts ends at the next change, or one step after the last row before a gap or the end of the log. The
    answer is the first row of the run from which the label is right on every row of the next ``HOLD_S`` seconds, or of
    the rest of the run. A change without an answer counts the length of its run.

    Args:
        prediction: N rows in order of time.
        truth: (N,) true counts.
        max_gap: seconds; a longer step between rows begins a new recording.
    """
    assert prediction.times.is_monotonic_increasing
    if len(truth) < 2:
        return np.empty(0), np.empty(0, dtype=np.bool_)
    times = prediction.times.as_unit("ns").asi8
    steps = np.diff(times)
    gap = steps > max_gap * _NANOSECONDS
    starts = np.concatenate([[0], np.flatnonzero(gap | (np.diff(truth) != 0)) + 1])
    stops = np.append(starts[1:], len(truth))
    after_gap = np.append(gap[starts[1:] - 1], True)
    ends = np.where(after_gap, times[stops - 1] + np.median(steps), np.append(times[starts[1:]], 0))

    held = _held_rows(prediction.label == truth, times, stops, starts)
    answer = np.append(held, len(truth))[np.searchsorted(held, starts)]
    answered = answer < stops
    seconds = (np.where(answered, np.append(times, 0)[answer], ends) - times[starts]) / _NANOSECONDS
    # The first run, and each run after a gap, starts without a change.
    changed = ~np.append(True, after_gap[:-1])
    return seconds[changed], answered[changed]


def _held_rows(right: NDArray[np.bool_], times: Ints, stops: Ints, starts: Ints) -> Ints:
    """Return the rows from which the label is right for ``HOLD_S`` seconds, or to the end of the row's run."""
    rows = np.arange(len(right))
    next_wrong = np.minimum.accumulate(np.where(right, len(right), rows)[::-1])[::-1]
    hold_stop = np.searchsorted(times, times + int(HOLD_S * _NANOSECONDS), side="right")
    return np.flatnonzero(next_wrong >= np.minimum(hold_stop, np.repeat(stops, stops - starts)))


def _flicker(parts: Sequence[tuple[Prediction, Ints]], max_gap: float) -> float:
    """Return how often the labels change for each change of the truth, within recordings; nan if it never changes."""
    changes = np.zeros(2)
    for prediction, truth in parts:
        near = np.diff(prediction.times.as_unit("ns").asi8) <= max_gap * _NANOSECONDS
        changes += [(near & (np.diff(counts) != 0)).sum() for counts in (prediction.label, truth)]
    labels, true = changes
    return float(labels / true) if true else np.nan


def _answer_scores(parts: Sequence[tuple[Prediction, Ints]]) -> dict[str, float]:
    """Return the share of answered rows and their mean squared error; nothing for a model that answers every row."""
    if all(prediction.answered is None for prediction, _ in parts):
        return {}
    given = [(prediction.is_answered, np.square(prediction.label - truth)) for prediction, truth in parts]
    answered, errors = (np.concatenate(columns) for columns in zip(*given, strict=True))
    return {
        "answered": float(answered.mean()),
        "mse_answered": float(errors[answered].mean()) if answered.any() else np.nan,
    }


def _all_answered(scores: dict[str, float]) -> dict[str, float]:
    """Return what `_answer_scores` gives for a fold whose rows are all answered."""
    return {"answered": 1.0, "mse_answered": scores["mse"]}


def _label_scores(label: Ints, truth: Ints, classes: int) -> dict[str, float]:
    """Return the four F1 scores of the labels."""
    chosen = {"f1_macro": None, "f1_macro_all": np.arange(classes), "f1_macro_present": np.unique(truth)}
    macro = {
        key: float(f1_score(truth, label, labels=labels, average="macro", zero_division=0.0))
        for key, labels in chosen.items()
    }
    return {**macro, "f1_micro": float(accuracy_score(truth, label))}


def _probability_scores(probs: Floats, truth: Ints) -> dict[str, float]:
    """Return the scores of the probabilities: log loss in nats, Brier score, calibration error of the top label."""
    # Late: they take seconds to import, and predicting does not need them.
    import torch  # noqa: PLC0415
    from torchmetrics.functional.classification import multiclass_calibration_error  # noqa: PLC0415

    # torchmetrics puts a probability of exactly 1 into a sixteenth bin, and takes one above 1 (rounding) for a logit.
    below_one = torch.from_numpy(probs.clip(0.0, 1.0 - 1e-6))
    ece = multiclass_calibration_error(below_one, torch.from_numpy(truth), probs.shape[1], n_bins=15, norm="l1")
    return {
        "nll": log_loss(probs, truth),
        "brier": float(np.square(probs - np.eye(probs.shape[1])[truth]).sum(axis=1).mean()),
        "ece": float(ece),
    }


def _interval_scores(lower: Floats, upper: Floats, truth: Ints, classes: int) -> dict[str, float]:
    """Return coverage of all and of occupied rows, mean width in people and mean number of labels of the intervals."""
    inside = (lower <= truth) & (truth <= upper)
    occupied = truth > 0
    labels = np.arange(classes)
    in_set = (lower[:, None] <= labels) & (labels <= upper[:, None])  # (N, C)
    return {
        "coverage_90": float(inside.mean()),
        "coverage_90_occupied": float(inside[occupied].mean()) if occupied.any() else np.nan,
        "width_90": float((upper - lower).mean()),
        "set_size": float(in_set.sum(axis=1).mean()),
    }
