"""Real stars with known answers: periods, frequencies, nu_max and classes; faults that make no periods."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from lkmrs_dask.readers.light_curves.reading import read_light_curve
from lkmrs_dask.readers.light_curves.stitching import Stitched, stitch
from lkmrs_dask.readers.light_curves.table_format import TableFormat
from lkmrs_dask.variability import find_frequencies
from lkmrs_dask.variability.features import (
    Peaks,
    StarParameters,
    as_mapping,
    light_curve_features,
    peaks_of,
)
from lkmrs_dask.variability.flicker import nu_max
from lkmrs_dask.variability.frequencies import INSTRUMENTAL, Frequencies
from lkmrs_dask.variability.rules import RuleClass, classify_by_rules
from lkmrs_dask.variability.sparse import best_period

Floats = NDArray[np.float64]

# The classes of section 4.3 but rotation, which a star with planets may have.
STRONG = {"EB", "DSCT", "GDOR", "hybrid", "RG", "RRL", "RSCVn"}

MAGNITUDES = TableFormat(time=0, flux=1, unit="mag", zero=2400000.0, mission="Kepler")
RELATIVE = TableFormat(time=0, flux=1, unit="relative", zero="relative")
K2_TABLE = TableFormat(time=0, flux=1, unit="relative", zero=2454833.0, mission="K2")


class Found(NamedTuple):
    """What the whole chain says of a star."""

    frequencies: Frequencies
    features: dict[str, float]
    judged: RuleClass


def read(shared: Path, files: str, table: TableFormat | None = None) -> Stitched:
    """All files of a pattern as one light curve."""
    paths = sorted((shared / "data").glob(files))
    assert paths
    return stitch([read_light_curve(path, table=table) for path in paths])


def judge(time: Floats, flux: Floats, mission: str, star: StarParameters, most: int = 30) -> Found:
    frequencies = find_frequencies(time, flux, mission=mission, max_frequencies=most)
    return described(time, flux, frequencies, star)


def described(time: Floats, flux: Floats, frequencies: Frequencies, star: StarParameters) -> Found:
    vector = light_curve_features(time, flux, peaks_of(frequencies, leave_out=INSTRUMENTAL), star)
    return Found(frequencies, dict(as_mapping(vector)), classify_by_rules(vector))


# Teff and log g: 9651065 Murphy et al. 2014, 10080943 Schmid et al. 2015 (primary), 11754974 Murphy et al.
# 2013, 6780873 Nemec et al. 2017; all rounded, and well within the limits of the rules.
PULSATORS = {
    "9651065": (StarParameters(7010.0, 3.8), "DSCT", [19.4777]),
    "11754974": (StarParameters(7000.0, 3.9), "DSCT", [16.3448]),
    "10080943": (StarParameters(7100.0, 4.1), "hybrid", [1.060, 13.95]),
    "6780873": (StarParameters(7200.0, 4.1), "hybrid", [0.864, 14.19]),
}


@pytest.mark.parametrize("kic", PULSATORS)
def test_pulsators_of_kepler(shared: Path, kic: str) -> None:
    """Four years: published peaks within 0.004 per day (they are given to three decimals), and the class."""
    star, wanted, peaks = PULSATORS[kic]
    curve = read(shared, f"lc_kepler_dsct/kic{kic}_lc.txt", MAGNITUDES)
    found = judge(curve.time, curve.flux, "kepler", star)
    for peak in peaks:
        assert np.abs(found.frequencies.frequency - peak).min() < 0.004
    assert found.judged.variable_class == wanted, found.judged


@pytest.mark.parametrize(("name", "peak"), [("HD23157", 32.46), ("HD23607", 38.38)])
@pytest.mark.parametrize("known", [True, False])
def test_delta_scuti_stars_of_the_pleiades(shared: Path, name: str, peak: float, known: bool) -> None:
    """Parameters of the file's header (TIC), and none; peaks are known to 0.02 per day, half of 1/T."""
    star = {"HD23157": StarParameters(7514.0, 4.0), "HD23607": StarParameters(8083.0, 4.44)}[name]
    curve = read(shared, f"lc_tess_dsct/{name}_*.fits")
    found = judge(curve.time, curve.flux, "tess", star if known else StarParameters())
    assert found.features["f_main"] == pytest.approx(peak, abs=0.02)
    assert found.judged.variable_class == "DSCT", found.judged


