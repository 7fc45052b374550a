"""Delta Scuti and gamma Doradus stars, and hybrids of both."""

from __future__ import annotations

import numpy as np

from lkmrs_dask.synthetic.counters import Purpose
from lkmrs_dask.synthetic.light_curves.signal import Detection, Floats, Numbers, Signal, Source, sines

__all__ = ["delta_scuti", "gamma_doradus", "hybrid"]

_CLEAR = 12.0  # S/N of the strongest mode at least: the limit is 5.6, and the exposure smears fast modes
_P_MODES = (5.0, 50.0)
_G_MODES = (0.3, 5.0)
_APART = 0.25  # 1/d between p modes: resolved in a sector
_CANDIDATES = 60
_HYBRID_RATIO = 5.0  # of the amplitudes of the two regimes at most (Uytterhoeven et al. 2011)
_LEAD = 1.6  # by which the stronger regime leads, so that it does so when smeared too

Modes = tuple[Floats, Floats, Floats, float]


def delta_scuti(source: Source, numbers: Numbers, detection: Detection) -> Signal:
    """Pressure modes from 5 to 50 cycles a day, with a harmonic and a sum of the two strongest.

    Hotter stars pulsate faster.  The strongest mode stays below the Nyquist frequency of all light curves.
    """
    return _joined(_p_modes(source, numbers, detection, source.period))


def gamma_doradus(source: Source, numbers: Numbers, detection: Detection) -> Signal:
    """Gravity modes from 0.3 to 5 cycles a day, at multiples of one spacing in period."""
    return _joined(_g_modes(source, numbers, detection, source.period))


def hybrid(source: Source, numbers: Numbers, detection: Detection) -> Signal:
    """Both kinds of modes, the stronger regime at most five times the weaker one.

    A given period belongs to the regime in which it lies, and that regime is the stronger one.
    """
    fast = not np.isfinite(source.period) or 1.0 / source.period >= _P_MODES[0]
    p = _p_modes(source, numbers, detection, source.period if fast else np.nan)
    g = _g_modes(source, numbers, detection, np.nan if fast else source.period)
    strong, weak = (p, g) if fast else (g, p)
    ratio = _LEAD + (_HYBRID_RATIO - _LEAD) * float(numbers.uniform(Purpose.LIGHT_SHAPE, 1)[0])
    # Amplitudes are only ever raised, since each regime was made to be seen.
    top, other = strong[1].max(), weak[1].max()
    up = max(1.0, _LEAD * other / top)
    lift = max(1.0, top * up / ratio / other)
    return _joined(_raised(strong, up), _raised(weak, lift))


def _raised(modes: Modes, factor: float) -> Modes:
    return modes[0], modes[1] * factor, modes[2], modes[3] * factor


def _joined(*groups: Modes) -> Signal:
    frequencies, amplitudes, phases = (
        np.concatenate([np.asarray(group[column]) for group in groups]) for column in range(3)
    )
    return sines(frequencies, amplitudes, phases, max(group[3] for group in groups))


def _p_modes(source: Source, numbers: Numbers, detection: Detection, period: float) -> Modes:
    low, high = _P_MODES[0], min(_P_MODES[1], 0.9 * detection.highest)
    draw = numbers.uniform(Purpose.LIGHT_FREQUENCY, _CANDIDATES)
    typical = 8.0 + 20.0 * (source.teff - 6500.0) / 2000.0
    strongest = float(np.clip(typical * (0.7 + 0.6 * draw[0]), low + 0.5, 0.95 * high))
    if np.isfinite(period):
        strongest = 1.0 / period
    count = 3 + int(5 * numbers.uniform(Purpose.LIGHT_SHAPE, 2)[1])
    frequencies = _separate(strongest, low + (high - low) * draw[1:], count)
    amplitudes, boost = _amplitudes(numbers, 0, 0.3, 1.3, count, _CLEAR * detection.floor(strongest))
    phases = numbers.uniform(Purpose.LIGHT_PHASE, count)
    combined = [(2 * frequencies[0], 2 * phases[0], 0.12), (frequencies[:2].sum(), phases[:2].sum(), 0.08)]
    for frequency, phase, share in combined:
        if frequency < high:
            frequencies = np.append(frequencies, frequency)
            amplitudes, phases = np.append(amplitudes, share * amplitudes[0]), np.append(phases, phase % 1.0)
    return frequencies, amplitudes, phases, boost


def _g_modes(source: Source, numbers: Numbers, detection: Detection, period: float) -> Modes:
    draw = numbers.uniform(Purpose.LIGHT_FREQUENCY, 2 * _CANDIDATES)[_CANDIDATES:]
    strongest = 1.0 / period if np.isfinite(period) else 0.7 + 1.6 * float(draw[0])
    spacing = (2000.0 + 1200.0 * float(draw[1])) / 86400.0
    count = 3 + int(4 * numbers.uniform(Purpose.LIGHT_SHAPE, 3)[2])
    orders = np.rint((draw[2:] - 0.5) * 30.0)
    periods = 1.0 / strongest + spacing * orders
    lowest = max(_G_MODES[0], 3.0 / detection.span)
    usable = (periods > 1.0 / _G_MODES[1]) & (periods < 1.0 / lowest)
    frequencies = _separate(strongest, 1.0 / periods[usable], count, 1.5 / detection.span)
    amplitudes, boost = _amplitudes(
        numbers, 10, 0.0, 1.0, len(frequencies), _CLEAR * detection.floor(strongest)
    )
    return (
        frequencies,
        amplitudes,
        numbers.uniform(Purpose.LIGHT_PHASE, 40)[20 : 20 + len(frequencies)],
        boost,
    )


def _separate(strongest: float, candidates: Floats, count: int, apart: float = _APART) -> Floats:
    """The strongest frequency and those of the candidates that are resolved from all before them."""
    chosen = [strongest]
    for frequency in candidates.tolist():
        if len(chosen) == count:
            break
        if min(abs(frequency - other) for other in chosen) > apart:
            chosen.append(frequency)
    return np.array(chosen)


def _amplitudes(
    numbers: Numbers, first: int, low: float, high: float, count: int, least: float
) -> tuple[Floats, float]:
    """Amplitudes (ppt), the first from 10**low to 10**high but not below the least, and the boost."""
    draw = numbers.uniform(Purpose.LIGHT_AMPLITUDE, first + 10)[first:]
    usual = 10.0 ** (low + (high - low) * float(draw[0]))
    strongest = max(usual, least)
    # The second has at most 0.4 of the first, so that smearing does not change which is the strongest.
    falling = 0.4 * 0.85 ** np.arange(count - 1) * (0.8 + 0.2 * draw[1:count])
    return strongest * np.concatenate([[1.0], falling]), strongest / usual
