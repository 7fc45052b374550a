"""The files as an astronomer reads them: formats, counterparts, epochs, noise, relations, same bytes."""

from __future__ import annotations

import hashlib
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import astropy.units as u
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.time import Time

from lkmrs_dask.synthetic.external.headers import columns_of
from lkmrs_dask.synthetic.external.world import World, make_world
from lkmrs_dask.synthetic.external.write import FILES, write_external
from lkmrs_dask.synthetic.ledger import Ledger, make_ledger

RADIUS = 3.7 * u.arcsec


class Written(NamedTuple):
    """Where the files are and what they were made from."""

    folder: Path
    ledger: Ledger
    world: World


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder, ledger = tmp_path_factory.mktemp("external"), make_ledger(0.02, 1)
    write_external(folder, ledger)
    return Written(folder, ledger, make_world(ledger))


def read(written: Written, name: str) -> pd.DataFrame:
    """Read a file as its users do; EPIC and TIC come without a header."""
    path = written.folder / "external" / name
    if name.endswith(".fits.gz"):
        # GALAH's own unit of log g is none that FITS knows.
        table = Table.read(path, character_as_bytes=False, unit_parse_strict="silent")
        return table.filled(-9999).to_pandas() if table.masked else table.to_pandas()
    separator = "|" if name.endswith(".txt.gz") else ","
    headless = {"epic.txt.gz": "epic", "tic.csv.gz": "tic"}
    names = list(columns_of(headless[name])) if name in headless else None
    # Identifiers with gaps must not pass through floats.
    exact: dict = {"GAIA": "Int64", "KIC": "Int64", "source_id": "Int64"}
    return pd.read_csv(path, sep=separator, names=names, dtype=exact)


def sky(frame: pd.DataFrame, ra: str = "ra", dec: str = "dec") -> SkyCoord:
    return SkyCoord(frame[ra].to_numpy(np.float64) * u.deg, frame[dec].to_numpy(np.float64) * u.deg)


def nearest(written: Written, there: SkyCoord) -> tuple[np.ndarray, np.ndarray]:
    """Row nearest to each star as a plan has it, and whether it is within 3.7 arcsec."""
    ra, dec = np.empty((2, len(written.ledger.stars)))
    for targets in written.ledger.targets:  # the last plan stands for all: see the test of KIC at full size
        ra[targets.star], dec[targets.star] = targets.ra, targets.dec
    rows, separation, _ = SkyCoord(ra * u.deg, dec * u.deg).match_to_catalog_sky(there)
    return rows, separation < RADIUS


def truth(written: Written) -> pd.DataFrame:
    table = pq.read_table(written.folder / "truth" / "counterparts.parquet")
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def expect(ids: pd.Series, rows: np.ndarray, found: np.ndarray, own: pd.Series) -> None:
    """Assert that what a match finds, star by star, is the counterpart and nothing else."""
    matched = ids.to_numpy()[rows]
    for star in range(len(own)):
        assert (matched[star] if found[star] else None) == (None if own.isna()[star] else own[star]), star


def test_kic_and_epic(written: Written) -> None:
    kic, epic = read(written, "kic.txt.gz"), read(written, "epic.txt.gz")
    assert tuple(kic.columns) == columns_of("kic")
    assert (len(epic.columns), len(columns_of("tic")), len(kic.columns)) == (67, 125, 44)
    assert kic["kic_ra"].to_numpy() * 15 == pytest.approx(kic["kic_degree_ra"].to_numpy(), abs=1e-6)
    both = pd.DataFrame({
        "id": np.concatenate([kic["kic_kepler_id"], epic["ID"]]),
        "ra": np.concatenate([kic["kic_degree_ra"], epic["RA"]]),
        "dec": np.concatenate([kic["kic_dec"], epic["DEC"]]),
    })  # fmt: skip
    assert kic["kic_kepler_id"].max() < 201_000_000 < epic["ID"].min()
    rows, found = nearest(written, sky(both))
    expect(both["id"], rows, found, truth(written)["kic_epic"])
    assert (found & written.ledger.has_parameters).sum() == round(18_892 * 0.02)


def test_some_stars_have_two_candidates(written: Written) -> None:
    gaia, stars = read(written, "gaia.csv.gz"), written.ledger.stars
    targets = SkyCoord(stars.ra * u.deg, stars.dec * u.deg)
    there = sky(gaia)
    star, *_ = there.search_around_sky(targets, RADIUS)
    several = (np.bincount(star, minlength=len(stars)) > 1).mean()
    assert 0.01 < several < 0.08


def test_tic(written: Written) -> None:
    tic = read(written, "tic.csv.gz")
    rows, found = nearest(written, sky(tic))
    own = truth(written)
    expect(tic["ID"], rows, found, own["tic"])
    has = np.flatnonzero(own["gaia_source_id"].notna())
    assert tic["GAIA"].iloc[rows[has]].tolist() == own["gaia_source_id"].iloc[has].tolist()


