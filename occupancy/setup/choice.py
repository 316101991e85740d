"""The model that the sensors of a log allow, and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from occupancy.config import Kind

_DAYS = 3  # with labels in the first training rows: fewer say little of when people usually come
_LARGE = 3  # people; the answered error of larger rooms grows with them
_AIR: tuple[Kind, ...] = ("co2", "sound", "motion")  # from these, physics features are worth their name
_UNUSED: tuple[Kind, ...] = ("light", "co2_slope", "other")


@dataclass(frozen=True)
class Choice:
    """A model for a log.

    Attributes:
        features: as in a config.
        model: as in a config.
        calibration: as in a config.
        name: what the model is, in a few words.
        reasons: why it was chosen, a line each.
        checks: what would make a better one possible, or is doubtful.
    """

    features: str | list[Kind]
    model: dict[str, Any]
    calibration: dict[str, Any]
    name: str
    reasons: tuple[str, ...]
    checks: tuple[str, ...]


def choose(kinds: Collection[Kind], days: int, most: int, volume_m3: float | None) -> Choice:
    """Return the best model for the sensors of a log.

    Args:
        kinds: kinds of its sensors.
        days: days with counts in the first training rows.
        most: the most people.
        volume_m3: volume of the room, if it is known.
    """
    features, reasons = _features(kinds)
    members: list[dict[str, Any]] = []
    checks: list[str] = []
    if "co2" in kinds and volume_m3 is not None:
        members.append({"name": "mass_balance", "volume_m3": float(volume_m3)})
        reasons.append(f"mass_balance: CO2, and the volume of the room ({volume_m3:g} m3)")
    elif "co2" in kinds:
        checks.append("with volume_m3=..., the mass balance of CO2 joins the model")
    members += [{"name": "logistic"}, {"name": "random_forest", "trees": 100, "balanced": True}]
    reasons.append("logistic, random_forest: learn from any sensors, with few labels")
    by_clock = days >= _DAYS
    if by_clock:
        members.append({"name": "clock"})
        reasons.append(f"clock: {days} days to train show when people usually come")
    if set(kinds) <= set(_UNUSED):
        checks.append("no sensor that follows people was found but light, which shows lamps as well as people")
    weights = "learned" if by_clock else "equal"
    reasons.append(
        f"weights {weights}: " + ("the log shows which member to trust" if by_clock else "too few days to learn them")
    )
    answered = 0.05 * max(1.0, most / _LARGE) ** 2
    return Choice(
        features,
        {"name": "mixture", "members": members, "pool": "product", "weights": weights},
        {"answered_mse": round(answered, 3)},
        "mixture of " + ", ".join(member["name"] for member in members),
        tuple(reasons),
        tuple(checks),
    )


def _features(kinds: Collection[Kind]) -> tuple[str | list[Kind], list[str]]:
    """Return the features for the sensors of a log, with the reason."""
    if set(_AIR) & set(kinds):
        found = [kind for kind in (*_AIR, "temperature") if kind in kinds]
        return "physics", [f"features physics: {_joined(found)} over spans of time"]
    useful = sorted(kind for kind in set(kinds) if kind not in _UNUSED)
    if useful:
        return list(useful), [f"features: {_joined(useful)} as they are; there is no CO2, sound or motion"]
    rest: list[Kind] = ["light"] if "light" in kinds else sorted(set(kinds))
    return rest, [f"features: {_joined(rest)}, since there is nothing else"]


def _joined(words: Sequence[str]) -> str:
    return ", ".join(words)