def test_eclipsing_binary(shared: Path) -> None:
    """KIC 5023948, nine quarters: 3.6492928 d (Villanova) within 1/T of its frequency; class without Teff."""
    curve = read(shared, "lc_kepler_eb/kplr005023948-*_llc.fits")
    found = judge(curve.time, curve.flux, "kepler", StarParameters())
    period = found.features["period"]
    assert abs(1 / period - 1 / 3.6492928) < 1 / found.features["span"]
    assert found.judged.variable_class == "EB", found.judged


def test_eclipsing_binary_in_one_quarter(shared: Path) -> None:
    """Its period or half of it: the minima are alike."""
    curve = read(shared, "lc_kepler_eb/kplr005023948-2011073133259_llc.fits")
    found = judge(curve.time, curve.flux, "kepler", StarParameters(6174.0))
    ratio = 3.6492928 / found.features["period"]
    assert ratio == pytest.approx(round(ratio), rel=1e-3)
    assert round(ratio) in (1, 2)
    assert found.judged.variable_class == "EB"


def test_spotted_star_with_flares(shared: Path) -> None:
    """GJ 1243 (KIC 9726699, M4), one quarter: 0.5926 d within 0.1 %, a tenth of P/T."""
    curve = read(shared, "lc_kepler_rot/kplr009726699-*_llc.fits")
    for star in (StarParameters(3200.0, 5.0), StarParameters()):
        found = judge(curve.time, curve.flux, "kepler", star)
        assert found.features["period"] == pytest.approx(0.5926, rel=1e-3)
        assert found.judged.variable_class == "rotation", found.judged


@pytest.mark.parametrize("quarter", ["*", "2009*", "2010009*", "2010174*"])
def test_planet_host(shared: Path, quarter: str) -> None:
    """KIC 11442793, quarters with gaps and NaN, together and one by one; parameters of the header."""
    curve = read(shared, f"lc_kepler_planet/kplr011442793-{quarter}_llc.fits")
    for star in (StarParameters(5970.0, 4.317), StarParameters()):
        found = judge(curve.time, curve.flux, "kepler", star)
        assert found.judged.variable_class not in STRONG, found.judged


@pytest.mark.parametrize(
    ("files", "table", "mission"),
    [
        ("lc_tess/tess2018206045859-*.fits", None, "tess"),
        ("lc_k2/EPIC201367065.csv", K2_TABLE, "k2"),
        ("lc_k2/EPIC201367065_detrended.csv", K2_TABLE, "k2"),
        ("lc_k2/ktwo211121743-*.fits", None, "k2"),
        ("lc_k2/hlsp_k2varcat_*.fits", None, "k2"),
        ("lc_k2/hlsp_k2sc_*.fits", None, "k2"),
    ],
)
def test_nothing_strong(shared: Path, files: str, table: TableFormat | None, mission: str) -> None:
    """A flaring M dwarf (TIC 358108509), another planet host (K2-3) and three K2 stars with their drifts."""
    curve = read(shared, files, table)
    found = judge(curve.time, curve.flux, mission, StarParameters())
    assert found.judged.variable_class not in STRONG, found.judged


def test_thrusters_of_k2_stay_out(shared: Path) -> None:
    """EPIC 211099743: most that is found are multiples of 4.08 per day and lines beside, none the star's."""
    curve = read(shared, "lc_k2/hlsp_k2sc_k2_llc_211099743-*.fits")
    found = find_frequencies(curve.time, curve.flux, mission="k2", max_frequencies=30)
    lines = (found.flags & INSTRUMENTAL) > 0
    assert lines.sum() >= 10
    kept = peaks_of(found, leave_out=INSTRUMENTAL)
    assert kept.frequency.tolist() == found.frequency[~lines].tolist()
    # Nor are they where a limit of S/N would let them in.
    assert len(peaks_of(found, leave_out=INSTRUMENTAL, strong=10.0).frequency) == len(kept.frequency)


def strong_signal(days: float, frequency: list[float], amplitude: list[float], noise: float) -> Stitched:
    time = np.arange(0.0, days, 29.4244 / 1440.0)
    flux = 1.0 + noise * np.random.default_rng(12).normal(size=len(time))
    for f, a in zip(frequency, amplitude, strict=True):
        flux += a * np.cos(2 * np.pi * f * time)
    return Stitched(time, flux, np.full(len(time), noise), np.zeros(len(time), np.int64))


