"""Checksums of a saved model: a file that was changed, lost or added since is found before it is used.

They guard against accidents. Whoever alters a model can write them anew, so that what is read is checked in itself too.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

from occupancy.errors import InputError, InputWarning
from occupancy.models.estimator import FORMAT, FORMAT_KEY, SETTINGS

CHECKSUMS = "checksums.json"
"""The file with the version of the format, and the SHA-256 of every other file by its path in the model's folder."""
_SHA256 = "sha256"
_LARGEST_BYTES = 2**24  # of this file


def seal(folder: Path) -> None:
    """Write the checksums of all files in a folder; nothing may be written into it afterwards."""
    sums = {name: _sum_of(folder / name) for name in _names(folder) if name != CHECKSUMS}
    text = json.dumps({FORMAT_KEY: FORMAT, _SHA256: sums}, indent=2)
    (folder / CHECKSUMS).write_text(text, encoding="utf-8")


def check_sums(folder: Path) -> None:
    """Check that a model's files are those that were saved.

    Warns:
        InputWarning: an earlier version saved the model, without checksums.

    Raises:
        InputError: they are not, or a newer version saved the model.
    """
    names = _names(folder)
    if CHECKSUMS not in names:
        _check_unsealed(folder)
        return
    sums = _read(folder)
    lost = sorted(set(sums) - set(names))
    if lost:
        raise InputError(f"{folder}: the model is not whole, {_listed(lost)} is missing; save it again")
    added = sorted(set(names) - set(sums) - {CHECKSUMS})
    if added:
        raise InputError(f"{folder}: {_listed(added)} was not saved with the model; remove it")
    changed = [name for name in sorted(sums) if _sum_of(folder / name) != sums[name]]
    if changed:
        raise InputError(f"{folder}: the model is damaged ({_listed(changed)} is not as it was saved); save it again")


def _names(folder: Path) -> list[str]:
    """Return the paths of all files below a folder. Raise InputError for a pipe or a device, which may never end."""
    below = [path for path in sorted(folder.rglob("*")) if not path.is_dir()]
    special = [path for path in below if path.exists() and not path.is_file()]
    if special:
        raise InputError(f"{special[0]}: is not an ordinary file; save the model again")
    return [path.relative_to(folder).as_posix() for path in below]


def _check_unsealed(folder: Path) -> None:
    """Say that a model has no checksums. Raise InputError if its settings say that it had some."""
    if (folder / SETTINGS).is_file() and FORMAT_KEY in _keys(folder / SETTINGS):
        raise InputError(f"{folder}: the model is not whole, {CHECKSUMS} is missing; save it again")
    warnings.warn(
        f"{folder}: an earlier version saved the model, without checksums, so a change of its files can't be seen; "
        "train it again to have them",
        InputWarning,
        stacklevel=4,
    )


def _keys(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds; nothing if it is damaged, which its reader says."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _read(folder: Path) -> dict[str, str]:
    """Return the checksums by path. Raise InputError if the file is damaged, or of a newer version."""
    path = folder / CHECKSUMS
    tree = _keys(path) if path.stat().st_size <= _LARGEST_BYTES else {}
    version, sums = tree.get(FORMAT_KEY), tree.get(_SHA256)
    if isinstance(version, int) and version > FORMAT:
        raise InputError(
            f"{folder}: the model has format {str(version)[:20]}, and this version of the package reads formats up to "
            f"{FORMAT}; load it with the version that saved it"
        )
    if version != FORMAT or not isinstance(sums, dict) or SETTINGS not in sums:
        raise InputError(f"{path}: the model is damaged, the checksums can't be read; save it again")
    return sums


def _sum_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, _SHA256).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); save the model again") from None


def _listed(names: list[str]) -> str:
    """Return the first names, each cut to a length that a line has room for."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(name if len(name) <= 80 else f"{name[:80]}..." for name in names[:3]) + more
