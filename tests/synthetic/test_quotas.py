"""The paper's numbers, and their fractions."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.quotas import (
    CLASSES,
    N_STARS,
    VISITS_AND_EXPOSURES,
    YEARS,
    Quotas,
    largest_remainder,
)


def test_whole_survey_is_table_1_of_the_paper(shared: Path) -> None:
    text = (shared / "paper" / "lk-mrs-i.txt").read_text("utf-8")
    quotas, sums = Quotas.of(1.0), np.zeros(9, np.int64)
    for place, year in enumerate(YEARS):
        (line,) = re.findall(rf"^\| {year} \|(.*)\|$", text, re.MULTILINE)
        row = [int(cell.replace(",", "")) for cell in line.split("|")]
        assert tuple(row[:2]) == VISITS_AND_EXPOSURES[year]
        teff = quotas.teff[place]
        assert row[2:] == [
            quotas.spectra[place], teff, teff, teff, quotas.rv[place], quotas.vsini[place],
            quotas.alpha_m[place],
        ]  # fmt: skip
        sums += row
    assert sums.tolist() == [134, 624, 3531785, 170637, 170637, 170637, 161270, 23810, 94075]


def test_whole_survey_is_that_of_the_text() -> None:
    quotas = Quotas.of(1.0)
    assert (quotas.kepler_stars, quotas.k2_stars) == (8637, 40673)
    assert quotas.n_stars == N_STARS == 49310
    assert 2 * quotas.coadds == 589856
    assert sum(quotas.spectra) - 2 * quotas.coadds == 2941929
    assert (quotas.stars_with_parameters, quotas.stars_with_three) == (36588, 17996)
    assert (quotas.stars_with_rv, quotas.rv_variables) == (34468, 2333)
    assert (quotas.metal_poor, quotas.very_metal_poor) == (764, 174)
    fast = quotas.high_velocity
    assert sum(fast.values()) - fast["unbound"] == 29
    assert fast["unbound"] == 1
    assert (fast["bound_mp"], fast["bound_vmp"] + fast["unbound"]) == (9, 18)
    assert dict(quotas.classes) == {
        "EB": 76, "DSCT": 11, "GDOR": 69, "hybrid": 21, "RG": 19, "RRL": 4, "RSCVn": 19, "rotation": 146,
        "uncertain": 6,
    }  # fmt: skip
    assert sum(CLASSES.values()) == 371
    assert (quotas.kepler_photometry, quotas.tess_photometry) == (1088, 1709)


def plain_hamilton(weights: list[int], total: int) -> list[int]:
    shares = [weight * total / sum(weights) for weight in weights]
    seats = [int(share) for share in shares]
    while sum(seats) < total:
        rest = [share - seat for share, seat in zip(shares, seats, strict=True)]
        seats[rest.index(max(rest))] += 1
    return seats


@given(st.lists(st.integers(1, 50), min_size=1, max_size=9), st.integers(0, 500))
def test_largest_remainder(weights: list[int], total: int) -> None:
    found = largest_remainder(weights, total)
    assert sum(found) == total
    for seats, weight in zip(found, weights, strict=True):
        assert abs(seats - weight * total / sum(weights)) < 1 + 1e-9  # Hamilton's method keeps quota


def test_largest_remainder_by_hand() -> None:
    assert largest_remainder([76, 11, 69], 15) == plain_hamilton([76, 11, 69], 15) == [7, 1, 7]
    assert largest_remainder([1.0, 1.0], 1) == [1, 0]


@pytest.mark.parametrize("fraction", [0.5, 0.1, 0.02, 0.008, 1e-4, 1e-6])
def test_fractions(fraction: float) -> None:
    quotas = Quotas.of(fraction)
    assert quotas.n_stars == max(1, round(49310 * fraction))
    assert sum(quotas.spectra) == round(3531785 * fraction)
    assert sum(quotas.classes.values()) == round(371 * fraction)
    for small, whole in zip(quotas.teff, Quotas.of(1.0).teff, strict=True):
        assert abs(small - whole * fraction) < 1.6  # the total is rounded, then the parts


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.0001, float("nan")])
def test_other_fractions(fraction: float) -> None:
    with pytest.raises(UsageError, match="fraction"):
        Quotas.of(fraction)
