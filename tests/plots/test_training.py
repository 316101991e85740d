"""Learning curves and transitions show the history of a training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from occupancy.plots.training import learning_curves, transitions
from tests.drawn import boxes, overlapping
from tests.plots.made_figures import lines, train


def test_learning_curves_draw_every_network_and_the_mean_that_chooses() -> None:
    history = train(3, 5)
    search, final = learning_curves(history, 4).axes
    for axes, stage in ((search, "search"), (final, "final")):
        drawn = lines(axes, "training loss, each network")
        assert len(drawn) == 3
        for member, (x, y) in enumerate(drawn):
            rows = history[(history["stage"] == stage) & (history["member"] == member)]
            np.testing.assert_array_equal(x, rows["epoch"])
            np.testing.assert_allclose(y, rows["train_loss"])
    assert len(lines(search, "validation loss, each network")) == 3
    ((_, mean),) = lines(search, "validation loss, mean of networks")
    np.testing.assert_allclose(mean, history[history["stage"] == "search"].groupby("epoch")["val_loss"].mean())
    assert lines(final, "validation loss, mean of networks") == []


def test_a_network_that_stopped_early_keeps_its_last_loss_in_the_mean() -> None:
    history = train(2, 3)
    history = history[~((history["member"] == 1) & (history["epoch"] == 3))]
    search, _ = learning_curves(history, 2).axes
    ((x, mean),) = lines(search, "validation loss, mean of networks")
    assert x.tolist() == [1, 2, 3]
    losses = history[history["stage"] == "search"].groupby("member")["val_loss"].last()
    assert mean[2] == pytest.approx(losses.mean())


def test_trainings_of_different_lengths_have_a_mean_each() -> None:
    history = pd.concat([train(2, 3), train(2, 5, lowest=0.7).query("stage == 'search'")])
    search, _ = learning_curves(history, 3).axes
    (_, short), (_, long) = lines(search, "validation loss, mean of networks")
    means = history[history["stage"] == "search"].groupby(["epochs", "epoch"])["val_loss"].mean()
    assert short[:3] == pytest.approx(means[3].to_numpy())
    assert long == pytest.approx(means[5].to_numpy())


def test_the_chosen_epoch_is_marked_in_the_search_and_named() -> None:
    figure = learning_curves(train(3, 50), 27)
    search, final = figure.axes
    ((x, _),) = lines(search, "chosen epoch 27")
    assert x.tolist() == [27, 27]
    assert lines(final, "chosen epoch 27") == []
    assert "27 epochs chosen" in figure.get_suptitle()
    assert "chosen epoch 27" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_without_a_final_fit_there_is_one_panel() -> None:
    history = train(1, 8)
    (axes,) = learning_curves(history[history["stage"] == "search"], 8).axes
    assert axes.get_title() == "search for the number of epochs"


@pytest.mark.parametrize(
    ("lowest", "scale"),
    [(0.01, "log"), (1e-12, "log"), (-0.5, "linear"), (5.0, "linear")],
    ids=["positive", "tiny", "a log-likelihood below zero", "less than a factor of ten"],
)
def test_the_loss_axis_is_logarithmic_where_that_helps(lowest: float, scale: str) -> None:
    history = train(1, 40, lowest)
    history.loc[history.index[-1], "train_loss"] = lowest
    figure = learning_curves(history, 40)
    assert {axes.get_yscale() for axes in figure.axes} == {scale}
    labels = figure.axes[0].get_yticklabels()
    assert len(boxes(figure, labels)) >= 3
    assert not overlapping(boxes(figure, labels))


def test_one_epoch_is_a_visible_dot_at_a_whole_number() -> None:
    search, final = learning_curves(train(2, 1), 1).axes
    for axes in (search, final):
        assert [tick for tick in axes.get_xticks() if 0.5 <= tick <= 1.5] == [1]
        curves = [line for line in axes.get_lines() if line.get_label() != "chosen epoch 1"]
        assert {line.get_marker() for line in curves} == {"o"}


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_losses_that_are_no_numbers_are_left_out(loss: float) -> None:
    history = train(2, 10)
    history.loc[history["epoch"].isin([3, 4]) & (history["member"] == 0), ["train_loss", "val_loss"]] = loss
    search, _ = learning_curves(history, 9).axes
    (_, first), (_, second) = lines(search, "training loss, each network")
    np.testing.assert_array_equal(np.isnan(first), np.isin(np.arange(1, 11), [3, 4]))
    assert np.isfinite(second).all()


@pytest.mark.parametrize("column", [["val_loss"], ["train_loss", "val_loss"]])
def test_without_stopping_losses_no_epoch_is_said_to_be_chosen_by_them(column: list[str]) -> None:
    history = train(2, 10)
    history[column] = np.nan
    figure = learning_curves(history, 10)
    figure.draw_without_rendering()
    assert figure.get_suptitle() == "Learning curves: 10 epochs"
    assert not [text for text in figure.legends[0].get_texts() if "stopping" in text.get_text()]


def chain_history(classes: int) -> pd.DataFrame:
    """Return a history in which every change costs a tenth of a nat more with each epoch of the final fit."""
    rows = [
        {"stage": stage, "member": member, "epochs": 3, "epoch": epoch}
        | {
            f"transition/{i}/{j}": (-0.1 * epoch * (i != j) if stage == "final" else 7.0) + i
            for i in range(classes)
            for j in range(classes)
        }
        for stage in ("search", "final")
        for member in (0, 1)
        for epoch in (1, 2, 3)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("classes", [2, 4, 9])
def test_transitions_are_drawn_of_the_final_fit_less_those_of_staying(classes: int) -> None:
    figure = transitions(chain_history(classes), classes, "what a change costs")
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes] == [f"from {label}" for label in range(classes)]
    for label, axes in enumerate(figure.axes):
        lines = {line.get_label(): np.asarray(line.get_ydata()) for line in axes.get_lines()}
        for other in range(classes):
            expected = [-0.1, -0.2, -0.3] if other != label else [np.nan] * 3
            np.testing.assert_allclose(lines[f"to {other}"], expected)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["staying", *(f"to {label}" for label in range(classes))]


def test_a_history_without_transitions_has_no_picture_of_them() -> None:
    assert transitions(pd.DataFrame(), 4, "nothing") is None