@pytest.mark.parametrize(
    ("mission", "frequency", "star", "wanted"),
    [
        ("kepler", 1 / 3.0, StarParameters(5000.0, 4.5, 6.0, 2.0), "rotation"),
        ("k2", 12.30, StarParameters(7500.0, 4.0, 2.0, 2.0), "DSCT"),
    ],
)
def test_strong_signals_on_lines(mission: str, frequency: float, star: StarParameters, wanted: str) -> None:
    """1 % at a spacecraft's line, a hundred times stronger than it ever is."""
    curve = strong_signal(78.0, [frequency], [1e-2], 2e-4)
    found = judge(curve.time, curve.flux, mission, star)
    assert found.frequencies.flags[0] & INSTRUMENTAL
    assert found.features["f_main"] == pytest.approx(frequency, abs=1e-3)
    assert found.judged.variable_class == wanted, found.judged


def test_red_giant(shared: Path) -> None:
    """KIC 11618103, long cadence: 106.29 uHz by pySYD's own tests (Chontos et al. 2022), within 10 %."""
    curve = read(shared, "lc_kepler_redgiant/11618103_LC.txt", RELATIVE)
    place, contrast = nu_max(curve.time, curve.flux)
    assert place == pytest.approx(106.29, rel=0.1)
    assert contrast > 3
    for star in (StarParameters(4900.0, 2.93), StarParameters()):
        found = judge(curve.time, curve.flux, "kepler", star)
        assert found.features["nu_hump"] == pytest.approx(106.29, rel=0.1)
        assert found.judged.variable_class == "RG", found.judged


def test_subgiant(shared: Path) -> None:
    """KIC 2309595, short cadence: nu_max of the table within 10 %; a mode at 55 per day is no delta Scuti."""
    curve = read(shared, "lc_kepler_redgiant/2309595_LC.txt", RELATIVE)
    with (shared / "data" / "lc_kepler_redgiant" / "pysyd_results.csv").open() as stream:
        known = next(float(row["numax_smooth"]) for row in csv.DictReader(stream) if row["star"] == "2309595")
    assert nu_max(curve.time, curve.flux, ends=(300.0, 5000.0))[0] == pytest.approx(known, rel=0.1)
    found = judge(curve.time, curve.flux, "kepler", StarParameters())
    assert found.judged.variable_class == "uncertain"


class Stripe82(NamedTuple):
    """An RR Lyrae star: published period, and time, magnitude, error and band of each point."""

    name: str
    period: float
    points: Floats
    band: NDArray[np.str_]


def stripe_82(shared: Path, kind: str, bands: str = "g") -> list[Stripe82]:
    """RR Lyrae stars of a type, in some of the bands."""
    folder = shared / "data" / "lc_rrlyr_s82"
    stars = []
    with (folder / "periods.csv").open() as stream:
        for row in csv.DictReader(stream):
            path = folder / "light-curves" / f"{row['Num']}.csv"
            if row["Type"] != kind or not path.exists():
                continue
            lines = [one.split(",") for one in path.read_text().splitlines()[1:]]
            chosen = [one for one in lines if one[3] in bands]
            points = np.array([one[:3] for one in chosen], float)
            stars.append(
                Stripe82(row["Num"], float(row["Per"]), points, np.array([one[3] for one in chosen]))
            )
    return stars


@pytest.mark.parametrize("kind", ["ab", "c"])
@pytest.mark.parametrize("bands", ["g", "ugriz"])
def test_periods_of_rr_lyrae_stars(shared: Path, kind: str, bands: str) -> None:
    """Some of the stars, three in four within 0.1 %; fill values (99.99) have errors of 100 mag.

    Of all 114 of 121 are in g, 113 in ugriz.  The seven others of g lie at aliases of a day or a year; for
    six of them each of the five bands by itself finds those likelier than the published period.
    """
    stars = stripe_82(shared, kind, bands)[:: 12 if kind == "ab" else 5]
    right = []
    for star in stars:
        time, mag, error = star.points.T
        found = best_period(time, mag, error, f_min=1.0, f_max=5.0, band=star.band)
        right.append(abs(found.period / star.period - 1) < 1e-3)
    assert len(right) >= 4
    assert np.mean(right) >= 0.75


