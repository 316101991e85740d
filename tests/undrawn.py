"""Figures that are made, but not drawn: that takes half the time of a small training, and other tests look at them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_BLANK = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg==")


@contextmanager
def undrawn() -> Iterator[None]:
    """Save an empty picture where a figure is saved in this process."""

    def save(_: object, target: Any, **__: object) -> None:
        target.write(_BLANK) if hasattr(target, "write") else Path(target).write_bytes(_BLANK)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", save)
        yield
