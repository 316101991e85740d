"""What runs ours and a reference by turns, and the table of what came of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import pytest
from rich.console import Console
from rich.table import Table

from occupancy.execution.fold import one_thread

Action = Callable[[], Any]


@dataclass(frozen=True)
class Result:
    """What one benchmark gave.

    Attributes:
        what: what both sides do.
        reference: what ours is measured against.
        ours_s: median seconds of ours for doing it once.
        reference_s: those of the reference.
        speedup: median over the rounds of the reference's time by ours in the same round; below 1, ours is slower.
        slowest: the smallest of these, the round that was worst for ours.
        target: the speed-up to reach.
    """

    what: str
    reference: str
    ours_s: float
    reference_s: float
    speedup: float
    slowest: float
    target: float

    @property
    def row(self) -> tuple[str, ...]:
        """The cells of the table."""
        met = "[green]yes[/]" if self.speedup >= self.target else "[red]no[/]"
        times = _duration(self.ours_s), f"{_duration(self.reference_s)} {self.reference}"
        return self.what, *times, _ratio(self.speedup), _ratio(self.slowest), _ratio(self.target), met


class Race(Protocol):
    """Runs ours and a reference by turns and notes how much faster ours is."""

    def __call__(
        self,
        what: str,
        ours: Action,
        reference: tuple[str, Action],
        target: float,
        rounds: int = 15,
        calls: int = 1,
        warmup: int = 1,
    ) -> None:
        """Measure.

        Args:
            what: what both sides do.
            ours: does it.
            reference: does it too, after its name.
            target: the speed-up to reach; below 1, how much slower ours may be.
            rounds: how often each side has its turn.
            calls: how often it acts in a turn, so that a turn is long beside what the clock and the change cost.
            warmup: rounds before those that count.
        """


_RESULTS = pytest.StashKey[list[Result]]()


@pytest.fixture
def race(benchmark: Any, request: pytest.FixtureRequest) -> Race:
    """Return what measures ours beside a reference, and keeps the result with the benchmark and for the table."""

    def run(
        what: str,
        ours: Action,
        reference: tuple[str, Action],
        target: float,
        rounds: int = 15,
        calls: int = 1,
        warmup: int = 1,
    ) -> None:
        name, theirs = reference
        beside: list[float] = []

        def turn(action: Action) -> float:
            start = time.perf_counter()
            for _ in range(calls):
                action()
            return time.perf_counter() - start

        # The reference's turn is the setup of ours, so that whatever else the machine does meets both alike.
        benchmark.pedantic(
            lambda: turn(ours), setup=lambda: beside.append(turn(theirs)), rounds=rounds, warmup_rounds=warmup
        )
        if benchmark.disabled:
            return
        own, beside = benchmark.stats.stats.data, beside[warmup:]
        ratios = [slow / fast for fast, slow in zip(own, beside, strict=True)]
        seconds = statistics.median(own) / calls, statistics.median(beside) / calls
        result = Result(what, name, *seconds, statistics.median(ratios), min(ratios), target)
        benchmark.extra_info.update(asdict(result), calls=calls)
        request.config.stash.setdefault(_RESULTS, []).append(result)

    return run


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Both sides alike, as training does, and less at the mercy of other programs."""
    with one_thread():
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    results = terminalreporter.config.stash.get(_RESULTS, [])
    if not results:
        return
    table = Table(title="Ours beside the reference, medians", title_style="bold")
    for heading in ("what", "ours", "reference", "ratio", "worst round", "target", "met"):
        table.add_column(heading)
    for result in results:
        table.add_row(*result.row)
    terminalreporter.write_line("")
    # A pipe is no narrower than what the table needs.
    Console(width=None if Console().is_terminal else 160).print(table)


def _ratio(speedup: float) -> str:
    """Return a speed-up as people say it."""
    figure, word = (speedup, "faster") if speedup >= 1 else (1 / speedup, "slower")
    return (
        f"{figure:.0f}x {word}" if figure >= 20 else f"{figure:.1f}x {word}" if figure >= 2 else f"{figure:.2f}x {word}"
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"
