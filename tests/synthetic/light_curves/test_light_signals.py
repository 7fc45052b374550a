from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from light_stars import Floats, numbers, quarter, sector, seen, spectrum, star

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.light_curves.classes import MAKERS, make_signal
from lkmrs_dask.synthetic.light_curves.eclipses import Contact, Detached, conjunctions
from lkmrs_dask.synthetic.light_curves.red_giants import large_separation, mode_frequencies, nu_max
from lkmrs_dask.synthetic.light_curves.signal import SIGNAL_EPOCH, Signal, Source, fourier, harmonic_sum
from lkmrs_dask.synthetic.light_curves.spots import flares
from lkmrs_dask.synthetic.orbit import ORBIT_EPOCH, Orbit, radial_velocity

KINDS: dict[str, dict[str, Any]] = {
    "": {},
    "EB": {"teff": 6000.0, "logg": 4.3},
    "DSCT": {"teff": 7600.0},
    "GDOR": {"teff": 7000.0},
    "hybrid": {"teff": 7300.0},
    "RG": {"teff": 4800.0, "logg": 2.4},
    "RRL": {"teff": 6600.0, "logg": 2.8},
    "RSCVn": {"teff": 4800.0, "logg": 3.2},
    "rotation": {"teff": 4500.0, "logg": 4.6},
    "uncertain": {},
}
TIME = SIGNAL_EPOCH + np.arange(-500.0, -400.0, 0.01)


def make(kind: str, number: int = 17, **changes: Any) -> tuple[Source, Signal]:
    source = star(variable_class=kind, number=number, **(KINDS[kind] | changes))
    return source, make_signal(source, numbers(source), seen(source))


def sine_sum(signal: Signal, time: Floats) -> Floats:
    """What the truth says, spelt out."""
    angle = 2 * np.pi * (np.outer(time - 2458000.5, signal.frequencies) + signal.phases)
    return 1.0 + 1e-3 * np.sin(angle) @ signal.amplitudes


def test_every_class_has_a_maker() -> None:
    assert set(KINDS) == set(MAKERS)


@pytest.mark.parametrize("kind", KINDS)
def test_light_is_a_function_of_time_alone(kind: str) -> None:
    _, signal = make(kind)
    light = signal.flux(TIME)
    assert np.isfinite(light).all()
    assert (light > 0).all()
    # Differences: sums that begin elsewhere round elsewhere.
    np.testing.assert_allclose(signal.flux(TIME[3000:4000]), light[3000:4000], rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_stars_differ_and_the_same_star_does_not(kind: str) -> None:
    one, again, other = (make(kind, number)[1] for number in (17, 17, 18))
    np.testing.assert_array_equal(one.flux(TIME), again.flux(TIME))
    if kind:
        assert np.abs(one.flux(TIME) - other.flux(TIME)).max() > 1e-5


@pytest.mark.parametrize("kind", ["DSCT", "GDOR", "hybrid", "uncertain"])
def test_truth_of_pulsators_is_their_light(kind: str) -> None:
    for number in range(20, 26):
        _, signal = make(kind, number)
        # The times are 1e7 radians away from the epoch at 50 cycles a day for 500 d: 1e-9 of a turn each.
        np.testing.assert_allclose(signal.flux(TIME), sine_sum(signal, TIME), rtol=0, atol=1e-8)


def test_truth_of_a_modulated_rr_lyrae_star_is_its_fundamental() -> None:
    for number in range(20, 40):
        _, signal = make("RRL", number)
        ratio = signal.amplitudes[1:4] / signal.amplitudes[0]
        assert ratio[0] > 0.2
        assert len(signal.frequencies) in (6, 8)
        if len(signal.frequencies) == 6:
            np.testing.assert_allclose(signal.flux(TIME), sine_sum(signal, TIME), rtol=0, atol=1e-9)
            continue
        # Side peaks of the first harmonic, by projection on 2,000 d.
        time = SIGNAL_EPOCH + np.arange(0.0, 2000.0, 0.02)
        light = signal.flux(time) - 1.0
        for at in (6, 7):
            wave = np.exp(-2j * np.pi * signal.frequencies[at] * (time - SIGNAL_EPOCH))
            found = 2.0 * np.mean(light * wave * np.hanning(len(time)) * 2.0)
            expected = 1e-3 * signal.amplitudes[at] * np.exp(2j * np.pi * (signal.phases[at] - 0.25))
            assert abs(found - expected) < 0.02 * abs(expected)


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("DSCT", 5.0, 50.0), ("GDOR", 0.3, 5.0), ("hybrid", 0.3, 50.0)]
)
def test_frequencies_of_pulsators(kind: str, low: float, high: float) -> None:
    for number in range(20, 40):
        _, signal = make(kind, number)
        f = np.sort(signal.frequencies)
        assert len(f) >= (2 if kind == "GDOR" else 3)
        assert low <= f[0]
        assert f[-1] <= high
        assert np.diff(f).min() > 1.5 / sector().span * 0.05
        if kind == "hybrid":
            g, p = (
                signal.amplitudes[rule].max() for rule in (signal.frequencies < 5, signal.frequencies > 5)
            )
            assert 1.0 < max(g, p) / min(g, p) <= 5.0 + 1e-9


