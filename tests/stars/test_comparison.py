"""Comparisons with other surveys: real ones with a known answer, injected relations, and edges."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.comparison import (
    CLASSES,
    Comparison,
    compare,
    compare_classes,
    split_dwarfs_giants,
)
from lkmrs_dask.stars.comparison_settings import ComparisonSettings, OffsetSettings
from lkmrs_dask.synthetic.external.relations import RELATIONS, Relation

Floats = NDArray[np.float64]
FEW = ComparisonSettings(n_bootstrap=50)


def number(cell: str) -> float:
    return float(cell) if cell.strip() else math.nan


def common_stars(shared: Path, second: str, third: str, error: str) -> tuple[Floats, Floats, Floats]:
    """A column of APOKASC-2, and one of APOKASC-3 with its error, by KIC; NaN for blanks."""
    folder = shared / "data" / "apogee_galah_seismo"
    with open(folder / "apokasc2.tsv") as file:
        old = {int(row["KIC"]): number(row[second]) for row in csv.DictReader(file, delimiter="|")}
    with open(folder / "apokasc3_Table4_Apoor_RGB+RC_Gold.csv") as file:
        rows = [row for row in csv.DictReader(file) if int(row["KIC"]) in old]
    theirs = [old[int(row["KIC"])] for row in rows]
    ours, err = ([number(row[name]) for row in rows] for name in (third, error))
    return np.array(theirs), np.array(ours), np.array(err)


def test_apokasc_metallicities(shared: Path) -> None:
    """APOKASC-3 on APOKASC-2: plain least squares has slope 1.0005, offset -0.073, scatter 0.018."""
    theirs, ours, _ = common_stars(shared, "FeH", "[Fe/H]", "S_[Fe/H]")
    found = compare(ours, theirs, settings=FEW)
    assert (len(ours), found.n, found.n_missing_theirs) == (3980, 3973, 7)
    assert found.plain.slope == pytest.approx(1.0005, abs=5e-5)
    assert found.plain.intercept == pytest.approx(-0.073, abs=5e-4)
    assert found.residuals.mean == pytest.approx(-0.073, abs=5e-4)
    assert found.residuals.std == pytest.approx(0.018, abs=5e-4)
    # An independent estimate of the error: the textbook's, for equal scatter.
    expected = found.residuals.std / (math.sqrt(found.n) * theirs[np.isfinite(theirs)].std())
    assert found.plain.slope_err == pytest.approx(expected, rel=0.5)
    # The densest 80 % agree within 1 %, and errors of theirs are not stated.
    assert found.slope == pytest.approx(1.0, abs=0.01)
    assert found.corrected.reason == "0 points have an error of x, fewer than 10"
    assert found.n_used == pytest.approx(0.8 * found.n, rel=0.02)


def test_apokasc_gravities(shared: Path) -> None:
    theirs, ours, err = common_stars(shared, "logg(seis)", "Logg_Seis", "S_Logg_Seis")
    found = compare(ours, theirs, ours_err=err, theirs_err=np.full(len(ours), 0.004), settings=FEW)
    assert found.plain.slope == pytest.approx(1.0018, abs=5e-5)
    assert found.slope == pytest.approx(1.0018, abs=0.002)
    assert found.corrected.slope == pytest.approx(1.0018, abs=0.002)
    giants = split_dwarfs_giants(ours)
    assert giants.giant.all()
    assert not giants.dwarf.any()


def made(relation: Relation, x_err: float, n: int, seed: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Values on both scales with noise, as the synthetic survey makes them; ours, theirs and errors."""
    centre, spread = {
        "teff": (5600.0, 900.0),
        "logg": (4.0, 0.8),
        "feh": (-0.1, 0.28),
        "alpha_m": (0.06, 0.13),
        "rv": (5.0, 35.0),
    }[relation.parameter]
    y_err = {"teff": 40.0, "logg": 0.06, "feh": 0.045, "alpha_m": 0.03, "rv": 0.8}[relation.parameter]
    rng = np.random.default_rng(seed)
    truth = rng.normal(centre, spread, n)
    errors = x_err * rng.uniform(0.6, 1.4, n), y_err * rng.uniform(0.3, 1.7, n)
    theirs = truth + errors[0] * rng.normal(size=n)
    ours = relation.slope * truth + relation.intercept + errors[1] * rng.normal(size=n)
    return ours, theirs, errors[1], errors[0]


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda r: f"{r.survey}-{r.parameter}")
def test_injected_relations_come_back(relation: Relation) -> None:
    """Within 4 standard errors, those being the bootstrap's; plain slopes are flatter by the noise."""
    x_err = {"teff": 60.0, "logg": 0.05, "feh": 0.045, "alpha_m": 0.025, "rv": 0.5}[relation.parameter]
    ours, theirs, ours_err, theirs_err = made(relation, x_err, 5000, 1)
    found = compare(ours, theirs, ours_err=ours_err, theirs_err=theirs_err, settings=FEW)
    line = found.corrected
    assert abs(line.slope - relation.slope) < 4 * line.slope_err
    assert abs(line.intercept - relation.intercept) < 4 * line.intercept_err
    assert line.slope_err < 0.01 * max(relation.slope, 0.5)
    noise = float(np.mean(theirs_err**2))
    attenuated = relation.slope * (1 - noise / theirs.var())
    assert abs(found.plain.slope - attenuated) < 4 * found.plain.slope_err
    # The same for the densest pixels: a normal distribution cut at a level of its density.
    assert abs(found.slope - attenuated) < 4 * found.slope_err + 0.003


