"""The recursion of the room model, compiled: one Gaussian over (excess, offset) of CO2 for each count.

It is the interacting multiple model of Blom and Bar-Shalom (1988): before each step the Gaussians of the earlier counts
are mixed into one for each new count, with the weights ``w_i A_ij``; then each takes the reading. With one count it is
the Kalman filter, and without CO2 the forward algorithm. The smoother is that of Kim (1994), whose pair probabilities
follow from the filter's: given the new count and the readings so far, it takes the earlier one for independent of later
readings.
"""

from __future__ import annotations

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


def run_filter(
    constants: Floats,
    steps: Floats,
    matrices: Floats,
    starts: Rows,
    pace: Ints,
    place: Ints,
    co2_ppm: Floats,
    size: Floats,
    evidence: Floats,
    labels: Ints,
    initial: Floats,
    start_ppm: tuple[float, float],
    keep: bool,
    outliers: float = OUTLIERS,
) -> tuple[Floats, Floats]:
    """Return the log-likelihood of each candidate, (B,), and if they are kept, its probabilities of each count.

    The probabilities (B, T, C) of a row rest on the rows up to it in its run; (B, 0, C) if they are not kept.

    Args:
        constants: (B, 6) at the places `PERSON` to `OUTDOOR`.
        steps: (B, D, 4) of `occupancy.room.sensed.exact_steps`, for each of D lengths of a step.
        matrices: (M, C, C) probabilities of the next count, given the one before.
        starts: (T,) rows that begin a run.
        pace: (T,) which of the D lengths is the step before the row.
        place: (T,) which of the M matrices holds for it.
        co2_ppm: (T,) readings; NaN where one is missing.
        size: (T,) volume of the row's room over the one that the constants are for.
        evidence: (T, C) log-likelihood of the other sensors.
        labels: (T,) the count where it is known, else -1.
        initial: (C,) probability of each count at the start of a run.
        start_ppm: mean and standard deviation of the CO2 in the room at the start of a run.
        keep: whether to keep the probabilities.
        outliers: share of CO2 readings that tell nothing.
    """
    candidates, rows, classes = len(constants), len(pace), len(initial)
    probs = np.empty((candidates, rows if keep else 0, classes))
    found = np.empty(candidates)
    usual = np.array(start_ppm)
    for each in range(candidates):
        found[each] = _filter(
            constants[each], steps[each], matrices, starts, pace, place, co2_ppm, size, evidence, labels, initial,
            usual, probs[each], keep, outliers,
        )  # fmt: skip
    return found, probs


@njit(cache=True)
def _filter(  # pragma: no cover (compiled)
    constants: Floats,
    steps: Floats,
    matrices: Floats,
    starts: Rows,
    pace: Ints,
    place: Ints,
    co2_ppm: Floats,
    size: Floats,
    evidence: Floats,
    labels: Ints,
    initial: Floats,
    usual: Floats,
    probs: Floats,
    keep: bool,
    outliers: float,
) -> float:
    classes, total = len(initial), 0.0
    state, moved = np.zeros((classes, _STATE)), np.zeros((classes, 8))
    for row in range(len(pace)):
        if starts[row]:
            _begin(state, initial, constants, usual)
        else:
            _step(state, moved, matrices[place[row]], steps[pace[row]], constants, size[row])
        if labels[row] >= 0:
            for count in range(classes):
                if count != labels[row]:
                    state[count, WEIGHT] = 0.0
        total += _read(state, co2_ppm[row], evidence[row], constants, outliers)
        if keep:
            probs[row] = state[:, WEIGHT]
    return total


@njit(cache=True)
def _begin(state: Floats, initial: Floats, constants: Floats, usual: Floats) -> None:  # pragma: no cover
    """Set the state before the first reading: the air is as it usually is, and says nothing of the count."""
    excess = max(usual[0] - constants[OUTDOOR], 0.0)
    offset_var = constants[OFFSET] ** 2 + (constants[SHARE] * excess) ** 2
    for count in range(len(state)):
        state[count] = (initial[count], excess, 0.0, usual[1] ** 2, 0.0, offset_var)


