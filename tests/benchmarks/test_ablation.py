from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import ablation
from benchmarks.rooms_of_weeks import rooms, write_room

CLOCK = str(ablation.CLOCK)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["ablation", "--workers", "1", *arguments])
    ablation.main()


def test_the_ratio_is_the_geometric_mean_over_rooms() -> None:
    assert ablation.mean_ratio([0.049, 0.399], [0.099, 0.099]) == pytest.approx((0.5 * 4) ** 0.5)
    assert ablation.mean_ratio([0.0], [0.0]) == 1


def test_rooms_below_the_clock_are_counted() -> None:
    scores = [{"mse_avg": mse, "nll_avg": 1.0 + mse} for mse in (0.1, 0.5, 0.9)]
    clocks = [{"mse_avg": 0.5, "nll_avg": 0.0}] * 3
    assert list(ablation.compared(scores, clocks))[1:] == ["1 of 3", "1.500"]


def test_the_clock_is_as_good_as_itself_in_simulated_rooms_and_in_folders(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made = [room for room in rooms() if room.simulation.room.step_s == 600][:1]
    monkeypatch.setattr(ablation, "rooms", lambda number: made)
    path = write_room(made[0], tmp_path)
    variants = ["", "model.prior_s=100000"]
    run(monkeypatch, "--config", CLOCK, "--logs", "simulated", "rooms", "--paths", str(path), "--", *variants)
    head, _, same, other = capsys.readouterr().out.splitlines()
    assert head == (
        "| variant | simulated MSE / clock | simulated below clock | simulated NLL "
        "| rooms MSE / clock | rooms below clock | rooms NLL |"
    )
    cells = same.split(" | ")
    assert cells[1:3] == ["1.000", "0 of 1"]
    assert cells[1:4] == [*cells[4:6], cells[6].removesuffix(" |")]  # the folder is the simulated room
    assert other != same.replace("| ``", "| `model.prior_s=100000`")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--logs", "rooms", "--", ""], "--logs rooms needs folders by --paths"),
        (["--paths", "room", "--", ""], "--paths needs --logs rooms"),
        (["--logs", "simulated", "--", "data.max_gap=60"], "a variant can't set data.* here"),
    ],
)
def test_arguments_that_conflict_are_refused(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "--config", CLOCK, *arguments)
    assert message in capsys.readouterr().err