def test_the_noise_of_galah_makes_0735_of_075() -> None:
    """docs/synthetic.md: plain least squares on GALAH's [Fe/H]; the corrected slope is 0.75."""
    relation = next(r for r in RELATIONS if (r.survey, r.parameter) == ("galah", "feh"))
    ours, theirs, ours_err, theirs_err = made(relation, 0.0395, 40_000, 2)
    found = compare(ours, theirs, ours_err=ours_err, theirs_err=theirs_err, settings=FEW)
    # Standard errors are 0.001 with 40,000 stars.
    assert found.plain.slope == pytest.approx(0.735, abs=0.004)
    assert found.corrected.slope == pytest.approx(0.75, abs=0.004)


def test_errors_cover_the_truth() -> None:
    """150 samples of 300 stars: the truth is within one standard error in 68 % of them, give or take 4 %.

    With 150 samples the binomial error of the share is 3.8 %; limits are 3 of them and 2 % for the bootstrap.
    """
    relation = next(r for r in RELATIONS if (r.survey, r.parameter) == ("galah", "feh"))
    pulls: dict[str, list[float]] = {"slope": [], "intercept": [], "plain": [], "line": []}
    flattened = 0.28**2 / (0.28**2 + 0.045**2 * (1 + 0.4**2 / 3))
    for seed in range(150):
        ours, theirs, ours_err, theirs_err = made(relation, 0.045, 300, 100 + seed)
        found = compare(ours, theirs, ours_err=ours_err, theirs_err=theirs_err, settings=FEW)
        line = found.corrected
        pulls["slope"].append((line.slope - 0.75) / line.slope_err)
        pulls["intercept"].append((line.intercept + 0.025) / line.intercept_err)
        pulls["plain"].append((found.plain.slope - 0.75 * flattened) / found.plain.slope_err)
        pulls["line"].append((found.slope - 0.75 * flattened) / found.slope_err)
    for name, values in pulls.items():
        share = np.mean(np.abs(values) < 1)
        assert 0.55 < share < 0.81, (name, share)
        assert np.mean(np.abs(values) < 2) > 0.88, name
        assert abs(np.mean(values)) < 0.4, (name, np.mean(values))  # 0.08 for no bias; pulls are 1 wide