@pytest.mark.parametrize("kind", ["DSCT", "GDOR", "hybrid", "RRL", "RSCVn", "rotation", "uncertain"])
def test_a_given_period_is_kept(kind: str) -> None:
    period = 0.11 if kind == "DSCT" else 1.7
    for number in range(20, 25):
        _, signal = make(kind, number, period=period)
        assert signal.period == pytest.approx(period, rel=1e-12)
        assert signal.frequencies[np.argmax(signal.amplitudes)] == pytest.approx(1.0 / period)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("", "uncertain", "EB")])
@pytest.mark.parametrize("g", [9.0, 12.0, 15.0])
def test_amplitudes_reach_the_limit_of_detection(kind: str, g: float) -> None:
    source = star(variable_class=kind, g=g, **KINDS[kind])
    for segment in (quarter(), sector()):
        found = seen(source, segment)
        signal = make_signal(source, numbers(source), found)
        best = np.argmax(signal.amplitudes)
        # The mean noise is 1.064 times the median, and smearing takes at most 40 %.
        assert signal.amplitudes[best] * 0.6 > 5.6 * found.floor(signal.frequencies[best])
        assert signal.boost >= 1.0


def test_hidden_signals_stay_below_detection() -> None:
    shares = []
    for number in range(200):
        source = star(number=number)
        found = seen(source)
        signal = make_signal(source, numbers(source), found)
        shares.append(len(signal.frequencies))
        for frequency, amplitude in zip(signal.frequencies, signal.amplitudes, strict=True):
            assert amplitude <= 1.5 * found.floor(frequency)
    assert set(shares) == {0, 1}
    assert 0.15 < np.mean(shares) < 0.35  # a quarter, 200 stars: 3 sigma are 0.09


def test_unknown_class() -> None:
    with pytest.raises(UsageError, match="unknown class 'CEP'"):
        make_signal(star(variable_class="CEP"), numbers(star()), seen(star()))


def test_conjunctions_against_the_orbit() -> None:
    # At the primary conjunction the visible star is farthest away: its velocity falls through
    # e cos(omega) K; at the secondary one it rises through it.
    for e, omega in ((0.0, 0.3), (0.4, 2.0), (0.7, -1.0)):
        for mean, sign in zip(conjunctions(e, omega), (-1, 1), strict=True):
            orbit = Orbit(*(np.array(v) for v in (10.0, 20.0, e, omega, mean)))
            around = radial_velocity(ORBIT_EPOCH + np.array([-1e-4, 0.0, 1e-4]), orbit)
            assert around[1] == pytest.approx(20.0 * e * np.cos(omega), abs=1e-6)
            assert np.sign(around[2] - around[0]) == sign


@pytest.mark.parametrize("period", [0.4, 1.5, 8.0])
def test_eclipses_are_in_step_with_the_orbit(period: float) -> None:
    orbit = Orbit(*(np.array(v) for v in (period, 60.0, 0.2, 1.1, 0.37)))
    _, signal = make("EB", orbit=orbit, period=period)
    assert signal.period == period
    time = SIGNAL_EPOCH + np.linspace(0.0, period, 20_001)
    light = signal.flux(time)
    primary = conjunctions(0.2, 1.1)[0]
    eclipse = SIGNAL_EPOCH + ((primary - 0.37) % 1.0) * period
    # The deeper minimum, whose bottom may be flat, is around the primary conjunction.
    bottom = time[light < light.min() + 0.02 * (light.max() - light.min())]
    away = np.abs((bottom - eclipse + period / 2) % period - period / 2)
    assert away.min() < 0.003 * period
    assert away.max() < 0.1 * period


