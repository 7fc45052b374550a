"""Harmonics, combinations and instrumental lines among frequencies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.variability.frequency_settings import FrequencySettings, InstrumentalLine
from lkmrs_dask.variability.harmonics import (
    DIVISORS,
    Matches,
    chain,
    expected_by_chance,
    find_series,
    match_multiples,
)

__all__ = ["Relations", "find_relations", "instrumental_lines"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

_LINE_REACH = 0.1  # of 1/T
_LEAST_CHAIN = 3  # the multiple up to which all are there (ours)
_MOST_EXPECTED = 0.5  # chance coincidences, up to a multiple, where one multiple alone is believed (ours)


class Relations(NamedTuple):
    """What frequencies are of others; -1 and 0 where they are independent.

    Parameters
    ----------
    harmonic_of : ndarray of int64, shape (n,)
        Row of the frequency of which this one is a multiple.
    harmonic : ndarray of int64, shape (n,)
        Which multiple.
    harmonic_divisor : ndarray of int64, shape (n,)
        Of which part: 1 for a multiple of the frequency itself, 2 for one of half of it.
    combination_of : ndarray of int64, shape (n, 2)
        Rows of the two frequencies of which this one is a combination.
    combination : ndarray of int64, shape (n, 2)
        Their factors.
    """

    harmonic_of: Integers
    harmonic: Integers
    harmonic_divisor: Integers
    combination_of: Integers
    combination: Integers

    def set_harmonic(self, row: int, parent: int, multiple: int, divisor: int) -> None:
        """Label a frequency in lowest terms."""
        common = int(np.gcd(multiple, divisor))
        self.harmonic_of[row], self.harmonic[row] = parent, multiple // common
        self.harmonic_divisor[row] = divisor // common


class _Given(NamedTuple):
    """What relations are looked for among."""

    frequency: Floats
    error: Floats
    amplitude: Floats
    least: float
    nyquist: float
    settings: FrequencySettings

    def matches(self, parent: int, divisor: int = 1, reflected: bool = False) -> Matches:
        """Which are multiples of a part of a frequency."""
        of = self.frequency if not reflected else 2.0 * self.nyquist - self.frequency
        base, base_error = self.frequency[parent] / divisor, self.error[parent] / divisor
        found = match_multiples(of, self.error, base, base_error, self.least, self.settings.match)
        # What lies beside the frequency itself is no harmonic.
        return found._replace(hit=found.hit & (found.multiple != divisor))


def find_relations(
    frequency: Floats,
    frequency_err: Floats,
    amplitude: Floats,
    baseline: float,
    settings: FrequencySettings,
    nyquist: float = np.inf,
) -> Relations:
    r"""Find harmonics and combinations, strongest frequencies first.

    A frequency can only be a multiple or a combination of independent ones that are stronger than itself.
    Of multiples up to `settings.harmonics` those of an unbroken chain (2, 3, ...) are harmonics, and of one
    of the strongest few a single one, unless more than half a frequency is expected to match by chance.  Each
    of the strongest few is asked whether a series of multiples goes on further that chance does not explain,
    with what of it lies beyond the Nyquist frequency and is seen reflected; the very strongest also for
    multiples of a half, a third or a fourth of it.  What is no harmonic may be a combination, by rising order
    \|n\| + \|m\|; of several the nearest.

    A match lies within max(1/T, `settings.match` sigma) of the frequency; in a series the multiple's own
    error is added.

    Parameters
    ----------
    frequency, frequency_err, amplitude : ndarray of float64, shape (n,)
        Cycles per day, cycles per day, any unit.
    baseline : float
        Days.
    settings : FrequencySettings
        `harmonics`, `combinations`, `parents` and `match`.
    nyquist : float
        Half the sampling frequency, cycles per day, of even sampling; infinity where nothing is reflected.
    """
    n = len(frequency)
    zero = np.zeros(n, np.int64)
    out = Relations(
        np.full(n, -1), zero, zero.copy(), np.full((n, 2), -1), np.zeros((n, 2), np.int64)
    )  # fmt: skip
    given = _Given(frequency, np.nan_to_num(frequency_err), amplitude, 1.0 / baseline, nyquist, settings)
    factors = _factors(settings.combinations)
    independent: list[int] = []
    for row in np.argsort(-amplitude, kind="stable"):
        if out.harmonic_of[row] >= 0 or _is_multiple(int(row), given, independent, out):
            continue
        parents = independent[: settings.parents]
        near = max(given.least, settings.match * float(given.error[row]))
        if not _combination(row, frequency, parents, near, factors, out):
            independent.append(int(row))
            if settings.harmonics > 1 and len(independent) <= settings.parents:
                _follow(int(row), given, DIVISORS if len(independent) == 1 else (1,), out)
    return out


def _weaker(parent: int, given: _Given, out: Relations) -> Bools:
    """Frequencies that may still be harmonics of one."""
    return (
        (given.amplitude < given.amplitude[parent]) & (out.harmonic_of < 0) & (out.combination_of[:, 0] < 0)
    )


def _follow(parent: int, given: _Given, divisors: tuple[int, ...], out: Relations) -> None:
    """Label all of the series of multiples of a frequency, and of parts of it."""
    trials = float(given.settings.parents + len(DIVISORS))
    found = 0
    for divisor in divisors:
        matches = given.matches(parent, divisor)
        if found and divisor % found:
            continue
        members = find_series(matches, _weaker(parent, given, out), trials)
        for row in np.flatnonzero(members):
            out.set_harmonic(int(row), parent, int(matches.multiple[row]), divisor)
            found = divisor
    if found and np.isfinite(given.nyquist):
        matches = given.matches(parent, found, reflected=True)
        members = find_series(matches, _weaker(parent, given, out), trials)
        for row in np.flatnonzero(members):
            out.set_harmonic(int(row), parent, int(matches.multiple[row]), found)


def _is_multiple(row: int, given: _Given, independent: list[int], out: Relations) -> bool:
    """Whether a frequency is one of the first multiples of another."""
    best, nearest = None, np.inf
    for rank, parent in enumerate(independent):
        multiple = round(float(given.frequency[row] / given.frequency[parent]))
        if not 2 <= multiple <= given.settings.harmonics:
            continue
        away = abs(float(given.frequency[row] - multiple * given.frequency[parent]))
        if away > max(given.least, given.settings.match * float(given.error[row])) or away >= nearest:
            continue
        matches = given.matches(parent)
        weaker = given.amplitude < given.amplitude[parent]
        others = weaker & (out.harmonic_of != parent)
        alone = rank < given.settings.parents
        if chain(matches, weaker) >= max(multiple, _LEAST_CHAIN) or (
            alone and expected_by_chance(matches, others, multiple) <= _MOST_EXPECTED
        ):
            best, nearest = (parent, multiple), away
    if best is None:
        return False
    out.set_harmonic(row, *best, 1)
    return True


def _factors(order: int) -> Integers:
    pairs = [
        (total, a, sign * (total - a))
        for total in range(2, order + 1)
        for a in range(1, total)
        for sign in (1, -1)
    ]
    both = [(t, a, b) for t, a, b in pairs] + [(t, -a, -b) for t, a, b in pairs if b < 0]
    return np.array(sorted(both), np.int64).reshape(-1, 3)


def _combination(
    row: int, frequency: Floats, parents: list[int], near: float, factors: Integers, out: Relations
) -> bool:
    if len(parents) < 2 or len(factors) == 0:
        return False
    i, j = np.triu_indices(len(parents), 1)
    base = frequency[parents]
    predicted = factors[:, 1, None] * base[i] + factors[:, 2, None] * base[j]
    away = np.abs(predicted - frequency[row])
    for order in np.unique(factors[:, 0]):
        mine = np.where((factors[:, 0] == order)[:, None], away, np.inf)
        which, pair = np.unravel_index(int(mine.argmin()), mine.shape)
        if mine[which, pair] <= near:
            out.combination_of[row] = parents[i[pair]], parents[j[pair]]
            out.combination[row] = factors[which, 1:]
            return True
    return False


def instrumental_lines(
    frequency: Floats, lines: tuple[InstrumentalLine, ...], baseline: float
) -> NDArray[np.bool_]:
    """Whether frequencies lie on lines: within the line's width or 0.1/T of a multiple, whichever is more.

    A frequency whose S/N is 5.6 is known to about 0.1/T, the faintest that is found.  Within all of 1/T the
    multiples of TESS's orbit would take nearly every period of more than 3 d from a star with one sector.
    """
    on_line = np.zeros(len(frequency), bool)
    for line in lines:
        multiple = np.clip(np.rint(frequency / line.frequency), 1, line.multiples)
        width = np.maximum(multiple * line.width, _LINE_REACH / baseline)
        on_line |= np.abs(frequency - multiple * line.frequency) <= width
    return on_line
