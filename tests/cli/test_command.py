from __future__ import annotations

import argparse
import errno
import io
import os
import re
import signal
import subprocess
import sys
import time
import warnings

import pytest
from rich.console import Console

from occupancy.cli import progress
from occupancy.cli.command import INTERRUPTED, USAGE_ERROR, Parser, run
from occupancy.cli.progress import Stages, UnitProgress
from occupancy.errors import InputError, InputWarning, Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def fail_with(error: BaseException) -> None:
    raise error


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal of 80 columns is sent."""
    sent = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda **_: Console(file=sent, force_terminal=True, width=80))
    return sent


def frames(sent: io.StringIO) -> list[str]:
    """Return each state of the display, the last at the end."""
    return [frame.strip() for frame in re.split(r"[\r\n]+", CONTROL.sub("", sent.getvalue())) if frame.strip()]


def test_a_command_that_ends_well_gives_0_and_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    done = []
    assert run("name", lambda: done.append(1)) == 0
    assert done == [1]
    assert capsys.readouterr() == ("", "")


def test_a_mistake_of_the_users_is_one_line_on_standard_error_and_gives_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("name", lambda: fail_with(InputError("got this,\n  expected that"))) == USAGE_ERROR == 2
    assert capsys.readouterr() == ("", "name: got this, expected that\n")


def test_a_defect_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ValueError, match="a defect"):
        run("name", lambda: fail_with(ValueError("a defect")))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_line_that_names_the_file_and_gives_2(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("name", lambda: fail_with(OSError(number, os.strerror(number), "share.txt"))) == USAGE_ERROR
    said = "name: no space left on the disk for share.txt; free some, then give the command again\n"
    assert capsys.readouterr() == ("", said)
    with pytest.raises(OSError, match="other"):
        run("name", lambda: fail_with(OSError(errno.EIO, "other")))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no disk is always full here")  # noqa: PTH110
@pytest.mark.parametrize("size", [1, 100_000])
def test_output_into_a_full_file_is_one_line_and_gives_2(size: int) -> None:
    code = f"from occupancy.cli.command import run; raise SystemExit(run('name', lambda: print('x' * {size})))"
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ended = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    told = "name: no space left on the disk; free some, then give the command again\n"
    assert (ended.returncode, ended.stderr) == (USAGE_ERROR, told)


def test_no_message_shows_the_password_of_an_address_that_it_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    address = "postgres://ann:s3cret@h/x"
    assert run("name", lambda: fail_with(InputError(f"got {address!r}"))) == USAGE_ERROR
    assert run("name", lambda: warnings.warn(f"at {address}", InputWarning, stacklevel=1)) == 0
    with pytest.raises(SystemExit):
        Parser(prog="name").parse_args([f"--uri={address}"])
    errors = capsys.readouterr().err
    assert errors.count("postgres://ann:***@h/x") == 3
    assert "s3cret" not in errors


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_stops_the_command_in_one_line_and_gives_130(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        os.kill(os.getpid(), number)
        time.sleep(10)
        pytest.fail("the signal was not heeded")

    assert run("name", command) == INTERRUPTED == 130
    assert capsys.readouterr() == ("", "name: interrupted\n")


@pytest.mark.parametrize("command", ["lambda: print('name: smoke')", "lambda: Console().print('name: smoke')"])
def test_output_cut_off_as_by_head_is_no_traceback(command: str) -> None:
    imports = "import sys; from rich.console import Console; from occupancy.cli.command import run"
    code = f"{imports}; sys.exit(run('name', {command}))"
    # Output to a pipe waits in a buffer, at a user's at least, and fails only when Python ends.
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, env=buffered, check=False, text=True
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_stop_is_no_exception_that_a_library_would_swallow() -> None:
    assert not issubclass(Interrupted, Exception | KeyboardInterrupt)


@pytest.mark.parametrize("error", [None, InputError("mistake"), Interrupted(), RuntimeError("defect")])
def test_signal_handlers_are_as_before_once_the_command_has_ended(error: BaseException | None) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]

    def command() -> None:
        assert [signal.getsignal(number) for number in SIGNALS] != before
        if error is not None:
            raise error

    if isinstance(error, RuntimeError):
        with pytest.raises(RuntimeError):
            run("name", command)
    else:
        run("name", command)
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_warning_of_ours_stands_in_a_frame_as_often_as_it_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        for _ in range(2):
            warnings.warn("label 1 is [bold]tested[/bold] but never trained", InputWarning, stacklevel=1)

    assert run("name", command) == 0
    output, errors = capsys.readouterr()
    assert output == ""
    lines = errors.splitlines()
    assert [line.strip("╭╮─ ") for line in lines if line.startswith("╭")] == ["Warning", "Warning"]
    framed = [line.strip("│ ") for line in lines if line.startswith("│")]
    assert framed == ["label 1 is [bold]tested[/bold] but never trained"] * 2


def test_many_warnings_of_one_kind_are_two_and_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    def warn() -> None:
        for fold in range(1, 31):
            warnings.warn(f"folds own: fold {fold}: label {fold + 1} is never trained", InputWarning, stacklevel=1)
        warnings.warn("folds own: the log is short", InputWarning, stacklevel=1)

    run("name", warn)
    said = [line.strip("│ ") for line in capsys.readouterr().err.splitlines() if line.startswith("│")]
    assert said == [
        "folds own: fold 1: label 2 is never trained",
        "folds own: fold 2: label 3 is never trained",
        "folds own: the log is short",
        "28 more of the kind: fold ...: label ... is never trained",
    ]


def test_a_long_warning_is_shown_to_its_last_word(capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"word{number}" for number in range(60)]
    run("name", lambda: warnings.warn(" ".join(words), InputWarning, stacklevel=1))
    shown = capsys.readouterr().err.splitlines()
    assert max(map(len, shown)) <= 80
    assert " ".join(line.strip("│ ") for line in shown[1:-1]).split() == words


def test_a_librarys_warning_is_not_the_users_business(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        before = warnings.showwarning
        assert run("name", lambda: warnings.warn("deprecated", FutureWarning, stacklevel=1)) == 0
        assert warnings.showwarning is before
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "required: --config"), (["--config"], "expected one argument"), (["--config", "x", "--colour"], "--colour")],
)
def test_a_mistake_in_the_arguments_is_one_line_that_points_to_the_help(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = Parser(prog="name")
    parser.add_argument("--config", required=True)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(arguments)
    assert caught.value.code == USAGE_ERROR
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    assert errors.startswith("name: ")
    assert said in errors
    assert errors.endswith("; see --help\n")


def test_what_commands_share_is_parsed_alike_wherever_it_stands() -> None:
    parser = Parser(prog="occupancy name")
    parser.add_config("an experiment")
    parser.add_json()
    parser.add_overrides("settings")
    given: list[argparse.Namespace] = []
    assert parser.run(given.append, ["seed=1", "--config", "a.yaml", "model.window=5", "--json"]) == 0
    (options,) = given
    assert vars(options) == {"config": "a.yaml", "json": True, "overrides": ["seed=1", "model.window=5"]}


class Finalized:
    """Hears a wish to stop in its finalizer, where Python ignores what is raised."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)