def test_shapes_of_eclipses() -> None:
    detached = Detached(depths=(0.3, 0.1), width=0.05, second=0.5, ellipsoidal=0.0, flat=0.4)
    assert detached(np.array([0.0, 0.5, 0.25, 0.051, 0.99])) == pytest.approx([0.7, 0.9, 1.0, 1.0, 0.7])
    half = 1.0 - 0.3 * np.sqrt(1 - 0.5**2)  # half of the slope from 0.4 to 1 of the width
    assert detached(np.array([0.7 * 0.05]))[0] == pytest.approx(half)
    contact = Contact(second=0.1, first=0.02, fourth=0.0)
    assert contact(np.array([0.0, 0.25, 0.5])) == pytest.approx([0.88, 1.1, 0.92])


def test_fourier_gives_back_the_shape() -> None:
    def shape(phase: Floats) -> Floats:
        return 2.0 + 0.3 * np.sin(2 * np.pi * phase) + 0.1 * np.cos(6 * np.pi * phase + 0.4)

    f, a, p = fourier(shape, 2.5, 0.3, 4)
    np.testing.assert_allclose(f, np.arange(1, 5) / 2.5)
    np.testing.assert_allclose(a, [300.0, 0.0, 100.0, 0.0], atol=1e-9)
    phase = (TIME - SIGNAL_EPOCH) / 2.5 + 0.3
    np.testing.assert_allclose(harmonic_sum(TIME, f, a, p), shape(phase) - 2.0, atol=1e-9)


def test_scaling_relations_of_the_sun() -> None:
    assert nu_max(5777.0, 4.438) == pytest.approx(3090.0)
    assert large_separation(nu_max(5777.0, 4.438)) == pytest.approx(135.0, rel=0.05)
    assert nu_max(4800.0, 2.4) == pytest.approx(3090.0 * 10 ** (2.4 - 4.438) * (5777 / 4800) ** 0.5)


def test_radial_modes_are_a_comb() -> None:
    place, relative = mode_frequencies(60.0)
    spacing = large_separation(60.0)
    offset = 0.634 + 0.63 * np.log10(spacing)
    radial = np.abs((place / spacing - offset + 0.5) % 1.0 - 0.5) < 1e-6
    assert radial.sum() >= 5
    assert (np.abs(place - 60.0) < 1.5 * 0.66 * 60.0**0.88).all()
    assert relative.max() == pytest.approx(1.22, abs=0.1)


def test_the_hump_of_a_red_giant_is_at_nu_max() -> None:
    _, signal = make("RG")
    time = SIGNAL_EPOCH + np.arange(0.0, 1000.0, 0.05)
    frequency, amplitude = spectrum(time, signal.flux(time) - 1.0, 9.0)
    power = amplitude**2
    centre = signal.nu_max * 0.0864
    width = 0.66 * signal.nu_max**0.88 * 0.0864
    inside = np.abs(frequency - centre) < width
    middle = np.sum(frequency[inside] * power[inside]) / np.sum(power[inside])
    assert middle == pytest.approx(centre, rel=0.12)  # some thirty modes, each with its own luck
    beside = (frequency > centre + 2.5 * width) & (frequency < centre + 4 * width)
    assert power[inside].mean() > 10 * power[beside].mean()


def test_flares_rise_at_once_and_decay() -> None:
    made = flares(TIME, numbers(star()), 0.01)
    assert (made >= 0).all()
    jumps = np.flatnonzero(np.diff(made) > 1e-3)
    assert 10 < len(jumps) < 45  # 100 d, one in four days: 25, 3 sigma are 13
    assert np.abs(made[jumps + 1] * np.exp(-48.0 * 0.01) - made[jumps + 2]).max() < 1e-4


def test_spots_of_slow_stars_show_at_half_the_period() -> None:
    _, signal = make("rotation", period=60.0)
    assert len(signal.frequencies) == 2
    assert signal.amplitudes[1] > 0.8 * signal.amplitudes[0]
