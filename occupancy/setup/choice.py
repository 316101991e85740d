"""The model that the sensors of a log allow, and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from occupancy.config import Kind

_RHYTHM_DAYS = 6  # with people in the training rows, before what people do by the hour is believed
_LARGE = 3  # people; the answered error of larger rooms grows with them
_NOT_READ: tuple[Kind, ...] = ("light", "co2_slope")  # by physics features


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
    if "co2" in kinds:
        members.append({"name": "mass_balance"})
        size = "by what the labels show" if volume_m3 is None else f"{volume_m3:g} m3"
        reasons.append(f"mass_balance: CO2, and the volume of the room ({size})")
    if "co2" in kinds and volume_m3 is None:
        checks.append("with volume_m3=..., the mass balance of CO2 knows the room")
    members += [{"name": "logistic"}, {"name": "random_forest", "trees": 100, "balanced": True}]
    reasons.append("logistic, random_forest: learn from any sensors, with few labels")
    members += [{"name": "boosted_trees", "hour": True}, {"name": "clock", "prior_s": 7200}]
    learned = f"{days} days to train" if days >= _RHYTHM_DAYS else f"wait for {_RHYTHM_DAYS} days with people"
    reasons.append(f"boosted_trees, clock: know the hour; {learned}")
    reasons.append("weights: learned from days left out" if days >= _RHYTHM_DAYS else "weights: equal until then")
    if set(kinds) <= {*_NOT_READ, "other"}:
        checks.append("no sensor that follows people was found but light, which shows lamps as well as people")
    answered = 0.05 * max(1.0, most / _LARGE) ** 2
    pool = {"pool": "product", "weights": "learned", "rhythm_days": _RHYTHM_DAYS}
    return Choice(
        features,
        {"name": "mixture", "members": members, **pool},
        {"answered_mse": round(answered, 3)},
        "mixture of " + ", ".join(member["name"] for member in members),
        tuple(reasons),
        tuple(checks),
    )


def _features(kinds: Collection[Kind]) -> tuple[str | list[Kind], list[str]]:
    """Return the features for the sensors of a log, with the reason."""
    useful = sorted(kind for kind in set(kinds) if kind not in _NOT_READ)
    if useful:
        return "physics", [f"features physics: {_joined(useful)} over spans of time"]
    rest: list[Kind] = ["light"] if "light" in kinds else sorted(set(kinds))
    return rest, [f"features: {_joined(rest)}, since there is nothing else"]


def _joined(words: Sequence[str]) -> str:
    return ", ".join(words)