def test_a_wish_to_stop_that_comes_in_a_finalizer_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        Finalized()
        time.sleep(20)

    begun = time.monotonic()
    assert run("command", command) == INTERRUPTED
    assert time.monotonic() - begun < 10
    assert capsys.readouterr().err == "command: interrupted\n"


def test_a_command_that_fails_says_so_under_the_name_that_its_help_shows(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="occupancy name")
    assert parser.run(lambda _: fail_with(InputError("got this, expected that")), []) == USAGE_ERROR
    assert capsys.readouterr() == ("", "occupancy name: got this, expected that\n")
    assert parser.run(lambda _: fail_with(Interrupted()), [], "stopped; what was recorded is kept") == INTERRUPTED
    assert capsys.readouterr().err == "occupancy name: stopped; what was recorded is kept\n"


def test_off_a_terminal_the_progress_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with UnitProgress(4) as shown:
        shown.share("one", 0.5)
        shown.advance("one", 1, 4)
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_the_progress_tells_what_is_done_elapsed_and_left_on_one_line(terminal: io.StringIO) -> None:
    with UnitProgress(12, done=3) as shown:
        shown.advance("one", 4, 12)
    last = frames(terminal)[-1]
    assert last.startswith("4/12 fits ")
    assert re.search(r" 0:00:00 [-\d:]+$", last)
    assert len(last) <= 80


def test_shares_of_units_under_way_move_the_bar_and_do_not_count_as_done() -> None:
    shown = UnitProgress(4)
    (task,) = shown._bar.tasks
    shown.share("one", 0.5)
    shown.share("two", 0.25)
    assert (task.completed, task.fields["done"]) == (0.75, 0)
    shown.advance("one", 1, 6)
    assert (task.completed, task.fields["done"], task.total) == (1.25, 1, 6)


def test_a_bar_is_full_when_everything_is_done(terminal: io.StringIO) -> None:
    with UnitProgress(2) as shown:
        for done, unit in enumerate(("one", "two"), 1):
            shown.share(unit, 0.9)
            shown.advance(unit, done, 2)
        (task,) = shown._bar.tasks
        assert task.finished
    assert frames(terminal)[-1].startswith("2/2 fits ")


def test_a_bar_of_work_that_broke_off_vanishes(terminal: io.StringIO) -> None:
    with UnitProgress(2) as shown:
        shown.advance("one", 1, 2)
    assert terminal.getvalue().rstrip().endswith("\x1b[2K"), "the line is cleared"


def test_a_stage_is_not_done_before_the_next_begins() -> None:
    stages = Stages()
    (task,) = stages._bar.tasks
    with stages:
        stages.plan(2)
        stages.begin("read")
        assert (task.description, task.completed, task.finished) == ("1/2 read", 0, False)
        stages.begin("write")
        assert (task.description, task.completed, task.finished) == ("2/2 write", 1, False)


def test_a_command_says_that_it_loads_before_it_knows_its_stages_and_leaves_nothing_behind(
    terminal: io.StringIO,
) -> None:
    with Stages() as stages:
        assert frames(terminal)[-1].split()[1] == "loading"
        stages.begin("reading runs")
        stages._bar.refresh()
        assert " reading runs " in frames(terminal)[-1]
    assert terminal.getvalue().endswith("\x1b[1A\x1b[2K")  # the line is erased


def test_stages_are_silent_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Stages() as stages:
        stages.begin("read")
    assert capsys.readouterr() == ("", "")
