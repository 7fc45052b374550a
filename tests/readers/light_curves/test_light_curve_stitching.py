"""Joining segments, against a plain loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.timeseries import LombScargle
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from lkmrs_dask.errors import CatalogError, InputError, UsageError
from lkmrs_dask.readers.light_curves.curve import LightCurve, relative_flux
from lkmrs_dask.readers.light_curves.reading import read_light_curve
from lkmrs_dask.readers.light_curves.rows import curves_of, to_table
from lkmrs_dask.readers.light_curves.stitching import LeftOut, stitch
from lkmrs_dask.readers.light_curves.table_format import TableFormat


def curve(start: float, flux: Any, **changes: Any) -> LightCurve:
    flux = np.asarray(flux, np.float64)
    values: dict[str, Any] = {
        "time": start + 0.02 * np.arange(len(flux)), "flux": flux, "flux_err": np.full(len(flux), 0.5),
        "quality": np.zeros(len(flux), np.int32), "unit": "e-/s", "mission": "Kepler", "target_id": 5,
        "segment": int(start), "exptime": 1765.0, "author": "Kepler", "product": "PDCSAP_FLUX",
        "source_file": f"{start}.fits",
    }  # fmt: skip
    return LightCurve(**(values | changes))


def test_segments_are_over_their_medians_and_in_order() -> None:
    late, early = curve(20.0, 50.0 + np.arange(15)), curve(10.0, 1000.0 + np.arange(21))
    joined = stitch([late, early])
    time, flux, error, segment = joined
    assert_array_equal(time, np.concatenate([early.time, late.time]))
    assert_array_equal(flux, np.concatenate([early.flux / 1010.0, late.flux / 57.0]))
    assert_array_equal(error, np.repeat([0.5 / 1010.0, 0.5 / 57.0], [21, 15]))
    assert_array_equal(segment, np.repeat([10, 20], [21, 15]))


@pytest.mark.parametrize(
    ("unit", "of"),
    [
        ("e-/s", lambda f: 370.0 * f),
        ("relative", lambda f: f),
        ("excess", lambda f: f - 1),
        ("ppt", lambda f: 1e3 * (f - 1)),
        ("ppm", lambda f: 1e6 * (f - 1)),
        ("mag", lambda f: 12.0 - 2.5 * np.log10(f)),
    ],
)
@pytest.mark.parametrize("n", [20, 21])
def test_all_units_give_the_same_flux(unit: str, of: Any, n: int) -> None:
    true = 1.0 + 0.1 * np.sin(np.arange(n))
    step = 1e-6
    error = (of(true + step) - of(true)) / step * 1e-3  # of 1e-3 in relative flux
    flux, flux_err = relative_flux(of(true), error, unit)
    assert_allclose(flux, true / np.median(true), rtol=1e-12)
    # The error of magnitudes was got by a difference.
    assert_allclose(abs(flux_err), 1e-3 / np.median(true), rtol=1e-5)


def test_flags_are_applied_before_the_median() -> None:
    flux = np.full(30, 100.0)
    flux[:14] = 900.0
    quality = np.where(flux > 500, 32, 0).astype(np.int32)
    one = curve(0.0, flux, quality=quality)
    assert_array_equal(stitch([one]).flux, np.ones(16))
    assert len(stitch([one], quality="none").time) == 30
    assert len(stitch([one], quality=64).time) == 30


def test_doubles_go_and_the_earlier_curve_stays() -> None:
    first = curve(0.0, np.full(20, 10.0), segment=1)
    second = curve(0.0, np.full(20, 10.0), segment=2)
    shifted = curve(0.2, np.full(20, 10.0), segment=3)
    joined = stitch([second, first, shifted])
    assert_allclose(joined.time, 0.02 * np.arange(30), atol=1e-12)
    assert joined.segment.tolist() == [1] * 20 + [3] * 10


def test_unsorted_times_and_nans() -> None:
    one = curve(0.0, [5.0, np.nan, 5.0, 5.0], time=np.array([3.0, 2.0, np.nan, 1.0]))
    joined = stitch([one], min_points=2)
    assert joined.time.tolist() == [1.0, 3.0]


def test_of_several_kinds_one_is_taken() -> None:
    whole = np.full(400, 10.0)
    spoc = curve(0.0, whole, mission="TESS", author="SPOC", exptime=120.0, segment=1)
    fast = curve(0.0, np.full(2400, 10.0), mission="TESS", author="SPOC", exptime=20.0, segment=1)
    qlp = curve(0.0, np.full(80, 10.0), mission="TESS", author="QLP", product="SAP", exptime=600.0, segment=1)
    other = curve(
        100.0, np.full(80, 10.0), mission="TESS", author="QLP", product="SAP", exptime=600.0, segment=2
    )
    every = [qlp, spoc, fast, other]
    assert len(stitch(every).time) == 2400 + 80
    assert len(stitch(every, author="QLP").time) == 160
    assert len(stitch([qlp, spoc]).time) == 400
    # A month of short cadence is no match for the whole quarter.
    month = curve(0.0, np.full(300, 10.0), exptime=59.0, segment=3)
    quarter = curve(0.0, np.full(100, 10.0), segment=3)
    assert len(stitch([month, quarter]).time) == 100
    assert len(stitch([month, quarter], cadence="short").time) == 300
    assert len(stitch([month, quarter], product="SAP").time) == 0


def test_segments_that_cannot_be_used() -> None:
    good, short = curve(0.0, np.full(20, 10.0)), curve(5.0, [10.0])
    negative, flat = curve(6.0, np.full(20, -10.0)), curve(7.0, np.zeros(20))
    for bad in (short, negative, flat):
        with pytest.raises(InputError, match=f"file {bad.source_file}"):
            stitch([good, bad])
    left: list[LeftOut] = []
    joined = stitch([short, negative, good, flat], left_out=left)
    assert len(joined.time) == 20
    assert [one.segment for one in left] == [5, 6, 7]
    assert left[0].reason == "1 of 1 points are left, fewer than 10"
    assert "median flux is -10" in left[1].reason
    assert len(stitch([short], min_points=1).time) == 1


def test_nothing_gives_nothing() -> None:
    nothing: list[Any] = [[], to_table([])]
    for empty in nothing:
        joined = stitch(empty)
        assert [len(column) for column in joined] == [0, 0, 0, 0]


def test_what_cannot_be_joined() -> None:
    flux = np.full(20, 10.0)
    with pytest.raises(CatalogError, match="several stars cannot be joined: KIC 5, KIC 6"):
        stitch([curve(0.0, flux), curve(1.0, flux, target_id=6)])
    with pytest.raises(CatalogError, match="arbitrary zero"):
        stitch([curve(0.0, flux, time_scale="relative"), curve(1.0, flux)])
    assert len(stitch([curve(0.0, flux), curve(9.0, flux, mission="TESS", target_id=8)]).time) == 40
    assert (
        len(stitch([curve(0.0, flux), curve(9.0, flux, mission="TESS", target_id=8)], mission="TESS").time)
        == 20
    )
    assert len(stitch([curve(0.0, flux, time_scale="relative")]).time) == 20
    with pytest.raises(UsageError, match="min_points"):
        stitch([], min_points=0)
    with pytest.raises(UsageError, match="cadence"):
        stitch([], cadence="medium")


def test_curves_check_themselves() -> None:
    with pytest.raises(UsageError, match="flux_err has shape"):
        curve(0.0, np.ones(3), flux_err=np.ones(2))
    with pytest.raises(UsageError, match="unknown unit"):
        curve(0.0, np.ones(3), unit="Jy")
    with pytest.raises(UsageError, match="unknown time scale"):
        curve(0.0, np.ones(3), time_scale="UTC")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=5), st.integers(0, 2**31))
def test_rows_come_back(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = [
        curve(float(at), rng.normal(1e5, 10, n), quality=rng.integers(0, 1 << 30, n).astype(np.int32))
        for at, n in enumerate(sizes)
    ]
    table = to_table(made)
    back = curves_of(table.slice(1)) if sizes else []
    for one, two in zip(made[1:], back, strict=True):
        assert_array_equal(one.time, two.time)
        assert_array_equal(one.flux.astype(np.float32), two.flux)
        assert_array_equal(one.quality, two.quality)
        assert (one.segment, one.star, one.unit, one.exptime) == (
            two.segment,
            two.star,
            two.unit,
            two.exptime,
        )
        assert np.isnan(two.ra)
    with pytest.raises(CatalogError, match="no column quality"):
        curves_of(table.drop_columns(["quality"]))


def test_quarters_of_a_real_eclipsing_binary_join(shared: Path) -> None:
    files = sorted((shared / "data/lc_kepler_eb").glob("*.fits"))
    curves = [read_light_curve(file) for file in files]
    time, flux, error, segment = stitch(to_table(curves))
    assert_array_equal(np.unique(segment), [7, 8, 9, 11, 12, 13, 15, 16, 17])
    assert len(time) == sum(int(one.good().sum()) for one in curves)
    assert (np.diff(time) > 0).all()
    for number in np.unique(segment):
        assert np.median(flux[segment == number]) == pytest.approx(1.0, abs=1e-6)
    # Eclipses come back after the published period: early ones at the phases of the late ones.
    period = 3.6492928
    deep = flux < 0.9
    early, late = (np.sort((time[deep & half] / period) % 1.0) for half in (segment < 12, segment >= 12))
    assert abs(np.median(early) - np.median(late)) < 0.01
    assert (error[np.isfinite(error)] > 0).all()


@pytest.mark.parametrize(
    ("pattern", "form", "frequency"),
    [
        ("lc_kepler_eb/*.fits", None, 2.0 / 3.6492928),  # an eclipsing binary: half its period
        ("lc_kepler_rot/*.fits", None, 1.0 / 0.5926),
        ("lc_kepler_dsct/kic9651065_lc.txt", TableFormat(unit="mag"), 19.4777),
        ("lc_tess_dsct/HD23157*.fits", None, 32.46),
        ("lc_tess_dsct/HD23607*.fits", None, 38.38),
    ],
)
def test_known_frequencies_are_in_the_joined_curves(
    shared: Path, pattern: str, form: TableFormat | None, frequency: float
) -> None:
    files = sorted((shared / "data").glob(pattern))
    time, flux, _, _ = stitch([read_light_curve(file, table=form) for file in files])
    span = time[-1] - time[0]
    grid = np.arange(0.3, 45.0 if "tess" in pattern else 24.0, 0.2 / span)
    power = LombScargle(time, flux).power(grid, method="fast", normalization="psd")
    # A peak is 1 / span wide; the published values of the last two have two decimals.
    assert grid[np.argmax(power)] == pytest.approx(frequency, abs=max(0.5 / span, 0.006))
