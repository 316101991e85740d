"""A wish to stop that comes in the middle of a write."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from occupancy.tracking.run import FAILED, FINISHED, KILLED, ending, uninterrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop(BaseException):
    pass


@pytest.fixture
def stoppable() -> Any:
    """Both signals raise `Stop`, as they do in a command."""

    def stop(*_: object) -> None:
        raise Stop

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    yield [signal.getsignal(number) for number in SIGNALS]
    for number, handler in before.items():
        signal.signal(number, handler)


def slow_write(path: Path, number: int) -> None:
    """Write two halves, and be told to stop between them."""
    with path.open("w") as file:
        file.write("one ")
        signal.raise_signal(number)
        time.sleep(0.01)  # where Python would hear it
        file.write("two")


@pytest.mark.usefixtures("hears_ctrl_c")
def test_ctrl_c_in_the_middle_of_a_write_comes_when_it_is_done(tmp_path: Path) -> None:
    after: list[int] = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 (what follows the write is not reached)
        with uninterrupted():
            slow_write(tmp_path / "written", signal.SIGINT)
        after.append(1)
    assert (tmp_path / "written").read_text() == "one two"
    assert after == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", SIGNALS)
def test_it_comes_once_after_the_outermost_write_and_to_who_listened_before(
    tmp_path: Path, stoppable: list[Any], number: int
) -> None:
    @uninterrupted()
    def write(name: str) -> None:
        slow_write(tmp_path / name, number)

    @uninterrupted()
    def write_both() -> None:
        write("first")
        write("second")

    with pytest.raises(Stop):
        write_both()
    assert [(tmp_path / name).read_text() for name in ("first", "second")] == ["one two", "one two"]
    assert [signal.getsignal(number) for number in SIGNALS] == stoppable


def test_an_error_of_the_write_is_told_where_nobody_wants_to_stop(stoppable: list[Any]) -> None:
    with pytest.raises(ValueError, match="no room"), uninterrupted():
        raise ValueError("no room")
    assert [signal.getsignal(number) for number in SIGNALS] == stoppable


def test_in_another_thread_which_hears_no_signal_it_does_nothing() -> None:
    done: list[str] = []

    @uninterrupted()
    def write() -> None:
        done.append("written")

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert done == ["written"]


@pytest.mark.parametrize(("error", "status"), [(None, FINISHED), (ValueError(), FAILED), (Stop(), KILLED)])
@pytest.mark.usefixtures("stoppable")
def test_how_a_run_ended_is_written_even_where_the_user_stops_it_just_then(
    tmp_path: Path, error: BaseException | None, status: str
) -> None:
    def end(status: str) -> None:
        slow_write(tmp_path / status, signal.SIGINT)

    def work(fail: Callable[[], None]) -> None:
        with ending(end):
            fail()

    def fail() -> None:
        if error is not None:
            raise error

    with pytest.raises(Stop):
        work(fail)
    assert [path.name for path in tmp_path.iterdir()] == [status]
    assert (tmp_path / status).read_text() == "one two"
