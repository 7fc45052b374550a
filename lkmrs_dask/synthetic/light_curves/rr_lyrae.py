"""RR Lyrae stars of type ab."""

from __future__ import annotations

import numpy as np

from lkmrs_dask.synthetic.counters import Purpose
from lkmrs_dask.synthetic.light_curves.signal import (
    SIGNAL_EPOCH,
    Detection,
    Floats,
    Numbers,
    Signal,
    Source,
    harmonic_sum,
)

__all__ = ["rr_lyrae"]

_RATIOS = np.array([1.0, 0.46, 0.32, 0.20, 0.12, 0.07])  # amplitudes of the harmonics; R21 stays above 0.4
_BLAZHKO_SHARE = 0.4
_CLEAR = 12.0


def rr_lyrae(source: Source, numbers: Numbers, detection: Detection) -> Signal:
    """A steep rise and a slow decline in 0.4 to 0.8 d, for two in five stars modulated in 20 to 60 d.

    Sines of all harmonics in phase are a sawtooth; the phases here depart from that by up to 0.015 turns.
    The modulation (Blazhko 1907) changes the amplitude by 5 to 20 %; the truth has it as two side peaks of
    the first harmonic.
    """
    draw = numbers.uniform(Purpose.LIGHT_SHAPE, 8)
    period = source.period if np.isfinite(source.period) else 0.42 + 0.35 * float(draw[0])
    usual = 150.0 + 150.0 * float(draw[1])  # ppt
    top = max(usual, _CLEAR * detection.floor(1.0 / period))
    harmonic = np.arange(1, len(_RATIOS) + 1)
    turns = numbers.uniform(Purpose.LIGHT_PHASE, len(_RATIOS) + 1)
    phases = (harmonic * turns[-1] + 0.03 * (turns[:-1] - 0.5)) % 1.0
    frequencies, amplitudes = harmonic / period, top * _RATIOS * (0.95 + 0.1 * draw[2])
    amplitudes[0] = top
    depth = 0.05 + 0.15 * float(draw[3]) if draw[4] < _BLAZHKO_SHARE else 0.0
    slow, slow_phase = 1.0 / (20.0 + 40.0 * float(draw[5])), float(draw[6])

    def flux(time: Floats) -> Floats:
        swing = 1.0 + depth * np.sin(2 * np.pi * (slow * (time - SIGNAL_EPOCH) + slow_phase))
        return 1.0 + swing * harmonic_sum(time, frequencies, amplitudes, phases)

    listed = [frequencies, amplitudes, phases]
    if depth:
        # sin(a) sin(b) is half of cos(a - b) - cos(a + b).
        sides = [frequencies[0] - slow, frequencies[0] + slow], [0.5 * depth * top] * 2, [
            (phases[0] - slow_phase + 0.25) % 1.0, (phases[0] + slow_phase - 0.25) % 1.0,
        ]  # fmt: skip
        listed = [np.append(known, extra) for known, extra in zip(listed, sides, strict=True)]
    return Signal(period, listed[0], listed[1], listed[2], flux, top / usual)
