"""An adaptive search of a network on a simulated room, made to measure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from occupancy.search.adaptive import Adaptive
from occupancy.search.request import load_search
from tests.places import ROOT

FOLDS = ROOT / "tests" / "e2e" / "two_folds.yaml"
STORE = "m.db"
OVER = {
    "model.window": {"low": 2, "high": 20, "step": 3},
    "model.hidden": [[8], [16, 8], [32]],
    "train.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
}


def search_in(folder: Path, **search: Any) -> Adaptive:
    """Return a search with changes to its section, whose file and store lie in a folder."""
    data = {"source": "simulated", "folds": str(FOLDS), "max_gap": 600}
    data["simulation"] = {"days": 3, "room": {"step_s": 300}}
    asked = {"method": "adaptive", "trials": 5, "batch": 2, "over": OVER, **search}
    tree = {"data": data, "model": {"name": "mlp_crf", "hidden": [16, 8], "window": 5}, "search": asked}
    tree["tracking"] = {"uri": f"sqlite:///{folder / STORE}"}
    path = folder / "crf.yaml"
    path.write_text(yaml.safe_dump({**tree, "train": {"learning_rate": 1e-2}}))
    method = load_search(path)
    assert isinstance(method, Adaptive)
    return method
