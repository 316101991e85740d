from __future__ import annotations

from pathlib import Path

from occupancy.execution.shares import Share, ShareFile


def test_a_share_grows_with_each_step_and_knows_steps_that_were_planned_late_or_taken_back() -> None:
    told: list[float] = []
    share = Share(told.append)
    share.plan(4)
    share.done()
    share.plan(4)
    share.done()
    share.plan(-4)
    share.done()
    assert told == [0.25, 0.25, 0.75]


def test_a_step_that_nobody_planned_is_all_there_is() -> None:
    told: list[float] = []
    share = Share(told.append)
    share.done()
    share.done()
    assert told == [1.0, 1.0]


def test_a_reader_is_told_the_latest_share_of_each_unit_once(tmp_path: Path) -> None:
    path = tmp_path / "shares"
    path.touch()
    reader, writer = ShareFile(path), ShareFile(path)
    assert reader.news() == {}
    for number, share in ((1, 0.25), (2, 0.5), (1, 0.75)):
        writer.tell(number, share)
    assert reader.news() == {1: 0.75, 2: 0.5}
    assert reader.news() == {}
    with path.open("ab") as file:
        file.write(b"2 0.6")  # a line that is being written
    assert reader.news() == {}
    with path.open("ab") as file:
        file.write(b"000\n")
    assert reader.news() == {2: 0.6}
