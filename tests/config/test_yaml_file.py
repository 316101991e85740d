from __future__ import annotations

import contextlib
import datetime
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from occupancy.config.yaml_file import DEEPEST, MOST_BYTES, MOST_VALUES, parse_yaml, read_yaml
from occupancy.errors import InputError

QUICK_S = 2.0  # CPU; a bomb that is built, not refused, takes minutes


def bomb(leaf: str, layer: Callable[[str], str], layers: int = 9) -> str:
    """Return a text whose anchors each repeat the one before."""
    lines = [f"- &a0 {leaf}", *(f"- &a{n} {layer(f'*a{n - 1}')}" for n in range(1, layers))]
    return "seed:\n" + "\n".join(lines)


def nine(text: str) -> str:
    return ",".join([text] * 9)


BOMBS = {
    "lists": bomb("[lol]", lambda alias: f"[{nine(alias)}]"),
    "mappings": bomb("{a: 1}", lambda alias: "{" + ",".join(f"k{n}: {alias}" for n in range(9)) + "}"),
    "mapping keys": bomb("{a: 1}", lambda alias: "{" + ",".join(f"? {{k{n}: {alias}}} : 1" for n in range(9)) + "}"),
    "merges": bomb("{a: 1}", lambda alias: f"{{<<: [{nine(alias)}]}}"),
    "a wide merge": "m: &m {" + ",".join(f"k{n}: 1" for n in range(5000)) + "}\n" + "n: [" + "{<<: *m}," * 2000 + "]",
    "long texts": bomb("'" + "x" * 20_000 + "'", lambda alias: f"[{nine(alias)}]", 5),
    "a long text": "name: &a '" + "x" * 90_000 + "'\nseed: [" + nine("*a") + "," + nine("*a") + "]",
    "many values": "seed: [" + "1," * (MOST_VALUES + 1) + "]",
    "many anchors": "seed: [" + ",".join(f"&a{n} 1" for n in range(MOST_VALUES)) + "]",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_text_that_stands_for_more_than_a_file_can_hold_is_refused_at_once(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(yaml.YAMLError, match="expected at most 100,000 values and 1,000,000 characters"):
        parse_yaml(text)
    assert time.process_time() - begun < QUICK_S


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: *a}", "a: &a\n  <<: *a", "- *a\n- &a 1"])
def test_an_alias_of_what_has_not_ended_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match="alias 'a' stands for nothing that ends before it"):
        parse_yaml(text)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[{a: ", "{? "])
@pytest.mark.parametrize("layers", [DEEPEST + 1, 100_000])
def test_deep_nesting_is_refused_at_once(opening: str, layers: int) -> None:
    begun = time.process_time()
    with pytest.raises(yaml.YAMLError, match="nested deeper than 20"):
        parse_yaml(opening * layers)
    assert time.process_time() - begun < QUICK_S


FILL = {
    "a comment": "seed: 1\n#" + "x" * 990_000,
    "blank lines": "\n" * 990_000 + "seed: 1",
    "comments": "#\n" * 490_000 + "seed: 1",
    "a text": "seed: 1\nname: " + "x " * 490_000,
    "a quoted text": 'seed: 1\nname: "' + "\\x41" * 240_000 + '"',
    "a folded text": "seed: 1\nname: >\n" + " x\n" * 320_000,
    "a key": "seed: 1\n" + "? " + "x" * 990_000 + "\n: 1",
}


@pytest.mark.parametrize("text", FILL.values(), ids=FILL)
def test_a_long_file_is_read_quickly(text: str, tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text(text)
    begun = time.process_time()
    assert read_yaml(path)["seed"] == 1
    assert time.process_time() - begun < QUICK_S


@pytest.mark.parametrize("tag", ["!!int 5", "!!str 5", "!!binary aaaa", "!!set {a}", "!!python/name:os.system", "! a"])
def test_tags_are_refused(tag: str) -> None:
    with pytest.raises(yaml.YAMLError, match=r"got the tag '.*', expected values without tags; quote a text"):
        parse_yaml(f"seed: {tag}")


def test_aliases_and_merges_are_read() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: [&n 5, *n]\nd: {<<: [{z: 0}, *a]}"
    assert parse_yaml(text) == {
        "a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": [5, 5], "d": {"z": 0, "x": 1, "y": 2},
    }  # fmt: skip


def test_a_key_that_replaces_a_merged_one_is_not_given_twice_wherever_its_mapping_is_merged_again() -> None:
    text = "a: {deep: {b: &b {x: 1}, m: &m {<<: *b, x: 2}}}\nn: {<<: *m}"
    assert parse_yaml(text)["n"] == {"x": 2}
    assert parse_yaml(text)["a"]["deep"]["m"] == {"x": 2}


@pytest.mark.parametrize(
    "text", ["{<<: {a: 1}, <<: {b: 1}}", "{a: 1, 'a': 2}", "[{b: {a: 1, a: 1}}]", "{[{a: 1, a: 1}]: 1}"]
)
def test_a_key_that_is_given_twice_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match="is given twice"):
        parse_yaml(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-1E5", -100_000.0),
        ("e-3", "e-3"),
        ("", None),
        ("10:30", "10:30"),
        ("1:1:1.5", "1:1:1.5"),
        ("2024-01-01 10:00:00", datetime.datetime(2024, 1, 1, 10)),
        ("0x1F", 31),
        ("9" * 90, 10**90 - 1),
    ],
)
def test_numbers_need_no_dot_and_are_never_in_base_60(text: str, value: object) -> None:
    got = parse_yaml(text)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    "text", ["9" * 900_000, "0x" + "f" * 900_000, "1" + ":1" * 300_000, "0." + "1" * 900_000, "0b" + "1" * 101]
)
def test_what_is_far_too_long_for_a_number_is_text(text: str) -> None:
    begun = time.process_time()
    assert parse_yaml(text) == text
    assert time.process_time() - begun < QUICK_S


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(f"{tmp_path}: cannot be read (Is a directory); give the path")):
        read_yaml(tmp_path)


