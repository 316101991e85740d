"""What is heavy to import is imported by the models that need it alone."""

from __future__ import annotations

import subprocess
import sys

from tests.places import ROOT

SLOW = ("torch", "pytorch_lightning", "torchmetrics", "pyro", "torchcrf", "skops")

PREPARE = f"""
import sys, tempfile
from pathlib import Path
from occupancy.config import *
from occupancy.models import check_sensors, make_estimator
from occupancy.models.estimator import NO_STEPS
from tests.models.made_visits import config_of, everything, sensors, simulated, simulated_fold

def show(what):
    print(what, *sorted(set({SLOW}) & set(sys.modules)))

def make(model, **changes):
    config = config_of(model, **changes)
    check_sensors(simulated(), config)
    return make_estimator(config)

def fit(model, **changes):
    estimator = make(model, **changes)
    estimator.fit(simulated_fold().sealed(), NO_STEPS)
    estimator.predict(sensors(simulated()), everything(simulated()))
    return estimator
"""


def printed(script: str) -> list[list[str]]:
    """Return the words of each line that a new process prints."""
    command = [sys.executable, "-c", PREPARE + script]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return [line.split() for line in output.splitlines()]


def test_models_without_a_network_are_checked_fitted_and_used_without_torch_and_skops_waits_for_a_saved_forest() -> (
    None
):
    script = """
members = [MassBalance(), Logistic(), RandomForest(trees=3)]
estimator = fit(Mixture(members=members), features="physics", decoding=Decoding(), calibration=Calibration())
show("used")
with tempfile.TemporaryDirectory() as folder:
    estimator.save(Path(folder))
show("saved")
"""
    (used, saved) = printed(script)
    assert used == ["used"]
    assert "skops" in saved


def test_a_network_is_made_without_lightning_and_each_with_what_it_needs_alone() -> None:
    script = """
train = config_of().train.model_copy(update={"weight_decay": 0.0})
make(LSTM(window=2, layers=1, hidden=2))
show("lstm")
make(MLPCRF(window=1, hidden=[2], sequence=10))
show("mlp_crf")
make(BNN(window=2, hidden=[2], samples=2), train=train)
show("bnn")
fit(LSTM(window=2, layers=1, hidden=2))
show("fitted")
"""
    *made, fitted = printed(script)
    assert made == [["lstm", "torch"], ["mlp_crf", "torch", "torchcrf"], ["bnn", "pyro", "torch", "torchcrf"]]
    assert "pytorch_lightning" in fitted
