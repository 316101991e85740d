"""What a command costs before it does anything."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.conftest import Race


def test_help(race: Race) -> None:
    def run(*arguments: str) -> str:
        return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout

    def ours() -> str:
        return run("-m", "occupancy.train", "--help")

    def reference() -> str:
        return run("-c", "import torch, pytorch_lightning, mlflow")

    assert "--config" in ours()
    race(
        "python -m occupancy.train --help",
        ours,
        ("importing torch, Lightning and mlflow", reference),
        10,
        rounds=2,
        warmup=0,
    )
