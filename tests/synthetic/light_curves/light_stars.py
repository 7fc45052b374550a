"""Made-up stars and a plain periodogram for tests of light curves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.timeseries import LombScargle
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.light_curves.photometry import detection, photometry
from lkmrs_dask.synthetic.light_curves.segments import Segment, segments
from lkmrs_dask.synthetic.light_curves.signal import Detection, Numbers, Source
from lkmrs_dask.synthetic.orbit import Orbit

Floats = NDArray[np.float64]

DRAWS = Draws(3)
NAN = float("nan")
SINGLE = Orbit(*[np.array(NAN)] * 5)
STAR = Source(
    number=17, uid="G00000000000017", kic=9_726_698, tic=0, ra=297.0, dec=46.0, pmra=5.0, pmdec=-12.0, g=12.0,
    bp_rp=0.6, teff=7200.0, logg=4.1, feh=0.0, variable_class="", period=NAN, orbit=SINGLE,
)  # fmt: skip


def star(**changes: Any) -> Source:
    """The test's star with some changes."""
    return replace(STAR, **changes)


def numbers(source: Source) -> Numbers:
    """The random numbers of a star."""
    return Numbers(DRAWS, source.number)


def quarter() -> Segment:
    """A long quarter."""
    return next(one for one in segments("kepler") if one.number == 9)


def sector() -> Segment:
    """The sector whose header was at hand."""
    return next(one for one in segments("tess") if one.number == 42)


def seen(source: Source, segment: Segment | None = None) -> Detection:
    """What one light curve of a star can show."""
    segment = segment or quarter()
    return detection([(segment, photometry(segment.mission, source.g, source.bp_rp))])


def read(path: Path) -> tuple[Floats, Floats]:
    """Times (BJD_TDB) and relative flux (ppt) of a file, as the archive's users read it."""
    with fits.open(path) as hdus:
        data, header = hdus["LIGHTCURVE"].data, hdus["LIGHTCURVE"].header
        time = data["TIME"].astype(np.float64) + header["BJDREFI"] + header["BJDREFF"]
        flux = data["PDCSAP_FLUX"].astype(np.float64)
    good = np.isfinite(time) & np.isfinite(flux)
    return time[good], 1e3 * (flux[good] / np.median(flux[good]) - 1.0)


def spectrum(time: Floats, flux: Floats, highest: float) -> tuple[Floats, Floats]:
    """Amplitude spectrum by astropy: frequencies (1/d) from two cycles in the data, amplitudes."""
    span = time[-1] - time[0]
    frequency = np.arange(2.0 / span, highest, 0.1 / span)
    power = LombScargle(time - time[0], flux).power(frequency, method="fast", normalization="psd")
    return frequency, np.sqrt(4.0 * np.abs(power) / len(time))


def strongest(frequency: Floats, amplitude: Floats) -> tuple[float, float]:
    """Frequency of the highest peak, and its height over the median within 1/d, away from the peak."""
    top = int(np.argmax(amplitude))
    away = np.abs(frequency - frequency[top])
    resolution = 10.0 * (frequency[1] - frequency[0])
    noise = np.median(amplitude[(away < 1.0) & (away > 2.5 * resolution)])
    return float(frequency[top]), float(amplitude[top] / noise)
