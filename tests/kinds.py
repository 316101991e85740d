"""The kinds of models that a config can name, from its types, so that a new one is tested without a list to keep."""

from __future__ import annotations

import typing

from occupancy.config import Model

MODELS: list[str] = [
    typing.get_args(tagged)[0].model_fields["name"].default for tagged in typing.get_args(typing.get_args(Model)[0])
]