def test_gaia_is_of_its_epoch(written: Written) -> None:
    gaia, stars = read(written, "gaia.csv.gz"), written.ledger.stars
    assert tuple(gaia.columns) == columns_of("gaia")
    assert (gaia["ref_epoch"] == 2016.0).all()
    own = truth(written)["gaia_source_id"]
    has = np.flatnonzero(own.notna())
    row = gaia.set_index("source_id").index.get_indexer(pd.Index(own[has].astype("int64")))
    assert (row >= 0).all()
    start = SkyCoord(
        stars.ra[has] * u.deg, stars.dec[has] * u.deg, distance=stars.distance[has] * u.pc,
        pm_ra_cosdec=stars.pmra[has] * u.mas / u.yr, pm_dec=stars.pmdec[has] * u.mas / u.yr,
        radial_velocity=0 * stars.rv[has] * u.km / u.s, obstime=Time(2000.0, format="jyear"),
    )  # fmt: skip
    then = start.apply_space_motion(new_obstime=Time(2016.0, format="jyear"))
    here = sky(gaia.iloc[row])
    # Errors of 0.02 to 0.3 mas; curvature of the path adds less than 1 mas.
    assert then.separation(here).to_value(u.mas).max() < 2.0
    # Nearest at the epoch is the star itself, whatever its motion.
    rows, *_ = then.match_to_catalog_sky(sky(gaia))
    assert np.array_equal(rows, row)


def test_gaia_errors_and_correlations(written: Written) -> None:
    gaia, sources = read(written, "gaia.csv.gz"), written.world.sources
    listed = np.flatnonzero(sources.gaia_source_id)
    place = pd.Index(sources.gaia_source_id[listed]).get_indexer(pd.Index(gaia["source_id"].astype("int64")))
    place = listed[place]
    off = {
        "parallax": (gaia["parallax"] + 0.025 - sources.parallax[place]) / gaia["parallax_error"],
        "pmra": (gaia["pmra"] - sources.pmra[place]) / gaia["pmra_error"],
        "pmdec": (gaia["pmdec"] - sources.pmdec[place]) / gaia["pmdec_error"],
    }
    # 2,900 sources: the standard deviation of a normal sample is good to 1.3 %, its mean to 0.019.
    for name, values in off.items():
        assert values.std() == pytest.approx(1.0, abs=0.06), name
        assert values.mean() == pytest.approx(0.0, abs=0.08), name
    for one, two in (("parallax", "pmra"), ("pmra", "pmdec")):
        stated = gaia[f"{one}_{two}_corr"]
        slope = (off[one] * off[two] * stated).sum() / (stated**2).sum()
        # E[xy] is the stated correlation: slope 1, with an error of 1 / (rms * sqrt(n)) = 0.15.
        assert slope == pytest.approx(1.0, abs=0.5)
    names = ("ra", "dec", "parallax", "pmra", "pmdec")
    matrix = np.broadcast_to(np.eye(5), (len(gaia), 5, 5)).copy()
    for i, one in enumerate(names):
        for j in range(i + 1, 5):
            matrix[:, i, j] = matrix[:, j, i] = gaia[f"{one}_{names[j]}_corr"]
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_gaia_coordinates_agree(written: Written) -> None:
    gaia = read(written, "gaia.csv.gz").iloc[::20]
    place = sky(gaia)
    assert gaia["l"].to_numpy() == pytest.approx(place.galactic.l.deg, abs=2e-5)
    assert gaia["b"].to_numpy() == pytest.approx(place.galactic.b.deg, abs=2e-5)
    ecliptic = place.transform_to("barycentricmeanecliptic")
    assert gaia["ecl_lat"].to_numpy() == pytest.approx(ecliptic.lat.deg, abs=2e-4)
    assert gaia["ecl_lon"].to_numpy() == pytest.approx(ecliptic.lon.deg, abs=4e-4)


@pytest.mark.parametrize(
    ("name", "identifier", "ra", "dec", "own", "columns"),
    [
        (
            "apogee_allStar.fits.gz", "APOGEE_ID", "RA", "DEC", "apogee_id",
            {"TEFF": 6951, "LOGG": 6951, "FE_H": 6859, "ALPHA_M": 4530, "VSINI": 949},
        ),
        (
            "galah_allstar.fits.gz", "sobject_id", "ra_dr2", "dec_dr2", "galah_sobject_id",
            {"teff": 5394, "logg": 5257, "fe_h": 5257, "alpha_fe": 3694},
        ),
    ],
)  # fmt: skip
def test_spectroscopic_surveys(
    written: Written, name: str, identifier: str, ra: str, dec: str, own: str, columns: dict[str, int]
) -> None:
    frame = read(written, name)
    rows, found = nearest(written, sky(frame, ra, dec))
    expect(frame[identifier], rows, found, truth(written)[own])
    known = found & written.ledger.has_parameters
    for column, number in columns.items():
        given = np.isfinite(frame[column].to_numpy()[rows]) & known
        assert given.sum() == int(number * 0.02 + 0.5), column
    assert frame[list(columns)].isna().to_numpy().any()
    assert len(frame) > 2 * known.sum()


