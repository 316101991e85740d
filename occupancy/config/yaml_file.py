"""Reading YAML: numbers such as ``1e-3`` are numbers, and a key that is given twice is an error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from occupancy.errors import InputError


class _Loader(yaml.SafeLoader):
    """Safe YAML that reads ``1e-3`` as a number and refuses a key that is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        scalars = (key for key, _ in node.value if isinstance(key, yaml.ScalarNode))  # the base class refuses others
        for key in scalars:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# YAML 1.1 requires a dot in a float, so PyYAML reads 1e-3 as text; users mean a number.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def parse_yaml(text: str) -> Any:
    """Return the value that a YAML text holds.

    Raises:
        yaml.YAMLError: if the text is not valid YAML.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except (ValueError, AttributeError, RecursionError) as error:  # for example for the date 2024-99-99
        raise yaml.YAMLError(str(error)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Raises:
        InputError: if the file is missing, is not text or not valid YAML, is empty, or holds no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a YAML file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not text; give the path of a YAML file") from None
    try:
        content = parse_yaml(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: is not valid YAML: {_in_one_line(error)}") from None
    if not isinstance(content, dict):
        got = "an empty file" if content is None else f"{content!r} ({type(content).__name__})"
        raise InputError(f"{path}: got {got}, expected keys with values")
    return content


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).replace('in "<unicode string>", ', "in ").split())
