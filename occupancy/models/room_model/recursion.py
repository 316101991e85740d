"""The recursion of the room model, compiled: a Gaussian over (excess, offset) of CO2 for each state.

A state is a count and a regime of the air. It is the interacting multiple model of Blom and Bar-Shalom (1988): in each
step the Gaussians of the earlier states are mixed into one for each new state, with the weights ``w_i A_ij``; then each
takes the reading. With one state it is the Kalman filter, and without CO2 the forward algorithm. The smoother is that
of Kim (1994), whose pair probabilities follow from the filter's: given the new state and the readings so far, it takes
the earlier one for independent of later readings.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from occupancy.arrays import Floats, Ints, Rows

PERSON, NOISE, WANDER, OFFSET, SHARE, OUTDOOR = range(6)
"""Places of the constants of a candidate: ppm per hour of a person, variance of the noise of a reading in ppm squared,
of the disturbance of the excess in an hour, standard deviation of the offset in ppm and as a share of the excess, and
ppm outdoors."""

OUTLIERS = 0.01  # share of CO2 readings that tell nothing
OUTLIER_PPM = 1000.0  # the range of what they read
WEIGHT, EXCESS, OFF, VAR, COV, VAR_OFF = range(6)
_STATE = 6


class Inputs(NamedTuple):
    """What is the same for all candidates, for T rows.

    Attributes:
        matrices: (M, C, C) probabilities of the next count, given the one before.
        airings: (D, R, R) probabilities of the next regime, given the one before.
        starts: (T,) rows that begin a run.
        pace: (T,) which of D lengths is the step before the row.
        place: (T,) which of the M matrices holds for it.
        co2_ppm: (T,) readings; NaN where one is missing.
        size: (T,) volume of the row's room over the one that the constants are for.
        evidence: (T, C) log-likelihood of the other sensors.
        labels: (T,) the count where it is known, else -1.
        initial: (R, C) probability of each regime and count at the start of a run.
        start_ppm: (2,) mean and standard deviation of the CO2 in the room at the start of a run.
    """

    matrices: Floats
    airings: Floats
    starts: Rows
    pace: Ints
    place: Ints
    co2_ppm: Floats
    size: Floats
    evidence: Floats
    labels: Ints
    initial: Floats
    start_ppm: Floats


def run_filter(
    constants: Floats, steps: Floats, inputs: Inputs, keep: bool, outliers: float = OUTLIERS
) -> tuple[Floats, Floats]:
    """Return the log-likelihood of each candidate, (B,), and if they are kept, its probabilities of each state.

    The probabilities (B, T, R, C) of a row rest on the rows up to it in its run; (B, 0, R, C) if they are not kept.

    Args:
        constants: (B, 6) at the places `PERSON` to `OUTDOOR`.
        steps: (B, D, R, 4) of `occupancy.room.sensed.exact_steps`, for each of D lengths of a step and R regimes.
        inputs: the rows.
        keep: whether to keep the probabilities.
        outliers: share of CO2 readings that tell nothing.
    """
    candidates, rows = len(constants), len(inputs.pace)
    probs = np.empty((candidates, rows if keep else 0, *inputs.initial.shape))
    found = np.empty(candidates)
    for each in range(candidates):
        found[each] = _filter(constants[each], steps[each], inputs, probs[each], keep, outliers)
    return found, probs


@njit(cache=True)
def _filter(constants: Floats, steps: Floats, inputs: Inputs, probs: Floats, keep: bool, outliers: float) -> float:
    regimes, classes = inputs.initial.shape
    total = 0.0
    state, moved = np.zeros((regimes, classes, _STATE)), np.zeros((regimes, classes, 8))
    for row in range(len(inputs.pace)):
        if inputs.starts[row]:
            _begin(state, inputs.initial, constants, inputs.start_ppm)
        else:
            pace, matrix = inputs.pace[row], inputs.matrices[inputs.place[row]]
            _step(state, moved, matrix, inputs.airings[pace], steps[pace], constants, inputs.size[row])
        if inputs.labels[row] >= 0:
            for count in range(classes):
                if count != inputs.labels[row]:
                    state[:, count, WEIGHT] = 0.0
        total += _read(state, inputs.co2_ppm[row], inputs.evidence[row], constants, outliers)
        if keep:
            probs[row] = state[:, :, WEIGHT]
    return total


@njit(cache=True)
def _begin(state: Floats, initial: Floats, constants: Floats, usual: Floats) -> None:
    """Set the state before the first reading: the air is as it usually is, and says nothing of the count."""
    excess = max(usual[0] - constants[OUTDOOR], 0.0)
    offset_var = constants[OFFSET] ** 2 + (constants[SHARE] * excess) ** 2
    regimes, classes = initial.shape
    for regime in range(regimes):
        for count in range(classes):
            state[regime, count] = (initial[regime, count], excess, 0.0, usual[1] ** 2, 0.0, offset_var)


@njit(cache=True)
def _step(
    state: Floats, moved: Floats, matrix: Floats, airing: Floats, steps: Floats, constants: Floats, size: float
) -> None:
    """Mix the Gaussians of the states before into one of each state after, and move them by one step.

    People come and go at a uniformly random moment of the step: half of the breath is that of the earlier count, half
    that of the new one, and the variance of the moment is a twelfth of the squared change. The air and the earlier half
    of the breath are changed as in the regime before, the later half and the noise as in the one after.
    """
    regimes, classes, _ = state.shape
    moved[:] = 0.0
    for regime in range(regimes):
        for old in range(classes):
            parts = _moved(state[regime, old], steps[regime], old, constants, size)
            for new in range(classes):
                for part in range(8):
                    moved[regime, new, part] += matrix[old, new] * parts[part]
    for regime in range(regimes):
        breath = constants[PERSON] / size * steps[regime, 2]
        for new in range(classes):
            sums = np.zeros(8)
            for before in range(regimes):
                for part in range(8):
                    sums[part] += airing[before, regime] * moved[before, new, part]
            _mixed(state[regime, new], sums, new, breath, steps[regime], constants)


@njit(cache=True)
def _moved(
    one: Floats, step: Floats, old: int, constants: Floats, size: float
) -> tuple[float, float, float, float, float, float, float, float]:
    """Return the weighted moments of one Gaussian, and of its count, after a step of the air."""
    kept, kept_offset, weight = step[0], step[1], one[WEIGHT]
    excess = kept * one[EXCESS] + constants[PERSON] / size * step[2] * old / 2
    off = kept_offset * one[OFF]
    return (
        weight,
        weight * excess,
        weight * off,
        weight * (kept * kept * one[VAR] + excess * excess),
        weight * (kept * kept_offset * one[COV] + excess * off),
        weight * (kept_offset * kept_offset * one[VAR_OFF] + off * off),
        weight * old,
        weight * old * old,
    )


@njit(cache=True)
def _mixed(one: Floats, sums: Floats, new: int, breath: float, step: Floats, constants: Floats) -> None:
    """Set one Gaussian to the mixture whose weighted moments are given, with the noise of the step."""
    weight = max(sums[0], 1e-300)
    excess, off = sums[1] / weight, sums[2] / weight
    changed = max(sums[7] / weight - 2 * new * sums[6] / weight + new * new, 0.0)
    noise = constants[WANDER] * step[3] + breath * breath * changed / 12
    one[WEIGHT], one[OFF] = sums[0], off
    one[VAR] = max(sums[3] / weight - excess * excess, 0.0) + noise
    one[COV] = sums[4] / weight - excess * off
    one[EXCESS] = excess + breath * new / 2
    spread = constants[OFFSET] ** 2 + (constants[SHARE] * max(one[EXCESS], 0.0)) ** 2
    one[VAR_OFF] = max(sums[5] / weight - off * off, 0.0) + spread * (1 - step[1] * step[1])


@njit(cache=True)
def _read(state: Floats, co2_ppm: float, evidence: Floats, constants: Floats, outliers: float) -> float:
    """Take the readings of a row into the state; return their log-likelihood."""
    regimes, classes, _ = state.shape
    highest = -np.inf
    known = not np.isnan(co2_ppm)
    for regime in range(regimes):
        for count in range(classes):
            one, score = state[regime, count], -np.inf
            if one[WEIGHT] > 0:
                score = np.log(one[WEIGHT]) + evidence[count]
                if known:
                    score += np.log(_take(one, co2_ppm - constants[OUTDOOR], constants[NOISE], outliers))
            one[WEIGHT] = score
            highest = max(highest, score)
    total = 0.0
    for regime in range(regimes):
        for count in range(classes):
            state[regime, count, WEIGHT] = np.exp(state[regime, count, WEIGHT] - highest)
            total += state[regime, count, WEIGHT]
    state[:, :, WEIGHT] /= total
    return float(np.log(total) + highest)


@njit(cache=True)
def _take(one: Floats, reading: float, noise: float, outliers: float) -> float:
    """Update one Gaussian by a reading above outdoors; return the density of the reading.

    The reading may be an outlier. What remains is a mixture of the updated Gaussian and of the one before, of which the
    moments are kept.
    """
    error = reading - one[EXCESS] - one[OFF]
    to_excess, to_off = one[VAR] + one[COV], one[COV] + one[VAR_OFF]
    var = to_excess + to_off + noise
    density = (1 - outliers) * np.exp(-0.5 * error * error / var) / np.sqrt(2 * np.pi * var)
    total = max(density + outliers / OUTLIER_PPM, 1e-300)
    sound = density / total
    gain, gain_off = to_excess / var, to_off / var
    one[EXCESS] += sound * gain * error
    one[OFF] += sound * gain_off * error
    less = sound * var - sound * (1 - sound) * error * error
    one[VAR] = max(one[VAR] - gain * gain * less, 1e-9)
    one[COV] -= gain * gain_off * less
    one[VAR_OFF] = max(one[VAR_OFF] - gain_off * gain_off * less, 1e-9)
    return float(total)


@njit(cache=True)
def smooth(probs: Floats, inputs: Inputs, profile: Ints, profiles: int) -> tuple[Floats, Floats, Floats]:
    """Return the probabilities (T, R, C) given all rows of a run, and the expected changes of count and of regime.

    The changes are (P, C, C) in each profile, and (R, R).

    Args:
        probs: (T, R, C) of the filter.
        inputs: the rows.
        profile: (T,) the profile of each row, of P.
        profiles: P.
    """
    rows, regimes, classes = probs.shape
    smoothed, changes = probs.copy(), np.zeros((profiles, classes, classes))
    aired = np.zeros((regimes, regimes))
    for row in range(rows - 2, -1, -1):
        if not inputs.starts[row + 1]:
            matrix, airing = inputs.matrices[inputs.place[row + 1]], inputs.airings[inputs.pace[row + 1]]
            smoothed[row] = 0.0
            _go_back(probs[row], smoothed[row], smoothed[row + 1], matrix, airing, changes[profile[row + 1]], aired)
    return smoothed, changes, aired


@njit(cache=True)
def _go_back(
    probs: Floats, smoothed: Floats, later: Floats, matrix: Floats, airing: Floats, changes: Floats, aired: Floats
) -> None:
    """Add the pair probabilities of a row and the next one to the row's (R, C), and to the expected changes."""
    regimes, classes = probs.shape
    for after in range(regimes):
        for new in range(classes):
            total = 0.0
            for before in range(regimes):
                for old in range(classes):
                    total += probs[before, old] * airing[before, after] * matrix[old, new]
            share = later[after, new] / max(total, 1e-300)
            if share == 0:
                continue
            for before in range(regimes):
                for old in range(classes):
                    pair = share * probs[before, old] * airing[before, after] * matrix[old, new]
                    smoothed[before, old] += pair
                    changes[old, new] += pair
                    aired[before, after] += pair