COLUMNS = {
    "apogee": ("apogee_allStar.fits.gz", "RA", "DEC", ("TEFF", "LOGG", "FE_H", "ALPHA_M")),
    "galah": ("galah_allstar.fits.gz", "ra_dr2", "dec_dr2", ("teff", "logg", "fe_h", "alpha_fe")),
}


@pytest.mark.parametrize("survey", ["apogee", "galah"])
def test_injected_relations(written: Written, survey: str) -> None:
    name, ra, dec, columns = COLUMNS[survey]
    frame, stars = read(written, name), written.ledger.stars
    rows, found = nearest(written, sky(frame, ra, dec))
    table = pq.read_table(written.folder / "truth" / "comparisons.parquet").to_pandas()
    relations = table[table["survey"] == survey].set_index("parameter")
    slopes = {"teff": 0.92, "logg": 1.03, "feh": 0.75, "alpha_m": 0.42}
    for column, (parameter, slope) in zip(columns, slopes.items(), strict=True):
        relation = relations.loc[parameter]
        assert relation["slope"] == slope
        other = frame[column].to_numpy()[rows]
        use = found & np.isfinite(other)
        error = f"{column}_ERR" if survey == "apogee" else f"e_{column}"
        expected = (getattr(stars, parameter)[use] - relation["intercept"]) / slope
        off = (other[use] - expected) / frame[error].to_numpy()[rows][use]
        # At least 70 stars: standard deviation to 8 %, mean to 0.12.
        assert off.std() == pytest.approx(1.0, abs=0.35), parameter
        assert off.mean() == pytest.approx(0.0, abs=0.5), parameter


def test_velocities_of_single_stars(written: Written) -> None:
    stars = written.ledger.stars
    gaia = read(written, "gaia.csv.gz").set_index("source_id")
    intercept = (
        pq.read_table(written.folder / "truth" / "comparisons.parquet").to_pandas()
        .set_index(["survey", "parameter"]).loc[("gaia", "rv"), "intercept"]
    )  # fmt: skip
    single = np.flatnonzero(stars.has_gaia & ~stars.rv_variable)
    row = gaia.loc[stars.gaia_source_id[single]]
    off = (row["radial_velocity"].to_numpy() + intercept - stars.rv[single]) / row[
        "radial_velocity_error"
    ].to_numpy()
    assert np.isnan(off).any()
    assert np.nanstd(off) == pytest.approx(1.0, abs=0.15)
    assert np.nanmean(off) == pytest.approx(0.0, abs=0.2)


def test_lists_of_known_objects(written: Written) -> None:
    own, stars, members = truth(written), written.ledger.stars, written.world.members
    simbad, vsx = read(written, "simbad.csv"), read(written, "vsx.csv")
    assert tuple(simbad.columns) == columns_of("simbad")
    assert tuple(vsx.columns) == columns_of("vsx")
    rows, found = nearest(written, sky(simbad))
    expect(simbad["main_id"], rows, found, own["simbad_main_id"])
    variable = stars.variable_class != ""
    assert (found & variable).sum() == round(177 * 0.02)
    rows, found = nearest(written, sky(vsx, "RAJ2000", "DEJ2000"))
    expect(vsx["Name"], rows, found, own["vsx_name"])
    period = vsx["Period"].to_numpy()[rows][found]
    known = np.isfinite(period)
    assert period[known] == pytest.approx(stars.variable_period[found][known], rel=2e-4)
    gaia = read(written, "gaia_variables.csv")
    assert set(stars.gaia_source_id[members.gaia_variable]) <= set(gaia["source_id"])


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_same_bytes(written: Written, tmp_path: Path, pool: type[Executor]) -> None:
    context = {"mp_context": get_context("spawn")} if pool is ProcessPoolExecutor else {}
    with pool(2, **context) as executor:  # type: ignore[call-arg]
        write_external(tmp_path, written.ledger, executor)
    for folder, names in (
        ("external", list(FILES)),
        ("truth", ["counterparts.parquet", "comparisons.parquet"]),
    ):
        for name in names:
            digests = {
                hashlib.sha256((root / folder / name).read_bytes()).hexdigest()
                for root in (written.folder, tmp_path)
            }
            assert len(digests) == 1, name
