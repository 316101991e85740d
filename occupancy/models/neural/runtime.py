"""The device that networks are trained on, and their random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from occupancy.errors import InputError


def accelerator(device: str) -> str:
    """Return Lightning's name of a device; it calls ``cuda`` a ``gpu``.

    Raises:
        InputError: if this machine lacks the device.
    """
    there = {"auto": True, "cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[device]:
        raise InputError(f"train.device: got {device!r}, which this machine lacks; use 'auto' or 'cpu'")
    return "gpu" if device == "cuda" else device


@contextmanager
def seeded(*entropy: int) -> Iterator[None]:
    """Seed torch's random numbers for a block, and leave the generators of the process as they were."""
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
