"""High-velocity stars: injected ones are found, bad rows are flagged, single epochs count for variables."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import astropy.coordinates as c
import astropy.units as u
import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.stars.kinematics import (
    Epochs,
    HighVelocitySettings,
    epoch_speeds,
    escape_speed,
    high_velocity,
    input_columns,
)
from lkmrs_dask.stars.kinematics.high_velocity import EPOCH_COLUMNS, HIGH_VELOCITY_COLUMNS

ZERO_POINT = -0.025
QUICK: dict[str, Any] = {"n_draws": 100, "zero_point": ZERO_POINT}


def survey(share: Any, distance: Any, seed: int = 0, noise: float = 0.0) -> pa.Table:
    """Stars that move with some share of the escape speed, as seen from the Sun by way of astropy."""
    share, distance = np.broadcast_arrays(np.asarray(share, float), np.asarray(distance, float))
    n, rng = len(share), np.random.default_rng(seed)
    sky = c.SkyCoord(rng.uniform(0, 360, n) * u.deg, rng.uniform(20, 50, n) * u.deg, distance * u.pc)
    with c.galactocentric_frame_defaults.set("v4.0"):
        frame = c.Galactocentric()
    x, y, z = sky.transform_to(frame).cartesian.xyz.to_value(u.kpc)
    way = rng.normal(0, 1, (3, n))
    velocity = way / np.linalg.norm(way, axis=0) * share * escape_speed()(np.hypot(x, y), z) * u.km / u.s
    there = c.CartesianRepresentation([x, y, z] * u.kpc, differentials=c.CartesianDifferential(velocity))
    seen = frame.realize_frame(there).transform_to(c.ICRS())
    error = 0.02
    columns = {
        "source_id": np.arange(1, n + 1) * 10**15,
        "ra": seen.ra.deg, "dec": seen.dec.deg,
        "parallax": 1000 / distance + ZERO_POINT + noise * error * rng.normal(0, 1, n),
        "parallax_error": np.full(n, error),
        "pmra": seen.pm_ra_cosdec.to_value(u.mas / u.yr), "pmdec": seen.pm_dec.to_value(u.mas / u.yr),
        "pmra_error": np.full(n, 0.02), "pmdec_error": np.full(n, 0.02),
        "parallax_pmra_corr": np.full(n, 0.2), "parallax_pmdec_corr": np.full(n, -0.1),
        "pmra_pmdec_corr": np.full(n, 0.1), "ruwe": np.full(n, 1.0),
        "rv": seen.radial_velocity.to_value(u.km / u.s), "rv_err": np.full(n, 1.0),
        "phot_g_mean_mag": np.full(n, 13.0), "nu_eff_used_in_astrometry": np.full(n, 1.5),
        "pseudocolour": pa.nulls(n), "astrometric_params_solved": np.full(n, 31, np.int8),
    }  # fmt: skip
    return pa.table(columns)


def changed(table: pa.Table, **values: list) -> pa.Table:
    for name, column in values.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(column))
    return table


def test_speeds_and_labels_of_injected_stars() -> None:
    share = np.array([0.4, 0.69, 0.71, 0.99, 1.01, 1.5])
    table = survey(share, [100.0, 500.0, 1000.0, 2000.0, 3000.0, 4000.0])
    found = high_velocity(table, HighVelocitySettings(**QUICK))
    np.testing.assert_allclose(found["distance"], [100, 500, 1000, 2000, 3000, 4000], rtol=1e-9)
    # One and the same grid made them and is compared with.
    np.testing.assert_allclose(np.array(found["v_gc"]) / found["v_esc"], share, rtol=1e-9)
    assert found["high_velocity"].to_pylist() == [
        None, None, "bound_HiVels", "bound_HiVels", "unbound_HiVels", "unbound_HiVels",
    ]  # fmt: skip
    assert set(found["speed_reason"].to_pylist()) == set(found["error_reason"].to_pylist()) == {"ok"}
    components = np.array([found[name] for name in ("v_x", "v_y", "v_z")])
    np.testing.assert_allclose(np.linalg.norm(components, axis=0), found["v_gc"], rtol=1e-12)
    assert (np.abs(found["v_r_gsr"]) <= np.array(found["v_gc"])).all()
    p_high, p_unbound = np.array(found["p_high"]), np.array(found["p_unbound"])
    assert (p_high[[0, 3, 5]] == [0, 1, 1]).all()
    assert (p_unbound[[0, 2, 5]] == [0, 0, 1]).all()
    assert (np.array(found["v_gc_p16"]) <= np.array(found["v_gc_p84"])).all()


def test_the_schema() -> None:
    found = high_velocity(survey([0.5], [500.0]), HighVelocitySettings(**QUICK))
    assert found.schema.equals(
        pa.schema([one.to_field() for one in HIGH_VELOCITY_COLUMNS]), check_metadata=True
    )
    assert found.schema.field("v_gc").metadata[b"unit"] == b"km / s"
    empty = survey([0.5], [500.0]).slice(0, 0)
    none = Epochs(np.empty(0), np.empty(0, np.int64), np.empty(0, bool))
    found = high_velocity(empty, HighVelocitySettings(**QUICK), epochs=none)
    assert found.num_rows == 0
    assert found.column_names == [one.name for one in (*HIGH_VELOCITY_COLUMNS, *EPOCH_COLUMNS)]


@pytest.mark.parametrize("rule", ["speed", "probability"])
def test_false_candidates_come_without_the_zero_point(rule: str) -> None:
    """Slow stars at 4 to 8 kpc: 1 / parallax without the zero point makes them a tenth to a fifth faster."""
    rng = np.random.default_rng(5)
    share = np.concatenate([rng.uniform(0.3, 0.62, 3000), rng.uniform(0.8, 0.9, 20), [1.25]])
    distance = np.concatenate([rng.uniform(200, 5000, 3000), rng.uniform(500, 1500, 21)])
    table = survey(share, distance, seed=6)
    truth = [None] * 3000 + ["bound_HiVels"] * 20 + ["unbound_HiVels"]
    found = high_velocity(table, HighVelocitySettings(rule=rule, **QUICK))
    assert found["high_velocity"].to_pylist() == truth
    naive = high_velocity(table, HighVelocitySettings(rule=rule, n_draws=100, zero_point="none"))
    false = sum(label is not None for label in naive["high_velocity"].to_pylist()[:3000])
    assert false > 5


def test_probabilities_are_calibrated() -> None:
    """Of stars just at the limit, seen with noise, half are above it whatever their noise."""
    table = survey(np.full(2000, 0.7), 1500.0, seed=2, noise=1.0)
    found = high_velocity(table, HighVelocitySettings(n_draws=200, zero_point=ZERO_POINT))
    p = np.array(found["p_high"])
    # Uniform (mean 0.5, known to 0.29 / sqrt(2000) = 0.0065), but that 1 / parallax is not linear.
    assert p.mean() == pytest.approx(0.5, abs=0.04)
    assert np.quantile(p, [0.1, 0.9]) == pytest.approx([0.1, 0.9], abs=0.06)


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"source_id": None}, "no_gaia", "no_speed"),
    ({"source_id": 0}, "no_gaia", "no_speed"),
    ({"source_id": -9999}, "no_gaia", "no_speed"),
    ({"ra": None}, "no_position", "no_speed"),
    ({"parallax": 0.0}, "low_parallax_snr", "no_speed"),
    ({"parallax": -0.5}, "negative_parallax", "no_speed"),
    ({"parallax": math.nan}, "no_parallax", "no_speed"),
    ({"parallax_error": None}, "no_parallax", "no_speed"),
    ({"ruwe": None}, "no_ruwe", "no_speed"),
    ({"ruwe": 5.0}, "high_ruwe", "no_speed"),
    ({"pmra": None}, "no_proper_motion", "no_speed"),
    ({"pmdec": math.nan}, "no_proper_motion", "no_speed"),
    ({"pmdec": math.inf}, "no_proper_motion", "no_speed"),
    ({"rv": None}, "no_rv", "no_speed"),
    ({"rv_err": 0.0}, "ok", "no_rv_error"),
    ({"rv_err": -9999.0}, "ok", "no_rv_error"),
    ({"rv_err": None}, "ok", "no_rv_error"),
    ({"pmra_error": None}, "ok", "bad_covariance"),
    ({"parallax_pmra_corr": math.nan}, "ok", "bad_covariance"),
    ({"pmra_pmdec_corr": -1.5}, "ok", "bad_covariance"),
]


@pytest.mark.parametrize("rule", ["speed", "probability"])
def test_bad_stars_are_flagged(rule: str) -> None:
    """Every one of them would be unbound: none becomes a candidate without a speed, or without a reason."""
    table = survey(np.full(len(BAD) + 1, 1.4), 800.0, seed=9)
    for row, (values, _, _) in enumerate(BAD):
        for name, value in values.items():
            column = table[name].to_pylist()
            column[row] = value
            table = changed(table, **{name: column})
    found = high_velocity(table, HighVelocitySettings(rule=rule, **QUICK))
    assert found["speed_reason"].to_pylist() == [*(one for _, one, _ in BAD), "ok"]
    assert found["error_reason"].to_pylist() == [*(one for _, _, one in BAD), "ok"]
    for row in found.to_pylist():
        assert (row["v_gc"] is not None) == (row["speed_reason"] == "ok")
        assert (
            (row["p_unbound"] is not None) == (row["v_gc_err"] is not None) == (row["error_reason"] == "ok")
        )
        needed = row["speed_reason"] if rule == "speed" else row["error_reason"]
        assert row["high_velocity"] == ("unbound_HiVels" if needed == "ok" else None)


def test_errors_of_rv() -> None:
    table = changed(survey([0.5, 0.5], [500.0, 500.0]), rv_err=[None, 2.0])
    known = high_velocity(table, HighVelocitySettings(rv_err_unknown=2.0, **QUICK))
    assert known["error_reason"].to_pylist() == ["ok", "ok"]
    floor = high_velocity(table, HighVelocitySettings(rv_err_floor=30.0, **QUICK))
    assert floor["error_reason"].to_pylist() == ["no_rv_error", "ok"]
    assert floor["v_gc_err"][1].as_py() > known["v_gc_err"][1].as_py()


def test_stars_at_the_centre_and_on_the_axis() -> None:
    """R = 0: nearer to the centre than 1 pc there is no escape speed, elsewhere on the axis there is."""
    with c.galactocentric_frame_defaults.set("v4.0"):
        frame = c.Galactocentric()
    there = frame.realize_frame(c.CartesianRepresentation([[0, 0], [0, 0], [0, 2.0]] * u.kpc))
    seen = there.transform_to(c.ICRS())
    table = changed(
        survey([0.1, 0.1], [500.0, 500.0]), ra=seen.ra.deg, dec=seen.dec.deg,
        parallax=1 / seen.distance.to_value(u.kpc) + ZERO_POINT, parallax_error=[1e-6, 1e-6],
    )  # fmt: skip
    found = high_velocity(table, HighVelocitySettings(**QUICK))
    assert found["speed_reason"].to_pylist() == ["at_centre", "ok"]
    assert found["v_gc"][0].as_py() is found["v_esc"][0].as_py() is found["high_velocity"][0].as_py() is None
    assert found["r_cyl"][1].as_py() < 1e-6
    assert found["v_esc"][1].as_py() > 400


def test_kinds_of_columns() -> None:
    table = survey([0.5, 0.9, 1.2], [400.0, 800.0, 900.0])
    expected = high_velocity(table, HighVelocitySettings(**QUICK))
    single = pa.table(
        {name: table[name].cast(pa.float32()) if pa.types.is_floating(table[name].type) else table[name]
         for name in table.column_names}
    )  # fmt: skip
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    np.testing.assert_allclose(
        high_velocity(single, HighVelocitySettings(**QUICK))["v_gc"], expected["v_gc"], rtol=1e-5
    )
    assert high_velocity(chunked, HighVelocitySettings(**QUICK)).equals(expected)
    for row in range(3):
        alone = high_velocity(table.slice(row, 1), HighVelocitySettings(**QUICK))
        assert alone.equals(expected.slice(row, 1))


def test_supplied_distances() -> None:
    table = survey([0.5, 0.9], [400.0, 8000.0])
    names = ("distance_pc", "low", "high")
    for name, values in zip(names, ([400.0, 8000.0], [390.0, 7000.0], [410.0, 9500.0]), strict=True):
        table = table.append_column(name, pa.array(values))
    settings = HighVelocitySettings(
        n_draws=100, distance_column="distance_pc", distance_lower_column="low", distance_upper_column="high"
    )
    assert "parallax" not in input_columns(settings)
    found = high_velocity(table.drop_columns(["parallax", "parallax_error"]), settings)
    np.testing.assert_allclose(np.array(found["v_gc"]) / found["v_esc"], [0.5, 0.9], rtol=1e-9)
    assert found["error_reason"].to_pylist() == ["ok", "ok"]
    assert found["parallax_zero_point"].null_count == 2


def test_columns_that_are_missing_or_of_no_numbers() -> None:
    table = survey([0.5], [500.0])
    with pytest.raises(CatalogError, match="columns pmra, rv, which the table lacks"):
        high_velocity(table.drop_columns(["rv", "pmra"]))
    with pytest.raises(CatalogError, match="pmra must hold numbers, not string"):
        high_velocity(changed(table, pmra=["fast"]))
    with pytest.raises(CatalogError, match="source_id must hold integers, not double"):
        high_velocity(changed(table, source_id=[1e15]))
    with pytest.raises(UsageError, match="that of MWPotential2014, not McMillan17"):
        high_velocity(table, HighVelocitySettings(potential="McMillan17"), escape=escape_speed())


def epochs_of(table: pa.Table, velocities: list[list[float]], variable: list[bool]) -> Epochs:
    first = np.cumsum([0, *map(len, velocities)])[:-1]
    off = np.concatenate([np.asarray(one) + table["rv"][k].as_py() for k, one in enumerate(velocities)])
    return Epochs(off, first, np.array(variable))


def test_single_epochs_of_variable_stars() -> None:
    """As KIC 7881304: its mean need not be beyond the escape speed when five of its seven epochs are."""
    table = survey([0.97, 0.97, 0.97, 0.5], 500.0, seed=4)
    found = high_velocity(table, HighVelocitySettings(**QUICK))
    # Away from or towards the Sun, whichever makes the star faster.
    sign = np.sign(np.array(found["v_r_gsr"]))
    beyond = [math.nan, *[s * step for s in sign[:1] for step in (-80, -60, 60, 70, 80, 90, 100)]]
    some = [s * step for s in sign[1:2] for step in (-80, -60, -50, 70, 80)]
    third = [s * step for s in sign[2:3] for step in (60, 70)]
    epochs = epochs_of(table, [beyond, some, third, [math.nan]], [True, True, False, True])
    found = high_velocity(table, HighVelocitySettings(**QUICK), epochs=epochs)
    assert found["n_epochs"].to_pylist() == [7, 5, 2, 0]
    # Steps along the line of sight change the speed by as much, times the cosine between the two.
    speeds = epoch_speeds(
        table["ra"], table["dec"], found["distance"], table["pmra"], table["pmdec"], epochs, found["v_esc"]
    )
    by_star = np.split(speeds.v_gc, epochs.first[1:])
    for k, one in enumerate(by_star[:3]):
        limit = found["v_esc"][k].as_py()
        known = one[np.isfinite(one)]
        assert found["v_gc_max"][k].as_py() == known.max()
        assert found["share_beyond"][k].as_py() == pytest.approx((known > limit).mean())
    assert found["share_beyond"].to_pylist()[:3] == pytest.approx([5 / 7, 2 / 5, 1.0])
    assert found["share_beyond"][3].as_py() is found["v_gc_max"][3].as_py() is None
    bound = "bound_HiVels"
    assert found["high_velocity"].to_pylist() == ["unbound_HiVels", bound, bound, None]
    means = high_velocity(table, HighVelocitySettings(unbound_epochs=1.0, **QUICK), epochs=epochs)
    assert means["high_velocity"].to_pylist() == [bound, bound, bound, None]


def test_epochs_that_do_not_fit() -> None:
    table = survey([0.5, 0.5], [500.0, 500.0])
    for first, variable in (
        ([0], [True]),
        ([0, 3], [True, False]),
        ([1, 2], [True, False]),
        ([0, 1], [True]),
    ):
        epochs = Epochs(np.zeros(3), np.array(first), np.array(variable))
        with pytest.raises(UsageError, match="epochs must have rows for each of 2 stars"):
            high_velocity(table, HighVelocitySettings(**QUICK), epochs=epochs)


def test_real_rows_of_gaia(shared: Path) -> None:
    """1,000 sources of Gaia DR3 with Gaia's own velocities: nothing crashes, and no row is lost."""
    names = [name for name in input_columns() if name not in ("rv", "rv_err")]
    with fits.open(shared / "data/gaia/gdr3_sm.fits") as file:
        data = {name: np.array(file[1].data[name]) for name in names}
        data |= {"rv": file[1].data["radial_velocity"], "rv_err": file[1].data["radial_velocity_error"]}
    table = pa.table({name: one.astype(one.dtype.newbyteorder("=")) for name, one in data.items()})
    found = high_velocity(table, HighVelocitySettings(n_draws=50))
    assert found.num_rows == table.num_rows
    ok = np.array(found["speed_reason"]) == "ok"
    assert (np.isfinite(np.asarray(data["rv"], float)) | ~ok).all()
    assert found["v_gc"].null_count == np.count_nonzero(~ok)


@pytest.mark.parametrize(
    "wrong",
    [
        {"zero_point": "gaia"}, {"zero_point": math.nan}, {"zero_point": 20.0},
        {"zero_point_outside": "zero"},
        {"potential": "MW"}, {"rule": "both"}, {"ruwe": math.nan}, {"high_fraction": 0.0}, {"n_draws": -1},
        {"n_draws": 1.5}, {"seed": True}, {"probability": 2.0}, {"unbound_epochs": -0.1},
        {"rule": "probability", "n_draws": 0}, {"distance_column": "d"}, {"distance_error_column": "e"},
        {"distance_column": "d", "distance_lower_column": "l"}, {"distance_column": 3},
    ],
)  # fmt: skip
def test_wrong_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        HighVelocitySettings(**wrong)