@njit(cache=True)
def _step(
    state: Floats, moved: Floats, matrix: Floats, step: Floats, constants: Floats, size: float
) -> None:  # pragma: no cover
    """Mix the Gaussians of the counts before into one of each count after, and move them by one step.

    People come and go at a uniformly random moment of the step: half of the breath is that of the earlier count, half
    that of the new one, and the variance of the moment is a twelfth of the squared change.
    """
    classes = len(state)
    kept, kept_offset, noise = step[0], step[1], constants[WANDER] * step[3]
    breath = constants[PERSON] / size * step[2]
    for old in range(classes):
        weight, excess, off = state[old, WEIGHT], kept * state[old, EXCESS] + breath * old / 2, state[old, OFF]
        off *= kept_offset
        moved[old, 0], moved[old, 1], moved[old, 2] = weight, weight * excess, weight * off
        moved[old, 3] = weight * (kept * kept * state[old, VAR] + excess * excess)
        moved[old, 4] = weight * (kept * kept_offset * state[old, COV] + excess * off)
        moved[old, 5] = weight * (kept_offset * kept_offset * state[old, VAR_OFF] + off * off)
        moved[old, 6], moved[old, 7] = weight * old, weight * old * old
    for new in range(classes):
        sums = np.zeros(8)
        for old in range(classes):
            for part in range(8):
                sums[part] += matrix[old, new] * moved[old, part]
        weight = max(sums[0], 1e-300)
        excess, off = sums[1] / weight, sums[2] / weight
        changed = max(sums[7] / weight - 2 * new * sums[6] / weight + new * new, 0.0)
        state[new, WEIGHT], state[new, OFF] = sums[0], off
        state[new, VAR] = max(sums[3] / weight - excess * excess, 0.0) + noise + breath * breath * changed / 12
        state[new, COV] = sums[4] / weight - excess * off
        excess += breath * new / 2
        state[new, EXCESS] = excess
        spread = constants[OFFSET] ** 2 + (constants[SHARE] * max(excess, 0.0)) ** 2
        state[new, VAR_OFF] = max(sums[5] / weight - off * off, 0.0) + spread * (1 - kept_offset * kept_offset)


@njit(cache=True)
def _read(
    state: Floats, co2_ppm: float, evidence: Floats, constants: Floats, outliers: float
) -> float:  # pragma: no cover
    """Take the readings of a row into the state; return their log-likelihood."""
    highest = -np.inf
    known = not np.isnan(co2_ppm)
    for count in range(len(state)):
        score = np.log(max(state[count, WEIGHT], 1e-300)) + evidence[count]
        if known and state[count, WEIGHT] > 0:
            score += np.log(_take(state[count], co2_ppm - constants[OUTDOOR], constants[NOISE], outliers))
        if state[count, WEIGHT] == 0:
            score = -np.inf
        state[count, WEIGHT] = score
        highest = max(highest, score)
    total = 0.0
    for count in range(len(state)):
        state[count, WEIGHT] = np.exp(state[count, WEIGHT] - highest)
        total += state[count, WEIGHT]
    state[:, WEIGHT] /= total
    return float(np.log(total) + highest)


@njit(cache=True)
def _take(one: Floats, reading: float, noise: float, outliers: float) -> float:  # pragma: no cover
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
def smooth(
    probs: Floats, matrices: Floats, starts: Rows, place: Ints, profile: Ints, profiles: int
) -> tuple[Floats, Floats]:  # pragma: no cover
    """Return the probabilities (T, C) given all rows of a run, and the expected changes (P, C, C) in each profile.

    Args:
        probs: (T, C) of the filter.
        matrices: (M, C, C).
        starts: (T,) rows that begin a run.
        place: (T,) the matrix of each row.
        profile: (T,) the profile of each row, of P.
        profiles: P.
    """
    rows, classes = probs.shape
    smoothed, changes = probs.copy(), np.zeros((profiles, classes, classes))
    for row in range(rows - 2, -1, -1):
        if starts[row + 1]:
            continue
        matrix = matrices[place[row + 1]]
        smoothed[row] = 0.0
        for new in range(classes):
            total = 0.0
            for old in range(classes):
                total += probs[row, old] * matrix[old, new]
            share = smoothed[row + 1, new] / max(total, 1e-300)
            for old in range(classes):
                pair = share * probs[row, old] * matrix[old, new]
                smoothed[row, old] += pair
                changes[profile[row + 1], old, new] += pair
    return smoothed, changes