def test_residuals_by_hand() -> None:
    found = compare([1.0, 2.0, 4.0, 8.0], [1.0, 1.0, 2.0, 4.0])
    assert sorted(found.difference) == [0.0, 1.0, 2.0, 4.0]
    numbers = found.residuals
    assert (numbers.mean, numbers.median) == (1.75, 1.5)
    assert numbers.rms == pytest.approx(math.sqrt(21 / 4))
    assert numbers.std == pytest.approx(math.sqrt((21 - 4 * 1.75**2) / 3))
    assert numbers.robust_scatter == pytest.approx(1.4826 * 1.0, rel=1e-4)  # deviations 1.5, .5, .5, 2.5


def test_the_order_of_stars_does_not_change_a_bit() -> None:
    ours, theirs, ours_err, theirs_err = made(RELATIONS[2], 0.02, 500, 3)
    first = compare(ours, theirs, ours_err=ours_err, theirs_err=theirs_err, settings=FEW)
    order = np.random.default_rng(0).permutation(500)
    again = compare(
        ours[order], theirs[order], ours_err=ours_err[order], theirs_err=theirs_err[order], settings=FEW
    )
    for kind in ("line", "plain", "corrected", "residuals", "scatter"):
        assert getattr(first, kind) == getattr(again, kind)
    assert first.density is not None
    assert again.density is not None
    assert (first.density.values == again.density.values).all()
    other = compare(ours, theirs, settings=ComparisonSettings(n_bootstrap=50, seed=2))
    assert other.slope == first.slope
    assert other.slope_err != first.slope_err
    none = compare(ours, theirs, settings=ComparisonSettings(n_bootstrap=0))
    assert math.isnan(none.slope_err)
    assert none.slope == first.slope


def test_values_that_are_missing() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(0, 1, 40)
    y = x.copy()
    y[:3], x[2:7], x[7] = np.nan, np.nan, np.inf
    found = compare(y, x, settings=FEW)
    assert (found.n, found.n_missing_ours, found.n_missing_theirs) == (32, 3, 5)
    assert found.slope == pytest.approx(1.0, abs=1e-9)
    assert found.plain.slope == pytest.approx(1.0)
    errors = np.full(40, 0.1)
    errors[10:12], errors[12] = np.nan, -1.0
    half = compare(y, x, ours_err=errors, theirs_err=errors, settings=FEW)
    assert (half.n_without_theirs_err, half.corrected.n_used) == (3, 29)
    assert half.n_without_ours_err == 0  # those three are not in that fit anyway


@pytest.mark.parametrize("n", [0, 1, 2, 9, 10])
def test_few_stars(n: int) -> None:
    x = np.arange(float(n))
    found = compare(x + 1, x, theirs_err=np.full(n, 0.01), settings=FEW)
    assert found.n == n
    if n == 10:
        assert found.plain.slope == pytest.approx(1.0)
        assert found.corrected.slope == pytest.approx(1.0, abs=0.001)
        return
    reason = "no stars in common" if n == 0 else f"{n} star{'' if n == 1 else 's'}, fewer than 10"
    for line in (found.line, found.plain, found.corrected):
        assert line.reason == reason
        assert all(map(math.isnan, (line.slope, line.intercept, line.slope_err, line.intercept_err)))
    assert (found.density is None) == (n == 0)
    assert math.isnan(found.residuals.std) == (n < 2)
    assert n == 0 or found.residuals.mean == 1.0


def test_constant_values() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(0, 1, 50)
    same = compare(x, np.full(50, 5000.0), settings=FEW)
    assert same.line.reason == same.corrected.reason == "all values of theirs are the same"
    assert same.residuals.std == pytest.approx(x.std(ddof=1))
    # 5000 / 80 pixels: rounding alone would give a slope of 1e-5, twenty of its errors from 0.
    flat = compare(np.full(50, 5000.0), x, theirs_err=np.zeros(50), settings=FEW)
    for line in (flat.line, flat.plain, flat.corrected):
        assert line.reason == "all values of ours are the same"
        assert math.isnan(line.slope)
    assert flat.residuals.std == pytest.approx(x.std(ddof=1))
    both = compare(np.full(50, 1.0), np.full(50, 1.0), settings=FEW)
    assert both.line.reason == "all values of theirs are the same"
    assert both.density is not None


