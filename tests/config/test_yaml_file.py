from __future__ import annotations

import re
from pathlib import Path

import pytest

from occupancy.config.yaml_file import parse_yaml, read_yaml
from occupancy.errors import InputError


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(f"{tmp_path}: cannot be read (Is a directory); give the path")):
        read_yaml(tmp_path)


@pytest.mark.parametrize(("text", "value"), [("1e-3", 0.001), ("-1E5", -100_000.0), ("e-3", "e-3"), ("", None)])
def test_numbers_need_no_dot(text: str, value: object) -> None:
    got = parse_yaml(text)
    assert got == value
    assert type(got) is type(value)
