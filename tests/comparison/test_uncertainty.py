from __future__ import annotations

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from occupancy.comparison import uncertainty
from occupancy.comparison.groups import Group
from occupancy.metrics import score
from occupancy.prediction import Prediction, from_probabilities
from occupancy.tracking.stored_runs import FoldRows
from tests.comparison.made_runs import Made, make_rows


def drawn(figure: Figure) -> Figure:
    figure.savefig(io.BytesIO(), dpi=50)  # a warning of the layout would be an error
    return figure


def random_rows(number: int, seed: int, rows: int = 200) -> tuple[FoldRows, Prediction]:
    """Return a fold's test rows as a store gives them, and the prediction that was recorded."""
    generator = np.random.default_rng([number, seed])
    truth = np.random.default_rng(number).integers(0, 4, size=rows)
    times = pd.date_range(f"2024-01-0{number} 10:00", periods=rows, freq="30s")
    prediction = from_probabilities(times, generator.dirichlet(np.ones(4), size=(5, rows)))
    columns = {name: getattr(prediction, name) for name in ("label", "probs", "mean", "std", "epistemic")}
    return FoldRows(number=number, times=times.to_numpy(), truth=truth, **columns), prediction


def random_group(seeds: int = 2) -> tuple[Group, list[list[Prediction]]]:
    made, predictions = Made(), []
    for seed in range(seeds):
        parts = [random_rows(1, seed), random_rows(2, seed, 150)]
        made.add(parts=[rows for rows, _ in parts], seed=seed)
        predictions.append([prediction for _, prediction in parts])
    return made.compare().groups[0], predictions