def test_stars_that_have_no_values() -> None:
    x = np.arange(20.0)
    for ours, theirs in ((x, np.full(20, np.nan)), (np.full(20, np.nan), x), (x, np.full(20, np.inf))):
        found = compare(ours, theirs, settings=FEW)
        assert found.n == 0
        assert found.line.reason == found.plain.reason == found.corrected.reason == "no star has both values"
    assert compare([], [], settings=FEW).line.reason == "no stars in common"


@pytest.mark.parametrize(
    ("parameter", "unknown"), [("rv", -9999.0), ("teff", 0.0), ("feh", 1e20), (None, 1e37)]
)
def test_values_that_no_star_has(parameter: str | None, unknown: float) -> None:
    """Every tenth value of theirs, and one of ours, says "unknown": the rest is as if they were not there."""
    rng = np.random.default_rng(10)
    centre, spread = {"rv": (0.0, 30.0), "teff": (5500.0, 700.0)}.get(str(parameter), (-0.1, 0.3))
    x = rng.normal(centre, spread, 500)
    y = x + rng.normal(0, 0.1 * spread, 500)
    theirs, ours = x.copy(), y.copy()
    theirs[::10], ours[7], ours[8] = unknown, unknown, np.nan
    found = compare(ours, theirs, theirs_err=np.zeros(500), parameter=parameter, settings=FEW)
    assert (found.n, found.n_beyond_limits, found.n_missing_ours, found.n_missing_theirs) == (448, 51, 1, 0)
    good = np.delete(np.arange(500), [*range(0, 500, 10), 7, 8])
    expected = compare(y[good], x[good], theirs_err=np.zeros(448), settings=FEW)
    for kind in ("line", "plain", "corrected", "residuals"):
        assert getattr(found, kind) == getattr(expected, kind)
    some = compare_classes(ours, theirs, np.full(500, 4.0), parameter=parameter, settings=FEW)
    assert [one.n_beyond_limits for one in some.values()] == [51, 0, 51]


@given(powers=st.tuples(*[st.integers(-320, 307)] * 4), spread=st.floats(0, 1), seed=st.integers(0, 9))
@example(powers=(0, -309, 0, 0), spread=1.0, seed=0)
@settings(max_examples=150, deadline=None)
def test_numbers_of_any_size(powers: tuple[int, int, int, int], spread: float, seed: int) -> None:
    """No warning (which is an error here), and lines that are numbers or say why they are none."""
    rng = np.random.default_rng(seed)
    y, x, y_err, x_err = (10.0**power * (1 + spread * rng.normal(size=30)) for power in powers)
    found = compare(
        y, x, ours_err=np.abs(y_err), theirs_err=np.abs(x_err), settings=ComparisonSettings(n_bootstrap=3)
    )
    assert found.n + found.n_beyond_limits == 30
    for line in (found.line, found.plain, found.corrected):
        assert math.isfinite(line.slope) == math.isfinite(line.intercept) == (not line.reason)


def test_repeats_and_rounded_values() -> None:
    """Values to 0.1 dex, many the same: as of catalogues with few digits."""
    rng = np.random.default_rng(6)
    x = np.round(rng.normal(0, 0.3, 2000), 1)
    y = np.round(x + rng.normal(0, 0.1, 2000), 1)
    found = compare(y, x, theirs_err=np.zeros(2000), settings=FEW)
    for line in (found.line, found.plain, found.corrected):
        assert line.slope == pytest.approx(1.0, abs=0.05)
    doubled = compare(np.tile(y, 2), np.tile(x, 2), settings=FEW)
    assert doubled.plain.slope == pytest.approx(found.plain.slope)
    assert doubled.n == 4000
    mostly_one = np.where(np.arange(100) < 97, 1.0, np.arange(100.0))
    assert compare(mostly_one, mostly_one, settings=FEW).line.reason == "the densest pixels lie in one column"


