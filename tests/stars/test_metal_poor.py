"""Metal-poor stars: limits, what is left out, probabilities."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.metal_poor import MetalPoorSettings, metal_classes, metal_poor

values = st.floats(-3, 1) | st.sampled_from([math.nan, math.inf, -2.5, -2.0, -1.0, -2.5 - 1e-9, -1.0 + 1e-9])


def plain_class(x: float) -> str | None:
    x = round(x, 6) if math.isfinite(x) else math.nan
    if -2.5 <= x < -2.0:
        return "VMP"
    return "MP" if -2.0 <= x <= -1.0 else None


@given(st.lists(st.tuples(values, st.floats(0.01, 0.5) | st.sampled_from([0.0, -1.0, math.nan]))))
@settings(max_examples=150, deadline=None)
def test_against_a_loop(stars: list[tuple[float, float]]) -> None:
    feh, err = (np.array([star[k] for star in stars], float) for k in range(2))
    found = metal_poor(feh, err)
    assert found.metal_class.to_pylist() == [plain_class(x) for x in feh.tolist()]
    for k, (x, sigma) in enumerate(stars):
        if not (math.isfinite(x) and sigma > 0):
            assert np.isnan([found.p_mp[k], found.p_vmp[k], found.probability[k]]).all()
            continue
        normal = NormalDist(x, sigma)
        # Both are accurate to some 1e-16 of 1.
        assert found.p_vmp[k] == pytest.approx(normal.cdf(-2.0), abs=1e-12)
        assert found.p_mp[k] == pytest.approx(normal.cdf(-1.0) - normal.cdf(-2.0), abs=1e-12)
        own = {"MP": found.p_mp[k], "VMP": found.p_vmp[k], None: math.nan}[plain_class(x)]
        np.testing.assert_equal(found.probability[k], own)


def test_the_printed_stars_of_table_4(shared: Path) -> None:
    text = (shared / "data/paper_tables/table4_rows.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    found = metal_classes([float(row["feh"]) for row in rows])
    assert found.to_pylist() == [row["label"] for row in rows]
    assert len(rows) == 9


def test_why_a_star_has_no_class() -> None:
    feh = [math.nan, -2.6, -2.2, -1.5, -1.5, -1.5, 0.0, math.inf]
    snr = [50, 50, 9, 50, math.nan, 50, 5, 50]
    n = [3, 3, 3, 1, 3, 2, 1, 0]
    strict = MetalPoorSettings(least_snr=10.0, least_spectra=2)
    found = metal_poor(feh, snr=snr, n_feh=n, settings=strict)
    low = "S/N too low or unknown"
    assert found.metal_class.to_pylist() == [None, None, None, None, None, "MP", None, None]
    assert found.reason.to_pylist() == [
        "no [Fe/H]", "beyond the templates", low, "too few spectra", low, None, None, "no [Fe/H]",
    ]  # fmt: skip
    assert found.counts() == {
        "n_mp": 1, "n_vmp": 0, "n_no_feh": 2, "n_beyond_templates": 1, "n_low_snr": 2, "n_few_spectra": 1,
    }  # fmt: skip
    assert metal_poor(feh).counts()["n_mp"] == 3
    assert np.isnan(metal_poor(feh).probability).all()


def test_a_mean_of_equal_values_is_on_the_limit() -> None:
    weights = np.array([0.1, 0.2, 0.7])
    for limit, name in ((-2.5, "VMP"), (-1.0, "MP")):
        mean = np.average(np.full(3, limit), weights=weights)
        around = [mean, np.nextafter(limit, -9), np.nextafter(limit, 9), np.float64(np.float32(limit))]
        assert metal_classes(around).to_pylist() == [name] * 4


def test_other_limits_and_no_stars() -> None:
    own = MetalPoorSettings(mp=(-1.8, -0.8), vmp=[-3.0, -1.8])  # type: ignore[arg-type]
    assert own.vmp == (-3.0, -1.8)
    assert metal_classes([-3, -1.81, -1.8, -0.8, -0.7], own).to_pylist() == ["VMP", "VMP", "MP", "MP", None]
    nothing = metal_poor([], [])
    assert (len(nothing.metal_class), len(nothing.probability)) == (0, 0)
    assert sum(nothing.counts().values()) == 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"mp": (-1.0, -2.0)}, "mp must be lower and upper"),
        ({"vmp": (-2.5, -2.1)}, "to where mp begins, -2.0"),
        ({"vmp": (-2.5,)}, "vmp must be two numbers"),
        ({"mp": (math.nan, -1.0)}, "mp must be two numbers"),
        ({"mp": "ab"}, "mp must be two numbers"),
        ({"least_snr": -1.0}, "least_snr must be from 0"),
        ({"least_snr": True}, "least_snr must be of type float"),
        ({"least_spectra": 0}, "least_spectra must be 1 or more"),
        ({"least_spectra": 2.0}, "least_spectra must be of type int"),
    ],
)
def test_wrong_settings(wrong: dict, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        MetalPoorSettings(**wrong)


def test_wrong_arrays() -> None:
    with pytest.raises(UsageError, match="feh_err and feh differ in shape"):
        metal_poor([-1.5], [0.1, 0.2])
    with pytest.raises(UsageError, match="a limit that needs n_feh"):
        metal_poor([-1.5], settings=MetalPoorSettings(least_spectra=2))
