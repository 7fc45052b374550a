"""Cross-matches of catalogues that other programs wrote, and LSDB's own match."""

from __future__ import annotations

from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord, search_around_sky
from match_files import INDEX
from match_oracle import NOISE_ARCSEC, around, brute_force, stars

from lkmrs_dask import crossmatch
from lkmrs_dask.catalog.opening import from_dataframe, open_catalog

HATS = "data/hats/hats"


SAME_OBJECTS = (
    "small_sky",
    "small_sky_npix_as_dir",
    "small_sky_healpix13",
    "small_sky_nested",
    "small_sky_o1_collection",
)
SOURCE_ARCSEC = 2900.0  # detections are up to 2832 arcsec from their object, and near others


@pytest.fixture(scope="module")
def real(shared: Path) -> tuple[list, list, np.ndarray]:
    """131 objects, 17,161 detections, and their separations where astropy's own search finds them near."""
    one = open_catalog(shared / HATS / "small_sky").to_arrow().sort_by("id")
    two = open_catalog(shared / HATS / "small_sky_source").to_arrow().sort_by("source_id")
    first = SkyCoord(one.column("ra").to_numpy() * u.deg, one.column("dec").to_numpy() * u.deg)
    second = SkyCoord(two.column("source_ra").to_numpy() * u.deg, two.column("source_dec").to_numpy() * u.deg)
    i, j, near, _ = search_around_sky(first, second, SOURCE_ARCSEC * u.arcsec)
    away = np.full((len(one), len(two)), np.inf)
    away[i, j] = near.arcsec
    assert np.count_nonzero(away < np.inf) > 17161
    return one.column("id").to_pylist(), two.column("source_id").to_pylist(), away


@pytest.mark.parametrize("name", SAME_OBJECTS)
@pytest.mark.parametrize("neighbours", ["nearest", "all", "one-to-one"])
def test_real_objects_and_their_detections(
    shared: Path, real: tuple[list, list, np.ndarray], name: str, neighbours: str
) -> None:
    """However the same objects are stored: in one file, a folder, by another index, or in a collection."""
    objects = open_catalog(shared / HATS / name)[["id", "ra", "dec"]]
    sources = open_catalog(shared / HATS / "small_sky_source")
    table = crossmatch(objects, sources, SOURCE_ARCSEC, neighbours).to_arrow()  # type: ignore[arg-type]
    ids, sids, away = real
    row, column = ({value: k for k, value in enumerate(values)} for values in (ids, sids))
    found = table.select(["id", "source_id", "separation_arcsec"]).to_pylist()
    pairs = [(row[one["id"]], column[one["source_id"]]) for one in found]
    far = np.array([one["separation_arcsec"] for one in found])
    assert len(set(pairs)) == len(pairs)
    assert np.abs(far - [away[pair] for pair in pairs]).max() < NOISE_ARCSEC
    if neighbours == "all":
        assert len(pairs) == np.count_nonzero(away < np.inf)
        return
    # Two objects are in the catalogue twice: which of them is matched is not told.
    wanted = brute_force(away, SOURCE_ARCSEC, neighbours, "inner", None, sids)
    where = objects.to_arrow().sort_by("id")
    position = list(zip(where.column("ra").to_pylist(), where.column("dec").to_pylist(), strict=True))
    assert sorted((position[i], j) for i, j in pairs) == sorted((position[i], j) for i, j in wanted)


@pytest.mark.parametrize("neighbours", ["nearest", "one-to-one"])
def test_real_detections_and_their_objects(shared: Path, neighbours: str) -> None:
    """The same from the other side, and from each way of storing the objects."""
    sources = open_catalog(shared / HATS / "small_sky_source")[["source_id"]]
    seen = []
    for name in SAME_OBJECTS:
        objects = open_catalog(shared / HATS / name)[["id"]]
        matched = crossmatch(sources, objects, 100.0, neighbours, "left", id_column="id")  # type: ignore[arg-type]
        seen.append(matched.to_arrow().sort_by("source_id").drop_columns([INDEX]))
    assert len(seen[0]) == 17161 > seen[0].column("id").null_count
    assert all(one.equals(seen[0]) for one in seen)


@pytest.mark.slow
def test_it_finds_what_lsdb_finds(tmp_path: Path) -> None:
    """LSDB's search for many neighbours, with a margin made for the radius."""
    lsdb = pytest.importorskip("lsdb")
    rng = np.random.default_rng(2)
    radius = 30.0
    tables = [
        stars(around(0.0, 41.8103148957786, 1500.0, n, rng), name) for n, name in ((300, "i"), (400, "j"))
    ]
    stored = [from_dataframe(table, max_rows=60).write(tmp_path / str(k)) for k, table in enumerate(tables)]
    ours = crossmatch(stored[0], stored[1], radius, "all").to_arrow()
    first, second = (table.to_pandas() for table in tables)
    margin = {"margin_threshold": 2 * radius}
    theirs = (
        lsdb.from_dataframe(first, ra_column="ra", dec_column="dec")
        .crossmatch(
            lsdb.from_dataframe(second, ra_column="ra", dec_column="dec", **margin),
            n_neighbors=400, radius_arcsec=radius, suffixes=("", "_2"), suffix_method="overlapping_columns",
        )
        .compute()
    )  # fmt: skip
    pairs = dict(zip(zip(theirs["i"], theirs["j"], strict=True), theirs["_dist_arcsec"], strict=True))
    found = {(row["i"], row["j"]): row["separation_arcsec"] for row in ours.to_pylist()}
    assert found.keys() == pairs.keys()
    assert len(found) > 1000
    # Its distances come from chords of unit vectors, which are right to 2e-16 of a radian, 5e-11 arcsec.
    assert max(abs(found[pair] - pairs[pair]) for pair in found) < NOISE_ARCSEC
