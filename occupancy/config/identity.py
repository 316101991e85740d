"""The hash by which experiments are told apart, the same for runs of earlier versions that did the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from occupancy.config.model import LSTM
from occupancy.config.postprocess import Loss
from occupancy.config.simulation import Room

EARLIER_LABELS: dict[str, Loss] = {"nearest": "squared", "likeliest": "zero_one"}
"""The losses that ``calibration.label`` of earlier versions stood for."""

_NEWER: dict[str, tuple[str, ...]] = {
    "data": ("time_zone", "step", "max_age", "hold_counts", "cap_counts", "volumes"),
    "train": ("pretrain_rooms", "sensor_dropout"),
}
"""Newer keys of sections, which are left out at their defaults, so that runs recorded before them keep their hash."""


_NEWER_ROOM = frozenset(
    {
        "use",
        "ventilation",
        "ventilated_air_changes_per_h",
        "outdoor_water_g_per_m3",
        "water_g_per_h",
        "voc_ml_per_h",
        "voc_events_per_h",
    }
)
"""Newer settings of a simulated room, which are left out at their defaults too."""


def key_of(tree: dict[str, Any], loss: Loss | None) -> str:
    """Return the hash of all settings that change the results, except the seed.

    Args:
        tree: the settings as nested plain values; they are changed.
        loss: by which counts are chosen, if one is given.
    """
    del tree["seed"], tree["tracking"], tree["explanation"], tree["train"]["device"], tree["train"]["final"]
    del tree["data"]["max_csv_mb"]  # it changes no result
    for section, keys in _NEWER.items():
        tree[section] = {key: value for key, value in tree[section].items() if value or key not in keys}
    missing = tree["data"]["missing"]
    tree["data"]["missing"] = {"keep": "refuse", "hold": "interpolate"}.get(missing, missing)
    room = tree["data"]["simulation"]["room"]
    tree["data"]["simulation"]["room"] = {
        key: value for key, value in room.items() if key not in _NEWER_ROOM or value != Room.model_fields[key].default
    }
    _put_decision(tree, loss)
    for model in [tree["model"], *tree["model"].get("members", [])]:
        _drop_defaults(model)
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:16]


def _put_decision(tree: dict[str, Any], loss: Loss | None) -> None:
    """Put the loss where earlier versions had the choice of the count: into the calibration, if there is one."""
    labels = {str(known): label for label, known in EARLIER_LABELS.items()}
    decision = tree.pop("decision") or {}
    cost = decision.pop("switch_cost", 0.0)
    if cost:
        decision["switch_cost"] = cost
    if tree["calibration"] is not None:
        tree["calibration"]["label"] = labels.get(str(loss), loss)
    if decision and (cost or tree["calibration"] is None):
        tree["decision"] = decision
    for part in ("decoding", "calibration"):
        if tree[part] is None:
            del tree[part]


def _drop_defaults(model: dict[str, Any]) -> None:
    """Drop newer settings of a model at their defaults."""
    if model.get("rhythm_days") == 0:
        del model["rhythm_days"]
    if model.get("hour") is False and model["name"] != "boosted_trees":
        del model["hour"]
    if model["name"] == "lstm":
        for key in ("cell", "balanced"):
            if model[key] == LSTM.model_fields[key].default:
                del model[key]