def test_rr_lyrae_stars_in_one_band_a_night(shared: Path) -> None:
    """Of each visit one of g, r and i: of all stars 110 of 121 are right with labels, 88 without."""
    rng = np.random.default_rng(1)
    right = []
    for star in stripe_82(shared, "ab", "gri")[::10]:
        time, mag, error = star.points.T
        visit = np.cumsum(np.diff(time, prepend=time[0]) > 0.01)
        one = np.array([rng.choice(np.flatnonzero(visit == number)) for number in np.unique(visit)])
        one = one[error[one] < 1]
        calls = [
            best_period(time[one], mag[one], error[one], f_min=1.0, f_max=5.0, band=band)
            for band in (star.band[one], None)
        ]
        right.append([abs(found.period / star.period - 1) < 1e-3 for found in calls])
    with_bands, without = np.mean(right, axis=0)
    assert with_bands >= 0.8
    assert with_bands > without


def test_overtone_rr_lyrae_stars(shared: Path) -> None:
    """Type c at published periods: four in five RRL, none a binary (r21 of 0.03 or less cannot be told)."""
    classes = []
    for _, period, points, _ in stripe_82(shared, "c"):
        flux = 10.0 ** (-0.4 * (points[:, 1] - np.median(points[:, 1])))
        base = np.array([1.0, 2.0]) / period
        peaks = Peaks(base, np.array([200.0, 30.0]), np.full(2, 30.0), np.array([True, False]))
        vector = light_curve_features(points[:, 0], flux, peaks, StarParameters(7000.0, 2.8))
        classes.append(classify_by_rules(vector).variable_class)
    assert len(classes) >= 15
    assert classes.count("RRL") >= 0.8 * len(classes)
    assert "EB" not in classes


FAULTS = ("gaps", "nan", "jumps", "flares", "offsets", "one point", "decay")


def with_fault(name: str, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Four quarters of a constant star in long cadence, 200 ppm of noise, with a fault."""
    quarters = [np.arange(0.0, 90.0, 0.0204336) + 92.3 * k for k in range(4)]
    fluxes = [1.0 + 2e-4 * rng.normal(size=len(one)) for one in quarters]
    for k, time in enumerate(quarters):
        start, flux = float(rng.uniform(time[0], time[-1])), fluxes[k]
        if name == "gaps":
            flux[(time > start) & (time < start + 9.0)] = np.nan
        elif name == "nan":
            flux[rng.random(len(time)) < 0.2] = np.nan
        elif name == "jumps":
            flux += 1e-3 * rng.choice([-1, 1]) * (time > start)
        elif name == "flares":
            for begin in rng.uniform(time[0], time[-1], 10):
                flux += np.where(time > begin, 0.02 * np.exp(-np.maximum(time - begin, 0.0) / 0.04), 0.0)
        elif name == "offsets":
            flux += 0.01 * rng.normal()
        elif name == "decay":  # after a safe mode the telescope warms up
            flux += 1e-3 * np.exp(-(time - time[0]) / 1.5)
    if name == "one point":
        quarters[1], fluxes[1] = quarters[1][:1], np.array([1.05])
    return np.concatenate(quarters), np.concatenate(fluxes)


@pytest.mark.parametrize("name", FAULTS)
def test_faults_make_no_variables(name: str) -> None:
    """Nothing is called a variable, with and without parameters, and for offsets before stitching too."""
    for seed in range(3):
        time, flux = with_fault(name, np.random.default_rng([seed, 82]))
        frequencies = find_frequencies(time, flux, mission="kepler", max_frequencies=10)
        for star in (StarParameters(6000.0, 4.4), StarParameters(7000.0, 4.1), StarParameters()):
            found = described(time, flux, frequencies, star)
            assert found.judged.variable_class == "", (seed, found.judged)


@pytest.mark.parametrize("name", FAULTS)
def test_faults_hide_no_pulsator(name: str) -> None:
    """The same faults on a delta Scuti star of 2 ppt leave its class and its strongest frequency."""
    time, flux = with_fault(name, np.random.default_rng(83))
    waves = 2e-3 * np.sin(2 * np.pi * 14.37 * time) + 1e-3 * np.sin(2 * np.pi * 17.91 * time)
    flux = flux * (1.0 + waves)
    if name == "offsets":  # as stitching does
        for k in range(4):
            own = (time >= 92.3 * k) & (time < 92.3 * (k + 1))
            flux[own] /= np.median(flux[own])
    found = judge(time, flux, "kepler", StarParameters(7600.0, 4.0), most=15)
    fast = found.frequencies.frequency > 5
    strongest = found.frequencies.frequency[fast][found.frequencies.amplitude[fast].argmax()]
    assert strongest == pytest.approx(14.37, abs=1e-3)
    assert found.judged.variable_class == "DSCT", found.judged
