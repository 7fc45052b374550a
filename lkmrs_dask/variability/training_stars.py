"""Synthetic stars of known class for the training of the classifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.variability.features import StarParameters

__all__ = ["SYNTHETIC_CLASSES", "LabelledCurve", "SyntheticSettings", "n_synthetic", "synthetic_curves"]

Floats = NDArray[np.float64]

_MISSIONS = ("kepler", "k2", "tess")
_MOST = 1_000_000  # stars of a class: their numbers are apart by this


class LabelledCurve(NamedTuple):
    """A light curve of known class.

    Parameters
    ----------
    time, flux : ndarray of float64, shape (n,)
        Days, relative flux.
    label : str
        Its class.
    star : StarParameters
        What is known of the star.
    group : str
        Name of the star: curves of one star are never in training and test at once.
    mission : str
        ``kepler``, ``k2`` or ``tess``: whose instrumental lines are left out; empty for none.
    source : str
        Where it is from: ``synthetic``, or the name of the data.
    """

    time: Floats
    flux: Floats
    label: str
    star: StarParameters
    group: str = ""
    mission: str = ""
    source: str = "synthetic"


@dataclass(frozen=True)
class SyntheticSettings:
    """How synthetic stars of the training table are drawn (all ours).

    Parameters
    ----------
    per_class : int
        Stars of each class.
    seed : int
        Of all random numbers: the same seed gives the same table, whatever the number of stars before.
    teff_error, logg_error, m_g_error : float
        Errors of the parameters that the classifier is given, K, dex and mag.
    missing : float
        Share of stars without one of the parameters, each on its own: the classifier has to do without.
    unknown : float
        Share of stars of which no parameter at all is known.
    g_range : tuple of float
        Magnitudes.
    most_segments : int
        Quarters, campaigns or sectors of a star: from one to this many, one after another.
    weakest : float
        Amplitudes of pulsators and rotating stars are multiplied by a random factor from this one to 1, even
        in the logarithm: those of the synthetic survey are made to be seen in faint stars too.
    strong, strongest : float
        This share of the delta Scuti stars has amplitudes multiplied by a factor from 1 to `strongest`
        instead, even in the logarithm: those of high amplitude, which the synthetic survey does not have.

    Raises
    ------
    UsageError
        When a value makes no sense.
    """

    per_class: int = 50
    seed: int = 1
    teff_error: float = 100.0
    logg_error: float = 0.10
    m_g_error: float = 0.2
    missing: float = 0.1
    unknown: float = 0.05
    g_range: tuple[float, float] = (9.5, 14.5)
    most_segments: int = 4
    weakest: float = 0.1
    strong: float = 0.2
    strongest: float = 30.0

    def __post_init__(self) -> None:
        """Check every value."""
        good = (
            1 <= self.per_class < _MOST
            and self.seed >= 0
            and min(self.teff_error, self.logg_error, self.m_g_error) >= 0
            and 0 <= self.missing < 1
            and 0 <= self.unknown < 1
            and self.g_range[0] < self.g_range[1]
            and self.most_segments >= 1
            and 0 < self.weakest <= 1
            and 0 <= self.strong <= 1
            and 1 <= self.strongest <= 100
        )
        if not good:
            values = ", ".join(f"{one.name} {getattr(self, one.name)!r}" for one in fields(self))
            raise UsageError(f"settings of synthetic curves make no sense: {values}")


class _Region(NamedTuple):
    """Where stars of a class are drawn: teff (K), log g (dex), period (d), half range of RV (km/s)."""

    teff: tuple[float, float]
    logg: tuple[float, float]
    period: tuple[float, float]
    rv: tuple[float, float]


_REGIONS: Mapping[str, _Region] = {
    "RRL": _Region((6000, 7400), (2.5, 3.2), (0.35, 0.80), (15, 35)),
    "DSCT": _Region((6800, 8800), (3.4, 4.5), (0.03, 0.2), (2, 30)),
    "hybrid": _Region((6600, 8000), (3.4, 4.5), (0.4, 2.0), (2, 30)),
    "GDOR": _Region((6400, 7600), (3.5, 4.5), (0.4, 2.5), (2, 30)),
    "RSCVn": _Region((4400, 5600), (2.2, 3.7), (1.5, 20), (8, 70)),
    "RG": _Region((4200, 5300), (1.7, 3.3), (0.1, 0.6), (1, 20)),
    "rotation": _Region((3600, 6500), (3.9, 5.0), (0.5, 25), (1, 40)),
    "EB": _Region((4000, 8500), (3.4, 4.8), (0.3, 15), (10, 150)),
    "uncertain": _Region((4200, 8400), (1.8, 4.8), (0.2, 12), (1, 40)),
}


SYNTHETIC_CLASSES: tuple[str, ...] = tuple(_REGIONS)
"""Classes that synthetic stars are made of."""

_WEAKENED = ("DSCT", "hybrid", "GDOR", "rotation")


def synthetic_curves(
    settings: SyntheticSettings | None = None, rows: range | None = None
) -> Iterator[LabelledCurve]:
    """Synthetic light curves of all classes, made one by one.

    Each has quarters of Kepler, campaigns of K2 or sectors of TESS, with the noise, gaps and spikes of
    `lkmrs_dask.synthetic.light_curves`.

    Parameters
    ----------
    settings : SyntheticSettings, optional
        How many, and how.
    rows : range, optional
        Which of them; all if not given.  Each is the same whichever others are asked for, and however many
        there are of a class: classes take turns.

    Yields
    ------
    LabelledCurve
    """
    settings = settings or SyntheticSettings()
    for row in range(n_synthetic(settings)) if rows is None else rows:
        k, number = divmod(row, len(SYNTHETIC_CLASSES))
        yield _synthetic(SYNTHETIC_CLASSES[number], number * _MOST + k, settings)


def n_synthetic(settings: SyntheticSettings) -> int:
    """Synthetic stars of all classes together."""
    return settings.per_class * len(SYNTHETIC_CLASSES)


def _synthetic(label: str, number: int, settings: SyntheticSettings) -> LabelledCurve:
    from lkmrs_dask.synthetic.counters import Draws
    from lkmrs_dask.synthetic.light_curves.classes import make_signal
    from lkmrs_dask.synthetic.light_curves.curve import observe
    from lkmrs_dask.synthetic.light_curves.photometry import detection, photometry
    from lkmrs_dask.synthetic.light_curves.segments import segments
    from lkmrs_dask.synthetic.light_curves.signal import Numbers, Source
    from lkmrs_dask.synthetic.luminosity import absolute_magnitude
    from lkmrs_dask.synthetic.orbit import Orbit

    region = _REGIONS[label]
    random = np.random.default_rng([settings.seed, number])
    mission = _MISSIONS[int(random.integers(3))]
    known = segments(mission)
    first = int(random.integers(len(known)))
    lit = known[first : first + int(random.integers(1, settings.most_segments + 1))]
    segment = lit[0]
    teff, logg = float(random.uniform(*region.teff)), float(random.uniform(*region.logg))
    # Half of the binaries whose periods are even in the logarithm would be too long for one sector.
    period = float(np.exp(random.uniform(*np.log(region.period))))
    if label in ("EB", "RSCVn", "rotation"):
        period = min(period, 0.4 * segment.span)
    source = Source(
        number=number, uid=f"G{number:014d}", kic=0, tic=0, ra=segment.ra, dec=segment.dec, pmra=0.0,
        pmdec=0.0, g=float(random.uniform(*settings.g_range)), bp_rp=0.7, teff=teff, logg=logg, feh=0.0,
        variable_class=label, period=np.nan if label == "RG" else period,
        orbit=Orbit(*[np.array(np.nan)] * len(Orbit._fields)),
    )  # fmt: skip
    light = photometry(mission, source.g, source.bp_rp)
    numbers = Numbers(Draws(settings.seed), number)
    signal = make_signal(source, numbers, detection([(segment, light)]))
    if label in _WEAKENED:
        whole, factor = signal.flux, settings.weakest ** float(random.random())
        if label == "DSCT" and random.random() < settings.strong:
            factor = settings.strongest ** float(random.random())
        signal = replace(signal, flux=lambda time: 1.0 + factor * (whole(time) - 1.0))
    times, fluxes = [], []
    for one in lit:
        columns = observe(source, signal, one, light, numbers).columns
        time, flux = columns["TIME"], columns["PDCSAP_FLUX"]
        good = np.isfinite(time) & np.isfinite(flux) & (columns["QUALITY"] == 0)
        if good.any():
            times.append(time[good])
            fluxes.append(flux[good] / np.median(flux[good]))
    magnitude = float(absolute_magnitude(teff, logg))
    given = [
        teff + settings.teff_error * random.normal(),
        logg + settings.logg_error * random.normal(),
        magnitude + settings.m_g_error * random.normal(),
        float(np.exp(random.uniform(*np.log(region.rv)))),
    ]
    absent = (random.random(4) < settings.missing) | (random.random() < settings.unknown)
    star = StarParameters(*np.where(absent, np.nan, given).tolist())
    group = f"synthetic-{settings.seed}-{number}"
    return LabelledCurve(np.concatenate(times), np.concatenate(fluxes), label, star, group, mission)
