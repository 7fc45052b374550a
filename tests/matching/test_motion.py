"""Places of stars that move, against astropy's, and epochs and motions that are refused."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st
from match_oracle import SITES, Sky, around, everywhere, joined
from motion_oracle import TOLERANCE_ARCSEC, moved

from lkmrs_dask import crossmatch
from lkmrs_dask.catalog.opening import from_dataframe
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.matching import drift
from lkmrs_dask.matching.motion import julian_years, propagate

# -- places --------------------------------------------------------------------------------------------------


def test_places_are_those_of_astropy() -> None:
    rng = np.random.default_rng(0)
    n = 3000
    sky = joined(everywhere(n, rng), *(around(ra, dec, 100.0, 20, rng) for ra, dec in SITES))
    n = len(sky.ra)
    pmra, pmdec = (10.0 ** rng.uniform(0, 3.85, n) * rng.choice([-1, 1], n) for _ in range(2))
    start, end = rng.uniform(1980, 2020, n), rng.uniform(1980, 2020, n)
    ours = Sky(*propagate(*sky, pmra, pmdec, end - start))
    theirs = moved(sky, pmra, pmdec, start, end)
    one, two = (SkyCoord(place.ra * u.deg, place.dec * u.deg) for place in (ours, theirs))
    assert one.separation(two).arcsec.max() < TOLERANCE_ARCSEC
    assert ours.ra.min() >= 0.0
    assert ours.ra.max() < 360.0


@given(
    ra=st.sampled_from([0.0, 360.0, 359.9999999]) | st.floats(0.0, 360.0),
    dec=st.sampled_from([90.0, -90.0, 89.99999, -89.99999, 0.0]) | st.floats(-90.0, 90.0),
    speed=st.sampled_from([0.0, drift.FASTEST_MASYR]) | st.floats(0.0, drift.FASTEST_MASYR),
    angle=st.floats(0.0, 360.0),
    start=st.floats(1950.0, 2050.0),
    years=st.floats(-100.0, 100.0),
)
@settings(max_examples=100, deadline=None)
def test_any_place_is_that_of_astropy(
    ra: float, dec: float, speed: float, angle: float, start: float, years: float
) -> None:
    """The poles themselves and RA 0 among them; light time is 3e-8 arcsec at most here."""
    pmra, pmdec = speed * np.sin(np.radians(angle)), speed * np.cos(np.radians(angle))
    ours = SkyCoord(*propagate(ra, dec, pmra, pmdec, years), unit=u.deg)
    sky = Sky(np.array([ra]), np.array([dec]))
    theirs = moved(sky, np.array([pmra]), np.array([pmdec]), start, start + years)
    assert ours.separation(SkyCoord(theirs.ra * u.deg, theirs.dec * u.deg)).arcsec[0] < TOLERANCE_ARCSEC
    # A straight line in space: the angle is that whose tangent is the way, in whatever direction.
    way = np.degrees(np.arctan(np.radians(speed * abs(years) / 3_600_000.0))) * 3600.0
    assert abs(ours.separation(SkyCoord(ra * u.deg, dec * u.deg)).arcsec - way) < TOLERANCE_ARCSEC


@pytest.mark.parametrize(("ra", "pmra"), [(0.0, -1e-9), (360.0, np.nan)])
def test_right_ascensions_are_below_360(ra: float, pmra: float) -> None:
    assert 0.0 <= propagate(ra, 0.0, pmra, 0.0, 1.0)[0] < 360.0


def test_barnards_star() -> None:
    """From its place in 2000 to Gaia's in 2016 (DR3 4472832130942575872), both as published.

    Its parallax moves neither: catalogues give places at the barycentre.  Errors of the first are 10 mas.
    """
    ra, dec = propagate(269.4520769, 4.6933650, -801.551, 10362.394, 16.0)
    gaia = SkyCoord(269.44850252543836 * u.deg, 4.739420051112412 * u.deg)
    assert SkyCoord(ra * u.deg, dec * u.deg).separation(gaia).arcsec < 0.1


def test_there_and_back_and_null_motions() -> None:
    rng = np.random.default_rng(1)
    sky = everywhere(500, rng)
    for pmra, pmdec in ((np.nan, 100.0), (100.0, np.nan), (np.nan, np.nan), (0.0, 0.0)):
        ra, dec = propagate(*sky, pmra, pmdec, 16.0)
        assert np.abs(ra - sky.ra).max() < 1e-12
        assert np.abs(dec - sky.dec).max() < 1e-12
    assert propagate(10.0, 20.0, 5.0, 5.0, np.nan) == (10.0, 20.0)
    # Over a pole: the star goes on along its great circle.
    ra, dec = propagate(30.0, 90.0 - 10.0 / 3600.0, 0.0, 10_000.0, 2.0)
    assert ra == pytest.approx(210.0)
    assert (90.0 - dec) * 3600.0 == pytest.approx(10.0, abs=1e-6)


@pytest.mark.parametrize("form", ["jyear", "mjd", "jd"])
def test_epochs_of_each_kind(form: str) -> None:
    years = np.array([1950.5, 2000.0, 2016.0, 2025.25])
    values = getattr(Time(years, format="jyear", scale="tdb"), form)
    found = julian_years([*values, np.nan], "column t")
    assert np.abs(found[:4] - years).max() < 1e-8
    assert np.isnan(found[4])
    assert np.isnan(julian_years([np.nan], "t")).all()
    assert len(julian_years([], "t")) == 0


@pytest.mark.parametrize("values", [[0.0, 2016.0], [57388.0, 2016.0], [-9999.0], [54.0], [1e9]])
def test_what_is_no_epoch(values: list[float]) -> None:
    with pytest.raises(CatalogError, match=r"column t holds no epochs: .* neither Julian years, MJD nor JD"):
        julian_years(values, "column t")


# -- wrong calls and data ------------------------------------------------------------------------------------


def one_star(**more: object) -> pd.DataFrame:
    return pd.DataFrame({"ra": [10.0], "dec": [5.0], "pmra": [1.0], "pmdec": [1.0], "t": [2016.0], **more})


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"left_epoch": 2000.0}, "both epochs are given"),
        ({"right_epoch": "t"}, "both epochs are given"),
        ({"left_epoch": 57000.0, "right_epoch": 2016.0}, "a Julian year from 1800 to 2200, not 57000.0"),
        ({"left_epoch": np.nan, "right_epoch": 2016.0}, "a Julian year from 1800 to 2200, not nan"),
        (
            {"left_epoch": Time(2000.0, format="jyear"), "right_epoch": 2016.0},
            "a Julian year from 1800 to 2200",
        ),
        (
            {"left_epoch": "when", "right_epoch": 2016.0},
            "has no column when, which proper motion needs; it has",
        ),
        ({"left_epoch": 2000.0, "right_epoch": "when"}, "has no column when"),
        ({"left_epoch": 2000.0, "right_epoch": "name"}, "column name is .*string, but must hold numbers"),
        ({"left_epoch": 2000.0, "right_epoch": "day"}, "column day is .*, but must hold numbers"),
        ({"left_epoch": 2000.0, "right_epoch": 2016.0, "proper_motion": ("mu", "pmdec")}, "has no column mu"),
        (
            {"left_epoch": 2000.0, "right_epoch": 2016.0, "proper_motion": ("name", "pmdec")},
            "name is .*string",
        ),
        ({"left_epoch": 2000.0, "right_epoch": 2016.0, "proper_motion": "pmra"}, "names two columns"),
    ],
)
def test_wrong_calls(options: dict, match: str) -> None:
    catalog = from_dataframe(one_star(name=["x"], day=pd.to_datetime(["2016-01-01"])))
    with pytest.raises(UsageError, match=match):
        crossmatch(catalog, catalog, **options)


@pytest.mark.parametrize("names", [None, 5, ("pmra", 3), ("pmra", None)])
def test_proper_motion_that_is_no_two_names(names: Any) -> None:
    catalog = from_dataframe(one_star())
    with pytest.raises(UsageError, match="names two columns"):
        crossmatch(catalog, catalog, left_epoch=2000.0, right_epoch=2016.0, proper_motion=names)


@pytest.mark.parametrize("side", ["left", "right"])
def test_an_epoch_that_is_infinite_is_unknown_or_refused(side: str) -> None:
    """As one that is null: the star stays.  Numpy must not warn."""
    tables = {"left": one_star(pmra=[0.0]), "right": one_star(pmra=[0.0])}
    tables[side] = pd.concat([tables[side]] * 2).assign(t=[2016.0, np.inf])
    found = crossmatch(
        from_dataframe(tables["left"]), from_dataframe(tables["right"]), neighbours="all",
        left_epoch="t", right_epoch="t",
    )  # fmt: skip
    assert len(found) == 2


def test_motions_in_other_units() -> None:
    left = from_dataframe(one_star())
    table = pa.Table.from_pandas(one_star())
    field = table.schema.field("pmra")
    good_units = ("mas/yr", "mas.yr**-1", "mas / yr", "mas yr-1", "mas/a", "arcsec / kyr")
    other_units = ("arcsec / yr", "deg/yr", "mas/century", "mas", "mas/d", "what")
    for unit, good in [(unit, True) for unit in good_units] + [(unit, False) for unit in other_units]:
        schema = table.schema.set(table.schema.get_field_index("pmra"), field.with_metadata({"unit": unit}))
        right = from_dataframe(table.cast(schema))
        if good:
            assert len(crossmatch(left, right, left_epoch=2000.0, right_epoch=2016.0)) == 1
        else:
            with pytest.raises(CatalogError, match=f"column pmra is in {unit}, not in mas/yr"):
                crossmatch(left, right, left_epoch=2000.0, right_epoch=2016.0)
    for value in (12_000.0, np.inf):
        right = from_dataframe(one_star(pmra=[value]))
        with pytest.raises(CatalogError, match="is faster than any star's; they must be in mas/yr"):
            crossmatch(left, right, left_epoch=2000.0, right_epoch=2016.0).to_arrow()


def test_epochs_that_are_none_are_refused_while_computing() -> None:
    left, right = from_dataframe(one_star(t=[0.0])), from_dataframe(one_star())
    matched = crossmatch(left, right, left_epoch="t", right_epoch=2016.0)
    with pytest.raises(CatalogError, match="column t holds no epochs"):
        matched.to_arrow()


def test_the_fastest_star_is_slower_than_the_limit() -> None:
    assert np.hypot(801.551, 10362.394) < drift.FASTEST_MASYR
