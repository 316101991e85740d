from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from occupancy.config import Kind
from occupancy.data.log import Log
from occupancy.data.times import stretches
from occupancy.errors import InputError
from occupancy.features.inputs import fit_inputs, inputs_from
from occupancy.features.physics import PhysicsFeatures
from occupancy.features.sensors import Features

SELECTIONS: list[tuple[str | list[Kind], type]] = [
    ("no_light", Features),
    ("all", Features),
    (["co2", "sound"], Features),
    ("physics", PhysicsFeatures),
    ("centred_physics", PhysicsFeatures),
]


@pytest.mark.parametrize(("selection", "kind"), SELECTIONS, ids=str)
def test_every_selection_gives_inputs_that_survive_as_text(
    simulated_log: Log, selection: str | list[Kind], kind: type
) -> None:
    rows = np.arange(len(simulated_log.frame)) < 1500
    inputs = fit_inputs(simulated_log, rows, selection)
    settings: dict[str, Any] = json.loads(json.dumps(inputs.to_settings()))
    again = inputs_from(settings)
    assert type(inputs) is type(again) is kind
    stretch = stretches(simulated_log.times, rows, simulated_log.max_gap)
    one, other = (each.transform(simulated_log.frame, stretch) for each in (inputs, again))
    np.testing.assert_array_equal(one, other)
    assert one.shape == (len(rows), len(inputs.names))
    assert again.names == inputs.names
    assert again.history_s == inputs.history_s


def test_only_centred_physics_is_centred(simulated_log: Log) -> None:
    rows = np.arange(len(simulated_log.frame)) < 1500
    centred = [fit_inputs(simulated_log, rows, selection) for selection in ("physics", "centred_physics")]
    assert [isinstance(inputs, PhysicsFeatures) and inputs.centred for inputs in centred] == [False, True]


def test_kinds_that_the_log_lacks_are_refused(simulated_log: Log) -> None:
    with pytest.raises(InputError, match=r"^features: got \['other'\], but the log 'simulated' has only co2, "):
        fit_inputs(simulated_log, np.ones(len(simulated_log.frame), bool), ["other"])
