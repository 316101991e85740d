"""The device that networks are trained on, and the random numbers that they draw."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from occupancy.errors import InputError


def accelerator(device: str) -> str:
    """Return the name by which Lightning knows a device: ``cuda`` is a ``gpu`` there.

    Raises:
        InputError: the device asked for is not there.
    """
    there = {"auto": True, "cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[device]:
        raise InputError(f"train.device: got {device!r}, which this machine lacks; use 'auto' or 'cpu'")
    return "gpu" if device == "cuda" else device


@contextmanager
def seeded(*entropy: int) -> Iterator[None]:
    """Draw torch's random numbers from these seeds, and leave the process's own generators as they were."""
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
