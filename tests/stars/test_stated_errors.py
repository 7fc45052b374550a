"""Laws of errors that catalogues state: synthetic ones come back, and real ones are told."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lkmrs_dask.stars.error_law import fit_stated_errors
from lkmrs_dask.stars.error_settings import ErrorLawSettings
from lkmrs_dask.synthetic.noise import ERROR_LAW, error

Floats = NDArray[np.float64]


def stated(seed: int = 0, n: int = 3000) -> tuple[Floats, Floats]:
    """S/N, and errors of Table 3's Teff with a scatter of a third."""
    rng = np.random.default_rng(seed)
    snr = np.exp(rng.uniform(np.log(6), np.log(150), n))
    return snr, error("teff", snr) * np.exp(0.3 * rng.normal(size=n))


def test_stated_errors() -> None:
    """100 catalogues of 3,000 errors: law and coefficients without bias, pulls of unit spread."""
    pulls = []
    for seed in range(100):
        law = fit_stated_errors(*stated(seed)).law
        assert law is not None
        sigma = [
            (float(law.sigma(x)) / float(error("teff", x)) - 1)
            * float(law.sigma(x))
            / float(law.sigma_err(x))
            for x in (10, 30)
        ]
        abc = [
            (getattr(law, k) - t) / getattr(law, f"{k}_err")
            for k, t in zip("abc", ERROR_LAW["teff"], strict=True)
        ]
        pulls.append([*sigma, *abc])
    # Of 100 pulls the spread has an error of 7 %, the mean one of 10 %: 3.5 of each.
    assert (np.abs(np.mean(pulls, axis=0)) < 0.4).all(), np.mean(pulls, axis=0)
    assert (np.abs(np.std(pulls, axis=0) - 1) < 0.3).all(), np.std(pulls, axis=0)


def test_stated_errors_that_are_none() -> None:
    snr, err = stated(1)
    snr[:4], err[4:8] = [np.nan, 0.0, -5.0, np.inf], [np.nan, 0.0, -1.0, np.inf]
    law = fit_stated_errors(snr, err, ErrorLawSettings(least_spectra=10, min_snr=10.0))
    low = int(np.count_nonzero(snr[8:] < 10))
    assert law.left_out == {"not_positive": 8, "low_snr": low}
    assert law.n_spectra == 2992 - low
    for few in ([], [10.0]):
        none = fit_stated_errors(few, few)
        assert (none.law, none.n_spectra) == (None, len(few))
        assert "5 are needed" in str(none.reason)


def test_real_stated_errors(shared: Path) -> None:
    """The low-resolution table: RV, Teff and [Fe/H] get better with the red S/N by the law, log g hardly.

    The law is right to 10 % of the median error at any S/N.
    """
    text = (shared / "data/lamost_lrs_catalog/learninglamost_my_data3.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 3165
    snr = np.array([float(row["snrr"]) for row in rows])
    for name, smallest in (("rv", 11.5), ("teff", 135.0), ("feh", 0.31), ("logg", 0.49)):
        err = np.array([float(row[f"{name}_err"]) for row in rows])
        law = fit_stated_errors(snr, err)
        fitted = law.law
        assert fitted is not None
        assert law.n_spectra == np.count_nonzero((snr > 0) & (err > 0))
        assert law.n_spectra > 3000
        for low, high in ((10, 14), (18, 22), (28, 35), (45, 55), (70, 100)):
            mine = (snr >= low) & (snr < high)
            middle = math.sqrt(low * high)
            assert float(fitted.sigma(middle)) == pytest.approx(float(np.median(err[mine])), rel=0.1)
        assert float(fitted.sigma(100)) == pytest.approx(smallest, rel=0.05)
        assert 0.5 < fitted.chi2 < 3
        if name != "logg":
            assert -1.7 < fitted.b < -0.4
            assert law.reason is None
        else:
            assert "only c is known" in str(law.reason)
