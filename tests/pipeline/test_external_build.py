"""External catalogues from file to HATS: all rows, exact identifiers, valid by hats' own rules."""

from __future__ import annotations

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from external_survey import SYNTHETIC, plain_rows, write_files
from hats import read_hats
from hats.catalog import Catalog
from hats.io.validation import is_valid_catalog

from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.errors import CatalogError, InputError, UsageError
from lkmrs_dask.pipeline.external import build_external
from lkmrs_dask.readers.external.identifiers import is_epic
from lkmrs_dask.readers.external.source import read_external
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import healpix29, unit_vectors
from lkmrs_dask.synthetic.ledger import make_ledger

FRACTION = 0.02
PLAIN = "gaia_variables"  # the release's table has no positions


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("external"), FRACTION)


@pytest.mark.parametrize("kind", [kind for kind in SYNTHETIC if kind != PLAIN])
def test_every_catalogue_of_the_synthetic_survey(raw: Path, tmp_path: Path, kind: str) -> None:
    name, _, _, (id_column, ra_column, dec_column) = SYNTHETIC[kind]
    counts = build_external(kind, raw / name, tmp_path / kind, max_rows=200)
    expected = plain_rows(raw, kind)
    assert counts["rows"] == len(expected)
    assert counts["rows_set_aside"] == {}
    assert counts["left_out"] == []
    assert is_valid_catalog(tmp_path / kind, strict=True, verbose=False)
    by_hats = read_hats(tmp_path / kind)
    assert isinstance(by_hats, Catalog)
    assert by_hats.catalog_info.total_rows == len(expected)
    catalog = open_catalog(tmp_path / kind)
    table = catalog.to_arrow()
    ids = table.column(id_column).to_pylist()
    assert sorted(map(str, ids)) == sorted(row[id_column] for row in expected)
    index = healpix29(table[ra_column].to_numpy(), table[dec_column].to_numpy())
    assert table[HEALPIX_COLUMN].to_pylist() == index.tolist() == sorted(index.tolist())
    info = catalog.info
    assert (info.ra_column, info.dec_column) == (ra_column, dec_column)
    assert info.properties["lkmrs_kind"] == kind
    assert info.properties["lkmrs_id_column"] == id_column
    assert float(info.properties["lkmrs_epoch"]) == {"gaia": 2016.0, "galah": 2015.5}.get(kind, 2000.0)
    assert os.listdir(tmp_path) == [kind], "no list of rows set aside, and nothing left over"


def test_identifiers_are_those_of_the_truth(raw: Path, tmp_path: Path) -> None:
    truth = pq.read_table(raw.parent / "truth/counterparts.parquet")
    for kind, column in (("tic", "tic"), ("gaia", "gaia_source_id"), ("galah", "galah_sobject_id")):
        build_external(kind, raw / SYNTHETIC[kind][0], tmp_path / kind)
        found = set(open_catalog(tmp_path / kind).to_arrow()[SYNTHETIC[kind][3][0]].to_pylist())
        known = set(truth[column].drop_null().to_pylist())
        assert known
        assert known <= found, kind


def test_the_nearest_kic_or_epic_source_within_3_7_arcsec_is_the_stars_own(raw: Path, tmp_path: Path) -> None:
    stars = make_ledger(FRACTION, 1).stars
    own = pq.read_table(raw.parent / "truth/counterparts.parquet")["kic_epic"].to_pylist()
    ids, places = [], []
    for kind in ("kic", "epic"):
        build_external(kind, raw / SYNTHETIC[kind][0], tmp_path / kind)
        id_column, ra, dec = (
            open_catalog(tmp_path / kind).to_arrow()[c].to_numpy() for c in SYNTHETIC[kind][3]
        )
        ids.append(id_column)
        places.append(unit_vectors(ra, dec))
        assert is_epic(id_column).tolist() == [kind == "epic"] * len(id_column)
    number, sky = np.concatenate(ids), np.concatenate(places)
    far = 0
    for at, (place, mine) in enumerate(zip(unit_vectors(stars.ra, stars.dec), own, strict=True)):
        if mine is not None:
            apart = np.degrees(2 * np.arcsin(np.linalg.norm(sky - place, axis=1) / 2)) * 3600
            nearest = int(np.argmin(apart))
            assert number[nearest] == mine, at
            assert apart[nearest] <= 3.7
            far += apart[nearest] > 2
    assert far > 0, "some counterparts are displaced"


def test_without_positions_a_table_by_identifier(raw: Path, tmp_path: Path) -> None:
    counts = build_external(PLAIN, raw / SYNTHETIC[PLAIN][0], tmp_path / PLAIN)
    path = tmp_path / f"{PLAIN}.parquet"
    assert counts["path"] == str(path)
    assert counts["partitions"] == 0
    table = pq.read_table(path)
    assert table["source_id"].to_pylist() == sorted(int(row["source_id"]) for row in plain_rows(raw, PLAIN))
    assert table.schema.metadata[b"lkmrs_kind"] == b"gaia_variables"
    assert table.schema.metadata[b"lkmrs_id_column"] == b"source_id"
    assert table.schema.field("best_class_score").metadata[b"description"]


def test_the_k2_target_lists(shared: Path, tmp_path: Path) -> None:
    files = sorted((shared / "data/k2_input_lkmrs").glob("K2_*_plate.csv"))
    with ThreadPoolExecutor(2) as pool:
        counts = build_external("k2_targets", files, tmp_path / "k2", max_rows=10_000, executor=pool)
    assert (counts["rows"], counts["repeated_ids"]) == (103_613, 103_613 - 99_369)
    build_external("k2_targets", files[::-1], tmp_path / "reversed", max_rows=10_000)
    one, two = (open_catalog(tmp_path / name).to_arrow() for name in ("k2", "reversed"))
    assert one.equals(two)
    assert is_valid_catalog(tmp_path / "k2", strict=True, verbose=False)


