"""Writing files whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from occupancy.errors import InputError


def write(contents: Mapping[Path, bytes]) -> None:
    """Write files, each of them whole; none of them takes its name before all are on the disk.

    Raises:
        InputError: one can't be written.
    """
    unfinished = {path: path.with_name(f".{path.name}.unfinished-{os.getpid()}") for path in contents}
    try:
        for path, content in contents.items():
            unfinished[path].write_bytes(content)
        for path, new in unfinished.items():
            new.replace(path)
    except OSError as error:
        raise InputError(f"{path}: can't be written ({error.strerror}); name another file") from None
    finally:
        for new in unfinished.values():
            new.unlink(missing_ok=True)