@pytest.mark.parametrize("n", [30, 300, 3000])
def test_outliers(n: int) -> None:
    """One star in ten is far off, among them some absurdly: the plain line is lost, the others are not."""
    rng = np.random.default_rng(7)
    x = rng.normal(5000, 500, n)
    y = x + rng.normal(0, 30, n)
    y[: n // 10] = rng.uniform(0, 20_000, n // 10)
    y[0], x[1] = 1e9, -1e9
    found = compare(y, x, theirs_err=np.full(n, 20.0), settings=FEW)
    assert abs(found.plain.slope - 1) > 0.3
    for line in (found.line, found.corrected):
        # Scatter of 30 over 500: 0.06 / root n, four of them and some for what stays of the outliers.
        assert line.slope == pytest.approx(1.0, abs=0.06 if n == 30 else 0.02)
    assert found.residuals.robust_scatter < 60
    assert found.density is not None
    assert found.density.n_outside >= 2
    assert found.n_outliers >= 0.8 * (n // 10)


def test_dwarfs_and_giants() -> None:
    split = split_dwarfs_giants([3.5, 3.4999, np.nan, 4.4, 1.0, np.inf])
    assert split.dwarf.tolist() == [True, False, False, True, False, False]
    assert split.giant.tolist() == [False, True, False, False, True, False]
    assert split.n_unknown == 2
    assert split_dwarfs_giants([3.5], limit=4.0).giant.tolist() == [True]
    assert split_dwarfs_giants([]).n_unknown == 0


def test_classes() -> None:
    rng = np.random.default_rng(8)
    logg = np.concatenate([rng.uniform(1, 3.4, 100), rng.uniform(3.6, 5, 200), [np.nan] * 5])
    x = rng.normal(0, 1, 305)
    y = np.where(logg < 3.5, 0.5, 0.9) * x
    found = compare_classes(y, x, logg, theirs_err=np.zeros(305), settings=FEW)
    assert tuple(found) == CLASSES
    assert [one.n for one in found.values()] == [305, 100, 200]
    assert found["giant"].corrected.slope == pytest.approx(0.5)
    assert found["dwarf"].line.slope == pytest.approx(0.9)
    moved = compare_classes(y, x, logg, settings=ComparisonSettings(n_bootstrap=0, logg_limit=1.0))
    assert (moved["giant"].n, moved["giant"].line.reason) == (0, "no stars in common")
    assert len({one.line.reason for one in compare_classes(y, np.full(305, np.nan), logg).values()}) == 1
    empty = compare_classes([], [], [], settings=FEW)
    assert all(isinstance(one, Comparison) and one.n == 0 for one in empty.values())


def test_shapes_that_differ() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        compare([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="differ in shape"):
        compare([1.0], [1.0], theirs_err=[1.0, 2.0])
    with pytest.raises(ValueError, match="differ in shape"):
        compare(np.ones((2, 2)), np.ones((2, 2)))
    with pytest.raises(ValueError, match="log g differs"):
        compare_classes([1.0], [1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grid", 5), ("grid", 10.5), ("grid", True), ("smoothing", -1.0), ("smoothing", 6.0),
        ("smoothing", math.nan), ("enclosed", 0.0), ("enclosed", 1.1), ("enclosed", "most"), ("clip", 2.0),
        ("n_bootstrap", -1), ("seed", -1), ("least", 2), ("logg_limit", math.inf),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=name):
        ComparisonSettings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("teff_width", 0),
        ("feh_width", math.nan),
        ("step", 1.5),
        ("step", 0.001),
        ("least", 1),
        ("least", 2.5),
    ],
)
def test_settings_of_offsets(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=name):
        OffsetSettings(**{name: value})  # type: ignore[arg-type]