def test_gaia_with_all_columns(shared: Path, tmp_path: Path) -> None:
    path = shared / "data/gaia/gdr3_sm.fits"
    counts = build_external("gaia", path, tmp_path / "gaia")
    assert (counts["rows"], counts["columns"]) == (1000, 152)
    found = open_catalog(tmp_path / "gaia").to_arrow().drop_columns([HEALPIX_COLUMN]).sort_by("source_id")
    assert found.equals(read_external("gaia", path).sort_by("source_id"))


def test_rows_set_aside_are_listed_beside(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.csv", tmp_path / "b.csv"
    header = "OBJID,RADEG,DECDEG,MAG0,PRI\n"
    good.write_text(header + "201121245,176.8,-6.0,11.5,1\n")
    bad.write_text(header + "201121246,176.8,-96.0,11.5,1\n201121247,,1,2,3\n201121248,176.8,-6.0,11.5,1\n")
    out = tmp_path / "k2"
    counts = build_external("k2_targets", [good, bad], out)
    assert counts["rows"] == 2
    assert counts["rows_set_aside"] == {"out of range": 1, "missing coordinate": 1}
    with (tmp_path / "k2.set_aside.csv").open() as stream:
        listed = list(csv.DictReader(stream))
    assert [(row["file"], row["row"], row["column"], row["reason"], row["value"]) for row in listed] == [
        (str(bad), "2", "DECDEG", "out of range", "-96.0"),
        (str(bad), "3", "RADEG", "missing coordinate", ""),
    ]
    assert listed[0]["text"] == "201121246,176.8,-96.0,11.5,1"
    build_external("k2_targets", good, out)
    assert not (tmp_path / "k2.set_aside.csv").exists(), "a list of an older build is gone"


def test_lists_with_positions_of_some_rows(tmp_path: Path) -> None:
    path = tmp_path / "apokasc2.tsv"
    path.write_text("_RAJ2000|_DEJ2000|KIC|ES\n291.3|36.7|1027110|RGB\n||1027337|REJECT\n")
    counts = build_external("apokasc2", path, tmp_path / "apokasc2")
    assert (counts["rows"], counts["rows_set_aside"]) == (1, {"missing coordinate": 1})
    assert len(read_external("apokasc2", path)) == 2


def test_a_damaged_file_makes_no_catalogue(raw: Path, tmp_path: Path) -> None:
    cut = tmp_path / "kic.txt.gz"
    cut.write_bytes((raw / "kic.txt.gz").read_bytes()[:-2000])
    build_external("kic", raw / "kic.txt.gz", tmp_path / "kic")
    before = open_catalog(tmp_path / "kic").to_arrow()
    with pytest.raises(InputError, match="truncated"):
        build_external("kic", [raw / "kic.txt.gz", cut], tmp_path / "kic")
    assert open_catalog(tmp_path / "kic").to_arrow().equals(before)
    assert sorted(os.listdir(tmp_path)) == ["kic", "kic.txt.gz"]


def test_no_row_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("OBJID,RADEG,DECDEG,MAG0,PRI\n201121245,176.8,-96.0,11.5,1\n")
    with pytest.raises(CatalogError, match=r"rows set aside are in .*k2\.set_aside\.csv"):
        build_external("k2_targets", path, tmp_path / "k2")
    assert "-96.0" in (tmp_path / "k2.set_aside.csv").read_text()


def test_columns_to_keep_and_left_out(raw: Path, tmp_path: Path) -> None:
    build_external("tic", raw / "tic.csv.gz", tmp_path / "tic", keep=["Tmag"])
    assert open_catalog(tmp_path / "tic").to_arrow().column_names == [
        HEALPIX_COLUMN,
        "ID",
        "ra",
        "dec",
        "Tmag",
    ]
    path = tmp_path / "gaia.parquet"
    pq.write_table(pa.table({"source_id": [1], "ra": [1.0], "dec": [2.0], "flux": [[1.0]]}), path)
    counts = build_external("gaia", path, tmp_path / "gaia")
    assert counts["left_out"] == ["flux (no single value a row)"]
    assert open_catalog(tmp_path / "gaia").info.properties["lkmrs_left_out"] == counts["left_out"][0]


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("star,alpha,delta,p\nA,00 00 00,+90 00 00,1.5\nB,23:59:59.9,-00:00:01,\n")
    counts = build_external(
        "table", path, tmp_path / "mine", id="star", ra="alpha", dec="delta", epoch=1991.25
    )
    assert counts["rows"] == 2
    catalog = open_catalog(tmp_path / "mine")
    assert catalog.info.properties["lkmrs_epoch"] == "1991.25"
    rows = {row["star"]: row for row in catalog.to_arrow().to_pylist()}
    assert (rows["A"]["alpha"], rows["A"]["delta"]) == (0.0, 90.0)
    assert np.allclose((rows["B"]["alpha"], rows["B"]["delta"]), (359.9995833333, -1 / 3600), atol=1e-9)


def test_wrong_calls(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown setting 'radius'"):
        build_external("kic", raw / "kic.txt.gz", tmp_path / "kic", radius=3)
    with pytest.raises(UsageError, match="no external catalogue is called"):
        build_external("kik", raw / "kic.txt.gz", tmp_path / "kic")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/thesis.tex").touch()
    with pytest.raises(UsageError, match="no HATS catalogue"):
        build_external("kic", raw / "kic.txt.gz", tmp_path / "thesis")
    assert os.listdir(tmp_path) == ["thesis"]