def line(figure: Figure, label: str, axes: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    (found,) = [line for line in figure.axes[axes].lines if line.get_label() == label]
    return np.asarray(found.get_ydata(), dtype=np.float64)


def test_the_band_holds_its_very_edge() -> None:
    rows = dataclasses.replace(
        make_rows(1, [0, 1, 2], [0, 1, 2]),
        mean=np.array([0.2, 1.2, 2.2]),
        std=np.array([0.1, 0.09, 0.5]),
        epistemic=np.array([0.0, 0.1, 0.2]),
    )
    assert uncertainty.within_band(rows).tolist() == [True, False, True]
    assert uncertainty.within_band(rows, "epistemic").tolist() == [False, True, True]


def test_the_band_is_counted_fold_by_fold_and_averaged_over_seeds() -> None:
    group, _ = random_group()
    expected = [
        np.mean([np.mean(np.abs(parts[fold].truth - parts[fold].mean) <= 2 * parts[fold].std) for parts in group.parts])
        for fold in (0, 1)
    ]
    assert uncertainty.band_by_fold(group) == pytest.approx(expected)
    assert uncertainty.band_by_fold(group, "epistemic") < uncertainty.band_by_fold(group)


def test_a_model_samples_if_its_samples_disagree_anywhere() -> None:
    assert uncertainty.samples(random_group()[0])
    made = Made()
    made.add()
    assert not uncertainty.samples(made.compare().groups[0])


def test_time_runs_from_the_last_change_and_is_unknown_before_the_first_of_a_recording() -> None:
    rows = make_rows(1, [0, 0, 1, 1, 0, 2, 2, 2, 2, 1], [0] * 10, step_s=60)
    times = rows.times.copy()
    times[7:] += np.timedelta64(1, "h")
    minutes = uncertainty.minutes_since_change(dataclasses.replace(rows, times=times), 120.0)
    nan = np.nan
    np.testing.assert_allclose(minutes, [nan, nan, 0, 1, 0, 0, 1, nan, nan, 0])


def test_a_change_across_a_gap_is_none_since_nobody_saw_when_it_was() -> None:
    rows = make_rows(1, [0, 1, 1], [0] * 3, step_s=60)
    times = rows.times + np.array([0, 3600, 3600]) * np.timedelta64(1, "s")
    assert np.isnan(uncertainty.minutes_since_change(dataclasses.replace(rows, times=times), 120.0)).all()


def test_without_a_change_all_times_are_unknown() -> None:
    assert np.isnan(uncertainty.minutes_since_change(make_rows(1, [2], [2]), 120.0)).all()


def test_bars_show_the_predicted_and_the_observed_error_of_each_true_count() -> None:
    group, predictions = random_group()
    figure = drawn(uncertainty.where_unsure(group, 120.0))
    heights = [patch.get_height() for patch in figure.axes[0].patches]  # type: ignore[attr-defined]
    truth = np.concatenate([rows.truth for parts in group.parts for rows in parts])
    mean, std = (
        np.concatenate([getattr(prediction, name) for parts in predictions for prediction in parts])
        for name in ("mean", "std")
    )
    said = [np.sqrt(np.square(std[truth == count]).mean()) for count in range(4)]
    seen = [np.sqrt(np.square((mean - truth)[truth == count]).mean()) for count in range(4)]
    assert heights == pytest.approx([*said, *seen])
    total = f"±{np.sqrt(np.square(std).mean()):.2f} people, observed {np.sqrt(np.square(mean - truth).mean()):.2f}"
    assert figure.get_suptitle().replace("\n", " ") == f"lstm: predicted error {total}"


def test_lines_show_occupied_and_empty_rows_apart_by_the_time_since_the_change() -> None:
    made = Made()
    rows = make_rows(1, [0, 0, 2, 2, 2, 0, 0, 0], [0] * 8, step_s=60)
    made.add(parts=[dataclasses.replace(rows, mean=np.array([0, 0, 1, 2, 2, 1, 1, 3.0]), std=np.full(8, 0.5))])
    figure = drawn(uncertainty.where_unsure(made.compare().groups[0], 120.0))
    nothing = [np.nan] * (len(uncertainty.MINUTES) - 3)
    np.testing.assert_allclose(line(figure, "observed, occupied", 1), [np.sqrt(0.5), 0.0, *nothing])
    np.testing.assert_allclose(line(figure, "observed, empty", 1), [1.0, 3.0, *nothing])
    np.testing.assert_allclose(line(figure, "predicted, empty", 1), [0.5, 0.5, *nothing])
    labels = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert labels == ["0-2", "2-5", "5-10", "10-20", "20-40", "40-80", "80+"]


def test_ninety_percent_intervals_hold_what_the_metrics_say() -> None:
    group, predictions = random_group(seeds=1)
    table = uncertainty.interval_coverage(group, 0.9)
    for (_, found), rows, prediction in zip(table.iterrows(), group.parts[0], predictions[0], strict=True):
        expected = score([(prediction, rows.truth)], 120.0)
        assert found["inside"] / found["rows"] == pytest.approx(expected["coverage_90"])
        assert found["inside_occupied"] / found["occupied"] == pytest.approx(expected["coverage_90_occupied"])


def test_a_model_that_tells_its_own_chances_holds_what_it_promises() -> None:
    generator = np.random.default_rng(0)
    probs = generator.dirichlet(np.ones(4), size=20_000)
    truth = (probs.cumsum(axis=1) < generator.random((20_000, 1))).sum(axis=1)
    rows = dataclasses.replace(make_rows(1, truth.tolist(), truth.tolist()), probs=probs)
    group = dataclasses.replace(random_group()[0], parts=[[rows]])
    for level in (0.5, 0.9):
        (table,) = [uncertainty.interval_coverage(group, level).iloc[0]]
        assert table["inside"] / table["rows"] == pytest.approx(table["expected"] / table["rows"], abs=0.01)
        assert table["expected"] / table["rows"] > level, "counts are whole"


def test_the_curve_pools_folds_and_seeds_and_shows_each_fold() -> None:
    group, _ = random_group()
    figure = drawn(uncertainty.interval_curve(group))
    tables = [uncertainty.interval_coverage(group, level) for level in uncertainty.LEVELS]
    assert line(figure, "all rows") == pytest.approx([table["inside"].sum() / 700 for table in tables])
    assert line(figure, "expected by the model") == pytest.approx([table["expected"].sum() / 700 for table in tables])
    folds = [np.asarray(line.get_ydata()) for line in figure.axes[0].lines[1:3]]
    for fold, shown in enumerate(folds, start=1):
        held = [table[table["fold"] == fold]["inside"].sum() / (400 if fold == 1 else 300) for table in tables]
        assert shown == pytest.approx(held)
    assert "the 90% interval holds" in figure.get_suptitle().replace("\n", " ")


def test_a_room_that_nobody_entered_has_figures_too() -> None:
    made = Made()
    made.add(parts=[make_rows(1, [0] * 10, [0] * 10)])
    group = made.compare().groups[0]
    drawn(uncertainty.where_unsure(group, 120.0))
    drawn(uncertainty.selective_prediction(group))
    title = drawn(uncertainty.interval_curve(group)).get_suptitle().replace("\n", " ")
    assert title == "lstm: the 90% interval holds 100% of all rows"


def test_selective_prediction_gives_the_errors_that_the_metrics_say() -> None:
    group, predictions = random_group()
    figure = drawn(uncertainty.selective_prediction(group))
    scores = [
        score([(prediction, rows.truth) for prediction, rows in zip(*both, strict=True)], 120.0)
        for both in zip(predictions, group.parts, strict=True)
    ]
    assert line(figure, "80% answered")[0] == pytest.approx(np.mean([found["mse_kept_80"] for found in scores]))
    assert line(figure, "most certain rows").mean() == pytest.approx(np.mean([found["aurc"] for found in scores]))
    assert line(figure, "most certain rows")[-1] == pytest.approx(np.mean([found["mse"] for found in scores]))
    shown = {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    assert shown == {"all rows answered", "most certain rows", "80% answered"}
