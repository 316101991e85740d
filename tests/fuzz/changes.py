"""How valid inputs are spoiled, as hypothesis strategies, and what a command may then do."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hypothesis import strategies as st

LONGEST_S = 20.0
ODD_NUMBERS = [
    "nan",
    "-",
    "inf",
    "-Infinity",
    "1e308",
    "-1e39",
    "1e400",
    "9" * 400,
    "0x1F",
    "1_000",
    "1,5",
    "0.5",
    "-1",
]
ODD_TEXTS = [
    "",
    " ",
    "NULL",
    "True",
    "=1+1",
    "@x",
    "\x1b[2J",
    "\u202e",
    "\ufeff",
    "a\rb",
    '"',
    "#",
    "\u00e9" * 300,
    "x" * 1_001,
]
ODD_TIMES = ["2024-02-30", "2024-01-01T00:00:00Z", "3.0000001", "4000000000", "1:30", "2024-99-99", "%Q", "%z"]
ODD_YAML = ["{}", "[a", "*a", "&a [*a]", "<<: *a", "!!python/object:os.system", "? x", "null", "~", "./x", "/dev/zero"]
TOKENS = st.one_of(
    st.sampled_from([*ODD_NUMBERS, *ODD_TEXTS, *ODD_TIMES, *ODD_YAML]),
    st.text(max_size=12),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(str),
)
"""Cells and values that somebody or something may write."""

CHANGES = ["part", "part", "part", "lose part", "double part", "lose", "double", "move", "text"]


class Ended(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    output: str
    errors: str


@st.composite
def spoiled_lines(draw: st.DrawFn, lines: Sequence[str], separator: str) -> str:
    """Return lines of text of which a few are changed: a part replaced, cut off, doubled, moved or lost."""
    spoiled = list(lines)
    for _ in range(draw(st.integers(1, 4))):
        if not spoiled:
            break
        at = draw(st.integers(0, len(spoiled) - 1))
        parts = spoiled[at].split(separator)
        part = draw(st.integers(0, len(parts) - 1))
        match draw(
            st.sampled_from(["part", "part", "part", "lose part", "double part", "lose", "double", "move", "text"])
        ):
            case "part":
                parts[part] = draw(TOKENS)
            case "lose part":
                del parts[part]
            case "double part":
                parts.insert(part, parts[part])
            case "lose":
                del spoiled[at]
                continue
            case "double":
                spoiled.insert(at, spoiled[at])
                continue
            case "move":
                spoiled.insert(draw(st.integers(0, len(spoiled) - 1)), spoiled.pop(at))
                continue
            case _:
                parts = [draw(TOKENS)]
        spoiled[at] = separator.join(parts)
    return "\n".join(spoiled) + draw(st.sampled_from(["\n", "", "\n\n", "\x1a"]))


def spoiled_file(lines: Sequence[str], separator: str) -> st.SearchStrategy[bytes]:
    """Return the bytes of a changed text: in another encoding, cut off, or with some bytes of other kinds in it."""
    text = spoiled_lines(lines, separator)
    encoded = text.map(lambda each: each.encode("utf-8", "surrogatepass"))
    return st.one_of(
        encoded,
        encoded,
        encoded,
        text.map(lambda each: each.encode("utf-16", "surrogatepass")),
        st.tuples(encoded, st.integers(0, 2_000)).map(lambda pair: pair[0][: pair[1]]),
        st.tuples(encoded, st.binary(max_size=8), st.integers(0, 2_000)).map(
            lambda made: made[0][: made[2]] + made[1] + made[0][made[2] :]
        ),
        st.binary(max_size=40),
    )


def ended(main: Callable[[Sequence[str]], int], *arguments: str) -> Ended:
    """Return how a command ends that is run in this process, and check that it did so as a command may.

    It succeeds, or says in one line what is wrong, without an escape sequence or a traceback, and in time.
    """
    output, errors = io.StringIO(), io.StringIO()
    begun = time.monotonic()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            code = main(arguments)
        except SystemExit as stop:  # argparse ends by itself
            code = int(str(stop.code))
    end = Ended(code, output.getvalue(), errors.getvalue())
    assert end.code in {0, 2}, end
    assert time.monotonic() - begun < LONGEST_S, end
    assert "Traceback" not in end.errors, end
    assert "\x1b" not in end.output + end.errors, end
    if code == 2:
        assert end.errors.count("\n") == 1, end
        assert len(end.errors) <= 2_200, end
    return end