@pytest.mark.parametrize("name", ["y" * 300, "y" * 5000, "y/" * 3000])
def test_a_name_that_is_too_long_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"^y.*: cannot be read \(.*\); give the path of a YAML file$"):
        read_yaml(Path(name))


def special(folder: Path) -> dict[str, Any]:
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
    return {name: folder / name for name in ("pipe", "link", "socket")}


@pytest.mark.parametrize("name", ["pipe", "link", "socket", "/dev/zero", "/dev/null", "/dev/urandom"])
def test_what_is_no_file_is_refused_without_waiting(name: str, tmp_path: Path) -> None:
    path = special(tmp_path).get(name, Path(name))
    with pytest.raises(
        InputError, match=re.escape(f"{path}: is neither an ordinary file nor an open pipe; give the path")
    ):
        read_yaml(path)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(
        InputError, match=re.escape(f"{path}: is larger than 1,000,000 bytes; give the path of a smaller")
    ):
        read_yaml(path)


@pytest.fixture
def piped() -> Any:
    """Return what makes a pipe that somebody writes into, as shells do for ``<(...)``."""
    opened: list[int] = []

    def pipe(content: bytes) -> Path:
        reader, writer = os.pipe()
        opened.append(reader)

        def write() -> None:
            with os.fdopen(writer, "wb") as file, contextlib.suppress(BrokenPipeError):
                file.write(content)

        threading.Thread(target=write).start()
        return Path(f"/dev/fd/{reader}")

    yield pipe
    for reader in opened:
        os.close(reader)


def test_an_open_pipe_is_read(piped: Callable[[bytes], Path]) -> None:
    assert read_yaml(piped(b"seed: 7\n" + b"# and more\n" * 20_000)) == {"seed": 7}


def test_an_open_pipe_is_read_no_further_than_a_file(piped: Callable[[bytes], Path]) -> None:
    with pytest.raises(InputError, match="is larger than 1,000,000 bytes"):
        read_yaml(piped(b"#" * (2 * MOST_BYTES)))
